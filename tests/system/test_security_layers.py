"""Tickets without TLS: all that follows the login is under a layer of Kerberos (RFC 4752 3.1), where that is allowed."""
import base64
import re

import gssapi
import pytest

import hauberk
import kdc as kerberos
from ticket_clients import run
from tickets import refusals

INTEGRITY, CONFIDENTIALITY = 2, 4
PORTS = {"imap": "imap", "pop": "pop3", "smtp": "submission"}
COMMAND = {"smtp": "AUTH GSSAPI", "imap": "a AUTHENTICATE GSSAPI", "pop": "AUTH GSSAPI"}


@pytest.fixture(scope="module")
def kdc():
    realm = kerberos.Kdc()
    try:
        yield realm.start()
    finally:
        realm.stop()


def serve(kdc, build, layer):
    server = hauberk.Server(build, settings=f'kerberos: {{ keytab = "{kdc.keytab()}"; securityLayer = "{layer}"; }};')
    try:
        server.start().populate("ann", "bob")
        yield server
        server.stop()
    finally:
        server.kill()


@pytest.fixture(scope="module", params=["ASAN", "RELEASE"])
def site(request, kdc):
    yield from serve(kdc, getattr(hauberk, request.param), "integrity")


@pytest.fixture(scope="module")
def strict(kdc):
    yield from serve(kdc, hauberk.RELEASE, "confidentiality")


@pytest.fixture(scope="module")
def closed(kdc):
    yield from serve(kdc, hauberk.RELEASE, "no")


class Layered:
    """A connection without TLS that logs in with a layer; what is said and heard then goes through it."""

    def __init__(self, server, service, layer, most=65536, flags=("integrity", "confidentiality", "out_of_sequence_detection")):
        self.raw, self.service, self.layer = server.raw(PORTS[service]), service, layer
        name = gssapi.Name(f"{service}@localhost", gssapi.NameType.hostbased_service)
        wanted = [getattr(gssapi.RequirementFlag, flag) for flag in flags]
        self.context = gssapi.SecurityContext(name=name, usage="initiate", mech=gssapi.MechType.kerberos, flags=[
            gssapi.RequirementFlag.mutual_authentication, *wanted])
        if service == "smtp":
            self.raw.reply()
            self.offer = self.raw.say("EHLO client.example")
        else:
            self.offer = self.raw.line()
        self.rest, self.most = b"", most
        self.last = self.log_in()

    def log_in(self):
        self.raw.send(COMMAND[self.service].encode() + b"\r\n")
        token = None
        while True:
            line = self.raw.reply() if self.service == "smtp" else self.raw.line()
            if not line.startswith(("+ ", "334 ")) and line != "+" and line != "334":
                return line
            challenge = base64.b64decode(line.split(" ", 1)[1] if " " in line else "")
            if not self.context.complete:
                token = self.context.step(challenge or token) or b""
            else:
                self.offered = self.context.unwrap(challenge).message
                token = self.context.wrap(bytes([self.layer]) + self.most.to_bytes(3, "big"), False).message
            self.raw.send(base64.b64encode(token) + b"\r\n")

    def piece(self, text):
        return self.context.wrap(text.encode(), self.layer == CONFIDENTIALITY).message

    def send(self, text):
        piece = self.piece(text)
        self.raw.send(len(piece).to_bytes(4, "big") + piece)

    def octets(self, n):
        while len(self.raw.rest) < n:
            more = self.raw.socket.recv(65536)
            if not more:
                raise EOFError
            self.raw.rest += more
        taken, self.raw.rest = self.raw.rest[:n], self.raw.rest[n:]
        return taken

    def hear(self, end):
        """Up to a text that matches; each piece is no longer than was said."""
        while not re.search(end, self.rest, re.S):
            n = int.from_bytes(self.octets(4), "big")
            assert n <= self.most, n
            result = self.context.unwrap(self.octets(n))
            assert result.encrypted == (self.layer == CONFIDENTIALITY)
            self.rest += result.message
        text, self.rest = self.rest, b""
        return text.decode("latin-1")


WELCOME = {"smtp": "235 ", "imap": "a OK", "pop": "+OK"}


def test_nothing_is_offered_unless_it_is_allowed(closed, kdc):
    with closed.raw("imap") as raw:
        assert "GSSAPI" not in raw.line()
        assert raw.tagged("AUTHENTICATE GSSAPI").startswith("a NO [PRIVACYREQUIRED]")
    with closed.hello("submission") as raw:
        assert raw.say("AUTH GSSAPI").startswith("538 ")
    with closed.raw("pop3") as raw:
        raw.line()
        raw.send(b"AUTH GSSAPI\r\n")
        assert raw.line().startswith("-ERR")


@pytest.mark.parametrize("layer", [INTEGRITY, CONFIDENTIALITY])
@pytest.mark.parametrize("most", [1000, 65536])
def test_mail_is_read_by_imap_under_a_layer(kdc, site, layer, most):
    name, octets = hauberk.message(b"x" * 76 + b"\r\n" + b"y" * 200000 + b"\r\n", f"layer {layer} {most}")
    site.send(octets, ["ann@example.org"])
    site.arrives(name, "ann@example.org")
    with kdc.logged_on("ann"):
        c = Layered(site, "imap", layer, most)
    assert c.last.startswith("a OK") and c.offered == bytes([6, 0, 64, 0]), (c.last, c.offered)
    c.send("b SELECT INBOX\r\n")
    assert "b OK" in c.hear(rb"\nb OK[^\n]*\n")
    c.send(f"c UID SEARCH HEADER Message-ID {name}\r\n")
    uid = re.search(r"SEARCH (\d+)", c.hear(rb"\nc OK[^\n]*\n")).group(1)
    c.send(f"d UID FETCH {uid} BODY.PEEK[]\r\n")
    assert "y" * 200000 in c.hear(rb"\nd OK[^\n]*\n")
    c.send("e APP")  # a command in pieces, one of them with more than a command
    c.send(f"END INBOX {{{len(octets)}+}}\r\n")
    text = octets.decode() + "\r\nf NOOP\r\n"
    for at in range(0, len(text), 16000):
        c.send(text[at:at + 16000])
    assert "e OK" in c.hear(rb"\nf OK[^\n]*\n")


@pytest.mark.parametrize("layer", [INTEGRITY, CONFIDENTIALITY])
def test_mail_is_sent_and_fetched_under_a_layer(kdc, site, layer):
    name, octets = hauberk.message(b"hello\r\n" * 20000, f"sent under {layer}")
    with kdc.logged_on("ann"):
        c = Layered(site, "smtp", layer)
        assert c.last.startswith("235 "), c.last
        c.send("MAIL FROM:<ann@example.org>\r\n")
        assert c.hear(rb"\n").startswith("503 ")  # what was said in clear does not count (RFC 4954 4)
        c.send("EHLO client.example\r\n")
        assert "STARTTLS" not in c.hear(rb"250 [^\n]*\n")
        c.send("STARTTLS\r\n")
        assert c.hear(rb"\n").startswith("503 ")
        c.send("MAIL FROM:<ann@example.org>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n")
        assert c.hear(rb"354 [^\n]*\n")
        text = octets.decode() + ".\r\n"
        for at in range(0, len(text), 16000):
            c.send(text[at:at + 16000])
        assert c.hear(rb"\n").startswith("250 ")
        site.arrives(name, "ann@example.org")
        c = Layered(site, "pop", layer)
        assert c.last.startswith("+OK"), c.last
        c.send("STAT\r\n")
        count = c.hear(rb"\n").split()[1]
        c.send(f"RETR {count}\r\nQUIT\r\n")
        assert "hello\r\n" * 20000 in c.hear(rb"\r\n\.\r\n\+OK[^\n]*\n")


@pytest.mark.parametrize("service", kerberos.SERVICES)
def test_none_is_no_layer_without_tls(kdc, site, service):
    for layer in (1, 6, 8, 0):
        before = len(refusals(site))
        with kdc.logged_on("ann"):
            c = Layered(site, service, layer)
        assert not c.last.startswith(WELCOME[service]) and refusals(site)[before:] == ["layer-refused"], c.last


def test_the_least_layer_is_the_administrators(kdc, strict):
    with kdc.logged_on("ann"):
        c = Layered(strict, "imap", CONFIDENTIALITY)
        assert c.last.startswith("a OK") and c.offered[0] == 4
        c.send("b NOOP\r\n")
        assert c.hear(rb"b OK[^\n]*\n")
        assert not Layered(strict, "imap", INTEGRITY).last.startswith("a OK")
        assert not Layered(strict, "imap", INTEGRITY, flags=()).last.startswith("a OK")
        # and who says confidentiality must mean it
        c = Layered(strict, "imap", CONFIDENTIALITY)
        c.layer = INTEGRITY
        c.send("b NOOP\r\n")
        with pytest.raises((EOFError, ConnectionResetError)):
            c.hear(rb"b OK")
    assert refusals(strict) == ["layer-refused", "no-layer"]
    assert strict.log().count(" layer.refused ") == 1


@pytest.mark.parametrize("how", ["changed", "twice", "clear", "long", "out of order"])
def test_what_is_not_the_clients_ends_the_session(kdc, site, how):
    before = site.log().count(" layer.refused ")
    with kdc.logged_on("ann"):
        c = Layered(site, "imap", CONFIDENTIALITY)
        one, two = c.piece("b NOOP\r\n"), c.piece("c NOOP\r\n")
        sent = {"changed": [one[:-1] + bytes([one[-1] ^ 1])], "twice": [one, one], "clear": [b"b NOOP\r\n"],
                "long": [b"x" * 20000], "out of order": [two, one]}[how]
        for piece in sent:
            c.raw.send(len(piece).to_bytes(4, "big") + piece)
        with pytest.raises((EOFError, ConnectionResetError)):
            c.hear(rb"no such words")
    assert site.log().count(" layer.refused ") == before + 1


def test_gsasl_which_has_no_layers_is_refused(kdc, site, tmp_path):
    before = len(refusals(site))
    done = run(kdc, ["gsasl", "--client", "--imap", "--no-starttls", "-m", "GSSAPI", "--connect",
                     f"127.0.0.1:{site.ports['imap']}", "-a", "ann@example.org", "-z", "ann", "--service", "imap",
                     "--hostname", "localhost"], tmp_path)
    assert "NO [AUTHENTICATIONFAILED]" in done.stdout and refusals(site)[before:] == ["layer-refused"], done

"""Attack 7: the state of TLS: early data, renegotiation, truncation, tickets across virtual hosts. (Tickets
across hosts, settings and protocols: also tests/system/test_tickets.py and test_08_alpn.py.)"""
import re
import socket
import ssl
import struct
import subprocess

import pytest

import hauberk
from test_certificates import both, make
from test_reload import edit, reload
from test_tickets import Openssl, new_session


# ---- early data (RFC 8446 §2.3, §8) ----

def der(tag, content):
    n = len(content)
    length = bytes([n]) if n < 128 else bytes([0x82]) + struct.pack(">H", n)
    return bytes([tag]) + length + content


def fields(octets):
    """(tag, whole field) of each field of a SEQUENCE's content."""
    while octets:
        n, head = octets[1], 2
        if n & 0x80:
            head += n & 0x7f
            n = int.from_bytes(octets[2:head], "big")
        yield octets[0], octets[:head + n]
        octets = octets[head + n:]


def with_early_data(path, most=16384):
    """The session's file, as if the server had allowed early data in its ticket ([15], max_early_data)."""
    pem = path.read_text()
    whole = ssl.PEM_cert_to_DER_cert(pem.replace("SSL SESSION PARAMETERS", "CERTIFICATE"))
    _, sequence = next(fields(whole))
    head = len(sequence) - int.from_bytes(sequence[2:4], "big")
    all_fields = [(tag, f) for tag, f in fields(sequence[head:]) if tag != 0xAF]
    at = next((i for i, (tag, _) in enumerate(all_fields) if tag > 0xAF), len(all_fields))
    all_fields.insert(at, (0xAF, der(0xAF, der(2, most.to_bytes(2, "big")))))
    changed = der(0x30, b"".join(f for _, f in all_fields))
    text = ssl.DER_cert_to_PEM_cert(changed).replace("CERTIFICATE", "SSL SESSION PARAMETERS")
    out = path.with_suffix(".early")
    out.write_text(text)
    return out


def test_early_data_is_neither_offered_nor_read(server):
    folder = hauberk.new_folder()
    path = new_session(server, folder / "session", "-tls1_3")
    said = subprocess.run(["openssl", "sess_id", "-in", path, "-noout", "-text"], capture_output=True, text=True, check=True).stdout
    assert re.search(r"Max Early Data: 0\b", said), said
    # A client that sends it all the same: the handshake goes on, and what was said early has never been said.
    early = folder / "early"
    early.write_bytes(f'x LOGIN bob@example.org "{hauberk.PASSWORD}"\r\nx CREATE early\r\n'.encode())
    before = server.log().count(" imap.login ")
    with Openssl(server, "-tls1_3", "-sess_in", with_early_data(path), "-early_data", early) as one:
        assert "Early data was rejected" in one.head, one.head
        one.send(b"a SELECT INBOX\r\n")
        assert one.answer().startswith(b"a BAD")
    assert server.log().count(" imap.login ") == before


# ---- renegotiation (RFC 5746, CVE-2009-3555, CVE-2011-1473) ----

def test_a_client_cannot_renegotiate(server):
    with Openssl(server, "-tls1_2") as one:
        assert "Secure Renegotiation IS supported" in one.head
        before = server.log().count(" tls.done ")
        one.send(b"R\n")
        rest = b""
        while True:
            got = one.process.stdout.readline()
            rest += got
            if not got or b"no renegotiation" in rest:
                break
        assert b"no renegotiation" in rest, rest
        assert server.log().count(" tls.done ") == before


def test_key_updates_without_end_do_not_hurt_others(server):
    """RFC 8446 §4.6.3: a client may ask for new keys; asking without an end gets it nowhere."""
    with Openssl(server, "-tls1_3") as one:
        for _ in range(60):
            one.send(b"K\n")
            while one.line() != b"KEYUPDATE\n":
                pass
        one.send(b"a NOOP\r\n")
        assert one.answer().startswith(b"a OK")
    with server.logged_in() as other:
        assert "OK" in other.tagged("NOOP")


# ---- truncation (RFC 8446 §6.1): an end that is not TLS's ----

def secured(server, name):
    plain = socket.create_connection(("127.0.0.1", server.ports[name]), timeout=20)
    return hauberk.trusting().wrap_socket(plain, server_hostname=hauberk.HOST)


def cut(tls, how):
    """Ends without close_notify, as somebody on the way would."""
    plain = socket.socket(fileno=tls.detach())
    plain.settimeout(20)
    if how == "reset":
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif how == "half":
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(1000):
            pass
    plain.close()


@pytest.mark.parametrize("how", ["end", "reset", "half"])
def test_a_message_that_was_cut_is_no_message(server, how):
    name = f"cut-{how}-{server.program.parent.name}"
    tls = secured(server, "smtps")
    stream = tls.makefile("rb")
    stream.readline()
    for said, answer in ((b"EHLO c.example", b"250 "), (b"MAIL FROM:<a@b.example>", b"250 "),
                         (b"RCPT TO:<bob@example.org>", b"250 "), (b"DATA", b"354 ")):
        tls.sendall(said + b"\r\n")
        while not stream.readline().startswith(answer):
            pass
    tls.sendall(f"Message-ID: <{name}>\r\n\r\nThe transfer is approved\r\n.\r".encode())
    stream.close()
    cut(tls, how)
    server.send(f"Message-ID: <after-{name}>\r\n\r\nwhole\r\n".encode())
    server.arrives(f"<after-{name}>")
    assert server.count_of(f"<{name}>") == 0


@pytest.mark.parametrize("how", ["end", "reset", "half"])
def test_a_command_that_was_cut_is_no_command(server, how):
    name = f"cut{how}{server.program.parent.name[-6:]}"
    with secured(server, "imaps") as tls:
        stream = tls.makefile("rb")
        stream.readline()
        tls.sendall(f'a LOGIN bob@example.org "{hauberk.PASSWORD}"\r\n'.encode())
        assert stream.readline().startswith(b"a OK")
        tls.sendall(f"b CREATE {name}".encode())
        stream.close()
        cut(tls, how)
    with server.imap() as client:
        assert name.encode() not in b"".join(client.list()[1])


def test_octets_that_are_no_record_end_the_connection(server):
    """After close_notify, and in the middle: nothing in the clear is read as a command."""
    for first in (True, False):
        tls = secured(server, "imaps")
        tls.recv(1000)
        if first:
            try:
                tls.settimeout(0.2)
                tls.unwrap()
            except OSError:
                pass
        plain = socket.socket(fileno=tls.detach())
        plain.settimeout(20)
        try:
            plain.sendall(b"a LOGOUT\r\na NOOP\r\n")
            got = b""
            while True:
                more = plain.recv(1000)
                if not more:
                    break
                got += more
        except ConnectionResetError:
            pass
        assert b"BYE" not in got and b"a OK" not in got
        plain.close()


# ---- tickets across virtual hosts ----

def test_the_ticket_of_one_host_opens_no_other(new_server):
    """By OpenSSL's client, both ways; the one without a certificate of its own is a host too."""
    folder = hauberk.new_folder()
    server = new_server(hauberk.RELEASE, start=False)
    edit(server, ("listeners = (", "certificates = ( {{ {} }}, {{ {} }} );\nlisteners = (".format(
        both(make(folder, "a.example")), both(make(folder, "b.example")))))
    server.start()
    names = ("a.example", "b.example", "c.example")
    for version in ("-tls1_2", "-tls1_3"):
        for made in names:
            path = new_session(server, folder / f"{made}{version}", version, "-servername", made)
            for shown in names:
                with Openssl(server, version, "-sess_in", path, "-servername", shown) as one:
                    assert ("Reused, TLSv1" in one.head) == (made == shown), (version, made, shown)


def test_a_forged_ticket_is_no_ticket(server):
    """Each octet of a ticket changed: a whole handshake, and never more than that."""
    path = new_session(server, hauberk.new_folder() / "session", "-tls1_2")
    text = subprocess.run(["openssl", "sess_id", "-in", path, "-outform", "DER"], capture_output=True, check=True).stdout
    _, sequence = next(fields(text))
    head = len(sequence) - int.from_bytes(sequence[2:4], "big")
    ticket = next(f for tag, f in fields(sequence[head:]) if tag == 0xAA)
    start = text.index(ticket) + 8
    for at in range(start, start + len(ticket) - 8, max(1, len(ticket) // 24)):
        changed = bytearray(text)
        changed[at] ^= 0x41
        forged = path.with_suffix(f".{at}")
        forged.write_text(ssl.DER_cert_to_PEM_cert(bytes(changed)).replace("CERTIFICATE", "SSL SESSION PARAMETERS"))
        with Openssl(server, "-tls1_2", "-sess_in", forged) as one:
            assert "New, TLSv1" in one.head, at

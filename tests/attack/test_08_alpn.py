"""Attack 8: cross-protocol (ALPACA): a client that means another protocol is sent here by somebody in between,
so what it says there is read here. Who offers only other protocols (RFC 7301) is told so and closed, before a
single octet of it is read; who offers ours, or nothing, is served."""
import re
import socket
import ssl

import pytest

import hauberk

OURS = {"smtp": ["smtp", "esmtp"], "imap": ["imap"], "pop3": ["pop3"]}
LISTENERS = {"smtp": "smtp", "submission": "smtp", "smtps": "smtp", "imap": "imap", "imaps": "imap", "pop3": "pop3", "pop3s": "pop3"}
STARTTLS = {"smtp": ((b"EHLO c.example\r\n", b"250 "), (b"STARTTLS\r\n", b"220 ")), "imap": ((b"a STARTTLS\r\n", b"a OK"),),
            "pop3": ((b"STLS\r\n", b"+OK"),)}
FOREIGN = ["http/1.1", "h2", "ftp", "managesieve", "xmpp-client", "acme-tls/1", "imap4", "IMAP", "ima", "imapx", "x" * 255]


def connected(server, name):
    """A socket on which the handshake is next."""
    plain = socket.create_connection(("127.0.0.1", server.ports[name]), timeout=20)
    if name.endswith("s"):
        return plain
    stream = plain.makefile("rb")
    stream.readline()
    for said, answer in STARTTLS[LISTENERS[name]]:
        plain.sendall(said)
        while not stream.readline().startswith(answer):
            pass
    return plain


def offered(server, name, protocols, version=None, session=None, context=None):
    """What was chosen; the alert otherwise."""
    context = context or hauberk.trusting()
    if version:
        context.minimum_version = context.maximum_version = version
    if protocols:
        context.set_alpn_protocols(protocols)
    with connected(server, name) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=hauberk.HOST, session=session) as tls:
                return tls.selected_alpn_protocol(), tls
        except ssl.SSLError as error:
            return str(error), None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("name,protocol", LISTENERS.items())
def test_who_wants_another_protocol_is_closed_with_an_alert(server, name, protocol, version):
    others = [p for kind, all in OURS.items() if kind != protocol for p in all]
    for offer in [*FOREIGN, *others]:
        if offer in OURS[protocol]:
            continue
        said, tls = offered(server, name, [offer], version)
        assert not tls and "alert no application protocol" in said, (offer, said)
    said, tls = offered(server, name, FOREIGN + others, version)
    assert not tls and "alert no application protocol" in said


@pytest.mark.parametrize("name,protocol", LISTENERS.items())
def test_who_wants_ours_or_says_nothing_is_served(server, name, protocol):
    for ours in OURS[protocol]:
        assert offered(server, name, [ours])[0] == ours
        assert offered(server, name, ["http/1.1", ours, "h2"])[0] == ours
    chosen, tls = offered(server, name, None)
    assert chosen is None and tls


def test_a_browser_that_was_sent_here_is_not_answered(server):
    """Nothing of a request is read as commands, and nothing comes back that it could take for a page."""
    context = hauberk.trusting()
    context.set_alpn_protocols(["h2", "http/1.1"])
    before = server.log().count(" tls.failed ")
    with connected(server, "smtps") as plain, pytest.raises(ssl.SSLError):
        tls = context.wrap_socket(plain, server_hostname=hauberk.HOST)
        tls.sendall(b"POST / HTTP/1.1\r\nHost: mx.example.org\r\n\r\nMAIL FROM:<evil@example.com>\r\n")
    hauberk.wait_for("the log", lambda: server.log().count(" tls.failed ") > before)
    line = [l for l in server.log().splitlines() if " tls.failed " in l][-1]
    assert re.search(r'why="?no application protocol', line), line


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_no_way_around(server, version):
    """A ticket got with the right protocol does not bring in the wrong one, nor to another protocol's port."""
    context = hauberk.trusting()
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["imap"])
    with connected(server, "imaps") as plain, context.wrap_socket(plain, server_hostname=hauberk.HOST) as tls:
        tls.recv(1000)
        session = tls.session
    with connected(server, "imaps") as plain, context.wrap_socket(plain, server_hostname=hauberk.HOST, session=session) as tls:
        assert tls.session_reused
    said, tls = offered(server, "imaps", ["http/1.1"], session=session, context=context)
    assert not tls and "alert no application protocol" in said
    context.set_alpn_protocols(["pop3", "imap", "smtp"])
    for name in ("pop3s", "smtps"):
        with connected(server, name) as plain, context.wrap_socket(plain, server_hostname=hauberk.HOST, session=session) as tls:
            assert not tls.session_reused

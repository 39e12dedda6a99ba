"""Attack 5: what somebody slips in between STARTTLS and the handshake (RFC 3207 §4.2, RFC 9051 §6.2.1,
RFC 2595 §4): it is not answered after it, and nothing said in the clear counts under TLS."""
import base64

import pytest

from hauberk import PASSWORD

PLAIN = base64.b64encode(f"\0bob@example.org\0{PASSWORD}".encode())

# protocol: (listener, STARTTLS, its answer, what is slipped in, a probe and its answer)
SMTP = ("smtp", b"STARTTLS\r\n", "220 2.0.0", b"RSET\r\n", "250 2.0.0 ok")
IMAP = ("imap", b"a STARTTLS\r\n", "a OK", b"z NOOP\r\n", "z OK")
POP3 = ("pop3", b"STLS\r\n", "+OK", b"CAPA\r\n", "+OK")
EARLY = [
    (SMTP, b"NOOP\r\n"), (SMTP, b"MAIL FROM:<evil@example.com>\r\n"), (SMTP, b"EHLO evil.example\r\n"),
    (SMTP, b"AUTH PLAIN " + PLAIN + b"\r\n"), (SMTP, b"STARTTLS\r\n"), (SMTP, b"N"), (SMTP, b"\r\n"),
    (SMTP, b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nx\r\n.\r\n"),
    (IMAP, b"b NOOP\r\n"), (IMAP, b'b LOGIN bob@example.org "' + PASSWORD.encode() + b'"\r\n'),
    (IMAP, b"b AUTHENTICATE PLAIN " + PLAIN + b"\r\n"), (IMAP, b"b LOGIN {3}\r\n"), (IMAP, b"b"),
    (POP3, b"CAPA\r\n"), (POP3, b"USER bob@example.org\r\nPASS " + PASSWORD.encode() + b"\r\n"),
    (POP3, b"AUTH PLAIN " + PLAIN + b"\r\n"), (POP3, b"USER bob@example.org\r\n"), (POP3, b"C"),
]


def connect(server, protocol):
    if protocol is SMTP:
        return server.hello()
    raw = server.raw(protocol[0])
    raw.line()
    return raw


@pytest.mark.parametrize("apart", [False, True], ids=["one segment", "a segment of its own"])
@pytest.mark.parametrize("protocol,early", EARLY)
def test_what_is_slipped_in_is_not_answered_after_the_handshake(server, protocol, early, apart):
    _, starttls, answer, probe, probed = protocol
    before = server.log().count(" imap.login ") + server.log().count(" login ")
    with connect(server, protocol) as raw:
        if apart:
            raw.send(starttls)
            assert raw.line().startswith(answer)
            try:
                raw.send_apart(early)
            except OSError:
                pass
        else:
            raw.send(starttls + early)
            assert raw.line().startswith(answer)
        try:
            raw.starttls()
        except OSError:
            # Not answered under TLS at all: the octets were no handshake.
            assert not raw.rest
        else:
            assert not apart, "octets that are no handshake were passed over"
            raw.send(probe)
            assert raw.line().startswith(probed)
            if protocol is SMTP:
                assert raw.say("MAIL FROM:<ann@example.com>") == "503 5.5.1 say EHLO first"
            if protocol is IMAP:
                assert raw.tagged("SELECT INBOX") == "a BAD log in first"
            if protocol is POP3:
                while raw.line() != ".":
                    pass
                raw.send(b"STAT\r\n")
                assert raw.line().startswith("-ERR")
                raw.send(b"PASS " + PASSWORD.encode() + b"\r\n")
                assert raw.line().startswith("-ERR")
    assert server.log().count(" imap.login ") + server.log().count(" login ") == before


def test_an_authentication_begun_in_the_clear_does_not_go_on_under_tls(server):
    with server.raw("imap") as raw:
        raw.line()
        assert raw.tagged("AUTHENTICATE PLAIN").startswith("a NO [PRIVACYREQUIRED]")
        assert raw.tagged("STARTTLS").startswith("a OK")
        raw.starttls()
        raw.send(PLAIN + b"\r\n")
        assert " BAD " in raw.line()


def test_no_session_begins_logged_in(server):
    """PREAUTH is never given (RFC 9051 §7.1.4): a client could not ask for TLS any more."""
    for name in ("imap", "imap_plain"):
        with server.raw(name) as raw:
            assert raw.line().startswith("* OK [CAPABILITY ")
    with server.raw("imaps") as raw:
        raw.starttls()
        assert raw.line().startswith("* OK [CAPABILITY ")


@pytest.mark.parametrize("name,words,said", [("imap_plain", "a STARTTLS", "a BAD you are logged in already"),
                                             ("imaps", "a STARTTLS", "a BAD")])
def test_who_is_logged_in_cannot_change_to_tls(server, name, words, said):
    with server.raw(name) as raw:
        if name == "imaps":
            raw.starttls()
        raw.line()
        assert raw.tagged(f'LOGIN bob@example.org "{PASSWORD}"').startswith("a OK")
        raw.send(words.encode() + b"\r\n")
        assert raw.line().startswith(said)


def test_tls_is_offered_once(server):
    with server.raw("smtp") as raw:
        raw.reply()
        assert "STARTTLS" in raw.say("EHLO c.example")
        assert raw.say("STARTTLS").startswith("220")
        raw.starttls()
        assert "STARTTLS" not in raw.say("EHLO c.example")
        assert raw.say("STARTTLS").startswith("503 5.5.1")

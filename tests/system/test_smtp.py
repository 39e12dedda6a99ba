"""The protocols on raw sockets: order, syntax, limits, line ends, TLS, logins, relaying."""
import base64
import smtplib
import time

import pytest

import hauberk
from hauberk import PASSWORD, message

BOB = "<bob@example.org>"


def begin(raw, to=BOB, sender="<ann@example.com>"):
    """From MAIL to the answer to DATA."""
    assert raw.say(f"MAIL FROM:{sender}").startswith("250")
    assert raw.say(f"RCPT TO:{to}").startswith("250")
    assert raw.say("DATA").startswith("354")


# ---- order and syntax ----

def test_pipelined_commands_in_one_segment_are_answered_in_order(server):
    name, octets = message()
    with server.raw("smtp") as raw:
        raw.reply()
        raw.send(b"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<bob@example.org>\r\n"
                 b"RCPT TO:<nobody@example.org>\r\nDATA\r\n" + octets + b".\r\nNOOP\r\nQUIT\r\n")
        codes = [raw.reply()[:3] for _ in range(8)]
        assert codes == ["250", "250", "250", "550", "354", "250", "250", "221"]
        assert raw.all() == ""
    server.arrives(name)


def test_every_command_has_its_moment(server):
    with server.raw("smtp") as raw:
        raw.reply()
        for command, code in (("MAIL FROM:<a@b.example>", "503"), ("RCPT TO:" + BOB, "503"),
                              ("AUTH PLAIN", "503"), ("DATA", "503"),
                              ("NOOP", "250"), ("EHLO c.example", "250"),
                              ("RCPT TO:" + BOB, "503"), ("MAIL FROM:<a@b.example>", "250"),
                              ("DATA", "554"), ("MAIL FROM:<a@b.example>", "503"),
                              ("STARTTLS", "503"), ("RSET", "250"), ("DATA", "503"),
                              ("MAIL FROM:<>", "250"), ("EHLO c.example", "250"),
                              ("RCPT TO:" + BOB, "503"), ("QUIT", "221")):
            assert raw.say(command)[:3] == code, command


@pytest.mark.parametrize("command,code", [
    ("BOGUS", "500"), ("", "500"), ("MAILFROM:<a@b.example>", "500"), ("EXPN staff", "502"),
    ("BDAT 0 LAST", "503"), ("BDAT x", "501"), ("VRFY bob", "252"), ("VRFY", "501"), ("HELP", "214"),
    ("RSET now", "501"), ("QUIT now", "501"), ("DATA now", "503"), ("EHLO", "501"),
    ("EHLO a b", "501"), ("HELO c_d.example", "250"), ("NOOP anything at all", "250")])
def test_small_commands_get_their_code(server, command, code):
    with server.hello() as raw:
        assert raw.say(command)[:3] == code


@pytest.mark.parametrize("path,code", [
    ("", "501"), ("a@b.example", "501"), ("<a@b.example", "501"), ("a@b.example>", "501"),
    ("<a@>", "501"), ("<@b.example>", "501"), ("<a@b@c.example>", "501"), ("<a b@c.example>", "501"),
    ("<a@b..example>", "501"), ("<a..b@c.example>", "501"), ("<.a@c.example>", "501"),
    ("<a.@c.example>", "501"), ("<a@-b.example>", "501"), ("<a@[1.2.3]>", "501"),
    ("<a@[1.2.3.4>", "501"), ('<"a@c.example>', "501"), ('<"a"b@c.example>', "501"),
    ("<a@c.example>SIZE=1", "501"), ("<a@c.example> SIZE=", "501"), ("<a@c.example> SIZE=x", "501"),
    ("<a@c.example> SIZE=-1", "501"), ("<a@c.example> BODY=9BIT", "501"),
    ("<a@c.example> FOO=bar", "555"), ("<a@c.example> SMTPUTF8=1", "501"),
    ("<" + "a" * 65 + "@c.example>", "501"), ("<a@" + "b" * 64 + ".example>", "501"),
    ("<a\x01@c.example>", "501"), ("<a\xe9@c.example>", "501"),
    ("<>", "250"), ('<"a b"@c.example>', "250"), ("<a@[127.0.0.1]>", "250"),
    ("<a@c.example> SIZE=100 BODY=8BITMIME", "250"), ("<a+b=c@d.example>", "250")])
def test_mail_takes_good_addresses_and_refuses_bad_ones(server, path, code):
    with server.hello() as raw:
        assert raw.say(f"MAIL FROM:{path}")[:3] == code
        assert raw.say("RSET")[:3] == "250"


@pytest.mark.parametrize("path,code", [
    ("", "501"), ("<>", "501"), ("bob@example.org", "501"), ("<bob>", "501"), ("<bob@>", "501"),
    ("<bob@example.org", "501"), ("<bob@@example.org>", "501"), ("<bob@example.org> FOO=1", "555"),
    ("<bob@example.org>, <ann@example.org>", "501"), ("<nobody@example.org>", "550 5.1.1"),
    ("<gone@example.org>", "550 5.2.1"), ("<BOB@Example.ORG>", "250"),
    ('<"bob"@example.org>', "250"), ("<postmaster>", "250"), ("<postmaster@example.org>", "250"),
    ("<ABUSE@example.org>", "250"), ("<postmaster@elsewhere.example>", "550")])
def test_rcpt_takes_good_addresses_and_refuses_bad_ones(server, path, code):
    with server.hello() as raw:
        raw.say("MAIL FROM:<ann@example.com>")
        assert raw.say(f"RCPT TO:{path}").startswith(code)


@pytest.mark.parametrize("to", [
    "<a@other.example>", "<a%other.example@unknown.example>", '<"a@other.example"@evil.example>',
    "<a@[127.0.0.1]>", "<a@[IPv6:::1]>", "<@example.org:a@other.example>", "<a@example.org.>",
    "<a@sub.example.org>", "<a@mx.example.org>"])
def test_nothing_is_relayed_for_strangers(server, to):
    with server.hello() as raw:
        raw.say("MAIL FROM:<ann@example.org>")
        reply = raw.say(f"RCPT TO:{to}")
        assert reply.startswith("550 5.7.1") or (to.endswith(".org.>") and reply[0] == "5"), reply
        assert raw.say("DATA")[:3] == "554"


@pytest.mark.parametrize("to", ["<a%other.example@example.org>", '<"a@other.example"@example.org>',
                                "<other.example!a@example.org>",
                                "<@other.example:nobody@example.org>"])
def test_hidden_routes_in_a_local_part_lead_nowhere(server, to):
    with server.hello() as raw:
        raw.say("MAIL FROM:<ann@example.com>")
        assert raw.say(f"RCPT TO:{to}").startswith("550 5.1.1")


# ---- limits ----

def test_a_line_too_long_is_refused_and_the_session_goes_on(server):
    with server.hello() as raw:
        for n in (2001, 11000, 13000, 200000):
            assert raw.say("NOOP " + "x" * n).startswith("500 5.5.6"), n
        assert raw.say("NOOP").startswith("250")


def test_the_rest_of_a_line_too_long_takes_no_later_command_with_it(server):
    with server.hello() as raw:
        raw.send(b"NOOP " + b"x" * 20000)
        assert raw.reply().startswith("500 5.5.6")
        raw.send(b"the rest\r\n")
        time.sleep(0.05)  # a segment of its own
        assert raw.say("NOOP").startswith("250")


def test_too_many_mistakes_end_the_session(server):
    with server.hello() as raw:
        raw.send(b"BOGUS\r\n" * 30)
        assert raw.all().rstrip().split("\r\n")[-1].startswith("421 4.7.0")


def test_a_message_too_large_is_refused_at_mail_and_in_data(new_server):
    server = new_server(settings='smtp: { maxMessageSize = "64 KB"; };').populate("bob")
    with server.hello() as raw:
        assert raw.say("MAIL FROM:<a@b.example> SIZE=65537").startswith("552 5.3.4")
        assert raw.say("MAIL FROM:<a@b.example> SIZE=99999999999999999999").startswith("5")
        begin(raw)
        raw.send(message(b"x" * 98 + b"\r\n")[1] + (b"x" * 98 + b"\r\n") * 700 + b".\r\n")
        assert raw.reply().startswith("552 5.3.4")
        begin(raw)
        name, octets = message(b"small\r\n")
        raw.send(octets + b".\r\n")
        assert raw.reply().startswith("250")
    server.arrives(name)
    assert server.count() == 1


# ---- line ends ----

@pytest.mark.parametrize("command", [b"NOOP\n", b"NOOP\rNOOP\r\n", b"NO\0OP\r\n", b"NOOP\n\r\n"])
def test_a_bare_line_end_in_a_command_ends_the_session(server, command):
    with server.hello() as raw:
        raw.send(command + b"NOOP\r\n")
        said = raw.all()
        assert said.startswith("500 5.5.2") and "250" not in said


# ---- TLS and logins ----

def test_what_was_said_before_tls_is_forgotten(server):
    with server.hello() as raw:
        assert raw.say("STARTTLS").startswith("220")
        raw.starttls()
        assert raw.say("MAIL FROM:<a@b.example>").startswith("503")
        hello = raw.say("EHLO c.example")
        assert " PLAIN LOGIN" in hello and "STARTTLS" not in hello
        assert raw.say("STARTTLS").startswith("503")


def test_a_client_that_speaks_no_tls_in_the_handshake_is_dropped(server):
    for name in ("smtps", "imaps", "pop3s"):
        with server.raw(name) as raw:
            raw.send(b"EHLO c.example\r\n" * 20)
            assert "250" not in raw.all()


def test_auth_without_tls_is_refused(server):
    with server.hello() as raw:
        assert "AUTH" not in raw.say("EHLO c.example")
        assert raw.say(f"AUTH PLAIN {hauberk.plain_token()}").startswith("538 5.7.11")


@pytest.fixture
def secured(server):
    with server.raw("smtps") as raw:
        raw.starttls()
        raw.reply()
        raw.say("EHLO c.example")
        yield raw


def test_auth_is_cancelled_malformed_and_unknown_with_their_codes(secured):
    assert secured.say("AUTH PLAIN").startswith("334")
    assert secured.say("*").startswith("501")
    assert secured.say("AUTH PLAIN ====").startswith("501")
    assert secured.say("AUTH PLAIN !!!!").startswith("501")
    assert secured.say("AUTH PLAIN " + base64.b64encode(b"no nul").decode()).startswith("501")
    assert secured.say("AUTH").startswith("501")
    assert secured.say("AUTH CRAM-MD5").startswith("504")
    assert secured.say("AUTH LOGIN").startswith("334 VXNlcm5hbWU6")
    assert secured.say("*").startswith("501")
    assert secured.say(f"AUTH PLAIN {hauberk.plain_token()}").startswith("235")
    assert secured.say(f"AUTH PLAIN {hauberk.plain_token()}").startswith("503")


def test_three_wrong_passwords_end_the_session(secured):
    for name, password in (("ann@example.org", "x"), ("nobody@example.org", PASSWORD),
                           ("gone@example.org", PASSWORD)):
        assert secured.say(f"AUTH PLAIN {hauberk.plain_token(name, password)}").startswith("535 5.7.8")
    assert secured.all() == ""


def test_no_password_reaches_the_log(server, secured):
    secured.say(f"AUTH PLAIN {hauberk.plain_token('ann@example.org', 'tell-no-one')}")
    secured.say("AUTH LOGIN")
    secured.say(base64.b64encode(b"ann@example.org").decode())
    secured.say(base64.b64encode(b"tell-no-one").decode())
    hauberk.wait_for("the refusals in the log", lambda: server.log().count("login.refused") >= 2)
    for secret in ("tell-no-one", base64.b64encode(b"tell-no-one").decode(),
                   hauberk.plain_token("ann@example.org", "tell-no-one"), PASSWORD, hauberk.plain_token()):
        assert secret not in server.log()


def test_submission_wants_a_login(server):
    with server.hello("submission") as raw:
        assert raw.say("MAIL FROM:<ann@example.org>").startswith("530 5.7.0")


# ---- IMAP and POP3 ----

@pytest.mark.parametrize("command", [
    "", " ", "a", "a ", "a b", "a LOGIN x", "a SELECT INBOX", "a NOOP now", "* NOOP", "a UID NOOP",
    "a FETCH", "(a) NOOP", "a AUTHENTICATE", "a LOGIN {99999}", "a LOGIN x y z"])
def test_malformed_imap_is_answered_bad_and_logged(server, command):
    with server.raw("imap") as raw:
        raw.line()
        before = len(server.log())
        raw.send(command.encode() + b"\r\n")
        assert raw.line().split(" ")[1] == "BAD"
        hauberk.wait_for("the refusal in the log",
                         lambda: " imap.bad" in server.log()[before:], 5)


def test_a_huge_literal_before_login_is_refused(server):
    for text in (b"a LOGIN {4294967295}\r\n", b"a LOGIN {1025}\r\n", b"a LOGIN {1000000+}\r\n"):
        with server.raw("imap") as raw:
            raw.line()
            raw.send(text)
            line = raw.line()
            assert line.startswith("a BAD") or line.startswith("* BYE"), line


def test_passwords_without_tls_are_refused_by_imap_and_pop3(server):
    with server.raw("imap") as raw:
        assert "LOGINDISABLED" in raw.line()
        answer = raw.tagged(f'LOGIN bob@example.org "{PASSWORD}"')
        assert answer.startswith("a NO [PRIVACYREQUIRED]")
        assert raw.tagged(f"AUTHENTICATE PLAIN {hauberk.plain_token('bob@example.org')}").startswith("a NO")
    with server.raw("pop3") as raw:
        raw.line()
        for command in ("USER bob@example.org", f"AUTH PLAIN {hauberk.plain_token('bob@example.org')}",
                        f"PASS {PASSWORD}"):
            raw.send(command.encode() + b"\r\n")
            assert raw.line().startswith("-ERR")


def test_three_wrong_passwords_end_an_imap_and_a_pop3_session(server):
    with server.raw("imaps") as raw:
        raw.starttls()
        raw.line()
        for _ in range(3):
            raw.send(b"a LOGIN bob@example.org wrong\r\n")
        assert raw.all().count("a NO [AUTHENTICATIONFAILED]") == 3
    with server.raw("pop3s") as raw:
        raw.starttls()
        raw.line()
        raw.send(b"USER bob@example.org\r\nPASS wrong\r\n" * 3 + b"NOOP\r\n")
        assert raw.all().count("-ERR [AUTH]") == 3


@pytest.mark.parametrize("command", ["", "BOGUS", "STAT", "RETR 1", "PASS x", "USER", "CAPA x",
                                     "AUTH", "AUTH FOO", "USER " + "x" * 600, "QUIT x"])
def test_malformed_pop3_is_answered_err(server, command):
    with server.raw("pop3") as raw:
        raw.line()
        raw.send(command.encode() + b"\r\n")
        assert raw.line()[:4] == ("+OK " if command == "AUTH" else "-ERR")


def test_a_detail_behind_a_plus_reaches_the_account(server):
    name, octets = message()
    server.send(octets, to=["bob+lists@example.org"])
    assert b"\r\nSubject: a test\r\n" in server.arrives(name)


def test_a_message_that_goes_round_is_refused(server):
    octets = b"Received: from a.example by b.example\r\n" * 31 + message()[1]
    with server.smtp() as client:
        with pytest.raises(smtplib.SMTPDataError) as caught:
            client.sendmail("a@b.example", ["bob@example.org"], octets)
    assert caught.value.smtp_code == 554 and b"5.4.6" in caught.value.smtp_error

"""Attack 34: line ends and control characters in whatever a client may say, encoded or not: each record of the
log and each line of a reply stays one, and no header field is made of it."""
import base64
import re

import pytest

import hauberk
from hauberk import message

EVIL = "evil.example\r\nX-Forged: yes"


def b64(text):
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def believing():
    """Believes proxies, so that all that they may say is tried too."""
    server = hauberk.Server(settings='smtp: { xclientFrom = "127.0.0.1"; };')
    try:
        yield server.start().populate("ann", "bob")
        server.stop()
    finally:
        server.kill()


def lines_of(text):
    return [line for line in text.replace("\r\n", "\n").split("\n") if line]


COMMANDS = (
    "EHLO evil\x0bexample", "EHLO [evil\x08]", "MAIL FROM:<a\x0b@b.example>", 'MAIL FROM:<"a\x07"@b.example>',
    "MAIL FROM:<a@b.example> ENVID=+0D+0AX-Forged:+20yes", "RCPT TO:<bob@example.org> ORCPT=rfc822;a+0D+0AX-Forged:yes",
    "VRFY a+0D+0A@b.example", "XCLIENT NAME=evil+0D+0AX-Forged:+20yes", "XCLIENT HELO=evil+0D+0AX-Forged:+20yes",
    "XCLIENT LOGIN=a+0D+0Alogin+20name=root", "AUTH PLAIN " + b64(f"\0{EVIL}\0x"), "NOOP \x1b[2J\x00",
    "\x1b]0;title\x07", "AUTH LOGIN\x0b")


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_makes_a_second_line_of_log_or_reply(believing, command):
    before = len(believing.log())
    with secured(believing) as raw:
        raw.send(command.encode("latin-1") + b"\r\nQUIT\r\n")
        said = raw.all()
    for line in lines_of(said):
        assert re.match(r"\d{3}[ -][\x20-\x7e]*$", line), repr(line)
    hauberk.wait_for("the log", lambda: " closed " in believing.log()[before:])
    for line in believing.log()[before:].split("\n"):
        # Each record begins with its time; nothing in it is a control character.
        assert not line or re.match(r"\d{4}-\d\d-\d\dT", line), repr(line)
        assert not re.search(r"[\x00-\x1f\x7f]", line), repr(line)
        assert not line.startswith("X-Forged") and "\nlogin" not in line


def secured(server):
    raw = server.raw("smtps")
    raw.starttls()
    raw.reply()
    raw.say("EHLO c.example")
    return raw


def test_no_header_field_is_made_of_it(believing):
    name, octets = message()
    with believing.raw("smtp") as raw:
        raw.reply()
        # Blanks stand where the line end was, and a name may have none.
        assert raw.say("XCLIENT NAME=evil+0D+0AX-Forged:+20yes").startswith("501")
        assert raw.say("XCLIENT NAME=evil.example HELO=evil+0D+0AX-Forged:+20yes").startswith("501")
        assert raw.say("EHLO under_score").startswith("250")
        assert raw.say("MAIL FROM:<a@b.example> ENVID=+0D+0AX-Forged:+20yes").startswith("250")
        assert raw.say('RCPT TO:<bob@example.org> ORCPT=rfc822;+0D+0AX-Forged:+20yes').startswith("250")
        assert raw.say("DATA").startswith("354")
        raw.send(octets + b".\r\n")
        assert raw.reply().startswith("250")
    header = believing.arrives(name).split(b"\r\n\r\n")[0]
    assert b"Forged" not in header

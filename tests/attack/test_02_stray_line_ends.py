"""Attack 2: a bare CR or LF inside a message, which the next server might take for the end of a line.

Refused at the door; what lands in the spool and in mailboxes holds none. What sieve filters and the
sending side make of a message comes with their work.
"""
import os
import re
import signal

import pytest

import hauberk
from hauberk import behind_trace, message

BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


def spool(server):
    """All octets of the spool's files; their format is the server's own."""
    return b"".join(p.read_bytes() for p in (server.folder / "state/spool").rglob("*") if p.is_file())


BAD = [b"a\rb\r\n", b"a\nb\r\n", b"a\r\rb\r\n", b"a\n\nb\r\n", b"a\r\r\nb\r\n", b"a\n\r\nb\r\n", b"\ra\r\n", b"\na\r\n",
       b"a\n", b"a\r", b".\n\r\n", b".\r\r\n"]
GOOD = [b"", b"\r\n\r\n", b"a\0b\r\n", b"..\r\n.a\r\n", bytes(o for o in range(256) if o not in (10, 13)) + b"\r\n",
        b"=0D=0A=0A.=0A\r\n", b"\x85\xe2\x80\xa8\x0b\x0c\r\n"]


@pytest.mark.parametrize("where", ["body", "header"])
def test_no_bare_line_end_reaches_the_spool_or_a_mailbox(new_server, where):
    server = new_server(hauberk.RELEASE).populate("bob")
    deliver = next(r["pid"] for r in server.status() if r["role"] == "deliver")
    os.kill(deliver, signal.SIGSTOP)  # so that the spool keeps what it gets
    try:
        accepted, refused = {}, []
        for text in [*BAD, *GOOD]:
            name, octets = message(text)
            if where == "header":
                octets = octets.replace(b"a test", b"a test " + text.rstrip(b"\r\n") + b" end")
                if text in GOOD and b"\r\n" in text.rstrip(b"\r\n"):
                    continue  # would end the header: the same as a body
            code = deliver_to(server, octets)
            bare = BARE.search(octets.replace(b"\r\n.", b"\r\n"))
            assert code == ("554" if bare else "250"), (text, code)
            if bare:
                refused.append(name)
            else:
                accepted[name] = octets
        kept = spool(server)
        assert accepted and refused
        assert not [name for name in refused if name.encode() in kept]
        for octets in accepted.values():
            assert kept.count(octets) == 1
            end = kept.index(octets) + len(octets)
            assert not BARE.search(kept[kept.rindex(b"Received: from ", 0, end):end])
    finally:
        os.kill(deliver, signal.SIGCONT)
    for name, octets in accepted.items():
        found = server.arrives(name)
        assert not BARE.search(found)
        assert behind_trace(found) == octets
    assert set(server.mailbox()) == set(accepted)


def deliver_to(server, octets):
    """The code after the end of data."""
    with server.hello() as raw:
        for command in ("MAIL FROM:<ann@example.com>", "RCPT TO:<bob@example.org>", "DATA"):
            assert raw.say(command)[0] in "23"
        raw.send(re.sub(rb"(?m)^\.", b"..", octets) + b"\r\n.\r\n" if not octets.endswith(b"\r\n")
                 else re.sub(rb"(?<=\r\n)\.", b"..", octets) + b".\r\n")
        return raw.reply()[:3]


@pytest.mark.parametrize("name", ["a\rb.example", "a\nb.example", "a\r\nX-Injected: b"])
def test_no_line_end_of_a_client_reaches_the_trace_fields(server, name):
    with server.raw("smtp") as raw:
        raw.reply()
        raw.send(f"EHLO {name}\r\n".encode())
        first = raw.line()
        if "\r\n" in name:
            # Two commands: the second is none.
            while first.startswith("250-"):
                first = raw.line()
            assert raw.line().startswith("500 5.5.2")
        else:
            assert first.startswith("500 5.5.2") and raw.all() == ""


def test_what_a_user_appended_holds_none_and_cannot_end_a_message_of_pop3(server):
    """APPEND mends line ends; read by POP3 no line inside the message is a single dot."""
    who = f"appender{len(server.must('account', 'list').splitlines())}@example.org"
    server.must("account", "add", who, secret=hauberk.PASSWORD)
    octets = message(b"one\n.\ntwo\n.\r\nthree\r\n.\nfour\r.\rfive\n..\nend")[1]
    with server.imap(who) as client:
        # imaplib would mend the line ends.
        client.send(b"x APPEND INBOX {%d+}\r\n" % len(octets) + octets + b"\r\n")
        while not client.readline().startswith(b"x OK"):
            pass
        client.select("INBOX", readonly=True)
        stored = client.fetch("1", "(BODY.PEEK[])")[1][0][1]
    assert not BARE.search(stored), stored
    with server.raw("pop3s") as raw:
        raw.starttls()
        raw.send(f"USER {who}\r\nPASS {hauberk.PASSWORD}\r\nRETR 1\r\nQUIT\r\n".encode())
        said = raw.all().encode("latin-1").split(b"\r\n")
    begin = next(i for i, line in enumerate(said) if line.startswith(b"From: "))
    end = said.index(b".")
    lines = [line[1:] if line.startswith(b".") else line for line in said[begin:end]]
    assert b"\r\n".join(lines).rstrip(b"\r\n") == stored.rstrip(b"\r\n")
    assert said[end + 1].startswith(b"+OK") and said[end + 2:] == [b""]

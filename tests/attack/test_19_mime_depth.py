"""Attack 19: a message whose parts, headers or parameters have no end, delivered and read by IMAP.

The roles live, other clients are answered meanwhile, and no process grows by more than copies of the message.
That the work grows with the length only is counted in src/mail/work_test.c.
"""
import pathlib
import re
import threading
import time

import pytest

import hauberk
from hauberk import wait_for

MULTIPART = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
LATE = 10  # s: an answer to another client that comes later is none
GROWTH = 150 * 1024  # KiB that a process may grow beyond four times the message

# A header of 60 octets comes before; lines are short, as SMTP wants.
ATTACKS = {
    "multiparts 10,000 deep": lambda: (MULTIPART + b"--x\r\n") * 10000,
    "multiparts 10,000 deep, each with its boundary": lambda: b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(10000)),
    "boundaries that begin alike": lambda: b"".join(
        b"Content-Type: multipart/mixed; boundary=" + b"a" * (i % 150 + 1) + b"\r\n\r\n--" + b"a" * 160 + b"\r\n"
        for i in range(5000)),
    "messages 10,000 deep": lambda: b"Content-Type: message/rfc822\r\n\r\n" * 10000,
    "a million empty parts": lambda: MULTIPART + b"--x\r\n" * 1000000 + b"--x--\r\n",
    "10,000 RFC 2231 parameters": lambda: b"Content-Type: a/b" + b"".join(
        b";\r\n name*%d*=%%41" % i for i in range(10000)) + b"\r\n\r\n",
    "comments 1,000,000 deep": lambda: b"To: " + (b"(" * 900 + b"\r\n ") * 1112 + b"\r\n\r\n",
    "comments in a type": lambda: b"Content-Type: text" + (b"(" * 900 + b"\r\n ") * 200 + b"/x\r\n\r\n",
    "a header of 100 MB": lambda: b"X-Line: " + (b"y" * 900 + b"\r\n ") * 110000 + b"\r\n\r\nbody\r\n",
    "a header of 100 MB in fields": lambda: b"X: y\r\n" * 17000000 + b"\r\nbody\r\n",
}


class Watcher:
    """Other clients, all the time; the longest that one of them waited."""

    def __init__(self, server):
        self.server, self.worst, self.error, self.going = server, 0.0, None, True
        self.turns = 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            with self.server.logged_in("carol@example.org") as imap:
                while self.going:
                    start = time.monotonic()
                    assert " OK" in imap.tagged("NOOP")
                    with self.server.hello() as smtp:
                        assert smtp.say("NOOP").startswith("250")
                    self.worst = max(self.worst, time.monotonic() - start)
                    self.turns += 1
                    time.sleep(0.02)
        except (OSError, EOFError, AssertionError) as e:
            self.error = e

    def stop(self):
        self.going = False
        self.thread.join(60)
        assert self.error is None and self.turns > 0
        assert self.worst < LATE


def peaks(server):
    """KiB that each process had at most."""
    found = {}
    for row in server.status():
        text = pathlib.Path(f"/proc/{row['pid']}/status").read_text()
        found[row["role"], row["pid"]] = int(re.search(r"VmHWM:\s+(\d+)", text)[1])
    return found


def read_all(server, number):
    """What a client may ask of one message; every answer must come."""
    with server.imap() as client:
        client.select("INBOX")
        for part in ("ENVELOPE RFC822.SIZE", "BODYSTRUCTURE", "BODY", "BODY.PEEK[1.1.1.1] BODY.PEEK[1.MIME]",
                     "BODY.PEEK[TEXT]<0.100>", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]"):
            assert client.fetch(number, f"({part})")[0] == "OK"
        assert client.search(None, "TEXT", '"no such text"') == ("OK", [b""])
        assert client.search(None, "HEADER", "Subject", "attack")[1][0].split()


@pytest.fixture(scope="module")
def attacked():
    server = hauberk.Server(hauberk.RELEASE, settings='smtp: { maxMessageSize = "128 MB"; maxHeaderSize = "120 MB"; };')
    try:
        yield server.start().populate("bob", "carol")
        server.stop()
    finally:
        server.kill()


@pytest.mark.parametrize("what", ATTACKS)
def test_a_message_without_end_harms_nobody(attacked, what):
    octets = b"Subject: attack\r\nMessage-ID: <%d@b.test>\r\n" % list(ATTACKS).index(what) + ATTACKS[what]()
    before, count = peaks(attacked), attacked.count()
    watcher = Watcher(attacked)
    try:
        attacked.send(octets)
        wait_for("the message", lambda: attacked.count() > count, 60)
        read_all(attacked, str(count + 1))
    finally:
        watcher.stop()
    after = peaks(attacked)
    assert before.keys() == after.keys(), "a process died"
    for process, most in after.items():
        assert most - before[process] < GROWTH + 4 * len(octets) // 1024, process

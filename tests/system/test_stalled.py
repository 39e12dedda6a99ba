"""While hundreds of clients stall, and the role auth hangs, a well-behaved client gets its answers: an
order of events, not a time."""
import os
import select
import signal
import socket

import pytest

import hauberk
from hauberk import PASSWORD, message

IDLE, SLOW, LAZY, LOGINS = 400, 200, 50, 60
NOOPS = 1000
SETTINGS = "smtp: { processes = 1; }; imap: { processes = 1; };"


@pytest.fixture(scope="module")
def calm():
    server = hauberk.Server(binary=hauberk.RELEASE, settings=SETTINGS)
    try:
        server.start().populate("ann", "bob", "reader")
        name, octets = message(b"x" * 98 + b"\r\n", subject="long")
        server.send(octets + (b"y" * 98 + b"\r\n") * 30000, to=["reader@example.org"])
        server.arrives(name, "reader@example.org")
        yield server
        server.stop()
    finally:
        server.kill()


def lazy_reader(server):
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.connect(("127.0.0.1", server.ports["imap_plain"]))
    one.sendall(f'a LOGIN reader@example.org "{PASSWORD}"\r\nb SELECT INBOX\r\n'.encode())
    one.sendall(b"c FETCH 1 BODY.PEEK[]\r\n" * 5)
    return one


def begin_login(server, number):
    """Hangs, because auth is stopped: by turns over IMAP, POP3 and SMTP."""
    kind = number % 3
    raw = server.raw(("imap_plain", "pop3s", "smtps")[kind])
    if kind:
        raw.starttls()
    raw.reply() if kind == 2 else raw.line()
    if kind == 0:
        raw.send(f'a LOGIN bob@example.org "{PASSWORD}"\r\n'.encode())
    elif kind == 1:
        raw.send(f"USER bob@example.org\r\nPASS {PASSWORD}\r\n".encode())
        assert raw.line().startswith("+OK")
    else:
        raw.say("EHLO c.example")
        token = hauberk.plain_token("bob@example.org", PASSWORD)
        raw.send(f"AUTH PLAIN {token}\r\n".encode())
    return raw


def readable(raws):
    return select.select([r.socket for r in raws], [], [], 0)[0]


def test_a_thousand_noops_end_while_all_others_are_stalled(calm):
    smtp, imap = calm.hello(), calm.logged_in("ann@example.org")
    idle = [calm.raw(("smtp", "imap_plain")[i % 2]) for i in range(IDLE)]
    for raw in idle:
        raw.line()
    slow = [calm.half_message(b"Subject: slow\r\n\r\nno e") for _ in range(SLOW)]
    lazy = [lazy_reader(calm) for _ in range(LAZY)]
    auth = next(r["pid"] for r in calm.status() if r["role"] == "auth")
    for one in lazy:  # logged in, and the answer has begun
        assert one.recv(100)
    os.kill(auth, signal.SIGSTOP)
    try:
        logins = [begin_login(calm, i) for i in range(LOGINS)]
        for _ in range(NOOPS):
            assert smtp.say("NOOP").startswith("250")
            assert "OK" in imap.tagged("NOOP")
        # A mailbox can be read, too, and mail be sent and delivered: nothing of it needs auth.
        assert "OK" in imap.tagged("SELECT INBOX")
        name, octets = message()
        calm.send(octets, to=["ann@example.org"])
        hauberk.wait_for("the mail", lambda: "OK" in imap.tagged("NOOP") and any(
            "EXISTS" in line for line in imap.untagged))
        assert not readable(idle) and not readable(slow) and not readable(logins)
    finally:
        os.kill(auth, signal.SIGCONT)
    for i, raw in enumerate(logins):
        assert raw.line().startswith(("a OK", "+OK", "235")[i % 3])
    for raw in slow:
        raw.send(b"nd\r\n.\r\n")
    for raw in slow:
        assert raw.reply().startswith("250")
    for raw in idle + slow + logins + [smtp, imap]:
        raw.close()
    for one in lazy:
        one.close()
    hauberk.wait_for("all slow senders' mail", lambda: calm.count_of("slow") == SLOW)

"""Slow and silent clients end by their timeouts, and keep nobody else waiting."""
import socket
import time

import pytest

import hauberk
from hauberk import PASSWORD, message

SETTINGS = '''smtp: { commandTimeout = "1 s"; dataTimeout = "1 s"; dataRate = 1000; workers = 2;
        processes = 1; };
imap: { loginTimeout = "1 s"; idleTimeout = "2 s"; workers = 2; processes = 1; };'''


@pytest.fixture(scope="module")
def hasty():
    server = hauberk.Server(settings=SETTINGS)
    try:
        yield server.start().populate("ann", "bob", "reader")
        server.stop()
    finally:
        server.kill()


def served(server):
    """Another client gets its answers, now."""
    start = time.monotonic()
    name, octets = message()
    server.send(octets)
    server.arrives(name)
    assert time.monotonic() - start < 5


def silent_smtp(server):
    return server.hello()


def silent_before_the_greeting_is_read(server):
    return server.raw("smtp")


def half_a_line(server):
    raw = server.hello()
    raw.send(b"MAIL FROM:<a@b.exa")
    return raw


def half_a_message(server):
    return server.half_message()


def silent_in_auth(server):
    raw = server.raw("smtps")
    raw.starttls()
    raw.reply()
    raw.say("EHLO c.example")
    raw.say("AUTH LOGIN")
    return raw


def half_a_handshake(name):
    def begin(server):
        raw = server.raw(name)
        raw.send(b"\x16\x03\x01\x02\x00\x01\x00")
        return raw
    return begin


def silent_before_the_handshake(server):
    return server.raw("imaps")


def half_a_literal(server):
    raw = server.raw("imap_plain")
    raw.line()
    raw.send(b"a LOGIN {15}\r\n")
    raw.line()
    raw.send(b"bob@")
    return raw


def silent_imap(server):
    return server.raw("imap")


def silent_after_login(server):
    return server.logged_in()


def half_an_append(server):
    raw = silent_after_login(server)
    raw.send(b"b APPEND INBOX {1000}\r\n")
    raw.line()
    raw.send(b"Subject: half\r\n")
    return raw


def silent_pop3(server):
    return server.raw("pop3")


def half_a_line_of_pop3(server):
    raw = server.raw("pop3")
    raw.line()
    raw.send(b"USER bo")
    return raw


KINDS = (silent_smtp, silent_before_the_greeting_is_read, half_a_line, half_a_message,
         silent_in_auth, half_a_handshake("smtps"), half_a_handshake("imaps"),
         half_a_handshake("pop3s"), silent_before_the_handshake, half_a_literal, silent_imap,
         silent_after_login, half_an_append, silent_pop3, half_a_line_of_pop3)


def test_silent_clients_of_every_kind_end_while_others_are_served(hasty):
    waiting = [kind(hasty) for kind in KINDS for _ in range(3)]
    served(hasty)
    for raw in waiting:
        raw.socket.settimeout(10)
        raw.ended()
        raw.close()
    assert hasty.count_of("half") == 0
    served(hasty)


def test_the_goodbye_says_why(hasty):
    for kind, word in ((silent_smtp, "421 4.4.2"), (silent_imap, "* BYE"), (silent_pop3, "-ERR")):
        raw = kind(hasty)
        assert raw.ended() and word in raw.said, raw.said


def test_a_sender_of_one_octet_at_a_time_ends(hasty):
    raw = half_a_message(hasty)
    start = time.monotonic()
    try:
        while time.monotonic() - start < 10:
            raw.send(b"x")
            time.sleep(0.05)
    except OSError:
        pass
    assert time.monotonic() - start < 9


def test_a_handshake_of_one_octet_at_a_time_ends(hasty):
    raw = hasty.raw("imaps")
    start = time.monotonic()
    try:
        raw.send(b"\x16\x03\x01\x40\x00\x01\x00")
        while time.monotonic() - start < 10:
            raw.send(b"x")
            time.sleep(0.05)
    except OSError:
        pass
    assert time.monotonic() - start < 9


def test_a_command_of_one_octet_at_a_time_ends(hasty):
    raw = hasty.hello()
    start = time.monotonic()
    try:
        while time.monotonic() - start < 10:
            raw.send(b"N")
            time.sleep(0.05)
    except OSError:
        pass
    assert time.monotonic() - start < 9


def test_readers_that_do_not_read_end_and_others_are_served(hasty):
    name, octets = message(b"x" * 98 + b"\r\n", subject="long")
    octets += (b"y" * 98 + b"\r\n") * 30000
    hasty.send(octets, to=["reader@example.org"])
    hasty.arrives(name, "reader@example.org")
    lazy = []
    for _ in range(5):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect(("127.0.0.1", hasty.ports["imap_plain"]))
        one.sendall(f'a LOGIN reader@example.org "{PASSWORD}"\r\nb SELECT INBOX\r\n'.encode())
        one.sendall(b"c FETCH 1 BODY.PEEK[]\r\nd FETCH 1 BODY.PEEK[]\r\n" * 5)
        lazy.append(one)
    sessions = lambda: sum(int(r.get("sessions", 0)) for r in hasty.status()
                           if r["role"] == "imap")
    hauberk.wait_for("the readers to be there", lambda: sessions() >= 5)
    served(hasty)
    hauberk.wait_for("the readers to be gone", lambda: sessions() == 0, 20)
    for one in lazy:
        one.close()


def test_a_slow_client_that_keeps_its_rate_is_served(hasty):
    name, octets = message(b"slow but steady\r\n" * 200)
    raw = hasty.hello()
    for command in ("MAIL FROM:<a@b.example>", "RCPT TO:<bob@example.org>", "DATA"):
        raw.say(command)
    for at in range(0, len(octets), 600):
        raw.send(octets[at:at + 600])
        time.sleep(0.3)
    raw.send(b".\r\n")
    assert raw.reply().startswith("250")
    hasty.arrives(name)


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(hasty):
    for kind in KINDS:
        kind(hasty).close()
    hauberk.wait_for("all sessions to end", lambda: all(
        r.get("sessions", "0") == "0" for r in hasty.status() if r["role"] in ("smtp", "imap")))
    assert hasty.count_of("half") == 0

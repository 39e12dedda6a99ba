"""Attack 43: floods of commands on one connection, by the hundred thousand: bounded memory, and others are
answered meanwhile."""
import pathlib
import socket
import threading

import pytest

import hauberk
from hauberk import message

COMMANDS = 100_000
MORE_KB = 60_000  # of a process, at most

FLOODS = {
    "noop": b"NOOP\r\n", "rset": b"RSET\r\n", "helo": b"HELO c.example\r\n", "unfinished mail": b"MAIL FROM:<a@b.example>\r\nRSET\r\n",
    "rcpt": b"RCPT TO:<bob@example.org>\r\n", "vrfy": b"VRFY bob@example.org\r\n",
    "empty chunks": b"BDAT 0\r\n",
}


def resident_kb(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4


@pytest.fixture(scope="module")
def flooded():
    server = hauberk.Server(binary=hauberk.RELEASE, settings="smtp: { processes = 1; maxErrors = 1000; };")
    try:
        yield server.start().populate("bob")
        server.stop()
    finally:
        server.kill()


def read_all(raw):
    """Counts answers until the server ends the connection."""
    n = 0
    try:
        while more := raw.socket.recv(1 << 20):
            n += more.count(b"\n")
    except OSError:
        pass
    return n


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_commands_costs_little_and_keeps_nobody_waiting(flooded, kind):
    pid = next(r["pid"] for r in flooded.status() if r["role"] == "smtp")
    before = resident_kb(pid)
    with flooded.hello() as raw:
        if kind in ("rcpt", "empty chunks"):
            raw.say("MAIL FROM:<a@b.example>")
            raw.say("RCPT TO:<bob@example.org>")
        answers = []
        reader = threading.Thread(target=lambda: answers.append(read_all(raw)))
        reader.start()
        flood = FLOODS[kind] * 500
        try:
            for i in range(COMMANDS // 500):
                raw.send(flood)
                if i in (10, 100):
                    name, octets = message()
                    flooded.send(octets)
                    flooded.arrives(name)
            raw.send(b"QUIT\r\n")
            raw.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # too many errors: hung up on
        reader.join(120)
        assert not reader.is_alive()
    assert answers[0] > 900
    assert resident_kb(pid) - before < MORE_KB


def test_a_line_without_end_costs_little(flooded):
    pid = next(r["pid"] for r in flooded.status() if r["role"] == "smtp")
    before = resident_kb(pid)
    with flooded.hello() as raw:
        for _ in range(64):
            raw.send(b"x" * (1 << 20))
        assert raw.reply().startswith("500 5.5.6")
        raw.send(b"\r\n")
        assert raw.say("NOOP").startswith("250")
    assert resident_kb(pid) - before < MORE_KB

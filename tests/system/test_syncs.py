"""What a message costs in syncs, role by role, as strace counts them in the running server; and that no
session of many waits while a hundred others are answered. The table is in docs/benchmarks.md."""
import collections
import os
import re
import signal
import subprocess
import threading
import time

import pytest

import hauberk
from hauberk import message, wait_for

ROUNDS = 200 if os.environ.get("HAUBERK_LONG") else 40
COUNTED = ("smtp", "queue", "deliver", "imap", "auth", "control")


@pytest.fixture(scope="module")
def counted():
    settings = "smtp: { processes = 1; }; imap: { processes = 1; };"
    server = hauberk.Server(binary=hauberk.RELEASE, settings=settings)
    try:
        server.start().populate("ann", "bob")
        # What is made once: the account's file and its journal, the segment.
        deliver(server)
        append(server)
        flag(server)  # and modseqs are reserved
        time.sleep(2)
        yield server
        server.stop()
    finally:
        server.kill()


class Syncs:
    """Counts syncs of every role while it is entered; afterwards .roles holds them."""

    def __init__(self, server, folder):
        self.roles = {}
        self.files = {}
        self.by_pid = {r["pid"]: r["role"].split(".")[0] for r in server.status()}
        self.folder = folder

    def __enter__(self):
        self.tracers = []
        for pid, role in self.by_pid.items():
            out = self.folder / f"{role}.{pid}"
            tracer = subprocess.Popen(["strace", "-f", "-y", "-e", "trace=fsync,fdatasync,sync_file_range,syncfs",
                                       "-o", str(out), "-p", str(pid)],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            assert "attached" in tracer.stderr.readline()
            self.tracers.append((role, out, tracer))
        return self

    def __exit__(self, *_):
        for role, out, tracer in self.tracers:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(20)
            tracer.stderr.close()
            calls = re.findall(r"(?:fsync|fdatasync|syncfs)\(\d+<([^>]*)>", out.read_text())
            if calls:
                self.roles[role] = self.roles.get(role, 0) + len(calls)
                self.files[role] = collections.Counter(os.path.basename(c) for c in calls)


def deliver(server, n=1):
    before = server.count()
    for _ in range(n):
        server.send(message(b"x" * 10000 + b"\r\n")[1])
    wait_for("the mail", lambda: server.count() == before + n)


def one_by_one(server):
    deliver(server)


def flag(server):
    with server.imap() as client:
        client.select("INBOX")
        assert client.store("1", "+FLAGS", r"(\Flagged)")[0] == "OK"


def append(server):
    with server.imap() as client:
        assert client.append("INBOX", None, None, message(b"x" * 10000)[1])[0] == "OK"


def read(server):
    with server.imap() as client:
        client.select("INBOX", readonly=True)
        client.fetch("1:*", "(BODY.PEEK[])")
        client.noop()


# What is done, and how often each role syncs for it. The background checkpoint of an account (its own
# two syncs, at most one a second for each account) is not counted: it is not waited for.
TABLE = (
    (one_by_one, {"smtp": 1, "deliver": 1}),
    (append, {"imap": 1}),
    (read, {}),
)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root traces the server")
@pytest.mark.parametrize("work, want", TABLE, ids=[row[0].__name__ for row in TABLE])
def test_so_many_syncs_are_waited_for(counted, tmp_path, work, want):
    with Syncs(counted, tmp_path) as syncs:
        work(counted)
    assert waited_for(syncs) == want, syncs.files


@pytest.mark.skipif(os.geteuid() != 0, reason="only root traces the server")
def test_flags_are_synced_within_a_second_and_not_one_by_one(counted, tmp_path):
    with Syncs(counted, tmp_path) as syncs:
        with counted.imap() as client:
            client.select("INBOX")
            for i in range(100):
                assert client.store("1", "+-"[i % 2] + "FLAGS", r"(\Flagged)")[0] == "OK"
        time.sleep(2)
    # One for each second that this took, and for each thread that had a part in it.
    assert 1 <= waited_for(syncs).get("imap", 0) <= 20, syncs.files


def waited_for(syncs):
    """The syncs of journals and segments. An account's main file is synced by checkpoints only; its folder
    with the first commit of each handle, once."""
    roles = {}
    for role, files in syncs.files.items():
        n = sum(count for name, count in files.items() if name not in ("mail.db", "1", "2"))
        if n:
            roles[role] = n
    return roles


@pytest.mark.skipif(os.geteuid() != 0, reason="only root traces the server")
def test_ten_sessions_share_their_syncs(counted, tmp_path):
    before, n = counted.count(), 10 * 20
    with Syncs(counted, tmp_path) as syncs:
        threads = [threading.Thread(target=lambda: [
            counted.send(message(b"x" * 10000 + b"\r\n")[1]) for _ in range(20)]) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        wait_for("the mail", lambda: counted.count() == before + n)
    cost = waited_for(syncs)
    assert set(cost) == {"smtp", "deliver"}
    # Together: fewer commits than messages, on both sides.
    assert cost["smtp"] < n and cost["deliver"] < n, syncs.files


class Order:
    """Ends of data and answers to them, in the order in which the clients had them."""

    def __init__(self):
        self.lock = threading.Lock()
        self.answers = 0
        self.worst = 0

    def end(self):
        with self.lock:
            return self.answers

    def answer(self, since):
        with self.lock:
            self.worst = max(self.worst, self.answers - since)
            self.answers += 1


def send_many(server, order, failed):
    try:
        raw = server.hello()
        for _ in range(ROUNDS):
            for command in ("MAIL FROM:<a@b.example>", "RCPT TO:<ann@example.org>", "DATA"):
                raw.say(command)
            raw.send(message(b"x" * 2000 + b"\r\n")[1])
            since = order.end()
            raw.send(b".\r\n")
            assert raw.reply().startswith("250")
            order.answer(since)
        raw.close()
    except Exception as problem:  # shown by the test, in its own thread
        failed.append(problem)


@pytest.mark.parametrize("run", range(4))
def test_no_session_waits_while_a_hundred_others_are_answered(counted, run):
    order, failed = Order(), []
    threads = [threading.Thread(target=send_many, args=(counted, order, failed)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failed, failed
    assert order.answers == 10 * ROUNDS
    assert order.worst <= 100

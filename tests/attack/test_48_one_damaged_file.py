"""An octet changes in one file of stateDir: the server serves, the rest of the mail comes, what is
damaged is kept, and the log says which file it is and what to do."""
import os
import random
import shutil
import signal
import struct
import time

import pytest

import hauberk
from hauberk import behind_trace, message

ROUNDS = 12 if os.environ.get("HAUBERK_LONG") else 1
SEGMENT_HEAD = struct.Struct("<IIQQ")      # magic, crc, segment, mark
RECORD_HEAD = struct.Struct("<QIIIIQQQQ")  # mark, 3 crcs, -, segment, place, octets of both parts
LARGE = b"a line of a large message\r\n" * 60000
SAID_WHAT_TO_DO = "move the file away"


def chance():
    seed = int(os.environ.get("SEED", time.time_ns() % 1000000))
    print(f"SEED={seed}")  # shown when the test fails
    return random.Random(seed)


def flip(path, at, pick):
    with open(path, "r+b") as file:
        file.seek(at)
        octet = file.read(1)[0]
        file.seek(at)
        file.write(bytes([octet ^ (1 << pick.randrange(8))]))


def records(path):
    """(place, octets of the envelope, octets of the message) of each record of a segment."""
    octets, at, found = path.read_bytes(), SEGMENT_HEAD.size, []
    while at < len(octets):
        head = RECORD_HEAD.unpack_from(octets, at)
        assert head[6] == at
        found.append((at, head[7], head[8]))
        at += RECORD_HEAD.size + head[7] + head[8]
    return found


def account(server, name):
    for line in server.must("account", "list").splitlines():
        if f"{name}@example.org" in line:
            return server.folder / "state/accounts" / line.split()[0]
    raise AssertionError(name)


class Spooled:
    """A stopped server with mail for bob in its spool: four small messages in one segment, a large one
    in a file of its own, and one that never came whole. Its state can be had again and again."""

    def __init__(self, new_server):
        self.server = server = new_server().populate("bob", "carol")
        self.state, self.kept = server.folder / "state", server.folder / "kept"
        bob = account(server, "bob")
        bob.write_text("in the way of bob's folder")
        self.small = [message(b"small\r\n" * 40) for _ in range(4)]
        self.large = message(LARGE)
        with server.smtp() as client:  # one session: one process, one segment
            for _, octets in [*self.small, self.large]:
                assert not client.sendmail("ann@example.com", "bob@example.org", octets)
        half = self.half()
        pids = [row["pid"] for row in server.status()]
        for pid in pids:  # at once, so that nobody tidies up
            os.kill(pid, signal.SIGSTOP)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        server.process.wait(20)
        half.close()
        hauberk.wait_for("all roles to end", lambda: not any(map(runs, pids)))
        server.process = None
        bob.unlink()
        shutil.copytree(self.state, self.kept)
        self.log = server.log_path.read_bytes()

    def half(self):
        """A session that is in the middle of a large message."""
        raw = self.server.hello()
        for command in ("MAIL FROM:<a@b.example>", "RCPT TO:<bob@example.org>", "DATA"):
            raw.say(command)
        raw.send(b"Subject: half\r\n\r\n" + LARGE)
        hauberk.wait_for("the large message to come", lambda: list(self.state.glob("spool/*/*.part")))
        return raw

    def restore(self):
        shutil.rmtree(self.state)
        shutil.copytree(self.kept, self.state)
        if os.geteuid() == 0:
            for path in [self.state, *self.state.rglob("*")]:
                shutil.chown(path, "nobody", "nogroup")

    def file(self, ending):
        path, = self.state.glob(f"spool/*/*.{ending}")
        return path

    def start(self):
        self.server.start()

    def said(self):
        return self.server.log()[self.server.mark:]


def runs(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return " Z " not in file.read()
    except OSError:
        return False


@pytest.fixture(scope="module")
def module_server():
    made = []

    def make():
        made.append(hauberk.Server(hauberk.ASAN))
        return made[-1].start()

    yield make
    for one in made:
        one.kill()


@pytest.fixture(scope="module")
def spooled(module_server):
    return Spooled(module_server)


def where(spooled, kind, pick):
    """(file, offset, the message that is damaged by it or None)."""
    large, small = kind.startswith("one"), kind.startswith("segment")
    path = spooled.file("one" if large else "seg" if small else "part")
    if kind == "part":
        return path, pick.randrange(path.stat().st_size), None
    if kind.endswith("own head"):
        return path, pick.randrange(SEGMENT_HEAD.size), None
    found = records(path)
    i = pick.randrange(len(found))
    place, envelope, content = found[i]
    begin, n = {"head": (0, RECORD_HEAD.size), "envelope": (RECORD_HEAD.size, envelope),
                "body": (RECORD_HEAD.size + envelope, content)}[kind.split()[1]]
    return path, place + begin + pick.randrange(n), spooled.large if large else spooled.small[i]


@pytest.mark.parametrize("kind", ["segment own head", "segment head", "segment envelope",
                                  "segment body", "one own head", "one head", "one envelope",
                                  "one body", "part"])
def test_the_spool(spooled, kind):
    pick = chance()
    for _ in range(ROUNDS):
        spooled.restore()
        path, at, lost = where(spooled, kind, pick)
        print(path, at)
        flip(path, at, pick)
        spooled.start()
        check_mail(spooled, lost)
        if lost:
            check_told(spooled, path)
        spooled.server.stop()
        assert path.exists() == bool(lost), "what is damaged is kept, what is done is not"


def check_mail(spooled, lost):
    server = spooled.server
    after = message(b"sent afterwards\r\n")
    server.send(after[1], to=["bob@example.org", "carol@example.org"])
    wanted = [m for m in [*spooled.small, spooled.large, after] if m is not lost]
    for name, octets in wanted:
        assert behind_trace(server.arrives(name)) == octets
    server.arrives(after[0], "carol@example.org")
    assert server.count() == len(wanted)


def check_told(spooled, path):
    hauberk.wait_for("a word of it", lambda: SAID_WHAT_TO_DO in spooled.said())
    lines = [line for line in spooled.said().splitlines() if SAID_WHAT_TO_DO in line]
    assert len(lines) == 1 and str(path) in lines[0], lines
    held = [row.get("held") for row in spooled.server.status() if row["role"] == "queue"]
    assert held == ["1"]


# ---- databases ----

@pytest.fixture
def stopped(new_server):
    """A server that has served: bob and carol have mail."""
    server = new_server().populate("bob", "carol")
    name, octets = message()
    server.send(octets, to=["bob@example.org", "carol@example.org"])
    for who in ("bob", "carol"):
        server.arrives(name, f"{who}@example.org")
    server.carol = account(server, "carol")
    server.stop()
    server.kept = server.folder / "kept"
    shutil.copytree(server.folder / "state", server.kept)
    return server


def put_back(server, path):
    """The backup takes the damaged file's place, as an administrator would do it."""
    for kept in (server.kept / path.parent.relative_to(server.folder / "state")).iterdir():
        shutil.copy(kept, path.parent / kept.name)
        if os.geteuid() == 0:
            shutil.chown(path.parent / kept.name, "nobody", "nogroup")


def spoil(path):
    """Damage that nobody can overlook: the first pages, and what was written since."""
    for one in path.parent.glob(path.name + "*"):
        with open(one, "r+b") as file:
            file.write(b"\x55" * min(4096, one.stat().st_size))


def test_a_mailbox_file_that_is_no_database(stopped):
    path = stopped.carol / "mail.db"
    spoil(path)
    stopped.start()
    name, octets = message()
    stopped.send(octets, to=["bob@example.org", "carol@example.org"])
    assert behind_trace(stopped.arrives(name)) == octets
    line = hauberk.wait_for("a word of it", lambda: [
        x for x in stopped.log().splitlines() if "delivery.later" in x and str(path) in x])[0]
    assert "damaged" in line and "backup" in line
    stopped.stop()
    put_back(stopped, path)
    stopped.start()
    assert behind_trace(stopped.arrives(name, "carol@example.org")) == octets


@pytest.mark.parametrize("which", ["directory/directory.db", "auth/auth.db"])
def test_a_database_of_the_server_that_is_none(stopped, which):
    path = stopped.folder / "state" / which
    spoil(path)
    stopped.expected.add("role.died")
    stopped.launch()
    line = hauberk.wait_for("a word of it", lambda: [
        x for x in stopped.log().splitlines() if "start.failed" in x])[0]
    assert str(path) in line and "damaged" in line and "backup" in line
    put_back(stopped, path)
    hauberk.wait_for("the server to serve", stopped.serving, 30)
    name, octets = message()
    stopped.send(octets)
    assert behind_trace(stopped.arrives(name)) == octets


@pytest.mark.parametrize("which", ["carol", "directory", "auth"])
def test_octets_of_a_database(stopped, which):
    """SQLite cannot see every change; whatever it sees, the others are served or the log says why not."""
    pick = chance()
    # A role that cannot start is started again and again, also while the server ends.
    stopped.expected |= {"role.died", "drain.died"}
    path = {"carol": stopped.carol / "mail.db",
            "directory": stopped.folder / "state/directory/directory.db",
            "auth": stopped.folder / "state/auth/auth.db"}[which]
    for _ in range(3 * ROUNDS):
        put_back(stopped, path)
        for _ in range(8):
            one = pick.choice(sorted(path.parent.glob("*.db*")))
            if one.stat().st_size and not one.name.endswith("-shm"):
                flip(one, pick.randrange(one.stat().st_size), pick)
        stopped.mark = len(stopped.log())
        stopped.launch()
        told = hauberk.wait_for("a server or a word", lambda: stopped.serving() or [
            x for x in stopped.log()[stopped.mark:].splitlines() if "start.failed" in x], 60)
        if told is not True:
            assert any(str(path) in x for x in told), told
        elif which == "carol":
            name, octets = message()
            stopped.send(octets, to=["carol@example.org", "bob@example.org"])
            assert behind_trace(stopped.arrives(name)) == octets
        stopped.stop()

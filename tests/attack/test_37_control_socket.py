"""Attack 37: commands by whoever may not, and commands that carry more than they say."""
import itertools
import os
import socket
import stat
import struct

import pytest

import hauberk
from hauberk import PASSWORD, wait_for

MESSAGE_COMMAND_WORDS = 64  # COMMAND_WORDS of src/main/control.h
HOSTILE = ["\n", "\r\n", "\t", "\x01", "\x1b[2J", "\x7f", "\0", "\nhauberk: done", "\u0085"]


def talk(server, *packets, answers=True):
    """Sends packets as one client; the octets of the first answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(20)
        s.connect(str(server.folder / "run/control.sock"))
        for packet in packets:
            try:
                s.send(packet)
            except (BrokenPipeError, ConnectionResetError):
                break
        return s.recv(65536) if answers else b""


def sniff(server):
    """One packet of the program's own, so that the tests need not know its numbers: `domain list`."""
    folder = hauberk.new_folder()
    (folder / "run").mkdir(mode=0o777)
    conf = folder / "hauberk.conf"
    conf.write_text(f'hostname = "x.example";\nrunDir = "{folder}/run";\nlisteners = '
                    '( { protocol = "smtp"; address = "::1"; port = 1; tls = "no"; } );')
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(20)
        s.bind(str(folder / "run/control.sock"))
        os.chmod(folder / "run/control.sock", 0o777)
        s.listen(1)
        child = hauberk.subprocess.Popen(
            [*server.commander, str(server.program), "domain", "list", "-c", str(conf)],
            stdin=hauberk.subprocess.DEVNULL, stdout=hauberk.subprocess.DEVNULL,
            stderr=hauberk.subprocess.DEVNULL, env=server.environment, cwd="/tmp")
        try:
            peer = s.accept()[0]
            packet = peer.recv(65536)
            peer.close()
        finally:
            child.wait(20)
    return packet


def number(n):
    return struct.pack("<Q", n)


@pytest.fixture(scope="module")
def build(server):
    """Makes a command's packet from words that no argv could hold."""
    sample = sniff(server)
    at = sample.index(b"domain")
    for width, count in ((8, "<Q"), (4, "<I")):
        if struct.unpack_from(count, sample, at - width)[0] == 6:
            break
    else:
        raise AssertionError(sample)
    first = sample.index(struct.pack("<Q", 2))  # the number of words

    def text(t):
        return struct.pack(count, len(t)) + t

    def make(*words, secret=b"", how_many=None):
        body = number(len(words) if how_many is None else how_many)
        return sample[:first] + body + b"".join(text(w) for w in words) + text(secret)

    assert make(b"domain", b"list") == sample
    return make


# ---- who ----

def test_the_socket_and_its_folder_are_closed_to_others(server):
    run = server.folder / "run"
    for path, mode in ((run, 0o750), (run / "control.sock", 0o660)):
        found = path.stat()
        assert stat.S_IMODE(found.st_mode) == mode
        assert found.st_uid == (65534 if os.geteuid() == 0 else os.getuid())
    assert stat.S_ISSOCK((run / "control.sock").stat().st_mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start it so")
def test_started_by_root_the_socket_is_the_administrators(new_server):
    server = new_server(hauberk.RELEASE, start=False).by_root().start()
    found = (server.folder / "run/control.sock").stat()
    assert (found.st_uid, found.st_gid) == (0, hauberk.IDS["hauberk-admin"])
    assert stat.S_IMODE(found.st_mode) == 0o660
    folder = (server.folder / "run").stat()
    assert folder.st_gid == hauberk.IDS["hauberk-admin"] and stat.S_IMODE(folder.st_mode) == 0o750


# ---- what: every argument of every command ----

ADDRESSES = [("account", v) for v in ("add", "passwd", "verifier", "enable", "disable", "remove")]
ARGUMENTS = [("domain", "add", "{}"), ("domain", "remove", "{}"), ("account", "list", "{}"),
             ("alias", "list", "{}"), *[(*c, a) for c in ADDRESSES for a in ("x{}@example.org", "bob@ex{}ample.org")],
             ("alias", "add", "x{}@example.org", "bob@example.org"), ("alias", "add", "x@example.org", "bob{}@example.org"),
             ("alias", "add", "x@exam{}ple.org", "bob@example.org"), ("alias", "add", "x@example.org", "bob@example{}.org"),
             ("alias", "remove", "x{}@example.org"), ("alias", "remove", "x@example.org", "bob{}@example.org"),
             ("alias", "list", "x{}@example.org"), ("alias", "add", "x@example.org", "bo{}b"),
             ("account", "enable", "bo{}b"), ("alias", "remove", "bo{}b"), ("{}", "list"), ("domain", "li{}st"),
             ("account", "{}remove", "bob@example.org")]


@pytest.mark.parametrize("words", ARGUMENTS, ids=" ".join)
def test_control_characters_in_an_argument_are_refused(server, build, words):
    before = server.must("domain", "list"), server.must("account", "list"), server.must("alias", "list")
    for hostile in HOSTILE:
        filled = [w.format(hostile).encode() for w in words]
        answer = talk(server, build(*filled, secret=PASSWORD.encode()))
        shown = answer[answer.index(b"hauberk: "):]
        assert shown.endswith(b"\n") and shown.count(b"\n") == 1, (hostile, shown)
        assert shown[:-1].decode().isprintable(), (hostile, shown)
        if "\0" not in hostile:
            done = server.command(*[w.format(hostile) for w in words], secret=PASSWORD)
            assert done.returncode in (1, 2) and not done.stdout, (hostile, done)
    assert before == (server.must("domain", "list"), server.must("account", "list"),
                      server.must("alias", "list"))
    for line in server.log().splitlines():
        assert line.isprintable() and not line.startswith("hauberk: done"), line


def test_a_password_with_a_nul_is_refused(server, build):
    answer = talk(server, build(b"account", b"add", b"nul@example.org", secret=b"a\0b"))
    assert b"hauberk: " in answer
    assert "nul@" not in server.must("account", "list")


# ---- malformed, huge, piece by piece ----

def serves(server):
    assert "example.org" in server.must("domain", "list")
    rows = server.status()
    assert next(r for r in rows if r["role"] == "control")["restarts"] == 0


def test_messages_cut_at_every_octet_are_malformed(server, build):
    whole = build(b"alias", b"add", b"cut@example.org", b"bob@example.org")
    for n in range(1, len(whole)):
        assert b"malformed command" in talk(server, whole[:n]), n
    assert b"malformed command" in talk(server, whole + b"\0")
    serves(server)
    assert "cut@" not in server.must("alias", "list")


@pytest.mark.parametrize("count", [0, 1, 3, MESSAGE_COMMAND_WORDS + 1, 2**31, 2**32 + 2, 2**63, 2**64 - 1])
def test_a_wrong_number_of_words_is_malformed(server, build, count):
    assert b"malformed command" in talk(server, build(b"domain", b"list", how_many=count))
    serves(server)


def test_as_many_words_as_there_may_be_and_as_long(server, build):
    for octets in (1, 900):
        answer = talk(server, build(b"alias", b"add", *[b"x" * octets] * (MESSAGE_COMMAND_WORDS - 2)))
        assert b"is not an address" in answer
    # More than a message may be: the rest of the packet is cut off, so it is malformed.
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        s.settimeout(20)
        s.connect(str(server.folder / "run/control.sock"))
        s.send(build(b"domain", b"add", b"y" * 200000))
        assert b"malformed command" in s.recv(65536)
    serves(server)


def test_a_command_octet_by_octet_is_none(server, build):
    """Packets are not joined: each is a command of its own, the first is malformed and ends it."""
    whole = build(b"domain", b"add", b"bytes.example")
    try:
        said = talk(server, *[whole[i:i + 1] for i in range(len(whole))])
        assert b"malformed command" in said
    except ConnectionResetError:
        pass  # it hung up while packets were still coming, which takes its answer away
    serves(server)
    assert "bytes.example" not in server.must("domain", "list")


def test_clients_that_say_nothing_and_clients_that_do_not_listen_stop_nobody_for_long(server, build):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
        silent.connect(str(server.folder / "run/control.sock"))
        serves(server)
    for _ in range(50):
        talk(server, build(b"account", b"list"), answers=False)
    serves(server)


def test_no_descriptor_is_left_behind_by_such_clients(server, build):
    control = next(r["pid"] for r in server.status() if r["role"] == "control")
    folder = f"/proc/{control}/fd"
    if os.geteuid() != 0:
        folder = None
    before = len(os.listdir(folder)) if folder else 0
    for packet in itertools.islice(itertools.cycle([b"x", b"\xff" * 300, build(b"x", b"y")]), 60):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.settimeout(20)
            s.connect(str(server.folder / "run/control.sock"))
            # A descriptor slipped in must not stay either.
            socket.send_fds(s, [packet], [s.fileno()])
            s.recv(65536)
    if folder:
        wait_for("control to close them", lambda: len(os.listdir(folder)) <= before + 1)
    serves(server)


# ---- nothing is executed ----

def test_the_program_has_no_shell_to_call(server):
    """The release program asks its libraries for no way to run another program but main's one, of itself."""
    names = hauberk.subprocess.run(["nm", "-D", "--undefined-only", str(hauberk.RELEASE)], check=True, text=True,
                                   capture_output=True, timeout=30).stdout
    called = {line.split()[-1].split("@")[0] for line in names.splitlines()}
    assert "execl" in called
    assert not called & {"system", "popen", "execv", "execve", "execvp", "execvpe", "execlp", "execle",
                         "fexecve", "posix_spawn", "posix_spawnp", "wordexp", "dlopen"}
    octets = hauberk.RELEASE.read_bytes()
    assert b"/bin/" not in octets and b"sh -c" not in octets

"""Attack 49: a taken role tries to be more than it is. What each process of a running server may be, hold
and call, on the release build, started by root with the service users and started by a user."""
import os
import pathlib
import re
import socket
import stat

import pytest

import hauberk
import seccomp

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root looks into others")

# Folders of stateDir in which a role may hold files open (docs/security.md).
FOLDERS = {
    "main": ["lock"], "control": ["directory/", "trace/"], "keys": [], "auth": ["auth/"], "queue": ["spool/"],
    "deliver": ["spool/", "directory/", "accounts/", "trace/"], "smtp": ["spool/", "directory/", "trace/"],
    "imap": ["accounts/", "directory/"],
}
# What is shared in memory: counters; the certificate where TLS is spoken; the key in main for keys to come.
MEMORY = {role: {"hauberk-stats"} for role in FOLDERS}
for role in ("smtp", "imap", "deliver", "control", "main"):
    MEMORY[role] |= {"hauberk-shared"}
MEMORY["main"] |= {"certificates", "keys", "keytab", "tickets"}
# Groups beyond a user's own, as packaging/sysusers.conf says.
GROUPS = {f"hauberk-{role}": set() for role in FOLDERS}
for user, group in hauberk.MEMBERS:
    GROUPS[user].add(str(hauberk.IDS[group]))


@pytest.fixture(scope="module", params=[pytest.param("by root", marks=needs_root), "as user"])
def running(request):
    server = hauberk.Server(hauberk.RELEASE)
    server.way = request.param
    if request.param == "by root":
        server.by_root()
    try:
        server.start().populate("ann", "bob")
        name, octets = hauberk.message()
        server.send(octets)
        server.arrives(name)
        yield server
        server.stop()
    finally:
        server.kill()


def fields(pid, task=None):
    path = pathlib.Path(f"/proc/{pid}/task/{task}/status" if task else f"/proc/{pid}/status")
    return dict(line.split(":\t", 1) for line in path.read_text().splitlines() if ":\t" in line)


def tasks(server, roles_only=True):
    """(role, status) of every thread of every process."""
    rows = server.status()
    assert {r["role"] for r in rows} == set(FOLDERS)
    for row in rows:
        if row["role"] == "main" and roles_only:
            continue
        names = os.listdir(f"/proc/{row['pid']}/task")
        assert names
        for task in names:
            yield row["role"], fields(row["pid"], task)


def test_every_thread_of_every_role_is_who_it_should_be(running):
    by_root = running.way == "by root"
    for role, status in tasks(running, roles_only=False):
        if by_root:
            uid = gid = "0" if role == "main" else str(hauberk.IDS[f"hauberk-{role}"])
        else:
            uid, gid = (("65534", "65534") if os.geteuid() == 0 else (str(os.getuid()), str(os.getgid())))
        assert status["Uid"].split() == [uid] * 4, (role, status["Uid"])
        assert status["Gid"].split() == [gid] * 4, (role, status["Gid"])
        if by_root and role != "main":
            assert set(status["Groups"].split()) - {gid} == GROUPS[f"hauberk-{role}"], role


def test_no_role_has_a_capability_or_can_get_one(running):
    for role, status in tasks(running):
        kinds = ["CapInh", "CapPrm", "CapEff", "CapAmb"]
        if running.way == "by root":
            kinds.append("CapBnd")
        assert {kind: int(status[kind], 16) for kind in kinds} == dict.fromkeys(kinds, 0), role


def test_every_thread_is_locked(running):
    for role, status in tasks(running, roles_only=False):
        assert status["NoNewPrivs"] == "1", role
        assert status["Seccomp"] == ("0" if role == "main" else "2"), role


def test_no_process_can_be_looked_into_by_its_own_user_or_leaves_a_core(running):
    for row in running.status():
        # The files of a process that is not dumpable are root's, whoever it is (proc(5)).
        for name in ("environ", "mem", "maps", "fd"):
            path = pathlib.Path(f"/proc/{row['pid']}/{name}")
            assert path.lstat().st_uid == 0, (row["role"], name)
        limits = pathlib.Path(f"/proc/{row['pid']}/limits").read_text() if os.geteuid() == 0 else ""
        core = re.search(r"^Max core file size\s+(\S+)\s+(\S+)", limits, re.M)
        assert not core or core.groups() == ("0", "0"), row["role"]


@needs_root
def test_no_process_holds_a_file_that_is_not_its_own(running):
    state = str(running.folder / "state") + "/"
    for row in running.status():
        role, unexpected = row["role"], []
        for fd in pathlib.Path(f"/proc/{row['pid']}/fd").iterdir():
            try:
                name = os.readlink(fd)
            except FileNotFoundError:
                continue  # closed meanwhile
            memory = re.fullmatch(r"/memfd:(\S+) \(deleted\)", name)
            if name == "/dev/null" or name == str(running.log_path):
                continue
            if name.startswith(("socket:", "anon_inode:[eventpoll]", "anon_inode:[eventfd]",
                                "anon_inode:[signalfd]")):
                continue
            if name.startswith("pipe:") and role == "smtp":
                continue  # between libunbound's threads
            if memory and memory[1] in MEMORY[role]:
                continue
            if name.startswith(state) and name[len(state):].startswith(tuple(FOLDERS[role])):
                continue
            unexpected.append(name)
        assert not unexpected, role


@needs_root
def test_no_role_may_make_a_call_that_would_free_it(running):
    """The filters themselves, read from the kernel: nothing is executed, no process made, nobody called."""
    never = sorted(set(seccomp.CALLS) - {"read", "write", "close", "exit_group", "clone", "memfd_create", "socket"})
    assert {"execve", "execveat", "ptrace", "connect", "bind"} <= set(never)
    for row in running.status():
        if row["role"] == "main":
            continue
        program = seccomp.filter_of(row["pid"])
        for name in ("read", "write", "exit_group"):
            assert seccomp.allows(program, name), (row["role"], name)
        # Policies ask name servers, over sockets of IPv4 and IPv6 only.
        asks = {"bind", "connect"} if row["role"] == "smtp" else set()
        assert {name for name in never if seccomp.allows(program, name)} == asks, row["role"]
        for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET):
            internet = family in (socket.AF_INET, socket.AF_INET6)
            assert seccomp.allows(program, "socket", family) == (bool(asks) and internet), (row["role"], family)
        # Threads, not processes; and no way round by another machine's numbers.
        thread, process = 0x3d0f00, 17
        assert not seccomp.allows(program, "clone", process), row["role"]
        assert seccomp.allows(program, "clone", thread), row["role"]
        assert not seccomp.allows(program, "read", arch=0x40000003), row["role"]
        assert not seccomp.allows(program, "read", more=0x40000000), row["role"]


@needs_root
def test_folders_and_sockets_are_closed_to_others(running):
    run = running.folder / "run"
    for path in (run, run / "control.sock", *(running.folder / "state").rglob("*")):
        assert not stat.S_IMODE(path.lstat().st_mode) & 0o007, path

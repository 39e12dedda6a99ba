"""A disk that is full, with the real server on a real small file system: senders hear 452 4.3.1, nothing is
half stored, and it goes on by itself when there is room again."""
import os
import pathlib
import smtplib
import subprocess

import pytest

import hauberk
from hauberk import as_user, message, wait_for

MOUNT = 'mount -t tmpfs -o size=%s,uid=65534,gid=65534,mode=700 tmpfs "$1" && shift && exec "$@"'

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts file systems")


def on_disk(where, size):
    """A server with a small file system of its own mounted below its folder."""
    server = hauberk.Server(binary=hauberk.RELEASE)
    folder = server.folder
    for part in pathlib.PurePath(where).parts:
        folder = folder / part
        folder.mkdir(mode=0o700)
        os.chown(folder, 65534, 65534)
    server.words = ["unshare", "-m", "sh", "-c", MOUNT % size, "sh", str(folder), *server.words]
    server.start().populate("ann", "bob")
    server.disk = pathlib.Path(f"/proc/{server.process.pid}/root{folder}")
    return server


@pytest.fixture
def disk(request):
    server = on_disk(*request.param)
    try:
        yield server
        server.stop()
    finally:
        server.kill()


def fill(disk):
    """To the last octet."""
    path = disk.disk / "filling"
    with open(path, "wb", buffering=0) as out:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    out.write(b"x" * size)
            except OSError:
                pass
    return path


def refused(server, octets):
    """The reply to a message that is not taken."""
    with server.smtp() as client:
        with pytest.raises(smtplib.SMTPException) as caught:
            client.sendmail("ann@example.com", ["bob@example.org"], octets)
    error = caught.value
    return error.smtp_code, error.smtp_error.decode()


def pids(server):
    return [(r["role"], r["pid"]) for r in server.status()]


@pytest.mark.parametrize("disk", [("state", "24m")], indirect=True)
def test_a_full_disk_refuses_for_a_while_and_loses_nothing(disk):
    kept, octets = message(b"before\r\n" * 1000)
    disk.send(octets)
    disk.arrives(kept)
    before = pids(disk)
    filling = fill(disk)
    mark = len(disk.log())
    for size in (1000, 80000):  # for a segment, and for a file of its own
        code, text = refused(disk, message(b"it is full here\r\n" * size)[1])
        assert (code, text[:5]) == (452, "4.3.1"), text
    with disk.imap() as client:
        done, said = client.append("INBOX", None, None, message(b"y" * 70000)[1])
        assert done == "NO" and b"[" in said[0], said
        client.select("INBOX")
        assert client.search(None, "ALL")[1][0].split() == [b"1"]
    told = [l for l in disk.log()[mark:].splitlines() if "o space left on" in l]
    assert told and len(told) < 10 and str(disk.folder / "state") in told[-1], disk.log()[mark:]
    filling.unlink()
    for body in (b"small", b"z" * 600000):
        name, octets = message(body + b"\r\n")
        disk.send(octets)
        disk.arrives(name)
    with disk.imap() as client:
        assert client.append("INBOX", None, None, message(b"y" * 70000)[1])[0] == "OK"
    assert disk.count() == 4 and disk.count_of("it is full here") == 0
    assert pids(disk) == before  # nobody had to be started again
    assert not list(disk.disk.glob("spool/*/*.part"))


@pytest.mark.parametrize("disk", [("state/accounts", "6m")], indirect=True)
def test_mail_waits_in_the_spool_while_the_accounts_disk_is_full(disk):
    name, octets = message()
    disk.send(octets)
    disk.arrives(name)
    filling = fill(disk)
    names = []
    for i in range(20):
        name, octets = message(b"waits\r\n" * 1000)
        disk.send(octets)
        names.append(name)
    wait_for("the queue to wait", lambda: sum(int(r.get("waiting", 0)) for r in disk.status()) >= 1)
    wait_for("a word of it", lambda: str(disk.folder / "state/accounts") in disk.log()
             and "no space left on the disk: make room, it goes on by itself" in disk.log())
    assert disk.log().count("\n") < 400  # told, not flooded
    filling.unlink()
    for name in names:
        disk.arrives(name, seconds=60)
    assert disk.count() == 21


def remount(server, how):
    """Changes the small file system from within the server's own view of the machine."""
    subprocess.run(["nsenter", "-m", "-t", str(server.process.pid), "mount", "-o", f"remount,{how}",
                    str(server.folder / "state/spool")], check=True, timeout=20)


# Nothing is open for writing before the first message: the kernel makes no file system read-only otherwise.
@pytest.mark.parametrize("disk", [("state/spool", "8m")], indirect=True)
def test_a_read_only_disk_refuses_for_a_while_and_says_what_to_do(disk):
    before = pids(disk)
    remount(disk, "ro")
    for size in [1000] * 30 + [80000]:
        code, text = refused(disk, message(b"it is read-only here\r\n" * size)[1])
        assert (code, text[:5]) == (452, "4.3.1"), text
    told = [line for line in disk.log().splitlines() if "spool.failed" in line]
    assert len(told) == 31
    assert all(f"{disk.folder}/state/spool/" in line and "make it writable" in line for line in told)
    remount(disk, "rw")
    name, octets = message(b"writable again\r\n")
    disk.send(octets)
    disk.arrives(name)
    assert disk.count() == 1 and pids(disk) == before

"""Where the log goes: a file that is renamed and opened again, the journal's socket, and a full disk."""
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import threading

import pytest

import hauberk
from test_reload import edit

class LoggingServer(hauberk.Server):
    """Its log is what was written to the target, behind what it said on standard error."""

    def said(self):
        return super().log()

    def written(self):
        raise NotImplementedError

    def log(self):
        return self.said() + self.written()


class FileServer(LoggingServer):
    def __init__(self, binary=hauberk.RELEASE, **more):
        super().__init__(binary, **more)
        self.file = self.folder / "hauberk.log"
        edit(self, ("listeners = (", f'logTarget = "file"; logFile = "{self.file}";\nlisteners = ('))

    def written(self):
        return "".join(path.read_text(errors="replace") for path in
                       sorted(self.folder.glob("hauberk.log*"), reverse=True))


class Journal:
    """Takes datagrams as systemd's journal does, and reads their fields."""

    def __init__(self, folder):
        self.path = folder / "journal"
        self.entries, self.wrong = [], []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.path.chmod(0o666)
        self.socket.settimeout(0.2)
        self.open = True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.open:
            try:
                datagram = self.socket.recv(1 << 17)
            except TimeoutError:
                continue
            try:
                self.entries.append(self.fields(datagram))
            except (ValueError, struct.error, AssertionError):
                self.wrong.append(datagram)

    @staticmethod
    def fields(datagram):
        found, rest = {}, datagram
        while rest:
            line, rest = rest.split(b"\n", 1)
            name, equals, value = line.partition(b"=")
            if not equals:
                size = struct.unpack("<Q", rest[:8])[0]
                value, end, rest = rest[8:8 + size], rest[8 + size:9 + size], rest[9 + size:]
                assert end == b"\n"
            assert re.fullmatch(rb"[A-Z][A-Z0-9_]{0,63}", name), name
            found.setdefault(name.decode(), value)
        return found

    def close(self):
        self.open = False
        self.thread.join(10)
        self.socket.close()


class JournalServer(LoggingServer):
    def __init__(self, journal, binary=hauberk.RELEASE):
        self.journal = journal
        super().__init__(binary, environment={"HAUBERK_JOURNAL": str(journal.path)})
        edit(self, ("listeners = (", 'logTarget = "journal";\nlisteners = ('))

    def written(self):
        return "".join(e["MESSAGE"].decode() + "\n" for e in list(self.journal.entries))


@pytest.fixture
def keep():
    """Servers that are stopped, and whose logs are checked, at the test's end."""
    made = []
    try:
        yield lambda one: made.append(one) or one
        for one in made:
            one.stop()
    finally:
        for one in made:
            one.kill()


def processes(text):
    """Who has written lines into this text: "smtp.1", "main"."""
    return set(re.findall(r"(?m)^\S+Z \w+ (\S+) ", text))


def rotate(server, number):
    """As logrotate does."""
    server.file.rename(server.folder / f"hauberk.log.{number}")
    server.process.send_signal(signal.SIGHUP)
    hauberk.wait_for("the new file", server.file.exists)


@pytest.mark.parametrize("binary", ["ASAN", "RELEASE"])
def test_lines_of_every_role_arrive_in_the_file_that_was_opened_again(keep, binary):
    server = keep(FileServer(getattr(hauberk, binary)))
    edit(server, ("logTarget", 'logLevel = "debug"; logTarget'))
    server.start().populate("ann", "bob")
    assert server.file.stat().st_mode & 0o777 == 0o640
    assert {"main", "control.0"} <= processes(server.file.read_text())
    assert not processes(server.said()), server.said()
    names = []
    for number in range(1, 5):
        for _ in range(5):
            name, octets = hauberk.message()
            names.append(name)
            server.send(octets)
        rotate(server, number)
        # Processes with sessions and keys tell of the certificate that comes with each reload.
        wanted = {"main", "control.0", "keys.0", "smtp.0", "smtp.1", "imap.0", "imap.1"}
        def all_there():
            server.command("domain", "add", f"new{number}.example")
            return wanted <= processes(server.file.read_text())
        hauberk.wait_for("all processes in the new file", all_there)
    for name in names:
        server.arrives(name)
    # Between the files nothing was lost, and no line was torn.
    whole = server.written()
    accepted = re.findall(r"(?m) smtp\.\d+ accepted .*", whole)
    assert len(accepted) == len(names)
    assert len(re.findall(r"(?m) deliver\.0 delivered .*", whole)) == len(names)
    assert whole.count(" reloaded ") == 4
    torn = [line for line in whole.splitlines()
            if not re.match(r"\d{4}-\d\d-\d\dT\S+Z (debug|info|warn) [a-z]+(\.\d+)? \S", line)]
    assert not torn, torn[:5]
    assert "log.lost" not in whole and "log.kept" not in whole


def test_roles_that_start_later_write_into_the_newest_file(keep):
    server = keep(FileServer(environment={"HAUBERK_STEADY_MS": "1"}))
    server.expected.add("role.died")
    server.start().populate("ann", "bob")
    rotate(server, 1)
    before = {r["role"]: r["pid"] for r in server.status()}
    os.kill(before["deliver"], signal.SIGKILL)
    hauberk.wait_for("a new one", lambda: any(
        r["role"] == "deliver" and r["pid"] != before["deliver"] for r in server.ready()))
    name, octets = hauberk.message()
    server.send(octets)
    server.arrives(name)
    hauberk.wait_for("its line", lambda: "deliver.0" in processes(server.file.read_text()))


def test_a_file_that_cannot_be_opened_is_told_at_the_start_and_kept_at_reload(keep, new_server):
    server = FileServer()
    whole = server.conf.read_text()
    for path, why in ((server.folder / "absent/log", "No such file"), (server.folder, "Is a directory"),
                      ("/dev/null", "not a plain file")):
        server.conf.write_text(whole.replace(str(server.file), str(path)))
        done = server.command("serve", "--as-user", user=("nobody", "nogroup"))
        assert done.returncode == 1 and f"cannot write the log file {path}: " in done.stderr
        assert why in done.stderr
    server.conf.write_text(whole.replace(str(server.file), "log"))
    done = server.command("config", "check")
    assert done.returncode == 1 and "logFile must be the file's whole path" in done.stderr
    assert done.stderr.startswith(f"{server.conf}:")
    server.conf.write_text(whole)
    keep(server).start().populate("ann", "bob")
    # The configuration is good, its file is not.
    edit(server, (str(server.file), str(server.folder / "absent/log")))
    server.process.send_signal(signal.SIGHUP)
    hauberk.wait_for("it to be told", lambda: "log.kept why=\"cannot write the log file" in server.file.read_text())
    name, octets = hauberk.message()
    server.send(octets)
    server.arrives(name)
    assert "accepted" in server.file.read_text()
    # And when the configuration is refused, the file is opened again nevertheless.
    edit(server, (str(server.folder / "absent/log"), str(server.file)))
    server.process.send_signal(signal.SIGHUP)
    hauberk.wait_for("the repaired one", lambda: server.file.read_text().count(" reloaded ") == 2)
    edit(server, ("listeners = (", "nonsense = 1;\nlisteners = ("))
    rotate(server, 1)
    assert "reload.refused" in (server.folder / "hauberk.log.1").read_text()


def test_the_target_may_change_while_it_runs(keep):
    server = keep(FileServer())
    server.start().populate("bob")
    pids = {row["pid"] for row in server.status()}
    edit(server, ('logTarget = "file"', 'logTarget = "stderr"'))
    server.process.send_signal(signal.SIGHUP)
    def greeted():
        with server.raw("smtp") as client:
            client.reply()
            client.say("QUIT")
        return {"smtp.0", "smtp.1"} <= processes(server.said())
    hauberk.wait_for("lines on standard error", greeted)
    assert {row["pid"] for row in server.status()} == pids


@pytest.mark.parametrize("binary", ["ASAN", "RELEASE"])
def test_the_journal_gets_every_key_as_a_field(keep, binary):
    journal = Journal(hauberk.new_folder())
    try:
        server = JournalServer(journal, getattr(hauberk, binary))
        server.start().populate("ann", "bob")
        server.send(hauberk.message()[1])
        client = server.imap()
        client.xatom("ID", '("name" "a=b \\"c\\"" "version" "1")')
        client.logout()
        def entries(event):
            return [e for e in list(journal.entries) if e["HAUBERK_EVENT"] == event.encode()]
        hauberk.wait_for("the message", lambda: entries("accepted"))
        entry = entries("accepted")[0]
        assert entry["PRIORITY"] == b"6" and entry["SYSLOG_IDENTIFIER"] == b"hauberk"
        assert re.fullmatch(rb"smtp\.\d", entry["HAUBERK_PROCESS"])
        assert entry["HAUBERK_S"] and entry["MESSAGE"].startswith(entry["HAUBERK_PROCESS"] + b" accepted s=")
        assert hauberk.wait_for("what the client said of itself", lambda: entries("imap.id"))
        server.process.send_signal(signal.SIGHUP)
        hauberk.wait_for("the reload", lambda: entries("reloaded"))
        server.stop()
        assert not journal.wrong
        assert all(e["PRIORITY"] in (b"4", b"6") for e in journal.entries)
        assert {e["HAUBERK_PROCESS"].split(b".")[0].decode() for e in journal.entries} >= {"main", "smtp", "imap"}
        assert not processes(server.said()), server.said()
    finally:
        server.kill()
        journal.close()


def test_a_journal_that_is_not_there_is_told_at_the_start(tmp_path):
    folder = hauberk.new_folder()
    journal = Journal(folder)
    server = JournalServer(journal)
    journal.close()
    done = server.command("serve", "--as-user", user=("nobody", "nogroup"))
    assert done.returncode == 1 and f"cannot reach the journal at {journal.path}: " in done.stderr


FULL = """
set -e
mkdir "$1"
mount -t tmpfs -o size=64k,mode=777 none "$1"
shift
exec "$@"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_full_disk_stops_no_mail_and_is_told_when_there_is_room(keep):
    server = FileServer()
    small = server.folder / "small"
    edit(server, (str(server.file), f"{small}/log"), ("logTarget", 'logLevel = "debug"; logTarget'))
    server.words = ["unshare", "-m", "sh", "-c", FULL, "sh", str(small), *server.words]
    server.serving = server.ready  # its log is where only it can see it
    keep(server).start().populate("ann", "bob")
    # The disk as the server sees it.
    log = pathlib.Path(f"/proc/{server.process.pid}/root{small}/log")
    filler = log.parent / "filler"
    with open(filler, "wb", buffering=0) as out:
        try:
            while True:
                out.write(b"x" * 512)
        except OSError:
            pass
    for _ in range(60):
        name, octets = hauberk.message()
        server.send(octets)
    server.arrives(name)
    assert server.count() == 60
    size = log.stat().st_size
    filler.unlink()
    server.send(hauberk.message()[1])
    hauberk.wait_for("it to be told", lambda: "log.lost lines=" in log.read_text())
    assert log.stat().st_size > size
    shutil.copy(log, server.folder / "hauberk.log")
    lines = log.read_text().splitlines()
    whole = [line for line in lines if re.match(r"\d{4}-\S+Z (debug|info|warn) ", line)]
    # At the edge one line of each process may be torn; what follows begins a line of its own.
    assert len(lines) - len(whole) <= len(server.status()), [line for line in lines if line not in whole]

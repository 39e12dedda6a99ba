"""hauberk account export and import: what goes out comes in the same, octet for octet, once; others read and write it too."""
import mailbox
import os
import random
import shutil
import signal
import subprocess
import time

import pytest

import hauberk
from hauberk import message

FORMATS = ["maildir", "mbox", "eml"]
BOB, CAROL = "bob@example.org", "carol@example.org"
LONG = bool(os.environ.get("HAUBERK_LONG"))
NAMES = ["INBOX", "Work/Entw&APw-rfe", "a.b/c.d", "Sent", "Empty"]

CONTENTS = [
    b"Subject: plain\r\n\r\nbody\r\n",
    b"Subject: no end of line\r\n\r\nbody",
    b"Subject: From_ lines\r\n\r\nFrom me\r\n>From you\r\n>>From them\r\n\r\nFrom here on\r\n",
    b"Status: RO\r\nX-Status: F\r\nSubject: fields of readers\r\n\r\n\r\n\r\n",
    b"Subject: 8bit \xc3\xa4\r\nStatus: O\r\n\r\n\xe4\xff\r\n.\r\n..\r\n",
    b"Subject: only a header\r\n\r\n",
    b"\r\nno header at all\r\n",
    b"Subject: long\r\n\r\n" + b"x" * 200000 + b"\r\n",
]
FLAGS = ["", "\\Seen", "\\Flagged \\Answered", "\\Draft \\Seen", "\\Deleted", "$Forwarded \\Seen", "Work Private", ""]


@pytest.fixture(scope="module")
def filled():
    server = hauberk.Server(hauberk.RELEASE)
    server.start().populate("bob", "carol", "dave", *(f"to{f}" for f in FORMATS))
    with server.imap() as client:
        for name in NAMES[1:]:
            client.create(name)
        for i, content in enumerate(CONTENTS):
            when = f'"{i + 1:02d}-Jul-2021 02:44:25 -0700"'
            for name in NAMES[:-1]:
                assert client.append(name, f"({FLAGS[i]})", when, content)[0] == "OK"
        client.append("Sent", None, '"01-Jul-2021 02:44:25 -0700"', CONTENTS[0])  # twice the same
    yield server
    try:
        server.stop()
    finally:
        server.kill()


def all_of(server, user):
    """Mailbox to a sorted list of (octets, flags, date)."""
    found = {}
    with server.imap(user) as client:
        for line in client.list()[1]:
            name = line.decode().split(' "/" ')[1]
            client.select(name, readonly=True)
            found[name.strip('"')] = rows = []
            if client.search(None, "ALL")[1][0]:
                for item in client.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]:
                    if isinstance(item, tuple):
                        flags = sorted(hauberk.imaplib.ParseFlags(item[0]))
                        rows.append((item[1], [f for f in flags if f != b"\\Recent"],
                                     hauberk.imaplib.Internaldate2tuple(item[0])))
            rows.sort()
    return found


def folder(server, name):
    path = server.folder / name
    shutil.rmtree(path, ignore_errors=True)
    return path


def give(path):
    """The commands run as nobody, who must read it."""
    if os.geteuid() == 0:
        for one in [path, *path.rglob("*")] if path.is_dir() else [path]:
            shutil.chown(one, "nobody", "nogroup")


def run(server, *words, status=0):
    done = server.command("account", *words)
    assert done.returncode == status, (done.stdout, done.stderr[-2000:])
    assert "\r" not in done.stderr, "no progress where there is no terminal"
    return done


@pytest.mark.parametrize("form", FORMATS)
def test_what_goes_out_comes_in_the_same(filled, form):
    path, user = folder(filled, f"out-{form}"), f"to{form}@example.org"
    done = run(filled, "export", BOB, "--to", str(path), "--format", form)
    assert done.stdout.startswith(f"{4 * len(CONTENTS) + 1} messages exported, 0 left out")
    run(filled, "export", BOB, "--to", str(path), "--format", form, status=2)  # not empty
    run(filled, "import", user, "--from", str(path))
    was, now = all_of(filled, BOB), all_of(filled, user)
    assert now.keys() == was.keys()
    for name in was:
        assert now[name] == was[name], name
    done = run(filled, "import", user, "--from", str(path), "--format", form)
    assert done.stdout.startswith(f"0 messages imported, {4 * len(CONTENTS) + 1} were there")
    assert all_of(filled, user) == now
    run(filled, "verify", user)
    # Below a mailbox of another name.
    run(filled, "import", CAROL, "--from", str(path), "--mailbox", f"Old-{form}")
    assert all_of(filled, CAROL)[f"Old-{form}/Work/Entw&APw-rfe"] == was["Work/Entw&APw-rfe"]


def test_others_read_what_we_write(filled):
    path = folder(filled, "read-maildir")
    run(filled, "export", BOB, "--to", str(path), "--format", "maildir")
    box = mailbox.Maildir(path, factory=None, create=False)
    assert set(box.list_folders()) == {"Work.Entw&APw-rfe", "a&AC4-b.c&AC4-d", "Sent", "Empty"}
    found = {str(m["Subject"]): m for m in box}
    assert len(list(box)) == len(CONTENTS)
    assert found["plain"].get_flags() == "" and found["From_ lines"].get_flags() == "FR"
    assert found["plain"].get_date() == 1625132665
    path = folder(filled, "read-mbox")
    run(filled, "export", BOB, "--to", str(path), "--format", "mbox")
    box = list(mailbox.mbox(path / "INBOX.mbox", create=False))
    assert len(box) == len(CONTENTS)
    assert [m.get_flags() for m in box[:5]] == ["O", "RO", "OFA", "ROT", "OD"] or \
        [set(m.get_flags()) for m in box[:5]] == [set("O"), set("RO"), set("OFA"), set("ROT"), set("OD")]


def test_we_read_what_others_write(filled):
    path = folder(filled, "write-maildir")
    box = mailbox.Maildir(path, create=True)
    for i in range(3):
        m = mailbox.MaildirMessage(b"Subject: n %d\n\ntext\n" % i)
        m.set_flags("SF" if i else "")
        m.set_subdir("cur" if i else "new")
        m.set_date(1000000000 + i)
        box.add(m)
        box.add_folder("Deep.er").add(m)
    give(path)
    run(filled, "import", "dave@example.org", "--from", str(path))
    got = all_of(filled, "dave@example.org")
    assert [len(got[n]) for n in ("INBOX", "Deep/er")] == [3, 3]
    assert got["INBOX"][1][:2] == (b"Subject: n 1\r\n\r\ntext\r\n", [b"\\Flagged", b"\\Seen"])
    assert time.mktime(got["INBOX"][1][2]) == 1000000001
    path = filled.folder / "write.mbox"
    box = mailbox.mbox(path, create=True)
    m = mailbox.mboxMessage(b"Subject: from mbox\n\nFrom x\n\ntext\n")
    m.set_from("ann@example.org", time.gmtime(1000000000))
    m.set_flags("ROA")
    box.add(m)
    box.add(m)
    box.flush()
    give(path)
    run(filled, "import", "dave@example.org", "--from", str(path), "--mailbox", "mbox")
    got = all_of(filled, "dave@example.org")["mbox"]
    assert len(got) == 2 and got[0][1] == [b"\\Answered", b"\\Seen"]
    assert got[0][0] == b"Subject: from mbox\r\n\r\n" + b"From x\r\n\r\ntext\r\n" and \
        time.mktime(got[0][2]) == 1000000000


def test_what_is_hostile_is_named_and_left_out(filled):
    path = folder(filled, "hostile")
    for one in ("cur", "new", "tmp", ".ok/cur", ".ok/new", ".../cur", "..bad/cur", "..bad/new"):
        (path / one).mkdir(parents=True)
    (path / "cur/1:2,S").write_bytes(b"Subject: good\n\n")
    (path / ".ok/cur/1:2,S").write_bytes(b"Subject: good\n\n")
    (path / "..bad/cur/1:2,S").write_bytes(b"Subject: in a folder without a name\n\n")
    (path / "cur/empty").write_bytes(b"")
    (path / "cur/pass\nwd").symlink_to("/etc/passwd")
    (path / "cur/folder").mkdir()
    os.mkfifo(path / "cur/pipe")
    (path / ".link").symlink_to("/tmp")
    with open(path / "cur/huge", "wb") as file:
        file.truncate(4 << 30)
    give(path)
    done = run(filled, "import", CAROL, "--from", str(path), "--mailbox", "hostile", status=1)
    assert done.stdout.startswith("2 messages imported, 0 were there already, 8 left out"), (done.stdout, done.stderr)
    for name in ("empty", "pass?wd is left out: it is a symbolic link", "folder", "pipe", ".link", "huge", "...", "..bad"):
        assert name in done.stderr, (name, done.stderr)
    box = filled.folder / "hostile.mbox"
    with open(box, "wb") as file:
        file.write(b"From a\nSubject: before\n\nx\n\nFrom b\n")
        file.seek(257 << 20, os.SEEK_CUR)  # one line without an end
        file.write(b"\n\nFrom c\nSubject: after\n\nx\n")
    give(box)
    done = run(filled, "import", CAROL, "--from", str(box), "--mailbox", "hostile.mbox", status=1)
    assert done.stdout.startswith("2 messages imported, 0 were there already, 1 left out"), done.stderr
    assert "message at octet 27" in done.stderr, done.stderr
    box.write_bytes(b"no mbox at all\n")
    done = run(filled, "import", CAROL, "--from", str(box), status=1)
    assert "is no mbox" in done.stderr
    for name in ("a//b", "x" * 1001, "\x7f"):
        run(filled, "import", CAROL, "--from", str(path), "--mailbox", name, status=2)


def test_an_import_that_is_killed_is_run_again(filled):
    seed = int(os.environ.get("SEED", time.time_ns() % 1000000))
    print(f"SEED={seed}")
    pick = random.Random(seed)
    count = 20000 if LONG else 1500
    path = folder(filled, "many")
    box = mailbox.mbox(filled.folder / "many.mbox", create=True)
    box.close()
    with open(filled.folder / "many.mbox", "wb") as file:
        for i in range(count):
            file.write(b"From a Fri Nov 21 09:55:06 1997\n" + message(b"%d\n" % (i // 2), number=i // 2)[1].replace(b"\r", b"") + b"\n")
    give(filled.folder / "many.mbox")
    words = ["account", "import", CAROL, "--from", str(filled.folder / "many.mbox"), "--mailbox", "many", "-c",
             str(filled.conf)]
    for _ in range(10 if LONG else 4):
        one = subprocess.Popen([*filled.commander, str(filled.program), *words], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, cwd="/tmp")
        time.sleep(pick.random() * 0.1)
        one.send_signal(signal.SIGKILL)
        one.wait(20)
    run(filled, *words[1:-2])
    with filled.imap(CAROL) as client:
        assert int(client.select("many", readonly=True)[1][0]) == count
    run(filled, "verify", CAROL)


def test_a_mailbox_is_watched_while_it_is_filled(filled):
    """A session that has it open sees what is imported at its next command."""
    with filled.imap("dave@example.org") as client:
        client.create("watched")
        client.select("watched")
        path = filled.folder / "one.mbox"
        path.write_bytes(b"From a\nSubject: one\n\nx\n")
        give(path)
        run(filled, "import", "dave@example.org", "--from", str(path), "--mailbox", "watched")
        client.noop()
        assert client.search(None, "ALL")[1][0] == b"1"


@pytest.mark.skipif(os.geteuid() != 0, reason="users of their own need root")
def test_root_makes_nothing_that_the_roles_cannot_write(new_server):
    server = new_server(hauberk.RELEASE, start=False).by_root().start().populate("bob")
    server.commander = ["unshare", "-m", "sh", "-c", hauberk.IN_NAMESPACE, "sh", str(server.folder)]
    path = server.folder / "one.mbox"
    path.write_bytes(b"From a\nSubject: one\n\nx\n")
    path.chmod(0o600)
    run(server, "import", BOB, "--from", str(path))
    name, octets = message()
    server.send(octets)
    server.arrives(name)
    assert server.count() == 2
    run(server, "verify", "--all")
    run(server, "repair", BOB)
    out = folder(server, "out")
    run(server, "export", BOB, "--to", str(out), "--format", "eml")
    assert out.stat().st_uid == 0 and len(list(out.glob("INBOX/*.eml"))) == 2
    with server.imap() as client:
        client.select("INBOX")
        client.store("1:*", "+FLAGS", "\\Deleted")
        client.expunge()
    run(server, "verify", BOB)


def test_progress_is_shown_on_a_terminal(filled):
    path = folder(filled, "shown")
    ours, theirs = os.openpty()
    done = subprocess.run([*filled.commander, str(filled.program), "account", "export", BOB, "--to", str(path),
                           "--format", "eml", "-c", str(filled.conf)], stdout=subprocess.PIPE, stderr=theirs,
                          timeout=60, cwd="/tmp")
    os.close(theirs)
    shown = os.read(ours, 4096).decode()
    os.close(ours)
    assert done.returncode == 0 and f"1 of {4 * len(CONTENTS) + 1} messages exported" in shown, shown

"""mbsync, fetchmail and mutt against a running server: what two sides have after a sync is the same."""
import os
import re
import subprocess
import threading

import pytest

import hauberk
from hauberk import PASSWORD, behind_trace, message

LONG = bool(os.environ.get("HAUBERK_LONG"))
FLAGS = {"\\Seen": "S", "\\Flagged": "F", "\\Answered": "R", "\\Draft": "D"}


def send_many(server, who, octets_list):
    with server.smtp() as client:
        for octets in octets_list:
            client.sendmail("ann@example.com", [who], octets, ["BODY=8BITMIME"])


def new_account(server, name):
    who = f"{name}@example.org"
    server.must("account", "add", who, secret=PASSWORD)
    return who


def message_id(octets):
    return re.search(rb"(?mi)^Message-ID: (\S+)", octets).group(1).decode()


# ---- mbsync ----

class Mbsync:
    """One account's mail on both sides: IMAP folders of a server, Maildirs here."""

    def __init__(self, server, who, folder, certificate=None):
        self.server, self.who, self.mail = server, who, folder / "mail"
        self.mail.mkdir()
        self.rc = folder / "mbsyncrc"
        self.rc.write_text(f"""
IMAPStore far
Host localhost
Port {server.ports["imaps"]}
User {who}
Pass "{PASSWORD}"
SSLType IMAPS
SystemCertificates no
CertificateFile {certificate or hauberk.certificate()[0]}

MaildirStore near
Path {self.mail}/
Inbox {self.mail}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
Sync All
SyncState *
""")

    def run(self):
        return subprocess.run(["mbsync", "-c", str(self.rc), "all"], capture_output=True, text=True,
                              errors="replace", timeout=900 if LONG else 120)

    def must(self):
        done = self.run()
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def files(self, box="INBOX"):
        return [p for sub in ("cur", "new") for p in (self.mail / box / sub).iterdir()]

    def near(self, box="INBOX"):
        """Message-ID to (flags, octets without what mbsync added), every copy."""
        found = {}
        for path in self.files(box):
            octets = plain(path.read_bytes())
            flags = path.name.rsplit(":2,", 1)[1] if ":2," in path.name else ""
            found.setdefault(message_id(octets), []).append((frozenset(flags), octets))
        return found

    def far(self, box="INBOX"):
        """The same of the server's side."""
        found = {}
        with self.server.imap(self.who) as client:
            if int(client.select(box, readonly=True)[1][0]):
                for item in client.fetch("1:*", "(FLAGS BODY.PEEK[])")[1]:
                    if isinstance(item, tuple):
                        words = re.search(rb"FLAGS \(([^)]*)\)", item[0]).group(1).decode().split()
                        flags = frozenset(FLAGS[w] for w in words if w in FLAGS)
                        octets = plain(item[1])
                        found.setdefault(message_id(octets), []).append((flags, octets))
        return found

    def numbers(self, box="INBOX"):
        """UID and flags of all messages, and names of all files: what a run that does nothing leaves."""
        with self.server.imap(self.who) as client:
            count = int(client.select(box, readonly=True)[1][0])
            rows = client.fetch("1:*", "(UID FLAGS)")[1] if count else []
        return sorted(rows), sorted(str(p) for p in self.files(box))


def plain(octets):
    """LF ends lines, and the marks that mbsync leaves are taken out."""
    return re.sub(rb"(?m)^X-TUID: .*\n", b"", octets.replace(b"\r\n", b"\n"))


def mark(path, flags):
    """Sets the flags of a message in a Maildir, as a mail reader would."""
    path.rename(path.parent.parent / "cur" / (path.name.split(":2,")[0] + ":2," + "".join(sorted(flags))))


@pytest.fixture
def synced(server, tmp_path):
    """A server with an account of 500 messages (20,000 of the release build in `make test-long`)."""
    many = 20000 if LONG and server.program == hauberk.program(hauberk.RELEASE) else 500
    who = new_account(server, f"sync{len(server.must('account', 'list').splitlines())}")
    letters = dict(message(b"text %d caf\xc3\xa9\r\n.dot\r\n" % i * (1 + i % 30)) for i in range(many))
    send_many(server, who, letters.values())
    hauberk.wait_for("all of them", lambda: server.count(who) == many, 300)
    return Mbsync(server, who, tmp_path), letters


def test_mbsync_loses_and_doubles_nothing(synced):
    mbsync, letters = synced
    server, who = mbsync.server, mbsync.who

    # The first run, while more comes in.
    late = dict(message(b"late\r\n") for _ in range(100))
    sender = threading.Thread(target=send_many, args=(server, who, late.values()))
    sender.start()
    mbsync.must()
    sender.join()
    letters = {**letters, **late}
    hauberk.wait_for("what came late", lambda: server.count(who) == len(letters), 60)
    mbsync.must()
    far, near = mbsync.far(), mbsync.near()
    assert far == near
    assert {name: len(copies) for name, copies in near.items()} == dict.fromkeys(letters, 1)
    for name, copies in far.items():
        sent = letters[name].replace(b"\r\n", b"\n")
        assert copies[0][1].endswith(sent), name

    # Both sides change, and mail arrives meanwhile.
    names = sorted(letters)
    ours = {name: path for path in mbsync.files() if (name := message_id(path.read_bytes()))}
    expected = {name: set() for name in names}
    for i, name in enumerate(names):
        if i % 10 in (0, 1):  # marked here
            flags = "FS" if i % 10 else "S"
            mark(ours[name], flags)
            expected[name] = set(flags)
        elif i % 10 == 2:  # deleted here
            ours[name].unlink()
            expected.pop(name)
    with server.imap(who) as client:
        client.select("INBOX")
        uids = {}
        for item in client.uid("fetch", "1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]:
            if isinstance(item, tuple):
                uids[message_id(item[1])] = re.search(rb"UID (\d+)", item[0]).group(1).decode()
        there = {kind: [n for i, n in enumerate(names) if i % 10 == kind] for kind in (1, 3, 4)}
        for kind, flags in ((3, r"(\Answered \Flagged)"), (1, r"(\Answered)"), (4, r"(\Deleted)")):
            client.uid("store", ",".join(uids[n] for n in there[kind]), "+FLAGS.SILENT", flags)
        client.expunge()
    for name in there[3]:
        expected[name] |= {"R", "F"}
    for name in there[1]:
        expected[name] |= {"R"}
    for name in there[4]:
        expected.pop(name)
    written = dict(message(b"written here\n") for _ in range(20))
    for i, octets in enumerate(written.values()):
        (mbsync.mail / "INBOX/new" / f"1.{i}.here").write_bytes(octets.replace(b"\r\n", b"\n"))
    later = dict(message(b"later\r\n") for _ in range(50))
    sender = threading.Thread(target=send_many, args=(server, who, later.values()))
    sender.start()
    mbsync.must()
    sender.join()
    expected.update({name: set() for name in [*written, *later]})
    hauberk.wait_for("what came later", lambda: server.count(who) == len(expected), 60)
    mbsync.must()

    # The ledger.
    far, near = mbsync.far(), mbsync.near()
    assert {n: len(c) for n, c in far.items()} == dict.fromkeys(expected, 1)
    assert {n: len(c) for n, c in near.items()} == dict.fromkeys(expected, 1)
    assert far == near
    assert {n: set(c[0][0]) for n, c in near.items()} == expected
    for name, octets in written.items():
        assert far[name][0][1] == octets.replace(b"\r\n", b"\n")

    # Nothing is left to do.
    before = mbsync.numbers()
    mbsync.must()
    assert mbsync.numbers() == before


def test_mbsync_makes_folders_on_both_sides(server, tmp_path):
    who = new_account(server, f"boxes{len(server.must('account', 'list').splitlines())}")
    mbsync = Mbsync(server, who, tmp_path)
    theirs, ours = message(b"theirs\r\n"), message(b"ours\r\n")
    with server.imap(who) as client:
        for box in ("Work", '"Work/2026"', "Entw&APw-rfe"):
            assert client.create(box)[0] == "OK"
            assert client.append(box, r"(\Seen)", None, theirs[1])[0] == "OK"
    for part in ("cur", "new", "tmp"):
        (mbsync.mail / "Mine" / part).mkdir(parents=True)
    (mbsync.mail / "Mine/cur/1.1.here:2,F").write_bytes(ours[1].replace(b"\r\n", b"\n"))
    mbsync.must()
    for box, near in (("Work", "Work"), ("Work/2026", "Work/2026"), ("Entw&APw-rfe", "Entwürfe")):
        path = mbsync.mail / near
        if not path.is_dir():
            path = mbsync.mail / box
        found = [plain(p.read_bytes()) for p in (path / "cur").iterdir()]
        assert found == [theirs[1].replace(b"\r\n", b"\n")], box
    assert mbsync.far("Mine") == {ours[0]: [({"F"}, ours[1].replace(b"\r\n", b"\n"))]}
    before = {box: mbsync.numbers(box) for box in ("Work", "Mine")}
    mbsync.must()
    assert before == {box: mbsync.numbers(box) for box in ("Work", "Mine")}


def test_mbsync_refuses_a_certificate_that_it_does_not_trust(server, tmp_path):
    other = tmp_path / "other.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-keyout", "/dev/null", "-out", str(other)],
                   check=True, capture_output=True, timeout=30)
    done = Mbsync(server, "bob@example.org", tmp_path, other).run()
    assert done.returncode != 0 and "certificate" in (done.stdout + done.stderr).lower()


# ---- fetchmail ----

BODIES = [b"plain\r\n", b".dot\r\n..two\r\n...\r\n.\r\n", b"caf\xe9 \xff \x80\r\n", b"", b"\r\n\r\n", b"From here\r\n>From there\r\n",
          b"x" * 3000 + b"\r\n" + b"y" * 990 + b"\r\n", b"".join(b"%06d line\r\n" % i for i in range(20000))]


class Fetchmail:
    def __init__(self, server, who, protocol, listener, ssl, keep, folder):
        self.into = folder / "fetched"
        self.into.mkdir()
        self.folder, self.rc = folder, folder / "fetchmailrc"
        self.rc.write_text(
            f'poll localhost protocol {protocol} port {server.ports[listener]} {"uidl" if protocol == "POP3" else ""}\n'
            f'  user "{who}" password "{PASSWORD}" {"keep" if keep else "nokeep"} {"" if keep else "fetchall"}\n'
            f'  {ssl} sslcertck sslcertfile "{hauberk.certificate()[0]}"\n'
            f'  no rewrite no mimedecode fetchlimit 0 mda "cat > $(mktemp {self.into}/m.XXXXXX)"\n')
        self.rc.chmod(0o600)

    def run(self):
        """True: it got something; False: there was nothing."""
        done = subprocess.run(
            ["fetchmail", "--nodetach", "--nosyslog", "--invisible", "-v", "-f", str(self.rc), "--idfile",
             str(self.folder / "ids"), "--pidfile", str(self.folder / "pid")],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=120,
            env={"HOME": str(self.folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C"})
        assert done.returncode in (0, 1), done.stdout[-3000:] + done.stderr[-2000:]
        return done.returncode == 0

    def fetched(self):
        found = {}
        for path in self.into.iterdir():
            octets = path.read_bytes()
            found.setdefault(message_id(octets), []).append(octets)
        return found


WAYS = {"pop3, STLS": ("POP3", "pop3", 'sslproto "TLS1.2+"'), "pop3s": ("POP3", "pop3s", "ssl"),
        "imap, STARTTLS": ("IMAP", "imap", 'sslproto "TLS1.2+"'), "imaps": ("IMAP", "imaps", "ssl")}


@pytest.mark.parametrize("keep", [True, False], ids=["keep", "nokeep"])
@pytest.mark.parametrize("way", WAYS)
def test_fetchmail_gets_each_message_once_and_whole(server, tmp_path, way, keep):
    who = new_account(server, f"fetch{len(server.must('account', 'list').splitlines())}")
    letters = dict(message(body) for body in BODIES)
    send_many(server, who, letters.values())
    hauberk.wait_for("all of them", lambda: server.count(who) == len(letters))
    stored = {name: copies[0] for name, copies in server.mailbox(who).items()}
    fetchmail = Fetchmail(server, who, *WAYS[way], keep, tmp_path)
    assert fetchmail.run()
    check_fetched(fetchmail, stored)
    assert server.count(who) == (len(letters) if keep else 0)
    # Again: nothing new; then one more comes, and only that one.
    assert not fetchmail.run()
    name, octets = message(b"one more\r\n")
    server.send(octets, to=[who])
    stored[name] = server.arrives(name, who)
    assert fetchmail.run()
    check_fetched(fetchmail, stored)


def check_fetched(fetchmail, stored):
    found = fetchmail.fetched()
    assert {name: len(copies) for name, copies in found.items()} == dict.fromkeys(stored, 1)
    for name, octets in stored.items():
        assert fetched_text(found[name][0]) == fetched_text(octets.replace(b"\r\n", b"\n")), name


def fetched_text(octets):
    """A message as fetchmail hands it on: it takes out the Return-Path and may end it with an empty line."""
    return re.sub(rb"\AReturn-Path: .*\n", b"", octets).rstrip(b"\n")


# ---- mutt ----

def test_mutt_moves_a_message_to_another_folder(server, tmp_path):
    who = new_account(server, f"mutt{len(server.must('account', 'list').splitlines())}")
    name, octets = message(subject="to be moved")
    server.send(octets, to=[who])
    server.arrives(name, who)
    with server.imap(who) as client:
        client.create("Archive")
    rc = tmp_path / "muttrc"
    rc.write_text(f"""
set folder="imaps://127.0.0.1:{server.ports['imaps']}/"
set spoolfile="+INBOX"
set imap_user="{who}"
set imap_pass="{PASSWORD}"
set certificate_file="{hauberk.certificate()[0]}"
set ssl_verify_host=no
set header_cache=""
set delete=yes confirmappend=no confirmcreate=no quit=yes
""")
    keys = "<save-message><kill-line>=Archive<enter><sync-mailbox><quit>"
    done = subprocess.run(["script", "-qec", f"mutt -F {rc} -e 'push {keys}'", "/dev/null"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=60,
                          env={"TERM": "xterm", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert server.count(who) == 0, done.stdout[-2000:]
    with server.imap(who) as client:
        assert client.select("Archive", readonly=True)[1] == [b"1"]
        assert behind_trace(client.fetch("1", "(BODY.PEEK[])")[1][0][1]) == octets

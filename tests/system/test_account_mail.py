"""hauberk account verify and repair: every kind of damage to the mail of an account is named, and mended."""
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

import hauberk
from hauberk import message

LONG = bool(os.environ.get("HAUBERK_LONG"))
BOB = "bob@example.org"
TABLES = ["account", "mailbox", "message", "keyword", "body", "body_data", "head", "change", "delivered",
          "garbage", "subscription", "flag_span"]
# Where the row of a table is told by another one that counts it, or is made of it.
TOLD_BY = {"account": {"mailbox", "keyword", "subscription", "delivered"}, "mailbox": {"change", "flag_span"},
           "body": {"body_data", "message"}, "body_data": {"body", "message"}, "garbage": {"body"}}


def chance():
    seed = int(os.environ.get("SEED", time.time_ns() % 1000000))
    print(f"SEED={seed}")  # shown when the test fails
    return random.Random(seed)


def fill(server):
    """Something in every table: mailboxes, keywords, copies, removals, flags of many."""
    for i in range(3):
        name, octets = message(b"text %d\r\n" % i)
        server.send(octets)
        server.arrives(name)
    with server.imap() as client:
        client.create("Work/Entw&APw-rfe")
        client.create("Many")
        client.create("Later")
        client.subscribe("Later")
        client.delete("Later")
        for i in range(20):
            client.append("Many", None, '"17-Jul-2021 02:44:25 +0000"', message(b"m %d\r\n" % i)[1])
        client.append("Work/Entw&APw-rfe", "(\\Draft $Forwarded)", None, message(b"<draft>\r\n")[1])
        client.select("INBOX")
        client.copy("2", "Work/Entw&APw-rfe")
        client.store("3", "+FLAGS", "\\Deleted")
        client.expunge()
        client.select("Many")
        client.store("1:20", "+FLAGS", "\\Flagged")  # a span


class Account:
    """Bob's mail, with the server stopped, as it was and as it is damaged."""

    def __init__(self):
        self.server = hauberk.Server(hauberk.RELEASE)
        self.server.start().populate("bob")
        fill(self.server)
        self.server.stop()
        number = self.server_list()
        self.folder = self.server.folder / "state/accounts" / number
        self.path = self.folder / "mail.db"
        with self.open() as db:
            db.execute("INSERT OR IGNORE INTO garbage SELECT account_id, id FROM body WHERE refs = 0")
            db.commit()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.kept = self.server.folder / "kept.db"
        shutil.copy(self.path, self.kept)
        self.whole = self.dump()
        empty = [t for t in TABLES if not self.whole[t]]
        assert not empty, empty

    def server_list(self):
        return [p.name for p in (self.server.folder / "state/accounts").iterdir()][0]

    def open(self):
        return sqlite3.connect(self.path)

    def dump(self):
        db = self.open()
        db.text_factory = bytes  # damaged text need not be UTF-8
        try:
            return {t: sorted(map(repr, db.execute(f"SELECT * FROM {t}"))) for t in TABLES}
        finally:
            db.close()

    def restore(self):
        for one in self.folder.iterdir():
            one.unlink()
        shutil.copy(self.kept, self.path)
        self.give()

    def give(self):
        if os.geteuid() == 0:
            for one in self.folder.iterdir():
                shutil.chown(one, "nobody", "nogroup")

    def sql(self, *statements):
        db = self.open()
        for one in statements:
            db.execute(one)
        db.commit()
        db.close()
        self.give()

    def verify(self):
        done = self.server.command("account", "verify", BOB, "--json")
        assert done.returncode in (0, 1), done
        report = json.loads(done.stdout)
        faults = report[0]["faults"]
        assert bool(faults) == (done.returncode == 1), done
        return faults

    def named(self):
        return {f["table"] for f in self.verify()}

    def repair(self, status=0):
        done = self.server.command("account", "repair", BOB)
        assert done.returncode == status, (done.stdout, done.stderr)
        return done.stdout

    def mended(self):
        said = self.repair()
        assert self.verify() == [], said
        return said


@pytest.fixture(scope="module")
def account():
    one = Account()
    yield one
    one.server.kill()


def test_nothing_is_wrong_with_what_the_server_wrote(account):
    account.restore()
    assert account.verify() == []
    assert "nothing is wrong" in account.repair()
    done = account.server.command("account", "verify", "--all")
    assert done.returncode == 0 and f"{BOB}: nothing is wrong" in done.stdout
    assert account.server.command("account", "verify", "nobody@example.org").returncode == 2
    assert account.server.command("account", "verify").returncode == 2
    assert account.dump() == account.whole


def changed(kind, column):
    if kind == "INTEGER":
        return f"{column} = {column} + 256"
    if kind == "TEXT":
        return f"{column} = {column} || 'x'"
    return f"{column} = CAST({column} || x'41' AS BLOB)"


def columns():
    for table in TABLES:
        yield pytest.param(table, id=table)


@pytest.mark.parametrize("table", columns())
def test_a_changed_column_is_named(account, table):
    account.restore()
    db = account.open()
    rows = [(r[1], r[2]) for r in db.execute(f"PRAGMA table_info({table})") if r[1] not in ("account_id", "boot")]
    db.close()
    for column, kind in rows:
        account.restore()
        account.sql(f"UPDATE {table} SET {changed(kind, column)} WHERE rowid IN (SELECT max(rowid) FROM {table})"
                    if table in ("body_data", "head") else
                    f"UPDATE {table} SET {changed(kind, column)} WHERE ({key(table)}) = "
                    f"(SELECT {key(table)} FROM {table} ORDER BY {key(table)} DESC LIMIT 1)")
        named = account.named()
        assert named & ({table} | TOLD_BY.get(table, set())), (table, column, named)
        said = account.mended()
        assert "repaired" in said, (table, column, said)


def key(table):
    return {"account": "account_id", "mailbox": "account_id, id", "message": "account_id, mailbox, uid",
            "keyword": "account_id, bit", "body": "account_id, id", "change": "account_id, mailbox, modseq, uid_lo, kind",
            "delivered": "account_id, segment, place, recipient", "garbage": "account_id, body",
            "subscription": "account_id, name", "flag_span": "account_id, mailbox, modseq, uid_lo"}[table]


@pytest.mark.parametrize("table", TABLES)
def test_a_lost_row_is_named(account, table):
    account.restore()
    where = "id = (SELECT max(id) FROM %s)" % table if table in ("body_data", "head") else \
        f"({key(table)}) = (SELECT {key(table)} FROM {table} ORDER BY {key(table)} DESC LIMIT 1)"
    account.sql(f"DELETE FROM {table} WHERE {where}")
    named = account.named()
    assert named & ({table} | TOLD_BY.get(table, set())), named
    account.mended()


def bodies(account):
    """All contents of messages that are in mailboxes."""
    db = account.open()
    found = sorted(r[0] for r in db.execute("SELECT d.data FROM message m JOIN body_data d ON d.id = m.body"))
    db.close()
    return found


def test_messages_whose_rows_or_mailboxes_are_lost_are_recovered(account):
    account.restore()
    before = bodies(account)
    account.sql("DELETE FROM message WHERE mailbox = 1", "DELETE FROM mailbox WHERE name = 'Many'")
    said = account.mended()
    assert bodies(account) == before and "Recovered" in said
    db = account.open()
    names = [r[0] for r in db.execute("SELECT name FROM mailbox")]
    flags = [r[0] for r in db.execute("SELECT flags FROM message m JOIN mailbox b ON b.id = m.mailbox "
                                      "WHERE b.name = 'Recovered'")]
    db.close()
    assert "Recovered" in names and len(flags) >= 21


def test_what_is_not_whole_is_set_aside(account):
    account.restore()
    account.sql("UPDATE body_data SET data = CAST(replace(data, 'text 0', 'test 0') AS BLOB) WHERE id = 1",
                "DELETE FROM body_data WHERE id = 2")
    said = account.mended()
    db = account.open()
    texts = [r[0] for r in db.execute("SELECT d.data FROM message m JOIN mailbox b ON b.id = m.mailbox "
                                      "JOIN body_data d ON d.id = m.body WHERE b.name = 'Recovered/Damaged'")]
    db.close()
    assert any(b"test 0" in t for t in texts), said
    assert any(b"this message is lost" in t for t in texts), said


def test_uids_are_not_used_again_and_modseqs_grow(account):
    account.restore()
    db = account.open()
    before = db.execute("SELECT uidnext, uidvalidity, modseq FROM mailbox WHERE id = 1").fetchone()
    db.close()
    account.sql("UPDATE message SET flags = flags | 2 WHERE mailbox = 1", "UPDATE account SET messages = 99",
                "DELETE FROM message WHERE mailbox = 1 AND uid = 1")
    account.mended()
    db = account.open()
    after = db.execute("SELECT uidnext, uidvalidity, modseq FROM mailbox WHERE id = 1").fetchone()
    db.close()
    assert after[0] == before[0] and after[1] == before[1] and after[2] > before[2]
    account.restore()
    account.sql("UPDATE mailbox SET uidnext = uidnext - 1 WHERE id = 1")
    account.mended()
    db = account.open()
    assert db.execute("SELECT uidvalidity FROM mailbox WHERE id = 1").fetchone()[0] > before[1]
    db.close()


def test_a_dry_run_changes_nothing(account):
    account.restore()
    account.sql("UPDATE account SET messages = 99", "DELETE FROM head WHERE id = 1")
    before = account.dump()
    done = account.server.command("account", "repair", BOB, "--dry-run")
    assert done.returncode == 0 and "nothing was changed" in done.stdout and "head" in done.stdout
    assert account.dump() == before


def test_a_flipped_octet_anywhere_is_found_or_harmless(account):
    """What verify does not see has changed nothing that anybody reads."""
    pick = chance()
    size, found = account.kept.stat().st_size, 0
    refused = 0
    account.restore()
    texts = set(bodies(account))
    rounds = 3000 if LONG else 25
    for _ in range(rounds):
        account.restore()
        at, bit = pick.randrange(100, size), 1 << pick.randrange(8)
        octets = bytearray(account.kept.read_bytes())
        octets[at] ^= bit
        account.path.write_bytes(octets)
        account.give()
        print("octet", at, "bit", bit)
        if not account.verify():
            assert without_boot(account.dump()) == without_boot(account.whole)
            continue
        found += 1
        done = account.server.command("account", "repair", BOB)
        if done.returncode == 2:  # where the tables begin, or the one with all messages: nobody guesses that
            assert "put back a backup" in done.stderr, done
            refused += 1
            continue
        assert account.verify() == [], (at, bit, done)
        assert len(set(bodies(account)) & texts) >= len(texts) - 1, (at, bit, done)
    assert found > rounds / 20 and refused < rounds / 10


@pytest.mark.parametrize("at", [0, 17, 18, 30, 47, 57, 59])
def test_the_head_of_the_file(account, at):
    """What is the same in every file is put right, or is made anew."""
    account.restore()
    before = bodies(account)
    octets = bytearray(account.kept.read_bytes())
    octets[at] ^= 0x41
    account.path.write_bytes(octets)
    account.give()
    done = account.server.command("account", "verify", BOB)
    if done.returncode == 0:
        assert account.dump() == account.whole
        return
    assert "mail.db" in done.stdout
    account.mended()
    assert bodies(account) == before


def without_boot(dump):
    return {t: rows for t, rows in dump.items() if t != "account"}


def spoil_page(account, table):
    db = account.open()
    root = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
    db.close()
    with open(account.path, "r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\x55" * 4096)


@pytest.mark.parametrize("table", ["message", "head", "mailbox", "change"])
def test_a_lost_page_is_named_and_the_file_made_anew(account, table):
    account.restore()
    before = bodies(account)
    spoil_page(account, table)
    assert account.named() & {"mail.db"}
    said = account.mended()
    assert "kept as" in said and list(account.folder.glob("mail.db.damaged-*"))
    assert set(bodies(account)) == set(before)  # of a copy, too, the message is there once at least


def test_the_log(account):
    """An octet of the log: it is named before the file is opened, and nothing behind it is lost."""
    account.restore()
    before = len(bodies(account)) + 3
    server = account.server.start()
    with server.imap() as client:
        for i in range(3):
            client.append("INBOX", None, None, message(b"in the log %d\r\n" % i)[1])
    server.kill()
    pids = [int(p) for p in re.findall(r"pid=(\d+)", server.log())]
    hauberk.wait_for("the roles to end", lambda: not any(os.path.exists(f"/proc/{p}") and
                     "hauberk" in open(f"/proc/{p}/comm").read() for p in pids))
    server.process = None
    log = account.folder / "mail.db-wal"
    octets = bytearray(log.read_bytes())
    assert len(octets) > 2 * 4120
    octets[32 + 24 + 200] ^= 4
    log.write_bytes(octets)
    account.give()
    assert account.named() == {"mail.db-wal"}
    account.repair()
    assert account.verify() == []
    assert len(bodies(account)) >= before


def test_repair_killed_at_any_point(account):
    pick = chance()
    for _ in range(60 if LONG else 6):
        account.restore()
        account.sql("DELETE FROM message WHERE mailbox = 1", "DELETE FROM head", "UPDATE account SET bytes = 1")
        command = [*account.server.commander, str(account.server.program), "account", "repair", BOB, "-c",
                   str(account.server.conf)]
        one = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/tmp")
        time.sleep(pick.random() * 0.04)
        one.send_signal(signal.SIGKILL)
        one.wait(20)
        account.mended()


def test_imap_serves_what_was_repaired_while_it_runs(account):
    account.restore()
    server = account.server.start()
    with server.imap() as client:
        client.select("INBOX")
        account.sql("DELETE FROM head WHERE id = 1", "UPDATE mailbox SET messages = 77",
                    "UPDATE message SET flags = 8 WHERE mailbox = 1 AND uid = 1")
        assert {"head", "mailbox", "message"} <= account.named()
        account.mended()
        assert client.noop()[0] == "OK"
        answer = client.fetch("1:*", "(UID FLAGS ENVELOPE BODY.PEEK[])")
        assert answer[0] == "OK" and len([a for a in answer[1] if isinstance(a, tuple)]) == 2
    assert server.count() == 2
    server.stop()
    assert account.verify() == []

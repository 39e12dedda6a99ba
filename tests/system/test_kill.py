"""Every role killed again and again under load: nothing that was answered 250 (or OK) is lost, nothing
comes twice, every octet is as it was sent."""
import hashlib
import imaplib
import os
import pathlib
import random
import re
import signal
import smtplib
import threading
import time

import hauberk
from hauberk import PASSWORD, behind_trace, message

LONG = bool(os.environ.get("HAUBERK_LONG"))
MESSAGES = 20000 if LONG else 500
KILLS = 200 if LONG else 8  # of each role
PAUSE = 0.5                 # seconds at most between two kills
SENDERS = 6
PEOPLE = ("bob", "carol", "dave")
ROLES = ("control", "keys", "auth", "queue", "deliver", "smtp", "imap")
SIZES = (1, 50, 400, 4000)  # lines
LARGE = 200000              # lines: a file of its own in the spool
AHEAD = 30                  # messages that the load may be ahead of the kills


def digest(octets):
    return hashlib.sha256(octets).digest()


class Ledger:
    """What was tried and what was answered, by Message-ID."""

    def __init__(self):
        self.lock = threading.Lock()
        self.tried, self.octets, self.accepted = {}, {}, set()
        self.ids = {}  # of the queue, to find a message in the log
        self.failed = []
        self.progress = 0.0  # of the kills

    def allowed(self):
        """The load is spread over the kills, and ends when both are done."""
        return self.progress >= 1 or len(self.accepted) < MESSAGES * self.progress + AHEAD

    def done(self):
        return self.progress >= 1 and len(self.accepted) >= MESSAGES

    def next(self, pick, people=PEOPLE):
        """A new message and whom it is for; None at the end."""
        while not self.done():
            if self.allowed():
                lines = LARGE if pick.random() < 0.002 else pick.choice(SIZES)
                name, octets = message(b"load\r\n" * lines)
                with self.lock:
                    self.octets[name] = digest(octets)
                    self.tried[name] = pick.sample(people, pick.randint(1, len(people)))
                return name, octets
            time.sleep(0.01)
        return None

    def accept(self, name, queue_id=None):
        with self.lock:
            self.accepted.add(name)
            self.ids[name] = queue_id


def send_some(server, ledger, pick):
    """A few messages over one connection; False at the end."""
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=30) as client:
        client.ehlo("client.example")
        for _ in range(pick.randint(1, 5)):
            one = ledger.next(pick)
            if not one:
                return False
            name, octets = one
            client.mail("a@b.example")
            codes = {client.rcpt(f"{who}@example.org")[0] for who in ledger.tried[name]}
            if codes == {250}:
                code, said = client.data(octets)
                if code == 250:
                    ledger.accept(name, said.decode().split()[-1])
            else:
                client.rset()
    return True


def append_some(server, ledger, pick):
    """The same by IMAP, into an account that gets no mail."""
    client = imaplib.IMAP4("127.0.0.1", server.ports["imap_plain"], timeout=30)
    with client:
        client.login("erin@example.org", PASSWORD)
        for _ in range(pick.randint(1, 5)):
            one = ledger.next(pick, ("erin",))
            if not one:
                return False
            name, octets = one
            if client.append("INBOX", None, None, octets)[0] == "OK":
                ledger.accept(name)
            client.select("INBOX", readonly=True)
    return True


def load(server, ledger, seed, some):
    pick = random.Random(seed)
    try:
        while True:
            try:
                if not some(server, ledger, pick):
                    return
            except (OSError, EOFError, smtplib.SMTPException, imaplib.IMAP4.error):
                time.sleep(0.02)  # the process at the other end, or one that it asks, was killed
    except Exception as error:
        ledger.failed.append(error)
        raise


def lives(pid):
    """It has not been killed: a zombie has."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def processes(main, role):
    """The pids of main's living children with this role, by what they call themselves."""
    found = []
    for pid in pathlib.Path(f"/proc/{main}/task/{main}/children").read_text().split():
        try:
            name = pathlib.Path(f"/proc/{pid}/comm").read_text()
        except OSError:
            continue
        if name.split(".")[0] == role and lives(pid):
            found.append(int(pid))
    return found


def kill_all(server, ledger, pick):
    """Each role as often as the others, in random order, at random moments: some will only just start."""
    deck = list(ROLES) * KILLS
    pick.shuffle(deck)
    for n, role in enumerate(deck):
        pids = hauberk.wait_for(role, lambda: processes(server.process.pid, role), 30)
        victim = pick.choice(pids)
        os.kill(victim, signal.SIGKILL)
        hauberk.wait_for("its end", lambda: not lives(victim), 30)
        ledger.progress = (n + 1) / len(deck)
        hauberk.wait_for("the load to go on",
                         lambda: len(ledger.accepted) >= MESSAGES * ledger.progress - AHEAD, 120)
        # Not a wait for anything: the moment of a kill is what is random.
        time.sleep(pick.uniform(0, PAUSE))


def test_nothing_is_lost_or_doubled_when_the_roles_are_killed_under_load(new_server):
    seed = int(os.environ.get("SEED", time.time_ns() % 1000000))
    print(f"SEED={seed}")  # shown when the test fails
    server = new_server(hauberk.RELEASE, environment={"HAUBERK_STEADY_MS": "0"})
    server.populate(*PEOPLE, "erin")
    server.expected.add("role.died")
    ledger = Ledger()
    threads = [threading.Thread(target=load, args=(server, ledger, seed + i, some), daemon=True)
               for i, some in enumerate([send_some] * SENDERS + [append_some], 1)]
    for one in threads:
        one.start()
    try:
        kill_all(server, ledger, random.Random(seed))
    finally:
        ledger.progress = 1
    for one in threads:
        one.join(240)
        assert not one.is_alive()
    assert not ledger.failed and len(ledger.accepted) >= MESSAGES
    rows = hauberk.wait_for("all roles to be there again", server.ready, 30)
    for role in ROLES:
        assert sum(r["restarts"] for r in rows if r["role"] == role) == KILLS, rows
    for who in (*PEOPLE, "erin"):
        compare(server, ledger, who)


def compare(server, ledger, who):
    wanted = {name for name in ledger.accepted if who in ledger.tried[name]}
    allowed = {name for name, to in ledger.tried.items() if who in to}
    address = f"{who}@example.org"
    assert wanted
    try:
        hauberk.wait_for(f"the mail of {who}", lambda: server.count(address) >= len(wanted), 60)
    except AssertionError:
        tell(server, ledger, wanted - {name for name, _ in everything(server, address)})
        raise
    hauberk.wait_for(f"the rest of {who}'s mail", lambda: nothing_waits(server), 60)
    found = {}
    for name, octets in everything(server, address):
        # An answer lost on the way leaves a message that its sender does not know to be there.
        assert name in allowed, name
        assert name not in found, f"{name} came twice"
        found[name] = digest(behind_trace(octets) if who != "erin" else octets)
    assert not wanted - set(found), sorted(wanted - set(found))[:10]
    for name, got in found.items():
        assert got == ledger.octets[name], name


def tell(server, ledger, missing):
    """What the log says of some that did not come."""
    print(server.must("status"))
    lines = server.log().splitlines()
    for name in sorted(missing)[:5]:
        print(len(missing), "missing:", name, ledger.ids.get(name), ledger.tried[name])
        print("\n".join(l for l in lines if ledger.ids.get(name) and ledger.ids[name] in l)[-3000:])
    print("\n".join(lines[-30:]))


def nothing_waits(server):
    """The queue has handed everything over: nothing can come twice later."""
    return all(row.get("waiting", "0") == "0" for row in server.ready() or [{"waiting": "1"}])


def everything(server, address):
    """(Message-ID, octets) of all messages of an INBOX, some at a time."""
    with server.imap(address) as client:
        n = int(client.select("INBOX", readonly=True)[1][0])
        for first in range(1, n + 1, 200):
            for item in client.fetch(f"{first}:{min(n, first + 199)}", "(BODY.PEEK[])")[1]:
                if isinstance(item, tuple):
                    name = re.search(rb"(?mi)^Message-ID: (\S+)", item[1]).group(1).decode()
                    yield name, item[1]

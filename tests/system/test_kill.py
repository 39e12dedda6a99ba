"""Every role killed once under load: nothing that was answered 250 is lost, nothing comes twice."""
import os
import random
import signal
import smtplib
import threading
import time

import hauberk
from hauberk import message

MESSAGES = 2000 if os.environ.get("HAUBERK_LONG") else 300
SENDERS = 6
PEOPLE = ("bob", "carol", "dave")


class Ledger:
    """What was tried and what was accepted, by name."""

    def __init__(self):
        self.lock = threading.Lock()
        self.tried, self.accepted = {}, {}
        self.failed = []

    def next(self, pick):
        with self.lock:
            if len(self.accepted) >= MESSAGES:
                return None
            name, octets = message(b"load\r\n" * pick.choice((1, 50, 4000)))
            self.tried[name] = pick.sample(PEOPLE, pick.randint(1, len(PEOPLE)))
            return name, octets


def send(server, ledger, seed):
    pick = random.Random(seed)
    while True:
        one = ledger.next(pick)
        if not one:
            return
        name, octets = one
        to = [f"{who}@example.org" for who in ledger.tried[name]]
        try:
            with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=30) as client:
                client.ehlo("client.example")
                client.mail("a@b.example")
                codes = [client.rcpt(who)[0] for who in to]
                if set(codes) == {250} and client.data(octets)[0] == 250:
                    with ledger.lock:
                        ledger.accepted[name] = ledger.tried[name]
        except (OSError, smtplib.SMTPException):
            time.sleep(0.02)  # the process at the other end was killed
        except Exception as error:
            ledger.failed.append(error)
            raise


def kill_each(server, ledger, pick):
    """Each process but main once, in random order, spread over the load."""
    victims = [(r["role"], i) for i, r in enumerate(server.status()) if r["role"] != "main"]
    pick.shuffle(victims)
    for n, (role, i) in enumerate(victims):
        due = MESSAGES * n // (len(victims) + 1)
        hauberk.wait_for("the load to go on", lambda: len(ledger.accepted) >= due, 60)
        row = hauberk.wait_for("all roles", server.ready, 30)[i]
        assert row["role"] == role
        os.kill(row["pid"], signal.SIGKILL)
    return [role for role, _ in victims]


def test_nothing_is_lost_or_doubled_when_each_role_is_killed_under_load(new_server):
    seed = int(os.environ.get("SEED", time.time_ns() % 1000000))
    print(f"SEED={seed}")  # shown when the test fails
    server = new_server(hauberk.RELEASE).populate(*PEOPLE)
    server.expected.add("role.died")
    ledger = Ledger()
    threads = [threading.Thread(target=send, args=(server, ledger, seed + i + 1), daemon=True)
               for i in range(SENDERS)]
    for one in threads:
        one.start()
    killed = kill_each(server, ledger, random.Random(seed))
    for one in threads:
        one.join(240)
        assert not one.is_alive()
    assert not ledger.failed and len(ledger.accepted) >= MESSAGES
    rows = hauberk.wait_for("all roles to be there again", server.ready, 30)
    assert {r["role"] for r in rows if r["restarts"] == 1} == set(killed)
    assert sum(r["restarts"] for r in rows) == len(killed), rows
    compare(server, ledger)


def compare(server, ledger):
    for who in PEOPLE:
        wanted = {name for name, to in ledger.accepted.items() if who in to}
        allowed = {name for name, to in ledger.tried.items() if who in to}
        address = f"{who}@example.org"
        hauberk.wait_for(f"the mail of {who}",
                         lambda: wanted <= set(server.mailbox(address)), 30)
        found = server.mailbox(address)
        # An answer lost on the way leaves a message that its sender does not know to be there.
        assert set(found) <= allowed, set(found) - allowed
        doubled = {name for name, copies in found.items() if len(copies) > 1}
        assert not doubled, doubled

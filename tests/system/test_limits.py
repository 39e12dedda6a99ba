"""Limits that all processes of a server keep together: connections and failed logins of an address."""
import base64
import os
import signal

import pytest

import hauberk
from hauberk import PASSWORD

SETTINGS = '''auth: { maxFailures = 12; failureWindow = "30 min"; };
smtp: { processes = 3; peerMaxConnections = 9; };
imap: { processes = 3; peerMaxConnections = 9; };
pop3: { peerMaxConnections = 9; };'''
TOO_MANY = "too many connections from your address"


@pytest.fixture
def limited():
    server = hauberk.Server(settings=SETTINGS)
    try:
        yield server.start().populate("ann")
        server.stop()
    finally:
        server.kill()


def sessions(server, role):
    return sum(int(r.get("sessions", 0)) for r in server.status() if r["role"] == role)


def fill(server, name, n, host="127.0.0.1"):
    """n connections that were greeted."""
    raws = [server.raw(name, host) for _ in range(n)]
    for raw in raws:
        assert TOO_MANY not in raw.line()
    return raws


@pytest.mark.parametrize("role, name, word", (
    ("smtp", "smtp", "421 4.7.0 "), ("imap", "imap", "* BYE [LIMIT] "), ("imap", "pop3", "-ERR [SYS/TEMP] ")))
def test_an_address_has_so_many_connections_to_all_processes_and_no_more(limited, role, name, word):
    raws = fill(limited, name, 9)
    for _ in range(5):
        with limited.raw(name) as raw:
            text = raw.all()
            assert text.startswith(word) and TOO_MANY in text, text
    with limited.raw(name + "s") as raw:
        assert raw.all() == ""  # closed before the handshake
    assert sum(int(r.get("crowded", 0)) for r in limited.status()) == 6
    others = fill(limited, name, 9, "::1")
    raws.pop().close()
    hauberk.wait_for("one to be gone", lambda: sessions(limited, role) == 17)
    raws += fill(limited, name, 1)
    for raw in raws + others:
        raw.close()


def test_what_a_dead_process_had_open_does_not_count(limited):
    limited.expected.add("role.died")
    raws = fill(limited, "imap", 9)
    victim = next(r for r in limited.status() if r["role"].startswith("imap") and r.get("sessions"))
    os.kill(victim["pid"], signal.SIGKILL)
    hauberk.wait_for("a successor", lambda: any(
        r["restarts"] for r in limited.ready() if r["role"].startswith("imap")))
    raws += fill(limited, "imap", int(victim["sessions"]))
    with limited.raw("imap") as raw:
        assert TOO_MANY in raw.all()
    for raw in raws:
        raw.close()


def wrong_imap(server):
    with server.raw("imap_plain") as raw:
        raw.line()
        return raw.tagged('LOGIN ann@example.org "wrong"')


def wrong_pop3(server):
    with server.raw("pop3s") as raw:
        raw.starttls()
        raw.line()
        raw.send(b"USER ann@example.org\r\n")
        raw.line()
        raw.send(b"PASS wrong\r\n")
        return raw.line()


def wrong_smtp(server):
    with server.raw("smtps") as raw:
        raw.starttls()
        raw.reply()
        raw.say("EHLO c.example")
        return raw.say("AUTH PLAIN " + hauberk.plain_token(password="wrong"))


def test_failed_logins_of_an_address_are_counted_over_all_protocols_and_processes(limited):
    for i in range(12):
        said = (wrong_imap, wrong_pop3, wrong_smtp)[i % 3](limited)
        assert any(word in said for word in ("AUTHENTICATIONFAILED", "-ERR [AUTH]", "535")), said
    # From now on even the right password has to wait, and hears why.
    with limited.raw("imap_plain") as raw:
        raw.line()
        said = raw.tagged(f'LOGIN ann@example.org "{PASSWORD}"')
        assert " NO " in said and "too many failed logins from your address" in said
    assert wrong_smtp(limited).startswith("454 4.7.0 ")
    assert "-ERR [SYS/TEMP] too many failed logins" in wrong_pop3(limited)
    assert "auth.maxFailures" in limited.log()
    # Other addresses do not.
    with limited.imap("ann@example.org", host="::1") as client:
        assert client.noop()[0] == "OK"
    counts = [int(r.get("refused", 0)) for r in limited.status()]
    assert sum(counts) == 12


ELSEWHERE = [f"127.0.{i}.1" for i in range(2, 12)]


@pytest.fixture
def throttled():
    server = hauberk.Server(settings='''auth: { maxFailures = 100; accountMaxFailures = 5; networkMaxFailures = 8;
        failureWindow = "30 min"; }; smtp: { xclientFrom = "127.0.0.1"; };''')
    try:
        yield server.start().populate("ann", "bob", "carol")
        server.stop()
    finally:
        server.kill()


def log_in_from(server, address, name, password, mechanism="PLAIN"):
    """What SMTP says to a login from that address."""
    with server.raw("smtps") as raw:
        raw.starttls()
        raw.reply()
        raw.say("EHLO c.example")
        assert raw.say(f"XCLIENT ADDR={address}").startswith("220")
        raw.say("EHLO c.example")
        if mechanism == "PLAIN":
            return raw.say("AUTH PLAIN " + hauberk.plain_token(name, password))
        first = base64.b64encode(f"n,,n={name},r=abcdefgh".encode()).decode()
        return raw.say(f"AUTH {mechanism} {first}")


def test_wrong_passwords_of_an_account_are_counted_wherever_they_come_from(throttled):
    for address in ELSEWHERE[:5]:
        assert log_in_from(throttled, address, "ann@example.org", "wrong").startswith("535")
    said = log_in_from(throttled, ELSEWHERE[6], "Ann@Example.Org", PASSWORD)
    assert said.startswith("454 4.7.0") and "too many failed logins for this account" in said
    said = log_in_from(throttled, ELSEWHERE[6], "ann@example.org", "", "SCRAM-SHA-256")
    assert "too many failed logins for this account" in said
    assert "auth.accountMaxFailures" in throttled.log()
    # Nobody else waits, and a guard that says no is no sign that auth is not well.
    for _ in range(20):
        log_in_from(throttled, ELSEWHERE[7], "ann@example.org", PASSWORD)
    assert log_in_from(throttled, ELSEWHERE[7], "bob@example.org", PASSWORD).startswith("235")
    assert "gate.shut" not in throttled.log()


def test_names_that_nobody_has_are_not_counted_as_accounts(throttled):
    for address in ELSEWHERE[:6]:
        assert log_in_from(throttled, address, "nobody@example.org", "wrong").startswith("535")
    assert log_in_from(throttled, ELSEWHERE[6], "nobody@example.org", "wrong").startswith("535")


def test_failed_logins_of_a_network_are_counted(throttled):
    for i in range(8):
        assert log_in_from(throttled, f"198.51.100.{i + 1}", f"no{i}@example.org", "wrong").startswith("535")
    said = log_in_from(throttled, "198.51.100.99", "ann@example.org", PASSWORD)
    assert "too many failed logins from your network" in said
    assert log_in_from(throttled, "198.51.101.1", "ann@example.org", PASSWORD).startswith("235")
    for i in range(8):
        log_in_from(throttled, f"IPV6:2001:db8:7:{i}::1", f"no{i}@example.org", "wrong")
    assert "from your network" in log_in_from(throttled, "IPV6:2001:db8:7:ff::1", "carol@example.org", PASSWORD)
    assert log_in_from(throttled, "IPV6:2001:db8:8::1", "carol@example.org", PASSWORD).startswith("235")

"""Access rules, changed while the server runs, and connections that a balancer hands on."""
import socket

import pytest

import hauberk

PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n"
SETTINGS = 'smtp: { processes = 2; }; imap: { processes = 2; };'


@pytest.fixture(scope="module")
def gated():
    """Its listener smtp is behind a balancer at ::1; others connect as themselves."""
    server = hauberk.Server(settings=SETTINGS, listeners={"smtp": 'proxyFrom = "::1";', "imaps": 'proxyFrom = "::1";'})
    try:
        yield server.start().populate("ann")
        server.stop()
    finally:
        server.kill()


def turned_away(server, name, host="127.0.0.1", said=b""):
    """Is every new connection hung up on at once?"""
    with server.raw(name, host) as raw:
        try:
            raw.send(said)
            raw.line()
        except (OSError, EOFError):
            return True
    return False


def let_in(server, name, host="127.0.0.1", said=b""):
    with server.raw(name, host) as raw:
        try:
            raw.send(said)
            return raw.line().startswith(("220", "* OK", "+OK"))
        except (OSError, EOFError):
            return False


def rule(server, *words):
    """Adds a rule; its number."""
    return server.must("access", *words).split()[2]


def until(server, condition, *arguments, **more):
    hauberk.wait_for("the rules to hold", lambda: all(condition(server, *arguments, **more) for _ in range(4)))


def test_who_is_denied_is_hung_up_on_everywhere_and_at_once(gated):
    number = rule(gated, "deny", "all", "127.0.0.0/8", "note=a test")
    for name in ("smtp", "smtps", "imap", "imaps", "pop3"):
        until(gated, turned_away, name)
        assert let_in(gated, "imap", "::1")
    listed, uses = gated.must("access", "list").strip().split(" # ")
    assert listed == f'{number} deny all 127.0.0.0/8 "note=a test"'
    assert int(uses.removesuffix(" in the last hour")) >= 20
    assert f"rule={number}" in gated.log() and "connection.denied" in gated.log()
    assert sum(int(r.get("denied", 0)) for r in gated.status()) >= 5
    assert gated.must("access", "test", "smtp", "127.0.0.1") == f"denied by rule {number} (all, priority 100)\n"
    # The service is nearer than all, and its listener nearer still.
    other = rule(gated, "allow", "imap", "127.0.0.1", "priority=500")
    until(gated, let_in, "imap")
    until(gated, turned_away, "pop3")
    third = rule(gated, "deny", f"127.0.0.1:{gated.ports['imap']}", "127.0.0.1", "priority=900")
    until(gated, turned_away, "imap")
    for one in (third, number, other):
        gated.must("access", "remove", one)
    until(gated, let_in, "smtp")
    assert gated.must("access", "list") == ""
    assert gated.must("access", "test", "smtp", "127.0.0.1").startswith("no rule")


def test_a_listener_on_ipv6_has_rules_of_its_own(gated):
    where = f"[0:0::1]:{gated.ports['pop3']}"
    number = rule(gated, "deny", where, "::1")
    until(gated, turned_away, "pop3", "::1")
    assert let_in(gated, "pop3") and let_in(gated, "imap", "::1")
    assert gated.must("access", "list", where).startswith(f"{number} deny [::1]:{gated.ports['pop3']} ::1")
    assert gated.must("access", "test", where, "::1").startswith(f"denied by rule {number} ")
    assert gated.must("access", "test", where, "::2").startswith("no rule of that listener")
    gated.must("access", "remove", number)


def test_a_rule_limits_whom_it_allows_and_can_be_changed(gated):
    number = rule(gated, "allow", "pop3", "127.0.0.1", "peerMaxConnections=2")
    hauberk.wait_for("the rule", lambda: limited(gated, 2))
    gated.must("access", "change", number, "peerMaxConnections=4", "from=127.0.0.0/8")
    hauberk.wait_for("the change", lambda: limited(gated, 4))
    assert gated.must("access", "list", "pop3").split(" # ")[0] == (
        f"{number} allow pop3 127.0.0.0/8 peerMaxConnections=4")
    assert "limit=peerMaxConnections" in gated.log()
    # The rate: whoever comes too often is turned away although nothing is open.
    gated.must("access", "change", number, "peerMaxConnections=0", "peerMaxIntervalConnections=3",
               "peerTimeInterval=1 h")
    hauberk.wait_for("the rate", lambda: not let_in(gated, "pop3"))
    gated.must("access", "remove", number)
    until(gated, let_in, "pop3")


def limited(server, most):
    """Are exactly so many connections greeted?"""
    raws = [server.raw("pop3") for _ in range(most + 1)]
    lines = [raw.line() for raw in raws]
    for raw in raws:
        raw.close()
    hauberk.wait_for("them to be gone", lambda: not sum(
        int(r.get("sessions", 0)) for r in server.status() if r["role"] == "imap"))
    return [line[:3] for line in lines] == ["+OK"] * most + ["-ER"]


@pytest.mark.parametrize("words, said", (
    (("deny", "everything", "10.0.0.0/8"), "is no scope"),
    (("deny", "smtp", "10.0.0.1/8"), "bits behind its network mask"),
    (("deny", "smtp", ""), "wants addresses"),
    (("deny", "smtp", "10.0.0.1", "peerMaxConnections=3"), "who is denied has no limits"),
    (("allow", "smtp", "10.0.0.1", "peerMaxConections=3"), "no setting of a rule"),
    (("allow", "smtp", "10.0.0.1", "priority=high"), "whole number"),
    (("allow", "2001:db8::1:25", "10.0.0.1"), "is no scope"),
    (("change", "999999", "priority=1"), "there is no access rule 999999"),
    (("change", "first", "priority=1"), "named by its number"),
    (("remove", "999999"), "there is no access rule 999999"),
    (("test", "smtp", "mail.example"), "is no IP address")))
def test_a_wrong_rule_is_refused_with_its_reason(gated, words, said):
    done = gated.command("access", *words)
    assert done.returncode == 1 and said in done.stderr, done


def v2(address):
    return PROXY_V2 + b"\x21\x11\0\x0c" + socket.inet_aton(address) + socket.inet_aton("127.0.0.1") + b"\0\1\0\2"


@pytest.mark.parametrize("header", (b"PROXY TCP4 192.0.2.77 127.0.0.1 1 2\r\n", v2("192.0.2.77")), ids=("v1", "v2"))
def test_a_balancer_says_whose_connection_it_is(gated, header):
    assert let_in(gated, "smtp", "::1", header)
    hauberk.wait_for("the log", lambda: "peer=192.0.2.77" in gated.log())
    # In pieces, and with the client's first octets behind it.
    with gated.raw("smtp", "::1") as raw:
        raw.send_apart(header[:7])
        raw.send(header[7:])
        assert raw.line().startswith("220")
        raw.say("EHLO c.example")
    with gated.raw("imaps", "::1") as raw:
        raw.send(header)
        raw.starttls()
        assert raw.line().startswith("* OK")
    # Rules are about the client, not the balancer.
    number = rule(gated, "deny", "all", "192.0.2.77")
    until(gated, turned_away, "smtp", "::1", header)
    until(gated, let_in, "smtp", "::1", header.replace(b"192.0.2.77", b"192.0.2.78").replace(
        socket.inet_aton("192.0.2.77"), socket.inet_aton("192.0.2.78")))
    gated.must("access", "remove", number)


def test_only_a_balancer_is_believed_and_it_must_say_who(gated):
    before = gated.log().count("proxy.refused")
    assert turned_away(gated, "smtp", "::1", b"EHLO c.example\r\n")
    hauberk.wait_for("the log", lambda: gated.log().count("proxy.refused") > before)
    # From elsewhere the same header is a command, and a wrong one.
    with gated.raw("smtp") as raw:
        raw.send(b"PROXY TCP4 192.0.2.99 127.0.0.1 1 2\r\n")
        assert raw.line().startswith("220") and raw.line().startswith("500")
    assert "192.0.2.99" not in [l for l in gated.log().splitlines() if "peer=192.0.2.99" in l]
    assert let_in(gated, "smtp", "::1", PROXY_V2 + b"\x20\0\0\0")


def test_rules_are_there_again_after_a_restart(gated):
    number = rule(gated, "deny", "pop3", "127.0.0.1")
    until(gated, turned_away, "pop3")
    gated.stop()
    gated.start()
    until(gated, turned_away, "pop3")
    gated.must("access", "remove", number)

"""Aliases: made, listed and removed by commands; mail and logins that come by them."""
import poplib
import smtplib

import pytest

import hauberk
from hauberk import PASSWORD, behind_trace, message, trusting


@pytest.fixture(scope="module")
def aliased(server):
    """Accounts and aliases in two domains of their own."""
    for domain in ("uno.example", "due.example"):
        server.must("domain", "add", domain)
    for who in ("ann@uno.example", "bob@uno.example", "cy@due.example", "off@due.example"):
        server.must("account", "add", who, secret=PASSWORD)
    server.must("account", "disable", "off@due.example")
    server.must("alias", "add", "Staff@uno.example", "ann@uno.example", "bob@uno.example")
    server.must("alias", "add", "everybody@due.example", "staff@uno.example", "cy@due.example",
                "ann@uno.example", "off@due.example")
    server.must("alias", "add", "boss@due.example", "ann@uno.example")
    server.must("alias", "add", "nobody@due.example", "off@due.example")
    return server


def fails(server, *words, said):
    done = server.command(*words)
    assert done.returncode == 1 and not done.stdout, done
    assert said in done.stderr, done.stderr


def lists(server):
    return server.must("alias", "list"), server.must("account", "list")


def test_mail_for_an_alias_reaches_each_account_once(aliased):
    name, octets = message()
    aliased.send(octets, to=["everybody@due.example", "STAFF@Uno.Example", "bob@uno.example"])
    for who in ("ann@uno.example", "bob@uno.example", "cy@due.example"):
        assert behind_trace(aliased.arrives(name, who)) == octets
        # A second copy would have come with the first: one transaction accepted them.
    hauberk.wait_for("the deliveries in the log", lambda: aliased.log().count(
        f"q={queue_id(aliased, 'everybody@due.example')} account=") >= 3)
    for who in ("ann@uno.example", "bob@uno.example", "cy@due.example"):
        assert aliased.mailbox(who)[name] and len(aliased.mailbox(who)[name]) == 1
    accepted = [l for l in aliased.log().splitlines() if " accepted " in l][-1]
    assert "to=everybody@due.example" in accepted and "recipients=3" in accepted


def queue_id(server, to):
    line = [l for l in server.log().splitlines() if " accepted " in l and f"to={to}" in l][-1]
    return line.split(" q=")[1].split()[0]


@pytest.mark.parametrize("to,code", [
    ("boss@due.example", "250 2.1.5"), ("BOSS@Due.Example", "250 2.1.5"),
    ('"boss"@due.example', "250 2.1.5"), ("bosses@due.example", "550 5.1.1"),
    ("boss@uno.example", "550 5.1.1"), ("nobody@due.example", "550 5.2.1"),
    ("boss@tre.example", "550 5.7.1")])
def test_rcpt_of_aliases_gets_its_code(aliased, to, code):
    with aliased.hello() as raw:
        raw.say("MAIL FROM:<a@b.example>")
        assert raw.say(f"RCPT TO:<{to}>").startswith(code)


def test_an_alias_of_many_counts_as_one_recipient(new_server):
    server = new_server(hauberk.RELEASE, settings="smtp: { maxRecipients = 100; };")
    people = [f"u{i}@example.org" for i in range(60)]
    server.populate("u0", "more")
    for who in people[1:]:
        server.must("account", "add", who, secret=PASSWORD)
    server.must("alias", "add", "all@example.org", *people[:40])
    server.must("alias", "add", "all@example.org", *people[40:])
    server.must("alias", "add", "again@example.org", "all@example.org", *people[:50])
    name, octets = message()
    server.send(octets, to=["all@example.org", "again@example.org", "more@example.org"])
    for who in (people[0], people[59], "more@example.org"):
        server.arrives(name, who)
    assert "recipients=61" in server.log()


def test_an_alias_of_one_account_logs_in_everywhere(aliased):
    with aliased.imap("Boss@due.example") as client:
        client.select("INBOX")
    pop = poplib.POP3_SSL("127.0.0.1", aliased.ports["pop3s"], timeout=30, context=trusting())
    pop.user("boss@due.example")
    pop.pass_(PASSWORD)
    pop.quit()
    name, octets = message()
    with smtplib.SMTP_SSL("127.0.0.1", aliased.ports["smtps"], timeout=30,
                          context=trusting()) as client:
        client.login("boss@due.example", PASSWORD)
        client.sendmail("ann@uno.example", ["boss@due.example"], octets)
    assert behind_trace(aliased.arrives(name, "ann@uno.example")) == octets


@pytest.mark.parametrize("alias", ["staff@uno.example", "nobody@due.example"])
def test_an_alias_of_several_or_disabled_accounts_does_not(aliased, alias):
    with aliased.raw("smtps") as raw:
        raw.starttls()
        raw.reply()
        raw.say("EHLO c.example")
        plain = hauberk.plain_token(alias)
        assert raw.say(f"AUTH PLAIN {plain}").startswith("535")


@pytest.mark.parametrize("words,said", [
    (("alias", "add", "ann@uno.example", "bob@uno.example"), "is an account"),
    (("account", "enable", "staff@uno.example"), "there is no account"),
    (("alias", "add", "x@uno.example", "none@uno.example"), "no account or alias"),
    (("alias", "add", "x@uno.example", "ann@uno.example", "none@uno.example"), "no account or"),
    (("alias", "add", "x@tre.example", "ann@uno.example"), "tre.example is not ours"),
    (("alias", "add", "x@uno.example", "someone@tre.example"), "tre.example is not ours"),
    (("alias", "add", "x", "ann@uno.example"), '"x" is not an address'),
    (("alias", "add", "x y@uno.example", "ann@uno.example"), "octet 2"),
    (("alias", "add", "x@uno.example", "ann@uno_example"), "domain name"),
    (("alias", "add", "STAFF@uno.example", "Ann@uno.example"), "already"),
    (("alias", "add", "staff@uno.example", "everybody@due.example"),
     "loop: Staff@uno.example -> everybody@due.example -> Staff@uno.example"),
    (("alias", "list", "tre.example"), "tre.example is not ours"),
    (("alias", "list", "ann@uno.example"), "there is no alias"),
    (("alias", "remove", "ann@uno.example"), "is an account, not an alias"),
    (("alias", "remove", "x@uno.example"), "there is no alias"),
    (("alias", "remove", "staff@uno.example"), "everybody@due.example; --force"),
    (("alias", "remove", "boss@due.example", "bob@uno.example"), "does not lead to"),
    (("account", "remove", "cy@due.example"), "aliases lead to cy@due.example: everybody@due.ex"),
    (("domain", "remove", "due.example"), "still has")])
def test_what_cannot_be_is_refused_and_changes_nothing(aliased, words, said):
    before = lists(aliased)
    fails(aliased, *words, said=said)
    assert lists(aliased) == before


def test_an_account_cannot_have_the_name_of_an_alias(aliased):
    done = aliased.command("account", "add", "STAFF@uno.example", secret=PASSWORD)
    assert done.returncode == 1 and "is an alias" in done.stderr


def test_aliases_are_listed_as_they_are_added(aliased):
    assert aliased.must("alias", "list", "uno.example") == \
        "Staff@uno.example ann@uno.example bob@uno.example\n"
    assert aliased.must("alias", "list", "EVERYBODY@due.example") == \
        "everybody@due.example cy@due.example off@due.example ann@uno.example Staff@uno.example\n"
    assert len(aliased.must("alias", "list").splitlines()) >= 4


def test_aliases_shrink_and_go(aliased):
    aliased.must("account", "add", "dora@uno.example", secret=PASSWORD)
    aliased.must("alias", "add", "d@uno.example", "dora@uno.example", "bob@uno.example")
    aliased.must("alias", "add", "dd@uno.example", "d@uno.example")
    said = aliased.must("alias", "remove", "d@uno.example", "bob@uno.example")
    assert said == "alias d@uno.example does not lead to bob@uno.example any more\n"
    fails(aliased, "alias", "remove", "d@uno.example", "dora@uno.example", said="dd@uno.example")
    assert "removed" in aliased.must("account", "remove", "dora@uno.example", "--force")
    rest = aliased.must("alias", "list", "uno.example")
    assert "d@uno.example" not in rest and "Staff@uno.example" in rest
    # The names are free again.
    aliased.must("account", "add", "dd@uno.example", secret=PASSWORD)
    aliased.must("account", "remove", "dd@uno.example")


@pytest.mark.parametrize("words", [
    ("alias",), ("alias", "add", "x@uno.example"), ("alias", "list", "a", "b"), ("alias", "remove"),
    ("alias", "remove", "a", "b", "c"), ("alias", "fly"), ("account", "remove", "a", "--forced")])
def test_wrong_use_is_explained(aliased, words):
    done = aliased.command(*words)
    assert done.returncode == 2 and "usage: hauberk" in done.stderr


def test_many_aliases_one_behind_another(new_server):
    server = new_server(hauberk.RELEASE).populate("bob")
    server.must("alias", "add", "n1@example.org", "bob@example.org")
    for i in range(2, 11):
        server.must("alias", "add", f"n{i}@example.org", f"n{i - 1}@example.org")
    fails(server, "alias", "add", "n11@example.org", "n10@example.org", said="more than 10 aliases")
    name, octets = message()
    server.send(octets, to=["n10@example.org"])
    server.arrives(name)
    server.stop()
    server.start()
    assert len(server.must("alias", "list").splitlines()) == 10

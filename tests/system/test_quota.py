"""Quotas of accounts and domains: refused at the door, and nowhere else."""
import pytest

import hauberk
from hauberk import message


@pytest.fixture(scope="module")
def small():
    server = hauberk.Server()
    try:
        yield server.start().populate("ann", "bob", "cy")
        server.stop()
    finally:
        server.kill()


def asks(server, to="bob@example.org", parameters=""):
    with server.hello() as raw:
        assert raw.say(f"MAIL FROM:<s@x.example>{parameters}").startswith("250")
        return raw.say(f"RCPT TO:<{to}>")


def fill(server, octets, who="bob@example.org"):
    """Sends a message whose size is not said before."""
    name, text = message(b"x" * octets + b"\r\n")
    with server.hello() as raw:
        raw.say("MAIL FROM:<s@x.example>")
        assert raw.say(f"RCPT TO:<{who}>").startswith("250")
        raw.say("DATA")
        raw.send(text + b".\r\n")
        assert raw.reply().startswith("250")
    server.arrives(name, who)


def empty(server, who="bob@example.org"):
    with server.imap(who) as client:
        client.select("INBOX")
        client.store("1:*", "+FLAGS", "\\Deleted")
        client.expunge()


def test_a_full_mailbox_is_refused_for_the_time_being(small):
    small.must("account", "quota", "bob@example.org", "100 KB")
    assert asks(small).startswith("250")
    assert asks(small, parameters=" SIZE=200000").startswith("552 5.2.2")
    fill(small, 60000)
    assert asks(small).startswith("250")
    assert asks(small, parameters=" SIZE=60000").startswith("452 4.2.2")
    # What is on its way when the mailbox is nearly full is stored.
    fill(small, 60000)
    hauberk.wait_for("the count", lambda: asks(small).startswith("452 4.2.2"))
    assert "hauberk" not in small.must("account", "list") and " quota 100 KB" in small.must("account", "list")
    # Others are not concerned; an alias for several delivers while one of them has room.
    assert asks(small, "ann@example.org").startswith("250")
    small.must("alias", "add", "both@example.org", "ann@example.org", "bob@example.org")
    assert asks(small, "both@example.org").startswith("250")
    empty(small)
    hauberk.wait_for("room", lambda: asks(small).startswith("250"))


def test_moving_to_a_folder_that_is_deleted_makes_room(small):
    small.must("account", "quota", "cy@example.org", "50 KB")
    fill(small, 60000, "cy@example.org")
    hauberk.wait_for("the count", lambda: asks(small, "cy@example.org").startswith("452"))
    with small.imap("cy@example.org") as client:
        client.create("Old")
        client.select("INBOX")
        assert client._simple_command("MOVE", "1:*", "Old")[0] == "OK"
        assert asks(small, "cy@example.org").startswith("452")
        assert client.delete("Old")[0] == "OK"
    hauberk.wait_for("room", lambda: asks(small, "cy@example.org").startswith("250"))


def test_imap_says_how_full_it_is_and_takes_no_more(small):
    small.must("account", "add", "dan@example.org", secret=hauberk.PASSWORD)
    small.must("account", "quota", "dan@example.org", "4 KB")
    with small.logged_in("dan@example.org") as raw:
        assert raw.tagged("GETQUOTAROOT INBOX").startswith("a OK")
        assert raw.untagged == ['* QUOTAROOT "INBOX" "account"', '* QUOTA "account" (STORAGE 0 4)']
        text = "Subject: x\r\n\r\n" + "x" * 3000
        assert raw.tagged(f"APPEND INBOX {{{len(text)}+}}\r\n{text}").startswith("a OK [APPENDUID")
        assert raw.tagged(f"APPEND INBOX {{{len(text)}+}}\r\n{text}").startswith("a NO [OVERQUOTA]")
        raw.tagged("SELECT INBOX")
        assert raw.tagged("COPY 1 INBOX").startswith("a NO [OVERQUOTA]")


def test_accounts_without_a_quota_have_their_domains(small):
    small.must("domain", "quota", "example.org", "20 KB")
    fill(small, 30000, "ann@example.org")
    hauberk.wait_for("the count", lambda: asks(small, "ann@example.org").startswith("452"))
    small.must("account", "quota", "ann@example.org", "none")
    assert asks(small, "ann@example.org", " SIZE=1000000").startswith("250")
    small.must("account", "quota", "ann@example.org", "domain")
    assert asks(small, "ann@example.org", " SIZE=1000000").startswith("552")
    small.must("domain", "quota", "example.org", "none")
    assert asks(small, "ann@example.org", " SIZE=1000000").startswith("250")


@pytest.mark.parametrize("words, said", (
    (("account", "quota", "bob@example.org", "much"), "size such as"),
    (("account", "quota", "bob@example.org", "10"), "1 KB"),
    (("account", "quota", "nobody@example.org", "1 MB"), "no account"),
    (("domain", "quota", "other.example", "1 MB"), "not ours"),
    (("domain", "quota", "example.org", "domain"), "size such as")))
def test_a_wrong_quota_is_refused(small, words, said):
    done = small.command(*words)
    assert done.returncode == 1 and said in done.stderr, done

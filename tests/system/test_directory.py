"""Domains and accounts by the command line, and who may use it."""
import os
import socket

import pytest

import hauberk
from hauberk import PASSWORD, message


def fails(server, *words, secret=None, said, user=None, conf=None):
    done = server.command(*words, secret=secret, user=user, conf=conf)
    assert done.returncode == 1 and not done.stdout, done
    assert said in done.stderr, done.stderr


def login(server, name, password):
    try:
        server.imap(name, password=password).logout()
        return True
    except Exception as error:  # imaplib.IMAP4.error is made anew for each class
        assert "AUTHENTICATIONFAILED" in str(error), error
        return False


def test_domains_are_added_listed_and_removed(server):
    assert server.must("domain", "add", "Two.Example") == "domain Two.Example added\n"
    assert "two.example" in server.must("domain", "list").lower().split()
    fails(server, "domain", "add", "two.example", said="exists already")
    server.must("account", "add", "x@two.example", secret=PASSWORD)
    fails(server, "domain", "remove", "two.example", said="account")
    server.must("account", "remove", "x@two.example")
    server.must("domain", "remove", "two.example")
    assert "two.example" not in server.must("domain", "list").lower().split()
    fails(server, "domain", "remove", "two.example", said="two.example")


@pytest.mark.parametrize("name", ["", "a b", "-x.example", "x..example", "x" * 64 + ".example",
                                  "a/b.example", "x.example\n", "@x.example", "x_y.example."])
def test_malformed_domains_are_refused(server, name):
    before = server.must("domain", "list")
    fails(server, "domain", "add", name, said="domain name")
    assert server.must("domain", "list") == before


@pytest.mark.parametrize("address,said", [
    ("nobody", "is not an address"), ("@example.org", "local part"), ("a b@example.org", "local"),
    ("a@", "domain"), ("a@absent.example", "absent.example"), ("a" * 65 + "@example.org", "octets"),
    ("a\tb@example.org", "local part"), ("bob@example.org", "exists already"),
    ("BOB@Example.ORG", "exists already")])
def test_accounts_that_cannot_be_are_refused(server, address, said):
    before = server.must("account", "list")
    fails(server, "account", "add", address, secret=PASSWORD, said=said)
    assert server.must("account", "list") == before


@pytest.mark.parametrize("verb", ["passwd", "enable", "disable", "remove"])
def test_an_unknown_account_cannot_be_changed(server, verb):
    secret = PASSWORD if verb == "passwd" else None
    fails(server, "account", verb, "nobody@example.org", secret=secret, said="nobody@example.org")
    fails(server, "account", verb, "a@absent.example", secret=secret, said="absent.example")


def test_an_account_without_a_password_is_not_added(server):
    for secret in (None, ""):
        fails(server, "account", "add", "empty@example.org", secret=secret, said="no password")
    assert "empty@" not in server.must("account", "list")


def test_a_changed_password_counts_at_once(server):
    server.must("account", "add", "pw@example.org", secret="first")
    assert login(server, "pw@example.org", "first")
    server.must("account", "passwd", "pw@example.org", secret="caf\u00e9 \u4e8c")
    assert not login(server, "pw@example.org", "first")
    server.must("account", "passwd", "pw@example.org", secret="third")
    assert login(server, "pw@example.org", "third")


def test_a_disabled_account_neither_gets_mail_nor_logs_in_until_enabled(server):
    who = "onoff@example.org"
    server.must("account", "add", who, secret=PASSWORD)
    server.must("account", "disable", who)
    assert f"{who} disabled" in server.must("account", "list", "example.org")
    assert not login(server, who, PASSWORD)
    with server.hello() as raw:
        raw.say("MAIL FROM:<a@b.example>")
        assert raw.say(f"RCPT TO:<{who}>").startswith("550 5.2.1")
    server.must("account", "enable", who)
    name, octets = message()
    server.send(octets, to=[who])
    server.arrives(name, who)


def test_a_removed_account_is_gone_and_a_new_one_of_its_name_is_empty(server):
    who = "again@example.org"
    server.must("account", "add", who, secret=PASSWORD)
    name, octets = message()
    server.send(octets, to=[who])
    server.arrives(name, who)
    assert "stays in accounts/" in server.must("account", "remove", who)
    assert not login(server, who, PASSWORD)
    server.must("account", "add", who, secret="other")
    assert not login(server, who, PASSWORD)
    with server.imap(who, password="other") as client:
        assert client.select("INBOX")[1] == [b"0"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_may_not_command_the_server(server):
    # All that a command needs to know of the server, in a file that he can read.
    conf = hauberk.new_folder() / "hauberk.conf"
    conf.write_text(f'hostname = "x.example";\nrunDir = "{server.folder}/run";\nlisteners = '
                    '( { protocol = "smtp"; address = "::1"; port = 1; tls = "no"; } );')
    fails(server, "status", said="you may not", user=("65533", "65533"), conf=conf)
    # Even where the folder and the socket let him in.
    run = server.folder / "run"
    run.chmod(0o755)
    (run / "control.sock").chmod(0o666)
    try:
        fails(server, "domain", "list", said="you may not command this server",
              user=("65533", "65533"), conf=conf)
    finally:
        (run / "control.sock").chmod(0o660)
        run.chmod(0o750)
    assert "command.refused uid=65533" in server.log()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_may_command_the_server(server):
    assert "example.org" in server.command("domain", "list", user=("root", "root")).stdout


@pytest.mark.parametrize("octets", [b"", b"x", b"\xff" * 100, bytes(24), b"\x01" * 60000])
def test_garbage_at_the_control_socket_harms_nobody(server, octets):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(10)
        s.connect(str(server.folder / "run/control.sock"))
        s.send(octets)
        s.recv(65536)
    assert "example.org" in server.must("domain", "list")

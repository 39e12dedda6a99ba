"""Stopping, dying and starting again: what was accepted is delivered, and nothing stays behind."""
import os
import pathlib
import signal
import threading
import time

import pytest

import hauberk
from hauberk import PASSWORD, behind_trace, message


@pytest.fixture(params=["ASAN", "RELEASE"])
def own(request, new_server):
    return new_server(getattr(hauberk, request.param)).populate("bob", "carol")


def alive(pid):
    """Whether the process is there and no zombie."""
    try:
        return " Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def greets(server):
    try:
        with server.raw("smtp", timeout=0.5) as raw:
            return raw.reply().startswith("220")
    except (OSError, EOFError):
        return False


def in_data(server):
    raw = server.hello()
    for command in ("MAIL FROM:<a@b.example>", "RCPT TO:<bob@example.org>", "DATA"):
        raw.say(command)
    return raw


def test_a_drain_finishes_what_was_begun(own):
    name, octets = message(b"begun before\r\n" * 1000)
    raw = in_data(own)
    raw.send(octets[:700])
    idle, start = own.hello(), time.monotonic()
    own.process.send_signal(signal.SIGTERM)
    assert idle.reply().startswith("421 4.3.2")
    raw.send(octets[700:] + b".\r\n")
    assert raw.reply().startswith("250")
    assert own.process.wait(20) == 0
    assert time.monotonic() - start < 20
    own.process = None
    own.check_log()
    own.start()
    assert behind_trace(own.arrives(name)) == octets


def test_a_drain_says_goodbye_to_all_and_takes_nobody_new(own):
    raws = [own.raw(n) for n in ("smtp", "imap", "pop3")]
    for raw in raws:
        raw.line()
    half = in_data(own)
    own.process.send_signal(signal.SIGTERM)
    for raw, word in zip(raws, ("421", "* BYE", "-ERR [SYS/TEMP]")):
        assert word in raw.all()
    # Another process of the role may still be about to read the word.
    hauberk.wait_for("new clients to get no greeting", lambda: not greets(own), 5)
    half.send(b"Subject: half\r\n\r\n.\r\n")
    assert half.reply().startswith("250")
    assert own.process.wait(20) == 0
    own.process = None


def test_a_client_that_never_ends_does_not_hold_up_the_drain(own):
    with in_data(own) as raw:
        raw.send(b"Subject: never\r\n\r\n")
        start = time.monotonic()
        own.process.send_signal(signal.SIGTERM)
        assert own.process.wait(20) == 0
        assert time.monotonic() - start < 20
        assert "250" not in raw.all()
    own.process = None
    own.start()
    assert own.count_of("never") == 0


def load(server, stop, accepted):
    """Sends until told to stop; what was answered 250 is written down."""
    while not stop.is_set():
        name, octets = message(b"load\r\n" * 20)
        try:
            server.send(octets, to=["bob@example.org", "carol@example.org"])
            accepted.append(name)
        except OSError:
            time.sleep(0.01)


def loaded(server, end):
    """Runs end() in the middle of a load; the names of the messages accepted."""
    stop, accepted = threading.Event(), []
    threads = [threading.Thread(target=load, args=(server, stop, accepted), daemon=True)
               for _ in range(4)]
    for one in threads:
        one.start()
    try:
        hauberk.wait_for("some mail", lambda: len(accepted) > 20)
        end()
    finally:
        stop.set()
        for one in threads:
            one.join(60)
    return accepted


def all_once(server, accepted):
    for who in ("bob@example.org", "carol@example.org"):
        hauberk.wait_for("all mail", lambda: set(accepted) <= set(server.mailbox(who)), 30)
        found = server.mailbox(who)
        doubled = {name for name, copies in found.items() if len(copies) > 1}
        assert not doubled, doubled


def test_a_stop_under_load_loses_nothing_and_doubles_nothing(own):
    def end():
        own.process.send_signal(signal.SIGTERM)
        assert own.process.wait(20) == 0
        own.process = None

    accepted = loaded(own, end)
    own.check_log()
    own.start()
    all_once(own, accepted)
    assert [line.split()[1] for line in own.must("account", "list").splitlines()] == [
        "bob@example.org", "carol@example.org"]
    own.imap(password=PASSWORD).logout()


def test_a_kill_of_main_ends_all_and_the_next_start_delivers(own):
    pids = [row["pid"] for row in own.status()]

    def end():
        os.kill(own.process.pid, signal.SIGKILL)
        own.process.wait(20)
        own.process = None

    accepted = loaded(own, end)
    hauberk.wait_for("all roles to end", lambda: not any(alive(p) for p in pids), 10)
    own.start()
    all_once(own, accepted)


def test_a_second_server_on_the_same_state_is_refused(own):
    done = own.command("serve", "--as-user")
    assert done.returncode == 1
    assert f"another server uses {own.folder}/state" in done.stderr
    assert own.ready(), "the first one goes on"


def test_a_port_in_use_is_told(new_server):
    first = new_server()
    second = new_server(start=False)
    second.ports = dict(first.ports)
    second.write_conf()
    done = second.command("serve", "--as-user")
    assert done.returncode == 1 and "cannot listen on 127.0.0.1 port" in done.stderr

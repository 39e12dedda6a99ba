"""Attack 3: DATA and BDAT (RFC 3030) mixed so that octets of a message are read as commands.

BDAT is not offered yet. A client that sends it all the same has octets of a message behind it, which must
not run as commands (RFC 3030 §4.1): the answer is 502 and the end of the session.
"""
import pytest

from hauberk import PASSWORD, message

WHO = "<bob@example.org>"
SMUGGLED = b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"


@pytest.fixture(params=["greeted", "in a transaction", "with a recipient"])
def raw(server, request):
    with server.hello() as client:
        assert "CHUNKING" not in client.say("EHLO client.example")
        if request.param != "greeted":
            assert client.say("MAIL FROM:<ann@example.com>").startswith("250")
        if request.param == "with a recipient":
            assert client.say(f"RCPT TO:{WHO}").startswith("250")
        yield client


def then_nothing_was_smuggled(server, *hidden):
    last, octets = message()
    server.send(octets)
    server.arrives(last)
    for name in hidden:
        assert server.count_of(name) == 0


@pytest.mark.parametrize("size", [
    "0 LAST", "0", "5", "5 LAST", "", "-1", "x", "1 FIRST", "4294967296", "9223372036854775807",
    "9223372036854775808", "18446744073709551615", "18446744073709551616 LAST", "9" * 100])
def test_octets_behind_a_refused_bdat_are_no_commands(server, raw, size):
    hidden, octets = message()
    raw.send(f"BDAT {size}\r\n".encode() + SMUGGLED + octets + b".\r\nQUIT\r\n")
    assert raw.all().splitlines() == ["502 5.5.1 BDAT is not there"]
    then_nothing_was_smuggled(server, hidden)


@pytest.mark.parametrize("words", [b"bdat 10 last", b"BDAT\t10", b"BDAT", b"Bdat 10  LAST"])
def test_however_it_is_written(raw, words):
    raw.send_apart(words + b"\r\n")
    try:
        raw.send(b"NOOP\r\nQUIT\r\n")
    except OSError:
        pass  # it has hung up already
    assert raw.all().splitlines() == ["502 5.5.1 BDAT is not there"]


def test_bdat_inside_data_is_text(server):
    name, octets = message(b"BDAT 10 LAST\r\nMAIL FROM:<evil@example.com>\r\n")
    with server.hello() as raw:
        for command in ("MAIL FROM:<ann@example.com>", f"RCPT TO:{WHO}", "DATA"):
            assert raw.say(command)[0] in "23"
        raw.send(octets + b".\r\nNOOP\r\n")
        assert raw.reply().startswith("250 2.0.0 accepted")
        assert raw.reply().startswith("250 2.0.0 ok")
    assert octets in server.arrives(name)


def test_bdat_after_data_in_one_segment_ends_after_the_message(server):
    name, octets = message()
    hidden, other = message()
    with server.hello() as raw:
        raw.send(b"MAIL FROM:<ann@example.com>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n" + octets
                 + b".\r\nBDAT %d LAST\r\n" % len(other) + other + SMUGGLED + other + b".\r\n")
        codes = [line[:3] for line in raw.all().splitlines()]
        assert codes == ["250", "250", "354", "250", "502"]
    server.arrives(name)
    then_nothing_was_smuggled(server, hidden)


def test_a_refused_data_leaves_the_session_in_order(server):
    """Lines behind a DATA that was refused are commands, each with its own answer, and no mail."""
    hidden, octets = message()
    with server.hello() as raw:
        raw.send(b"DATA\r\n" + octets + b".\r\nNOOP\r\n")
        replies = [raw.reply() for _ in range(octets.count(b"\r\n") + 3)]
        assert replies[0].startswith("503") and replies[-1].startswith("250 2.0.0 ok")
        assert all(r.startswith("50") for r in replies[:-1]), replies
    then_nothing_was_smuggled(server, hidden)


def test_binary_mail_is_refused_at_its_beginning(server):
    with server.hello() as raw:
        assert raw.say("MAIL FROM:<a@b.example> BODY=BINARYMIME").startswith("501")
        assert raw.say("BDAT 3 LAST").startswith("502")
        assert raw.all() == ""

"""Attack 3: DATA and BDAT (RFC 3030) mixed so that octets of a message are read as commands, and sizes that
overflow. What belongs to a chunk is counted out whatever is wrong with it; where the count itself cannot be
trusted the session ends."""
import pytest

from hauberk import message

WHO = "<bob@example.org>"
SMUGGLED = b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"


@pytest.fixture(params=["greeted", "in a transaction", "with a recipient"])
def raw(server, request):
    with server.hello() as client:
        assert "CHUNKING" in client.say("EHLO client.example")
        if request.param != "greeted":
            assert client.say("MAIL FROM:<ann@example.com>").startswith("250")
        if request.param == "with a recipient":
            assert client.say(f"RCPT TO:{WHO}").startswith("250")
        client.recipient = request.param == "with a recipient"
        yield client


def begun(server):
    raw = server.hello()
    for command in ("MAIL FROM:<ann@example.com>", f"RCPT TO:{WHO}"):
        assert raw.say(command).startswith("250")
    return raw


def then_nothing_was_smuggled(server, *hidden):
    last, octets = message()
    server.send(octets)
    server.arrives(last)
    for name in hidden:
        assert server.count_of(name) == 0


@pytest.mark.parametrize("size", [
    "", "-1", "x", "1 FIRST", "9223372036854775807", "9223372036854775808", "18446744073709551615",
    "18446744073709551616 LAST", "18446744073709551621", "9" * 100, "4294967296", "5 LAST x"])
def test_a_size_that_nobody_can_mean_ends_the_session(server, raw, size):
    hidden, octets = message()
    raw.send(f"BDAT {size}\r\n".encode() + SMUGGLED + octets + b".\r\nQUIT\r\n")
    lines = raw.all().splitlines()
    assert len(lines) == 1 and lines[0][:3] in ("501", "552"), lines
    then_nothing_was_smuggled(server, hidden)


@pytest.mark.parametrize("last", [b"", b" LAST"])
def test_octets_of_a_chunk_are_no_commands(server, raw, last):
    """Commands inside a chunk, refused or not, get no answer; those behind it do."""
    hidden, octets = message()
    inside = SMUGGLED + octets + b".\r\nQUIT\r\n"
    raw.send(b"BDAT %d%s\r\n" % (len(inside), last) + inside + b"NOOP\r\nRSET\r\nQUIT\r\n")
    codes = [line[:3] for line in raw.all().splitlines()]
    assert codes[1:] == ["250", "250", "221"] and codes[0] == (
        "250" if raw.recipient else codes[0]) and codes[0] in ("250", "503", "554")
    if not (raw.recipient and last):
        then_nothing_was_smuggled(server, hidden)
    assert server.count_of("evil@example.com SMTP") == 0


def test_a_chunk_may_end_anywhere(server):
    """Every split of a message into two chunks, CR LF and the dot line included, is the same message."""
    _, octets = message(b"a\r\n.\r\nMAIL FROM:<evil@example.com>\r\n\r\n")
    with server.hello() as raw:
        for at in range(len(octets) - 50, len(octets) + 1):
            name, whole = message(b"a\r\n.\r\nMAIL FROM:<evil@example.com>\r\n\r\n")
            head, tail = whole[:at], whole[at:]
            raw.send(b"MAIL FROM:<ann@example.com>\r\nRCPT TO:<bob@example.org>\r\nBDAT %d\r\n" % len(head)
                     + head + b"BDAT %d LAST\r\n" % len(tail) + tail)
            assert [raw.reply()[:3] for _ in range(4)] == ["250"] * 4
            assert whole in server.arrives(name)


@pytest.mark.parametrize("bare", [b"a\nb", b"a\rb", b"\n.\n", b"\r\r\n", b"a\r"])
def test_a_bare_line_end_is_refused(server, bare):
    with begun(server) as raw:
        raw.send(b"BDAT %d LAST\r\n" % len(bare) + bare)
        assert raw.reply().startswith("554 5.6.0")
        assert raw.say("NOOP").startswith("250")


def test_the_size_of_all_chunks_together_is_limited(server):
    with begun(server) as raw:
        piece = b"x" * 998 + b"\r\n"
        codes = [raw.say("BDAT 2\r\n")[:9]]  # a header that has nothing in it
        for _ in range(60):
            raw.send(b"BDAT 1000000\r\n" + piece * 1000)
            codes.append(raw.reply()[:9])
            if codes[-1][0] != "2":
                break
        assert codes[-1] == "552 5.3.4" and len(codes) in (53, 54, 55), codes[-1]
        assert raw.say("BDAT 0 LAST").startswith("503")


def test_data_and_bdat_do_not_mix(server):
    with begun(server) as raw:
        assert raw.say("BDAT 0").startswith("250")
        assert raw.say("DATA").startswith("503")
        assert raw.say(f"RCPT TO:{WHO}").startswith("503")
        assert raw.say("MAIL FROM:<>").startswith("503")
        assert raw.say("RSET").startswith("250")
        assert raw.say("BDAT 0 LAST").startswith("503")


def test_bdat_inside_data_is_text(server):
    name, octets = message(b"BDAT 10 LAST\r\nMAIL FROM:<evil@example.com>\r\n")
    with begun(server) as raw:
        assert raw.say("DATA").startswith("354")
        raw.send(octets + b".\r\nNOOP\r\n")
        assert raw.reply().startswith("250 2.0.0 accepted")
        assert raw.reply().startswith("250 2.0.0 ok")
    assert octets in server.arrives(name)


def test_bdat_after_data_in_one_segment_begins_after_the_message(server):
    name, octets = message()
    hidden, other = message()
    with server.hello() as raw:
        raw.send(b"MAIL FROM:<ann@example.com>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n" + octets
                 + b".\r\nBDAT %d LAST\r\n" % len(other) + other + b"QUIT\r\n")
        codes = [line[:3] for line in raw.all().splitlines()]
        assert codes == ["250", "250", "354", "250", "503", "221"]
    server.arrives(name)
    then_nothing_was_smuggled(server, hidden)


def test_a_client_that_leaves_inside_a_chunk_leaves_nothing(server):
    hidden, octets = message()
    with begun(server) as raw:
        raw.send(b"BDAT %d LAST\r\n" % (len(octets) + 1) + octets)
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


def test_in_a_binary_body_an_end_of_data_is_data(server):
    """Whoever reads it line by line must not find another message in it: POP3 too."""
    name, _ = message()
    body = b"\r\n.\r\n" + SMUGGLED + b"x\r\n.\r\n" + b"\n.\n\r.\r" + b"QUIT\r\n"
    octets = f"Message-ID: {name}\r\nSubject: {name}\r\n\r\n".encode() + body
    with server.hello() as raw:
        assert raw.say("MAIL FROM:<a@b.example> BODY=BINARYMIME").startswith("250")
        assert raw.say(f"RCPT TO:{WHO}").startswith("250")
        assert raw.say("DATA").startswith("503")
        raw.send(f"BDAT {len(octets)} LAST\r\n".encode() + octets)
        assert raw.reply().startswith("250")
        assert raw.say("NOOP").startswith("250")
    assert server.arrives(name).endswith(body)
    then_nothing_was_smuggled(server)

"""Attack 1, inwards: no end of data but CR LF . CR LF (RFC 5321 §4.1.1.4) makes one message two.

Each ending stands in the middle of a message, with a whole dialogue for a second one behind it, in one
segment and cut in two at every octet of the ending. BDAT's rows come with BDAT.
"""
import itertools

import pytest

from hauberk import PASSWORD, message

ENDINGS = {
    "LF.LF": b"\n.\n", "LF.CR": b"\n.\r", "CR.LF": b"\r.\n", "CR.CR": b"\r.\r", "LF.CRLF": b"\n.\r\n",
    "CR.CRLF": b"\r.\r\n", "CRLF.LF": b"\r\n.\n", "CRLF.CR": b"\r\n.\r", "CRLF.CRCRLF": b"\r\n.\r\r\n",
    "CRCRLF.CRCRLF": b"\r\r\n.\r\r\n", "CRLF-NUL.CRLF": b"\r\n\0.\r\n", "CRLF.NUL-CRLF": b"\r\n.\0\r\n",
    "CRLF-blank.CRLF": b"\r\n .\r\n", "CRLF.blank-CRLF": b"\r\n. \r\n",
}
WITHOUT_BARE = {"CRLF-NUL.CRLF", "CRLF.NUL-CRLF", "CRLF-blank.CRLF", "CRLF.blank-CRLF"}

_numbers = itertools.count(1)


def smuggle(server, to, end, cut):
    """(both Message-IDs, the replies after DATA); cut: octets of the ending in the first segment."""
    name, outer = message(b"outer text")
    hidden, inner = message(b"inner text\r\n")
    stream = (outer + end + f"MAIL FROM:<evil@example.com>\r\nRCPT TO:<{to}>\r\nDATA\r\n".encode()
              + inner + b".\r\nQUIT\r\n")
    with server.hello() as raw:
        assert raw.say("MAIL FROM:<ann@example.com>").startswith("250")
        assert raw.say(f"RCPT TO:<{to}>").startswith("250")
        assert raw.say("DATA").startswith("354")
        if cut is None:
            raw.send(stream)
        else:
            at = len(outer) + cut
            raw.send_apart(stream[:at])
            try:
                raw.send(stream[at:])
            except OSError:
                pass  # it has hung up already
        return name, hidden, raw.all()


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_other_end_of_data_makes_two_messages(server, ending):
    end = ENDINGS[ending]
    who = f"smuggled{next(_numbers)}@example.org"
    server.must("account", "add", who, secret=PASSWORD)
    outers, inners = [], []
    for cut in (None, *range(len(end) + 1)):
        name, hidden, replies = smuggle(server, who, end, cut)
        codes = [line[:3] for line in replies.splitlines()]
        # Whole up to the only true end, or refused and hung up on; never 250 twice.
        assert codes == (["250", "221"] if ending in WITHOUT_BARE else ["554"]), (cut, replies)
        outers.append(name)
        inners.append(hidden)
    # What comes later in time is in the mailbox: so is all that was accepted before.
    last, octets = message()
    server.send(octets, to=[who])
    server.arrives(last, who)
    found = server.mailbox(who)
    assert not set(inners) & set(found)
    expected = {last, *outers} if ending in WITHOUT_BARE else {last}
    assert set(found) == expected and all(len(copies) == 1 for copies in found.values())

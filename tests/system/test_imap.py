"""IMAP extensions over the wire, against the real program in its sandboxes."""
import re

import pytest

import hauberk


@pytest.fixture
def served():
    server = hauberk.Server(hauberk.ASAN)
    try:
        server.start().populate("bob")
        yield server
        server.stop()
    finally:
        server.kill()


def append(raw, text, mailbox="INBOX"):
    assert raw.tagged(f"APPEND {mailbox} {{{len(text)}+}}\r\n{text}").startswith("a OK [APPENDUID ")


def untagged(raw, command):
    """What the server says before its OK."""
    assert raw.tagged(command).startswith("a OK"), command
    return raw.untagged


def test_removals_are_told_after_a_kill(served):
    with served.logged_in() as raw:
        for number in range(5):
            append(raw, f"Subject: {number}\r\n\r\nx\r\n")
        untagged(raw, "ENABLE QRESYNC")
        lines = "\n".join(untagged(raw, "SELECT INBOX"))
        validity = re.search(r"UIDVALIDITY (\d+)", lines).group(1)
        modseq = re.search(r"HIGHESTMODSEQ (\d+)", lines).group(1)
        untagged(raw, r"STORE 2,4 +FLAGS.SILENT (\Deleted)")
        assert "* VANISHED 2,4" in untagged(raw, "EXPUNGE")
    served.kill()
    served.start()
    with served.logged_in() as raw:
        untagged(raw, "ENABLE QRESYNC")
        lines = untagged(raw, f"SELECT INBOX (QRESYNC ({validity} {modseq}))")
        assert "* VANISHED (EARLIER) 2,4" in lines and "* 3 EXISTS" in lines
        assert "* VANISHED (EARLIER) 4" in untagged(raw, f"UID FETCH 3:* UID (CHANGEDSINCE {modseq} VANISHED)")

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


def test_rev2_over_the_wire(served):
    """What IMAP4rev2 and its relatives change, in one connection that two users share."""
    with served.logged_in() as raw:
        assert "IMAP4rev2" in untagged(raw, "CAPABILITY")[0].split()
        assert untagged(raw, "ENABLE IMAP4rev2 UTF8=ACCEPT") == ["* ENABLED IMAP4rev2 UTF8=ACCEPT"]
        name = "Entw\u00fcrfe".encode().decode("latin-1")
        assert raw.tagged(f'CREATE "{name}"').startswith("a OK [MAILBOXID (F")
        assert untagged(raw, 'LIST "" Entw*') == [f'* LIST (\\HasNoChildren) "/" "{name}"']
        text = "Subject: caf\u00e9\r\n\r\nsome  words\r\n".encode()
        raw.send(b"a APPEND INBOX UTF8 (~{%d+}\r\n%s)\r\n" % (len(text), text))
        assert raw.until().startswith("a OK [APPENDUID ")
        lines = untagged(raw, "SELECT INBOX")
        assert '* LIST () "/" "INBOX"' in lines and not [x for x in lines if "RECENT" in x or "UNSEEN" in x]
        assert untagged(raw, "SEARCH ALL") == ['* ESEARCH (TAG "a") ALL 1']
        assert untagged(raw, "FETCH 1 (PREVIEW EMAILID)") == ['* 1 FETCH (PREVIEW "some words" EMAILID (M1))']
        raw.send(b"a REPLACE 1 INBOX {9+}\r\nA: b\r\n\r\ny\r\n")
        assert raw.until() == "a OK replaced"
        assert raw.untagged[1:] == ["* 2 EXISTS", "* 1 EXPUNGE"]
        assert re.match(r'\* 1 FETCH \(SAVEDATE "', untagged(raw, "FETCH 1 SAVEDATE")[0])
        assert raw.tagged("UNAUTHENTICATE") == "a OK who are you"
        assert raw.tagged(f'LOGIN bob@example.org "{hauberk.PASSWORD}"') == "a OK logged in"
        untagged(raw, "SELECT INBOX")
        assert untagged(raw, "SEARCH ALL") == ["* SEARCH 1"]

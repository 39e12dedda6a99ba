"""IMAP extensions over the wire, against the real program in its sandboxes."""
import re
import zlib

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


class Deflated:
    """The socket of a raw connection, compressed both ways (RFC 4978)."""

    def __init__(self, socket):
        self.socket, self.wire = socket, 0
        self.deflate = zlib.compressobj(wbits=-15)
        self.inflate = zlib.decompressobj(wbits=-15)

    def sendall(self, octets):
        self.socket.sendall(self.deflate.compress(octets) + self.deflate.flush(zlib.Z_SYNC_FLUSH))

    def recv(self, size):
        while True:
            octets = self.socket.recv(size)
            self.wire += len(octets)
            text = self.inflate.decompress(octets)
            if text or not octets:
                return text

    def close(self):
        self.socket.close()


@pytest.fixture(scope="module")
def squeezing():
    server = hauberk.Server(hauberk.ASAN, settings="imap: { compress = true; };")
    try:
        server.start().populate("bob")
        yield server
        server.stop()
    finally:
        server.kill()


def login(raw):
    assert raw.tagged(f'LOGIN bob@example.org "{hauberk.PASSWORD}"') == "a OK logged in"


@pytest.mark.parametrize("name", ["imap_plain", "imap", "imaps"])
def test_compression(squeezing, name):
    """Plain, over STARTTLS and over TLS: long answers, IDLE, another user, and no second layer."""
    with squeezing.raw(name) as raw:
        if name == "imaps":
            raw.starttls()
        raw.line()
        if name == "imap":
            raw.tagged("STARTTLS")
            raw.starttls()
        login(raw)
        assert "COMPRESS=DEFLATE" in untagged(raw, "CAPABILITY")[0].split()
        assert raw.tagged("COMPRESS LZ4").startswith("a BAD ")
        assert raw.tagged("COMPRESS DEFLATE") == "a OK compress from now on"
        raw.socket = Deflated(raw.socket)
        assert raw.tagged("COMPRESS DEFLATE").startswith("a NO [COMPRESSIONACTIVE] ")
        assert "COMPRESS=DEFLATE" not in untagged(raw, "CAPABILITY")[0].split()
        append(raw, "Subject: long\r\n\r\n" + "the same again\r\n" * 200000)
        untagged(raw, "SELECT INBOX")
        assert untagged(raw, "FETCH * PREVIEW (LAZY)")[0].count("the same again") == 13
        raw.socket.wire = 0
        assert untagged(raw, "FETCH * BODY.PEEK[TEXT]").count("the same again") == 200000
        assert raw.socket.wire < 100000
        raw.send(b"a IDLE\r\n")
        assert raw.line().startswith("+ ")
        with squeezing.logged_in() as other:
            append(other, "Subject: new\r\n\r\n")
        assert re.match(r"\* \d+ EXISTS", raw.line())
        raw.send(b"DONE\r\n")
        raw.until()
        assert raw.tagged("UNAUTHENTICATE") == "a OK who are you"
        if name == "imap_plain":
            assert "STARTTLS" not in untagged(raw, "CAPABILITY")[0].split()
        login(raw)
        assert raw.tagged("LOGOUT") == "a OK done"


def test_what_is_not_compressed_ends_the_connection(squeezing):
    with squeezing.logged_in() as raw:
        assert raw.tagged("COMPRESS DEFLATE") == "a OK compress from now on"
        raw.send(b"a NOOP\r\na NOOP\r\n")
        assert raw.all() == ""
    assert "compress.failed" in squeezing.log()


def test_a_client_that_does_not_read_holds_its_own_answer_only(squeezing):
    with squeezing.logged_in() as raw:
        append(raw, "Subject: long\r\n\r\n" + "".join(f"{i * 7919 % 1000003}\r\n" for i in range(300000)))
        untagged(raw, "SELECT INBOX")
        assert raw.tagged("COMPRESS DEFLATE") == "a OK compress from now on"
        raw.socket = Deflated(raw.socket)
        raw.send(b"".join(b"a%d FETCH * BODY.PEEK[TEXT]\r\n" % i for i in range(20)))
        with squeezing.logged_in() as other:
            assert other.tagged("NOOP") == "a OK done"
        for i in range(20):
            assert raw.until(f"a{i}") == f"a{i} OK fetched"
            assert len(raw.untagged) > 300000


def test_compression_is_off_unless_it_is_asked_for(served):
    with served.logged_in() as raw:
        assert "COMPRESS=DEFLATE" not in untagged(raw, "CAPABILITY")[0].split()
        assert raw.tagged("COMPRESS DEFLATE").startswith("a NO [CANNOT] ")

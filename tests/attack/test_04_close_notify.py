"""Attack 4: TLS ends at some octet of a BDAT transfer and clear text follows on the same connection. Nothing of
it may be taken, for a message or for a command, and the server stays as it was."""
import ssl

import pytest

from hauberk import message

CLEAR = b"x", b"QUIT\r\n", b"BDAT 5 LAST\r\nhello"


class Tls:
    """A client's TLS whose records are sent by hand."""

    def __init__(self, raw):
        self.raw, self.come, self.go = raw, ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.tls = context.wrap_bio(self.come, self.go)
        self.step(self.tls.do_handshake)

    def flush(self):
        if self.go.pending:
            self.raw.send(self.go.read())

    def step(self, call, *arguments):
        """Does it, feeding what comes, for as long as it wants more."""
        while True:
            try:
                result = call(*arguments)
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                more = self.raw.socket.recv(65536)
                if not more:
                    self.come.write_eof()
                self.come.write(more)

    def say(self, text):
        self.step(self.tls.write, text)
        return self.step(self.tls.read, 4096).decode()

    def close_notify(self):
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass  # the other side's answer is not waited for
        self.flush()


@pytest.fixture(scope="module")
def transfer():
    _, text = message(b"in a chunk\r\n")
    return text[:60]


def begun(server):
    tls = Tls(server.raw("smtps"))
    tls.step(tls.tls.read, 4096)
    for command in (b"EHLO c.example\r\n", b"MAIL FROM:<a@c.example>\r\n", b"RCPT TO:<bob@example.org>\r\n"):
        assert tls.say(command).startswith("250")
    return tls


@pytest.mark.parametrize("clear", CLEAR, ids=("an octet", "a command", "a chunk"))
def test_nothing_in_clear_is_taken_after_the_end_of_tls(server, transfer, clear):
    before = server.log().count(" accepted ")
    for at in range(len(transfer) + 1):
        tls = begun(server)
        tls.step(tls.tls.write, b"BDAT %d LAST\r\n" % (len(transfer) + 1) + transfer[:at])
        tls.close_notify()
        try:
            tls.raw.send(clear)
            rest = tls.raw.all()
        except OSError:
            rest = ""
        assert "250 " not in rest and "221 " not in rest  # what may come is the server's own close_notify
        tls.raw.close()
    assert server.log().count(" accepted ") == before
    name, octets = message()
    server.send(octets)
    server.arrives(name)

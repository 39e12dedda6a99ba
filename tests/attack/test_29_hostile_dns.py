"""Attack 29: a name server that answers with what no server should: the asker lives, under the address sanitizer, and says
what became of it."""
import os
import random
import socket
import struct
import subprocess
import threading
import time

import pytest

import hauberk

NAME = b"\4evil\4test\0"


class Hostile:
    """Answers each question with the octets that `make(query, question)` returns."""

    def __init__(self, make):
        (self.port,) = hauberk.free_ports(1)
        self.make = make
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.tcp = socket.create_server(("127.0.0.1", self.port))
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def reply(self, query):
        at = 12
        while query[at]:
            at += 1 + query[at]
        return self.make(query, query[12:at + 5])

    def serve_udp(self):
        while True:
            try:
                query, address = self.udp.recvfrom(4096)
                self.udp.sendto(self.reply(query)[:60000], address)
            except OSError:
                return

    def serve_tcp(self):
        while True:
            try:
                one, _ = self.tcp.accept()
            except OSError:
                return
            with one:
                try:
                    length = struct.unpack("!H", one.recv(2, socket.MSG_WAITALL))[0]
                    reply = self.reply(one.recv(length, socket.MSG_WAITALL))[:65535]
                    one.sendall(struct.pack("!H", len(reply)) + reply)
                except (OSError, struct.error):
                    pass

    def stop(self):
        self.tcp.shutdown(socket.SHUT_RDWR)
        self.tcp.close()
        self.udp.close()


def packet(query, question, records, flags=0x8480, count=None):
    count = len(records) if count is None else count
    return query[:2] + struct.pack("!HHHHH", flags, 1, count, 0, 0) + question + b"".join(records)


def record(kind, data, name=b"\xc0\x0c", length=None):
    return name + struct.pack("!HHIH", kind, 1, 60, len(data) if length is None else length) + data


def kind_of(question):
    return struct.unpack("!H", question[-4:-2])[0]


ANSWERS = {
    "a name that points at itself": lambda q, n: packet(q, n, [record(kind_of(n), b"\xc0\x1e" * 8, name=b"\xc0\x1c")]),
    "names that point at each other": lambda q, n: packet(q, n, [record(15, b"\0\1\xc0\x40\xc0\x3e")]),
    "a label of 200 octets": lambda q, n: packet(q, n, [record(12, b"\xbf" + b"a" * 199 + b"\0")]),
    "data longer than the packet": lambda q, n: packet(q, n, [record(kind_of(n), b"abcd", length=60000)]),
    "more records than there are": lambda q, n: packet(q, n, [record(1, b"\1\2\3\4")], count=65535),
    "an address of three octets": lambda q, n: packet(q, n, [record(1, b"\1\2\3")]),
    "an MX without a name": lambda q, n: packet(q, n, [record(15, b"\0\1")]),
    "a TXT whose string is cut": lambda q, n: packet(q, n, [record(16, b"\xffv=spf1")]),
    "a TXT without a string": lambda q, n: packet(q, n, [record(16, b"")]),
    "a TXT of 64 KB": lambda q, n: packet(q, n, [record(16, (b"\xff" + b"v=spf1 +all ".ljust(255, b"x")) * 250)]),
    "control characters": lambda q, n: packet(q, n, [record(kind_of(n), {12: b"\7a\r\n\x1b[2J\0", 15: b"\0\1\7a\r\n\x1b[2J\0"}.get(
        kind_of(n), b"\x16v=spf1 \r\nX: \x1b[31m\xff\xfe -all"[:23]))]),
    "an empty packet": lambda q, n: b"",
    "half a head": lambda q, n: q[:7],
    "another question": lambda q, n: packet(q, NAME + b"\0\1\0\1", [record(1, b"\1\2\3\4", name=NAME)]),
    "another name's record": lambda q, n: packet(q, n, [record(kind_of(n), b"\1\2\3\4", name=NAME)]),
    "truncated for ever": lambda q, n: packet(q, n, [], flags=0x8680),
    "an endless chain of CNAMEs": lambda q, n: packet(q, n, [record(5, b"\1a" + n[:-4])]),
}


def questions(port):
    host = f"127.0.0.1:{port}"
    for kind in ("A", "AAAA", "MX", "TXT", "PTR", "TLSA", "SRV"):
        yield ["dns", "query", "host.test", kind, "--dns", host]
    yield ["dns", "query", "192.0.2.1", "--dns", host]
    yield ["spf", "check", "--ip", "192.0.2.3", "--from", "a@host.test", "--helo", "host.test", "--trace", "--dns", host]


def ask_all(make, tmp_path):
    conf = tmp_path / "hauberk.conf"
    conf.write_text('hostname = "mx.example.org"; dns: { timeout = "300 ms"; };\n'
                    'listeners = ( { protocol = "smtp"; address = "127.0.0.1"; port = 1; tls = "no"; } );\n')
    server = Hostile(make)
    try:
        running = [subprocess.Popen([hauberk.ASAN, *words, "-c", conf], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                   for words in questions(server.port)]
        return [(one.args, *one.communicate(timeout=60), one.returncode) for one in running]
    finally:
        server.stop()


def assert_sane(results):
    for words, out, errors, status in results:
        assert status in (0, 1), (words, status, errors[-2000:])
        assert b"Sanitizer" not in errors and b"runtime error" not in errors, (words, errors[-3000:])
        assert not any(c < 32 and c != 10 or c == 127 for c in out), (words, out)
        assert out.split(b"\n")[0].split(b",")[0] in (b"found", b"no such record", b"no such name", b"failed", b"none", b"pass",
                                                      b"fail", b"neutral", b"softfail", b"temperror", b"permerror"), (words, out)


@pytest.mark.parametrize("name", ANSWERS)
def test_the_asker_lives(name, tmp_path):
    assert_sane(ask_all(ANSWERS[name], tmp_path))


def test_octets_that_chance_has_changed(tmp_path):
    seed = int(os.environ.get("SEED", time.time_ns() % 1000000))
    print(f"SEED={seed}")  # shown when the test fails
    chance = random.Random(seed)

    def make(query, question):
        kind = kind_of(question)
        data = {1: b"\1\2\3\4", 28: b"\1" * 16, 15: b"\0\1" + NAME, 12: NAME, 16: b"\7v=spf1 ", 33: b"\0\1\0\1\0\1" + NAME}
        octets = bytearray(packet(query, question, [record(kind, data.get(kind, b"\3\1\1abcd"))] * 2))
        for _ in range(chance.randrange(1, 6)):
            octets[chance.randrange(2, len(octets))] = chance.randrange(256)
        return bytes(octets[:chance.choice((len(octets), chance.randrange(12, len(octets))))])

    for _ in range(3):
        assert_sane(ask_all(make, tmp_path))

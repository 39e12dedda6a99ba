"""Session tickets: taken at every process, across reload, restarts and a change of keys; bound to a host and
to a listener's settings; and no way around a client's certificate."""
import concurrent.futures
import base64
import hashlib
import hmac
import os
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest

import hauberk
from test_certificates import both, make
from test_reload import edit, reload
from test_tls import Authority, Listeners, binary  # noqa: F401

VERSIONS = ("TLSv1_2", "TLSv1_3")


class Client:
    """Keeps the session of its last connection."""

    def __init__(self, here, version="TLSv1_3", pair=None):
        self.here, self.session = here, None
        self.context = here.context(version, version)
        if pair:
            self.context.load_cert_chain(*map(str, pair))

    def greeted(self, name, host=None, keep=True):
        """Was it resumed? Talks so long that a ticket has come."""
        with socket.create_connection(("127.0.0.1", self.here.ports[name]), timeout=20) as plain, \
                self.context.wrap_socket(plain, server_hostname=host, session=self.session) as tls:
            assert b"Hauberk" in tls.recv(1000)
            tls.sendall(b"a NOOP\r\n")
            assert tls.recv(1000).startswith(b"a OK")
            if keep:
                self.session = tls.session
            return tls.session_reused


def pids(server, role="imap"):
    return {row["pid"] for row in server.status() if row["role"] == role}


@pytest.fixture
def tickets(new_server, binary):
    return Listeners(new_server, binary=binary, usual="", same="", none="sessionTickets = false;",
                     other='cipherSuite13 = "TLS_AES_256_GCM_SHA384";')


@pytest.mark.parametrize("version", VERSIONS)
def test_every_process_takes_the_tickets_of_all(tickets, version):
    client = Client(tickets, version)
    assert len(pids(tickets.server)) >= 2
    assert not client.greeted("usual")
    # New connections go to whichever process is free: of many at once, some to each.
    for _ in range(20):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            assert all(pool.map(lambda _: client.greeted("usual", keep=False), range(32)))
        lines = [l for l in tickets.server.log().splitlines() if " tls.done " in l]
        takers = {re.search(r" (imap\.\d) ", l).group(1) for l in lines if "resumed=1" in l}
        if len(takers) >= 2:
            break
    assert len(takers) >= 2
    # Another listener of the same settings and protocol is as good.
    assert client.greeted("same", keep=False)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_ticket_is_good_for_the_settings_it_was_made_under(tickets, version):
    client = Client(tickets, version)
    client.greeted("usual")
    assert not client.greeted("other", keep=False)
    assert not client.greeted("none", keep=False)
    assert client.greeted("usual", keep=False)
    nobody = Client(tickets, version)
    nobody.greeted("none")
    assert not nobody.session or not nobody.session.has_ticket
    assert not nobody.greeted("none")


def test_keys_need_not_be_asked_for_a_session_that_goes_on(tickets):
    client = Client(tickets)
    client.greeted("usual")
    keys, = pids(tickets.server, "keys")
    os.kill(keys, signal.SIGSTOP)
    try:
        assert all(client.greeted("usual", keep=False) for _ in range(10))
    finally:
        os.kill(keys, signal.SIGCONT)


@pytest.mark.parametrize("version", VERSIONS)
def test_tickets_outlive_restarts_of_roles_and_reloads(tickets, version):
    server = tickets.server
    client = Client(tickets, version)
    client.greeted("usual")
    server.expected.add("role.died")
    for pid in pids(server):
        os.kill(pid, signal.SIGKILL)
    hauberk.wait_for("all to be ready", server.ready)
    assert all(client.greeted("usual", keep=False) for _ in range(10))
    reload(server)
    assert all(client.greeted("usual", keep=False) for _ in range(10))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_renewed_certificate_is_seen_by_all(new_server, version):
    """Who resumes sees no certificate, so a session ends with the one that it was made with."""
    folder = hauberk.new_folder()
    chain, key = make(folder, "first")
    here = Listeners(new_server, own=both((chain, key)), usual="")
    own, usual = Client(here, version), Client(here, version)
    own.greeted("own"), usual.greeted("usual")
    for path, new in zip((chain, key), make(folder, "second")):
        path.write_bytes(new.read_bytes())
    reload(here.server)
    hauberk.wait_for("the new one", lambda: b"second" in here.greets("own")[2] and b"second" in here.greets("own")[2])
    assert usual.greeted("usual", keep=False)
    hauberk.wait_for("all to want it", lambda: not any(own.greeted("own", keep=False) for _ in range(10)))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_key_turns_and_the_one_before_is_taken(new_server, version):
    here = Listeners(new_server, "ticketLifetime = \"6 s\";", usual="")
    server = here.server
    def turned():
        return server.log().count(" tickets.turned ")
    def fresh():
        """A session made just before a turn."""
        client, before = Client(here, version), turned()
        hauberk.wait_for("a turn", lambda: turned() > before)
        client.greeted("usual")
        return client, turned()
    for attempt in range(3):
        client, before = fresh()
        time.sleep(3.5)
        late = Client(here, version)
        late.greeted("usual")
        hauberk.wait_for("the next turn", lambda: turned() > before)
        resumed = [late.greeted("usual", keep=False) for _ in range(4)]
        if turned() == before + 1:
            assert all(resumed)
            break
    else:
        pytest.fail("the machine is too slow to tell")
    # With the key before that it is over, as is its time.
    hauberk.wait_for("another turn", lambda: turned() >= before + 2)
    assert not late.greeted("usual", keep=False)
    assert not client.greeted("usual", keep=False)


# ---- bound to a host ----

@pytest.fixture
def two_hosts(new_server, binary):
    folder = hauberk.new_folder()
    here = Listeners(new_server, binary=binary, usual="")
    shared = make(folder, "both", "ec", ["c.example", "d.example"])
    entries = [both(make(folder, "a.example")), both(make(folder, "b.example", "rsa")), both(shared)]
    edit(here.server, ("listeners = (", "certificates = (\n{});\nlisteners = (".format(
        ",\n".join(f"{{ {entry} }}" for entry in entries))))
    reload(here.server)
    hauberk.wait_for("the hosts", lambda: all(shows(here, "a.example") for _ in range(6)))
    return here


def shows(here, host):
    context = here.context()
    with socket.create_connection(("127.0.0.1", here.ports["usual"]), timeout=20) as plain, \
            context.wrap_socket(plain, server_hostname=host) as tls:
        return host.encode() in tls.getpeercert(binary_form=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_ticket_of_a_host_is_not_taken_under_the_name_of_another(two_hosts, version):
    names = ["a.example", "b.example", "c.example", "d.example", "stranger.example", "other.example", None]
    for made in names:
        client = Client(two_hosts, version)
        assert not client.greeted("usual", made)
        for shown in names:
            assert client.greeted("usual", shown, keep=False) == (shown == made), (made, shown)
        if made:
            assert client.greeted("usual", made.upper(), keep=False)


# ---- certificates of clients ----

@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_with_a_clients_certificate_is_never_resumed(new_server, binary, version):
    folder = hauberk.new_folder()
    ours = Authority(folder, "ours")
    rule = f'clientCA = "{ours.chain}"; requestClientAuth = '
    here = Listeners(new_server, binary=binary, no="", optional=rule + '"optional";', required=rule + '"required";')
    ann = ours.signs("/CN=ann")
    for name in ("optional", "required"):
        client = Client(here, version, ann)
        for _ in range(4):
            assert not client.greeted(name)
        assert 'resumed=0 client="CN=ann"' in here.server.log().replace("client=CN=ann", 'client="CN=ann"')
    # Who has shown none goes on, where none is needed; nowhere else.
    nobody = Client(here, version)
    assert not nobody.greeted("optional")
    assert nobody.greeted("optional", keep=False)
    assert not nobody.greeted("no", keep=False)
    for made in ("optional", "no"):
        nobody = Client(here, version)
        nobody.greeted(made)
        with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
            nobody.greeted("required", keep=False)


# ---- the binding of a login ----

def scram_plus(kind, binding, send, line):
    """Logs bob in by SCRAM-SHA-256-PLUS (RFC 5802) over send(octets) and line(); what the server says."""
    header, first = f"p={kind},,", "n=bob@example.org,r=rOprNGfwEbeRWgbNEkqO"
    send(b"a AUTHENTICATE SCRAM-SHA-256-PLUS " + base64.b64encode((header + first).encode()) + b"\r\n")
    challenge = base64.b64decode(line()[2:]).decode()
    parts = dict(p.split("=", 1) for p in challenge.split(","))
    final = "c=" + base64.b64encode(header.encode() + binding).decode() + ",r=" + parts["r"]
    salted = hashlib.pbkdf2_hmac("sha256", hauberk.PASSWORD.encode(), base64.b64decode(parts["s"]), int(parts["i"]))
    key = hmac.digest(salted, b"Client Key", "sha256")
    signed = hmac.digest(hashlib.sha256(key).digest(), f"{first},{challenge},{final}".encode(), "sha256")
    proof = base64.b64encode(bytes(x ^ y for x, y in zip(key, signed))).decode()
    send(base64.b64encode(f"{final},p={proof}".encode()) + b"\r\n")
    said = line()
    if said.startswith(b"+"):
        send(b"\r\n")
        said = line()
    return said


@pytest.mark.parametrize("version", VERSIONS)
def test_a_login_is_bound_to_the_certificate_in_a_resumed_session_too(server, version):
    der = ssl.PEM_cert_to_DER_cert(hauberk.certificate()[0].read_text())
    right, wrong = hashlib.sha256(der).digest(), hashlib.sha256(der + b"x").digest()
    context, session = hauberk.trusting(), None
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
    for binding, resumed, answer in ((right, False, b"a OK"), (right, True, b"a OK"), (wrong, True, b"a NO")):
        with socket.create_connection(("127.0.0.1", server.ports["imaps"]), timeout=20) as plain, \
                context.wrap_socket(plain, server_hostname=hauberk.HOST, session=session) as tls:
            stream = tls.makefile("rb")
            stream.readline()
            said = scram_plus("tls-server-end-point", binding, tls.sendall, stream.readline)
            assert said.startswith(answer) and tls.session_reused == resumed, said
            session = tls.session


class Openssl:
    """openssl s_client, talked to line by line. Of what it prints itself `head` is kept."""

    def __init__(self, server, *words):
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{server.ports['imaps']}", *map(str, words)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.head = ""
        while "* OK " not in self.head:
            self.head += self.line().decode(errors="replace")

    def send(self, octets):
        self.process.stdin.write(octets)
        self.process.stdin.flush()

    def line(self):
        got = self.process.stdout.readline()
        assert got, "s_client has ended"
        return got

    def answer(self):
        """A line of the server, not one about its tickets."""
        while True:
            got = self.line()
            if re.match(rb"(a|\+|\*) ", got):
                return got

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def new_session(server, path, *words):
    with Openssl(server, *words, "-sess_out", path) as one:
        one.send(b"a NOOP\r\n")
        assert one.answer().startswith(b"a OK")
        hauberk.wait_for("the session", lambda: path.exists() and path.stat().st_size > 0)
    return path


def test_a_login_is_bound_to_the_connection_in_a_resumed_session_too(server):
    """tls-exporter (RFC 9266): of each connection another, also when its session goes on."""
    words = ["-tls1_3", "-keymatexport", "EXPORTER-Channel-Binding", "-keymatexportlen", "32"]
    words += ["-sess_in", new_session(server, hauberk.new_folder() / "session", "-tls1_3")]
    seen = []
    for attempt in ("right", "right", "that of another connection"):
        with Openssl(server, *words) as one:
            assert "Reused, TLSv1.3" in one.head
            material = bytes.fromhex(re.search(r"Keying material: ([0-9A-F]{64})", one.head).group(1))
            assert material not in seen
            seen.append(material)
            said = scram_plus("tls-exporter", material if attempt == "right" else seen[0], one.send, one.answer)
            assert said.startswith(b"a OK" if attempt == "right" else b"a NO"), (attempt, said)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_another_client_resumes_too(server, version):
    """OpenSSL's own, with the session in a file."""
    path = new_session(server, hauberk.new_folder() / "session", version)
    for _ in range(6):
        with Openssl(server, version, "-sess_in", path) as one:
            assert "Reused, TLSv1" in one.head, one.head
    with Openssl(server, version, "-sess_in", path, "-servername", "elsewhere.example") as one:
        assert "New, TLSv1" in one.head

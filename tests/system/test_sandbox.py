"""The release build's roles are locked in, whatever Landlock the kernel offers, and serve so."""
import base64
import os
import pathlib
import re
import subprocess

import pytest

import hauberk
import kdc
from hauberk import behind_trace, message, trusting
from test_certificates import both, make
from test_reload import reload
from test_tls import Listeners, openssl
from tickets import Ticket, authenticate, is_welcome

ROLES = {"control", "keys", "auth", "queue", "deliver", "smtp", "imap"}


@pytest.fixture(scope="module")
def locked():
    server = hauberk.Server(hauberk.RELEASE)
    try:
        yield server.start().populate("bob")
        server.stop()
    finally:
        server.kill()


def roles(server):
    rows = [r for r in server.status() if r["role"] != "main"]
    assert {r["role"] for r in rows} == ROLES
    return rows


@pytest.mark.skipif(os.geteuid() != 0, reason="root reads what others may not")
def test_the_private_key_is_in_the_memory_of_keys_only(locked):
    pem = hauberk.certificate()[1].read_bytes()
    body = b"".join(pem.splitlines()[1:-1])
    holders = set()
    for row in roles(locked):
        if any(body[:40] in octets or der(body) in octets for octets in memory(row["pid"])):
            holders.add(row["role"])
    assert holders <= {"keys"}, holders
    for row in roles(locked):
        names = [os.readlink(p) for p in pathlib.Path(f"/proc/{row['pid']}/fd").iterdir()]
        assert not any("key" in n for n in names), names


@pytest.mark.skipif(os.geteuid() != 0, reason="root reads what others may not")
def test_a_private_key_of_rsa_is_in_the_memory_of_keys_only(new_server):
    """Also after handshakes with it, and after a reload. A prime is looked for as OpenSSL holds numbers, and as
    the file has it."""
    pair = make(hauberk.new_folder(), "rsa.example", "rsa")
    here = Listeners(new_server, own=both(pair))
    text = openssl("rsa", "-in", pair[1], "-noout", "-text").stdout.decode()
    prime = bytes.fromhex("".join(re.search(r"prime1:\n((?: .*\n)+)", text).group(1).split()).replace(":", "")).lstrip(b"\0")
    body = b"".join(pair[1].read_bytes().splitlines()[1:-1])
    for again in (False, True):
        if again:
            reload(here.server)
        for _ in range(8):
            assert here.greets("own")[0].startswith("TLSv1.")
        for row in roles(here.server):
            found = any(want in octets for octets in memory(row["pid"])
                        for want in (prime[:48], prime[::-1][:48], body[100:180]))
            assert found == (row["role"] == "keys"), row


@pytest.mark.skipif(os.geteuid() != 0, reason="root reads what others may not")
def test_the_keys_of_a_keytab_are_in_the_memory_of_auth_only(new_server):
    """Also after a login with them, and after they were read again."""
    realm = kdc.Kdc()
    try:
        path = realm.start().keytab()
        server = new_server(hauberk.RELEASE, settings=f'kerberos: {{ keytab = "{path}"; }};').populate("ann")
        listed = subprocess.run(["klist", "-K", "-k", str(path)], capture_output=True, text=True, check=True).stdout
        keys = [bytes.fromhex(key) for key in re.findall(r"\(0x([0-9a-f]+)\)", listed)]
        assert len(keys) >= 3
        for again in (False, True):
            if again:
                reload(server)
            with realm.logged_on("ann"):
                assert is_welcome("imap", authenticate(server, "imap", Ticket("imap"), False))
            for row in server.status():
                found = any(key in octets for octets in memory(row["pid"]) for key in keys)
                assert found == (row["role"] == "auth"), row
    finally:
        realm.stop()


def der(body):
    """The secret number itself, as it stands in the file."""
    octets = base64.b64decode(body)
    at = octets.index(b"\x02\x01\x01\x04\x20") + 5
    return octets[at:at + 32]


def memory(pid):
    with open(f"/proc/{pid}/mem", "rb") as mem:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            words = line.split()
            if "r" not in words[1] or words[-1].startswith("[v"):
                continue
            first, last = (int(x, 16) for x in words[0].split("-"))
            try:
                mem.seek(first)
                yield mem.read(last - first)
            except (OSError, ValueError, OverflowError):
                pass


WRONG, RIGHT = "Wr0ng-Secret-In-Memory-77", "R1ght-Secret-In-Memory-77"


def log_in_everywhere(server, password):
    """By every way in which a password comes to the server in clear."""
    name = "eve@example.org"
    with server.raw("imap_plain") as raw:
        raw.line()
        yield raw.tagged(f'LOGIN {name} "{password}"')
    with server.raw("imap_plain") as raw:
        raw.line()
        raw.send(f"a LOGIN {name} {{{len(password)}}}\r\n".encode())
        raw.line()
        raw.send(password.encode() + b"\r\n")
        yield raw.until()
    with server.raw("imaps") as raw:
        raw.starttls()
        raw.line()
        yield raw.tagged(f"AUTHENTICATE PLAIN {hauberk.plain_token(name, password)}")
    with server.raw("pop3s") as raw:
        raw.starttls()
        raw.line()
        raw.send(f"USER {name}\r\n".encode())
        raw.line()
        raw.send(f"PASS {password}\r\n".encode())
        yield raw.line()
    with server.raw("smtps") as raw:
        raw.starttls()
        raw.reply()
        raw.say("EHLO c.example")
        yield raw.say(f"AUTH PLAIN {hauberk.plain_token(name, password)}")
    with server.raw("smtps") as raw:
        raw.starttls()
        raw.reply()
        raw.say("EHLO c.example")
        raw.say("AUTH LOGIN")
        raw.say(base64.b64encode(name.encode()).decode())
        yield raw.say(base64.b64encode(password.encode()).decode())


@pytest.mark.skipif(os.geteuid() != 0, reason="root reads what others may not")
def test_passwords_leave_no_trace_and_verifiers_are_with_auth_only(locked):
    locked.must("account", "add", "eve@example.org", secret=RIGHT)
    for password, good in ((WRONG, False), (RIGHT, True)):
        for said in log_in_everywhere(locked, password):
            assert any(word in said for word in ("a OK", "+OK", "235 ")) == good, said
    secrets = [s.encode() for p in (WRONG, RIGHT)
               for s in (p, base64.b64encode(p.encode()).decode(),
                         hauberk.plain_token("eve@example.org", p)[-16:])]
    found = set()
    for row in locked.status():
        for part in memory(row["pid"]):
            found |= {(row["role"], s) for s in secrets if s in part}
            if re.search(rb"\$y\$j9T\$[./0-9A-Za-z]{10}", part):
                found.add((row["role"], "verifier"))
    assert found <= {("auth", "verifier")}, found


@pytest.mark.skipif(os.geteuid() != 0, reason="root reads what others may not")
def test_no_role_holds_a_listener_of_another(locked):
    for row in roles(locked):
        sockets = [os.readlink(p) for p in pathlib.Path(f"/proc/{row['pid']}/fd").iterdir()]
        inodes = {s[8:-1] for s in sockets if s.startswith("socket:")}
        held = [p for p in listening(inodes)]
        if row["role"] == "smtp":
            assert set(held) == {locked.ports[n] for n in ("smtp", "smtps", "submission")}
        elif row["role"] == "imap":
            assert set(held) == {locked.ports[n] for n in
                                 ("imap", "imaps", "imap_plain", "pop3", "pop3s")}
        else:
            assert not held, row


def listening(inodes):
    for name in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and words[9] in inodes:
                yield int(words[1].rsplit(":", 1)[1], 16)


@pytest.mark.parametrize("most", [None, "2", "0"])
def test_the_server_serves_with_each_landlock(new_server, most):
    server = new_server(hauberk.RELEASE, start=False)
    if most:
        server.environment["HAUBERK_LANDLOCK_MAX"] = most
    server.start().populate("bob")
    for row in roles(server):
        if most == "0":
            assert row["sandbox"] == "seccomp", row
        elif most == "2":
            assert row["sandbox"] in ("seccomp", "seccomp,landlock:1", "seccomp,landlock:2"), row
        else:
            assert row["sandbox"].startswith("seccomp"), row
    name, octets = message(b"x" * 1000000 + b"\r\n")
    with server.smtp() as client:
        client._host = hauberk.HOST
        client.starttls(context=trusting())
        client.sendmail("a@b.example", ["bob@example.org"], octets)
    assert behind_trace(server.arrives(name)) == octets
    with server.imap() as client:
        client.select("INBOX")
        client.create("Box")
        assert client.copy("1", "Box")[0] == "OK"
        client.store("1", "+FLAGS", r"(\Deleted)")
        assert client.expunge()[1] == [b"1"]
        client.append("Box", None, None, octets)
        client.rename("Box", "Case")
        client.select("Case")
        assert client.search(None, "BODY", "xxx")[1] == [b"1 2"]
        client.delete("Case")
    server.must("account", "remove", "bob@example.org")
    server.must("domain", "remove", "example.org")

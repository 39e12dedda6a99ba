"""The keytab: what is wrong with it is told before any user meets it; it is renewed while the server runs; RC4."""
import os
import subprocess

import pytest

import hauberk
import kdc as kerberos
from tickets import Begun, Ticket, authenticate, is_welcome, is_wrong, refusals


@pytest.fixture
def kdc():
    """A realm of the test's own: its keys change."""
    realm = kerberos.Kdc()
    try:
        yield realm.start()
    finally:
        realm.stop()


def settings(keytab, rc4="no"):
    return f'kerberos: {{ keytab = "{keytab}"; allowRC4 = "{rc4}"; }};'


def log_in(kdc, server, service="imap"):
    with kdc.logged_on("ann"):
        return authenticate(server, service, Ticket(service), False)


def offers(server, service):
    if service == "imap":
        with server.raw("imap_plain") as raw:
            raw.line()
            raw.tagged("CAPABILITY")
            return "AUTH=GSSAPI" in raw.untagged[0]
    with server.hello("submission") as raw:
        raw.say("STARTTLS")
        raw.starttls()
        return "GSSAPI" in raw.say("EHLO client.example")


def warnings(server):
    return [line for line in server.log().splitlines() if " keytab.warning " in line]


@pytest.mark.parametrize("build", ["ASAN", "RELEASE"])
def test_new_keys_are_taken_without_a_word(kdc, new_server, build):
    server = new_server(getattr(hauberk, build), settings=settings(kdc.keytab())).populate("ann")
    assert is_welcome("imap", log_in(kdc, server))
    with kdc.logged_on("ann"):
        before = Begun(Ticket("imap"))  # this client has its ticket already
    old = kdc.folder / "old.keytab"
    os.rename(kdc.folder / "imap.keytab", old)
    kdc.new_keys("imap")
    assert is_wrong("imap", log_in(kdc, server))
    assert refusals(server) == ["old-key"]
    kdc.keytab("smtp", "imap", "pop", file="new.keytab")
    merged = kdc.merge([kdc.folder / "new.keytab", old], "both.keytab")
    os.rename(merged, kdc.folder / "mail.keytab")
    hauberk.wait_for("the new keytab", lambda: " keytab.changed " in server.log())
    hauberk.wait_for("auth to take it", lambda: is_welcome("imap", log_in(kdc, server)))
    assert is_welcome("imap", authenticate(server, "imap", before, False))
    assert "old-key" not in refusals(server)[1:] and "restarts=1" not in server.must("status")


def test_a_file_that_is_no_keytab_changes_nothing(kdc, new_server):
    keytab = kdc.keytab()
    server = new_server(settings=settings(keytab)).populate("ann")
    whole = keytab.read_bytes()
    for content, why in ((b"hello", "does not begin with 05 02"), (b"\5\2", "no key in it"), (b"", "begin with 05 02"),
                         (whole[:-3], "goes beyond its end"), (whole[:6] + b"\xff" * 20 + whole[26:], "malformed")):
        before = server.log().count(" keytab.refused ")
        keytab.write_bytes(content)
        hauberk.wait_for("the file to be refused", lambda: server.log().count(" keytab.refused ") > before)
        last = [line for line in server.log().splitlines() if " keytab.refused " in line][-1]
        assert why in last and str(keytab) in last, last
        assert is_welcome("imap", log_in(kdc, server))
    # a reload refuses it too
    server.process.send_signal(1)
    hauberk.wait_for("the reload to be refused", lambda: " reload.refused " in server.log())
    assert is_welcome("imap", log_in(kdc, server))


def test_a_start_without_the_file_says_which(new_server, tmp_path):
    server = new_server(settings=settings("/nonexistent/mail.keytab"), start=False)
    done = subprocess.run(server.words, capture_output=True, text=True, timeout=30, env=server.environment, cwd="/tmp")
    assert done.returncode == 1
    assert "kerberos.keytab: cannot read /nonexistent/mail.keytab: No such file" in done.stderr


def test_gssapi_is_offered_where_there_is_a_key(kdc, new_server):
    server = new_server(settings=settings(kdc.keytab("imap")))
    assert offers(server, "imap") and not offers(server, "smtp")
    assert len(warnings(server)) == 2 and "no key of smtp/HOST" in warnings(server)[0]
    server.write_conf()
    server.process.send_signal(1)
    hauberk.wait_for("the reload", lambda: " reloaded " in server.log())
    hauberk.wait_for("GSSAPI to be gone", lambda: not offers(server, "imap"))


def test_a_keytab_that_others_can_read_is_told(kdc, new_server):
    keytab = kdc.keytab()
    keytab.chmod(0o644)
    server = new_server(settings=settings(keytab))
    assert len(warnings(server)) == 1 and "chmod 600" in warnings(server)[0]


def test_rc4_is_refused_unless_it_is_allowed(kdc, new_server):
    kdc.new_keys("imap", [kerberos.RC4])
    keytab = kdc.keytab()
    server = new_server(settings=settings(keytab)).populate("ann")
    told = warnings(server)
    assert len(told) == 1 and str(keytab) in told[0]
    for word in ("imap/localhost@EXAMPLE.ORG kvno 2 arcfour-hmac", "msDS-SupportedEncryptionTypes", "AES256-SHA1"):
        assert word in told[0]
    assert offers(server, "smtp") and not offers(server, "imap")
    # with an older key of AES beside it GSSAPI is offered, but this ticket is not taken
    mixed = with_unused_aes(kdc)
    os.rename(mixed, keytab)
    hauberk.wait_for("GSSAPI to be offered", lambda: offers(server, "imap"))
    assert is_wrong("imap", log_in(kdc, server))
    assert refusals(server) == ["rc4-refused"]
    for rc4, weak in (("warn", 1), ("yes", 0)):
        other = new_server(hauberk.RELEASE, settings=settings(keytab, rc4)).populate("ann")
        assert is_welcome("imap", log_in(kdc, other)), other.log()[-2000:]
        assert other.log().count(" kerberos.weak ") == weak


def with_unused_aes(kdc):
    """A keytab whose newest key of imap is RC4, with one of AES that nobody uses beside it."""
    parts = [kdc.folder / f"{name}.keytab" for name in ("smtp", "imap", "pop")]
    extra = kdc.folder / "extra.keytab"
    kdc.run("ktutil", text=f"addent -password -p {kdc.service('imap')}@{kdc.realm} -k 1 -e {kerberos.AES}\nunused\n"
                           f"wkt {extra}\nq\n")
    return kdc.merge([*parts, extra], "mixed.keytab")

"""SIGHUP: configuration, certificate and key are read again while the server serves."""
import signal
import socket
import ssl
import subprocess

import pytest

import hauberk


def new_certificate(folder, name):
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", key, "-out", chain],
                   check=True, capture_output=True)
    chain.chmod(0o644)
    key.chmod(0o644)
    return chain, key


def reload(server, word="reloaded"):
    before = server.log().count(f" {word} ")
    server.process.send_signal(signal.SIGHUP)
    hauberk.wait_for(f"the log to say {word}", lambda: server.log().count(f" {word} ") > before)


def served_name(server, port="imaps"):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", server.ports[port]), timeout=20) as plain:
        with context.wrap_socket(plain) as tls:
            assert b"Hauberk" in tls.recv(1000)
            pem = ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True))
    return subprocess.run(["openssl", "x509", "-noout", "-subject"], input=pem, capture_output=True,
                          text=True, check=True).stdout


@pytest.fixture
def running(new_server):
    server = new_server(hauberk.RELEASE)
    server.populate("ann", "bob")
    return server


def edit(server, *changes):
    text = server.conf.read_text()
    for old, new in changes:
        assert old in text, (old, text)
        text = text.replace(old, new)
    server.conf.write_text(text)


def test_a_new_certificate_is_served_and_nobody_is_disturbed(running):
    client = running.imap()
    client.select("INBOX")
    for name in ("first.example", "second.example"):
        chain, key = new_certificate(running.folder, name)
        old_chain, old_key = hauberk.certificate() if name.startswith("first") else last
        edit(running, (str(old_chain), str(chain)), (str(old_key), str(key)))
        last = chain, key
        reload(running)
        hauberk.wait_for("the new certificate", lambda: name in served_name(running))
        hauberk.wait_for("it on smtp too", lambda: name in served_name(running, "smtps"))
    client.noop()
    client.logout()
    assert all(row["restarts"] == 0 for row in running.status() if row["role"] != "main")


def test_a_changed_setting_reaches_its_role_only(running):
    edit(running, ("listeners = (", "smtp: { maxMessageSize = \"100 KB\"; };\nlisteners = ("))
    pids = {(r["role"], r["pid"]) for r in running.status()}
    reload(running)
    def limited():
        with running.hello() as client:
            return "SIZE 102400" in client.say("EHLO client.example.org")
    hauberk.wait_for("both smtp processes", lambda: all(limited() for _ in range(6)), 30)
    hauberk.wait_for("all to be ready", running.ready)
    changed = {(r["role"], r["pid"]) for r in running.status()} - pids
    assert {role for role, _ in changed} == {"smtp"} and len(changed) == 2


def test_listeners_come_and_go(running):
    port = hauberk.free_ports(1)[0]
    listener = f'{{ protocol = "imap"; tls = "no"; plainLogin = true; address = "127.0.0.1"; port = {port}; }},'
    edit(running, ("listeners = (", "listeners = (\n  " + listener))
    reload(running)
    def greeted():
        try:
            with hauberk.Raw("127.0.0.1", port) as client:
                return "Hauberk" in client.line()
        except OSError:
            return False
    hauberk.wait_for("the new port", greeted, 30)
    edit(running, (listener, ""))
    reload(running)
    hauberk.wait_for("the port to close", lambda: not greeted(), 30)


@pytest.mark.parametrize("old,new,why", [
    ("listeners = (", "smtp: { maxRecipient = 500; };\nlisteners = (", "did you mean"),
    ("listeners = (", "smtp: { maxRecipients = 5; };\nlisteners = (", "smtp.maxRecipients"),
    ("/state\"", "/elsewhere\"", "stateDir can only change with a new start"),
])
def test_what_is_wrong_changes_nothing(running, old, new, why):
    edit(running, (old, new))
    reload(running, "reload.refused")
    hauberk.wait_for("the reason", lambda: why in running.log())
    with running.imap() as client:
        client.noop()
    edit(running, (new, old))
    assert all(row["restarts"] == 0 for row in running.status() if row["role"] != "main")


def test_a_key_that_does_not_fit_is_refused(running):
    chain, _ = new_certificate(running.folder, "odd.example")
    edit(running, (str(hauberk.certificate()[0]), str(chain)))
    reload(running, "reload.refused")
    assert "does not belong to the certificate" in running.log()
    assert "odd.example" not in served_name(running)

"""Logins with mechanisms, by clients that others wrote: gsasl, msmtp, mutt."""
import base64
import hashlib
import subprocess

import pytest

import hauberk

USER = "ann@example.org"


def gsasl(server, protocol, port, mechanism, *more, password=hauberk.PASSWORD):
    return subprocess.run(
        ["gsasl", "--client", f"--{protocol}", "--starttls", "-m", mechanism, "--connect",
         f"127.0.0.1:{server.ports[port]}", f"--x509-ca-file={hauberk.certificate()[0]}", "-a", USER,
         "-p", password, "--service", protocol, "--hostname", "localhost", *more],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=30)


@pytest.mark.parametrize("protocol,port", [("imap", "imap"), ("smtp", "submission")])
@pytest.mark.parametrize("mechanism,more", [("SCRAM-SHA-256", ["--no-cb"]), ("SCRAM-SHA-256-PLUS", []),
                                            ("PLAIN", []), ("LOGIN", [])])
def test_gsasl_logs_in(server, protocol, port, mechanism, more):
    done = gsasl(server, protocol, port, mechanism, *more)
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
    assert "finished (server trusted)" in done.stdout + done.stderr


def test_gsasl_is_refused_with_a_wrong_password(server):
    done = gsasl(server, "imap", "imap", "SCRAM-SHA-256", "--no-cb", password="wrong")
    assert done.returncode != 0 and "AUTHENTICATIONFAILED" in done.stdout


def test_msmtp_sends_with_scram(server, tmp_path):
    rc = tmp_path / "msmtprc"
    rc.write_text(f"""
account default
host 127.0.0.1
port {server.ports['submission']}
from {USER}
auth scram-sha-256
user {USER}
passwordeval echo '{hauberk.PASSWORD}'
tls on
tls_starttls on
tls_trust_file {hauberk.certificate()[0]}
tls_host_override localhost
""")
    rc.chmod(0o600)
    before = server.count()
    done = subprocess.run(["msmtp", f"--file={rc}", "bob@example.org"], input="Subject: msmtp\n\nhello\n",
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    hauberk.wait_for("the message", lambda: server.count() > before)


def test_mutt_logs_in_with_its_defaults(server, tmp_path):
    rc = tmp_path / "muttrc"
    rc.write_text(f"""
set folder="imaps://127.0.0.1:{server.ports['imaps']}/"
set spoolfile="+INBOX"
set imap_user="{USER}"
set imap_pass="{hauberk.PASSWORD}"
set certificate_file="{hauberk.certificate()[0]}"
set ssl_verify_host=no
set header_cache=""
""")
    before = server.log().count("imap.login ")
    done = subprocess.run(["script", "-qec", f"mutt -F {rc} -e 'push <exit>'", "/dev/null"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                          timeout=60, env={"TERM": "xterm", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert server.log().count("imap.login ") > before, done.stdout[-800:]


def sha256(password):
    return "{SHA256}" + base64.b64encode(hashlib.sha256(password.encode()).digest()).decode()


def offered(server):
    with server.hello("submission") as client:
        client.say("STARTTLS")
        client.starttls()
        return client.say("EHLO client.example.org")


def test_scram_is_offered_only_while_everybody_could_use_it(new_server):
    server = new_server()
    server.populate("ann", "bob")
    assert "SCRAM-SHA-256-PLUS SCRAM-SHA-256" in offered(server)
    server.must("account", "verifier", USER, secret=sha256("older"))
    assert "SCRAM" not in offered(server) and "PLAIN" in offered(server)
    with server.imap(USER, password="older") as client:
        client.noop()
    server.must("account", "passwd", USER, secret=hauberk.PASSWORD)
    assert "SCRAM-SHA-256" in offered(server)
    refused = server.command("account", "verifier", USER, secret="{NOSUCH}abc")
    assert refused.returncode == 1 and "scheme is not known" in refused.stderr


def test_a_changed_password_is_not_remembered(new_server):
    server = new_server()
    server.populate("ann", "bob")
    for _ in range(3):
        server.imap(USER).logout()
    server.must("account", "passwd", USER, secret="another one")
    with pytest.raises(Exception, match="AUTHENTICATIONFAILED"):
        server.imap(USER)
    server.imap(USER, password="another one").logout()


def test_an_account_is_added_with_another_servers_hash(new_server):
    server = new_server().populate("ann")
    name = "hashed@example.org"
    server.must("account", "add", name, "--hash", sha256("elsewhere"))
    assert server.command("account", "add", name, "--hash", sha256("elsewhere")).returncode == 1
    server.imap(name, password="elsewhere").logout()
    refused = server.command("account", "add", "other@example.org", "--hash", "{NOSUCH}abc")
    assert refused.returncode == 1 and "scheme is not known" in refused.stderr
    assert "other@example.org" not in server.command("account", "list").stdout
    for words in (("account", "add", name, "--hash"), ("account", "add", name, "hash", "x"),
                  ("account", "add", name, "--hash", "")):
        assert server.command(*words).returncode == 2

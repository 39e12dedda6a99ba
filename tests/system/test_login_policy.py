"""Which ways to log in each service offers, with TLS and without: as the settings say, told and enforced alike."""
import imaplib
import poplib
import smtplib
import ssl

import pytest

import hauberk

USER, PASSWORD = "ann@example.org", hauberk.PASSWORD
SETTINGS = """
smtp: { secureConnAuthTypes = "login"; plainConnAuthTypes = "scram-sha-256"; };
imap: { secureConnAuthTypes = "SCRAM-SHA-256, gssapi"; plainConnAuthTypes = "plain";
        secureConnAllowLogin = false; plainConnAllowLogin = true; };
pop3: { secureConnAuthTypes = "plain"; plainConnAuthTypes = ""; secureConnAllowLogin = false; };
"""


@pytest.fixture(scope="module")
def strict():
    made = hauberk.Server(settings=SETTINGS)
    try:
        yield made.start().populate("ann")
        made.stop()
    finally:
        made.kill()


def context():
    return ssl.create_default_context(cafile=hauberk.certificate()[0])


def smtp(server, tls):
    client = smtplib.SMTP("localhost", server.ports["submission"], timeout=20)
    if tls:
        client.starttls(context=context())
    client.ehlo()
    return client


def imap(server, tls):
    client = imaplib.IMAP4("localhost", server.ports["imap"], timeout=20)
    if tls:
        client.starttls(context())
    client.capability()
    return client


def pop3(server, tls):
    client = poplib.POP3("localhost", server.ports["pop3"], timeout=20)
    if tls:
        client.stls(context())
    return client


def test_smtp_offers_its_own_lists(strict):
    with smtp(strict, tls=False) as client:
        assert client.esmtp_features["auth"].split() == ["SCRAM-SHA-256"]
        assert client.docmd("AUTH", "PLAIN AGFubgB4")[0] == 538
    with smtp(strict, tls=True) as client:
        assert client.esmtp_features["auth"].split() == ["LOGIN"]
        assert client.docmd("AUTH", "PLAIN AGFubgB4")[0] == 504
        client.user, client.password = USER, PASSWORD
        assert client.auth("LOGIN", client.auth_login)[0] == 235


def test_imap_offers_its_own_lists(strict):
    client = imap(strict, tls=False)
    said = client.capability()[1][0].decode()
    assert [w for w in said.split() if w.startswith("AUTH=")] == ["AUTH=PLAIN"]
    assert "LOGINDISABLED" not in said
    assert client.login(USER, PASSWORD)[0] == "OK"
    client.logout()
    client = imap(strict, tls=True)
    said = client.capability()[1][0].decode()
    assert [w for w in said.split() if w.startswith("AUTH=")] == ["AUTH=SCRAM-SHA-256"]
    assert "LOGINDISABLED" in said
    with pytest.raises(imaplib.IMAP4.error, match="LOGIN is switched off here"):
        client.login(USER, PASSWORD)
    with pytest.raises(imaplib.IMAP4.error, match="no such mechanism"):
        client.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
    client.logout()


def test_pop3_offers_its_own_lists(strict):
    client = pop3(strict, tls=False)
    assert "SASL" not in client.capa() and "USER" not in client.capa()
    with pytest.raises(poplib.error_proto, match="start TLS first"):
        client.user(USER)
    client.quit()
    client = pop3(strict, tls=True)
    assert client.capa()["SASL"] == ["PLAIN"] and "USER" not in client.capa()
    with pytest.raises(poplib.error_proto, match="USER and PASS are switched off here"):
        client.user(USER)
    assert client._shortcmd("AUTH PLAIN " + hauberk.plain_token()).startswith(b"+OK")
    client.quit()


def test_a_listener_may_count_as_secure(new_server):
    server = new_server(settings=SETTINGS, listeners={"imap": "plainLogin = true;"}).populate("ann")
    client = imap(server, tls=False)
    said = client.capability()[1][0].decode()
    assert "LOGINDISABLED" in said and "AUTH=PLAIN" not in said
    client.logout()


@pytest.mark.parametrize("types, what", [
    ("cram-md5", "cram-md5 is not offered: the server would have to keep passwords that can be read"),
    ("plain digest-md5", "digest-md5 is not offered: RFC 6331"),
    ("scram-sha-1", "scram-sha-1 is not offered"),
    ("xoauth2", "xoauth2 is not offered: nobody checks tokens of OAuth yet"),
    ("plain;login", 'there is no mechanism "plain;login"; there are scram-sha-256-plus'),
])
def test_wrong_lists_are_told_with_their_line(tmp_path, types, what):
    conf = tmp_path / "hauberk.conf"
    conf.write_text('hostname = "mx.example.org";\n' f'imap: {{ secureConnAuthTypes = "{types}"; }};\n'
                    'listeners = ( { protocol = "imap"; address = "127.0.0.1"; port = 1; tls = "no"; } );\n')
    done = hauberk.subprocess.run([hauberk.ASAN, "config", "check", "-c", conf], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and f"{conf}:2: imap.secureConnAuthTypes: {what}" in done.stderr, done

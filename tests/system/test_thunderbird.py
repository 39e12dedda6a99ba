"""Thunderbird itself, as docs/active-directory.md sets it up: reads and sends mail with a ticket, no password typed."""
import json
import os
import shutil
import signal
import subprocess

import pytest

import hauberk
import kdc as kerberos
from marionette import Marionette

pytestmark = pytest.mark.skipif(not (shutil.which("thunderbird") and shutil.which("certutil")),
                                reason="Thunderbird is not installed (tools/install-packages thunderbird)")

# What a person chooses in the account settings: SSL/TLS (3), Kerberos / GSSAPI (5).
SETTINGS = {
    "mail.accountmanager.accounts": "account1,account2", "mail.accountmanager.defaultaccount": "account1",
    "mail.accountmanager.localfoldersserver": "server2", "mail.account.lastKey": 2,
    "mail.account.account1.identities": "id1", "mail.account.account1.server": "server1",
    "mail.account.account2.server": "server2",
    "mail.identity.id1.fullName": "Ann", "mail.identity.id1.useremail": "ann@example.org",
    "mail.identity.id1.valid": True, "mail.identity.id1.smtpServer": "smtp1", "mail.identity.id1.fcc": False,
    "mail.server.server1.hostname": "localhost", "mail.server.server1.userName": "ann",
    "mail.server.server1.name": "ann", "mail.server.server1.authMethod": 5, "mail.server.server1.socketType": 3,
    "mail.server.server1.login_at_startup": True, "mail.server.server1.check_new_mail": True,
    "mail.server.server1.download_on_biff": True,
    "mail.server.server2.type": "none", "mail.server.server2.hostname": "Local Folders",
    "mail.server.server2.name": "Local Folders", "mail.server.server2.userName": "nobody",
    "mail.server.server2.directory-rel": "[ProfD]Mail/Local Folders",
    "mail.smtpservers": "smtp1", "mail.smtp.defaultserver": "smtp1", "mail.smtpserver.smtp1.hostname": "localhost",
    "mail.smtpserver.smtp1.authMethod": 5, "mail.smtpserver.smtp1.try_ssl": 3,
    "mail.smtpserver.smtp1.username": "ann",
    # and what nobody wants in a test
    "mail.provider.suppress_dialog_on_startup": True, "mail.spotlight.firstRunDone": True,
    "mail.shell.checkDefaultClient": False, "mail.rights.version": 1, "mailnews.start_page.enabled": False,
    "mailnews.start_page_override.mstone": "ignore", "app.update.enabled": False, "app.normandy.enabled": False,
    "app.donation.eoy.version.viewed": 999, "datareporting.policy.dataSubmissionEnabled": False,
    "datareporting.healthreport.uploadEnabled": False, "toolkit.telemetry.enabled": False,
    "browser.safebrowsing.malware.enabled": False, "browser.safebrowsing.phishing.enabled": False,
    "extensions.update.enabled": False, "extensions.getAddons.cache.enabled": False,
    "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,", "mail.password_protect_local_cache": False,
}

BODIES = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const { MsgHdrToMimeMessage } = ChromeUtils.importESModule("resource:///modules/gloda/MimeMessage.sys.mjs");
const inbox = MailServices.accounts.defaultAccount.incomingServer.rootFolder.getFolderWithFlags(0x1000);
const found = [];
for (const header of inbox ? inbox.messages : []) {
    const body = await new Promise(done => MsgHdrToMimeMessage(
        header, null, (_, message) => done(message.coerceBodyToPlaintext(inbox)), true, {}));
    found.push([header.subject, body]);
}
return found;
"""

SEND = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const account = MailServices.accounts.defaultAccount, id = account.defaultIdentity;
const make = (name, what) => Cc["@mozilla.org/" + name + ";1"].createInstance(what);
const fields = make("messengercompose/composefields", Ci.nsIMsgCompFields);
fields.from = id.email; fields.to = "bob@example.org"; fields.subject = words[0]; fields.body = "hello bob";
fields.forcePlainText = true; fields.useMultipartAlternative = false;
const params = make("messengercompose/composeparams", Ci.nsIMsgComposeParams);
params.identity = id; params.composeFields = fields;
params.type = Ci.nsIMsgCompType.New; params.format = Ci.nsIMsgCompFormat.PlainText;
const compose = make("messengercompose/compose", Ci.nsIMsgCompose);
compose.initialize(params);
await compose.sendMsg(Ci.nsIMsgCompDeliverMode.Now, id, account.key, null, make("messenger/progress", Ci.nsIMsgProgress));
"""

# No outside name resolves, so nothing is asked of the world.
ALONE = 'mount --make-rprivate /; mount --bind "$1" /etc/resolv.conf; shift; exec "$@"'


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=30)


@pytest.fixture(scope="module")
def authority():
    """(folder, settings of listeners) with an authority's certificate and one of it for localhost."""
    folder = hauberk.new_folder()
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=authority", "-keyout", folder / "ca.key", "-out", folder / "ca.pem")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
            "-keyout", folder / "key.pem", "-out", folder / "request")
    (folder / "more").write_text("subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", folder / "request", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
            "-days", "2", "-set_serial", "9", "-extfile", folder / "more", "-out", folder / "cert.pem")
    if os.geteuid() == 0:
        shutil.chown(folder / "key.pem", "nobody", "nogroup")
    text = f'certificate = "{folder}/cert.pem"; key = "{folder}/key.pem";'
    return folder, {name: text for name in ("imaps", "pop3s", "smtps")}


@pytest.fixture(scope="module")
def site(authority):
    kdc = kerberos.Kdc()
    server = None
    try:
        kdc.start()
        server = hauberk.Server(hauberk.RELEASE, settings=f'kerberos: {{ keytab = "{kdc.keytab()}"; }};',
                                listeners=authority[1])
        server.start().populate("ann", "bob")
        server.kdc = kdc
        yield server
        server.stop()
    finally:
        if server:
            server.kill()
        kdc.stop()


def profile(folder, authority, site, protocol, port):
    """A profile with an account as the guide says, which trusts the tests' authority."""
    kind = {"imaps": "imap", "pop3s": "pop3"}[protocol]
    settings = {**SETTINGS, "mail.server.server1.type": kind, "mail.server.server1.port": site.ports[protocol],
                "mail.server.server1.directory-rel": f"[ProfD]{'ImapMail' if kind == 'imap' else 'Mail'}/localhost",
                "mail.smtpserver.smtp1.port": site.ports["smtps"], "marionette.port": port}
    (folder / "user.js").write_text("".join(
        f'user_pref("{name}", {json.dumps(value)});\n' for name, value in settings.items()))
    subprocess.run(["certutil", "-N", "-d", f"sql:{folder}", "--empty-password"], check=True, capture_output=True)
    subprocess.run(["certutil", "-A", "-d", f"sql:{folder}", "-n", "tests", "-t", "C,,", "-i", authority / "ca.pem"],
                   check=True, capture_output=True)


@pytest.fixture
def thunderbird(site, authority, tmp_path):
    """Starts it with a protocol; ended by the process group that is its own."""
    started = []

    def start(protocol, environment):
        port = hauberk.free_ports(1)[0]
        home = tmp_path / "home"
        folder = tmp_path / "profile"
        home.mkdir(), folder.mkdir()
        profile(folder, authority[0], site, protocol, port)
        dead = tmp_path / "resolv.conf"
        dead.write_text("nameserver 127.0.0.2\noptions timeout:1 attempts:1\n")
        words = ["thunderbird", "--headless", "--no-remote", "--profile", str(folder), "--marionette",
                 "--remote-allow-system-access"]
        if os.geteuid() == 0:
            words = ["unshare", "-m", "sh", "-c", ALONE, "sh", str(dead), *words]
        with open(tmp_path / "out", "wb") as out:
            started.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            env={**environment, "HOME": str(home), "PATH": os.environ["PATH"]},
                                            start_new_session=True))
        return Marionette(port, lambda: started[-1].poll() is None)

    yield start
    for process in started:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait(20)


@pytest.mark.parametrize("protocol", ["imaps", "pop3s"])
def test_thunderbird_reads_and_sends_with_a_ticket(site, thunderbird, protocol):
    subject = f"for thunderbird by {protocol}"
    name, octets = hauberk.message(b"the text of it\r\n", subject)
    site.send(octets, ["ann@example.org"])
    site.arrives(name, "ann@example.org")
    before = logins(site)
    app = thunderbird(protocol, site.kdc.ticket("ann"))
    found = hauberk.wait_for("the message", lambda: [b for s, b in app.run(BODIES) if s == subject], 60)
    assert found[0].strip() == "the text of it"
    app.run(SEND, f"from thunderbird by {protocol}")
    hauberk.wait_for("what it sent", lambda: site.count_of(f"from thunderbird by {protocol}", "bob@example.org"))
    assert logins(site) > before + 1  # one to read, one to send


def logins(site):
    """How many logins by GSSAPI auth has accepted."""
    return sum(int(row.get("logins", 0)) for row in site.status() if row["role"] == "auth")

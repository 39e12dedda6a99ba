"""Mail programs that others wrote, logging in as ann with a ticket: client(realm, site, folder), which fails the
test unless it got in."""
import subprocess

import hauberk

USER = "ann@example.org"


def run(realm, words, folder, text="", **files):
    """One, as ann, in a folder with these files."""
    for name, content in files.items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    environment = {**realm.ticket("ann"), "HOME": str(folder), "TERM": "xterm"}
    return subprocess.run(words, input=text, capture_output=True, text=True, errors="replace", timeout=60,
                          env=environment, cwd=folder)


def logins(site):
    """How many logins by GSSAPI auth has accepted."""
    return sum(int(row.get("logins", 0)) for row in site.status() if row["role"] == "auth")


def chain():
    return hauberk.certificate()[0]


def gets_in(realm, site, folder, words, statuses=(0,), **more):
    before = logins(site)
    done = run(realm, words, folder, **more)
    assert done.returncode in statuses and logins(site) > before, (done, site.log()[-3000:])
    return done


def gsasl(realm, site, folder, protocol, port):
    done = gets_in(realm, site, folder, [
        "gsasl", "--client", f"--{protocol}", "--starttls", "-m", "GSSAPI", "--connect",
        f"127.0.0.1:{site.ports[port]}", f"--x509-ca-file={chain()}", "-a", USER, "-z", "ann", "--service", protocol,
        "--hostname", "localhost"])
    assert "Client authentication finished (server trusted)" in done.stdout + done.stderr


def curl(realm, site, folder, scheme, port=None):
    gets_in(realm, site, folder, ["curl", "-sS", "--cacert", str(chain()), "--user", f"ann@{realm.realm}:",
                                  "--login-options", "AUTH=GSSAPI", f"{scheme}://localhost:{site.ports[port or scheme]}/"])


def curl_sends(realm, site, folder):
    subject = f"curl {folder.name}"
    gets_in(realm, site, folder, ["curl", "-sS", "--ssl-reqd", "--cacert", str(chain()), "--user",
                                  f"ann@{realm.realm}:", "--login-options", "AUTH=GSSAPI", "--mail-from", USER,
                                  "--mail-rcpt", USER, "--upload-file", "-",
                                  f"smtp://localhost:{site.ports['submission']}/"],
            text=f"Subject: {subject}\r\n\r\nhello\r\n")
    hauberk.wait_for("the message", lambda: site.count_of(subject, USER))


def msmtp(realm, site, folder):
    subject = f"msmtp {folder.name}"
    gets_in(realm, site, folder, ["msmtp", f"--file={folder}/rc", USER], text=f"Subject: {subject}\n\nhello\n",
            rc=f"""
account default
host localhost
port {site.ports['submission']}
from {USER}
auth gssapi
user ann
tls on
tls_starttls on
tls_trust_file {chain()}
""")
    hauberk.wait_for("the message", lambda: site.count_of(subject, USER))


def mpop(realm, site, folder):
    gets_in(realm, site, folder, ["mpop", f"--file={folder}/rc", "-s"], rc=f"""
account default
host localhost
port {site.ports['pop3s']}
auth gssapi
user ann
tls on
tls_starttls off
tls_trust_file {chain()}
delivery mbox {folder}/mbox
""")


def fetchmail(realm, site, folder, protocol, port):
    gets_in(realm, site, folder, ["fetchmail", "-f", f"{folder}/fetch", "--check", "--pidfile", f"{folder}/pid"],
            (0, 1),  # 1: no new mail
            fetch=f"poll localhost protocol {protocol} port {site.ports[port]} auth gssapi user ann ssl "
                  f"sslcertfile {chain()} sslcertck\n")


def mbsync(realm, site, folder):
    (folder / "mail").mkdir()
    gets_in(realm, site, folder, ["mbsync", "-c", f"{folder}/sync", "-a"], sync=f"""
IMAPAccount one
Host localhost
Port {site.ports['imaps']}
User ann
AuthMechs GSSAPI
SSLType IMAPS
CertificateFile {chain()}

IMAPStore far
Account one

MaildirStore near
Path {folder}/mail/
Inbox {folder}/mail/INBOX

Channel all
Far :far:
Near :near:
Create Near
""")


def mutt(realm, site, folder):
    gets_in(realm, site, folder, ["script", "-qec", f"mutt -F {folder}/mutt -e 'push <exit>'", "/dev/null"],
            mutt=f"""
set folder="imaps://localhost:{site.ports['imaps']}/"
set spoolfile="+INBOX"
set imap_user="ann"
set imap_authenticators="gssapi"
set certificate_file="{chain()}"
set header_cache=""
""")


CLIENTS = {
    "gsasl imap": lambda *a: gsasl(*a, "imap", "imap"),
    "gsasl smtp": lambda *a: gsasl(*a, "smtp", "submission"),
    "curl imaps": lambda *a: curl(*a, "imaps"),
    "curl imap without TLS": lambda *a: curl(*a, "imap", "imap_plain"),
    "curl pop3s": lambda *a: curl(*a, "pop3s"),
    "curl smtp": curl_sends,
    "msmtp": msmtp,
    "mpop": mpop,
    "fetchmail imap": lambda *a: fetchmail(*a, "IMAP", "imaps"),
    "fetchmail pop3": lambda *a: fetchmail(*a, "POP3", "pop3s"),
    "mbsync": mbsync,
    "mutt": mutt,
}

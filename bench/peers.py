"""The servers that are measured: ours, Dovecot, and Postfix delivering to Dovecot by LMTP. All private to a folder,
on loopback, with the same durability: an answered message is on the disk."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

USERS, PASSWORD = 50, "secret"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on {port}")


def with_children(pids):
    found = [int(p) for p in pids]
    for pid in list(found):
        out = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout
        found += map(int, out.split())
    return found


def make_certificate(folder):
    """ECDSA P-256 for both, in the folder."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", folder / "key.pem", "-out", folder / "certificate.pem", "-days", "2",
                    "-subj", "/CN=mx.bench.test"], check=True, capture_output=True)
    (folder / "key.pem").chmod(0o644)


class Hauberk:
    name = "hauberk"

    def __init__(self, folder, binary):
        self.folder, self.smtp, self.imap = folder / "hauberk", free_port(), free_port()
        self.imaps, self.pop = free_port(), free_port()
        self.folder.mkdir()
        self.binary = shutil.copy(binary, self.folder / "program")
        shutil.chown(self.folder, "nobody")
        self.conf = self.folder / "hauberk.conf"
        self.conf.write_text(f"""
hostname = "mx.bench.test"; logLevel = "info";
stateDir = "{self.folder}/state"; runDir = "{self.folder}/state/run";
tls: {{ certificate = "{folder}/certificate.pem"; key = "{folder}/key.pem"; }};
listeners = ( {{ protocol = "smtp"; address = "127.0.0.1"; port = {self.smtp}; tls = "starttls"; }},
  {{ protocol = "imap"; address = "127.0.0.1"; port = {self.imap}; tls = "no"; plainLogin = true; }},
  {{ protocol = "imap"; address = "127.0.0.1"; port = {self.imaps}; tls = "always"; }},
  {{ protocol = "pop3"; address = "127.0.0.1"; port = {self.pop}; tls = "no"; plainLogin = true; }} );
""")

    def run(self, *words, **more):
        return subprocess.run(["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups",
                               self.binary, *words, "-c", self.conf], check=True, text=True,
                              capture_output=True, **more)

    def start(self):
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(["setpriv", "--reuid", "nobody", "--regid", "nogroup",
                                         "--clear-groups", self.binary, "serve", "--as-user", "-c", self.conf],
                                        stderr=self.log)
        wait_port(self.smtp)
        wait_port(self.imap)
        time.sleep(0.5)
        self.run("domain", "add", "bench.test")
        for i in range(USERS):
            self.run("account", "add", f"u{i}@bench.test", input=PASSWORD + "\n")
        return self

    def add_users(self, first, n, verifier):
        """More accounts, with a verifier of crypt(5)."""
        for i in range(first, first + n):
            self.run("account", "add", f"u{i}@bench.test", input=PASSWORD + "\n")
            self.run("account", "verifier", f"u{i}@bench.test", input=verifier + "\n")

    def pids(self):
        return with_children([self.process.pid])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


class Dovecot:
    """Settings that matter for fairness: no limit of connections a client, data synced as answered
    (mail_fsync = optimized, the default: flag changes are not), plain passwords unless another scheme is
    asked for, and login processes used again (`login`: "default" starts one for each login, "reused" uses
    the IMAP processes again, too: the fastest there is)."""

    def __init__(self, folder, name, format="maildir", login="again", passwords=f"{{PLAIN}}{PASSWORD}", cache=False,
                 users=USERS):
        self.name, self.folder = name, folder / name
        self.imap, self.imaps, self.pop, self.smtp = free_port(), free_port(), free_port(), None
        self.folder.mkdir(parents=True)
        mail = self.folder / "mail"
        mail.mkdir()
        os.chown(mail, 5000, 5000)
        (self.folder / "users").write_text(
            "".join(f"u{i}@bench.test:{passwords}:5000:5000::{mail}/u{i}::\n" for i in range(users)))
        self.conf = self.folder / "dovecot.conf"
        self.conf.write_text(f"""
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.folder}/log
protocols = imap pop3 lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{folder}/certificate.pem
ssl_key = <{folder}/key.pem
disable_plaintext_auth = no
mail_location = {format}:~/Mail
mail_fsync = optimized
first_valid_uid = 5000
mail_max_userip_connections = 20000
default_login_user = dovenull
default_internal_user = dovecot
auth_cache_size = {"10M" if cache else "0"}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {self.folder}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {self.folder}/users
}}
service imap-login {{
  service_count = {1 if login == "default" else 0}
  process_limit = 400
  inet_listener imap {{
    port = {self.imap}
  }}
  inet_listener imaps {{
    port = {self.imaps}
  }}
}}
service pop3-login {{
  service_count = 0
  inet_listener pop3 {{
    port = {self.pop}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service imap {{
  service_count = {1000 if login == "reused" else 1}
  process_limit = 2000
}}
service auth {{
  client_limit = 10000
}}
service anvil {{
  client_limit = 10000
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
}}
""")

    def start(self):
        subprocess.run(["dovecot", "-c", self.conf], check=True)
        wait_port(self.imap)
        return self

    def pids(self):
        return with_children([(self.folder / "run/master.pid").read_text()])

    def stop(self):
        subprocess.run(["doveadm", "-c", self.conf, "stop"], capture_output=True)


class PostfixDovecot:
    """Settings that matter for fairness: in_flow_delay 0 (the default sleeps), no reverse DNS of the
    client, recipients checked against a map of 3000; and those of Dovecot."""
    name = "postfix-dovecot"

    def __init__(self, folder):
        self.folder, self.smtp = folder / "peers", free_port()
        self.postfix = self.folder / "postfix"
        for sub in ("etc", "spool", "data"):
            (self.postfix / sub).mkdir(parents=True)
        shutil.chown(self.postfix / "data", "postfix")
        self.folder.chmod(0o755)
        self.dovecot = Dovecot(folder, "dovecot")
        self.imap, self.imaps, self.pop = self.dovecot.imap, self.dovecot.imaps, self.dovecot.pop
        self.write_postfix()

    def write_postfix(self):
        etc = self.postfix / "etc"
        for name in ("postfix-files", "dynamicmaps.cf"):
            for place in ("/etc/postfix", "/usr/share/postfix"):
                if (pathlib.Path(place) / name).exists():
                    shutil.copy(pathlib.Path(place) / name, etc / name)
        (etc / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {self.postfix}/spool
data_directory = {self.postfix}/data
maillog_file = {self.postfix}/log
maillog_file_prefixes = /tmp, /var
myhostname = mx.bench.test
mydestination =
alias_maps =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
smtpd_relay_restrictions = reject_unauth_destination
virtual_mailbox_domains = bench.test
virtual_mailbox_maps = hash:{etc}/mailboxes
virtual_transport = lmtp:unix:{self.dovecot.folder}/run/lmtp
smtpd_client_connection_count_limit = 0
smtpd_peername_lookup = no
in_flow_delay = 0
smtpd_tls_security_level = may
smtpd_tls_eccert_file = {self.folder.parent}/certificate.pem
smtpd_tls_eckey_file = {self.folder.parent}/key.pem
tls_random_source = dev:/dev/urandom
biff = no
""")
        (etc / "mailboxes").write_text("".join(f"u{i}@bench.test x\n" for i in range(3000)))
        subprocess.run(["postmap", "-c", etc, f"hash:{etc}/mailboxes"], check=True)
        # name, private, wake-up, most processes, program
        services = [("pickup", "n", "60", "1", "pickup"), ("cleanup", "n", "-", "0", "cleanup"),
                    ("qmgr", "n", "300", "1", "qmgr"), ("rewrite", "-", "-", "-", "trivial-rewrite"),
                    ("bounce", "-", "-", "0", "bounce"), ("defer", "-", "-", "0", "bounce"),
                    ("trace", "-", "-", "0", "bounce"), ("proxymap", "-", "-", "-", "proxymap"),
                    ("error", "-", "-", "-", "error"), ("retry", "-", "-", "-", "error"),
                    ("flush", "n", "1000?", "0", "flush"), ("lmtp", "-", "-", "-", "lmtp"),
                    ("tlsmgr", "-", "1000?", "1", "tlsmgr"), ("anvil", "-", "-", "1", "anvil"), ("scache", "-", "-", "1", "scache"),
                    ("postlog", "n", "-", "1", "postlogd")]
        rows = [f"127.0.0.1:{self.smtp} inet n - n - - smtpd"]
        for name, private, wake, limit, program in services:
            kind = "unix-dgram" if name == "postlog" else "unix"
            rows.append(f"{name} {kind} {private} - n {wake} {limit} {program}")
        (etc / "master.cf").write_text("\n".join(rows) + "\n")

    def start(self):
        self.dovecot.start()
        subprocess.run(["postfix", "-c", self.postfix / "etc", "start"], check=True, capture_output=True)
        wait_port(self.smtp)
        return self

    def pids(self):
        return self.dovecot.pids() + with_children([(self.postfix / "spool/pid/master.pid").read_text()])

    def stop(self):
        subprocess.run(["postfix", "-c", self.postfix / "etc", "stop"], capture_output=True)
        self.dovecot.stop()
        time.sleep(1)

"""A server of the tests: its own folder, certificate, ports and log; started, commanded, stopped."""
import atexit
import base64
import imaplib
import itertools
import os
import pathlib
import random
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ASAN = pathlib.Path(os.environ.get("HAUBERK_ASAN", ROOT / "build-asan/hauberk"))
RELEASE = pathlib.Path(os.environ.get("HAUBERK_RELEASE", ROOT / "build/hauberk"))
HOST = "mx.example.org"
PASSWORD = "correct horse"

# Every server listens on these, on both loopback addresses.
LISTENERS = {
    "smtp": 'protocol = "smtp"; tls = "starttls";',
    "smtps": 'protocol = "smtp"; tls = "always";',
    "submission": 'protocol = "smtp"; tls = "starttls"; submission = true;',
    "imap": 'protocol = "imap"; tls = "starttls";',
    "imaps": 'protocol = "imap"; tls = "always";',
    "imap_plain": 'protocol = "imap"; tls = "no"; plainLogin = true;',
    "pop3": 'protocol = "pop3"; tls = "starttls";',
    "pop3s": 'protocol = "pop3"; tls = "always";',
}

# Words of a log that no test may leave behind unless it caused them and says so.
FAULTS = ("sandbox.refused", " panic", "role.died", "drain.died", "AddressSanitizer", "LeakSanitizer",
          "runtime error:", "drain.killed", " bug ")


def as_user(user="nobody", group="nogroup"):
    """Words that make a command run as that user; none where this is not root anyway."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid", user, "--regid", group, "--clear-groups", "--"]


def become_user():
    """For preexec_fn, where a test needs no more than not to be root."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


def wait_for(what, condition, seconds=20):
    """The first true value of condition(), polled; fails the test after some seconds."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {seconds} s in vain for {what}"
        time.sleep(0.02)


def new_folder():
    """A folder that the server's user owns and can reach."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="hauberk-", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(path, "nobody", "nogroup")
    path.chmod(0o755)
    atexit.register(shutil.rmtree, path, True)
    return path


# ---- started by root: the users that packaging/sysusers.conf makes ----

SYSUSERS = (ROOT / "packaging/sysusers.conf").read_text()
GROUPS = re.findall(r"^g (\S+)", SYSUSERS, re.M)
USERS = re.findall(r"^u (\S+)", SYSUSERS, re.M)
MEMBERS = re.findall(r"^m (\S+) (\S+)", SYSUSERS, re.M)
FIRST_ID = 61001
# The number of each of these groups, and of each user and the group of its name.
IDS = {name: FIRST_ID + i for i, name in enumerate([*GROUPS, *USERS])}


def account_files(folder):
    """passwd and group with what packaging/sysusers.conf adds, beside the machine's own."""
    passwd, group = pathlib.Path("/etc/passwd").read_text(), pathlib.Path("/etc/group").read_text()
    for name in GROUPS:
        group += f"{name}:x:{IDS[name]}:{','.join(u for u, g in MEMBERS if g == name)}\n"
    for name in USERS:
        passwd += f"{name}:x:{IDS[name]}:{IDS[name]}::/:/usr/sbin/nologin\n"
        group += f"{name}:x:{IDS[name]}:\n"
    (folder / "passwd").write_text(passwd)
    (folder / "group").write_text(group)


IN_NAMESPACE = """
set -e
mount --make-rprivate /
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
shift
exec "$@"
"""


_programs = {}


def program(original):
    """A copy of the program where any user can execute it."""
    if original not in _programs:
        copy = new_folder() / "hauberk"
        shutil.copy(original, copy)
        copy.chmod(0o755)
        _programs[original] = copy
    return _programs[original]


_certificate = []


def certificate():
    """Certificate and key, made once, readable by the server's user."""
    if not _certificate:
        folder = new_folder()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={HOST}",
                        "-addext", f"subjectAltName=DNS:{HOST},DNS:localhost,IP:127.0.0.1,IP:::1",
                        "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")],
                       check=True, capture_output=True, timeout=30)
        if os.geteuid() == 0:
            shutil.chown(folder / "key.pem", "nobody", "nogroup")
        _certificate.extend([folder / "cert.pem", folder / "key.pem"])
    return _certificate


def trusting():
    """A TLS context that trusts the servers of these tests only."""
    return ssl.create_default_context(cafile=str(certificate()[0]))


_given = set()


def free_ports(n):
    """Ports free on both loopback addresses, each given once; below those that the kernel gives to clients, which
    would take them before a server does."""
    ports = []
    while len(ports) < n:
        port = random.randrange(10000, 32000)
        if port in _given:
            continue
        with socket.socket(socket.AF_INET) as four, socket.socket(socket.AF_INET6) as six:
            try:
                four.bind(("127.0.0.1", port))
                six.bind(("::1", port))
            except OSError:
                continue
        _given.add(port)
        ports.append(port)
    return ports


_ids = itertools.count(1)


def message(body=b"hello\r\n", subject="a test", number=None):
    """(Message-ID, octets) of a message nobody else sends."""
    number = number if number is not None else f"{os.getpid()}.{next(_ids)}"
    name = f"<{number}@test.example>"
    head = (f"From: Ann <ann@example.com>\r\nTo: bob@example.org\r\nSubject: {subject}\r\n"
            f"Date: Mon, 02 Mar 2026 10:00:00 +0000\r\nMessage-ID: {name}\r\n\r\n")
    return name, head.encode() + body


def behind_trace(octets):
    """What was sent, without the trace fields that the server put before it."""
    match = re.match(rb"Return-Path: <[^\r\n]*>\r\nReceived: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*",
                     octets)
    assert match, octets[:400]
    return octets[match.end():]


def plain_token(name="ann@example.org", password=PASSWORD):
    """The message of SASL PLAIN, as it is sent."""
    return base64.b64encode(f"\0{name}\0{password}".encode()).decode()


def setting_names():
    """The names of all settings as the source has them: a list for each table of rows."""
    source = (ROOT / "src/main/conf_rows.c").read_text()
    limits = re.findall(r'(?m)^\t\{ group "(\w+)"', (ROOT / "src/main/conf.h").read_text())
    assert len(limits) == 6
    macros = {"CONF_LIMIT_ROWS": limits}
    for macro, body in re.findall(r"(?m)^#define (\w+_ROWS)\(prefix.*\n((?:.*\\\n)*.*)", source):
        macros[macro] = re.findall(r'\{ prefix "(\w+)"', body)
    tables = []
    for table in source.split("_rows[] = {")[1:]:
        rows = re.findall(r'(?m)^\t(?:(\w+_ROWS)\("([\w.]*)"|\{ "([\w.]+)", CONF_)', table)
        tables.append([n for macro, group, name in rows
                       for n in ([name] if name else [group + l for l in macros[macro]])])
    return tables


class Raw:
    """A plain connection on which a test says and reads exactly what it wants."""

    def __init__(self, host, port, timeout=20):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.rest = b""

    def send(self, octets):
        self.socket.sendall(octets)

    def send_apart(self, octets):
        """Sends, and waits until the server has taken it: what is sent next is a segment of its own."""
        self.send(octets)
        wait_for("the server to take a segment", self.taken)

    def taken(self):
        """Has the server's side nothing left unread? True too once it has closed."""
        here, there = self.socket.getsockname(), self.socket.getpeername()
        table = "tcp6" if self.socket.family == socket.AF_INET6 else "tcp"
        for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            ports = [int(words[i].rsplit(":", 1)[1], 16) for i in (1, 2)]
            if ports == [there[1], here[1]]:
                return words[4].split(":")[1] == "00000000"
        return True

    def line(self):
        while b"\n" not in self.rest:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError(self.rest)
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return line.rstrip(b"\r").decode("latin-1")

    def reply(self):
        """One reply of SMTP: all its lines as one text."""
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return "\n".join(lines)

    def say(self, command):
        self.send(command.encode("latin-1") + b"\r\n")
        return self.reply()

    def tagged(self, command, tag="a"):
        """One command of IMAP; its tagged line, after all before it was kept in self.untagged."""
        self.send(f"{tag} {command}\r\n".encode("latin-1"))
        return self.until(tag)

    def until(self, tag="a"):
        self.untagged = []
        while True:
            line = self.line()
            if line.startswith(tag + " "):
                return line
            self.untagged.append(line)

    def all(self):
        """Everything up to the end of the connection."""
        try:
            while more := self.socket.recv(65536):
                self.rest += more
        except ConnectionResetError:
            pass
        text, self.rest = self.rest, b""
        return text.decode("latin-1")

    def ended(self):
        """True once the server has closed; what it says before is kept."""
        self.said = self.all()
        return True

    def starttls(self):
        self.socket = trusting().wrap_socket(self.socket, server_hostname=HOST)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Server:
    def __init__(self, binary=ASAN, settings="", environment=(), folder=None, listeners=()):
        self.program = program(binary)
        self.folder = folder or new_folder()
        self.log_path = self.folder / "log"
        self.conf = self.folder / "hauberk.conf"
        self.ports = dict(zip(LISTENERS, free_ports(len(LISTENERS))))
        self.words = [*as_user(), str(self.program), "serve", "--as-user", "-c", str(self.conf)]
        self.commander = as_user()
        self.expected = set()
        self.process = None
        self.environment = {**os.environ, "HAUBERK_SANDBOX": "kill",
                            "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:fast_unwind_on_malloc=0",
                            "UBSAN_OPTIONS": "print_stacktrace=1", **dict(environment)}
        self.listeners = dict(listeners)  # more settings of each, by name
        self.write_conf(settings)

    def write_conf(self, settings=""):
        rows = [f'{{ {rest} {self.listeners.get(name, "")} address = "{address}"; port = {self.ports[name]}; }}'
                for name, rest in LISTENERS.items() for address in ("127.0.0.1", "::1")]
        chain, key = certificate()
        self.conf.write_text(
            f'hostname = "{HOST}";\nstateDir = "{self.folder}/state";\n'
            f'runDir = "{self.folder}/run";\n'
            f'tls: {{ certificate = "{chain}"; key = "{key}"; }};\n{settings}\n'
            f'listeners = (\n  {",".join(chr(10) + "  " + r for r in rows)}\n);\n')
        self.conf.chmod(0o644)

    # ---- life ----

    def by_root(self):
        """Will be started by root, on a machine that has the users; for root's tests only."""
        account_files(self.folder)
        self.words = ["unshare", "-m", "sh", "-c", IN_NAMESPACE, "sh", str(self.folder),
                      str(self.program), "serve", "-c", str(self.conf)]
        self.commander = []
        return self

    def launch(self):
        """Starts it and does not wait."""
        self.mark = len(self.log())
        with open(self.log_path, "ab") as out:
            self.process = subprocess.Popen(
                self.words,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.environment,
                cwd="/tmp")

    def start(self):
        self.launch()
        wait_for("the server to serve", self.serving, 60)
        return self

    def serving(self):
        text = self.log()[self.mark:]
        assert self.process.poll() is None, text
        return " serving " in text

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def stop(self, seconds=40):
        """Ends it as an administrator would; then its log must tell of no fault."""
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            status = self.process.wait(seconds)
            self.process = None
            assert status == 0, f"status {status}\n{self.log()[-4000:]}"
        self.check_log()

    def check_log(self):
        faults = [line for line in self.log().splitlines()
                  if any(f in line and f.strip() not in self.expected for f in FAULTS)]
        text = self.log()
        where = text.find(faults[0]) if faults else 0
        assert not faults, "\n".join(faults[:5]) + "\n---\n" + text[where:where + 4000]

    def kill(self):
        """At the end of a test, whatever happened in it."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)

    # ---- commands ----

    def command(self, *words, secret=None, user=None, conf=None, timeout=60):
        before = as_user(*user) if user else self.commander
        return subprocess.run([*before, str(self.program), *words, "-c", str(conf or self.conf)],
                              input=secret + "\n" if secret is not None else "", text=True,
                              capture_output=True, timeout=timeout, env=self.environment,
                              cwd="/tmp")

    def must(self, *words, secret=None):
        done = self.command(*words, secret=secret)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def populate(self, *names, domain="example.org"):
        self.must("domain", "add", domain)
        for name in names:
            self.must("account", "add", f"{name}@{domain}", secret=PASSWORD)
        return self

    def status(self):
        """The rows of `hauberk status`, each a dict; counters are among its keys."""
        rows, lines = [], self.must("status").splitlines()
        for line in lines[1:]:
            words = line.split()
            row = dict(zip(("role", "pid", "state", "up_s", "restarts", "sandbox"), words))
            row.update(word.split("=", 1) for word in words[6:])
            row["pid"], row["restarts"] = int(row["pid"]), int(row.get("restarts", 0))
            rows.append(row)
        return rows

    def ready(self):
        """All rows, if all roles are there; an empty list otherwise."""
        done = self.command("status")
        if done.returncode:
            return []
        rows = self.status()
        return rows if all(r["state"] == "ready" for r in rows) else []

    # ---- clients ----

    def raw(self, name, host="127.0.0.1", timeout=20):
        return Raw(host, self.ports[name], timeout)

    def hello(self, name="smtp", host="127.0.0.1"):
        """A raw SMTP connection after EHLO."""
        raw = self.raw(name, host)
        assert raw.reply().startswith("220 ")
        assert raw.say("EHLO client.example").startswith("250")
        return raw

    def half_message(self, octets=b"Subject: half\r\n\r\nno end"):
        """A raw SMTP connection inside a message to bob."""
        raw = self.hello()
        for command in ("MAIL FROM:<a@b.example>", "RCPT TO:<bob@example.org>", "DATA"):
            raw.say(command)
        raw.send(octets)
        return raw

    def logged_in(self, user="bob@example.org"):
        """A raw IMAP connection after LOGIN."""
        raw = self.raw("imap_plain")
        raw.line()
        assert "OK" in raw.tagged(f'LOGIN {user} "{PASSWORD}"')
        return raw

    def smtp(self, host="127.0.0.1", name="smtp"):
        return smtplib.SMTP(host, self.ports[name], timeout=30)

    def send(self, octets, to=("bob@example.org",), sender="ann@example.com", host="127.0.0.1"):
        with self.smtp(host) as client:
            refused = client.sendmail(sender, list(to), octets, ["BODY=8BITMIME"])
        assert not refused

    def imap(self, user="bob@example.org", host="127.0.0.1", password=PASSWORD):
        client = imaplib.IMAP4(host, self.ports["imap_plain"], timeout=30)
        client.login(user, password)
        return client

    def mailbox(self, user="bob@example.org"):
        """Message-ID to octets of all that is in an INBOX, a list for each."""
        found = {}
        with self.imap(user) as client:
            client.select("INBOX", readonly=True)
            for item in client.fetch("1:*", "(BODY.PEEK[])")[1]:
                if isinstance(item, tuple):
                    name = re.search(rb"(?mi)^Message-ID: (\S+)", item[1]).group(1).decode()
                    found.setdefault(name, []).append(item[1])
        return found

    def count(self, user="bob@example.org"):
        with self.imap(user) as client:
            return int(client.select("INBOX", readonly=True)[1][0])

    def count_of(self, text, user="bob@example.org"):
        """How many messages of an INBOX have this somewhere."""
        with self.imap(user) as client:
            client.select("INBOX", readonly=True)
            return len(client.search(None, "TEXT", f'"{text}"')[1][0].split())

    def arrives(self, name, user="bob@example.org", seconds=30):
        """Waits for one message; its octets. It must be there once."""
        def look():
            with self.imap(user) as client:
                client.select("INBOX", readonly=True)
                numbers = client.search(None, "HEADER", "Message-ID", name)[1][0].split()
                if numbers:
                    assert len(numbers) == 1, numbers
                    return client.fetch(numbers[0], "(BODY.PEEK[])")[1][0][1]
        return wait_for(f"{name} in {user}", look, seconds)

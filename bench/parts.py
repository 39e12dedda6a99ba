"""The parts of the benchmark. Each starts the servers that it compares, measures them in turns, prints and stops
them."""
import contextlib
import pathlib
import statistics
import subprocess
import time

import peers

SMTP_CASES = [("10 sessions, 10 KB", 10, 1500, 10240), ("50 sessions, 10 KB", 50, 1500, 10240),
              ("10 sessions, 100 KB", 10, 600, 102400), ("STARTTLS, one each", 10, 1000, 10240, "starttls")]
IDLE_USERS, IDLE_COUNTS, IDLE_PEER = 200, (2000, 10000), 200
CURVE = (1000, 10000, 100000)
SHA512 = "$6$benchbenchbench$"


@contextlib.contextmanager
def running(*servers):
    started = []
    try:
        for server in servers:
            started.append(server.start())
        yield started
    finally:
        for server in started:
            server.stop()


def figures(program, *words):
    """The figures that a load generator prints, by name."""
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{words}: {done.stderr}")
    out = done.stdout.split()
    return dict(zip(out[::2], map(float, out[1::2])))


# ---- SMTP to mailbox ----

def smtp(folder, binary, runs):
    with running(peers.Hauberk(folder, binary), peers.PostfixDovecot(folder)) as servers:
        for title, *case in SMTP_CASES:
            smtp_case(folder, servers, runs, title, *case)


def smtp_case(folder, servers, runs, title, sessions, messages, octets, *how):
    results = {s.name: [] for s in servers}
    for turn in range(runs + 1):
        for s in servers:
            result = figures(folder / "load", s.smtp, s.imap, sessions, messages, octets, peers.USERS, peers.PASSWORD, *how)
            if turn:  # the first one warms up
                results[s.name].append(result)
    middle = {name: {k: statistics.median(r[k] for r in rows) for k in rows[0]} for name, rows in results.items()}
    ours, theirs = middle["hauberk"], middle["postfix-dovecot"]
    for name, m in middle.items():
        print(f"{title:22} {name:16} visible {m['visible']:7.0f}/s accepted {m['accepted']:7.0f}/s "
              f"data p50 {m['p50']:6.2f} p99 {m['p99']:6.2f} ms")
    print(f"{title:22} ratio            visible {ours['visible'] / theirs['visible']:7.1f}   accepted "
          f"{ours['accepted'] / theirs['accepted']:7.1f}", flush=True)


# ---- a row of several servers ----

class Rows:
    """Measures a row on each server in turns and prints medians and ratios; above 1 is for us."""

    def __init__(self, folder, servers, runs):
        self.program, self.servers, self.runs = folder / "mailload", servers, runs
        print(f"{'':44}" + "".join(f"{s.name:>17}" for s in servers) + "   ratios")

    def measure(self, mode, server, *words):
        port = server.pop if mode == "pop" else server.imaps if "-t" in words else server.imap
        more = ["-q", server.smtp] if server.smtp else []
        return figures(self.program, mode, "-p", port, "-w", peers.PASSWORD, *more, *words)

    def row(self, title, mode, key, *words, runs=None, each=lambda turn: []):
        """key: "rate" is a second, others are ms. each: more words for this turn."""
        seen = {s.name: [] for s in self.servers}
        for turn in range(runs or self.runs):
            for s in self.servers:
                seen[s.name].append(self.measure(mode, s, *words, *each(turn))[key])
        self.show(title, "/s" if key == "rate" else "ms", [statistics.median(seen[s.name]) for s in self.servers])

    def show(self, title, unit, middle):
        ratios = [middle[0] / m if unit == "/s" else m / middle[0] for m in middle[1:]]
        print(f"{title:44}" + "".join(f"{m:14.2f} {unit:2}" for m in middle) + "   "
              + " ".join(f"{r:.2f}" for r in ratios), flush=True)


# ---- IMAP and POP3 ----

def imap(folder, binary, runs):
    with running(peers.Hauberk(folder, binary), peers.Dovecot(folder, "maildir"),
                 peers.Dovecot(folder, "mdbox", format="mdbox")) as servers:
        rows = Rows(folder, servers, runs)
        rows.row("MULTIAPPEND 1,000 x 10 KB", "fill", "rate", "-m", "small", "-n", 1000, "-s", 10240, runs=1)
        rows.row("MULTIAPPEND 50,000 x 2 KB", "fill", "rate", "-m", "large", "-n", 50000, "-s", 2048, runs=1)
        rows.row("POP3 messages into INBOX, 1,000 x 10 KB", "fill", "rate", "-u", "u1@bench.test", "-n", 1000, "-s",
                 10240, runs=1)
        reading(rows)
        searching(rows)
        storing(rows)
        rows.row("APPEND 10 KB, 10 clients", "append", "rate", "-c", 10, "-n", 1000, "-s", 10240, "-f", 10)
        rows.row("POP3 login, UIDL, 1,000 RETR", "pop", "median", "-u", "u1@bench.test", "-n", 2)


def once(rows, title, mailbox, command, *more):
    """The first time, of a server that has done nothing like it, and later ones in the same session."""
    firsts, later = [], {s.name: [] for s in rows.servers}
    words = ("-m", mailbox, "-x", command, *more, "-n", 4)
    for turn in range(rows.runs):
        for s in rows.servers:
            m = rows.measure("times", s, *words)
            if turn == 0:
                firsts.append(m["first"])
            later[s.name].append(m["later"])
    rows.show(f"{title}, first", "ms", firsts)
    rows.show(f"{title}, later", "ms", [statistics.median(later[s.name]) for s in rows.servers])


def reading(rows):
    once(rows, "UID FLAGS ENVELOPE of 50,000", "large", "FETCH 1:* (UID FLAGS ENVELOPE)")
    once(rows, "UID FLAGS of 50,000", "large", "FETCH 1:* (UID FLAGS)")
    once(rows, "bodies of 1,000 x 10 KB", "small", "FETCH 1:1000 BODY.PEEK[]")
    once(rows, "the same under TLS", "small", "FETCH 1:1000 BODY.PEEK[]", "-t")


def searching(rows):
    once(rows, "SEARCH TEXT in 1,000 x 10 KB", "small", "SEARCH TEXT needle777")
    once(rows, "SEARCH TEXT in 50,000 x 2 KB", "large", "SEARCH TEXT needle777")
    once(rows, "SEARCH SUBJECT in 50,000", "large", "SEARCH SUBJECT needle777")


def storing(rows):
    for mailbox, n in (("small", 1000), ("large", 50000)):
        once(rows, f"STORE 1:{n} FLAGS.SILENT, to and fro", mailbox, f"STORE 1:{n} +FLAGS.SILENT (\\Flagged)", "-y",
             f"STORE 1:{n} -FLAGS.SILENT (\\Flagged)")
    rows.row("STORE one by one, to and fro", "each", "rate", "-m", "small", "-n", 1000,
             each=lambda turn: ["-x", f"STORE %d {'-' if turn % 2 else '+'}FLAGS (\\Answered)"])


# ---- logins ----

def login(folder, binary, runs):
    """Under TLS, never resumed, 10 clients; SHA512-CRYPT on both sides. Cold: accounts that nobody logged in to
    before; repeated: each side remembers passwords."""
    cold, users = 100, 100 * (runs + 1)
    verifier = subprocess.run(["openssl", "passwd", "-6", "-salt", SHA512.split("$")[2], peers.PASSWORD], check=True,
                              capture_output=True, text=True).stdout.strip()
    passwords = "{SHA512-CRYPT}" + verifier
    how = dict(passwords=passwords, users=users, cache=True)
    with running(peers.Hauberk(folder, binary), peers.Dovecot(folder, "default", login="default", **how),
                 peers.Dovecot(folder, "login-again", **how),
                 peers.Dovecot(folder, "all-again", login="reused", **how)) as servers:
        servers[0].add_users(peers.USERS, users - peers.USERS, verifier)
        rows = Rows(folder, servers, runs)
        words = ("-c", 10, "-t")
        rows.row("logins, cold", "login", "rate", *words, "-n", cold, "-U", cold,
                 each=lambda turn: ["-f", cold * (turn + 1)])
        rows.row("logins, repeated", "login", "rate", *words, "-n", 600, "-U", 50, "-f", cold)
        rows.row("logins in clear, repeated", "login", "rate", "-c", 10, "-n", 600, "-U", 50, "-f", cold)


# ---- idle sessions ----

def memory(pids):
    """Sum of the proportional set sizes in KiB."""
    pss = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                name, *rest = line.split()
                pss += int(rest[0]) if name == "Pss:" else 0
    return pss


def idle_cost(folder, server, count, tls):
    before = memory(server.pids())
    port = ["-p", server.imaps, "-t"] if tls else ["-p", server.imap]
    client = subprocess.Popen([folder / "mailload", "idle", *map(str, port), "-w", peers.PASSWORD, "-n", str(count), "-U",
                               str(IDLE_USERS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if client.stdout.readline() != "ready\n":
        raise RuntimeError(f"{server.name}: {count} sessions: no")
    time.sleep(5)
    after = memory(server.pids())
    client.stdin.close()
    client.wait(60)
    time.sleep(2)
    return (after - before) / count


def idle(folder, binary, runs):
    """Each on a server of its own, started for it. One run: it is memory."""
    for name, make, counts in (
            ("hauberk", lambda place: peers.Hauberk(place, binary), IDLE_COUNTS),
            ("dovecot", lambda place: peers.Dovecot(place, "idle", login="default", users=IDLE_USERS), (IDLE_PEER,))):
        for count in counts:
            for tls in (False, True):
                place = folder / f"{name[0]}{count}{'t' if tls else 'p'}"  # short: Unix sockets are in it
                place.mkdir()
                place.chmod(0o755)
                for file in ("certificate.pem", "key.pem"):
                    (place / file).hardlink_to(folder / file)
                with running(make(place)) as (server,):
                    if name == "hauberk":
                        for i in range(peers.USERS, IDLE_USERS):
                            server.run("account", "add", f"u{i}@bench.test", input=peers.PASSWORD + "\n")
                    cost = idle_cost(folder, server, count, tls)
                print(f"{count:6} idle IMAP sessions in IDLE, {'TLS' if tls else 'plain':5} {name:8} {cost:8.1f} KiB PSS each",
                      flush=True)


# ---- cost against size ----

def curves(folder, binary, runs):
    with running(peers.Hauberk(folder, binary)) as (server,):
        rows = Rows(folder, [server], runs)
        costs = {}
        for i, n in enumerate(CURVE):
            user = ("-u", f"u{i}@bench.test")
            rows.measure("fill", server, *user, "-n", n, "-s", 600)
            asked = {"SELECT": ("times", "later", "-x", "SELECT INBOX", "-n", 200),
                     "STATUS": ("times", "later", "-x", "STATUS INBOX (MESSAGES UNSEEN UIDNEXT)", "-n", 200),
                     "IDLE wake-up": ("wake", "median", "-n", 50),
                     "delivery, seen by IDLE": ("deliver", "median", "-n", 50, "-s", 2048)}
            for what, (mode, key, *words) in asked.items():
                costs.setdefault(what, []).append(statistics.median(
                    rows.measure(mode, server, *user, *words)[key] for _ in range(runs)))
        for what, (*values,) in costs.items():
            print(f"{what:24}" + "".join(f"{n:9,}: {v:7.3f} ms" for n, v in zip(CURVE, values))
                  + f"   growth {values[-1] / values[0]:.2f}", flush=True)

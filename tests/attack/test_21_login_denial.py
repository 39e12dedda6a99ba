"""Attack 21: malformed logins on one connection while a hundred others log in: none of these fails."""
import base64
import threading

from hauberk import PASSWORD, plain_token

OTHERS = 100
MALFORMED = ("AUTH PLAIN", "not base64 *", "AUTH PLAIN " + "=" * 9000, "AUTH PLAIN " + "A" * 11999,
             "AUTH LOGIN", "\x00\x01", "AUTH SCRAM-SHA-256 " + base64.b64encode(b"n,,n=,r=").decode(),
             "AUTH PLAIN " + base64.b64encode(b"\0" * 500).decode(), "*", "AUTH " + "X" * 1000, "AUTH PLAIN =")


def attack(server, stop):
    while not stop.is_set():
        with server.raw("smtps") as raw:
            raw.starttls()
            raw.reply()
            raw.say("EHLO evil.example")
            try:
                for line in MALFORMED:
                    raw.send(line.encode() + b"\r\n")
                    raw.reply()
            except (OSError, EOFError):
                pass


def log_in(server, answers, i):
    kind = i % 3
    with server.raw(("smtps", "imap_plain", "pop3s")[kind], timeout=60) as raw:
        if kind != 1:
            raw.starttls()
        if kind == 0:
            raw.reply()
            raw.say("EHLO c.example")
            answers[i] = raw.say("AUTH PLAIN " + plain_token("bob@example.org")).startswith("235")
        elif kind == 1:
            raw.line()
            answers[i] = " OK " in raw.tagged(f'LOGIN bob@example.org "{PASSWORD}"')
        else:
            raw.line()
            raw.send(f"USER bob@example.org\r\nPASS {PASSWORD}\r\n".encode())
            answers[i] = raw.line().startswith("+OK") and raw.line().startswith("+OK")


def test_malformed_logins_keep_nobody_out(server):
    stop, answers = threading.Event(), [None] * OTHERS
    attackers = [threading.Thread(target=attack, args=(server, stop)) for _ in range(2)]
    clients = [threading.Thread(target=log_in, args=(server, answers, i)) for i in range(OTHERS)]
    for thread in attackers + clients:
        thread.start()
    for thread in clients:
        thread.join(120)
    stop.set()
    for thread in attackers:
        thread.join(60)
    assert answers == [True] * OTHERS

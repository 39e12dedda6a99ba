"""Real clients against a running server: what goes in comes out, octet for octet."""
import imaplib
import os
import poplib
import re
import smtplib
import subprocess

import pytest

import hauberk
from hauberk import HOST, PASSWORD, behind_trace, message, trusting

BOB = "bob@example.org"
HOSTS = ("127.0.0.1", "::1")


def url_host(host):
    return f"[{host}]" if ":" in host else host


def run(*words, stdin=b""):
    return subprocess.run(words, input=stdin, capture_output=True, timeout=60)


# ---- SMTP ----

@pytest.mark.parametrize("host", HOSTS)
def test_a_message_sent_with_smtplib_arrives(server, host):
    name, octets = message()
    server.send(octets, host=host)
    found = server.arrives(name)
    assert behind_trace(found) == octets
    assert found.startswith(b"Return-Path: <ann@example.com>\r\nReceived: from ")
    shown = "IPv6:::1" if ":" in host else host
    assert f"[{shown}]" in found.split(b"From:")[0].decode()


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_submission_takes_mail_after_starttls_and_login(server, host, mechanism):
    name, octets = message()
    client = smtplib.SMTP(host, server.ports["submission"], timeout=30)
    client._host = HOST
    with client:
        client.starttls(context=trusting())
        client.ehlo()
        client.user, client.password = "ann@example.org", PASSWORD
        client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"))
        client.sendmail("ann@example.org", [BOB], octets)
    found = server.arrives(name)
    assert behind_trace(found) == octets and b" with ESMTPSA id " in found


@pytest.mark.parametrize("host", HOSTS)
def test_smtps_takes_mail(server, host):
    name, octets = message()
    with smtplib.SMTP_SSL(host, server.ports["smtps"], timeout=30, context=trusting()) as client:
        client.login("ann@example.org", PASSWORD)
        client.sendmail("ann@example.org", [BOB], octets)
    assert behind_trace(server.arrives(name)) == octets


BODIES = {
    "eight_bit": b"caf\xe9 \xc3\xa9 \x80\xff\r\n",
    "all_octets_but_line_ends": bytes(o for o in range(256) if o not in (10, 13)) + b"\r\n",
    "dots": b".\r\n..\r\n.a\r\n...\r\n \r\n.\r\nb\r\n.",
    "empty": b"",
    "only_empty_lines": b"\r\n\r\n\r\n",
    "a_long_line": b"x" * 100000 + b"\r\n",
    "boundary_of_chunks": b"".join(b"." * (i % 7) + b"y" * (i % 83) + b"\r\n"
                                   for i in range(6000)),
}


@pytest.mark.parametrize("kind", BODIES)
def test_the_body_comes_out_as_it_went_in(server, kind):
    name, octets = message(BODIES[kind])
    server.send(octets)
    sent = octets if octets.endswith(b"\r\n") else octets + b"\r\n"
    assert behind_trace(server.arrives(name)) == sent


def test_a_large_message_comes_out_as_it_went_in_by_imap_and_pop3(server):
    name, octets = message(b"".join(b"%08d" % i + b"z" * 92 + b"\r\n" for i in range(30000)))
    assert len(octets) > 3000000
    server.send(octets, to=["dave@example.org"])
    found = server.arrives(name, "dave@example.org")
    assert behind_trace(found) == octets
    pop = poplib.POP3_SSL("127.0.0.1", server.ports["pop3s"], timeout=60, context=trusting())
    pop.user("dave@example.org")
    pop.pass_(PASSWORD)
    n = len(pop.list()[1])
    assert b"\r\n".join(pop.retr(n)[1]) + b"\r\n" == found
    pop.quit()


def test_many_recipients_in_several_accounts_each_get_one(server):
    name, octets = message()
    people = ["ann@example.org", BOB, "carol@example.org", "dave@example.org"]
    server.send(octets, to=[*people, "BOB@EXAMPLE.ORG", BOB])
    for who in people:
        assert behind_trace(server.arrives(name, who)) == octets


def test_a_disabled_and_an_unknown_recipient_keep_no_other_from_the_mail(server):
    name, octets = message()
    with server.smtp() as client:
        refused = client.sendmail("ann@example.com",
                                  ["gone@example.org", "nobody@example.org", BOB], octets)
    assert {who: code for who, (code, _) in refused.items()} == {
        "gone@example.org": 550, "nobody@example.org": 550}
    server.arrives(name)


def test_swaks_sends_with_tls_and_login(server):
    subject = message()[0]
    for more in (["--port", str(server.ports["submission"]), "--tls"],
                 ["--port", str(server.ports["smtps"]), "--tls-on-connect"]):
        for auth in ("PLAIN", "LOGIN"):
            done = run("swaks", "--server", "127.0.0.1", *more, "--auth", auth, "--auth-user",
                       "ann@example.org", "--auth-password", PASSWORD, "--from",
                       "ann@example.org", "--to", BOB, "--h-Subject", f"swaks {subject} {auth}",
                       "--timeout", "20")
            assert done.returncode == 0, done.stdout[-2000:]
    hauberk.wait_for("four messages of swaks", lambda: sum(
        subject.encode() in m for ms in server.mailbox().values() for m in ms) == 4)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("way", ["smtp", "smtps"])
def test_curl_sends_and_reads(server, tmp_path, host, way):
    name, octets = message()
    (tmp_path / "message").write_bytes(octets)
    port = server.ports["submission" if way == "smtp" else "smtps"]
    common = ["curl", "-sS", "--max-time", "30", "-k", "--user", f"ann@example.org:{PASSWORD}"]
    done = run(*common, "--ssl-reqd", f"{way}://{url_host(host)}:{port}/client.example",
               "--mail-from", "ann@example.org", "--mail-rcpt", "carol@example.org",
               "--upload-file", str(tmp_path / "message"))
    assert done.returncode == 0, done.stderr
    found = server.arrives(name, "carol@example.org")
    assert behind_trace(found) == octets
    n = server.count("carol@example.org")
    carol = ["curl", "-sS", "--max-time", "30", "-k", "--user", f"carol@example.org:{PASSWORD}"]
    imap = f"imaps://{url_host(host)}:{server.ports['imaps']}/INBOX;MAILINDEX={n}"
    pop = f"pop3s://{url_host(host)}:{server.ports['pop3s']}/{n}"
    for url in (imap, pop):
        done = run(*carol, url)
        assert done.returncode == 0, done.stderr
        assert done.stdout == found, url


# ---- IMAP ----

@pytest.fixture(scope="module")
def readings(server):
    """Three messages in the account of one who reads."""
    server.must("account", "add", "reader@example.org", secret=PASSWORD)
    names = []
    for i, body in enumerate((b"first\r\n", b"second line\r\nand more\r\n", b"caf\xc3\xa9\r\n")):
        name, octets = message(body, subject=f"reading {i + 1}")
        server.send(octets, to=["reader@example.org"])
        server.arrives(name, "reader@example.org")
        names.append(name)
    return names


def secure_imap(server, host="127.0.0.1"):
    client = imaplib.IMAP4(host, server.ports["imap"], timeout=30)
    client.host = HOST
    client.starttls(trusting())
    return client


@pytest.mark.parametrize("host", HOSTS)
def test_imap_logs_in_by_login_and_by_authenticate(server, readings, host):
    with secure_imap(server, host) as client:
        client.login("reader@example.org", PASSWORD)
        assert client.select("INBOX")[1] == [b"3"]
    with imaplib.IMAP4_SSL(host, server.ports["imaps"], timeout=30,
                           ssl_context=trusting()) as client:
        client.authenticate("PLAIN", lambda _: f"\0reader@example.org\0{PASSWORD}".encode())
        assert client.select("INBOX")[1] == [b"3"]


def test_imap_refuses_a_wrong_password(server, readings):
    with secure_imap(server) as client:
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            client.login("reader@example.org", "wrong")


def test_imap_lists_selects_and_tells_the_status(server, readings):
    with server.imap("reader@example.org") as client:
        kind, rows = client.list()
        assert kind == "OK" and any(row.endswith(b' "INBOX"') for row in rows), rows
        kind, rows = client.status("INBOX", "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN)")
        assert kind == "OK" and b"MESSAGES 3 " in rows[0] and b"UIDNEXT 4" in rows[0]
        assert client.select("INBOX", readonly=True)[0] == "OK"
        assert client.response("READ-ONLY")[0] == "READ-ONLY"
        kind, text = client.store("1", "+FLAGS", r"(\Flagged)")
        assert kind == "NO" or b"READ-ONLY" in text[0]
        assert client.select("absent")[0] == "NO"


def test_imap_fetches_the_parts_of_a_message(server, readings):
    with server.imap("reader@example.org") as client:
        client.select("INBOX", readonly=True)
        text = client.fetch("1", "(UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE BODYSTRUCTURE)")
        row = text[1][0]
        for part in (b"UID 1", b"FLAGS (", b"RFC822.SIZE ", b'INTERNALDATE "',
                     b'ENVELOPE ("Mon, 02 Mar 2026 10:00:00 +0000" "reading 1" (("Ann" NIL "ann"'
                     b' "example.com"))', readings[0].encode(),
                     b'BODYSTRUCTURE ("TEXT" "PLAIN" ("CHARSET" "US-ASCII")'):
            assert part.lower() in row.lower(), (part, row)
        fields = client.fetch("2", "(BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)])")[1][0][1]
        assert fields == b"From: Ann <ann@example.com>\r\nSubject: reading 2\r\n\r\n"
        assert client.fetch("2", "(BODY.PEEK[TEXT]<3.6>)")[1][0][1] == b"ond li"
        size = int(re.search(rb"SIZE (\d+)", client.fetch("3", "(RFC822.SIZE)")[1][0]).group(1))
        assert size == len(client.fetch("3", "(BODY.PEEK[])")[1][0][1])


def test_imap_searches(server, readings):
    with server.imap("reader@example.org") as client:
        client.select("INBOX", readonly=True)
        for words, wanted in ((("SUBJECT", '"reading 2"'), b"2"),
                              (("BODY", '"second line"'), b"2"),
                              (("FROM", "ann@example.com"), b"1 2 3"),
                              (("OR", "BODY", "first", "UID", "3"), b"1 3"),
                              (("NOT", "ALL"), b""), (("LARGER", "10"), b"1 2 3")):
            assert client.search(None, *words)[1] == [wanted], words


def test_what_an_imap_client_says_of_itself_is_logged_once_and_forges_nothing(server):
    with server.raw("imap_plain") as raw:
        assert " ID " in raw.line()
        before = len(server.log())
        for command in ('ID ("name" "mu\x01tt\x7f" "version" "2 a=b \\"" "os" {17+}\r\na\r\n2026 info imap '
                        '"x" "y" "vendor" "' + "v" * 500 + '")', 'ID ("name" "another")'):
            assert raw.tagged(command) == "a OK done"
            assert re.fullmatch(r'\* ID \("name" "Hauberk" "version" "[0-9.]+"\)', raw.untagged[-1])
        raw.tagged("LOGOUT")
    lines = [l for l in server.log()[before:].splitlines() if " imap.id " in l]
    assert len(lines) == 1 and "another" not in lines[0]
    assert r'name="mu\x01tt\x7f" version="2 a=b \"" os="a\x0d\x0a2026 info imap"' in lines[0], lines
    assert f"vendor={'v' * 100} " in lines[0] and "y" not in lines[0].split("vendor=")[1]
    assert not [l for l in server.log()[before:].splitlines() if l.startswith("2026 info imap")]


def test_imap_stores_flags_and_expunges(server):
    server.must("account", "add", "tidy@example.org", secret=PASSWORD)
    for i in range(3):
        name, octets = message()
        server.send(octets, to=["tidy@example.org"])
        server.arrives(name, "tidy@example.org")
    with server.imap("tidy@example.org") as client, server.imap("tidy@example.org") as other:
        client.select("INBOX")
        other.select("INBOX")
        assert client.store("1,3", "+FLAGS", r"(\Deleted $Seen2)")[0] == "OK"
        # Each number counts what is left after the one before it.
        assert client.expunge()[1] in ([b"3", b"1"], [b"1", b"2"])
        assert other.noop()[0] == "OK"
        assert other.response("EXPUNGE")[1] in ([b"3", b"1"], [b"1", b"2"])
        assert client.fetch("1", "(UID)")[1] == [b"1 (UID 2)"]


def test_idle_is_woken_by_a_delivery(server):
    server.must("account", "add", "idler@example.org", secret=PASSWORD)
    with server.raw("imap_plain") as raw:
        raw.line()
        assert "OK" in raw.tagged(f'LOGIN idler@example.org "{PASSWORD}"')
        assert "OK" in raw.tagged("SELECT INBOX")
        raw.send(b"i IDLE\r\n")
        assert raw.line().startswith("+")
        raw.socket.settimeout(10)
        server.send(message()[1], to=["idler@example.org"])
        while raw.line() != "* 1 EXISTS":
            pass
        raw.send(b"DONE\r\n")
        assert "OK" in raw.until("i")


def test_an_appended_message_comes_out_as_it_went_in(server):
    octets = message(b"kept \xff\r\n.\r\n")[1]
    with server.imap("carol@example.org") as client:
        client.create("Kept")
        assert client.append("Kept", r"(\Seen)", None, octets)[0] == "OK"
        assert client.select("Kept")[1] == [b"1"]
        assert client.fetch("1", "(BODY.PEEK[])")[1][0][1] == octets


# ---- POP3 ----

@pytest.fixture
def popper(server):
    """An account with two messages that a test may delete."""
    name = f"pop{len(server.must('account', 'list').splitlines())}@example.org"
    server.must("account", "add", name, secret=PASSWORD)
    sent = []
    for _ in range(2):
        ident, octets = message(b".dot\r\n..two\r\nthree \xff\r\n")
        server.send(octets, to=[name])
        server.arrives(ident, name)
        sent.append(octets)
    return name, sent


def pop3(server, way, host):
    if way == "pop3s":
        return poplib.POP3_SSL(host, server.ports["pop3s"], timeout=30, context=trusting())
    client = poplib.POP3(host, server.ports["pop3"], timeout=30)
    client.host = HOST
    client.stls(trusting())
    return client


@pytest.mark.parametrize("way,host", [("pop3", "127.0.0.1"), ("pop3s", "::1")])
def test_pop3_reads_and_deletes(server, popper, way, host):
    name, sent = popper
    client = pop3(server, way, host)
    client.user(name)
    client.pass_(PASSWORD)
    count, size = client.stat()
    sizes = [int(line.split()[1]) for line in client.list()[1]]
    assert count == 2 and sum(sizes) == size
    assert len({line.split()[1] for line in client.uidl()[1]}) == 2
    whole = b"\r\n".join(client.retr(1)[1]) + b"\r\n"
    assert len(whole) == sizes[0] and behind_trace(whole) == sent[0]
    top = b"\r\n".join(client.top(2, 1)[1]) + b"\r\n"
    assert behind_trace(top) == sent[1].split(b"..two")[0]
    client.dele(1)
    with pytest.raises(poplib.error_proto):
        client.retr(1)
    client.quit()
    found = server.mailbox(name)
    assert [behind_trace(m) for ms in found.values() for m in ms] == [sent[1]]


def test_pop3_keeps_what_was_marked_when_the_client_does_not_quit(server, popper):
    name, _ = popper
    client = pop3(server, "pop3s", "127.0.0.1")
    client.user(name)
    client.pass_(PASSWORD)
    client.dele(1)
    client.close()
    assert server.count(name) == 2


def test_pop3_authenticates_with_plain(server, popper):
    name, _ = popper
    with server.raw("pop3s") as raw:
        raw.starttls()
        raw.line()
        raw.send(b"AUTH PLAIN " + hauberk.plain_token(name).encode() + b"\r\n")
        assert raw.line() == "+OK 2 messages"


def test_as_many_recipients_as_set_are_taken_and_one_more_is_not(new_server):
    most = 1000 if os.environ.get("HAUBERK_LONG") else 100
    server = new_server(hauberk.RELEASE, settings=f"smtp: {{ maxRecipients = {most}; }};")
    people = [f"u{i}" for i in range(most + 1)]
    server.populate(*people)
    name, octets = message()
    with server.hello() as raw:
        raw.say("MAIL FROM:<ann@example.com>")
        raw.send("".join(f"RCPT TO:<{who}@example.org>\r\n" for who in people).encode())
        replies = [raw.reply() for _ in people]
        assert {r[:3] for r in replies[:most]} == {"250"}
        assert replies[most].startswith("452 4.5.3")
        assert raw.say("DATA").startswith("354")
        raw.send(octets + b".\r\n")
        assert raw.reply().startswith("250")
    for who in (people[0], people[most // 2], people[most - 1]):
        assert behind_trace(server.arrives(name, f"{who}@example.org")) == octets
    assert server.count(f"{people[most]}@example.org") == 0

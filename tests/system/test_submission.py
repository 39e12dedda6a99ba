"""What is written in front of a message, and what users who have logged in may send."""
import email
import email.policy
import re

import pytest

import hauberk
from hauberk import message

ANN = "ann@example.org"


def logged_in_smtp(server, name="smtps"):
    raw = server.raw(name)
    raw.starttls()
    raw.reply()
    assert "250-REQUIRETLS" in raw.say("EHLO c.example")
    assert raw.say("AUTH PLAIN " + hauberk.plain_token("ann@example.org")).startswith("235")
    return raw


def send(raw, octets, sender=ANN, to="bob@example.org", parameters="", code="250"):
    for command in (f"MAIL FROM:<{sender}>{parameters}", f"RCPT TO:<{to}>"):
        raw.send(command.encode() + b"\r\n")
        assert raw.reply().startswith("250")
    assert raw.say("DATA").startswith("354")
    raw.send(octets + b".\r\n")
    answer = raw.reply()
    assert answer.startswith(code), answer
    return answer


def stored(server, subject, who="bob@example.org"):
    """Waits for the message with this word in it; its octets."""
    def look():
        with server.imap(who) as client:
            client.select("INBOX", readonly=True)
            numbers = client.search(None, "TEXT", f'"{subject}"')[1][0].split()
            assert len(numbers) < 2, numbers
            return numbers and client.fetch(numbers[0], "(BODY.PEEK[])")[1][0][1]
    return hauberk.wait_for(f"{subject} in {who}", look)


def fields(octets, name):
    return email.message_from_bytes(octets, policy=email.policy.compat32).get_all(name) or []


def test_a_missing_date_and_message_id_are_added_for_our_users_only(server):
    name, _ = message()
    bare = f"Subject: {name}\r\n\r\nhello\r\n".encode()
    with logged_in_smtp(server) as raw:
        send(raw, bare)
    got = stored(server, name)
    (date,), (identity,) = fields(got, "Date"), fields(got, "Message-ID")
    assert re.fullmatch(r"\w{3}, \d\d? \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", date), date
    assert re.fullmatch(r"<[0-9a-f]+\.[0-9a-f]{32}@[\w.-]+>", identity), identity
    assert got.endswith(bare)
    name, _ = message()
    own = f"Date: then\r\nMessage-ID: <mine@x>\r\nSubject: {name}\r\n\r\nhello\r\n".encode()
    with logged_in_smtp(server) as raw:
        send(raw, own)
    got = stored(server, name)
    assert fields(got, "Date") == ["then"] and fields(got, "Message-ID") == ["<mine@x>"]
    name, _ = message()
    with server.hello() as raw:
        send(raw, f"Subject: {name}\r\n\r\nhello\r\n".encode())
    assert not fields(stored(server, name), "Date")


def test_received_says_how_and_for_whom(server):
    name, octets = message()
    with logged_in_smtp(server) as raw:
        send(raw, octets, parameters=" REQUIRETLS")
    trace = fields(stored(server, name), "Received")[0]
    assert re.search(r"from c\.example \(\[127\.0\.0\.1\]\)\s+\(using TLSv1\.3 with cipher TLS_\w+\)", trace), trace
    assert re.search(r"with ESMTPSA id \S+\s+for <bob@example\.org>;", trace), trace
    name, octets = message()
    with server.hello() as raw:
        raw.say("MAIL FROM:<s@x.example>")
        raw.say("RCPT TO:<ann@example.org>")
        send_rest = raw.say("RCPT TO:<bob@example.org>")
        assert send_rest.startswith("250")
        raw.say("DATA")
        raw.send(octets + b".\r\n")
        assert raw.reply().startswith("250")
    trace = fields(stored(server, name), "Received")[0]
    assert " with ESMTP id " in trace and "using" not in trace and " for " not in trace


def test_what_has_no_header_gets_one(server):
    name, _ = message()
    with server.hello() as raw:
        send(raw, f"Dear all\r\nSubject: {name}\r\n\r\nhello\r\n".encode())
    header, body = stored(server, name).split(b"\r\n\r\n", 1)
    assert b"Received: " in header and b"Dear" not in header
    assert body == f"Dear all\r\nSubject: {name}\r\n\r\nhello\r\n".encode()


@pytest.mark.parametrize("sender, code", (
    (ANN, "250"), ("ANN+news@Example.ORG", "250"), ("", "250"), ("bob@example.org", "553 5.7.1"),
    ("ann@elsewhere.example", "553 5.7.1"), ("nobody@example.org", "553 5.7.1")))
def test_a_login_sends_as_itself(server, sender, code):
    with logged_in_smtp(server) as raw:
        assert raw.say(f"MAIL FROM:<{sender}>").startswith(code)


def test_international_mail_arrives(server):
    server.must("domain", "add", "bücher.example")
    server.must("account", "add", "jürgen@xn--bcher-kva.example", secret=hauberk.PASSWORD)
    assert "xn--bcher-kva.example" in server.must("domain", "list")
    name, _ = message()
    octets = f"Subject: {name}\r\nFrom: Jürgen <jürgen@bücher.example>\r\n\r\nGrüße\r\n".encode()
    with server.hello() as raw:
        send(raw, octets, "jürgen@bücher.example", "JÜRGEN@Bücher.Example", " SMTPUTF8 BODY=8BITMIME")
    server.must("alias", "add", "reader@bücher.example", "jürgen@bücher.example")  # imaplib speaks ASCII
    got = stored(server, name, "reader@xn--bcher-kva.example")
    assert got.endswith(octets)
    assert "with UTF8SMTP id" in got.decode() and "for <JÜRGEN@xn--bcher-kva.example>" in got.decode()


def test_a_binary_body_is_kept_octet_by_octet(server):
    name, _ = message()
    body = bytes(range(256)) * 3 + b"\n.\n\r.\r\r\n"
    octets = f"Subject: {name}\r\nContent-Transfer-Encoding: binary\r\n\r\n".encode() + body
    with server.hello() as raw:
        assert raw.say("MAIL FROM:<s@x.example> BODY=BINARYMIME").startswith("250")
        assert raw.say("RCPT TO:<bob@example.org>").startswith("250")
        half = len(octets) // 2
        raw.send(f"BDAT {half}\r\n".encode() + octets[:half])
        assert raw.reply().startswith("250")
        raw.send(f"BDAT {len(octets) - half} LAST\r\n".encode() + octets[half:])
        assert raw.reply().startswith("250")
        # In the header they are not data.
        assert raw.say("MAIL FROM:<s@x.example> BODY=BINARYMIME").startswith("250")
        assert raw.say("RCPT TO:<bob@example.org>").startswith("250")
        raw.send(b"BDAT 14 LAST\r\nSubject: a\nb\r\n")
        assert raw.reply().startswith("554 5.6.0")
    assert stored(server, name).endswith(octets)


def test_the_catch_all_gets_what_nobody_has(server):
    server.must("domain", "add", "all.example")
    server.must("alias", "add", "@all.example", "bob@example.org")
    assert server.must("alias", "list", "@all.example") == "@all.example bob@example.org\n"
    name, octets = message()
    server.send(octets, to=["who.ever+x@all.example"])
    stored(server, name)
    assert server.must("alias", "senders", "@all.example", "users")
    assert server.must("alias", "list", "all.example") == "@all.example (users) bob@example.org\n"
    with server.hello() as raw:
        raw.say("MAIL FROM:<s@x.example>")
        assert raw.say("RCPT TO:<x@all.example>").startswith("550 5.7.1 only users")
    server.must("alias", "remove", "@all.example")
    assert server.must("alias", "list", "all.example") == ""
    done = server.command("alias", "senders", "@all.example", "people")
    assert done.returncode == 1 and "anyone, users or members" in done.stderr


def test_printers_send_without_a_login_and_proxies_say_for_whom_they_speak():
    server = hauberk.Server(settings='smtp: { relayFrom = "::1 192.0.2.0/24"; xclientFrom = "127.0.0.1"; };')
    try:
        server.start().populate("ann", "bob")
        name, _ = message()
        with server.raw("submission", "::1") as raw:
            raw.reply()
            raw.say("EHLO printer.example")
            send(raw, f"Subject: {name}\r\n\r\nscan\r\n".encode(), "printer@example.net")
        assert len(fields(stored(server, name), "Message-ID")) == 1
        with server.raw("submission") as raw:
            raw.reply()
            raw.say("EHLO stranger.example")
            assert raw.say("MAIL FROM:<a@example.net>").startswith("530")
            assert raw.say("XCLIENT ADDR=192.0.2.9 NAME=mfp.example.net HELO=mfp").startswith("220")
            name, _ = message()
            send(raw, f"Subject: {name}\r\n\r\nscan\r\n".encode(), "printer@example.net")
        trace = fields(stored(server, name), "Received")[0]
        assert trace.startswith("from mfp (mfp.example.net [192.0.2.9])"), trace
        server.stop()
    finally:
        server.kill()

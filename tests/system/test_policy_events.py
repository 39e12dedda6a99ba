"""The active policy: every event of receiving, every verdict and action, the versions, through the running server."""
import re
import smtplib
import time

import pytest

import hauberk
from nameserver import Knot, Scripted

HEADER = b"From: Ann <ann@example.com>\r\nSubject: %s\r\nMessage-ID: <%s>\r\n\r\n"

RECORDS = {
    ("good.test.", "TXT"): 'good.test 60 TXT "v=spf1 ip4:192.0.2.0/24 -all"',
    ("bad.test.", "TXT"): 'bad.test 60 TXT "v=spf1 -all exp=why.bad.test"',
    ("why.bad.test.", "TXT"): 'why.bad.test 60 TXT "%{i} is none of ours"',
    ("9.2.0.192.list.test.", "A"): "9.2.0.192.list.test 60 A 127.0.0.4",
    ("9.2.0.192.list.test.", "TXT"): '9.2.0.192.list.test 60 TXT "listed for a test"',
    ("8.2.0.192.list.test.", "A"): "8.2.0.192.list.test 60 A 203.0.113.1",  # no answer of a list
    ("7.2.0.192.in-addr.arpa.", "PTR"): "7.2.0.192.in-addr.arpa 60 PTR client.good.test",
    ("client.good.test.", "A"): "client.good.test 60 A 192.0.2.7",
    ("8.2.0.192.in-addr.arpa.", "PTR"): "8.2.0.192.in-addr.arpa 60 PTR liar.good.test",
    ("liar.good.test.", "A"): "liar.good.test 60 A 192.0.2.1",
}


@pytest.fixture(scope="module")
def names():
    server = Scripted(lambda name, kind: RECORDS.get((name, kind), "NXDOMAIN"))
    yield server
    server.stop()


@pytest.fixture(scope="module", params=[hauberk.ASAN, hauberk.RELEASE], ids=["asan", "release"])
def server(names, request):
    s = hauberk.Server(request.param, settings=f'smtp: {{ xclientFrom = "127.0.0.1"; relayFrom = "192.0.2.99"; }};\n'
                                f'dns: {{ servers = "127.0.0.1@{names.port}"; trustAnchor = ""; timeout = "2 s"; }};\n'
                                'policy: { checkDeadline = "2 s"; };')
    s.start()
    s.populate("bob", "carol", "drop", "dave", "archive")
    yield s
    s.stop()


def activate(server, text, why="a test", files=()):
    folder = hauberk.new_folder()
    for name, content in files:
        (folder / name).write_text(content)
    path = folder / "main.policy"
    path.write_text(text)
    path.chmod(0o644)
    said = server.must("policy", "activate", str(path), "--why", why)
    version = int(re.search(r"as version (\d+) of the policy", said).group(1))
    hauberk.wait_for("the version in every process", lambda: server.log().count(f"policy.active policy={version}\n") >= 2)
    return version


def client(server, address="192.0.2.7", helo="mx.good.test", name="smtp"):
    """A session that counts as one from this address; the greeting's code is in .welcome."""
    s = smtplib.SMTP("127.0.0.1", server.ports[name], timeout=30)
    s.ehlo("proxy.test")
    s.welcome = s.docmd("XCLIENT", f"ADDR={address}")
    if s.welcome[0] == 220:
        s.hello = s.docmd("EHLO", helo)
        s.ehlo_resp, s.does_esmtp = s.hello[1], True
    return s


def number(name=[0]):
    name[0] += 1
    return f"p{name[0]}.{time.time_ns()}@test"


def send(server, subject=b"hello", to=("bob@example.org",), sender="ann@good.test", body=b"text\r\n", **how):
    ident = number()
    with client(server, **how) as s:
        s.sendmail(sender, list(to), HEADER % (subject, ident.encode()) + body)
    return f"<{ident}>"


def refusal(server, **how):
    with pytest.raises(smtplib.SMTPResponseException) as said:
        send(server, **how)
    return said.value.smtp_code, said.value.smtp_error.decode()


def test_onconnect_greets_refuses_and_hangs_up(server):
    activate(server, '''
        event onConnect {
            set(smtpGreeting, "who are you, %remoteSmtpIp%?");
            if (remoteSmtpIp == "192.0.2.1") { reject(550, 5.7.1, "not you"); }
            if (remoteSmtpIp == "192.0.2.2") { tmpreject("later"); }
            if (remoteSmtpIp == "192.0.2.3") { disconnect("bye"); }
            set(allow8BitMime, no); set(allowPipelining, no); set(allowSMTPUTF8, no); set(allowBinaryData, no);
            set(allowStartTLS, no); set(maxDataSize, 100);
        }''')
    with client(server) as s:
        assert s.welcome == (220, b"mx.example.org who are you, 192.0.2.7?")
        offered = s.hello[1].decode().split("\n")
        assert "SIZE 102400" in offered and "CHUNKING" in offered
        assert not {"8BITMIME", "PIPELINING", "SMTPUTF8", "BINARYMIME", "STARTTLS"} & set(offered)
        assert s.docmd("MAIL", "FROM:<a@b.test> BODY=8BITMIME")[0] == 555
        assert s.docmd("MAIL", "FROM:<a@b.test> SIZE=102401")[0] == 552
        assert s.docmd("STARTTLS")[0] == 502
    with client(server, "192.0.2.1") as s:
        assert s.welcome == (554, b"5.7.1 not you")
        assert s.docmd("MAIL", "FROM:<a@b.test>")[0] == 503
        assert s.docmd("QUIT")[0] == 221
        s.sock = None
    for address, text in (("192.0.2.2", b"later"), ("192.0.2.3", b"bye")):
        s = client(server, address)
        assert s.welcome[0] == 421 and s.welcome[1].endswith(text)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            s.docmd("NOOP")
    with server.raw("smtp") as raw:  # a greeting of its own, not XCLIENT's
        assert raw.reply() == "220 mx.example.org who are you, 127.0.0.1?"


def test_onehlo_and_onmailfrom_refuse(server):
    activate(server, '''
        event onEhlo { if (ehloHost matches "*.invalid") { reject(501, 5.5.2, "no such name %ehloHost%"); } }
        event onMailFrom {
            if (mailFromDomain == "evil.test") { reject("not from %mailFrom%"); }
            if (mailFrom == "<>") { tmpreject(450, 4.7.9, "no reports now"); }
            if (mailFromUser == "off") { disconnect("off with you"); }
            if (mailCount > 0) { reject("one each"); }
        }''')
    with client(server, helo="x.invalid") as s:
        assert s.hello == (501, b"5.5.2 no such name x.invalid")
        assert s.docmd("MAIL", "FROM:<a@b.test>") == (503, b"5.5.1 say EHLO first")
    with client(server) as s:
        assert s.docmd("MAIL", "FROM:<x@evil.test>") == (550, b"5.7.1 not from x@evil.test")
        assert s.docmd("RCPT", "TO:<bob@example.org>")[0] == 503
        assert s.docmd("MAIL", "FROM:<>") == (450, b"4.7.9 no reports now")
        s.sendmail("a@b.test", ["bob@example.org"], HEADER % (b"x", number().encode()))
        assert s.docmd("MAIL", "FROM:<a@b.test>") == (550, b"5.7.1 one each")
    with client(server) as s:
        assert s.docmd("MAIL", "FROM:<off@b.test>") == (421, b"4.7.0 off with you")
        with pytest.raises(smtplib.SMTPServerDisconnected):
            s.docmd("NOOP")


def test_onauth_undoes_a_login(server):
    activate(server, '''
        event onAuth {
            if (authUser == "carol@example.org") { reject("carol is away"); }
            if (not isAuthenticated) { disconnect("%authName% is wrong"); }
        }
        event onMailFrom { if (isAuthenticated) { reject("by %authMechanism% as %authUser%"); } }''')
    for user, password, code, text in (("bob", hauberk.PASSWORD, 235, "welcome"),
                                       ("carol", hauberk.PASSWORD, 535, "carol is away"),
                                       ("bob", "wrong", 421, "bob@example.org is wrong")):
        with smtplib.SMTP_SSL("127.0.0.1", server.ports["smtps"], context=hauberk.trusting()) as s:
            s.ehlo()
            said = s.docmd("AUTH", "PLAIN " + hauberk.plain_token(f"{user}@example.org", password))
            assert said[0] == code and said[1].decode().endswith(text)
            if code == 421:
                s.close()
                continue
            said = s.docmd("MAIL", "FROM:<bob@example.org>")
            assert said[0] == (550 if code == 235 else 250)
            assert code != 235 or said[1] == b"5.7.1 by PLAIN as bob@example.org"


def test_recipients_have_verdicts_changes_and_copies_of_their_own(server):
    activate(server, r'''
        event onMailFrom { call(addHeader, "X-All", "Grüße an alle"); }
        event onRcptTo {
            if (rcptToUser == "carol") {
                call(addHeader, "X-Own", "%rcptTo%"); call(fileInto, "Filed/Here"); call(setFlag, "\\Flagged");
                call(setFlag, "$Checked");
            }
            if (rcptToUser == "drop") { discard(); }
            if (rcptToUser == "postmaster") { reject(550, 5.1.0, "nobody reads that"); }
            if (count(rcpts) >= 3) { tmpreject(452, 4.5.3, "enough, %rcpts%"); }
            call(archiveTo, "archive@example.org");
        }''')
    ident = number()
    with client(server) as s:
        s.docmd("MAIL", "FROM:<ann@good.test>")
        codes = [s.docmd("RCPT", f"TO:<{user}@example.org>") for user in
                 ("bob", "carol", "drop", "postmaster", "nobody", "dave")]
        assert [code for code, _ in codes] == [250, 250, 250, 550, 452, 452]
        assert codes[4][1].decode().endswith("enough, archive@example.org, bob@example.org, carol@example.org")
        assert s.data(HEADER % (b"copies", ident.encode()) + b"text\r\n")[0] == 250
    ident = f"<{ident}>"
    bob = server.arrives(ident)
    assert b"X-All: =?utf-8?b?R3LDvMOfZSBhbiBhbGxl?=\r\n" in bob and b"X-Own" not in bob
    assert bob.startswith(b"Return-Path: <ann@good.test>\r\nX-All")
    archived = server.arrives(ident, "archive@example.org")
    assert b"X-All" not in archived and archived.startswith(b"Return-Path: <ann@good.test>\r\nReceived")
    assert server.count("carol@example.org") == server.count("drop@example.org") == 0
    with server.imap("carol@example.org") as imap:
        assert imap.select('"Filed/Here"')[0] == "OK"
        (head, text), flags = imap.fetch("1", "(FLAGS BODY.PEEK[] ENVELOPE)")[1][:2]
        assert b"X-Own: carol@example.org\r\nX-All: " in text
        assert b"\\Flagged" in head + flags and b"$Checked" in head + flags
    assert "recipient.dropped" in server.log()


def test_the_header_is_seen_and_changed(server):
    activate(server, r'''
        event onHeadersReceived {
            if (header("Subject") matches "*geheim*") { reject(554, 5.6.0, "%fromDomain% writes secrets"); }
            if (header("Subject") matches "*weg*") { discard(); }
            if (header("Subject") matches "*halt*") { quarantine("a closer look"); }
            if (header("Subject") matches "*off*") { disconnect("no"); }
            call(modifyHeader, "Subject", "[%fromAddress%]");
            call(addIfNotExistsHeader, "X-Mailer", "none");
            call(removeHeader, "X-Old");
            if (header("Subject") == "[ann@example.com]" and count(headers("X-Old")) == 0) {
                call(addHeader, "X-Seen", "%headerNames%");
            }
        }''')
    ident = number()
    with client(server) as s:
        s.sendmail("ann@good.test", ["bob@example.org"], b"X-Old: 1\r\nx-old: 2\r\n" + HEADER % (b"x", ident.encode()))
    text = server.arrives(f"<{ident}>")
    assert b"Subject: [ann@example.com]\r\n" in text and b"ld: 1" not in text and b"X-Mailer: none\r\n" in text
    assert b"X-Seen: X-Old, x-old, From, Subject, Message-ID\r\n" in text
    assert refusal(server, subject=b"=?utf-8?q?Streng_geheim?=") == (554, "5.6.0 example.com writes secrets")
    before = server.count()
    send(server, subject=b"weg damit")
    assert re.search(r"discarded s=\S+ .*why=\"?the policy says so", server.log())
    held = send(server, subject=b"halt")
    hauberk.wait_for("the held message", lambda: "in quarantine: a closer look" in server.log())
    assert server.count() == before and held
    with pytest.raises(smtplib.SMTPServerDisconnected):
        with client(server) as s:
            s.docmd("MAIL", "FROM:<a@b.test>")
            s.docmd("RCPT", "TO:<bob@example.org>")
            assert s.data(HEADER % (b"off", b"x@y")) == (421, b"4.7.0 no")
            s.docmd("NOOP")


def test_pieces_of_the_body_and_the_whole_message(server):
    activate(server, r'''
        event onBodyChunk { if (bodyChunk matches /EICAR-TEST/c) { reject(554, 5.7.1, "virus at %mailSize%"); } }
        event onDataReceived {
            if (bodyText matches "*viagra*") { reject("spam"); }
            if (attachmentNames matches "*.exe") { reject("%attachmentNames% of %attachmentTypes%"); }
            if (mimeAmbiguous) { reject("readers differ: %mimeAmbiguities%"); }
            if (mailSize > 3M) { reject("large"); }
            call(addHeader, "X-Size-Seen", "yes");
        }''')
    assert refusal(server, body=b"x" * 70000 + b"\r\nEICAR-TEST\r\n")[1].startswith("5.7.1 virus at ")
    assert refusal(server, body=b"buy viagra now\r\n") == (550, "5.7.1 spam")
    encoded = (b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\nContent-Type: text/plain\r\n\r\n"
               b"YnV5IHZpYWdyYSBub3c=\r\n")
    ident = number()
    with client(server) as s, pytest.raises(smtplib.SMTPDataError) as said:
        s.sendmail("a@b.test", ["bob@example.org"], (HEADER % (b"x", ident.encode()))[:-2] + encoded)
    assert said.value.smtp_error == b"5.7.1 spam"
    parts = (b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n"
             b"Content-Type: application/x-dos; name=\"a b.EXE\"\r\nContent-Disposition: attachment\r\n\r\nMZ\r\n--b--\r\n")
    with client(server) as s, pytest.raises(smtplib.SMTPDataError) as said:
        s.sendmail("a@b.test", ["bob@example.org"], (HEADER % (b"x", ident.encode()))[:-2] + parts)
    assert said.value.smtp_error == b"5.7.1 a b.EXE of application/x-dos"
    with client(server) as s, pytest.raises(smtplib.SMTPDataError) as said:
        s.sendmail("a@b.test", ["bob@example.org"], b"Subject: two\r\n" + HEADER % (b"x", ident.encode()) + b"text\r\n")
    assert b"readers differ: " in said.value.smtp_error
    large = send(server, body=b"0123456789abcdef0123456789abcdef\r\n" * 80000)  # a file of its own
    assert b"X-Size-Seen: yes\r\n" in server.arrives(large)
    assert refusal(server, body=b"0123456789abcdef0123456789abcdef\r\n" * 100000) == (550, "5.7.1 large")


def test_one_reply_serves_all_copies(server):
    activate(server, r'''
        event onRcptTo { call(addHeader, "X-For", "%rcptToUser%"); }
        event onDataReceived {
            if (header("X-For") == "carol") { reject(554, 5.7.1, "not for carol"); }
            if (header("X-For") == "dave") { tmpreject("not for dave now"); }
            if (header("X-For") == "drop") { discard(); }
        }''')
    both = send(server, to=("bob@example.org", "carol@example.org", "drop@example.org"))
    assert b"X-For: bob\r\n" in server.arrives(both)
    hauberk.wait_for("carol's copy in quarantine",
                     lambda: "refused for these recipients only: not for carol" in server.log())
    assert server.count("carol@example.org") == server.count("drop@example.org") == 0
    assert refusal(server, to=("carol@example.org",)) == (554, "5.7.1 not for carol")
    assert refusal(server, to=("bob@example.org", "dave@example.org")) == (451, "4.7.1 not for dave now")
    before = server.log().count(" discarded ")
    send(server, to=("drop@example.org",))
    assert server.log().count(" discarded ") == before + 1


def test_recipients_are_added_dropped_and_redirected(server):
    activate(server, r'''
        event onRcptTo { if (rcptToUser == "drop") { call(redirectTo, "dave@example.org"); } }
        event onHeadersReceived {
            if (header("Subject") == "add") { call(addRcpt, "carol@example.org"); }
            if (header("Subject") == "less") { call(discardRcpt, "bob@example.org"); }
            if (header("Subject") == "else") { call(redirectTo, "carol@example.org"); }
            if (header("Subject") == "far") { call(archiveTo, "a@far.test"); }
        }''')

    def who(subject, to):
        ident = send(server, subject=subject, to=[f"{user}@example.org" for user in to])
        found = set()
        for user in ("bob", "carol", "drop", "dave"):
            with server.imap(f"{user}@example.org") as imap:
                imap.select("INBOX", readonly=True)
                if imap.search(None, "HEADER", "Message-ID", ident)[1][0]:
                    found.add(user)
        return found

    for subject, to, expected in ((b"x", ["drop"], {"dave"}), (b"add", ["bob"], {"bob", "carol"}),
                                  (b"less", ["bob", "carol"], {"carol"}), (b"else", ["bob", "dave"], {"carol"})):
        hauberk.wait_for(f"{subject} at {expected}", lambda: who(subject, to) == expected)
    assert refusal(server, subject=b"far") == (451, "4.3.0 the rules of this server cannot be applied now")
    assert "a@far.test is not ours, and sending to other servers is not there yet" in server.log()


def test_checks_ask_the_name_system(server, names):
    activate(server, r'''
        event onConnect { set(DNSBLServer, "list.test"); }
        event onMailFrom {
            if (checkSPF() == "fail") { reject("%SPFExplanation%"); }
            if (checkDNSBL() != "") { reject("%DNSBLResult% %DNSBLExplanation%"); }
            if (checkReverseDNS() == "mismatch") { reject("a liar"); }
            call(addHeader, "X-Checks", "%SPFResult% %SPFHeloResult% %SPFPrefix% %reverseDNSResult% %remoteSmtpHost%");
            export(SPFResult);
        }''')
    text = server.arrives(send(server))
    assert b"X-Checks: pass none 24 pass client.good.test\r\n" in text
    assert refusal(server, sender="x@bad.test") == (550, "5.7.1 192.0.2.7 is none of ours")
    assert refusal(server, address="192.0.2.9") == (550, "5.7.1 127.0.0.4 listed for a test")
    assert refusal(server, address="192.0.2.8") == (550, "5.7.1 a liar")
    asked = len(names.asked)
    with client(server) as s:  # once for a connection and its zone
        for _ in range(3):
            s.sendmail("ann@good.test", ["bob@example.org"], HEADER % (b"x", number().encode()))
    assert len([q for q in names.asked[asked:] if "list.test" in q[0]]) <= 1


def test_a_check_on_connect_does_not_hold_others(server):
    activate(server, 'event onConnect { if (checkReverseDNS() == "mismatch") { reject("a liar"); } }')
    with client(server, "192.0.2.8") as s:
        assert s.welcome[0] == 554
    with client(server) as s:
        assert s.welcome[0] == 220
    with server.raw("smtp") as raw:
        assert raw.reply().startswith("220 ")
    with smtplib.SMTP_SSL("127.0.0.1", server.ports["smtps"], context=hauberk.trusting()) as s:
        assert s.ehlo()[0] == 250


def test_rates_count_over_all_processes(server):
    activate(server, 'event onMailFrom { if (checkRate("%mailFrom%", 1h) > 3) { tmpreject("too many: %rateCount%"); } }')
    sender = f"r{time.time_ns()}@rate.test"
    for _ in range(3):
        send(server, sender=sender)
    assert refusal(server, sender=sender) == (451, "4.7.1 too many: 4")
    send(server, sender="x" + sender)


def test_settings_are_overridden(server):
    activate(server, r'''
        event onMailFrom {
            set(maxRcptCount, 2); set(maxReceivedHeaders, 3); set(maxDataSize, 10);
            if (mailFromUser == "stranger") { set(localDelivery, "auth"); }
            if (mailFromUser == "none") { set(localDelivery, "none"); }
        }''')
    with client(server) as s:
        s.docmd("MAIL", "FROM:<a@b.test>")
        assert [s.docmd("RCPT", f"TO:<{u}@example.org>")[0] for u in ("bob", "carol", "dave")] == [250, 250, 452]
    assert refusal(server, subject=b"x\r\n" + b"Received: a\r\n" * 3 + b"Received: b") == \
        (554, "5.4.6 a mail loop: the message has 4 Received fields already")
    assert refusal(server, body=b"0123456789\r\n" * 1000)[0] == 552
    for sender, code in (("stranger@b.test", 530), ("none@b.test", 550)):
        with client(server) as s:
            s.docmd("MAIL", f"FROM:<{sender}>")
            assert s.docmd("RCPT", "TO:<bob@example.org>")[0] == code
    with client(server, "192.0.2.99") as s:  # one of smtp.relayFrom
        s.docmd("MAIL", "FROM:<stranger@b.test>")
        assert s.docmd("RCPT", "TO:<bob@example.org>")[0] == 250


def test_tables_know_our_domains_and_networks_and_files(server):
    activate(server, '''
        table bad of domain = file "bad.txt";
        event onMailFrom {
            if (mailFromDomain in localDomains and not isAuthenticated) { reject("ours"); }
            if (mailFromDomain in bad) { reject("in the file"); }
            if (remoteSmtpIp in trustedNetworks) { reject("trusted"); }
        }''', files=[("bad.txt", "# a comment\nfile.test\n.below.test\n")])
    assert refusal(server, sender="x@example.org")[1] == "5.7.1 ours"
    assert refusal(server, sender="x@file.test")[1] == "5.7.1 in the file"
    assert refusal(server, sender="x@a.below.test")[1] == "5.7.1 in the file"
    assert refusal(server, address="192.0.2.99")[1] == "5.7.1 trusted"
    send(server, sender="x@second.test")
    server.must("domain", "add", "second.test")
    hauberk.wait_for("the new domain", lambda: refusal_or_none(server) == "5.7.1 ours")


def refusal_or_none(server):
    try:
        send(server, sender="x@second.test")
    except smtplib.SMTPResponseException as said:
        return said.smtp_error.decode()


def test_a_session_ends_under_the_version_that_it_began_with(server):
    activate(server, 'event onConnect { set(seen, "one"); export(seen); } event onMailFrom { reject("%seen% of one"); }')
    with client(server) as s:
        assert s.docmd("MAIL", "FROM:<a@b.test>") == (550, b"5.7.1 one of one")
        activate(server, 'event onConnect { set(seen, "two"); export(seen); } event onRcptTo { reject("%seen% of two"); }')
        assert s.docmd("MAIL", "FROM:<a@b.test>")[0] == 250  # a new transaction, a new version; what was exported stays
        said = s.docmd("RCPT", "TO:<bob@example.org>")
        assert said == (550, b"5.7.1 one of two")
        activate(server, 'event onMailFrom { reject("three"); }')
        assert s.docmd("RCPT", "TO:<bob@example.org>") == said  # the transaction goes on under its own
        s.docmd("RSET")
        assert s.docmd("MAIL", "FROM:<a@b.test>") == (550, b"5.7.1 three")


def test_versions_are_kept_shown_and_brought_back(server):
    one = activate(server, 'event onMailFrom { reject("one"); }', "the first")
    two = activate(server, 'event onMailFrom { reject("two"); }', "the second")
    rows = server.must("policy", "history").splitlines()
    assert re.match(rf"{two} active \S+Z \S+ \(uid \d+\): the second \(\S+main.policy\)$", rows[0])
    assert rows[1].startswith(f"{one} 20") and "the first" in rows[1]
    assert 'reject("one")' in server.must("policy", "show", str(one))
    assert refusal(server)[1] == "5.7.1 two"
    said = server.must("policy", "rollback", "--why", "two was wrong")
    assert said == f"version {one} is active again, as version {two + 1} of the policy\n"
    hauberk.wait_for("version one", lambda: refusal_or_none(server) == "5.7.1 one")
    server.must("policy", "deactivate", "--why", "enough")
    hauberk.wait_for("no policy", lambda: refusal_or_none(server) is None)
    assert "deactivated" not in server.must("policy", "history").splitlines()[1]
    assert server.command("policy", "rollback", "999", "--why", "x").stderr == \
        "hauberk: there is no version 999 of the policy; see hauberk policy history\n"


@pytest.mark.parametrize("text, said", [
    ("event onMailFrom { reject(250, \"x\"); }", "error"),
    ("event onNothing { }", "error"),
    ('event onMailFrom { } test "t" { connect "192.0.2.1"; ehlo "a.test"; mail "a@b.test"; expect reject; }', "is red"),
    ('import "absent.policy";', "absent.policy"),
    ('table t of domain = file "absent";', "absent"),
])
def test_what_is_wrong_is_not_activated(server, text, said):
    good = activate(server, 'event onMailFrom { reject("still here"); }')
    path = hauberk.new_folder() / "bad.policy"
    path.write_text(text)
    done = server.command("policy", "activate", str(path), "--why", "a test")
    assert done.returncode == 1 and said in done.stdout + done.stderr
    assert server.must("policy", "history").startswith(f"{good} active")
    assert refusal(server)[1] == "5.7.1 still here"


def test_a_restart_begins_under_the_policy(server):
    activate(server, 'event onMailFrom { reject("after a restart, too"); }')
    server.stop()
    server.start()
    assert refusal(server)[1] == "5.7.1 after a restart, too"
    server.must("policy", "deactivate", "--why", "the end of the tests")


@pytest.mark.parametrize("binary", [hauberk.ASAN, hauberk.RELEASE], ids=["asan", "release"])
def test_the_sandbox_lets_the_resolver_validate(binary):
    knot = Knot()
    s = hauberk.Server(binary, settings='smtp: { xclientFrom = "127.0.0.1"; };\n'
                       f'dns: {{ servers = "127.0.0.1@{knot.port}"; trustAnchor = "{knot.anchor}"; }};')
    s.start()
    s.populate("bob")
    try:
        activate(s, 'event onMailFrom { if (checkSPF() == "pass") { reject("%SPFResult% by the signed zone"); } }')
        assert refusal(s, address="192.0.2.25", sender="a@signed.test") == (550, "5.7.1 pass by the signed zone")
        assert "dns.unvalidated" not in s.log()
    finally:
        s.stop()
        knot.stop()


def test_without_a_policy_nothing_changes(server):
    hauberk.wait_for("no policy", lambda: refusal_or_none(server) is None)
    assert b"X-" not in server.arrives(send(server))


@pytest.fixture(scope="module", params=[hauberk.ASAN, hauberk.RELEASE], ids=["asan", "release"])
def processing(request):
    s = hauberk.Server(request.param, settings='smtp: { xclientFrom = "127.0.0.1"; };')
    s.start()
    s.populate("bob", "carol", "dave")
    yield s
    s.stop()


def test_onprocess_knows_what_was_known_and_exported(processing):
    activate(processing, r'''
        event onConnect { set(seen, "at the door"); export(seen); }
        event onRcptTo { if (rcptToUser == "carol") { call(addHeader, "X-Own", "carol"); } }
        event onProcess {
            call(addHeader, "X-Facts", "%seen% %remoteSmtpIp% %ehloHost% %mailFrom% %fromDomain% %rcpts%");
            if (header("X-Own") == "carol") { call(fileInto, "Processed"); call(setFlag, "\\Seen"); }
            if (mailSize > 100 and mailSize < 10K and messageAge < 1h) { call(modifyHeader, "Subject", "sized"); }
        }''')
    ident = send(processing, to=("bob@example.org", "carol@example.org"))
    text = processing.arrives(ident)
    assert b"X-Facts: at the door 192.0.2.7 mx.good.test ann@good.test example.com\r\n bob@example.org\r\n" in text
    assert b"Subject: sized\r\n" in text and b"X-Own" not in text
    hauberk.wait_for("carol's copy", lambda: "delivered to <carol@example.org> in Processed" in processing.must("trace", "carol@example.org"))
    with processing.imap("carol@example.org") as imap:
        imap.select("Processed")
        (head, text), flags = imap.fetch("1", "(FLAGS BODY.PEEK[HEADER])")[1][:2]
        assert b"X-Own: carol" in text and b"carol@example.org\r\n" in text and b"\\Seen" in head + flags


def test_onprocess_drops_holds_and_puts_off(processing):
    activate(processing, r'''
        event onProcess {
            if (header("Subject") == "drop") { discard(); }
            if (header("Subject") == "hold") { quarantine("look"); }
            if (header("Subject") == "no") { reject("too late for that"); }
            if (header("Subject") == "later") { tmpreject("not now"); }
            if (header("Subject") == "less") { call(discardRcpt, "dave@example.org"); }
            if (header("Subject") == "more") { call(addRcpt, "dave@example.org"); }
        }''')
    for subject, said in ((b"drop", "dropped for <bob@example.org>: the policy"), (b"hold", "held for <bob@example.org>: in quarantine: look"),
                          (b"no", "held for <bob@example.org>: in quarantine: refused while it was processed"),
                          (b"later", "waits for <bob@example.org>: put off by the policy: not now"),
                          (b"more", "waits for <bob@example.org>: put off by the policy: the rules of this server cannot be applied now")):
        sender = f"{subject.decode()}{time.time_ns()}@good.test"
        send(processing, subject=subject, sender=sender)
        queue_id = re.search(r"accepted as (\S+) for", processing.must("trace", sender)).group(1)
        hauberk.wait_for(said, lambda: said in processing.must("trace", queue_id))
    ident = send(processing, subject=b"less", to=("bob@example.org", "dave@example.org"))
    processing.arrives(ident)
    hauberk.wait_for("dave is out", lambda: "dropped for <dave@example.org>: the policy took the recipient out"
                     in processing.must("trace", "dave@example.org"))
    assert processing.count("dave@example.org") == 0


def test_what_waits_is_processed_under_the_next_version_and_after_a_restart(processing):
    activate(processing, 'event onConnect { set(seen, "before"); export(seen); } event onProcess { tmpreject("not yet"); }')
    ident = send(processing)
    hauberk.wait_for("it waits", lambda: "put off by the policy: not yet" in processing.log())
    activate(processing, 'event onConnect { set(seen, ""); export(seen); } event onProcess { call(addHeader, "X-Seen", "%seen%"); }')
    processing.stop()
    processing.start()
    assert b"X-Seen: before\r\n" in processing.arrives(ident, seconds=60)

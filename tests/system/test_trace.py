"""hauberk trace: why a message was taken, refused, filed or held, and having it forgotten."""
import datetime
import re
import smtplib
import time

import pytest

import hauberk
from test_policy_events import HEADER, activate, client, number, send

POLICY = r'''
rule "Partners use TLS" priority 20 {
    when all { mailFromDomain == "bank.test"; not isSSLConnection; }
    then { reject(530, 5.7.10, "%mailFromDomain% and we agreed on TLS"); }
}
event onMailFrom { checkReverseDNS(); }
event onRcptTo { if (rcptToUser == "carol") { call(fileInto, "Filed"); } if (rcptToUser == "drop") { quarantine("look at it"); } }
event onHeadersReceived { if (header("Subject") == "bad") { reject("a bad subject"); } }
'''.replace("event onMailFrom { checkReverseDNS(); }",
            'event onMailFrom { if (checkReverseDNS() == "pass") { set(x, "y"); export(x); } }')


@pytest.fixture(scope="module", params=[hauberk.ASAN, hauberk.RELEASE], ids=["asan", "release"])
def server(request):
    s = hauberk.Server(request.param, settings='smtp: { xclientFrom = "127.0.0.1"; };\n'
                       'dns: { servers = "127.0.0.1@1"; trustAnchor = ""; timeout = "1 s"; };\n'
                       'policy: { checkDeadline = "1 s"; };')
    s.start()
    s.populate("bob", "carol", "drop")
    activate(s, POLICY)
    yield s
    s.stop()


def lines(text):
    """Without the times, which stand before each."""
    return [re.sub(r"^\d\d:\d\d:\d\d\.\d{3} ", "", line) for line in text.splitlines()]


def test_an_accepted_message_tells_its_way(server):
    ident = number()
    with client(server) as s:
        s.docmd("MAIL", "FROM:<ann@good.test>")
        for user in ("bob", "carol", "drop", "nobody"):
            s.docmd("RCPT", f"TO:<{user}@example.org>")
        queue_id = s.data(HEADER % (b"good", ident.encode()) + b"text\r\n")[1].decode().split()[-1]
    hauberk.wait_for("the outcomes", lambda: server.must("trace", queue_id).count(" for <") >= 1
                     and server.must("trace", queue_id).count("delivered to") == 2)
    said = lines(server.must("trace", queue_id))
    session = re.match(rf"{queue_id} s=(\S+)\.1 \d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ$", said[0]).group(1)
    for expected in ("connected from 127.0.0.1 to smtp 127.0.0.1:", "connected from 192.0.2.7 to (by XCLIENT)",
                     "hello from mx.good.test", "mail from <ann@good.test>", "onMailFrom (", "    checkReverseDNS  → temperror ",
                     "for <bob@example.org>", "onRcptTo (", "    fileInto Filed ", "    → quarantine 250 look at it",
                     "refused RCPT TO:<nobody@example.org> → 550 there is no mailbox nobody@example.org here",
                     f"accepted as {queue_id} for 3", "delivered to <bob@example.org> in INBOX, UID ",
                     "delivered to <carol@example.org> in Filed, UID 1", "held for <drop@example.org>: in quarantine: look at it"):
        assert any(line.startswith(expected) for line in said), (expected, said)
    # The same by its session, its message in it, and each address.
    for name in (session, session + ".1", "ann@good.test", "CAROL@example.org", "nobody@example.org"):
        assert f"accepted as {queue_id}" in server.must("trace", name)
    assert server.command("trace", session + ".2").returncode == 1


def test_refusals_are_found_by_address_with_their_rule(server):
    with client(server) as s:
        assert s.docmd("MAIL", "FROM:<x@bank.test>")[0] == 530
    said = lines(server.must("trace", "x@bank.test"))
    assert said[0].startswith("(not in the queue) s=")
    rule = next(line for line in said if "rule" in line)
    assert re.fullmatch(r'    rule \S+main.policy:2 "Partners use TLS" matched', rule)
    assert "    → reject 530 bank.test and we agreed on TLS" in said
    assert "refused MAIL → 530 bank.test and we agreed on TLS" in said
    with pytest.raises(smtplib.SMTPDataError):
        send(server, subject=b"bad", sender="y@good.test")
    said = lines(server.must("trace", "y@good.test"))
    assert "refused the message → 550 a bad subject" in said


def test_what_is_refused_before_a_message_is_kept_with_its_session(server):
    with server.raw("smtp") as raw:
        raw.reply()
        raw.say("MAIL FROM:<a@b.test>")
    session = re.findall(r"refused s=(\S+) .*command=\"MAIL FROM:<a@b.test>", server.log())[-1]
    hauberk.wait_for("the end of the session", lambda: f"closed s={session}" in server.log())
    assert "refused MAIL FROM:<a@b.test> → 503 say EHLO first" in lines(server.must("trace", session))


def test_the_newest_are_told_and_bad_words_refused(server):
    sender = f"many{time.time_ns()}@good.test"
    for i in range(5):
        send(server, subject=b"n%d" % i, sender=sender)
    assert server.must("trace", sender).count("accepted as") == 5
    assert server.must("trace", sender, "--most", "2").count("accepted as") == 2
    for words, said in ((("trace", "absent@x.test"), "nothing is known of"), (("trace", "1-2"), "nothing is known of"),
                        (("trace", "x@y", "--days", "0"), "--days wants a number"), (("trace", "x@y", "--most", "z"), "--most wants"),
                        (("trace", "forget", "nobody"), "say the address")):
        done = server.command(*words)
        assert done.returncode == 1 and said in done.stderr, words


def test_an_address_is_forgotten_in_every_file(server):
    sender = f"forget{time.time_ns()}@good.test"
    send(server, sender=sender)
    send(server, sender="keep@good.test")
    hauberk.wait_for("the trace", lambda: server.command("trace", sender).returncode == 0)
    assert server.must("trace", "forget", sender.upper()) == f"1 traces of {sender.upper()} forgotten\n"
    assert server.command("trace", sender).returncode == 1
    assert all(sender.encode() not in path.read_bytes() for path in (server.folder / "state/trace").iterdir())
    assert "keep@good.test" in server.must("trace", "keep@good.test")


def test_damage_costs_the_damaged_trace(server):
    for name in ("before", "after"):
        send(server, sender=f"{name}@damage.test")
        if name == "before":
            for path in (server.folder / "state/trace").iterdir():
                with open(path, "ab") as f:
                    f.write(b"HRT1\x10\x00\x00\x00 half a trace, and then nothing")
    for name in ("before", "after"):
        assert "accepted as" in server.must("trace", f"{name}@damage.test")


def test_old_files_go(server):
    folder = server.folder / "state/trace"
    today = datetime.datetime.now(datetime.timezone.utc)
    names = {days: folder / f"{today - datetime.timedelta(days):%Y%m%d}.smtp.0" for days in (29, 31)}
    for path in names.values():
        path.touch(mode=0o660)
        if hauberk.as_user():
            import os
            os.chown(path, 65534, 65534)
    server.stop()
    server.start()
    hauberk.wait_for("the old file's end", lambda: not names[31].exists())
    assert names[29].exists()

"""Dialogues and end-of-data forms that others wrote, against the real server as it is configured at first."""
import collections
import re

import pytest

import hauberk
import smtpscript

# test.base tries the language itself.
# docs/conformance.md says why.
DIFFERENT = {
    "mailfrom mailfrom.at-sign",     # <@>
    "mailfrom mailfrom.src-route",   # <whatever:a@a>
    "rcptto rcptto.src-route",       # <whatever:a@a>
    "smtp0 #8",                      # a bare LF inside RCPT
    "smtp2 #1",                      # hangs up at the fifth mistake
    "smtp2 #3",                      # 100 messages, and no more
}
FILES = ("mailfrom", "rcptto", "smtp0", "smtp1", "smtp2", "smtp4", "tls")


@pytest.fixture(scope="module")
def receiving():
    """Takes mail for the addresses that the dialogues use."""
    server = hauberk.Server(hauberk.ASAN)
    try:
        server.start().populate("ann")
        for domain in ("localhost", "foo.bar"):
            server.must("domain", "add", domain)
            server.must("alias", "add", f"@{domain}", "ann@example.org")
        yield server
        server.stop()
    finally:
        server.kill()


def outcome(server, case, procedures):
    """None, or why the dialogue failed."""
    with server.raw("smtp") as raw:
        try:
            smtpscript.run(raw, case, procedures)
        except (smtpscript.Failed, OSError, AssertionError) as e:
            return repr(e)
    return None


def test_dialogues(suites, receiving):
    failed, total = {}, collections.Counter()
    for part in FILES:
        script = smtpscript.Script((suites / f"smtp-opensmtpd/test.{part}").read_text("latin-1"))
        for name, case in script.cases:
            total[part] += 1
            why = outcome(receiving, case, script.procedures)
            if why:
                failed[f"{part} {name}"] = why
    print(dict(total), failed)
    assert set(failed) == DIFFERENT, failed
    assert sum(total.values()) == 69


def test_no_end_of_data_but_one(suites, receiving):
    """Each form stands in a message, with a second one behind it that may not become one."""
    lines = (suites / "smtp-smuggling/eod-sequences.txt").read_text().splitlines()
    forms = [line.split("\t")[0] for line in lines if not line.startswith("#")]
    assert len(forms) == 9
    for form in forms:
        end = form.encode().decode("unicode_escape").encode("latin-1")
        with receiving.hello() as raw:
            assert raw.say("MAIL FROM:<o@t.example>").startswith("250")
            assert raw.say("RCPT TO:<ann@example.org>").startswith("250")
            assert raw.say("DATA").startswith("354")
            raw.send(b"Subject: outer\r\n\r\nouter" + end + b"MAIL FROM:<inner@t.example>\r\n"
                     b"RCPT TO:<ann@example.org>\r\nDATA\r\nSubject: inner\r\n\r\ninner\r\n.\r\nQUIT\r\n")
            codes = re.findall(r"(?m)^(\d{3}) ", raw.all())
        assert codes in (["250", "221"], ["554"]), (form, codes)


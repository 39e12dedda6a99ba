"""hauberk policy: what it says of mistakes, how it lays out, plays and explains; exit statuses."""
import json
import os
import pathlib
import re
import resource
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("HAUBERK_ASAN", str(ROOT / "build-asan/hauberk"))
ERRORS = ROOT / "tests/corpus/policy-errors"


def policy(*words, cwd=None, program=PROGRAM, preexec=None, timeout=60):
    return subprocess.run([program, "policy", *map(str, words)], capture_output=True, text=True, cwd=cwd,
                          errors="replace", timeout=timeout, preexec_fn=preexec)


def write(folder, text, name="main.policy"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def check(folder, text, *words):
    write(folder, text)
    return policy("check", *words, "main.policy", cwd=folder)


# ---- messages ----

@pytest.mark.parametrize("name", sorted(p.stem for p in ERRORS.glob("*.policy")))
def test_every_mistake_is_told_as_it_should_be(name):
    """Golden messages: UPDATE_EXPECTED=1 writes them anew, to be read before they are kept."""
    done = policy("check", f"{name}.policy", cwd=ERRORS)
    expected = ERRORS / f"{name}.expected"
    if os.environ.get("UPDATE_EXPECTED"):
        expected.write_text(done.stdout)
    assert done.stdout == expected.read_text()
    assert done.returncode == 1 and not done.stderr


def test_the_three_of_the_design_are_there():
    said = (ERRORS / "design.expected").read_text()
    assert "design.policy:4:22: error: 'sofftail' is not a value of SPFResult; did you mean 'softfail'?\n" in said
    assert "     |                      ^~~~~~~~~~\n     = one of: pass neutral none softfail fail temperror permerror\n" in said
    assert "design.policy:8:1: error: rule \"Guests\" reads rcptTo (onRcptTo) but sets smtpGreeting (onConnect only)\n" in said
    assert "design.policy:13:20: error: relayHost takes no peer value; rcptToDomain is what the client said\n" in said
    assert "     = use lookup(routes, rcptToDomain) with a table of yours\n" in said


@pytest.mark.parametrize("name", sorted(p.stem for p in ERRORS.glob("*.policy")))
def test_json_says_the_same(name):
    done = policy("check", "--json", f"{name}.policy", cwd=ERRORS)
    assert done.returncode == 1
    remarks = json.loads(done.stdout)
    said = re.findall(r"^(\S+?):(\d+):(\d+): (error|warning|note): (.*)$", (ERRORS / f"{name}.expected").read_text(), re.M)
    assert [(r["file"], str(r["line"]), str(r["column"]), r["kind"], r["message"]) for r in remarks] == said
    assert all((r["endLine"], r["endColumn"]) >= (r["line"], r["column"]) for r in remarks)


def test_json_of_what_is_good_is_an_empty_list(tmp_path):
    done = check(tmp_path, "event onConnect { accept(); }", "--json")
    assert done.returncode == 0 and json.loads(done.stdout) == []


# ---- check ----

GOOD = """
table partners of domain = [ "bank.example", ".bank.example" ];
rule "Partners use TLS" priority 20 {
    when all { mailFromDomain in partners; not isSSLConnection; }
    then { reject(530, 5.7.10, "%mailFromDomain% and we agreed on TLS"); }
}
test "a partner without TLS" {
    connect "192.0.2.7"; ehlo "mx.bank.example"; mail "a@bank.example";
    expect reject 530 by rule "Partners use TLS";
}
"""


def test_check_prints_places_bounds_and_plays_tests(tmp_path):
    done = check(tmp_path, GOOD)
    assert done.returncode == 0, done
    assert 'rule "Partners use TLS": onMailFrom\n' in done.stdout
    assert re.search(r"^onMailFrom: at most \d+ steps, 0 checks, 0 s$", done.stdout, re.M)
    assert done.stdout.endswith("1 test, 0 red\n")


def test_a_red_test_is_status_1(tmp_path):
    done = check(tmp_path, GOOD.replace("expect reject 530", "expect reject 531"))
    assert done.returncode == 1
    assert "main.policy:9:5: failed: expected code 531, got 530" in done.stdout
    assert 'test "a partner without TLS" is red' in done.stdout and "1 test, 1 red" in done.stdout


def test_several_files_are_checked_each(tmp_path):
    write(tmp_path, "event onConnect { accept(); }", "a.policy")
    write(tmp_path, "event onConnect { wrong(); }", "b.policy")
    done = policy("check", "a.policy", "b.policy", "none.policy", cwd=tmp_path)
    assert done.returncode == 1 and "b.policy:1:19: error" in done.stdout and "none.policy" in done.stderr


def test_wrong_use_is_status_2():
    for words in ((), ("check",), ("frob",), ("run", "x"), ("fmt",), ("explain",), ("run", "a", "--sesion", "b")):
        done = policy(*words)
        assert done.returncode == 2 and "usage: hauberk policy" in done.stderr and not done.stdout, words


# ---- fmt ----

UGLY = """# a comment at the top
rule   "r"  priority   5 { # behind


when all{isAuthenticated;not (mailFrom=="")
;}then{
    # inside
    set(maxErrors,-5+3*( 2-1 ));if(hour in[1..5,7]){accept();}else{ reject( "a, b" ) ; }
foreach x in rcpts{call(log,"info",x);}
switch(weekday){case "mon","tue":return;default:discard();}
} }
# at the end"""


def test_fmt_lays_out_once_and_for_all(tmp_path):
    path = write(tmp_path, UGLY)
    assert policy("fmt", path).returncode == 0
    first = path.read_text()
    assert policy("fmt", path).returncode == 0
    assert path.read_text() == first
    for comment in ("# a comment at the top", "# behind", "# inside", "# at the end"):
        assert first.count(comment) == 1
    words = [re.sub(r"\s+", "", t) for t in (UGLY, first)]
    assert words[0] == words[1]
    assert first.splitlines()[1].startswith('rule "r" priority 5 {')


def test_fmt_of_every_good_policy_is_idempotent(tmp_path):
    """Every policy of the corpus that is read lays out to what stays; what has errors is left alone."""
    laid = 0
    for i, source in enumerate(sorted((ROOT / "tests/corpus/policy_compile").iterdir())[::12]):
        path = write(tmp_path, source.read_bytes(), f"{i}.policy")
        if policy("fmt", path).returncode:
            assert path.read_bytes() == source.read_bytes()
            continue
        once = path.read_bytes()
        assert policy("fmt", path).returncode == 0 and path.read_bytes() == once
        laid += 1
    assert laid > 5


def test_fmt_writes_operators_for_old_functions(tmp_path):
    path = write(tmp_path, """rule "r" { when all { not(is(authUser, "")); anyof(match(mailFrom, "a*"), lessThan(mailCount, "5")); }
then { if (allof(iprange(remoteSmtpIp, "10.0.0.0/8"), anyof(isESMTP, isAuthenticated))) { accept(); } } }
test "t" { connect "192.0.2.1"; }""")
    assert policy("check", path).returncode == 0
    assert policy("fmt", path).returncode == 0
    text = path.read_text()
    for line in ('not (authUser == "");', 'mailFrom matches "a*" or mailCount < "5";',
                 'if (remoteSmtpIp in ["10.0.0.0/8"] and (isESMTP or isAuthenticated)) {'):
        assert line in text, text
    assert policy("check", path).returncode == 0
    assert policy("fmt", path).returncode == 0 and path.read_text() == text


def test_fmt_says_what_it_cannot_read(tmp_path):
    path = write(tmp_path, "rule { }")
    done = policy("fmt", path)
    assert done.returncode == 1 and "expected a string" in done.stdout and path.read_text() == "rule { }"
    assert policy("fmt", tmp_path / "none.policy").returncode == 1


# ---- explain ----

def names_of_the_host():
    tables = [*ROOT.glob("src/smtp/policy_*.c"), *ROOT.glob("src/policy/*.c"), ROOT / "src/script/policy/builtin.c"]
    text = "".join(p.read_text() for p in tables)
    names = re.findall(r'\bV\("(\w+)"', text) + re.findall(r'^\t\{ "(\w+)", (?:"|METHOD)', text, re.M)
    names += re.findall(r'\b(?:CHECK|ACTION|FUNCTION)\("(\w+)"', text) + re.findall(r"'\w', \"(on\w+)\"", text)
    return sorted(set(names))


def test_every_name_is_explained():
    names = names_of_the_host()
    assert len(names) > 150
    program = os.environ.get("HAUBERK_RELEASE", str(ROOT / "build/hauberk"))
    for name in names:
        done = policy("explain", name, program=program)
        assert done.returncode == 0 and not done.stderr, name
        assert done.stdout.startswith(f"{name}: ") and "example: " in done.stdout, name


def test_what_is_no_name_is_not_explained():
    done = policy("explain", "mailFrm")
    assert done.returncode == 1 and "'mailFrm'" in done.stderr and "mailFrom" in done.stderr


# ---- hostile texts ----

def bounded():
    """Two GB of memory would be far too much; ASan needs its shadow, so the release program is what is tried."""
    resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))


DEEP = 10000
HOSTILE = {
    "empty": (lambda: b"", None),
    "NUL": (lambda: b"event onConnect { \0 }", "this is no text: octet 0x00"),
    "bad UTF-8": (lambda: b"event onConnect { # \xff\xfe\n }", "this is no text: octet 0xFF"),
    "overlong": (lambda: b"# \xc0\xaf", "this is no text"),
    "binary": (lambda: bytes(range(256)) * 1000, "this is no text"),
    "program": (lambda: pathlib.Path("/bin/true").read_bytes(), "this is no text"),
    "100 MB": (lambda: b"# " + b"x" * (100 << 20), "at most 4194304 are read"),
    "4 MB of comment": (lambda: b"#" * (4 << 20), None),
    "4 MB of a name": (lambda: b"a" * (4 << 20), "at most 64"),
    "4 MB of a string": (lambda: b'rule "' + b"a" * (4 << 20 >> 1) + b'" { then { } }', "at most 8192"),
    "4 MB of digits": (lambda: b"event onConnect { set(maxErrors, " + b"9" * (1 << 20) + b"); }", "too large"),
    "a large number": (lambda: b"event onConnect { set(maxErrors, 99999999999999999999999); }", "too large"),
    "deep parentheses": (lambda: b"event onConnect { if (" + b"(" * DEEP + b"1" + b")" * DEEP + b") { } }", "64 levels"),
    "deep not": (lambda: b"event onConnect { if (" + b"not " * DEEP + b"yes) { } }", "64 levels"),
    "deep minus": (lambda: b"event onConnect { set(maxErrors, " + b"- " * DEEP + b"1); }", "64 levels"),
    "deep blocks": (lambda: b"event onConnect { " + b"if (yes) { " * DEEP + b"} " * DEEP + b"}", "64 levels"),
    "deep calls": (lambda: b"event onConnect { set(smtpGreeting, " + b"lower(" * DEEP + b'"a"' + b")" * DEEP + b"); }", "64 levels"),
    "open braces": (lambda: b"event onConnect " + b"{" * 1000000, "a statement"),
    "closing braces": (lambda: b"}" * 1000000, "expected"),
    "quotes": (lambda: b'"' * 1000001, "expected"),
    "slashes": (lambda: b"event onConnect { if (mailFrom matches " + b"/" * 1000000, "expected"),
    "rules": (lambda: b"".join(b'rule "%d" { then { } } ' % i for i in range(10001)), "10,000 rules"),
    "unknown names": (lambda: b"event onConnect { " + b"".join(b"set(maxErrors, n%d); " % i for i in range(100000)) + b"}", "errors more"),
    "own variables": (lambda: b"event onConnect { " + b"".join(b"set(n%d, 1); " % i for i in range(100000)) + b"}", "2000"),
    "terms": (lambda: b"event onConnect { set(maxErrors, 1" + b"+1" * 500000 + b"); }", "too long"),
    "ors": (lambda: b"event onConnect { if (hour == 1" + b" or hour == 1" * 250000 + b") { accept(); } }", None),
    "list": (lambda: b"event onConnect { if (hour in [" + b"1," * 900000 + b"]) { accept(); } }", "1,000,000 parts"),
    "items": (lambda: b"table t of string = [" + b'"a",' * 900000 + b"];", "1,000,000 parts"),
    "cases": (lambda: b"event onConnect { switch (hour) { case " + b",".join(b"%d" % (i % 24) for i in range(5000)) + b": return; } }", "stands there twice"),
    "methods": (lambda: b"".join(b"method m%d { call(m%d); } " % (i, i + 1) for i in range(100000)) + b"method m100000 { } event onConnect { call(m0); }", "deep"),
    "doubling methods": (lambda: b"".join(b"method m%d { call(m%d); call(m%d); } " % (i, i + 1, i + 1) for i in range(50)) + b'method m50 { call(log, "info", "x"); } rule "r" { then { call(m0); } }', "steps"),
    "joins": (lambda: b'event onConnect { set(smtpGreeting, "' + b"%ehloHost%" * 700 + b'"); }', None),
    "tests": (lambda: GOOD.encode() + b'test "t" { connect "192.0.2.1"; ' + b"expect hour == 1; " * 5000 + b"}", "red"),
    "peers": (lambda: b"event onRcptTo { " + b"".join(b"set(v%d, v%d); " % (i, i + 1) for i in range(1999)) + b"set(v1999, rcptTo); set(relayHost, v0); }", "no peer value"),
}

@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_get_a_clear_answer_in_bounded_time(tmp_path, name):
    text, said = HOSTILE[name]
    write(tmp_path, text())
    start = time.monotonic()
    program = os.environ.get("HAUBERK_RELEASE", str(ROOT / "build/hauberk"))
    done = policy("check", "main.policy", cwd=tmp_path, program=program, preexec=bounded)
    assert time.monotonic() - start < 10
    assert done.returncode in (0, 1), (done.returncode, done.stdout[-500:], done.stderr[-500:])
    if said is None:
        assert "error" not in done.stdout, done.stdout[:2000]
    else:
        assert done.returncode == 1 and said in done.stdout + done.stderr, (done.stdout[-2000:], done.stderr)
        assert len(done.stdout) < 200000
    # Nothing of the text acts on the terminal.
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", done.stdout)


def test_every_cut_of_a_policy_gets_an_answer(tmp_path):
    program = os.environ.get("HAUBERK_RELEASE", str(ROOT / "build/hauberk"))
    for n in range(0, len(GOOD), 11):
        write(tmp_path, GOOD[:n])
        done = policy("check", "main.policy", cwd=tmp_path, program=program)
        assert done.returncode in (0, 1) and (done.returncode == 0 or "error: " in done.stdout), (n, done)


def test_imports_stay_beside_the_policy_and_end(tmp_path):
    (tmp_path / "sub").mkdir()
    write(tmp_path, 'import "sub/b.policy";')
    write(tmp_path / "sub", 'import "c.policy";', "b.policy")
    write(tmp_path / "sub", 'table t of string = [ "x" ];', "c.policy")
    assert policy("check", "main.policy", cwd=tmp_path).returncode == 0
    write(tmp_path / "sub", 'import "b.policy";', "c.policy")
    done = policy("check", "main.policy", cwd=tmp_path)
    assert done.returncode == 1 and "sub/c.policy:1:8: error: this import leads back to itself" in done.stdout
    for path in ("../x.policy", "/etc/passwd", "sub", "none.policy", ""):
        done = check(tmp_path, f'import "{path}";')
        assert done.returncode == 1 and "main.policy:1:8: error" in done.stdout, (path, done)
    for i in range(70):
        write(tmp_path, f'import "{i + 1}.policy";' if i < 69 else "", f"{i}.policy")
    done = policy("check", "0.policy", cwd=tmp_path)
    assert done.returncode == 1 and "at most 64 files" in done.stdout
    os.mkfifo(tmp_path / "fifo.policy")
    done = check(tmp_path, 'import "fifo.policy";')
    assert done.returncode == 1 and "no regular file" in done.stdout


def test_a_table_with_a_million_lines_is_read_and_one_more_refused(tmp_path):
    program = os.environ.get("HAUBERK_RELEASE", str(ROOT / "build/hauberk"))
    text = 'table t of domain = file "t.txt"; event onMailFrom { if (mailFromDomain in t) { accept(); } }'
    write(tmp_path, b"".join(b"d%d.example\n" % i for i in range(1000000)), "t.txt")
    write(tmp_path, text)
    assert policy("check", "main.policy", cwd=tmp_path, program=program).returncode == 0
    with open(tmp_path / "t.txt", "ab") as f:
        f.write(b"one.more.example\nand.another.example\n")
    done = policy("check", "main.policy", cwd=tmp_path, program=program)
    assert done.returncode == 1 and "t.txt:1000001: more than 1000000 items" in done.stdout
    write(tmp_path, b"not a domain\n" * 1000000, "t.txt")
    done = policy("check", "main.policy", cwd=tmp_path, program=program)
    assert done.returncode == 1 and done.stdout.count("error:") == 20


# ---- sessions ----

STORES = """
event onConnect {
    if (checkRate("%remoteSmtpIp%", 1h) > 2) { tmpreject("slow down"); }
    if (checkReverseDNS() == "mismatch") { set(maxErrors, 3); }
    if (checkDNSBL("bl.example") != "") { reject("listed: %DNSBLExplanation%"); }
    set(first, hour); export(first);
}
event onMailFrom {
    if (checkSPF() == "fail") { reject(550, 5.7.23, "%SPFExplanation%"); }
    set(second, mailFrom); export(second);
}
event onRcptTo { if (checkGreylist() in ["new", "early"]) { tmpreject("greylisted"); } set(delay, 5); }
event onDataReceived {
    call(executeFilters, "av*");
    if (filterResult == "match") { reject("virus %virusName%"); }
    if (spamLevel > 5) { quarantine("spam"); }
}
event onDeliveryFailure { set(ndrSubject, "gone %second% %first%"); }
"""

SESSION = """
given time = "2026-11-24 09:14";
given dns PTR "7.2.0.192.in-addr.arpa" = "mx.example.com";
given dns A "mx.example.com" = "192.0.2.7";
given dns A "7.2.0.192.bl.example" = nxdomain;
given dns TXT "example.com" = "v=spf1 ip4:192.0.2.0/24 -all";
given filter "av1" = filterResult = "pass", spamLevel = 3;
given filter "av2" = spamLevel = 7;
connect "192.0.2.7";
expect reverseDNSResult == "pass";
expect hour == 9 and weekday == "tue" and rateCount == 1 and delay == 0;
ehlo "mx.example.com";
mail "a@example.com";
expect SPFResult == "pass" and SPFPrefix == 24;
rcpt "bob@example.org";
expect tmpreject 451 "greylisted";
wait 4m;
rcpt "bob@example.org";
expect greylistResult == "early";
wait 61s;
rcpt "bob@example.org";
expect accept;
expect greylistResult == "known" and delay == 5s and mailFrom in ["@example.com"];
data { "From: A <a@example.com>" "Subject: secret" "" "hello" }
expect quarantine;
expect spamLevel == 7 and headerNames == "subject" and fromDomain == "example.com";
expect first == 9;
expect second == "a@example.com";
"""


def play(folder, text, session):
    write(folder, text)
    write(folder, session, "a.session")
    return policy("run", "main.policy", "--session", "a.session", cwd=folder)


def test_a_session_has_a_clock_names_stores_and_filters(tmp_path):
    done = play(tmp_path, STORES, SESSION)
    assert done.returncode == 0, done.stdout
    assert "onConnect: " in done.stdout and '→ tmpreject 451 4.7.1 "greylisted"' in done.stdout


def test_a_failure_counts_attempts_and_knows_bounces(tmp_path):
    text = 'event onDeliveryFailure { set(ndrSubject, "x"); } event onTemporaryDeliveryFailure { set(noticeAfter, 2); }'
    session = """given noticeAfter = 2; connect "192.0.2.1"; ehlo "x"; mail "a@example.com"; rcpt "b@example.org"; data { "A: b" }
fail "b@example.org" 450 4.2.0 "later"; expect attemptCount == 1 and not sendNDR;
wait 1h; relay "example.org"; fail "b@example.org" 450 4.2.0 "later"; expect attemptCount == 2 and sendNDR and messageAge == 1h;
fail "b@example.org" 550 5.1.1 "gone"; expect sendNDR and ndrSubject == "x" and failureText == "gone" and failureCode == 550;
mail "<>"; rcpt "b@example.org"; data { "A: b" } fail "b@example.org" 550 5.1.1 "gone"; expect not sendNDR;
"""
    done = play(tmp_path, text, session)
    assert done.returncode == 0, done.stdout


def test_what_a_message_exports_ends_with_it(tmp_path):
    text = """event onConnect { set(conn, "c"); export(conn); }
event onMailFrom { if (msg != "") { reject("leaked %msg%"); } set(msg, mailFrom); export(msg); set(conn, "changed"); export(conn); }
event onRcptTo { if (conn == "") { reject("lost"); } call(log, "info", "%conn% %msg%"); }"""
    session = """connect "192.0.2.1"; ehlo "x"; mail "a@example.com"; expect accept; rcpt "b@example.org"; expect did log("info", "changed a@example.com");
rset; mail "c@example.com"; expect accept; rcpt "b@example.org"; expect did log("info", "changed c@example.com"); expect conn == "changed";
mail "d@example.com"; expect accept; connect "192.0.2.1"; expect conn == "c"; expect msg == "";
"""
    done = play(tmp_path, text, session)
    assert done.returncode == 0, done.stdout


def test_data_may_come_from_a_file_beside_the_session(tmp_path):
    (tmp_path / "mail.eml").write_bytes(b"From: z@example.com\r\nSubject: =\r\n folded\r\n\r\nthe body\r\n")
    text = 'event onDataReceived { if (bodyText matches "*the body*" and header("Subject") matches "*folded") { reject("seen"); } }'
    start = 'connect "192.0.2.1"; ehlo "x"; mail "a@example.com"; rcpt "b@example.org"; '
    done = play(tmp_path, text, start + 'data file "mail.eml"; expect reject "seen"; expect not bodyText matches "*Subject*";')
    assert done.returncode == 0, done.stdout
    for path in ("../x", "/etc/passwd", "none.eml", ""):
        done = play(tmp_path, text, start + f'data file "{path}";')
        assert done.returncode == 1 and "failed: " in done.stdout, path


@pytest.mark.parametrize("session,said", [
    ('connect "192.0.2.7";', 'add: given checkReverseDNS() = "...";'),
    ('given dns PTR "7.2.0.192.in-addr.arpa" = nxdomain; connect "192.0.2.7";', 'add: given dns A "7.2.0.192.bl.example" = "...";'),
    ('given dns A "x" = "y"; given dns PTR "7.2.0.192.in-addr.arpa" = "x"; connect "192.0.2.7";', "'y' is no A record"),
    ('given SPFResult = "sofftail";', "is no value of SPFResult"),
    ('given nosuch = 5;', "no variable or table 'nosuch'"),
    ('given localDomains = ["a b"];', "is no domain"),
    ('given time = "noon";', "is no time"),
    ('rcpt "a@example.org";', "there is no connection"),
    ('given reverseDNSResult = "pass"; given DNSBLResult = ""; connect "1.2.3.4"; rcpt "a@example.org";', "mail comes first"),
    ('given reverseDNSResult = "pass"; given DNSBLResult = ""; connect "1.2.3.4"; expect nosuch == 5;', "no variable 'nosuch'"),
    ('given reverseDNSResult = "pass"; given DNSBLResult = ""; connect "1.2.3.4"; expect rateCount == 5;', "it is not so: rateCount == 5"),
])
def test_a_session_says_what_is_missing_or_wrong(tmp_path, session, said):
    done = play(tmp_path, STORES, session)
    assert done.returncode == 1 and said in done.stdout, done.stdout


def test_conditions_of_tests_know_tables_and_exported_variables(tmp_path):
    done = check(tmp_path, """table t of string to number = [ "a" to 5 ];
event onMailFrom { set(mine, lookup(t, mailFromUser)); export(mine); }
test "t" { connect "192.0.2.1"; ehlo "x"; mail "a@example.com"; expect mine == 5; expect mailFromUser in t; expect lookup(t, "a") == mine;
given localDomains = ["example.com"]; expect mailFromDomain in localDomains; }""")
    assert done.returncode == 0, done.stdout

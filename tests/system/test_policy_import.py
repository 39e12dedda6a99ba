"""hauberk policy import: scripts of AXIGEN, each of the eight that its documents speak of, come over without loss and do what
they did; what is not understood is told with its line, and is a comment in the result."""
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("HAUBERK_ASAN", str(ROOT / "build-asan/hauberk"))
SCRIPTS = ROOT / "tests/corpus/axigen"

START = 'connect "192.0.2.7"; ehlo "mx.example.com"; '
# What the whole script does, scenario by scenario.
SESSIONS = {
    "refused address": 'connect "1.2.3.4"; expect reject "Go away"; expect smtpGreeting == "";',
    "route": 'given SPFResult = "pass"; given DNSBLResult = ""; ' + START + 'starttls; mail "a@b.example"; rcpt "c@example.org"; '
             'expect relayHost == "1.2.3.4"; rcpt "c@example.net"; expect maxRcptCount == 50;',
    "greeting": 'given smtpIp = "192.0.2.1"; given DNSBLResult = ""; connect "192.0.2.7"; expect smtpGreeting == "Example Ltd. ESMTP on 192.0.2.1";',
    "own domains": 'given SPFResult = "pass"; given DNSBLResult = ""; ' + START + 'starttls; mail "a@sub.example.org"; '
                   'expect localDelivery == "auth"; mail "a@other.example"; expect localDelivery == "all";',
    "listed": 'given SPFResult = "pass"; given checkDNSBL("bl.example.net") = "127.0.0.2", DNSBLExplanation = "a bad one"; ' + START +
              'starttls; mail "a@b.example"; expect reject "a bad one"; auth "ann"; mail "a@b.example"; expect accept;',
    "SPF": 'given DNSBLResult = ""; given checkSPF() = "fail", SPFExplanation = "not from there"; ' + START +
           'starttls; mail "a@b.example"; expect reject "not from there"; given checkSPF() = "pass"; mail "a@b.example"; '
           'expect accept; expect did addHeader("X-SPF", "pass");',
    "relay": 'given SPFResult = "pass"; given DNSBLResult = ""; ' + START + 'starttls; mail "a@example.org"; relay "x.example"; '
             'expect relayHost == "smtp.example.net" and relayAuthUser == "example" and relayAuthPassword == "secret"; '
             'mail "a@other.example"; relay "x.example"; expect relayHost == "";',
    "limits": 'given SPFResult = "pass"; given DNSBLResult = ""; ' + START + 'mail "a@b.example"; expect reject "TLS is wanted here"; '
              'starttls; mail "a@b.example"; expect accept; expect maxDataSize == 3072 and maxReceivedHeaders == 20;',
}


def policy(*words, cwd=None):
    return subprocess.run([PROGRAM, "policy", *map(str, words)], capture_output=True, text=True, cwd=cwd, timeout=60)


def imported(folder, text):
    (folder / "old.script").write_text(text)
    done = policy("import", "old.script", cwd=folder)
    (folder / "new.policy").write_text(done.stdout)
    return done


@pytest.mark.parametrize("name", SESSIONS)
def test_each_scenario_does_what_it_did(tmp_path, name):
    done = imported(tmp_path, (SCRIPTS / "eight.script").read_text())
    assert done.returncode == 0 and not done.stderr
    checked = policy("check", "new.policy", cwd=tmp_path)
    assert checked.returncode == 0 and "error" not in checked.stdout and "warning" not in checked.stdout
    (tmp_path / "s.session").write_text(SESSIONS[name])
    ran = policy("run", "new.policy", "--session", "s.session", cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("name", SESSIONS)
def test_the_script_as_it_is_does_the_same(tmp_path, name):
    """The old functions are understood without import too; only names of ours differ."""
    text = (SCRIPTS / "eight.script").read_text().replace("authPass", "relayAuthPassword")
    (tmp_path / "old.policy").write_text(text)
    (tmp_path / "s.session").write_text(SESSIONS[name])
    ran = policy("run", "old.policy", "--session", "s.session", cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout


def test_comments_and_layout_stay_and_old_functions_go(tmp_path):
    text = (SCRIPTS / "eight.script").read_text()
    new = imported(tmp_path, text).stdout
    assert re.findall(r"#.*", new) == re.findall(r"#.*", text)
    assert not re.search(r"\b(is|match|anyof|allof|iprange|greaterThan)\(", new)
    assert len(new.splitlines()) == len(text.splitlines())
    again = imported(tmp_path, new)
    assert again.returncode == 0 and again.stdout == new


@pytest.mark.parametrize("line,why", [
    ('set(unknownThing, "x");', "'unknownThing' is set and never read"),
    ('set(smtpGreeting, "%nosuch%");', "no variable 'nosuch'"),
    ("call(noSuchMethod);", "no method 'noSuchMethod'"),
    ('set(maxErrors, "many");', "is no number"),
    ('set(smtpAction, "explode");', "'explode' is not a value of smtpAction"),
    ("frobnicate(1, 2);", "begins no statement"),
    ('if (likes(remoteSmtpIp, "x")) { set(maxErrors, "5"); }', "no function 'likes'"),
    ('while (is(hour, "5")) { set(maxErrors, "5"); }', "begins no statement"),
    ('set(remoteSmtpIp, "1.2.3.4");', "can only be read"),
    ('set(smtpGreeting "x");', "expected ','"),
    ("set(relayHost, ehloHost);", "takes no peer value"),
])
def test_what_is_not_understood_is_told_and_left_out(tmp_path, line, why):
    text = f"# start\nevent onEhlo {{\n    set(maxErrors, 7);\n    {line}\n    set(maxAuthErrors, 3);\n}}\n"
    done = imported(tmp_path, text)
    assert done.returncode == 1, done
    assert re.search(r"^old\.script:4:5: not imported: .*" + re.escape(why), done.stderr, re.M), done.stderr
    assert done.stderr.endswith("1 part not imported\n")
    assert f"# {line}" in done.stdout and "set(maxErrors, 7);" in done.stdout and "set(maxAuthErrors, 3);" in done.stdout
    checked = policy("check", "new.policy", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout


def test_whole_declarations_may_be_lost(tmp_path):
    done = imported(tmp_path, 'event onMoon { set(maxErrors, 7); }\nbogus { }\nevent onConnect { set(maxErrors, "8"); }\n')
    assert done.returncode == 1 and "2 parts not imported" in done.stderr
    assert "old.script:1:" in done.stderr and "old.script:2:" in done.stderr
    assert policy("check", "new.policy", cwd=tmp_path).returncode == 0
    assert 'event onConnect { set(maxErrors, "8"); }' in done.stdout


def test_an_open_relay_is_not_imported(tmp_path):
    done = imported(tmp_path, 'event onMailFrom { set(remoteDelivery, "all"); }')
    assert done.returncode == 1 and "open relay" in done.stderr
    assert "\nevent" not in done.stdout or "# set(remoteDelivery" in done.stdout


@pytest.mark.parametrize("text", ["", "\0", "{" * 5000, "event onConnect {" * 50, '"', "/* c */", "event onConnect { if (is(" * 200])
def test_hostile_scripts_get_an_answer(tmp_path, text):
    done = imported(tmp_path, text)
    assert done.returncode in (0, 1)
    assert policy("check", "new.policy", cwd=tmp_path).returncode == 0 or "not imported" not in done.stderr


def test_wrong_use_is_status_2():
    assert policy("import").returncode == 2
    done = policy("import", "/nowhere/x.script")
    assert done.returncode == 1 and "cannot open" in done.stderr

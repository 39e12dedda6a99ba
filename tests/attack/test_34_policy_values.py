"""Attack 34, in policies: whatever a client, a message or a policy's own text holds, a reply and each line that is shown
stay one line."""
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("HAUBERK_ASAN", str(ROOT / "build-asan/hauberk"))

EVIL = r"a\x0d\x0a250 forged\x0d\x0aX-Forged: yes\x1b[2J\x07"
POLICY = """
event onEhlo { reject("no %ehloHost% here"); }
event onMailFrom { reject(550, 5.7.1, "sender %mailFrom% \\x0d\\x0a250 ours"); }
event onConnect { set(smtpGreeting, "hello %remoteSmtpHost%"); set(smtpExplanation, remoteSmtpHost); call(log, "info", "%remoteSmtpHost%"); }
"""


@pytest.mark.parametrize("line", [
    f'given remoteSmtpHost = "{EVIL}"; connect "192.0.2.1"; expect smtpGreeting matches "hello a??250 forged*";',
    f'connect "192.0.2.1"; ehlo "{EVIL}"; expect reject 550 "no a??250 forged??X-Forged: yes*";',
    f'connect "192.0.2.1"; ehlo "x"; mail "{EVIL}@b.example"; expect reject 550 "sender a??250 forged*??250 ours";',
])
def test_values_never_end_a_line(tmp_path, line):
    (tmp_path / "p.policy").write_text(POLICY)
    (tmp_path / "p.session").write_text(line)
    done = subprocess.run([PROGRAM, "policy", "run", "p.policy", "--session", "p.session"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
    shown = done.stdout.split("\n")
    assert not any(l.startswith(("250", "X-Forged")) for l in shown)
    assert not any(re.search(r"[\x00-\x1f\x7f]", l) for l in shown)


@pytest.mark.parametrize("text", [r'set(smtpGreeting, "\x00");', r'set(smtpGreeting, "\x80");'])
def test_no_text_of_a_policy_holds_what_is_no_text(tmp_path, text):
    (tmp_path / "p.policy").write_text("event onConnect { " + text + " }")
    done = subprocess.run([PROGRAM, "policy", "check", "p.policy"], cwd=tmp_path, capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 1 and r"\x writes an octet from 01 to 7F" in done.stdout


@pytest.mark.parametrize("name", ["remoteSmtpHost", "ehloHost", "mailFrom", 'header("Subject")', "%mailFromUser%-x"])
def test_what_a_client_says_names_no_header(tmp_path, name):
    value = f'"{name}"' if "%" in name else name
    (tmp_path / "p.policy").write_text("event onHeadersReceived { call(addHeader, " + value + ', "x"); }')
    done = subprocess.run([PROGRAM, "policy", "check", "p.policy"], cwd=tmp_path, capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 1 and "takes no peer value" in done.stdout

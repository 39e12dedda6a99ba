"""Attack 44: regular expressions that would not end: each comes to its bound, is no match, and is counted."""
import os
import pathlib
import re
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("HAUBERK_RELEASE", str(ROOT / "build/hauberk"))

HOSTILE = ["(a+)+$", "(a|a)+$", "(a|aa)+$", "(a*)*$", "^(a?){50}a{50}$", "(.*a){20}$", "([a-z]+)*[0-9]", r"(\w+\s?)*!", "(x+x+)+y",
           "(.*)*=.*", "a{900}b", "(?:(?:a{0,99}){0,99}){0,99}b"]


@pytest.mark.parametrize("expression", HOSTILE)
def test_no_expression_takes_more_than_it_may(tmp_path, expression):
    (tmp_path / "p.policy").write_text(
        "event onDataReceived { if (bodyText matches /" + expression + '/) { reject("matched"); } }')
    lines = " ".join('"' + "a" * 8000 + '"' for _ in range(7))
    (tmp_path / "p.session").write_text(
        'connect "192.0.2.1"; ehlo "x"; mail "a@b.example"; rcpt "c@example.org"; '
        'data { "Subject: x" "" ' + lines + ' "%" }')
    start = time.monotonic()
    done = subprocess.run([PROGRAM, "policy", "run", "p.policy", "--session", "p.session"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=60)
    assert time.monotonic() - start < 5
    if "error:" in done.stdout:  # refused when compiled: too large, or a count too high
        assert "octet" in done.stdout or "repeat" in done.stdout
        return
    steps = int(re.search(r"onDataReceived: (\d+) steps", done.stdout).group(1))
    assert steps < 30000


@pytest.mark.parametrize("expression", [r"(a)\1", "(?=a)", "(?!a)", "(?<=a)b", "(?R)", "(?1)", "(?C1)", "(*COMMIT)", r"\Qa", r"\C",
                                        "a{40000}", r"\c[(?=a)]"])
def test_what_has_no_bound_is_refused(tmp_path, expression):
    (tmp_path / "p.policy").write_text("event onDataReceived { if (bodyText matches /" + expression + "/) { accept(); } }")
    done = subprocess.run([PROGRAM, "policy", "check", "p.policy"], cwd=tmp_path, capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 1 and "p.policy:1:45: error: " in done.stdout

"""docs/policy.md: every policy in it compiles without a warning, its tests are green; what it says of errors is so."""
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("HAUBERK_ASAN", str(ROOT / "build-asan/hauberk"))
PAGE = (ROOT / "docs/policy.md").read_text()


def check(folder, text):
    (folder / "page.policy").write_text(text)
    return subprocess.run([PROGRAM, "policy", "check", "page.policy"], cwd=folder, capture_output=True, text=True,
                          timeout=60)


def test_every_policy_of_the_page_is_good(tmp_path):
    policies = re.findall(r"^```policy\n(.*?)^```\n", PAGE, re.M | re.S)
    assert len(policies) >= 5 and PAGE.count("```") == 2 * len(policies)
    for text in policies:
        done = check(tmp_path, text)
        assert done.returncode == 0 and ": warning:" not in done.stdout and not done.stderr, (text, done.stdout)
        assert ("red" in done.stdout) == ("\ntest " in text) and "1 red" not in done.stdout


def test_what_the_page_calls_an_error_is_one(tmp_path):
    done = check(tmp_path, "event onRcptTo { set(relayHost, rcptToDomain); }")
    assert done.returncode == 1 and "takes no peer value" in done.stdout
    done = check(tmp_path, 'event onRcptTo { set(remoteDelivery, "all"); }')
    assert done.returncode == 1 and "open relay" in done.stdout


def test_every_command_of_the_page_is_there():
    usage = subprocess.run([PROGRAM, "policy", "--help"], capture_output=True, text=True, timeout=60).stdout
    for verb in re.findall(r"hauberk policy (\w+)", PAGE):
        assert f"hauberk policy {verb}" in usage, verb


def test_every_name_of_the_page_is_explained():
    for name in set(re.findall(r"\b(on[A-Z]\w+|check[A-Z]\w+|mailFromDomain|localDelivery|relayHost)\b", PAGE)):
        assert subprocess.run([PROGRAM, "policy", "explain", name], capture_output=True, timeout=60).returncode == 0, name

"""Attack 50: what a helper that reads the message says (a filter, a model) is a peer value: it may refuse or mark mail, and
never open a relay, choose a route, a folder or a credential."""
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("HAUBERK_RELEASE", str(ROOT / "build/hauberk"))

SAID = ["virusName", '"%spamScore%"', '"%spamLevel%"', 'header("X-Verdict")', "SPFExplanation", "DNSBLExplanation"]
PLACES = ["set(relayHost, {});", "set(relayAuthUser, {});", "set(relayAuthPassword, {});", "call(fileInto, {});",
          "call(addHeader, {}, \"x\");", "call(skipFilters, {});", "set(DNSBLServer, {});"]


def check(folder, text):
    (folder / "p.policy").write_text(text)
    return subprocess.run([PROGRAM, "policy", "check", "p.policy"], cwd=folder, capture_output=True, text=True,
                          timeout=60)


@pytest.mark.parametrize("said", SAID)
def test_what_a_helper_says_goes_nowhere_it_could_widen_rights(tmp_path, said):
    for place in PLACES:
        for text in (place.format(said), f"set(mine, {said}); " + place.format("mine"),
                     f"set(smtpExplanation, {said}); " + place.format("smtpExplanation")):
            done = check(tmp_path, "event onProcess { " + text + " }")
            assert done.returncode == 1 and "takes no peer value" in done.stdout, (text, done.stdout)


@pytest.mark.parametrize("condition", ["spamLevel < 2", 'virusName == ""', 'filterResult == "pass"', 'header("X-Trust") == "full"',
                                       'SPFResult == "pass"', 'mailFromDomain in localDomains'])
def test_no_verdict_of_a_helper_opens_a_relay(tmp_path, condition):
    done = check(tmp_path, f'rule "r" {{ when all {{ {condition}; }} then {{ set(remoteDelivery, "all"); }} }}')
    assert done.returncode == 1
    done = check(tmp_path, "event onMailFrom { if (" + condition + ') { set(remoteDelivery, "all"); } }')
    assert done.returncode == 1 and "open relay" in done.stdout


def test_refusing_and_marking_are_allowed(tmp_path):
    done = check(tmp_path, 'event onDataReceived { if (spamLevel > 7) { reject("spam %virusName%"); } call(addHeader, "X-Virus", virusName); }')
    assert done.returncode == 0, done.stdout

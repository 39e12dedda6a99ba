"""The manual pages are well formed and tell of every setting and command."""
import os
import pathlib
import re
import subprocess

import hauberk

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("HAUBERK_ASAN", str(ROOT / "build-asan/hauberk"))


def manual():
    return subprocess.run([PROGRAM, "config", "manual"], capture_output=True, text=True, check=True,
                          timeout=60).stdout


def lint(text):
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning"], input=text, capture_output=True,
                          text=True, timeout=60)
    return [l for l in done.stdout.splitlines() if "missing date" not in l]


def test_pages_are_well_formed():
    assert lint(manual()) == []
    assert lint((ROOT / "docs/man/hauberk.8").read_text()) == []


def test_every_setting_has_its_paragraph():
    rows = [name for table in hauberk.setting_names() for name in table]
    assert len(rows) > 20
    assert re.findall(r"^\.It Cm (\S+)$", manual(), re.M) == rows


def test_every_command_is_in_the_manual():
    page = (ROOT / "docs/man/hauberk.8").read_text()
    for command in re.findall(r"^\| `hauberk ([a-z ]+)` \|", (ROOT / "docs/names.md").read_text(), re.M):
        assert re.search(rf"^\.It .*\b{command}\b", page, re.M), command

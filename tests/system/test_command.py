"""The program's own command line."""
import os
import subprocess

PROGRAM = os.environ.get("HAUBERK_ASAN", "build-asan/hauberk")


def run(*args):
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=60)


def test_version_and_help():
    assert run("version").stdout.startswith("hauberk ")
    done = run("--help")
    assert done.returncode == 0 and "usage: hauberk" in done.stdout


def test_wrong_use_is_status_2():
    done = run("no-such-command")
    assert done.returncode == 2 and "usage: hauberk" in done.stderr and not done.stdout

"""docs/names.md, the program's help and the source agree."""
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("HAUBERK_ASAN", str(ROOT / "build-asan/hauberk"))
NAMES = (ROOT / "docs/names.md").read_text()


def help_of(*words):
    done = subprocess.run([PROGRAM, *words, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, (words, done)
    return done.stdout


def commands_of_help():
    top = re.findall(r"^  (\w+)  +\S", help_of().split("commands:")[1], re.M)
    found = set()
    for name in top:
        verbs, bare = set(), False
        for line in re.findall(rf"(?:usage:|      ) hauberk {name} ?(.*)", help_of(name)):
            first = line.split()[0] if line.split() else ""
            if re.fullmatch(r"[a-z]+(\|[a-z]+)*", first):
                verbs.update(first.split("|"))
            bare |= bool(re.match(r"[A-Z]", first))
        found.update(f"hauberk {name} {verb}" for verb in verbs)
        if bare or not verbs:
            found.add(f"hauberk {name}")
    return found


def test_every_command_is_named_once_and_none_too_many():
    named = re.findall(r"^\| `(hauberk [a-z ]+)` \|", NAMES, re.M)
    assert len(named) == len(set(named))
    assert set(named) == commands_of_help()


def test_every_subcommand_answers_help():
    for command in commands_of_help():
        assert "usage: hauberk" in help_of(*command.split()[1:])


def test_every_folder_below_src_is_named():
    rooms = {f"src/{p.name}" for p in (ROOT / "src").iterdir() if p.is_dir()}
    assert rooms == set(re.findall(r"^\| `(src/\w+)` \|", NAMES, re.M))
    for room in rooms:
        lines = (ROOT / room / "README.md").read_text().splitlines()
        assert len(lines) <= 40, room


def test_every_environment_variable_is_named():
    used = set()
    for path in (ROOT / "src").rglob("*.c"):
        # The journal's fields have names of this kind too.
        used.update(re.findall(r'getenv\("(HAUBERK_[A-Z_]+)"', path.read_text(errors="replace")))
    for path in (ROOT / "tools").iterdir():
        used.update(re.findall(r"\b(HAUBERK_[A-Z_]+)\b", path.read_text(errors="replace")))
    used -= {"HAUBERK_VERSION", "HAUBERK_ASAN", "HAUBERK_RELEASE"}
    named = set(re.findall(r"^\| `(HAUBERK_[A-Z_]+)` \|", NAMES, re.M))
    assert used <= named, used - named

"""Attack 25: a policy whose built-ins do the work (patterns, expressions, tables, lists): what they do is counted where it
is done, so the bound of the check is a bound of the time."""
import os
import pathlib
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("HAUBERK_RELEASE", str(ROOT / "build/hauberk"))
SECONDS = 10  # far below the deadline of an event, 60 s

BODY = "a" * 65000
WORK = {
    "globs": " or ".join(f'bodyText matches "*{"a" * 200}b{i}"' for i in range(50)),
    "stars": " or ".join(f'bodyText matches "{"*a" * 100}*b{i}"' for i in range(50)),
    "expressions": " or ".join(f"bodyText matches /(a+)+b{i}/" for i in range(50)),
    "backtracking": " or ".join(f"bodyText matches /a*a*a*a*b{i}/" for i in range(50)),
    "repeats": " or ".join(f"bodyText matches /a{{900}}b{i}/" for i in range(50)),
}


def run(folder, policy, session):
    (folder / "p.policy").write_text(policy)
    (folder / "p.session").write_text(session)
    start = time.monotonic()
    done = subprocess.run([PROGRAM, "policy", "run", "p.policy", "--session", "p.session"], cwd=folder,
                          capture_output=True, text=True, timeout=60)
    return done, time.monotonic() - start


def test_work_of_built_ins_is_bounded_by_what_is_counted(tmp_path):
    lines = " ".join(f'"{BODY[:8000]}"' for _ in range(8))
    session = ('connect "192.0.2.1"; ehlo "x"; mail "a@b.example"; rcpt "c@example.org"; '
               'data { "Subject: x" "" ' + lines + " } expect accept;")
    for name, condition in WORK.items():
        done, seconds = run(tmp_path, "event onDataReceived { if (" + condition + ') { reject("x"); } }', session)
        # Either it is refused for its bound, or it runs within it.
        assert "steps" in done.stdout, (name, done.stdout[:500])
        assert seconds < SECONDS, (name, seconds)


def test_lists_and_loops_multiply_what_is_counted(tmp_path):
    (tmp_path / "p.policy").write_text("""event onRcptTo { foreach a in rcpts { foreach b in rcpts {
        if (a matches /(.*)@(.*)/) { call(log, "info", "%a%%b%"); } } } }""")
    done = subprocess.run([PROGRAM, "policy", "check", "p.policy"], cwd=tmp_path, capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 1 and "onRcptTo may take" in done.stdout

"""The configuration file and the command line: every mistake is told, with its place."""
import os
import re
import subprocess

import pytest

import hauberk

GOOD = '''hostname = "mx.example.org";
stateDir = "/var/lib/hauberk";
listeners = ( { protocol = "smtp"; address = "127.0.0.1"; port = 2525; tls = "no"; } );
'''

BAD = '''hostname = "";
stateDirr = "/var/lib/hauberk";
logLevel = "loud";
smtp: {
  workers = 0;
  maxMessageSize = "50 parsecs";
  commandTimeout = "soon";
  maxRecipents = 5;
};
imap: { workers = (1, 2); };
nonsense_that_resembles_nothing_at_all = 1;
listeners = (
  { protocol = "gopher"; address = "127.0.0.1"; port = 2525; tls = "no"; },
  { protocol = "smtp"; address = "127.0.0.1"; prot = 25; tls = "no"; },
  { protocol = "smtp"; address = "127.0.0.1"; port = 99999; tls = "maybe"; plainLogin = 5; },
  5
);
'''

# Line of BAD, and what must be said of it.
MISTAKES = (
    (1, "hostname has 0 octets"), (2, 'did you mean "stateDir"?'), (3, "debug|info|warn"),
    (5, "smtp.workers is 0, but must be from 1 to 256"), (6, "a size such as"),
    (7, "a time such as"), (8, 'did you mean "smtp.maxRecipients"?'), (10, "single value"),
    (11, 'no setting "nonsense_that_resembles_nothing_at_all"'), (13, "smtp|imap|pop3"),
    (14, 'did you mean "port"?'), (14, 'has no "port"'), (15, "port is 99999"),
    (15, "no|starttls|always"), (15, "plainLogin must be true or false"), (16, "is written {"))


def run(*words, **more):
    return subprocess.run([hauberk.program(hauberk.ASAN), *words], capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL, **more)


@pytest.fixture
def conf(tmp_path):
    def write(text):
        path = tmp_path / "hauberk.conf"
        path.write_text(text)
        return str(path)
    return write


def test_a_good_file_is_called_good(conf):
    path = conf(GOOD)
    done = run("config", "check", "-c", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{path}: good\n", "")
    named = run("config", "check", env={"HAUBERK_CONF": path})
    assert named.returncode == 0


def test_every_mistake_of_a_bad_file_is_told_with_its_line_in_one_run(conf):
    path = conf(BAD)
    done = run("config", "check", "-c", path)
    assert done.returncode == 1 and not done.stdout
    lines = done.stderr.splitlines()
    for number, text in MISTAKES:
        assert any(line.startswith(f"{path}:{number}: ") and text in line for line in lines), \
            (number, text, done.stderr)
    assert all(re.match(re.escape(path) + r":\d+: ", line) for line in lines), done.stderr
    assert len(lines) == len(MISTAKES), done.stderr


def test_a_syntax_error_is_told_with_its_line(conf):
    path = conf('hostname = "a.example";\nstateDir = ;\n')
    done = run("config", "check", "-c", path)
    assert done.returncode == 1 and done.stderr.startswith(f"{path}:2: ")


@pytest.mark.parametrize("text,said", [
    (GOOD.replace("127.0.0.1", "localhost"), '"localhost" is not an IPv4 or IPv6 address'),
    (GOOD.replace('"no"', '"starttls"'), "tls.certificate and tls.key are not set"),
    (GOOD.replace('"smtp"', '"imap"').replace('"no";', '"no"; submission = true;'),
     "submission is a setting of smtp listeners only"),
    (GOOD.split("listeners")[0], "no listeners"),
    (GOOD + 'tls: { certificate = "/absent.pem"; key = "/absent.key"; };', "/absent.pem"),
    (GOOD.replace("hostname", "# hostname"), '"hostname" is missing'),
    (GOOD.replace(" );", ', { protocol = "smtp"; address = "127.0.0.1"; port = 2525; tls = "no"; }'
                         " );"), "another listener has the same address and port")])
def test_what_does_not_fit_together_is_told(conf, text, said):
    done = run("config", "check", "-c", conf(text))
    assert done.returncode == 1 and said in done.stderr, done.stderr


def test_a_missing_file_is_told(tmp_path):
    for words in (("config", "check"), ("config", "show"), ("status",), ("serve", "--as-user")):
        done = run(*words, "-c", str(tmp_path / "absent.conf"), preexec_fn=hauberk.become_user)
        assert done.returncode == 1, done
        assert "absent.conf: cannot be read" in done.stderr


def test_show_prints_every_setting_and_where_it_comes_from(conf):
    path = conf(GOOD + 'smtp: { maxMessageSize = "20 MB"; };\n')
    done = run("config", "show", "-c", path)
    assert done.returncode == 0
    rows = dict(re.findall(r"(?m)^([\w.]+) = (.*?);  # (?:.*)$", done.stdout))
    names = hauberk.setting_names()[0]
    assert list(rows) == names and len(names) > 15
    assert rows["smtp.maxMessageSize"] == '"20 MB"'
    assert f"# {path}:4" in done.stdout and "# default" in done.stdout
    assert 'listener { protocol = "smtp"; address = "127.0.0.1"; port = 2525;' in done.stdout


def test_what_show_prints_is_taken_as_it_is(conf):
    shown = run("config", "show", "-c", conf(GOOD)).stdout
    top = [line for line in shown.splitlines() if " = " in line and "." not in line.split(" ")[0]
           and not line.startswith("listener")]
    listeners = ",".join(line.removeprefix("listener ") for line in shown.splitlines()
                         if line.startswith("listener"))
    path = conf("\n".join(top) + f"\nlisteners = ( {listeners} );\n")
    again = run("config", "show", "-c", path).stdout
    assert re.sub("  #.*", "", again) == re.sub("  #.*", "", shown)


COMMANDS = {
    "serve": (), "status": (), "version": (), "config": ("check", "show"),
    "domain": ("add", "list", "remove", "quota"),
    "account": ("add", "list", "passwd", "enable", "disable", "remove", "quota", "grant", "revoke", "delegates"),
    "alias": ("add", "list", "remove", "senders"),
    "access": ("deny", "allow", "change", "list", "remove", "test"),
    "policy": ("check", "fmt", "run", "explain", "activate", "deactivate", "history", "show", "rollback"),
    "kerberos": ("check", "guide"), "tls": ("check",), "dns": ("query", "check"), "spf": ("check",), "trace": ("forget",),
}


def test_every_command_and_each_of_its_words_answers_help():
    for command, verbs in COMMANDS.items():
        for words in ((command,), *((command, verb) for verb in verbs)):
            for flag in ("--help", "-h"):
                done = run(*words, flag)
                assert done.returncode == 0 and not done.stderr, words
                assert done.stdout.startswith("usage: hauberk " + command), words
                assert all(verb in done.stdout for verb in verbs)
    listed = re.findall(r"(?m)^  (\w+) ", run("--help").stdout)
    assert sorted(listed) == sorted(COMMANDS)


@pytest.mark.parametrize("words", [
    (), ("nonsense",), ("config",), ("config", "nonsense"), ("config", "check", "more"),
    ("config", "check", "-c"), ("serve", "nonsense"), ("status", "more"), ("domain",),
    ("domain", "nonsense", "x"), ("domain", "add"), ("domain", "list", "x"), ("account",),
    ("account", "nonsense"), ("account", "add"), ("account", "add", "a@b.example", "c"),
    ("account", "list", "a", "b"), ("version", "x"), ("role",), ("role", "smtp", "0x")])
def test_wrong_words_are_status_2_with_help_on_standard_error(words):
    done = run(*words)
    assert done.returncode == 2 and "hauberk" in done.stderr and not done.stdout


def test_commands_without_a_server_say_so(conf):
    path = conf(GOOD + 'runDir = "/tmp/hauberk-absent";')
    done = run("status", "-c", path)
    assert done.returncode == 1 and "no server answers at /tmp/hauberk-absent" in done.stderr


def test_serve_says_how_it_may_be_started(conf):
    """Root needs the roles' users, who is not root needs to say so."""
    done = run("serve", "-c", conf(GOOD))
    assert done.returncode == (1 if os.geteuid() == 0 else 2) and "--as-user" in done.stderr

"""Started by root, each role is a user of its own."""
import os
import pathlib
import re
import subprocess

import pytest

import hauberk

ROOT = hauberk.ROOT
SYSUSERS = (ROOT / "packaging/sysusers.conf").read_text()
GROUPS = re.findall(r"^g (\S+)", SYSUSERS, re.M)
USERS = re.findall(r"^u (\S+)", SYSUSERS, re.M)
MEMBERS = re.findall(r"^m (\S+) (\S+)", SYSUSERS, re.M)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def account_files(folder):
    """passwd and group with what packaging/sysusers.conf adds, beside the machine's own."""
    number = 61000
    passwd, group = pathlib.Path("/etc/passwd").read_text(), pathlib.Path("/etc/group").read_text()
    for name in GROUPS:
        number += 1
        group += f"{name}:x:{number}:{','.join(u for u, g in MEMBERS if g == name)}\n"
    for name in USERS:
        number += 1
        passwd += f"{name}:x:{number}:{number}::/:/usr/sbin/nologin\n"
        group += f"{name}:x:{number}:\n"
    (folder / "passwd").write_text(passwd)
    (folder / "group").write_text(group)


SCRIPT = """
set -e
mount --make-rprivate /
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
shift
exec "$@"
"""


def in_namespace(folder, *words):
    """The machine with these users, for one command only."""
    return ["unshare", "-m", "sh", "-c", SCRIPT, "sh", str(folder), *map(str, words)]


def field(pid, name):
    return re.search(rf"^{name}:\s*(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1].split()


@needs_root
def test_every_role_is_another_user_and_mail_flows(new_server, tmp_path):
    server = new_server(hauberk.RELEASE, start=False)
    account_files(server.folder)
    server.words = in_namespace(server.folder, server.program, "serve", "-c", server.conf)
    server.commander = []
    server.start()
    server.populate("ann", "bob")
    name, octets = hauberk.message()
    server.send(octets)
    server.arrives(name)
    with server.imap() as client:
        client.select("INBOX")
        client.store("1", "+FLAGS", r"(\Flagged)")

    uids = {}
    for row in server.status():
        if row["role"] == "main":
            continue
        real, effective, saved, fs = field(row["pid"], "Uid")
        assert real == effective == saved == fs != "0", row
        assert field(row["pid"], "CapEff") == ["0000000000000000"]
        assert field(row["pid"], "NoNewPrivs") == ["1"]
        uids.setdefault(row["role"], set()).add(real)
    assert len(uids) == 7 and all(len(s) == 1 for s in uids.values())
    assert len(set.union(*uids.values())) == 7

    state = server.folder / "state"
    for path in state.rglob("*"):
        mode = path.lstat().st_mode
        assert not mode & 0o007, f"{path} is open to others: {mode:o}"
    assert not (state / "auth/auth.db").stat().st_mode & 0o077


@needs_root
def test_without_the_users_it_says_what_makes_them(tmp_path):
    conf = tmp_path / "hauberk.conf"
    conf.write_text('hostname = "mx.example.org";\nstateDir = "%s/s";\nrunDir = "%s/r";\n'
                    'listeners = ( { protocol = "smtp"; address = "127.0.0.1"; port = 1; tls = "no"; } );\n'
                    % (tmp_path, tmp_path))
    done = subprocess.run([hauberk.RELEASE, "serve", "-c", conf], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "hauberk-control" in done.stderr and "systemd-sysusers" in done.stderr


def test_sysusers_names_every_role():
    roles = re.findall(r"^\t\[ROLE_\w+\] = \"(\w+)\"", (ROOT / "src/proc/role.c").read_text(), re.M)
    assert {f"hauberk-{role}" for role in roles if role != "main"} == set(USERS)
    assert all(u in USERS and g in GROUPS for u, g in MEMBERS)

"""Started by root, each role is a user of its own."""
import os
import re
import subprocess

import pytest

import hauberk
import kdc
import tickets

ROOT = hauberk.ROOT

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@needs_root
def test_started_by_root_mail_flows_and_no_file_is_open_to_others(new_server, tmp_path):
    server = new_server(hauberk.RELEASE, start=False)
    server.by_root().start()
    server.populate("ann", "bob")
    name, octets = hauberk.message()
    server.send(octets)
    server.arrives(name)
    with server.imap() as client:
        client.select("INBOX")
        client.store("1", "+FLAGS", r"(\Flagged)")

    state = server.folder / "state"
    for path in state.rglob("*"):
        mode = path.lstat().st_mode
        assert not mode & 0o007, f"{path} is open to others: {mode:o}"
    assert not (state / "auth/auth.db").stat().st_mode & 0o077


@needs_root
def test_started_by_root_the_keytab_is_read_by_main_only(new_server):
    realm = kdc.Kdc()
    try:
        keytab = realm.start().keytab()
        os.chown(keytab, 0, 0)
        server = new_server(hauberk.RELEASE, start=False, settings=f'kerberos: {{ keytab = "{keytab}"; }};')
        server.by_root().start()
        server.populate("ann")
        with realm.logged_on("ann"):
            assert tickets.is_welcome("imap", tickets.authenticate(server, "imap", tickets.Ticket("imap")))
        assert not (server.folder / "state/auth/replay").stat().st_mode & 0o077
        assert " keytab.warning " not in server.log()
    finally:
        realm.stop()


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
    assert {f"hauberk-{role}" for role in roles if role != "main"} == set(hauberk.USERS)
    assert all(u in hauberk.USERS and g in hauberk.GROUPS for u, g in hauberk.MEMBERS)

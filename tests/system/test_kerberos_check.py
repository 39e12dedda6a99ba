"""hauberk kerberos check and guide: what an administrator is told of a set-up, a broken one for each check."""
import json
import os
import pathlib
import re

import pytest

import hauberk
import kdc as kerberos
import samba_ad
from hauberk import HOST


@pytest.fixture(scope="module")
def kdc():
    realm = kerberos.Kdc(host=HOST)
    try:
        yield realm.start()
    finally:
        realm.stop()


@pytest.fixture(scope="module")
def keytab(kdc):
    return kdc.keytab(file="checked.keytab")


@pytest.fixture(scope="module")
def site(kdc, keytab):
    server = hauberk.Server(hauberk.RELEASE, settings=f'kerberos: {{ keytab = "{keytab}"; }};')
    try:
        server.start().populate("ann")
        yield server
        server.stop()
    finally:
        server.kill()


def owned(path):
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    return path


def surroundings(realm, user="ann", hosts=None):
    """The environment of an administrator with a ticket, and names of hosts without DNS."""
    names = realm.folder / "hosts"
    names.write_text(hosts if hosts is not None else f"127.0.0.1 {HOST}\n")
    names.chmod(0o644)
    environment = realm.ticket(user) if user else {**realm.environment, "KRB5CCNAME": "FILE:/nonexistent"}
    if user:
        owned(pathlib.Path(environment["KRB5CCNAME"].split(":", 1)[1]))
    wrapper = next(pathlib.Path("/usr/lib").glob("*/libnss_wrapper.so"))
    return {**environment, "LD_PRELOAD": str(wrapper), "NSS_WRAPPER_HOSTS": str(names)}


def run(server, environment, *words, conf=None):
    before = server.environment, server.commander
    server.environment = {**server.environment, **environment}
    if "FAKETIME" in environment:
        server.commander = []  # its semaphore belongs to the user who began
    try:
        return server.command("kerberos", "check", *map(str, words), conf=conf)
    finally:
        server.environment, server.commander = before


def check(server, environment, *words, conf=None):
    """All findings; the same as text and as JSON."""
    done = run(server, environment, "--json", *words, conf=conf)
    assert done.stderr == "" and done.stdout, done
    told = json.loads(done.stdout)
    problems = [f for f in told["findings"] if f["result"] == "problem"]
    assert told["problems"] == len(problems) and done.returncode == (1 if problems else 0), done
    assert all(f["mend"] for f in problems), problems
    return told["findings"]


def problems(findings):
    return [(f["check"], f["text"], f["mend"]) for f in findings if f["result"] == "problem"]


def test_a_good_set_up_has_no_problems(kdc, site):
    findings = check(site, surroundings(kdc))
    assert not problems(findings), findings
    ok = [f["check"] for f in findings if f["result"] == "ok"]
    assert ok.count("keytab") == 6 and ok.count("ticket") == 3 and ok.count("login") == 3, findings
    assert {"config", "dns", "clock"} <= set(ok)
    assert f"imap/{HOST}@EXAMPLE.ORG: kvno 1 {kerberos.AES}, which the keytab has" in [f["text"] for f in findings]
    text = run(site, surroundings(kdc)).stdout
    assert text.endswith("no problems\n") and re.search(r"^ok +login +imap ", text, re.M)


def test_without_a_ticket_that_is_told(kdc, site):
    findings = check(site, surroundings(kdc, user=None))
    assert not problems(findings)
    assert [f["check"] for f in findings if f["result"] == "not tested"] == ["ticket", "spn", "login"]


def conf(site, **changes):
    """The site's configuration, changed, in a file of its own."""
    path = site.folder / "other.conf"
    whole = site.conf.read_text()
    for name, value in changes.items():
        whole = re.sub(rf"{name} = [^;]*;", f"{name} = {value};", whole)
    path.write_text(whole)
    path.chmod(0o644)
    return path


def one(findings, check):
    found = [p for p in problems(findings) if p[0] == check]
    assert found, findings
    return found[0][1:]


def test_the_configuration(kdc, site):
    path = conf(site, keytab='""')
    text, mend = one(check(site, surroundings(kdc, None), conf=path), "config")
    assert "not set" in text and "kerberos: {" in mend
    path = conf(site, hostname='"mx"')
    text, mend = one(check(site, surroundings(kdc, None), conf=path), "config")
    assert "no whole host name" in text and "hostname =" in mend


def test_the_file(kdc, site, keytab):
    here = surroundings(kdc, None)
    for path, content, mode, why, mends in (
            ("absent", None, 0, "No such file", "ls -l"), ("open", keytab.read_bytes(), 0o644, "others than", "chmod 600"),
            ("junk", b"junk", 0o600, "no keytab", "klist"), ("cut", keytab.read_bytes()[:-3], 0o600, "beyond", "klist")):
        path = kdc.folder / path
        if content is not None:
            path.write_bytes(content)
            path.chmod(mode)
            owned(path)
        text, mend = one(check(site, here, "--keytab", path), "keytab")
        assert why in text and mends in mend, (text, mend)


def test_a_service_that_is_missing_or_another_hosts(kdc, site):
    here = surroundings(kdc, None)
    only = kdc.keytab("imap", file="only.keytab")
    found = [p for p in problems(check(site, here, "--keytab", only)) if p[0] == "keytab"]
    assert len(found) == 2 and all("ktpass" in p[2] and "exportkeytab" in p[2] and "ktutil" in p[2] for p in found)
    assert f"smtp/{HOST}" in found[0][1] and f"pop/{HOST}" in found[1][1]
    path = conf(site, hostname='"other.example.org"')
    found = [p for p in problems(check(site, here, conf=path)) if p[0] == "keytab"]
    assert len(found) == 3 and all("of other hosts" in p[1] for p in found)


def test_keys_of_rc4(site):
    own = kerberos.Kdc(host=HOST)
    own.new_keys("imap", [kerberos.RC4])
    rc4 = own.keytab(file="rc4.keytab")
    text, mend = one(check(site, surroundings(own, None), "--keytab", rc4), "keytab")
    assert "RC4" in text and "msDS-SupportedEncryptionTypes" in text
    assert "Set-ADUser" in mend and "AES256-SHA1" in mend and "samba-tool" in mend


def test_an_old_key(site):
    own = kerberos.Kdc(host=HOST)
    try:
        own.start()
        old = own.keytab(file="old.keytab")
        own.new_keys("imap")
        text, mend = one(check(site, surroundings(own), "--keytab", old), "ticket")
        assert "kvno 2" in text and f"imap/{HOST}" in text and "ktpass" in mend
        own.admin(f"delprinc -force smtp/{HOST}")
        text, mend = one(check(site, surroundings(own), "--keytab", old), "ticket")
        assert "gives no ticket for smtp/" in text and "setspn -S" in mend and "samba-tool spn add" in mend
    finally:
        own.stop()


def test_names_in_dns(kdc, site):
    text, mend = one(check(site, surroundings(kdc, None, hosts="127.0.0.9 other.example.org\n")), "dns")
    assert "has no address" in text and "samba-tool dns add" in mend
    text, mend = one(check(site, surroundings(kdc, None, hosts=f"127.0.0.1 real.example.org {HOST}\n")), "dns")
    assert "is called real.example.org" in text and "PTR" in mend


def test_the_clock_and_a_kdc_that_is_silent(kdc, site):
    here = surroundings(kdc, None)
    behind = kerberos.behind("10m")
    here["LD_PRELOAD"] += " " + behind.pop("LD_PRELOAD")
    text, mend = one(check(site, {**here, **behind}), "clock")
    assert re.search(r"(59\d|60\d) seconds behind", text) and "timedatectl" in mend, text
    dead = kdc.folder / "dead.conf"
    dead.write_text(kdc.conf.read_text().replace(f":{kdc.port}", f":{hauberk.free_ports(1)[0]}"))
    text, mend = one(check(site, {**surroundings(kdc, None), "KRB5_CONFIG": str(dead)}), "clock")
    assert "no KDC of EXAMPLE.ORG" in text and "_kerberos._tcp" in mend


def test_a_login_that_fails(kdc, site):
    findings = check(site, surroundings(kdc, user="bob"))  # who has no account here
    found = [p for p in problems(findings) if p[0] == "login"]
    assert len(found) == 3 and all("does not log in" in p[1] and "kerberos.refused" in p[2] for p in found), findings
    found = [p for p in problems(check(site, surroundings(kdc), conf=dead_listeners(site))) if p[0] == "login"]
    assert len(found) == 3 and all("cannot connect" in p[1] and "hauberk status" in p[2] for p in found)


def dead_listeners(site):
    path = site.folder / "dead.conf"
    whole = site.conf.read_text()
    for port in site.ports.values():
        whole = whole.replace(f"port = {port};", f"port = {hauberk.free_ports(1)[0]};")
    path.write_text(whole)
    path.chmod(0o644)
    return path


@pytest.mark.skipif(bool(samba_ad.missing()) or os.geteuid() != 0, reason="Samba's domain controller is not installed")
def test_names_in_active_directory(site, active_directory):
    ad = active_directory
    hosts = f"127.0.0.1 {HOST}\n{ad.address} dc1.example.org\n"
    for name in kerberos.SERVICES:
        if HOST not in ad.tool("spn", "list", samba_ad.ACCOUNTS[name]):
            ad.tool("spn", "add", ad.service(name, HOST), samba_ad.ACCOUNTS[name])
    parts = [ad.export(name, ad.folder / f"check.{name}", HOST) for name in kerberos.SERVICES]
    words = ("--keytab", ad.merge(parts, "check.keytab"), "--ldap", "ldap://dc1.example.org")
    findings = check(site, surroundings(ad, hosts=hosts), *words)
    ok = [f["text"] for f in findings if f["check"] == "spn" and f["result"] == "ok"]
    assert ok == [f"{name}/{HOST} is the account {samba_ad.ACCOUNTS[name]}" for name in kerberos.SERVICES], findings
    assert [f["result"] for f in findings if f["check"] == "ticket"] == ["ok"] * 3
    ad.tool("spn", "delete", ad.service("pop", HOST), samba_ad.ACCOUNTS["pop"])
    ad.duplicate_spn(ad.service("imap", HOST), "other_imap")
    try:
        findings = check(site, surroundings(ad, hosts=hosts), *words)
        told = [p for p in problems(findings) if p[0] == "spn"]
        assert len(told) == 2, findings
        assert "several accounts" in told[0][1] and "other_imap" in told[0][1] and "setspn -D" in told[0][2]
        assert "no account has the name pop/" in told[1][1] and "setspn -S" in told[1][2]
    finally:
        ad.tool("user", "delete", "other_imap")
    findings = check(site, surroundings(ad, hosts=hosts), *words[:3], "ldap://127.0.0.1:9")
    assert [f["result"] for f in findings if f["check"] == "spn"] == ["not tested"]


def test_the_guide(site):
    text = site.must("kerberos", "guide", "--host", "mail.corp.example", "--realm", "CORP.EXAMPLE")
    for line in ("setspn -S imap/mail.corp.example hauberk_imap", "-ptype KRB5_NT_PRINCIPAL", "-crypto AES256-SHA1",
                 "samba-tool spn add pop/mail.corp.example hauberk_pop", "wkt /etc/krb5.keytab",
                 "hauberk domain add corp.example", 'hostname = "mail.corp.example"', "Kerberos / GSSAPI",
                 "Outlook has no Kerberos on IMAP, POP3 and SMTP"):
        assert line in text, line


@pytest.mark.parametrize("words", [[], ["look"], ["check", "x"], ["check", "--keytab"], ["guide"],
                                   ["guide", "--host", "a b", "--realm", "R"], ["guide", "--host", "h"]])
def test_wrong_use(site, words):
    done = site.command("kerberos", *words) if words != ["check", "--keytab"] else \
        hauberk.subprocess.run([str(site.program), "kerberos", *words], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "usage: hauberk kerberos check" in done.stderr

"""hauberk dns, against a server that signs its zone, and against some that should not be trusted."""
import os
import subprocess
import time

import pytest

import nameserver

PROGRAM = os.environ.get("HAUBERK_ASAN", "build-asan/hauberk")


def run(words):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=100)


@pytest.fixture(scope="module")
def knot():
    server = nameserver.Knot()
    yield server
    server.stop()


@pytest.fixture
def scripted():
    running = []

    def start(answer):
        running.append(nameserver.Scripted(answer))
        return running[-1]

    yield start
    for server in running:
        server.stop()


def ask(tmp_path, *words, servers="", anchor="", more="", timeout="1500 ms"):
    conf = tmp_path / "hauberk.conf"
    conf.write_text(f'hostname = "mail.signed.test"; dns: {{ servers = "{servers}"; trustAnchor = "{anchor}"; '
                    f'timeout = "{timeout}"; {more} }};\nlisteners = ( {{ protocol = "smtp"; address = "127.0.0.1"; port = 1; '
                    'tls = "no"; } );\n')
    return run(["dns", *words, "-c", conf])


def test_answers_are_proved(tmp_path, knot):
    def query(*words):
        done = ask(tmp_path, "query", *words, servers=f"127.0.0.1@{knot.port}", anchor=knot.anchor)
        first, *rest = done.stdout.splitlines()
        return done.returncode, first, sorted(rest), done.stderr

    assert query("signed.test", "MX") == (0, "found, secure, ttl 300, of signed.test",
                                          ["MX 10 mail.signed.test", "MX 20 other.signed.test"], "")
    assert query("ALIAS.signed.test")[:3] == (0, "found, secure, ttl 300, of mail.signed.test", ["A 192.0.2.25"])
    assert query("mail.signed.test.", "AAAA")[2] == ["AAAA 2001:db8::25"]
    assert query("signed.test", "txt")[2] == ['TXT "v=spf1 mx" " -all"']
    assert query("_25._tcp.mail.signed.test", "TLSA")[2] == ["TLSA 3 1 1 " + "0123456789abcdef" * 4]
    assert query("x.wild.signed.test", "TXT")[1].startswith("found, secure")
    assert query("nobody.signed.test", "A") == (1, "no such name, secure", [], "")
    assert query("mail.signed.test", "MX") == (1, "no such record, secure", [], "")


@pytest.mark.parametrize("name", ["a..b", ".a", "..", "x" * 64 + ".test", "a." * 130])
def test_what_is_no_name_is_not_asked_for(tmp_path, scripted, name):
    server = scripted(lambda name, kind: "NXDOMAIN")
    done = ask(tmp_path, "query", name, servers=f"127.0.0.1@{server.port}")
    assert (done.returncode, done.stdout) == (1, "no such name, not proved\n")
    assert not server.asked


@pytest.mark.parametrize("name", ["a b", "a\\098", "\x01x", "*()'\"%", "a;b$@"])
def test_octets_of_a_name_mean_themselves(tmp_path, scripted, name):
    server = scripted(lambda name, kind: "NXDOMAIN")
    done = ask(tmp_path, "query", name.encode("latin-1"), servers=f"127.0.0.1@{server.port}")
    assert (done.returncode, done.stdout) == (1, "no such name, not proved\n")
    assert server.asked and all(label == name.encode("latin-1").lower() for label in server.first_labels[:1])


def test_wrong_signatures_are_no_answer(tmp_path, knot):
    wrong = tmp_path / "wrong"
    fields = knot.anchor.read_text().split()
    wrong.write_text(" ".join(fields[:5] + ["00" * 32]) + "\n")
    done = ask(tmp_path, "query", "signed.test", "MX", servers=f"127.0.0.1@{knot.port}", anchor=wrong)
    assert done.returncode == 1 and done.stdout == "failed, bogus\n"
    assert "its signatures do not hold" in done.stderr and "try again later" in done.stderr
    done = ask(tmp_path, "query", "nobody.signed.test", "MX", servers=f"127.0.0.1@{knot.port}", anchor=wrong)
    assert done.stdout == "failed, bogus\n"  # never "no such name"


def test_a_zone_of_its_own_servers_need_not_be_signed(tmp_path, knot, scripted):
    own = scripted(lambda name, kind: f"{name} 60 {kind} 10.1.2.3" if kind == "A" else "NXDOMAIN")
    stub = f'stubZones = "ad.signed.test=127.0.0.1@{own.port}";'
    done = ask(tmp_path, "query", "dc.ad.signed.test", servers=f"127.0.0.1@{knot.port}", anchor=knot.anchor, more=stub)
    assert done.stdout == "found, not proved, ttl 60, of dc.ad.signed.test\nA 10.1.2.3\n"
    stub += 'insecureZones = "elsewhere.test";'
    done = ask(tmp_path, "query", "dc.ad.signed.test", servers=f"127.0.0.1@{knot.port}", anchor=knot.anchor, more=stub)
    assert done.stdout == "failed, bogus\n"  # the parent proves that it is not there unsigned


def test_resolvers_without_signatures_switch_validation_off(tmp_path, knot, scripted):
    key = "signed.test. 300 DNSKEY 257 3 13 " + "A" * 86 + "=="
    bare = scripted(lambda name, kind: {"DNSKEY": key, "A": f"{name} 60 A 192.0.2.1"}.get(kind, "NOERROR"))
    done = ask(tmp_path, "query", "mail.signed.test", servers=f"127.0.0.1@{bare.port}", anchor=knot.anchor)
    assert done.stdout == "found, not proved, ttl 60, of mail.signed.test\nA 192.0.2.1\n"
    assert done.stderr.count("dns.unvalidated") == 1 and "DANE is off" in done.stderr
    done = ask(tmp_path, "check", servers=f"127.0.0.1@{bare.port}", anchor=knot.anchor)
    assert done.returncode == 1
    assert "validation    off, the resolvers answer without signatures" in done.stdout
    assert "switch DNSSEC on there" in done.stdout


@pytest.mark.parametrize("said, why", [("SERVFAIL", "SERVFAIL"), ("REFUSED", "SERVFAIL"), (None, "in time")])
def test_servers_that_fail_are_a_temporary_error(tmp_path, scripted, said, why):
    server = scripted(lambda name, kind: said)
    before = time.monotonic()
    done = ask(tmp_path, "query", "signed.test", "TXT", servers=f"127.0.0.1@{server.port}")
    assert (done.returncode, done.stdout) == (1, "failed, not proved\n")
    assert why in done.stderr
    assert time.monotonic() - before < 30


def test_another_server_helps_where_one_is_silent(tmp_path, knot, scripted):
    silent = scripted(lambda name, kind: None)
    # Who is silent is asked first by chance, and given up by libunbound's own clock.
    servers = f"127.0.0.1@{silent.port} 127.0.0.1@{knot.port}"
    done = ask(tmp_path, "query", "signed.test", "MX", servers=servers, anchor=knot.anchor, timeout="20 s")
    assert done.stdout.startswith("found, secure"), done
    done = ask(tmp_path, "check", servers=servers, anchor=knot.anchor, timeout="8 s")
    assert f"resolver    127.0.0.1@{silent.port}: no answer" in done.stdout
    assert f"resolver    127.0.0.1@{knot.port}: answers in" in done.stdout
    assert "validation    on; anchor" in done.stdout


def test_check_follows_the_name_of_the_host_and_back(tmp_path, scripted):
    names = {"25.2.0.192.in-addr.arpa.": "mail.signed.test.", "26.2.0.192.in-addr.arpa.": "customer.isp.test."}
    good = scripted(lambda name, kind: f"{name} 60 A 192.0.2.25" if kind == "A" else
                    f"{name} 60 PTR {names[name]}" if kind == "PTR" else "NOERROR")
    done = ask(tmp_path, "check", servers=f"127.0.0.1@{good.port}")
    assert done.returncode == 0, done
    assert "  address     192.0.2.25: mail.signed.test\n" in done.stdout and done.stdout.endswith("no problems\n")
    bad = scripted(lambda name, kind: f"{name} 60 A 192.0.2.26" if kind == "A" else
                   f"{name} 60 PTR {names[name]}" if kind == "PTR" else "NOERROR")
    done = ask(tmp_path, "check", servers=f"127.0.0.1@{bad.port}")
    assert done.returncode == 1 and "  address     192.0.2.26: customer.isp.test\n" in done.stdout
    assert "its PTR record does not name mail.signed.test" in done.stdout


def test_one_server_without_a_configuration(knot):
    done = run(["dns", "query", "signed.test", "MX", "--dns", f"127.0.0.1:{knot.port}", "-c", "/nonexistent"])
    assert done.stdout.startswith("found, not proved") and "MX 10 mail.signed.test" in done.stdout, done
    done = run(["dns", "query", "signed.test", "MX", "--dns", f"127.0.0.1:{knot.port}", "--anchor", knot.anchor, "-c",
                "/nonexistent"])
    assert done.stdout.startswith("found, secure"), done


@pytest.mark.parametrize("group, what", [
    ('servers = "mx.example.org";', "dns.servers: mx.example.org is no address"),
    ('servers = "127.0.0.1@0";', "dns.servers: 127.0.0.1@0 is no address"),
    ('stubZones = "ad.example";', "dns.stubZones: ad.example is not of the form zone=address"),
    ('stubZones = "=127.0.0.1";', "dns.stubZones: =127.0.0.1 is not of the form zone=address"),
    ('insecureZones = "a..b";', "dns.insecureZones: a..b is no domain name"),
    ('trustAnchor = "/nonexistent";', "/nonexistent"),
    ('trustAnchor = "/etc/hostname";', "/etc/hostname"),
])
def test_wrong_settings_are_told(tmp_path, group, what):
    conf = tmp_path / "hauberk.conf"
    conf.write_text(f'hostname = "mail.signed.test"; dns: {{ {group} }};\n'
                    'listeners = ( { protocol = "smtp"; address = "127.0.0.1"; port = 1; tls = "no"; } );\n')
    done = run(["dns", "query", "x.test", "-c", conf])
    assert done.returncode == 1 and what in done.stderr, done


@pytest.mark.parametrize("words", [[], ["query"], ["query", "x", "NOTYPE"], ["query", "x", "A", "more"], ["ask"],
                                   ["query", "x", "--dns"], ["query", "x", "--anchor"], ["query", "x", "--dns", "localhost:53"],
                                   ["query", "x", "--dns", "127.0.0.1"], ["check", "x"]])
def test_wrong_words_are_told(words):
    done = run(["dns", *words])
    assert done.returncode == 2 and "usage: hauberk dns" in done.stderr, done

"""Several certificates: ECDSA and RSA side by side, and those of hosts that clients ask for by name."""
import os
import re
import signal
import subprocess
import time

import pytest

import hauberk
from test_reload import edit, reload
from test_tls import Listeners, binary, openssl, subject_of  # noqa: F401

KINDS = {"ec": ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"), "p384": ("ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"),
         "rsa": ("rsa:2048",), "rsa3072": ("rsa:3072",), "rsa1024": ("rsa:1024",), "ed25519": ("ed25519",)}
RSA12 = {"RSA+SHA256": "SHA256", "RSA+SHA384": "SHA384", "RSA+SHA512": "SHA512"}


def make(folder, name, kind="ec", sans=None):
    """A certificate of that kind for these names, and its key."""
    chain, key = folder / f"{name}-{kind}.pem", folder / f"{name}-{kind}.key"
    names = ",".join(f"DNS:{one}" for one in sans or [name])
    openssl("req", "-x509", "-newkey", *KINDS[kind], "-nodes", "-days", "90", "-subj", f"/CN={name} {kind}",
            *(() if sans == () else ("-addext", f"subjectAltName={names}")), "-keyout", key, "-out", chain)
    for path in (chain, key):
        path.chmod(0o644)
    return chain, key


def both(*pairs):
    """certificate and key of one place, of several files."""
    return "; ".join("{} = [ {} ]".format(word, ", ".join(f'"{pair[i]}"' for pair in pairs))
                     for i, word in enumerate(("certificate", "key"))) + ";"


def shown(here, listener, server_name=None, *words):
    """Subject of the certificate that openssl s_client is shown."""
    said = here.s_client(listener, *(("-servername", server_name) if server_name else ("-noservername",)), *words)
    found = re.search(r"^subject=(.*)$", said, re.M)
    return found.group(1).replace(" = ", "=") if found else said[-1500:]


@pytest.fixture
def pairs(new_server, binary):
    folder = hauberk.new_folder()
    two = make(folder, "two.example"), make(folder, "two.example", "rsa")
    here = Listeners(new_server, binary=binary, both=both(*two), turned=both(*reversed(two)),
                     rsa=both(two[1]), usual="", rsa13=both(two[1]) + 'allowedVersions = "TLSv1.3";')
    here.folder, here.two = folder, two
    return here


def test_the_client_decides_which_of_two_it_is_shown(pairs):
    for name in ("both", "turned"):
        for words, kind in ((("-tls1_3", "-sigalgs", "RSA-PSS+SHA256"), "rsa"),
                            (("-tls1_3", "-sigalgs", "ECDSA+SHA256:RSA-PSS+SHA256"), "ec"),
                            (("-tls1_3", "-sigalgs", "RSA-PSS+SHA384:RSA-PSS+SHA512"), "rsa"),
                            (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"), "ec"),
                            (("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"), "rsa"),
                            (("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-sigalgs", "RSA-PSS+SHA256"), "rsa")):
            assert f"two.example {kind}" in shown(pairs, name, None, *words), (name, words)
    assert hauberk.HOST in shown(pairs, "usual")


@pytest.mark.parametrize("sigalg", [*RSA12, "RSA-PSS+SHA256", "RSA-PSS+SHA384", "RSA-PSS+SHA512"])
def test_rsa_signs_by_every_scheme_of_tls(pairs, sigalg):
    said = pairs.s_client("rsa", "-tls1_2", "-sigalgs", sigalg)
    assert f"Peer signing digest: {sigalg.split('+')[1]}" in said
    assert f"Peer signature type: {sigalg.split('+')[0]}" in said
    if "PSS" in sigalg:
        said = pairs.s_client("rsa13", "-tls1_3", "-sigalgs", sigalg)
        assert "Peer signature type: RSA-PSS" in said and "Verification error: self-signed" in said


def test_there_is_no_rsa_key_exchange_and_no_sha1_signature(pairs):
    for words in (("-cipher", "kRSA"), ("-cipher", "AES128-SHA:AES256-GCM-SHA384"),
                  ("-cipher", "DEFAULT:@SECLEVEL=0", "-sigalgs", "RSA+SHA1")):
        said = pairs.s_client("rsa", "-tls1_2", *words)
        assert "Cipher is (NONE)" in said and "alert handshake failure" in said, said[-1500:]
    # Not even where somebody asks for it.
    for text, why in (('cipherSuite = "AES256-GCM-SHA384";', "RSA key exchange, which is not done here"),
                      ('cipherSuite = "ECDHE+AESGCM:kRSA";', '"kRSA" is RSA key exchange')):
        server = pairs.server
        whole = server.conf.read_text()
        edit(server, ("tls: {", "tls: { " + text))
        done = server.command("config", "check")
        assert done.returncode == 1 and "cipherSuite: " in done.stderr and why in done.stderr, done.stderr
        server.conf.write_text(whole)


def test_rsa_keys_are_renewed_by_reload(pairs):
    other, other_key = make(pairs.folder, "later.example", "rsa3072")
    pairs.two[1][0].write_bytes(other.read_bytes())
    pairs.two[1][1].write_bytes(other_key.read_bytes())
    reload(pairs.server)
    hauberk.wait_for("the renewed one", lambda: all("later.example" in shown(pairs, "rsa") for _ in range(4)))
    assert "two.example ec" in shown(pairs, "both", None, "-sigalgs", "ECDSA+SHA256")
    assert "later.example" in shown(pairs, "both", None, "-sigalgs", "RSA-PSS+SHA256")


def test_an_rsa_certificate_may_come_with_a_reload(new_server, binary):
    """Nobody had one at the start: what signs with it was made ready behind no lock."""
    here = Listeners(new_server, binary=binary, own="")
    chain, key = make(hauberk.new_folder(), "new.example", "rsa")
    edit(here.server, (f'port = {here.ports["own"]};', f'port = {here.ports["own"]}; {both((chain, key))}'))
    reload(here.server)
    hauberk.wait_for("it", lambda: all("new.example" in shown(here, "own") for _ in range(4)))


def test_a_reload_is_not_lost_where_the_role_keys_dies_with_it(pairs):
    """Before it has taken the new keys, or while it is not there."""
    pairs.server.expected.add("role.died")
    for i in range(6):
        new = make(pairs.folder, f"new{i}.example", "rsa")
        for path, other in zip(pairs.two[1], new):
            path.write_bytes(other.read_bytes())
        keys = next(row["pid"] for row in pairs.server.status() if row["role"] == "keys")
        before = pairs.server.log().count(" reloaded ")
        if i % 2:
            os.kill(keys, signal.SIGKILL)
            pairs.server.process.send_signal(signal.SIGHUP)
        else:
            os.kill(keys, signal.SIGSTOP)
            pairs.server.process.send_signal(signal.SIGHUP)
            hauberk.wait_for("the reload", lambda: pairs.server.log().count(" reloaded ") > before)
            os.kill(keys, signal.SIGKILL)
        hauberk.wait_for("the new one", lambda: all(f"new{i}.example" in shown(pairs, "rsa") for _ in range(4)), 40)
        hauberk.wait_for("all to be ready", pairs.server.ready, 40)


# ---- hosts ----

HOSTS = {"mail.one.example": "one", "MAIL.One.Example": "one", "one.example": "one", "x.two.example": "two",
         "exact.two.example": "exact", "deep.x.two.example": None, "two.example": None, "other.example": None,
         "given.example": "given", "unsaid.example": None, "xn--bcher-kva.example": "idn", "two": None}


@pytest.fixture
def hosts(new_server, binary):
    folder = hauberk.new_folder()
    own = make(folder, "own.example")
    made = {"one": make(folder, "one", "ec", ["one.example", "Mail.One.example"]),
            "two": make(folder, "two", "ec", ["*.two.example"]), "exact": make(folder, "exact", "ec", ["exact.two.example"]),
            "given": make(folder, "given", "ec", ["unsaid.example"]), "idn": make(folder, "idn", "rsa", ["xn--bcher-kva.example"])}
    here = Listeners(new_server, binary=binary, usual="", own=both(own))
    entries = ",\n".join("{{ {} {} }}".format('names = [ "Given.example" ];' if name == "given" else "", both(pair))
                      for name, pair in made.items())
    edit(here.server, ("listeners = (", f"certificates = (\n{entries}\n);\nlisteners = ("))
    here.folder, here.made = folder, made
    reload(here.server)
    hauberk.wait_for("the hosts", lambda: all("CN=one ec" in shown(here, "usual", "one.example") for _ in range(6)))
    return here


def test_a_host_is_shown_its_certificate_by_exact_name_then_wildcard(hosts):
    for name, wanted in HOSTS.items():
        for listener, default in (("usual", hauberk.HOST), ("own", "own.example")):
            for version in ("-tls1_2", "-tls1_3"):
                subject = shown(hosts, listener, name, version)
                assert (f"CN={wanted} " if wanted else default) in subject, (name, listener, subject)
    # No name: the default, and no alert.
    assert hauberk.HOST in shown(hosts, "usual")
    # A host with an ECDSA certificate only does not fall back on another's RSA.
    said = hosts.s_client("usual", "-servername", "exact.two.example", "-tls1_2", "-cipher", "aRSA")
    assert "Cipher is (NONE)" in said


@pytest.mark.parametrize("listener,protocol", [("smtp", "smtp"), ("imap", "imap"), ("pop3", "pop3"), ("smtps", None),
                                               ("pop3s", None), ("imaps", None)])
def test_hosts_are_the_same_on_every_protocol(hosts, listener, protocol):
    said = openssl_to(hosts.server, listener, protocol, "-servername", "exact.two.example")
    assert re.search(r"subject=CN ?= ?exact ec", said), said[-2000:]


def openssl_to(server, listener, protocol, *words):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.ports[listener]}",
                           *(("-starttls", protocol) if protocol else ()), *words], input="QUIT\r\n",
                          capture_output=True, text=True, errors="replace", timeout=60)
    return done.stdout + done.stderr


def test_a_host_is_renewed_by_reload_and_goes_with_its_entry(hosts):
    before = hosts.made["one"][0].read_bytes()
    chain, key = make(hosts.folder, "newer", "rsa", ["one.example"])
    hosts.made["one"][0].write_bytes(chain.read_bytes())
    hosts.made["one"][1].write_bytes(key.read_bytes())
    reload(hosts.server)
    hauberk.wait_for("the new one", lambda: all("CN=newer rsa" in shown(hosts, "usual", "one.example") for _ in range(6)))
    assert hauberk.HOST in shown(hosts, "usual", "mail.one.example")
    # What is wrong changes nothing.
    hosts.made["one"][0].write_bytes(before)
    reload(hosts.server, "reload.refused")
    assert "CN=newer rsa" in shown(hosts, "usual", "one.example")
    text = hosts.server.conf.read_text()
    hosts.server.conf.write_text(re.sub(r"certificates = \(\n.*?\n\);\n", "", text, flags=re.S))
    reload(hosts.server)
    hauberk.wait_for("the default", lambda: all(hauberk.HOST in shown(hosts, "usual", "one.example") for _ in range(6)))
    assert all(row["restarts"] == 0 for row in hosts.server.status() if row["role"] != "main")
    assert "role.renewed" not in hosts.server.log()


def test_a_thousand_hosts_are_served_and_one_more_is_refused(new_server):
    folder = hauberk.new_folder()
    chain, key = make(folder, "many")
    here = Listeners(new_server, own="")
    whole = here.server.conf.read_text()
    def write(n):
        rows = ",".join(f'{{names="h{i}.example";certificate="{chain}";key="{key}";}}' for i in range(n))
        here.server.conf.write_text(whole.replace("listeners = (", f"certificates = ({rows});\nlisteners = ("))
    write(1001)
    done = here.server.command("config", "check")
    assert done.returncode == 1 and "more certificates than 1000" in done.stderr
    write(1000)
    begun = time.monotonic()
    reload(here.server)
    for name in ("h0.example", "h999.example"):
        hauberk.wait_for(name, lambda: all("CN=many ec" in shown(here, "own", name) for _ in range(6)))
    assert time.monotonic() - begun < 60
    assert hauberk.HOST in shown(here, "own", "h1000.example")


def test_mistakes_in_certificates_are_told_with_their_line(new_server):
    folder = hauberk.new_folder()
    good, other = make(folder, "good"), make(folder, "other")
    rsa, weak = make(folder, "good", "rsa"), make(folder, "weak", "rsa1024")
    nameless, ed = make(folder, "nameless", "ec", ()), make(folder, "ed", "ed25519")
    server = new_server(hauberk.RELEASE, start=False)
    whole = server.conf.read_text()
    def said_of(entries):
        server.conf.write_text(whole.replace("listeners = (", f"certificates = (\n{entries}\n);\nlisteners = ("))
        done = server.command("config", "check")
        return done.returncode, done.stderr.splitlines()
    mistakes = [
        (f"{{ {both(good, other)} }}", "certificate: two are ECDSA; one ECDSA and one RSA can be served"),
        (f"{{ {both(good, rsa, other)} }}", "certificate: more than two: one ECDSA and one RSA"),
        (f'{{ certificate = [ "{good[0]}", "{rsa[0]}" ]; key = "{good[1]}"; }}', "certificate: there is no key for it"),
        (f'{{ certificate = "{good[0]}"; key = [ "{good[1]}", "{rsa[1]}" ]; }}', "key: there is no certificate for it"),
        (f'{{ certificate = [ "{rsa[0]}", "{good[0]}" ]; key = [ "{good[1]}", "{rsa[1]}" ]; }}', "does not belong"),
        (f'{{ certificate = "{good[0]}"; }}', 'this certificate has no "key"'),
        (f'{{ certificate = [ ]; key = "{good[1]}"; }}', "must be a text, or a list"),
        (f'{{ certificate = [ 1, 2 ]; key = "{good[1]}"; }}', "must be a text, or a list"),
        (f"{{ {both(weak)} }}", "RSA of 1024 bits; 2048 to 8192 are served"),
        (f"{{ {both(ed)} }}", "neither ECDSA nor RSA"),
        (f"{{ {both(nameless)} }}", "no host's name in the certificate"),
        (f'{{ names = "a b"; {both(good)} }}', '"a b" is not a host\'s name'),
        (f'{{ names = [ "ok.example", "x.*.example" ]; {both(good)} }}', '"x.*.example" is not a host\'s name'),
        (f'{{ names = "bücher.example"; {both(good)} }}', "is not a host's name"),
        (f'{{ name = "x.example"; {both(good)} }}', 'did you mean "names"?'),
    ]
    for entries, why in mistakes:
        status, lines = said_of(entries)
        assert status == 1 and any(why in line for line in lines), (entries, lines)
        line = server.conf.read_text()[:server.conf.read_text().index("certificates = (")].count("\n") + 2
        assert all(one.startswith(f"{server.conf}:{line}: ") for one in lines), (line, lines)
    status, lines = said_of('"text"')
    assert status == 1 and "a certificate is written {" in lines[0]
    status, lines = said_of(f"{{ {both(good)} }},\n{{ {both(rsa)} }}")
    assert status == 1 and f"good has a certificate on line {line} already" in lines[0] and f":{line + 1}: names: " in lines[0]
    assert said_of(f"{{ {both(good, rsa)} }}, {{ {both(other)} }}") == (0, [])
    assert f'certificate = [ "{good[0]}", "{rsa[0]}" ];' in server.must("config", "show")

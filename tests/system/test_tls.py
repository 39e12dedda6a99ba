"""TLS as each listener wants it: versions, ciphers, certificates of its own, certificates of clients."""
import re
import socket
import ssl
import subprocess

import pytest

import hauberk
from test_reload import edit, new_certificate, reload

# Old versions are what is tried here.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ECDSA = "ECDHE-ECDSA-"
CA = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")


def openssl(*words, **more):
    return subprocess.run(["openssl", *map(str, words)], capture_output=True, timeout=60, check=True,
                          **more)


class Authority:
    """Signs certificates of clients."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.chain, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days", "2", "-subj", f"/CN={name}", *CA, "-keyout", self.key, "-out", self.chain)
        self.chain.chmod(0o644)

    def signs(self, subject, extensions="extendedKeyUsage=clientAuth"):
        """Certificate and key of that subject, in one file each."""
        stem = self.folder / re.sub(r"\W", "-", f"{self.name}{subject}")
        key, request, chain, more = (stem.with_suffix(s) for s in (".k", ".r", ".c", ".e"))
        more.write_text(extensions + "\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-subj", subject, "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.chain, "-CAkey", self.key, "-days", "2",
                "-set_serial", "7", "-extfile", more, "-out", chain)
        return chain, key


class Listeners:
    """A server with listeners of its own beside the usual ones; each is named by its settings."""

    def __init__(self, new_server, group="", binary=hauberk.RELEASE, **settings):
        self.server = new_server(binary, start=False)
        self.ports = dict(zip(settings, hauberk.free_ports(len(settings))))
        rows = "".join(
            f'{{ protocol = "imap"; tls = "always"; address = "127.0.0.1"; port = {self.ports[name]};'
            f' {text} }},\n' for name, text in settings.items())
        edit(self.server, ("listeners = (", "listeners = (\n" + rows), ("tls: {", "tls: { " + group))
        self.server.start()

    def context(self, low="TLSv1_2", high="TLSv1_3", ciphers=None):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers(ciphers or "ALL:@SECLEVEL=0")
        context.minimum_version = getattr(ssl.TLSVersion, low)
        context.maximum_version = getattr(ssl.TLSVersion, high)
        return context

    def greets(self, name, context=None):
        """Version, cipher and certificate with which a client is greeted; the reason why it is not."""
        try:
            with socket.create_connection(("127.0.0.1", self.ports[name]), timeout=20) as plain, \
                    (context or self.context()).wrap_socket(plain) as tls:
                assert b"Hauberk" in tls.recv(1000)
                return tls.version(), tls.cipher()[0], tls.getpeercert(binary_form=True)
        except (ssl.SSLError, ConnectionResetError) as error:
            return (str(error), "", b"")

    def version(self, name, low, high=None):
        return self.greets(name, self.context(low, high or low))[0]

    def s_client(self, name, *words):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.ports[name]}", *map(str, words)],
            input="a logout\r\n", capture_output=True, text=True, errors="replace", timeout=60)
        return done.stdout + done.stderr


def subject_of(der):
    return openssl("x509", "-inform", "der", "-noout", "-subject", input=der).stdout.decode()


@pytest.fixture(params=["ASAN", "RELEASE"])
def binary(request):
    return getattr(hauberk, request.param)


VERSIONS = ("TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3")


def test_only_versions_that_are_allowed_are_spoken(new_server, binary):
    allowed = {"usual": "TLSv1.2 TLSv1.3", "new": "TLSv1.3", "middle": "TLSv1.2", "old": "TLSv1 TLSv1.1",
               "all": "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3", "gap": "TLSv1.1 TLSv1.3"}
    here = Listeners(new_server, binary=binary, inherits="", **{
        name: f'allowedVersions = "{text}";' for name, text in allowed.items()})
    allowed["inherits"] = "TLSv1.2 TLSv1.3"
    for name, text in allowed.items():
        for version in VERSIONS:
            spoken = here.version(name, version)
            wanted = version.replace("_", ".")
            assert (spoken == wanted) == (wanted in text.split()), (name, version, spoken)
    # Of several the newest is taken.
    assert here.version("all", "TLSv1", "TLSv1_3") == "TLSv1.3"
    assert here.version("gap", "TLSv1", "TLSv1_2") == "TLSv1.1"
    assert "outdated" in here.server.log()


def test_versions_of_the_group_are_inherited(new_server):
    here = Listeners(new_server, 'allowedVersions = "TLSv1.3";', plain="",
                     other='allowedVersions = "TLSv1.2";')
    assert here.version("plain", "TLSv1_3") == "TLSv1.3"
    assert here.version("plain", "TLSv1_2") != "TLSv1.2"
    assert here.version("other", "TLSv1_2") == "TLSv1.2"
    assert "alert protocol version" in here.s_client("plain", "-tls1_2").lower()


def test_only_ciphers_of_the_list_are_used_and_its_order_is_honoured(new_server):
    one, other = ECDSA + "AES128-GCM-SHA256", ECDSA + "AES256-GCM-SHA384"
    lists = f'cipherSuite = "{one}:{other}";'
    here = Listeners(new_server, ours=lists, theirs=lists + "preferServerCipherSuiteOrder = false;",
                     single=f'cipherSuite = "{other}"; cipherSuite13 = "TLS_CHACHA20_POLY1305_SHA256";',
                     reversed13='cipherSuite13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384";')
    def cipher(name, ciphers, version="TLSv1_2"):
        return here.greets(name, here.context(version, version, ciphers))[1]
    for name, first in (("ours", one), ("theirs", other)):
        assert cipher(name, f"{other}:{one}") == first
        assert cipher(name, f"{one}:{other}") == one
        assert cipher(name, other) == other
        assert cipher(name, ECDSA + "CHACHA20-POLY1305") == ""
    assert cipher("single", f"{one}:{other}") == other and cipher("single", one) == ""
    assert cipher("single", None, "TLSv1_3") == "TLS_CHACHA20_POLY1305_SHA256"
    said = here.s_client("reversed13", "-tls1_3", "-ciphersuites",
                         "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256")
    assert "Cipher is TLS_AES_128_GCM_SHA256" in said, said[:2000]
    said = here.s_client("single", "-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256")
    assert "handshake failure" in said and "Cipher is (NONE)" in said


def test_a_listener_has_a_certificate_of_its_own_and_reload_renews_it(new_server, binary):
    folder = hauberk.new_folder()
    first, key = new_certificate(folder, "first.example")
    second, second_key = new_certificate(folder, "second.example")
    own = f'certificate = "{first}"; key = "{key}";'
    here = Listeners(new_server, binary=binary, own=own, same=own, usual="",
                     again=own + "allowedVersions = \"TLSv1.3\";")
    def name_of(listener):
        return subject_of(here.greets(listener)[2])
    for listener in ("own", "same", "again"):
        assert "first.example" in name_of(listener)
    assert hauberk.HOST in name_of("usual")
    old = openssl("x509", "-in", first, "-outform", "der").stdout
    here.server.populate("bob")
    with here.server.imap() as client:
        # The same names with other content, and other names.
        first.write_bytes(second.read_bytes())
        key.write_bytes(second_key.read_bytes())
        reload(here.server)
        hauberk.wait_for("the renewed one", lambda: all(
            "second.example" in name_of(one) for one in ("own", "same", "again") for _ in range(4)))
        assert hauberk.HOST in name_of("usual")
        third, third_key = new_certificate(folder, "third.example")
        edit(here.server, (f'"{first}"', f'"{third}"'), (f'"{key}"', f'"{third_key}"'))
        reload(here.server)
        hauberk.wait_for("the third", lambda: all("third.example" in name_of("own") for _ in range(6)))
        assert hauberk.HOST in name_of("usual") and old != here.greets("own")[2]
        client.noop()
    assert all(row["restarts"] == 0 for row in here.server.status() if row["role"] != "main")
    assert "role.renewed" not in here.server.log()


def test_a_wrong_pair_of_a_listener_is_refused_at_reload_and_the_old_goes_on(new_server):
    folder = hauberk.new_folder()
    chain, key = new_certificate(folder, "one.example")
    other, _ = new_certificate(folder, "two.example")
    here = Listeners(new_server, own=f'certificate = "{chain}"; key = "{key}";')
    good = chain.read_bytes()
    chain.write_bytes(other.read_bytes())
    reload(here.server, "reload.refused")
    assert "certificate: the private key does not belong to the certificate" in here.server.log()
    assert "one.example" in subject_of(here.greets("own")[2])
    chain.write_bytes(good)
    reload(here.server)


def test_listeners_change_places_and_keep_their_certificates(new_server):
    folder = hauberk.new_folder()
    chain, key = new_certificate(folder, "mine.example")
    here = Listeners(new_server, own=f'certificate = "{chain}"; key = "{key}";', usual="")
    rows = [line + "\n" for line in here.server.conf.read_text().splitlines()
            if any(f"port = {port};" in line for port in here.ports.values())]
    edit(here.server, ("".join(rows), rows[1] + rows[0]))
    chain.write_bytes(new_certificate(folder, "newer.example")[0].read_bytes())
    key.write_bytes((folder / "newer.example.key").read_bytes())
    reload(here.server)
    hauberk.wait_for("the new one", lambda: all(
        "newer.example" in subject_of(here.greets("own")[2]) for _ in range(6)))
    assert hauberk.HOST in subject_of(here.greets("usual")[2])


# ---- certificates of clients ----

@pytest.fixture
def clients(new_server, binary):
    folder = hauberk.new_folder()
    here = folder, Authority(folder, "ours"), Authority(folder, "strangers")
    rule = f'clientCA = "{here[1].chain}";'
    made = Listeners(new_server, binary=binary, no="", optional=rule + 'requestClientAuth = "optional";',
                     required=rule + 'requestClientAuth = "required";')
    made.folder, made.ours, made.strangers = here
    return made


def shown(here, pair, version="TLSv1_3"):
    context = here.context(version, version)
    if pair:
        context.load_cert_chain(*map(str, pair))
    return context


def logged(here, *words):
    """The newest line of a handshake, once it has all the words."""
    def look():
        lines = [line for line in here.server.log().splitlines() if " tls.done " in line]
        return lines and all(word in lines[-1] for word in words) and lines[-1]
    return hauberk.wait_for(f"a line with {words}", look)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_clients_are_known_by_their_certificates(clients, version):
    ann = clients.ours.signs("/O=Hill, Inc./CN=ann client=x")
    eve = clients.strangers.signs("/CN=ann")
    server_only = clients.ours.signs("/CN=server", "extendedKeyUsage=serverAuth")
    def greeted(name, pair):
        return clients.greets(name, shown(clients, pair, version))[0].startswith("TLSv1.")
    def refused(why):
        before = clients.server.log().count(why)
        assert not greeted("required", eve if "verify" in why else None)
        hauberk.wait_for(why, lambda: clients.server.log().count(why) > before)
    assert greeted("no", ann)
    logged(clients, 'client=""')
    for name in ("optional", "required"):
        assert greeted(name, ann)
        line = logged(clients, " s=", "listener=")
        assert 'client="CN=ann client=x,O=Hill\\\\, Inc."' in line, line
        assert "client_untrusted" not in line
    for pair in (eve, server_only):
        assert greeted("optional", pair)
        line = logged(clients, "client_untrusted=")
        assert "CN=" not in line
        assert not greeted("required", pair)
    assert greeted("optional", None)
    assert "untrusted" not in logged(clients, 'client=""')
    refused("certificate verify failed")
    refused("peer did not return a certificate")


def test_clients_are_told_whose_certificates_are_wanted(clients):
    said = clients.s_client("optional")
    assert re.search(r"Acceptable client certificate CA names\n.*CN ?= ?ours", said), said[-3000:]
    assert "No client certificate CA names sent" in clients.s_client("no")


def test_the_chain_of_a_client_may_be_as_long_as_allowed(new_server):
    folder = hauberk.new_folder()
    root = Authority(folder, "root")
    middle = Authority(folder, "middle")
    middle.chain, middle.key = root.signs(
        "/CN=middle", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign")
    leaf, key = middle.signs("/CN=deep")
    both = folder / "both.pem"
    both.write_bytes(leaf.read_bytes() + middle.chain.read_bytes())
    rule = f'clientCA = "{root.chain}"; requestClientAuth = "required";'
    here = Listeners(new_server, deep=rule, flat=rule + "clientDepth = 0;")
    assert here.greets("deep", shown(here, (both, key)))[0] == "TLSv1.3"
    logged(here, "CN=deep")
    assert here.greets("flat", shown(here, (both, key)))[0] != "TLSv1.3"
    direct = root.signs("/CN=direct")
    assert here.greets("flat", shown(here, direct))[0] == "TLSv1.3"


def test_reload_renews_who_may_sign_for_clients(clients):
    eve = clients.strangers.signs("/CN=eve")
    ann = clients.ours.signs("/CN=ann")
    def greeted(pair):
        return clients.greets("required", shown(clients, pair))[0] == "TLSv1.3"
    assert greeted(ann) and not greeted(eve)
    clients.ours.chain.write_bytes(clients.strangers.chain.read_bytes())
    reload(clients.server)
    hauberk.wait_for("the new authority", lambda: all(greeted(eve) for _ in range(6)))
    assert not greeted(ann)
    clients.ours.chain.write_bytes(b"nothing\n")
    reload(clients.server, "reload.refused")
    assert "no certificate in PEM form was found in the clientCA file" in clients.server.log()
    assert greeted(eve)


# ---- the configuration ----

def check(server):
    return server.command("config", "check")


def test_every_mistake_is_told_with_its_line_before_the_start(new_server):
    folder = hauberk.new_folder()
    chain, key = new_certificate(folder, "a.example")
    other, other_key = new_certificate(folder, "b.example")
    mistakes = [
        ('allowedVersions = "TLSv1.2 SSLv3";', 'allowedVersions: there is no version "SSLv3"'),
        ('allowedVersions = "TLSv1.2, TLSv1.3";', 'there is no version "TLSv1.2,"'),
        ('cipherSuite = "NO-SUCH:NOR-THIS";', 'cipherSuite: openssl knows no cipher "NO-SUCH"'),
        ('cipherSuite = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA385";',
         'knows no cipher "ECDHE-ECDSA-AES256-GCM-SHA385"'),
        ('cipherSuite = "HIGH:!aNULL:!RC5";', 'knows no cipher "!RC5"'),
        ('cipherSuite = "HIGH:!aNUL";', 'knows no cipher "!aNUL"'),
        ('cipherSuite = "ECDHE+AESGCMX HIGH";', 'knows no cipher "ECDHE+AESGCMX"'),
        ('cipherSuite = "HIGH:@STRENGHT";', 'knows no cipher "@STRENGHT"'),
        ('cipherSuite = "HIGH:TLS_AES_256_GCM_SHA384";', 'knows no cipher "TLS_AES_256_GCM_SHA384"'),
        ('cipherSuite = "!RC4";', "openssl knows no cipher in"),
        ('cipherSuite = "HIGH:RC4-SHA";', 'knows no cipher "RC4-SHA"'),
        ('cipherSuite13 = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA265";', 'refuses "TLS_AES_128_GCM_SHA265"'),
        ('sessionTickets = "yes";', "must be true or false"),
        ('cipherSuite13 = "ECDHE-ECDSA-AES128-GCM-SHA256";', "cipherSuite13: openssl refuses"),
        (f'certificate = "{chain}";', "certificate: there is no key for it"),
        (f'key = "{key}";', "key: there is no certificate for it"),
        (f'certificate = "{chain}"; key = "{other_key}";', "does not belong to the certificate"),
        (f'certificate = "{key}"; key = "{key}";', "holds no certificate in PEM form"),
        (f'certificate = "{folder}/absent"; key = "{key}";', "absent: No such file"),
        ('requestClientAuth = "required";', "clientCA does not say who"),
        ('requestClientAuth = "maybe";', "no|optional|required"),
        (f'clientCA = "{folder}/absent";', "clientCA: cannot read"),
        (f'clientCA = "{folder}";', "clientCA: cannot read"),
        (f'clientCA = "{key}"; requestClientAuth = "optional";', "no certificate in PEM form"),
        ("clientDepth = 100;", "clientDepth is 100, but must be from 0 to 20"),
        ('preferServerCipherSuiteOrder = "yes";', "must be true or false"),
    ]
    server = new_server(hauberk.RELEASE, start=False)
    whole = server.conf.read_text()
    for text, said in mistakes:
        server.conf.write_text(whole.replace("listeners = (", 'listeners = (\n{ protocol = "imap"; '
                               f'address = "127.0.0.1"; port = 1143;\n\n{text} }},'))
        done = check(server)
        line = server.conf.read_text()[:server.conf.read_text().index(text)].count("\n") + 1
        lines = done.stderr.splitlines()
        assert done.returncode == 1 and len(lines) == 1, (text, done.stderr)
        assert lines[0].startswith(f"{server.conf}:{line}: ") and said in lines[0], (text, lines)
    # The same in the group: once, however many listeners inherit it.
    server.conf.write_text(whole.replace("tls: {", 'tls: { cipherSuite = "NO-SUCH";'))
    done = check(server)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "tls.cipherSuite" in done.stderr
    started = server.command("serve", "--as-user", user=("nobody", "nogroup"))
    assert started.returncode == 1 and started.stderr == done.stderr


def test_lists_as_they_are_found_in_the_field_are_good(new_server):
    server = new_server(hauberk.RELEASE, start=False)
    whole = server.conf.read_text()
    for text in ("HIGH:!aNULL:!MD5", "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!eNULL:!EXPORT:!DES:!RC4:!3DES:!MD5:!PSK",
                 "ALL:!LOW:!EXP:!SSLv2:+HIGH:+MEDIUM", "EECDH+AESGCM EDH+AESGCM", "DEFAULT:@STRENGTH", "DEFAULT:@SECLEVEL=2",
                 "kEECDH:+kEECDH+SHA:HIGH:!EDH-RSA-DES-CBC3-SHA:!ECDHE-RSA-DES-CBC3-SHA:!IDEA:!SEED:!KRB5-DES-CBC3-SHA",
                 "HIGH,!kRSA;!aDH:-AES128-SHA", "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"):
        server.conf.write_text(whole.replace("tls: {", f'tls: {{ cipherSuite = "{text}";'))
        done = check(server)
        assert done.returncode == 0 and done.stderr == "", (text, done.stderr)


def test_outdated_versions_are_a_warning(new_server):
    server = new_server(hauberk.RELEASE, start=False)
    edit(server, ("tls: {", 'tls: { allowedVersions = "TLSv1.1 TLSv1.2";'))
    done = check(server)
    assert done.returncode == 0 and "good" in done.stdout
    assert done.stderr.count("\n") == 1 and "warning: TLS 1.0 and 1.1 are outdated" in done.stderr
    assert f"{server.conf}:4: " in done.stderr
    shown_rows = server.must("config", "show")
    assert 'allowedVersions = "TLSv1.1 TLSv1.2"; cipherSuite = "DEFAULT"' in shown_rows


def test_a_required_certificate_holds_after_starttls_too(new_server):
    folder = hauberk.new_folder()
    ours = Authority(folder, "ours")
    server = new_server(hauberk.RELEASE, start=False)
    edit(server, ("tls: {", f'tls: {{ requestClientAuth = "required"; clientCA = "{ours.chain}";'))
    server.start()
    for pair in (ours.signs("/CN=relay"), None):
        context = hauberk.trusting()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        if pair:
            context.load_cert_chain(*map(str, pair))
        client = server.smtp()
        client.ehlo()
        if pair:
            assert client.starttls(context=context)[0] == 220
            assert client.noop()[0] == 250
            hauberk.wait_for("the line", lambda: 'client="CN=relay"' in server.log())
        else:
            with pytest.raises(OSError):
                client.starttls(context=context)
        client.close()

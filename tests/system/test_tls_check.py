"""hauberk tls check: what an administrator is told of the running listeners."""
import re

import pytest

import hauberk
from test_certificates import both, make
from test_reload import edit, reload
from test_tls import Authority, Listeners, binary, openssl  # noqa: F401


class Issuer(Authority):
    """Signs servers' certificates; the system trusts it where SSL_CERT_FILE says so."""

    def serves(self, name, names, days=200, kind="ec", by=None):
        chain, key = make(self.folder, name, kind)
        request, more = self.folder / f"{name}.req", self.folder / f"{name}.ext"
        openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request)
        more.write_text("subjectAltName=" + ",".join(f"DNS:{one}" for one in names) + "\n")
        openssl("x509", "-req", "-in", request, "-CA", self.chain, "-CAkey", self.key, "-days", days,
                "-set_serial", "9", "-extfile", more, "-out", chain)
        chain.chmod(0o644)
        return chain, key


def report(server, *words, **environment):
    server.environment.update(environment)
    done = server.command("tls", "check", *map(str, words))
    assert done.stderr == "", done.stderr
    return done.returncode, done.stdout


def shows(here, *pairs):
    """The group tls has these from now on."""
    conf = here.server.conf
    conf.write_text(re.sub(r"tls: \{.*?\};\n", lambda _: f"tls: {{ {both(*pairs)} }};\n", conf.read_text(), flags=re.S))
    reload(here.server)
    hauberk.wait_for("the new ones", lambda: here.server.log().count(" descriptor.taken ") >= 5)


def problems(text):
    return re.findall(r"^  problem +(.*)$", text, re.M)


@pytest.fixture
def issuer():
    return Issuer(hauberk.new_folder(), "root")


def test_a_good_server_has_no_problems(new_server, binary, issuer):
    ec, rsa = issuer.serves("ec", [hauberk.HOST]), issuer.serves("rsa", [hauberk.HOST, "also.example"], kind="rsa")
    here = Listeners(new_server, binary=binary, own="")
    shows(here, ec, rsa)
    status, text = report(here.server, SSL_CERT_FILE=str(issuer.chain))
    assert status == 0 and text.endswith("no problems\n") and not problems(text), text
    # Seven listeners with TLS on two addresses each, and the one more.
    assert len(re.findall(r"^(smtp|imap|pop3) \S+:\d+, (after STARTTLS|TLS from the first octet)$", text, re.M)) == 15
    for line in ("  TLSv1        not spoken", "  TLSv1.1      not spoken", "  TLSv1.2      ECDHE-ECDSA-AES256-GCM-SHA384",
                 "  TLSv1.3      TLS_AES_256_GCM_SHA384", "  certificate  ECDSA 256 bits, CN=ec", "  certificate  RSA 2048 bits, CN=rsa",
                 f"    names      {hauberk.HOST}, also.example", "    issuer     CN=root",
                 "    chain      1 certificate, trusted by this system's authorities", "  clients      are not asked for a certificate",
                 "  tickets      sessions are resumed"):
        assert text.count(line + "\n") == (30 if " issuer " in line or " chain " in line else 15), (line, text)
    assert len(re.findall(r"^    expires    in (199|200) days$", text, re.M)) == 30


@pytest.mark.parametrize("case", ["expires", "name", "chain", "own", "old", "required", "tickets"])
def test_each_problem_is_told(new_server, issuer, case):
    good = issuer.serves("good", [hauberk.HOST])
    middle = Issuer(issuer.folder, "middle")
    middle.chain, middle.key = issuer.signs("/CN=middle", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign")
    settings, said = {
        "expires": (both(issuer.serves("soon", [hauberk.HOST], days=20)), "the certificate expires in (19|20) days, fewer than 30"),
        "name": (both(issuer.serves("other", ["other.example"])), f'the certificate is not for "{hauberk.HOST}"'),
        "chain": (both(middle.serves("deep", [hauberk.HOST])), "the chain is incomplete: the certificate of CN=middle is neither"),
        "own": (both(make(issuer.folder, hauberk.HOST)), "clients will not trust the certificate: self-signed certificate"),
        "old": (both(good) + 'allowedVersions = "TLSv1.1 TLSv1.2";', r"TLSv1.1 is outdated \(RFC 8996\)"),
        "required": (both(good) + f'clientCA = "{issuer.chain}"; requestClientAuth = "required";', None),
        "tickets": (both(good) + "sessionTickets = false;", None),
    }[case]
    here = Listeners(new_server, own=settings)
    status, text = report(here.server, here.ports["own"], SSL_CERT_FILE=str(issuer.chain))
    if said:
        assert status == 1 and len(problems(text)) == 1 and re.match(said, problems(text)[0]), text
        assert text.endswith("\n1 problem\n")
    else:
        assert status == 0 and not problems(text), text
    assert ("must show a certificate" in text) == (case == "required")
    assert ("tickets      none" in text) == (case in ("tickets", "required")), text
    if case == "old":
        assert "  TLSv1.3      not spoken" in text and "  TLSv1.1      ECDHE-ECDSA-AES256-SHA" in text


def test_a_whole_chain_with_the_certificate_between_is_good(new_server, issuer):
    middle = Issuer(issuer.folder, "middle")
    middle.chain, middle.key = issuer.signs("/CN=middle", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign")
    chain, key = middle.serves("deep", [hauberk.HOST])
    chain.write_bytes(chain.read_bytes() + middle.chain.read_bytes())
    here = Listeners(new_server, own=both((chain, key)))
    status, text = report(here.server, f"imap 127.0.0.1:{here.ports['own']}", SSL_CERT_FILE=str(issuer.chain))
    assert status == 0 and "2 certificates, trusted" in text


def test_hosts_are_looked_at_too(new_server, issuer):
    here = Listeners(new_server, own="")
    shows(here, issuer.serves("good", [hauberk.HOST]))
    entries = [both(issuer.serves("a", ["a.example"])), both(issuer.serves("w", ["*.w.example"], kind="rsa")),
               'names = "wrong.example"; ' + both(issuer.serves("b", ["b.example"]))]
    edit(here.server, ("listeners = (", "certificates = (\n{});\nlisteners = (".format(
        ",\n".join(f"{{ {entry} }}" for entry in entries))))
    reload(here.server)
    status, text = report(here.server, here.ports["own"], SSL_CERT_FILE=str(issuer.chain))
    assert status == 1 and problems(text) == ['the certificate is not for "wrong.example"'], text
    assert "host a.example\n  certificate  ECDSA 256 bits, CN=a\n" in text
    assert "host host.w.example\n  certificate  RSA 2048 bits, CN=w\n" in text


def test_nobody_there_and_wrong_words(new_server):
    server = new_server(hauberk.RELEASE, start=False)
    done = server.command("tls", "check", "imaps")
    assert done.returncode == 1 and "there is no listener with TLS called imaps" in done.stderr
    done = server.command("tls", "check", str(server.ports["imap_plain"]))
    assert done.returncode == 1 and "no listener with TLS" in done.stderr
    done = server.command("tls", "check", str(server.ports["imaps"]))
    assert done.returncode == 1 and done.stdout.count("problem      cannot connect: Connection refused") == 2
    for words in (("tls",), ("tls", "chek"), ("tls", "check", "a", "b")):
        done = server.command(*words)
        assert done.returncode == 2 and "usage: hauberk tls check" in done.stderr, words

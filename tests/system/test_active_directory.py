"""Active Directory: logins with its tickets at a real domain controller (Samba), and each thing that goes wrong there."""
import base64
import os

import pytest

import hauberk
import kdc as kerberos
import samba_ad
from ticket_clients import CLIENTS
from tickets import Begun, Same, Ticket, authenticate, is_welcome, is_wrong, refusals

pytestmark = pytest.mark.skipif(bool(samba_ad.missing()) or os.geteuid() != 0,
                                reason="Samba's domain controller is not installed, or this is not root")


def settings(keytab, more=""):
    return f'kerberos: {{ keytab = "{keytab}"; {more} }};'


@pytest.fixture(scope="module")
def ad(active_directory):
    return active_directory


def serve(ad, build):
    """A server whose accounts are users of the domain; carol has none, gone's is disabled."""
    server = hauberk.Server(build, settings=settings(ad.keytab()))
    try:
        server.start().populate("ann", "bob", "big")
        server.must("account", "add", "gone@example.org", secret=hauberk.PASSWORD)
        server.must("account", "disable", "gone@example.org")
        yield server
        server.stop()
    finally:
        server.kill()


@pytest.fixture(scope="module", params=["ASAN", "RELEASE"])
def site(request, ad):
    yield from serve(ad, getattr(hauberk, request.param))


@pytest.fixture(scope="module")
def release_site(ad):
    yield from serve(ad, hauberk.RELEASE)


@pytest.mark.parametrize("service", kerberos.SERVICES)
@pytest.mark.parametrize("mutual", [True, False])
def test_a_ticket_logs_in(ad, site, service, mutual):
    with ad.logged_on("ann"):
        for initial in (False, True):
            assert is_welcome(service, authenticate(site, service, Ticket(service, mutual=mutual), initial))


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_with_a_ticket(ad, release_site, client, tmp_path):
    CLIENTS[client](ad, release_site, tmp_path)


@pytest.mark.parametrize("service", kerberos.SERVICES)
@pytest.mark.parametrize("initial", [False, True])
def test_somebody_in_nine_hundred_groups(ad, site, service, initial):
    with ad.logged_on("big"):
        assert len(base64.b64encode(Ticket(service).step(b""))) > 11000
        assert is_welcome(service, authenticate(site, service, Ticket(service), initial))


@pytest.mark.parametrize("name", ["ANN", "ann@EXAMPLE.ORG", "-E ann@example.org", "-C ANN"])
def test_names_as_users_type_them(ad, site, name):
    environment = {**ad.environment, "KRB5CCNAME": f"FILE:{ad.folder}/ccache.typed"}
    ad.run("kinit", *name.split(), text="ann-pw\n", environment=environment)
    with kerberos.environment_of(environment):
        for wanted in ("", "ann", f"ann@{ad.realm}", "Ann@Example.Org"):
            assert is_welcome("imap", authenticate(site, "imap", Ticket("imap", authorize_as=wanted)))


# ---- what goes wrong: each has its own word ----

def once(ad, site):
    sent = []
    with ad.logged_on("ann"):
        assert is_welcome("imap", authenticate(site, "imap", Ticket("imap"), False,
                                               lambda number, token: sent.append(token) or token))
    return Same(sent[0])


def spoiled(number, token):
    return token[:-40] + bytes([token[-40] ^ 1]) + token[-39:] if number == 0 else token


def case(ad, site, user, ticket=lambda: Ticket("imap"), **more):
    """The word in the log for one login that must fail."""
    before = len(refusals(site))
    with ad.logged_on(user):
        word = authenticate(site, "imap", ticket(), False, **more)
    assert is_wrong("imap", word), word
    codes = refusals(site)[before:]
    assert len(codes) == 1, site.log()[-2000:]
    return codes[0]


def test_each_refusal_has_a_word_of_its_own(ad, site):
    if "elsewhere" not in ad.tool("spn", "list", samba_ad.ACCOUNTS["imap"]):
        ad.tool("spn", "add", "imap/elsewhere.example.org", samba_ad.ACCOUNTS["imap"])  # the same key
    found = {
        "no account here": case(ad, site, "carol"),
        "disabled here": case(ad, site, "gone"),
        "somebody else": case(ad, site, "ann", lambda: Ticket("imap", authorize_as="bob")),
        "another service": case(ad, site, "ann", lambda: Ticket("smtp")),
        "another host": case(ad, site, "ann", lambda: Ticket("imap", host="elsewhere.example.org")),
        "a layer": case(ad, site, "ann", lambda: Ticket("imap", layer=4)),
        "tampered": case(ad, site, "ann", change=spoiled),
        "bad answer": case(ad, site, "ann",
                           change=lambda number, token: token[:-1] + bytes([token[-1] ^ 1]) if number == 2 else token),
        "replay": case(ad, site, "ann", lambda: once(ad, site)),
        "expired": case(ad, site, "ann", lambda: Same(ad.old_token("imap", "20h"))),
        "clock": case(ad, site, "ann", lambda: Same(ad.old_token("imap", "10m"))),
    }
    assert found == {"no account here": "no-account", "disabled here": "account-disabled",
                     "somebody else": "other-user", "another service": "wrong-service", "another host": "no-key",
                     "a layer": "layer-refused", "tampered": "bad-ticket", "bad answer": "bad-answer",
                     "replay": "replay", "expired": "ticket-expired", "clock": "clock-skew"}
    assert len(set(found.values())) == len(found)


def test_a_token_over_many_lines_is_refused(ad, site):
    """Base64 is one line in SASL (RFC 4954 4, RFC 9051 6.2.2): what is folded is no token."""
    with ad.logged_on("big"), site.raw("imap_plain") as raw:
        coded = base64.b64encode(Ticket("imap").step(b""))
        raw.line()
        raw.send(b"a AUTHENTICATE GSSAPI\r\n")
        assert raw.line().startswith("+")
        raw.send(b"\r\n".join(coded[i:i + 76] for i in range(0, len(coded), 76)) + b"\r\n")
        assert raw.until("a").startswith("a BAD")
    with ad.logged_on("big"):
        assert is_welcome("imap", authenticate(site, "imap", Ticket("imap"), False))


def test_a_token_in_many_segments_is_taken(ad, site):
    with ad.logged_on("big"):
        ticket = Ticket("imap")
        with site.raw("imap_plain") as raw:
            raw.line()
            line = b"a AUTHENTICATE GSSAPI " + base64.b64encode(ticket.step(b"")) + b"\r\n"
            for i in range(0, len(line), 1000):
                raw.send_apart(line[i:i + 1000])
            while (word := raw.line()).startswith("+"):
                challenge = base64.b64decode(word[2:])
                raw.send(base64.b64encode(ticket.step(challenge)) + b"\r\n")
            assert word.startswith(("a OK", "* ")), word


def test_who_is_disabled_in_the_domain_gets_no_ticket(ad, site):
    ad.tool("user", "create", "leaver", "leaver-pw")
    if "leaver@" not in site.must("account", "list"):
        site.must("account", "add", "leaver@example.org", secret=hauberk.PASSWORD)
    with ad.logged_on("leaver"):
        assert is_welcome("imap", authenticate(site, "imap", Ticket("imap"), False))
    try:
        ad.tool("user", "disable", "leaver")
        with pytest.raises(AssertionError, match="revoked"):
            ad.ticket("leaver")
    finally:
        ad.tool("user", "delete", "leaver")


def test_new_keys_are_taken_while_the_server_runs(ad, new_server):
    ad.new_service("imap", "renewed", host="renewed.example.org")
    first = ad.export("imap", ad.folder / "first.keytab", host="renewed.example.org")
    keytab = ad.merge([first], "rotating.keytab")
    server = new_server(hauberk.RELEASE, settings=settings(keytab)).populate("ann")
    with ad.logged_on("ann"):
        assert is_welcome("imap", authenticate(server, "imap", Ticket("imap", host="renewed.example.org"), False))
        before = Begun(Ticket("imap", host="renewed.example.org"))
    ad.new_password("renewed")
    with ad.logged_on("ann"):
        assert is_wrong("imap", authenticate(server, "imap", Ticket("imap", host="renewed.example.org"), False))
    assert refusals(server) == ["old-key"]
    second = ad.export("imap", ad.folder / "second.keytab", host="renewed.example.org")
    os.rename(ad.merge([first, second], "both.keytab"), keytab)
    hauberk.wait_for("the new keytab", lambda: " keytab.changed " in server.log())

    def works():
        with ad.logged_on("ann"):
            return is_welcome("imap",
                              authenticate(server, "imap", Ticket("imap", host="renewed.example.org"), False))
    hauberk.wait_for("auth to take it", works)
    assert is_welcome("imap", authenticate(server, "imap", before, False))  # who has a ticket already keeps it


def test_rc4_is_what_accounts_have_unless_told_otherwise(ad, new_server):
    """The steps as manuals have them: an account, a name and an exported key for each service, merged by ktutil."""
    host = "old.example.org"
    for name in kerberos.SERVICES:
        ad.new_service(name, f"old_{name}", aes=False, host=host)

    def export(file):
        return ad.merge([ad.export(name, ad.folder / f"old.{name}", host=host) for name in kerberos.SERVICES], file)

    def log_in(server, service):
        with ad.logged_on("ann"):
            return authenticate(server, service, Ticket(service, host=host), False)
    keytab = export("old.keytab")
    listed = ad.run("klist", "-k", "-e", str(keytab))
    assert kerberos.RC4 in listed and "aes" not in listed
    server = new_server(hauberk.RELEASE, settings=settings(keytab)).populate("ann")
    told = [line for line in server.log().splitlines() if " keytab.warning " in line]
    assert len(told) == 3 and all("msDS-SupportedEncryptionTypes" in line and "AES256-SHA1" in line for line in told)
    warn = new_server(hauberk.RELEASE, settings=settings(keytab, 'allowRC4 = "warn";')).populate("ann")
    assert all(is_welcome(service, log_in(warn, service)) for service in kerberos.SERVICES)
    assert warn.log().count(" kerberos.weak ") == 3
    # what the log says mends it
    for name in kerberos.SERVICES:
        ad.change(f"old_{name}", "msDS-SupportedEncryptionTypes", 24)
    os.rename(export("new.keytab"), keytab)
    hauberk.wait_for("the new keytab", lambda: " keytab.changed " in server.log())
    hauberk.wait_for("AES to be taken", lambda: is_welcome("imap", log_in(server, "imap")))
    assert is_welcome("smtp", log_in(server, "smtp")) and is_welcome("pop", log_in(server, "pop"))


def test_a_file_for_each_service(ad, new_server):
    parts = [ad.export(name, ad.folder / f"own.{name}.keytab") for name in kerberos.SERVICES]
    for part in parts:
        part.chmod(0o600)
        os.chown(part, 65534, 65534)
    listed = ", ".join(f'"{part}"' for part in parts)
    server = new_server(hauberk.RELEASE, settings=f"kerberos: {{ keytab = [ {listed} ]; }};").populate("ann")
    with ad.logged_on("ann"):
        for service in kerberos.SERVICES:
            assert is_welcome(service, authenticate(server, service, Ticket(service), False))
    # each is looked at again
    before = server.log().count(" keytab.changed ")
    parts[2].write_bytes(parts[1].read_bytes())
    hauberk.wait_for("the change to be seen", lambda: server.log().count(" keytab.changed ") > before)
    hauberk.wait_for("POP3 to have no key", lambda: "no key of pop/HOST" in server.log())


def test_realms_and_suffixes(ad, new_server):
    more = f'realms = [ "{ad.realm} = mail.example" ]; upnSuffixes = [ "sales.example = {ad.realm}" ];'
    ad.tool("user", "create", "dora", "dora-pw")
    ad.change("dora", "userPrincipalName", "d.ora@sales.example")
    server = new_server(hauberk.RELEASE, settings=settings(ad.keytab(), more))
    server.populate("ann", domain="mail.example").populate("d.ora", domain="sales.example")
    with ad.logged_on("ann"):
        for wanted in ("", "ann@mail.example", f"ann@{ad.realm}"):
            assert is_welcome("imap", authenticate(server, "imap", Ticket("imap", authorize_as=wanted), False))
    environment = {**ad.environment, "KRB5CCNAME": f"FILE:{ad.folder}/ccache.upn"}
    ad.run("kinit", "-E", "d.ora@sales.example", text="dora-pw\n", environment=environment)
    with kerberos.environment_of(environment):
        assert is_welcome("imap", authenticate(server, "imap", Ticket("imap"), False)), server.log()[-2000:]
    strict = new_server(hauberk.RELEASE, settings=settings(ad.keytab(), 'realms = "OTHER.EXAMPLE";')).populate("ann")
    with ad.logged_on("ann"):
        assert is_wrong("imap", authenticate(strict, "imap", Ticket("imap"), False))
    with kerberos.environment_of(environment):
        plain = new_server(hauberk.RELEASE, settings=settings(ad.keytab()))
        assert is_wrong("imap", authenticate(plain, "imap", Ticket("imap"), False))
    assert refusals(strict) == ["other-realm"] and refusals(plain) == ["unknown-suffix"]


def test_delegates_log_in_for_others(ad, new_server):
    server = new_server(hauberk.RELEASE, settings=settings(ad.keytab())).populate("ann", "bob")
    server.send(hauberk.message(subject="for bob")[1])

    def as_bob(service):
        with ad.logged_on("ann"):
            return authenticate(server, service, Ticket(service, authorize_as="bob"), False)
    assert is_wrong("imap", as_bob("imap"))
    server.must("account", "grant", "bob@example.org", "ann@example.org")
    assert server.must("account", "delegates") == "bob@example.org ann@example.org\n"
    assert all(is_welcome(service, as_bob(service)) for service in kerberos.SERVICES)
    assert " kerberos.acts " in server.log()
    with ad.logged_on("bob"):  # not the other way round
        assert is_wrong("imap", authenticate(server, "imap", Ticket("imap", authorize_as="ann"), False))
    server.must("account", "disable", "bob@example.org")
    assert is_wrong("imap", as_bob("imap"))
    server.must("account", "enable", "bob@example.org")
    server.must("account", "revoke", "bob@example.org", "ann@example.org")
    assert is_wrong("imap", as_bob("imap"))
    assert set(refusals(server)) == {"other-user"}
    for words, why in ((("grant", "bob@example.org", "bob@example.org"), "for itself"),
                       (("grant", "nobody@example.org", "bob@example.org"), "no account"),
                       (("revoke", "bob@example.org", "ann@example.org"), "not granted")):
        done = server.command("account", *words)
        assert done.returncode == 1 and why in done.stderr + done.stdout, done
    # who is removed leaves no grant behind
    server.must("account", "grant", "bob@example.org", "ann@example.org")
    server.must("account", "remove", "ann@example.org")
    assert server.must("account", "delegates") == ""

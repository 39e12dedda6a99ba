"""Kerberos: logins with a ticket (RFC 4752) at a real KDC, with real clients."""
import concurrent.futures
import select

import pytest

import hauberk
import kdc as kerberos
from ticket_clients import CLIENTS
from tickets import Same, Ticket, authenticate, connect, is_welcome, is_wrong, refusals


@pytest.fixture(scope="module")
def kdc():
    realm = kerberos.Kdc(users=("ann", "bob", "gone"))
    try:
        yield realm.start()
    finally:
        realm.stop()


def test_the_realm_of_the_tests_works(kdc):
    keytab = kdc.keytab()
    listed = kdc.run("klist", "-k", "-e", str(keytab))
    for name in kerberos.SERVICES:
        assert f"{name}/localhost@{kdc.realm} ({kerberos.AES})" in listed
    ann = kdc.ticket("ann")
    assert f"ann@{kdc.realm}" in kdc.run("klist", environment=ann)
    for name in kerberos.SERVICES:
        assert "keytab entry valid" in kdc.run("kvno", "-k", str(keytab), kdc.service(name), environment=ann)
        assert kerberos.AES in kdc.service_ticket(ann, name)
    with pytest.raises(AssertionError, match="[Pp]assword incorrect|failed"):
        kdc.run("kinit", "ann", text="wrong\n", environment=ann)


def settings(keytab, more=""):
    return f'kerberos: {{ keytab = "{keytab}"; {more} }};'


@pytest.fixture(scope="module", params=["ASAN", "RELEASE"])
def site(request, kdc):
    """A server whose accounts are users of the realm."""
    server = hauberk.Server(getattr(hauberk, request.param), settings=settings(kdc.keytab()))
    try:
        server.start().populate("ann")
        server.must("account", "add", "gone@example.org", secret=hauberk.PASSWORD)
        server.must("account", "disable", "gone@example.org")
        yield server
        server.stop()
    finally:
        server.kill()


@pytest.mark.parametrize("service", kerberos.SERVICES)
@pytest.mark.parametrize("mutual", [True, False])
def test_a_ticket_logs_in(kdc, site, service, mutual):
    with kdc.logged_on("ann"):
        for initial in (False, True):
            ticket = Ticket(service, mutual=mutual)
            word = authenticate(site, service, ticket, initial)
    assert is_welcome(service, word), (word, site.log()[-3000:])
    assert ticket.offered == bytes([1, 0, 0, 0])


def refused(site, service, ticket, code, **more):
    """The client hears that it is not right, the log says why, once."""
    before = len(refusals(site))
    word = authenticate(site, service, ticket, False, **more)
    assert is_wrong(service, word), word
    assert refusals(site)[before:] == [code], site.log()[-2000:]


@pytest.mark.parametrize("name", ["ann", "ann@example.org", "ann@EXAMPLE.ORG", "Ann"])
def test_a_client_may_say_who_it_is(kdc, site, name):
    with kdc.logged_on("ann"):
        assert is_welcome("imap", authenticate(site, "imap", Ticket("imap", authorize_as=name)))


@pytest.mark.parametrize("service", kerberos.SERVICES)
def test_nobody_is_somebody_else(kdc, site, service):
    with kdc.logged_on("ann"):
        refused(site, service, Ticket(service, authorize_as="bob"), "other-user")


@pytest.mark.parametrize("service", kerberos.SERVICES)
def test_a_ticket_for_another_service_is_refused(kdc, site, service):
    with kdc.logged_on("ann"):
        other = "imap" if service == "smtp" else "smtp"
        refused(site, service, Ticket(other), "wrong-service")
    assert f"the ticket is for {other}/localhost@EXAMPLE.ORG, kvno" in site.log()


def test_a_ticket_for_another_host_is_refused(kdc, site):
    if "imap/elsewhere.example.org" not in kdc.admin("listprincs"):
        kdc.admin("addprinc -randkey imap/elsewhere.example.org")
    with kdc.logged_on("ann"):
        refused(site, "imap", Ticket("imap", host="elsewhere.example.org"), "no-key")


@pytest.mark.parametrize("service", kerberos.SERVICES)
@pytest.mark.parametrize("user,code", [("bob", "no-account"), ("gone", "account-disabled")])
def test_who_has_no_account_or_a_disabled_one_is_refused(kdc, site, service, user, code):
    with kdc.logged_on(user):
        refused(site, service, Ticket(service), code)


def test_a_layer_that_was_not_offered_is_refused(kdc, site):
    for layer in (0, 2, 4, 255):
        with kdc.logged_on("ann"):
            refused(site, "imap", Ticket("imap", layer=layer), "layer-refused")


def test_what_was_changed_on_its_way_is_refused(kdc, site):
    def change(place):
        def spoil(number, token):
            return token[:-place] + bytes([token[-place] ^ 1]) + token[-place + 1:] if number == 0 else token
        return spoil
    with kdc.logged_on("ann"):
        for place in (10, 40):  # of the authenticator
            refused(site, "imap", Ticket("imap"), "bad-ticket", change=change(place))
        length = len(Ticket("imap").step(b""))
        for place in (length - 250, length - 300):  # of the ticket
            refused(site, "imap", Ticket("imap"), "bad-ticket", change=change(place))
        # and of the choice of a layer
        refused(site, "imap", Ticket("imap"), "bad-answer",
                change=lambda number, token: token[:-1] + bytes([token[-1] ^ 1]) if number == 2 else token)


@pytest.mark.parametrize("service", kerberos.SERVICES)
def test_a_token_is_taken_once(kdc, site, service):
    sent = []
    with kdc.logged_on("ann"):
        assert is_welcome(service, authenticate(site, service, Ticket(service), False,
                                                lambda number, token: sent.append(token) or token))
    refused(site, service, Same(sent[0]), "replay")


# The KDC of the tests gives tickets for ten hours at most.
CLOCKS = {"1d": "ticket-expired", "+1d": "ticket-not-yet"}


def test_an_expired_ticket_and_a_wrong_clock_are_told_apart(kdc, site):
    refused(site, "imap", Same(kdc.old_token("imap", "60m", "-l", "10m")), "ticket-expired")
    refused(site, "imap", Same(kdc.old_token("imap", "10m")), "clock-skew")
    for age in ("1d", "+1d"):  # a day to either side
        refused(site, "imap", Same(kdc.old_token("imap", age, "-l", "2d")), CLOCKS[age])
    with kdc.logged_on("ann"):
        assert is_welcome("imap", authenticate(site, "imap", Ticket("imap")))


MALFORMED = {"smtp": "501 5.5.2 ", "imap": "a BAD", "pop": "-ERR"}


@pytest.mark.parametrize("service", kerberos.SERVICES)
def test_malformed_tokens_are_refused(kdc, site, service):
    with kdc.logged_on("ann"):
        good = Ticket(service).step(b"")
    spnego = b"\x60\x0a\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x00"
    bad = [b"", b"\0", b"x" * 100, spnego, good[:1], good[:20], good[:len(good) // 2], good[:-1], good + b"x",
           b"\x60\x84\xff\xff\xff\xff" + good[4:]]
    for token in bad:
        word = authenticate(site, service, Same(token), False)
        assert word.startswith(MALFORMED[service]), (token[:30], word)
    with kdc.logged_on("ann"):
        assert is_welcome(service, authenticate(site, service, Ticket(service), False))


@pytest.mark.parametrize("service", kerberos.SERVICES)
def test_tokens_of_64_kilobytes_are_read_and_no_longer_ones(kdc, site, service):
    """Of somebody in thousands of groups; here only the length is right."""
    for length, why, initial in ((65536, "malformed", False), (70000, "malformed", False), (100000, None, False),
                                 (65536, "malformed", True), (100000, None, True)):
        before = len(refusals(site))
        word = authenticate(site, service, Same(b"\x60" * length), initial)
        assert not is_welcome(service, word) and not is_wrong(service, word), word
        assert (why in word if why else "malformed" not in word or service == "imap"), word
        assert len(refusals(site)) == before + (1 if why or (service == "imap" and not initial) else 0)
    with kdc.logged_on("ann"):
        assert is_welcome(service, authenticate(site, service, Ticket(service), False))


@pytest.mark.parametrize("service", kerberos.SERVICES)
def test_a_client_may_call_it_off(kdc, site, service):
    with connect(site, service) as raw:
        raw.send({"imap": b"a AUTHENTICATE GSSAPI\r\n"}.get(service, b"AUTH GSSAPI\r\n"))
        raw.reply() if service == "smtp" else raw.line()
        raw.send(b"*\r\n")
        word = raw.reply() if service == "smtp" else raw.line()
    assert word.startswith(MALFORMED[service]), word


def test_a_ticket_does_not_wait_behind_passwords(kdc, new_server):
    """A password costs the role auth its 29 ms: three hundred are asked before the ticket, and it is there first."""
    server = new_server(hauberk.RELEASE, settings=settings(kdc.keytab()) + "imap: { processes = 1; maxSessions = 1000; "
                        "peerMaxConnections = 0; }; auth: { maxFailures = 0; };").populate("ann")
    guesses = []
    try:
        for number in range(300):
            guesses.append(server.raw("imap_plain"))
            guesses[-1].line()
            guesses[-1].send(f"a LOGIN ann@example.org wrong{number}\r\n".encode())
        with kdc.logged_on("ann"):
            assert is_welcome("imap", authenticate(server, "imap", Ticket("imap")))
        answered = len(select.select([g.socket for g in guesses], [], [], 0)[0])
        assert answered < 200, answered
        assert all(g.until("a").startswith("a NO") for g in guesses)
    finally:
        for guess in guesses:
            guess.close()


def test_many_log_in_at_once_while_the_keytab_is_read_again(kdc, site):
    before = site.log().count(" keytab.changed ")
    with kdc.logged_on("ann"), concurrent.futures.ThreadPoolExecutor(8) as pool:
        words = [pool.submit(authenticate, site, service, Ticket(service), False)
                 for service in kerberos.SERVICES * 10]
        kdc.keytab()  # written anew, with the same keys
        words = [(service, word.result(60)) for service, word in zip(kerberos.SERVICES * 10, words)]
        hauberk.wait_for("the keytab to be read again", lambda: site.log().count(" keytab.changed ") > before)
    assert all(is_welcome(service, word) for service, word in words), words


# ---- clients that others wrote ----


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_with_a_ticket(kdc, site, client, tmp_path):
    CLIENTS[client](kdc, site, tmp_path)

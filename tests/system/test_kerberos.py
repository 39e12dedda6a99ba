"""Kerberos: logins with a ticket (RFC 4752) at a real KDC, with real clients."""
import pytest

import hauberk
import kdc as kerberos
from tickets import Ticket, authenticate, connect, is_welcome, is_wrong, refusals


@pytest.fixture(scope="module")
def kdc():
    realm = kerberos.Kdc()
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
@pytest.mark.parametrize("initial", [False])
@pytest.mark.parametrize("mutual", [True, False])
def test_a_ticket_logs_in(kdc, site, service, initial, mutual):
    with kdc.logged_on("ann"):
        ticket = Ticket(service, mutual=mutual)
        word = authenticate(site, service, ticket, initial)
    assert is_welcome(service, word), (word, site.log()[-3000:])
    assert ticket.offered == bytes([1, 0, 0, 0])

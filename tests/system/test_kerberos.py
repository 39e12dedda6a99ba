"""Kerberos: logins with a ticket (RFC 4752) at a real KDC, with real clients."""
import pytest

import kdc as kerberos


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

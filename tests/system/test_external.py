"""EXTERNAL: the certificate that a client has shown is its login."""
import base64
import imaplib
import ssl

import pytest

import hauberk
from test_tls import Authority

ANN, BOB = "ann@example.org", "bob@example.org"


class Place:
    """A server whose clients' certificates have names of accounts of that kind."""

    def __init__(self, kind):
        folder = hauberk.new_folder()
        self.authority, self.stranger = Authority(folder, "root"), Authority(folder, "stranger")
        self.server = hauberk.Server(settings=f'auth: {{ certificateNames = "{kind}"; }};', listeners={
            "imaps": f'requestClientAuth = "optional"; clientCA = "{self.authority.chain}";'})
        self.server.start().populate("ann", "bob")
        self.server.must("account", "add", "gone@example.org", secret=hauberk.PASSWORD)
        self.server.must("account", "disable", "gone@example.org")

    def client(self, names=None, by=None):
        context = ssl.create_default_context(cafile=hauberk.certificate()[0])
        if names is not None:
            chain, key = (by or self.authority).signs(
                "/CN=client " + base64.b16encode(names.encode()).decode()[:40],
                "extendedKeyUsage=clientAuth\n" + (f"subjectAltName={names}" if names else ""))
            context.load_cert_chain(chain, key)
        return imaplib.IMAP4_SSL("localhost", self.server.ports["imaps"], ssl_context=context, timeout=20)


@pytest.fixture(scope="module", params=["email", "upn"])
def place(request):
    made = Place(request.param)
    made.kind = request.param
    try:
        yield made
        made.server.stop()
    finally:
        made.server.kill()


def names(place, *addresses):
    """As subjectAltName of the kind that counts."""
    return ",".join(f"email:{a}" if place.kind == "email" else f"otherName:msUPN;UTF8:{a}" for a in addresses)


def other_kind(place, address):
    return f"email:{address}" if place.kind == "upn" else f"otherName:msUPN;UTF8:{address}"


def external(client, wanted=""):
    return client.authenticate("EXTERNAL", lambda _: wanted.encode())


def whose(place, client):
    log = place.server.log()
    return log.rsplit("imap.login ", 1)[1].split("user=")[1].split()[0] if "imap.login" in log else None


def test_the_certificate_opens_the_mailbox(place):
    client = place.client(names(place, ANN))
    assert "AUTH=EXTERNAL" in client.capability()[1][0].decode().split()
    assert external(client)[0] == "OK"
    assert client.select("INBOX")[0] == "OK" and whose(place, client) == ANN
    client.logout()


def test_of_several_names_the_client_may_choose(place):
    for wanted, expected in (("", ANN), (BOB, BOB), ("BOB@EXAMPLE.ORG", BOB), (ANN, ANN)):
        client = place.client(names(place, ANN, BOB))
        assert external(client, wanted)[0] == "OK"
        assert whose(place, client).lower() == expected
        client.logout()


@pytest.mark.parametrize("who, wanted, why", [
    (ANN, BOB, "the client wants to be somebody whom its certificate does not name"),
    (ANN, "ann", "the client wants to be somebody whom its certificate does not name"),
    ("nobody@example.org", "", "there is no such account here"),
    ("gone@example.org", "", "the account is disabled here"),
])
def test_who_is_refused_is_told_nothing_and_the_log_all(place, who, wanted, why):
    client = place.client(names(place, who))
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        external(client, wanted)
    hauberk.wait_for("the reason", lambda: "certificate.refused" in place.server.log().rsplit("\n", 6)[0] + place.server.log())
    assert why in place.server.log().rsplit("certificate.refused", 1)[1]
    client.shutdown()


def test_without_such_a_name_it_is_not_offered(place):
    for client in (place.client(), place.client(""), place.client(other_kind(place, ANN)),
                   place.client(names(place, ANN), by=place.stranger)):
        assert "EXTERNAL" not in client.capability()[1][0].decode()
        with pytest.raises(imaplib.IMAP4.error, match="no such mechanism"):
            external(client)
        client.logout()


def test_nothing_hidden_is_a_name(place):
    client = place.client(names(place, "ann@example.org\x01.attacker.test") if place.kind == "email" else
                          "otherName:msUPN;UTF8:ann@example.org\x01x")
    assert "EXTERNAL" not in client.capability()[1][0].decode()
    client.logout()


def test_it_is_off_by_default(new_server):
    folder = hauberk.new_folder()
    authority = Authority(folder, "root")
    server = new_server(listeners={"imaps": f'requestClientAuth = "required"; clientCA = "{authority.chain}";'}).populate("ann")
    context = ssl.create_default_context(cafile=hauberk.certificate()[0])
    context.load_cert_chain(*authority.signs("/CN=ann", f"extendedKeyUsage=clientAuth\nsubjectAltName=email:{ANN}"))
    client = imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=context, timeout=20)
    assert "EXTERNAL" not in client.capability()[1][0].decode()
    client.logout()

"""A client that logs in with a ticket (RFC 4752), octet by octet as a test wants it."""
import base64

import gssapi

import hauberk

PORTS = {"imap": "imap", "pop": "pop3", "smtp": "submission"}


class Ticket:
    """One side of an exchange; the environment says whose (kdc.logged_on)."""

    def __init__(self, service, authorize_as="", mutual=True, layer=1, host="localhost"):
        flags = [gssapi.RequirementFlag.mutual_authentication, gssapi.RequirementFlag.integrity] if mutual else []
        name = gssapi.Name(f"{service}@{host}", gssapi.NameType.hostbased_service)
        self.context = gssapi.SecurityContext(name=name, usage="initiate", mech=gssapi.MechType.kerberos, flags=flags)
        self.authorize_as, self.layer, self.offered = authorize_as, layer, None

    def step(self, challenge):
        if not self.context.complete:
            return self.context.step(challenge or None) or b""
        self.offered = self.context.unwrap(challenge).message
        assert len(self.offered) == 4
        return self.context.wrap(bytes([self.layer, 0, 0, 0]) + self.authorize_as.encode(), False).message


class Same:
    """A client that sends what it was given."""

    def __init__(self, token):
        self.token = token

    def step(self, _):
        return self.token


class Begun:
    """A client that made its first token long ago."""

    def __init__(self, ticket):
        self.ticket, self.first = ticket, ticket.step(b"")

    def step(self, challenge):
        if self.first is None:
            return self.ticket.step(challenge)
        first, self.first = self.first, None
        return first


def connect(server, service):
    """A raw connection with TLS on which that protocol's AUTH may be said."""
    raw = server.raw(PORTS[service])
    if service == "smtp":
        raw.reply()
        raw.say("EHLO client.example")
        raw.say("STARTTLS")
        raw.starttls()
        raw.say("EHLO client.example")
    elif service == "imap":
        raw.line()
        raw.tagged("STARTTLS")
        raw.starttls()
    else:
        raw.line()
        raw.say("STLS")
        raw.starttls()
    return raw


def answer(raw, service):
    """(challenge, None) or (None, the last word)."""
    line = raw.reply() if service == "smtp" else raw.line()
    while service == "imap" and line.startswith("* ") and not line.startswith("* BAD"):
        line = raw.line()
    if line.startswith(("+ ", "334")):
        return base64.b64decode(line.split(" ", 1)[1] if " " in line else ""), None
    return None, line


def authenticate(server, service, ticket, initial=True, change=lambda number, token: token):
    """The server's last word to a whole exchange. change(number, token) may spoil what is sent."""
    with connect(server, service) as raw:
        command = {"smtp": "AUTH GSSAPI", "imap": "a AUTHENTICATE GSSAPI", "pop": "AUTH GSSAPI"}[service]
        sent = 0
        if initial:
            command += " " + base64.b64encode(change(0, ticket.step(b""))).decode()
            sent = 1
        raw.send(command.encode() + b"\r\n")
        while True:
            challenge, last = answer(raw, service)
            if last is not None:
                return last
            assert sent < 10
            raw.send(base64.b64encode(change(sent, ticket.step(challenge))) + b"\r\n")
            sent += 1


def is_welcome(service, word):
    return word.startswith({"smtp": "235 ", "imap": "a OK", "pop": "+OK"}[service])


def is_wrong(service, word):
    """Refused, and no more said than that."""
    return word.startswith({"smtp": "535 5.7.8 ", "imap": "a NO [AUTHENTICATIONFAILED]", "pop": "-ERR [AUTH]"}[service]) \
        and "erberos" not in word and "ticket" not in word


def refusals(server):
    """The diagnosis codes in the log."""
    return [line.split(" code=")[1].split()[0] for line in server.log().splitlines() if " kerberos.refused " in line]


__all__ = ["Begun", "Same", "Ticket", "authenticate", "connect", "hauberk", "is_welcome", "is_wrong", "refusals"]

"""Messages of Apache mime4j and MimeKit, appended and fetched by IMAP.

What two versions of Dovecot agree on (imap-golden/golden.jsonl) must come out the same: sizes, ENVELOPE, BODY,
BODYSTRUCTURE, header and first part; tokens are compared, however a string is written. The trees and texts of
mime4j's own event files must come out too. The messages in DIFFERENT and OTHER_TREE differ for a reason that
docs/conformance.md gives; each must still differ, so that its table stays true.
"""
import hashlib
import json
import re
import xml.etree.ElementTree

import pytest

import hauberk
from imap_tokens import take, tokens

AGREE, SAME_TREE = 60, 25
DIFFERENT = {
    "boundary-name-clash.msg", "related.msg", "body.5.txt", "body.6.txt", "body.7.txt", "rfc2060.txt",
    "issue358.txt", "missing-subtype.txt", "stack-overflow.txt"}
OTHER_TREE = {
    "bad-newlines-multiple-parts-base64.msg", "base64encoded-rfc822message.msg",
    "base64encoded-rfc822message-nested.msg", "malformedHeaderStartsBody-nocrlfcrlf.msg",
    "malformedHeaderStartsBody-noheader.msg", "very-long-boundary.msg", "very-very-long-boundary.msg"}
ITEMS = ("BODYSTRUCTURE", "BODY", "ENVELOPE", "RFC822.SIZE")
SECTIONS = ("BODY.PEEK[1]", "BODY.PEEK[1.MIME]", "BODY.PEEK[HEADER]")


@pytest.fixture(scope="module")
def golden(suites):
    path = suites / "imap-golden/golden.jsonl"
    if not path.exists():
        pytest.skip("no imap-golden/golden.jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row for row in rows if row["agree"]]


@pytest.fixture(scope="module")
def client():
    server = hauberk.Server(hauberk.RELEASE)
    try:
        server.start().populate("bob")
        yield server.logged_in()
        server.stop()
    finally:
        server.kill()


def with_crlf(path):
    return re.sub(rb"\r?\n", b"\r\n", path.read_bytes())


def octets_of(suites, row):
    octets = with_crlf(suites / row["file"])
    assert hashlib.sha1(octets).hexdigest() == row["sha1_crlf"]
    return octets


def until_tag(raw, tag=b"a"):
    """All octets up to the tagged line; literals are skipped, not searched."""
    at, size = 0, None
    while True:
        end = raw.rest.find(b"\r\n", at)
        if end < 0 or (size is not None and len(raw.rest) < end + 2 + size):
            more = raw.socket.recv(1 << 20)
            assert more, "the server closed"
            raw.rest += more
            continue
        line = raw.rest[at:end]
        literal = re.search(rb"\{(\d+)\}$", line)
        if literal:
            size = int(literal.group(1))
            if len(raw.rest) < end + 2 + size:
                continue
            at, size = end + 2 + size, None
            continue
        at = end + 2
        if line.startswith(tag + b" "):
            text, raw.rest = raw.rest[:at], raw.rest[at:]
            assert line.startswith(tag + b" OK"), line
            return text


def append(raw, octets):
    raw.send(b"a APPEND INBOX {%d}\r\n" % len(octets))
    assert raw.line().startswith("+")
    raw.send(octets + b"\r\n")
    until_tag(raw)


def fetch(raw, items):
    """The values of one FETCH of the newest message, by name."""
    raw.send(b"a SELECT INBOX\r\n")
    count = int(re.search(rb"\* (\d+) EXISTS", until_tag(raw)).group(1))
    raw.send(b"a FETCH %d (%s)\r\n" % (count, items))
    text = until_tag(raw)
    at = text.index(b"FETCH (") + 7
    found = {}
    while text[at:at + 1] != b")":
        at += text[at:at + 1] == b" "
        end = at + re.match(rb"[A-Z0-9.]+(\[[^]]*\])?", text[at:]).end()
        name = text[at:end].decode()
        found[name], at = take(text, end + 1)
    return found


def observed(raw, octets):
    append(raw, octets)
    found = fetch(raw, b"BODYSTRUCTURE BODY ENVELOPE RFC822.SIZE BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[HEADER]")
    values = {name: found[name] for name in ITEMS}
    for name in SECTIONS:
        section = found[name.replace(".PEEK", "")]
        values["sha1 " + name] = None if section is None else hashlib.sha1(section).hexdigest()
    return values


def expected(row):
    values = next(v for k, v in row.items() if k.startswith("dovecot"))
    return {k: v if k.startswith("sha1") else tokens(v.encode("latin-1")) for k, v in values.items()}


def test_what_two_dovecots_agree_on(suites, golden, client):
    differing = {}
    for row in golden:
        want, got = expected(row), observed(client, octets_of(suites, row))
        wrong = {k: (want[k], got[k]) for k in want if want[k] != got[k]}
        if wrong:
            differing[row["file"].rsplit("/", 1)[1]] = wrong
    for name in differing.keys() ^ DIFFERENT:
        print(name, differing.get(name, "agrees now"))
    assert differing.keys() == DIFFERENT
    assert len(golden) - len(differing) == AGREE


def tree_of_events(element):
    """What mime4j saw: a list for a multipart, ("message", tree), or the text of a leaf without blanks."""
    for child in element:
        if child.tag == "multipart":
            # RFC 9051 §9, body-type-mpart: a multipart shows at least one part.
            return [tree_of_events(part) for part in child if part.tag == "body-part"] or [""]
        if child.tag == "message":
            return ("message", tree_of_events(child))
        if child.tag == "body":
            return "".join((child.text or "").split())
    return ""


def tree_of_structure(raw, structure, path):
    """The same of what our server shows, the texts fetched part by part."""
    if isinstance(structure[0], list):
        parts = [part for part in structure if isinstance(part, list)]
        parts = parts[:next(i for i, item in enumerate(structure) if not isinstance(item, list))]
        return [tree_of_structure(raw, part, path + [i + 1]) for i, part in enumerate(parts)]
    if (structure[0].lower(), structure[1].lower()) == (b"message", b"rfc822"):
        inner = structure[8]
        return ("message", tree_of_structure(raw, inner, path if isinstance(inner[0], list) else path + [1]))
    name = "BODY[" + ".".join(map(str, path or [1])) + "]"
    text = fetch(raw, name.replace("BODY", "BODY.PEEK").encode())[name]
    return "".join(text.decode("latin-1").split())


def test_the_trees_of_mime4j(suites, client):
    files = sorted((suites / "mime-mime4j").rglob("testmsgs/*.msg"))
    if not files:
        pytest.skip("no mime-mime4j")
    differing = set()
    for path in files:
        append(client, with_crlf(path))
        structure = fetch(client, b"BODYSTRUCTURE")["BODYSTRUCTURE"]
        want = tree_of_events(xml.etree.ElementTree.parse(path.with_suffix(".xml")).getroot())
        if tree_of_structure(client, structure, []) != want:
            differing.add(path.name)
    assert differing == OTHER_TREE
    assert len(files) - len(differing) == SAME_TREE

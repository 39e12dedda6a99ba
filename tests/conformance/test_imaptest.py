"""The scripted tests of imaptest, each with two accounts of its own, against the real server."""
import re

import pytest

import hauberk
import imapscript

SCRIPTS = 72
# By script: the extension that it needs and the server does not have, or the line that it stops at;
# docs/conformance.md says why.
DIFFERENT = {
    "catenate": "CATENATE",
    "catenate-multiappend": "CATENATE",
    "notify": "NOTIFY",
    "search-context-update": "CONTEXT=SEARCH",
    "search-context-update2": "CONTEXT=SEARCH",
    "search-context-update3": "CONTEXT=SEARCH",
    "search-partial": "CONTEXT=SEARCH",
    "sort-partial": "CONTEXT=SORT",
    "urlauth": "URLAUTH",
    "urlauth-binary": "URLAUTH URLAUTH=BINARY",
    "urlauth2": "URLAUTH",
}


@pytest.fixture(scope="module")
def scripts(suites):
    folder = suites / "imaptest/src/tests"
    if not folder.is_dir():
        pytest.skip("no imaptest")
    return [path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix != ".mbox"]


@pytest.fixture(scope="module")
def served():
    server = hauberk.Server(hauberk.ASAN)
    try:
        server.start().must("domain", "add", "example.org")
        yield server
        server.stop()
    finally:
        server.kill()


def accounts(server, name):
    """Two new ones."""
    users = [f"{name.lower()}{i}@example.org" for i in (1, 2)]
    for user in users:
        server.must("account", "add", user, secret=hauberk.PASSWORD)
    return users


def test_scripts(scripts, served):
    failed = {}
    for path in scripts:
        script = imapscript.Script(path)
        why = imapscript.play(script, lambda: served.raw("imap_plain"), accounts(served, path.name), hauberk.PASSWORD)
        if why:
            failed[path.name] = why
            print(path.name, why)
    print(f"{len(scripts) - len(failed)} of {len(scripts)} scripts pass")
    wrong = {name: failed.get(name, "passes now") for name in failed.keys() | DIFFERENT.keys()
             if re.sub("^needs |:.*", "", failed.get(name, ""), flags=re.S) != DIFFERENT.get(name)}
    assert not wrong, wrong
    assert len(scripts) == SCRIPTS

"""testssl.sh, a foreign judge of what is offered: nothing of weight, but for the certificate of a test."""
import json
import os
import subprocess

import pytest

import hauberk
from test_certificates import both, make
from test_tls import Listeners

# What it says of a certificate that nobody vouches for, and that lives as long as a test.
OF_THE_CERTIFICATE = {"cert_chain_of_trust", "cert_expirationStatus", "cert_notAfter", "cert_revocation"}
WEIGHT = {"MEDIUM", "HIGH", "CRITICAL"}
LONG = bool(os.environ.get("HAUBERK_LONG"))


def judged(port, *words):
    """Its findings by id. --fast takes half a minute for a listener, all of it several."""
    path = hauberk.new_folder() / "findings.json"
    subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", "127.0.0.1",
                    *(() if LONG else ("--fast",)), "--jsonfile", str(path), *words, f"localhost:{port}"],
                   stdin=subprocess.DEVNULL, capture_output=True, timeout=1200 if LONG else 240)
    return {one["id"]: one for one in json.loads(path.read_text())}


@pytest.mark.parametrize("name,words", [("smtp", ("--starttls", "smtp")), ("own", ())])
def test_nothing_of_weight_is_found(new_server, name, words):
    folder = hauberk.new_folder()
    pairs = make(folder, "localhost", "ec", ["localhost"]), make(folder, "localhost", "rsa", ["localhost"])
    here = Listeners(new_server, own=both(*pairs))
    found = judged(here.ports.get(name) or here.server.ports[name], *words)
    # It came to its end, and saw what there is.
    for one, finding in (("SSLv2", "not offered"), ("SSLv3", "not offered"), ("TLS1", "not offered"), ("TLS1_1", "not offered"),
                         ("TLS1_2", "offered"), ("TLS1_3", "offered with final")):
        assert found[one]["finding"].startswith(finding), found[one]
    for one in ("heartbleed", "CCS", "ticketbleed", "ROBOT", "secure_renego", "CRIME_TLS", "POODLE_SSL", "FREAK", "DROWN", "LOGJAM",
                "BEAST", "SWEET32"):
        assert found.get(one, {"severity": "OK"})["severity"] in ("OK", "INFO", "WARN"), found[one]
    assert "heartbleed" in found and "ROBOT" in found
    bad = [one for one in found.values() if one["severity"] in WEIGHT and one["id"].split(" ")[0] not in OF_THE_CERTIFICATE]
    assert not bad, bad

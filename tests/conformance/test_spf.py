"""The SPF suite of openspf.org for RFC 7208, asked of hauberk spf check over a real name server."""
import concurrent.futures
import json
import subprocess

import pytest
import yaml

import hauberk
import zone


def scenarios(folder):
    path = folder / "spf-openspf/test/rfc7208-tests.yml"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return [s for s in yaml.safe_load_all(path.read_bytes()) if s]


def check(port, conf, case):
    sender = case.get("mailfrom") or ""
    done = subprocess.run(
        [hauberk.RELEASE, "spf", "check", "--dns", f"127.0.0.1:{port}", "-c", conf, "--trace", "--ip", case["host"], "--from",
         sender if sender != "<>" else "", "--helo", case.get("helo") or "x.example"],
        capture_output=True, text=True, errors="surrogateescape", timeout=120)
    result, explanation, *trace = done.stdout.split("\n")
    return result, explanation, trace, done.stderr


def faults(port, conf, name, case):
    result, explanation, trace, errors = check(port, conf, case)
    wanted = case["result"] if isinstance(case["result"], list) else [case["result"]]
    said = case.get("explanation")
    if result not in wanted:
        return [f"{name}: {result}, not {wanted}: {trace} {errors}"]
    # "DEFAULT" is what a checker says by itself. The suite writes %{i} of IPv6 with capitals, RFC 7208 §7.4 without.
    if said is not None and explanation.lower() != ("" if said == "DEFAULT" else said.lower()):
        return [f"{name}: explanation {explanation!r}, not {said!r}"]
    return []


@pytest.fixture
def conf(tmp_path):
    conf = tmp_path / "hauberk.conf"
    conf.write_text('hostname = "mx.example.org"; dns: { timeout = "1500 ms"; };\n'
                    'listeners = ( { protocol = "smtp"; address = "127.0.0.1"; port = 1; tls = "no"; } );\n')
    return conf


def test_every_case_of_rfc_7208(suites, conf):
    wrong, count = [], 0
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for scenario in scenarios(suites):
            (port,) = hauberk.free_ports(1)
            server = zone.Server(scenario["zonedata"], port)
            jobs = [pool.submit(faults, port, conf, name, case) for name, case in scenario["tests"].items()]
            wrong += [fault for job in jobs for fault in job.result()]
            count += len(jobs)
            server.stop()
    assert count >= 200
    assert wrong == [], "\n".join(wrong)


RSPAMD = {"R_SPF_ALLOW": "pass", "R_SPF_PLUSALL": "pass", "R_SPF_FAIL": "fail", "R_SPF_NA": "none",
          "R_SPF_PERMFAIL": "permerror", "R_SPF_DNSFAIL": "temperror"}
# What differs, and the paragraph of RFC 7208 that says so (docs/conformance.md).
RSPAMD_DIFFERS = {"SPF ALLOW DNS REQUESTS AT LIMIT": "permerror",  # 30 terms that ask: §4.6.4 allows 10
                  "SPF FAIL UNRESOLVEABLE INCLUDE": "permerror"}  # an include without a record: §5.2


def rspamd_cases(folder):
    """Name and question of each case with an address of its own; the zone that all of them share."""
    rows = json.loads((folder / "auth-rspamd/cases.json").read_text())
    cases = {}
    for row in rows:
        step = row["steps"][0]
        if row["suite"] == "117_spf" and "ip" in step:
            cases[row["name"]] = {"host": step["ip"], "mailfrom": step["from"], "helo": step.get("helo"),
                                  "result": RSPAMD[step["expect"][0]]}
    return cases, next(yaml.safe_load_all((folder / "auth-rspamd/zone.yml").read_bytes()))["zonedata"]


def test_the_spf_cases_of_rspamd(suites, conf):
    if not (suites / "auth-rspamd").is_dir():
        pytest.skip("auth-rspamd is not there")
    cases, zonedata = rspamd_cases(suites)
    (port,) = hauberk.free_ports(1)
    server = zone.Server(zonedata, port)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        results = dict(zip(cases, pool.map(lambda case: check(port, conf, case)[0], cases.values())))
    server.stop()
    assert len(cases) == 35
    assert {name: got for name, got in results.items() if got != cases[name]["result"]} == RSPAMD_DIFFERS

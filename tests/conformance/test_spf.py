"""The SPF suite of openspf.org for RFC 7208, asked of hauberk spf check over a real name server."""
import concurrent.futures
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


def test_every_case_of_rfc_7208(suites, tmp_path):
    conf = tmp_path / "hauberk.conf"
    conf.write_text('hostname = "mx.example.org"; dns: { timeout = "1500 ms"; };\n'
                    'listeners = ( { protocol = "smtp"; address = "127.0.0.1"; port = 1; tls = "no"; } );\n')
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

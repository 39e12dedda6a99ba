"""Attack 10: records that make a checker work for others: loops, chains, names without end, questions without answer.
Each ends with the right error, after few questions."""
import subprocess
import sys

import pytest

import hauberk

sys.path.insert(0, str(hauberk.ROOT / "tests/conformance"))
import zone  # noqa: E402

QUESTIONS_MOST = 130  # 10 terms, 10 names each of an MX, and what goes with them


class Counting(zone.Server):
    def __init__(self, zonedata):
        self.asked = 0
        (port,) = hauberk.free_ports(1)
        super().__init__(zonedata, port)

    def find(self, name, kind):
        self.asked += 1
        return super().find(name, kind)


def txt(text):
    return [{"TXT": text}]


WIDE = {f"w{i}.test": txt("v=spf1 " + " ".join(f"include:w{i + 1}.test" for _ in range(12)) + " -all") for i in range(12)}
MX = [{"MX": [i, f"mx{i}.mx.test"]} for i in range(10)]
LONG = "a" * 60
ZONES = {
    "loop": ({"bomb.test": txt("v=spf1 include:bomb.test -all")}, "permerror"),
    "two that call each other": ({"bomb.test": txt("v=spf1 include:b.test -all"), "b.test": txt("v=spf1 include:bomb.test -all")},
                                 "permerror"),
    "redirect loop": ({"bomb.test": txt("v=spf1 redirect=bomb.test")}, "permerror"),
    "includes of includes": ({"bomb.test": txt("v=spf1 include:w0.test -all"), **WIDE}, "permerror"),
    "a hundred void look-ups": ({"bomb.test": txt("v=spf1 " + " ".join(f"a:v{i}.void.test" for i in range(100)) + " -all"),
                                 "void.test": txt("x")}, "permerror"),
    "exists by macros": ({"bomb.test": txt("v=spf1 " + " ".join(f"exists:%{{ir}}.{i}.%{{l1r+}}.x.test" for i in range(20)) + " ?all"),
                          "x.test": txt("x")}, "permerror"),
    "ten times ten names": ({"bomb.test": txt("v=spf1 " + " ".join("mx:mx.test" for _ in range(10)) + " -all"), "mx.test": MX,
                             **{f"mx{i}.mx.test": [{"A": "192.0.2.99"}] for i in range(10)}}, "fail"),
    "eleven names": ({"bomb.test": txt("v=spf1 mx -all") + MX + [{"MX": [11, "mx0.mx.test"]}]}, "permerror"),
    "names that grow": ({"bomb.test": txt("v=spf1 exists:" + ".".join(["%{l}"] * 60) + ".x.test -all"), "x.test": txt("x")}, "fail"),
    "a record of 60 KB": ({"bomb.test": txt("v=spf1 " + "ip4:192.0.2.200 " * 3700 + "-all")}, "fail"),
    "many strings": ({"bomb.test": [{"TXT": ["v=spf1 "] + ["ip4:192.0.2.200 "] * 1500 + ["-all"]}]}, "fail"),
    "two hundred names of an address": ({"bomb.test": txt("v=spf1 ptr -all"), "3.2.0.192.in-addr.arpa": [
        {"PTR": f"p{i}.bomb.test"} for i in range(200)]}, "fail"),
    "an explanation that calls back": ({"bomb.test": txt("v=spf1 -all exp=%{p}.bomb.test")}, "fail"),
}


@pytest.mark.parametrize("name", ZONES)
def test_it_ends_after_few_questions(name, tmp_path):
    zonedata, expected = ZONES[name]
    server = Counting(zonedata)
    try:
        done = subprocess.run(
            [hauberk.ASAN, "spf", "check", "--dns", f"127.0.0.1:{server.port}", "-c", tmp_path / "none", "--ip", "192.0.2.3",
             "--from", f"{LONG}@bomb.test", "--helo", "bomb.test", "--trace"], capture_output=True, text=True, timeout=60)
    finally:
        server.stop()
    assert done.returncode == 1 and not done.stderr, done
    assert done.stdout.split("\n")[0] == expected, done.stdout[-600:]
    assert server.asked <= QUESTIONS_MOST
    assert len(done.stdout) < 200_000

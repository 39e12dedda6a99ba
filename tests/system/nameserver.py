"""Servers of the domain name system for the tests, on loopback: one that signs (Knot), one that is scripted."""
import subprocess
import threading
import time

import hauberk

ZONE = """
$ORIGIN signed.test.
@ 300 SOA ns admin 1 3600 600 86400 60
@ 300 NS ns
ns 300 A 127.0.0.1
@ 300 MX 10 mail
@ 300 MX 20 other
mail 300 A 192.0.2.25
mail 300 AAAA 2001:db8::25
alias 300 CNAME mail
@ 300 TXT "v=spf1 mx" " -all"
_25._tcp.mail 300 TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
*.wild 300 TXT "any"
"""

KNOT = """
server:
  rundir: "{folder}"
  listen: 127.0.0.1@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: stderr
    any: warning
database:
  storage: "{folder}"
policy:
  - id: p
    algorithm: ecdsap256sha256
    single-type-signing: on
    zsk-lifetime: 0
    ksk-lifetime: 0
template:
  - id: default
    storage: "{folder}"
    dnssec-signing: on
    dnssec-policy: p
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
zone:
  - domain: signed.test
    file: "{folder}/zone"
"""


class Knot:
    """signed.test, signed by itself. `anchor` is a file with what a validator begins with."""

    def __init__(self):
        self.folder = hauberk.new_folder()
        (self.port,) = hauberk.free_ports(1)
        (self.folder / "zone").write_text(ZONE)
        self.conf = self.folder / "knot.conf"
        self.conf.write_text(KNOT.format(folder=self.folder, port=self.port))
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen([*hauberk.as_user(), "/usr/sbin/knotd", "-c", self.conf], stdout=self.log, stderr=self.log)
        self.anchor = self.folder / "anchor"
        hauberk.wait_for("the signed zone", self.make_anchor)

    def make_anchor(self):
        done = subprocess.run([*hauberk.as_user(), "/usr/sbin/keymgr", "-c", self.conf, "signed.test", "ds"], capture_output=True, text=True,
                              timeout=20)
        rows = [line for line in done.stdout.splitlines() if " DS " in line and line.split()[4] == "2"]
        self.anchor.write_text("\n".join(rows) + "\n")
        return rows and self.answers()

    def answers(self):
        done = subprocess.run(["/usr/bin/kdig", "@127.0.0.1", "-p", str(self.port), "+dnssec", "+short", "signed.test",
                               "SOA"], capture_output=True, text=True, timeout=20)
        return "SOA" in done.stdout

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


class Scripted:
    """Answers as `answer(name, type)` says: records as zone files write them, an rcode's name, or None: never."""

    def __init__(self, answer):
        import dnslib
        import dnslib.server

        (self.port,) = hauberk.free_ports(1)
        self.asked, self.first_labels = [], []
        outer = self

        class Resolver(dnslib.server.BaseResolver):
            def resolve(self, request, handler):
                name, kind = str(request.q.qname).lower(), dnslib.QTYPE[request.q.qtype]
                outer.asked.append((name, kind))
                outer.first_labels.append(request.q.qname.label[0] if len(request.q.qname.label) == 1 else
                                          b".".join(request.q.qname.label))
                said, reply = answer(name, kind), request.reply()
                if said is None:
                    time.sleep(3600)
                if said in dnslib.RCODE.reverse:
                    reply.header.rcode = getattr(dnslib.RCODE, said)
                else:
                    reply.add_answer(*dnslib.RR.fromZone(said))
                return reply

        quiet = dnslib.server.DNSLogger(log="-")
        self.servers = [dnslib.server.DNSServer(Resolver(), address="127.0.0.1", port=self.port, tcp=tcp, logger=quiet)
                        for tcp in (False, True)]
        for server in self.servers:
            server.server.daemon_threads = True
            server.start_thread()

    def stop(self):
        """Does not wait: each thread looks up twice a second whether it is to end."""
        for server in self.servers:
            threading.Thread(target=server.server.shutdown, daemon=True).start()

"""A Kerberos realm of the tests: a KDC in a folder of its own, principals, keytabs, tickets."""
import base64
import contextlib
import os
import pathlib
import subprocess

import hauberk

REALM = "EXAMPLE.ORG"
# The services of a mail server, as keytabs name them.
SERVICES = ("smtp", "imap", "pop")
AES = "aes256-cts-hmac-sha1-96"
RC4 = "arcfour-hmac"
# Debian keeps the servers' programs where users do not look.
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

CLIENT_CONF = """
[libdefaults]
  default_realm = {realm}
  dns_lookup_realm = false
  dns_lookup_kdc = false
  dns_canonicalize_hostname = false
  rdns = false
  allow_weak_crypto = true
  udp_preference_limit = 1
[realms]
  {realm} = {{
    kdc = {address}:{port}
  }}
"""

KDC_CONF = """
[kdcdefaults]
  kdc_listen = 127.0.0.1:{port}
  kdc_tcp_listen = 127.0.0.1:{port}
[realms]
  {realm} = {{
    database_name = {folder}/principal
    acl_file = {folder}/kadm5.acl
    key_stash_file = {folder}/stash
    max_life = 10h
    supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal
  }}
[logging]
  kdc = FILE:{folder}/kdc.log
"""

# The first token of a client, in a process of its own.
TOKEN = """
import base64, sys, gssapi
name = gssapi.Name("@".join(sys.argv[1:3]), gssapi.NameType.hostbased_service)
print(base64.b64encode(gssapi.SecurityContext(name=name, usage="initiate", mech=gssapi.MechType.kerberos).step()).decode())
"""


@contextlib.contextmanager
def environment_of(environment):
    """This process has that environment for the libraries that it uses."""
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def behind(age):
    """The environment of a process whose clock is so far behind, as "10m", or ahead, as "+10m"."""
    # Not by the program faketime, which stays between a process and who ends it.
    return {"LD_PRELOAD": str(next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))),
            "FAKETIME": age if age.startswith("+") else f"-{age}"}


class Realm:
    """What users and services of any realm do. Users get the password NAME-pw; what is made here can be read by the
    user of the tests' servers."""

    def __init__(self, realm, host, address, port):
        self.realm, self.host, self.address, self.port = realm, host, address, port
        self.folder = hauberk.new_folder()
        self.conf = self.folder / "krb5.conf"
        self.conf.write_text(CLIENT_CONF.format(realm=realm, address=address, port=port))
        self.environment = {**os.environ, "KRB5_CONFIG": str(self.conf), "PATH": PATH}

    def run(self, *words, text=None, environment=None, seconds=30):
        done = subprocess.run(words, input=text, text=True, capture_output=True, timeout=seconds,
                              env=environment or self.environment)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def service(self, name, host=None):
        return f"{name}/{host or self.host}"

    # ---- keys ----

    def merge(self, parts, file):
        merged = self.folder / file
        merged.unlink(missing_ok=True)
        self.run("ktutil", text="".join(f"rkt {part}\n" for part in parts) + f"wkt {merged}\nq\n")
        merged.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(merged, 65534, 65534)
        return merged

    # ---- tickets ----

    def logged_on(self, user, *options):
        """This process is that user for the libraries that it uses."""
        return environment_of(self.ticket(user, *options))

    def ticket(self, user, *options):
        """The environment of somebody who has logged on."""
        cache = self.folder / f"ccache.{user}"
        environment = {**self.environment, "KRB5CCNAME": f"FILE:{cache}"}
        self.run("kinit", *options, user, text=f"{user}-pw\n", environment=environment)
        return environment

    def old_token(self, service, age, *options):
        """A token made by a client whose clock, and whose KDC's, was so far behind, as "10m"."""
        environment = {**self.environment, **behind(age), "KRB5CCNAME": f"FILE:{self.folder}/ccache.old"}
        self.stop()
        self.start(behind(age))
        try:
            self.run("kinit", *options, "ann", text="ann-pw\n", environment=environment)
            self.run("kvno", self.service(service), environment=environment)
            token = self.run("/usr/bin/python3", "-c", TOKEN, service, self.host, environment=environment)
        finally:
            self.stop()
            self.start()
        return base64.b64decode(token)

    def service_ticket(self, environment, name, host=None):
        """Asks for one; its encryption type, as klist tells it."""
        self.run("kvno", self.service(name, host), environment=environment)
        lines = self.run("klist", "-e", environment=environment).splitlines()
        place = [i for i, line in enumerate(lines) if self.service(name, host) + "@" in line][-1]
        return lines[place + 1].split("tkt)")[-1].split(",")[-1].strip()


class Kdc(Realm):
    """A KDC of MIT: made in a moment."""

    def __init__(self, realm=REALM, host="localhost", users=("ann", "bob")):
        super().__init__(realm, host, "127.0.0.1", hauberk.free_ports(1)[0])
        self.process = None
        (self.folder / "kdc.conf").write_text(KDC_CONF.format(realm=realm, port=self.port, folder=self.folder))
        self.environment["KRB5_KDC_PROFILE"] = str(self.folder / "kdc.conf")
        self.run("kdb5_util", "create", "-s", "-P", "master", "-r", realm)
        self.admin(*(f"addprinc -pw {user}-pw {user}" for user in users),
                   *(f"addprinc -randkey {self.service(name)}" for name in SERVICES))

    def admin(self, *commands):
        """Commands of kadmin.local, which tells failures in its text only."""
        done = subprocess.run(["kadmin.local", "-r", self.realm], input="\n".join(commands) + "\n", text=True,
                              capture_output=True, timeout=30, env=self.environment)
        wrong = [line for line in done.stderr.splitlines() if "while" in line]
        assert done.returncode == 0 and not wrong, (commands, done.stdout, done.stderr)
        return done.stdout

    # ---- life ----

    def start(self, more=None):
        self.process = subprocess.Popen(["krb5kdc", "-n", "-r", self.realm, "-P", str(self.folder / "pid")],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env={**self.environment, **(more or {})})
        hauberk.wait_for("the KDC to listen", self.listening)
        return self

    def listening(self):
        assert self.process.poll() is None, (self.folder / "kdc.log").read_text()
        table = pathlib.Path("/proc/net/tcp").read_text()
        return f":{self.port:04X} 00000000:0000 0A" in table

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait(20)
            self.process = None

    def new_keys(self, name, enctypes=(AES,)):
        """The next version of a service's keys, of these encryption types only."""
        self.admin(f'change_password -randkey -e "{",".join(e + ":normal" for e in enctypes)}" {self.service(name)}')

    def keytab(self, *names, file="mail.keytab"):
        """One keytab exported for each service and merged with ktutil, as an administrator does it."""
        parts = []
        for name in names or SERVICES:
            parts.append(self.folder / f"{name}.keytab")
            parts[-1].unlink(missing_ok=True)
            self.admin(f"ktadd -k {parts[-1]} -norandkey {self.service(name)}")
        return self.merge(parts, file)

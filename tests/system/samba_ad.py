"""An Active Directory of the tests: a domain controller of Samba in a folder of its own, provisioned once a run."""
import random
import shutil
import socket
import subprocess
import time

import hauberk
import kdc as kerberos

SMB_CONF = """
[global]
  netbios name = DC1
  workgroup = {workgroup}
  realm = {realm}
  server role = active directory domain controller
  interfaces = {address}/8
  bind interfaces only = yes
  lock directory = {folder}/dc
  cache directory = {folder}/dc/cache
  state directory = {folder}/dc/state
  private dir = {folder}/dc/private
  binddns dir = {folder}/dc/bind-dns
  pid directory = {folder}/dc/run
  ncalrpc dir = {folder}/dc/ncalrpc
  ntp signd socket directory = {folder}/dc/ntp
  log file = {folder}/dc/log/log.%m
  log level = 1 auth_audit:3
  server services = ldap kdc cldap dns
  dns update command = /bin/true
  spn update command = /bin/true
  gpo update command = /bin/true
  disable netbios = yes
  load printers = no
  printcap name = /dev/null
  tls enabled = no
  ldap server require strong auth = no
  krb5 port = {ports[0]}
  kpasswd port = {ports[1]}
  dns port = {ports[2]}
  cldap port = {ports[3]}
"""

# Accounts of the services; docs/active-directory.md makes others.
ACCOUNTS = {name: f"svc_{name}" for name in kerberos.SERVICES}
GROUPS = 900


def missing():
    """The programs that are not installed."""
    return [name for name in ("samba-tool", "samba", "ldbmodify", "ktutil") if not shutil.which(name, path=kerberos.PATH)]


def free_address():
    """Samba listens for LDAP on port 389 whatever it is told: an address of loopback where nobody else does."""
    for _ in range(100):
        address = f"127.77.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
        with socket.socket() as probe:
            try:
                probe.bind((address, 389))
                return address
            except OSError:
                continue
    raise AssertionError("no loopback address has port 389 free; the tests of Active Directory want root")


class SambaAD(kerberos.Realm):
    """Users get the password NAME-pw; big is in 900 groups; each service has an account with AES keys."""

    def __init__(self, realm=kerberos.REALM, host="localhost", users=("ann", "bob", "carol", "gone", "big")):
        began = time.monotonic()
        ports = hauberk.free_ports(4)
        super().__init__(realm, host, free_address(), ports[0])
        self.process = None
        self.smb_conf = self.folder / "smb.conf"
        self.base = ",".join(f"DC={part}" for part in realm.lower().split("."))
        self.ldap = f"ldap://{self.address}"
        self.provision(ports)
        self.tool("domain", "passwordsettings", "set", "--complexity=off", "--min-pwd-age=0", "--max-pwd-age=0",
                  "--history-length=0", "--min-pwd-length=1")
        for user in users:
            self.tool("user", "create", user, f"{user}-pw")
        for name, account in ACCOUNTS.items():
            self.new_service(name, account)
        self.many_groups("big")
        self.tool("spn", "add", f"ldap/dc1.{realm.lower()}", "DC1$")  # as its own update would have done
        self.start()
        self.seconds = time.monotonic() - began
        print(f"Active Directory (Samba) was provisioned in {self.seconds:.1f} s")

    # ---- making it ----

    def provision(self, ports):
        (self.folder / "empty.conf").write_text("[global]\n")
        self.run("samba-tool", "domain", "provision", "-s", str(self.folder / "empty.conf"),
                 f"--targetdir={self.folder}/dc", f"--realm={self.realm}", "--domain=EXAMPLE", "--server-role=dc",
                 "--dns-backend=SAMBA_INTERNAL", "--adminpass=Adm1n-Passw0rd", "--host-name=dc1",
                 f"--host-ip={self.address}", f"--option=interfaces={self.address}/8",
                 "--option=bind interfaces only=yes", seconds=120)
        for name in ("log", "run", "ncalrpc", "cache"):
            (self.folder / "dc" / name).mkdir(exist_ok=True)
        self.smb_conf.write_text(SMB_CONF.format(workgroup="EXAMPLE", realm=self.realm, address=self.address,
                                                 folder=self.folder, ports=ports))

    def tool(self, *words):
        """samba-tool, of this domain."""
        return self.run("samba-tool", *words, "-s", str(self.smb_conf), seconds=60)

    def ldif(self, program, *texts, file="sam.ldb"):
        """Changes of the directory's own database, or of what lies below its rules. From a file: they open their
        transaction before they read."""
        path = self.folder / "change.ldif"
        path.write_text("\n".join(texts))
        return self.run(program, "-H", str(self.folder / "dc/private" / file), str(path), seconds=60)

    def dn(self, account):
        return f"CN={account},CN=Users,{self.base}"

    def change(self, account, attribute, value):
        self.ldif("ldbmodify", f"dn: {self.dn(account)}\nchangetype: modify\nreplace: {attribute}\n"
                               f"{attribute}: {value}\n")

    def new_service(self, name, account, aes=True, host=None):
        """An account with a service's name; with aes it has keys of AES, which AD makes only when told to."""
        self.tool("user", "create", account, "--random-password")
        self.tool("spn", "add", self.service(name, host), account)
        if aes:
            self.change(account, "msDS-SupportedEncryptionTypes", 24)

    def duplicate_spn(self, name, account):
        """Another account with the same name, as it comes of an old domain; samba-tool would refuse."""
        self.tool("user", "create", account, "--random-password")
        self.ldif("ldbmodify", f"dn: {self.dn(account)}\nchangetype: modify\nadd: servicePrincipalName\n"
                               f"servicePrincipalName: {name}\n", file=f"sam.ldb.d/{self.base.upper()}.ldb")

    def many_groups(self, user):
        """Its tickets are as large as those of somebody who has been somewhere for long."""
        # One change of the database, not nine hundred calls of samba-tool.
        self.ldif("ldbadd", *(f"dn: {self.dn(f'group{i}')}\nobjectClass: group\nsAMAccountName: group{i}\n"
                              f"member: {self.dn(user)}\n" for i in range(GROUPS)))

    # ---- life ----

    def start(self, more=None):
        with open(self.folder / "dc/log/out", "ab") as out:
            self.process = subprocess.Popen(["samba", "-F", "--no-process-group", "-M", "single", "-s",
                                             str(self.smb_conf), "--debug-stdout"], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, env={**self.environment, **(more or {})})
        hauberk.wait_for("the domain controller to listen", self.listening, 60)
        return self

    def listening(self):
        assert self.process.poll() is None, (self.folder / "dc/log/out").read_text()[-3000:]
        for port in (self.port, 389):
            try:
                socket.create_connection((self.address, port), 1).close()
            except OSError:
                return False
        return True

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait(20)
            self.process = None

    # ---- keys ----

    def export(self, name, path, host=None):
        path.unlink(missing_ok=True)
        self.tool("domain", "exportkeytab", str(path), f"--principal={self.service(name, host)}")
        return path

    def keytab(self, *names, file="mail.keytab"):
        """One keytab exported for each service and merged with ktutil, as docs/active-directory.md says."""
        return self.merge([self.export(name, self.folder / f"{name}.keytab") for name in names or kerberos.SERVICES],
                          file)

    def new_password(self, account):
        self.tool("user", "setpassword", account, f"--newpassword=pw-{random.getrandbits(60)}")


__all__ = ["ACCOUNTS", "SambaAD", "missing"]

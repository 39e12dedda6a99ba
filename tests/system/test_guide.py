"""The pages of docs/guide and docs/active-directory.md: every command in them is run, in order, as it is printed."""
import os
import pathlib
import re
import subprocess

import pytest

import hauberk
import samba_ad

ROOT = hauberk.ROOT
PAGES = [ROOT / "docs/active-directory.md", *sorted((ROOT / "docs/guide").glob("*.md"))]
HOST = "mail.example.org"
PASSWORD = "ann-pw"  # of ann in the domain, and of whoever is asked for one here


def blocks(page):
    """(language, text, what stands before it) of each fenced block."""
    parts = re.split(r"^```(\w*)\n(.*?)^```\n", page.read_text(), flags=re.M | re.S)
    return [(parts[i + 1], parts[i + 2], parts[i]) for i in range(0, len(parts) - 1, 3)]


def test_only_what_needs_windows_is_not_run():
    seen = 0
    for page in PAGES:
        for language, text, before in blocks(page):
            assert language in ("sh", "libconfig", "powershell"), (page.name, language)
            untested = "untested here: needs Windows" in (before.strip().splitlines() or [""])[-1]
            assert untested == (language == "powershell"), (page.name, text)
            seen += language == "sh"
    assert seen > 10


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)


def install(folder, name, script):
    path = folder / name
    path.write_text("#!/bin/sh\n" + script + "\n")
    path.chmod(0o755)


class Machine:
    """Where the pages' commands find what they name: the server, the domain's programs, the files."""

    def __init__(self, server, folder, ad=None):
        self.server, self.folder = server, folder
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.paths = {"/etc/krb5.keytab": str(folder / "krb5.keytab"), "/etc/hauberk/hauberk.conf": str(server.conf)}
        install(self.programs, "hauberk", f'exec {server.program} "$@" -c {server.conf}')
        self.environment = {**server.environment}
        if ad:
            real = subprocess.run(["which", "samba-tool"], capture_output=True, text=True, check=True).stdout.strip()
            install(self.programs, "samba-tool", f'exec {real} "$@" -s {ad.smb_conf}')
            self.paths["/var/lib/samba/private/sam.ldb"] = str(ad.folder / "dc/private/sam.ldb")
            self.environment |= {**ad.environment, "KRB5CCNAME": f"FILE:{folder}/ccache"}
        hosts = folder / "hosts"
        hosts.write_text(f"127.0.0.1 {HOST}\n" + (f"{ad.address} dc1.example.org\n" if ad else ""))
        self.hosts = {"LD_PRELOAD": str(next(pathlib.Path("/usr/lib").glob("*/libnss_wrapper.so"))),
                      "NSS_WRAPPER_HOSTS": str(hosts)}
        self.environment["PATH"] = f"{self.programs}:/usr/sbin:/usr/bin:/sbin:/bin"

    def text(self, text):
        for path, here in self.paths.items():
            text = text.replace(path, here)
        return text

    def run(self, text):
        more = self.hosts if "hauberk kerberos check" in text else {}
        done = subprocess.run(["sh", "-e", "-c", self.text(text)], input=PASSWORD + "\n", capture_output=True, text=True,
                              timeout=120, cwd=self.folder, env={**self.environment, **more})
        assert done.returncode == 0, (text, done.stdout, done.stderr)
        return done.stdout

    def configure(self, text):
        conf = self.server.conf.read_text()
        self.server.conf.write_text(conf + self.text(text))
        before = self.server.log().count(" reloaded ")
        self.server.process.send_signal(1)
        hauberk.wait_for("the reload", lambda: self.server.log().count(" reloaded ") > before)

    def follow(self, page):
        said = []
        for language, text, _ in blocks(page):
            if language == "libconfig":
                self.configure(text)
            elif language == "sh":
                said.append(self.run(text))
        return said


@pytest.mark.skipif(os.geteuid() != 0, reason="the commands are those of root")
@pytest.mark.parametrize("page", [p for p in PAGES if p.parent.name == "guide"], ids=lambda p: p.stem)
def test_a_page_of_the_guide(page, tmp_path):
    server = hauberk.Server(hauberk.RELEASE).by_root()
    try:
        server.start()
        Machine(server, tmp_path).follow(page)
        server.stop()
    finally:
        server.kill()


@pytest.mark.skipif(bool(samba_ad.missing()) or os.geteuid() != 0, reason="Samba's domain controller is not installed")
def test_active_directory_from_nothing(active_directory, tmp_path):
    server = hauberk.Server(hauberk.RELEASE).by_root()
    try:
        server.conf.write_text(server.conf.read_text().replace(hauberk.HOST, HOST))
        server.start()
        said = Machine(server, tmp_path, active_directory).follow(ROOT / "docs/active-directory.md")
        checks = [text for text in said if text.endswith("no problems\n")]
        assert len(checks) == 2, said
        for text in checks:
            assert "not tested" not in text and text.count("your ticket logs in") == 3, text
        assert "kvno 3" in checks[1] and "kvno 3" not in checks[0]
        server.stop()
    finally:
        server.kill()

"""`make run`: a newcomer's first minutes."""
import os
import pathlib
import poplib
import shutil
import signal
import smtplib
import ssl
import imaplib
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ENV = ROOT / "run/demo.env"


@pytest.fixture
def state():
    folder = pathlib.Path(f"/var/tmp/hauberk-demo-test-{os.getpid()}")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class Demo:
    """One run of tools/demo, until it is interrupted."""

    def __init__(self, state):
        ENV.unlink(missing_ok=True)
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [ROOT / "tools/demo"], env={**os.environ, "HAUBERK_DEMO_STATE": str(state)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        while not ENV.exists():
            assert time.monotonic() - self.started < 30, "no run/demo.env within 30 seconds"
            assert self.process.poll() is None, self.process.stdout.read()
            time.sleep(0.1)
        self.env = dict(line.split("=", 1) for line in ENV.read_text().splitlines())
        self.tls = ssl.create_default_context(cafile=self.env["CA_FILE"])

    def port(self, name):
        return int(self.env[name + "_PORT"])

    def imap(self, user=None):
        client = imaplib.IMAP4_SSL(self.env["HOST"], self.port("IMAPS"), ssl_context=self.tls)
        client.login(user or self.env["USER"], self.env["PASSWORD"])
        return client

    def interrupt(self):
        os.killpg(self.process.pid, signal.SIGINT)
        output, _ = self.process.communicate(timeout=30)
        return output


def count(client):
    return int(client.select("INBOX")[1][0])


def wait_for(client, n):
    for _ in range(100):
        if count(client) >= n:
            return
        time.sleep(0.1)
    assert count(client) >= n


def test_a_newcomer_logs_in_sends_and_finds_it_again_after_a_restart(state):
    demo = Demo(state)
    client = demo.imap()
    wait_for(client, 2)
    _, data = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    assert b"Welcome" in b"".join(part[1] for part in data if isinstance(part, tuple))
    wait_for(demo.imap("bob@example.test"), 1)
    with smtplib.SMTP(demo.env["HOST"], demo.port("SUBMISSION")) as smtp:
        smtp.starttls(context=demo.tls)
        smtp.login(demo.env["USER"], demo.env["PASSWORD"])
        smtp.sendmail("alice@example.test", ["alice@example.test"], "Subject: mine\r\n\r\nhello\r\n")
    wait_for(client, 3)
    output = demo.interrupt()
    assert "Ctrl-C ends it" in output and "stopped" in output
    assert not ENV.exists()

    again = Demo(state)
    assert again.env["PASSWORD"] == demo.env["PASSWORD"]
    assert count(again.imap()) == 3
    pop = poplib.POP3_SSL(again.env["HOST"], again.port("POP3S"), context=again.tls)
    pop.user(again.env["USER"])
    pop.pass_(again.env["PASSWORD"])
    assert pop.stat()[0] == 3
    again.interrupt()

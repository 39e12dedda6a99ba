"""Speaks to Thunderbird as a person would act: scripts of its own kind, run inside it (the Marionette protocol)."""
import json
import socket
import time


class Marionette:
    def __init__(self, port, alive, seconds=60):
        """Connects as soon as it listens; alive() says whether waiting is of use."""
        end = time.monotonic() + seconds
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
                break
            except OSError:
                assert alive() and time.monotonic() < end, "Thunderbird does not listen"
                time.sleep(0.05)
        self.number, self.rest = 0, b""
        self.read()
        self.command("WebDriver:NewSession", capabilities={"alwaysMatch": {}})
        self.command("Marionette:SetContext", value="chrome")
        self.command("WebDriver:SetTimeouts", script=50000)

    def octets(self, n):
        while len(self.rest) < n:
            more = self.socket.recv(65536)
            assert more, "Thunderbird is gone"
            self.rest += more
        taken, self.rest = self.rest[:n], self.rest[n:]
        return taken

    def read(self):
        """A packet is its length, a colon, and JSON."""
        length = b""
        while (octet := self.octets(1)) != b":":
            length += octet
        return json.loads(self.octets(int(length)))

    def command(self, name, **words):
        self.number += 1
        packet = json.dumps([0, self.number, name, words]).encode()
        self.socket.sendall(str(len(packet)).encode() + b":" + packet)
        error, result = self.read()[2:]
        assert not error, error
        return result

    def run(self, script, *words):
        """What the script returns; it may await."""
        done = self.command("WebDriver:ExecuteAsyncScript", args=list(words), newSandbox=True, sandbox="system", script=(
            "const done = arguments[arguments.length - 1], words = arguments;"
            "(async () => {" + script + "})().then(v => done({value: v}), e => done({error: String(e)}));"))["value"]
        assert "error" not in done, done
        return done.get("value")

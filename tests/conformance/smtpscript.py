"""Reads and runs dialogues in the smtpscript language: procedures and test cases of `writeln`, `expect`,
`repeat`, `call`, `sleep` and `starttls`."""
import re
import time

TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([{}\n])|([^\s{}"]+)')


class Failed(Exception):
    """What the server said is not what the dialogue expects."""


class Script:
    """The test cases of a file, as lists of statements."""

    def __init__(self, text):
        lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
        self.tokens = [m.group(1) if m.group(1) is not None else m.group(0)
                       for m in TOKEN.finditer("\n".join(lines) + "\n")]
        self.procedures, self.cases, self.at = {}, [], 0
        while self.skip_lines():
            self.definition()

    def take(self):
        self.at += 1
        return self.tokens[self.at - 1]

    def skip_lines(self):
        while self.at < len(self.tokens) and self.tokens[self.at] == "\n":
            self.at += 1
        return self.at < len(self.tokens)

    def definition(self):
        kind, words = self.take(), []
        while self.tokens[self.at] != "{":
            words.append(self.take())
        if kind == "proc":
            self.procedures[words[0]] = self.block()
            return
        assert kind == "test-case", kind
        name = words[words.index("name") + 1] if "name" in words else f"#{len(self.cases) + 1}"
        body = self.block()
        if "skip" not in words and "no-autoconnect" not in words:
            self.cases.append((name, body))

    def block(self):
        assert self.take() == "{"
        statements = []
        while self.skip_lines() and self.tokens[self.at] != "}":
            statements.append(self.statement())
        self.at += 1
        return statements

    def statement(self):
        word = self.take()
        if word == "repeat":
            times = int(self.take())
            return word, times, self.block() if self.tokens[self.at] == "{" else [self.statement()]
        words = [word]
        while self.tokens[self.at] not in ("\n", "}"):
            words.append(self.take())
        return tuple(words)


def ends(raw):
    """The server has hung up, maybe after a last reply."""
    rest = raw.all().splitlines()
    if len(rest) > 1 or (rest and rest[0][:1] not in "45"):
        raise Failed(f"expected the end, got {rest}")


def expect(raw, what="smtp", wanted="any"):
    if what == "disconnect":
        ends(raw)
        return
    reply = raw.reply()
    good = {"any": "2345", "ok": "23", "helo": "2", "tempfail": "4", "permfail": "5"}[wanted]
    if reply[:1] not in good or not reply:
        raise Failed(f"expected {wanted}, got {reply!r}")


def run(raw, statements, procedures):
    for word, *arguments in statements:
        if word == "repeat":
            for _ in range(arguments[0]):
                run(raw, arguments[1], procedures)
        elif word == "call":
            run(raw, procedures[arguments[0]], procedures)
        elif word in ("writeln", "write"):
            octets = arguments[0].encode("latin-1").decode("unicode_escape").encode("latin-1")
            raw.send(octets + (b"\r\n" if word == "writeln" else b""))
        elif word == "sleep":
            time.sleep(min(int(arguments[0]), 2000) / 1000)
        elif word == "starttls":
            raw.starttls()
        elif word == "expect":
            expect(raw, *arguments)
        else:
            assert word == "noop", word

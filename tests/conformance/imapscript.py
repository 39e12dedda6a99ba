"""The language of imaptest's scripted tests (its docs/scripted_test.md): reads a script and plays it on connections.

A reply and what is expected of it become the same tokens: str for what may hold variables, bytes for literals, None
for NIL, lists. A variable without a value takes what stands in its place.
"""
import datetime
import pathlib
import re

VARIABLE = re.compile(r"\$\$|\$\{(\w+)\}|\$([A-Za-z]\w*)|\$(\d+)|\$")
STATUS = re.compile(r'(ok|no|bad|"")(?: |$)', re.I)
TAGGED = re.compile(r"(tag\d+) +(.*)", re.S)


class Failed(Exception):
    """A command did not go as the script says."""


# ---- tokens ----

def tokens(text):
    """All values of a reply, or of a line that expects one."""
    values, at = [], 0
    while True:
        while text[at:at + 1] == " ":
            at += 1
        if at >= len(text):
            return values
        value, at = take(text, at)
        values.append(value)


def take(text, at):
    if text[at] == "(":
        return take_list(text, at + 1)
    if text[at] == '"':
        found = re.compile(r'"((?:[^"\\]|\\.)*)"', re.S).match(text, at)
        return re.sub(r"\\(.)", r"\1", found.group(1)), found.end()
    found = re.compile(r"~?\{(\d+)\+?\}\r\n").match(text, at)
    if found:
        end = found.end() + int(found.group(1))
        return text[found.end():end].encode("latin-1"), end
    # What stands in brackets belongs to the word; "${name}" and "$!ban=\x" are words too.
    found = re.compile(r"(?:\[[^\]]*\]|[^ ()])+").match(text, at)
    if not found:
        raise Failed(f"not a reply: {text[at:at + 60]!r}")
    return (None if found.group().upper() == "NIL" else found.group()), found.end()


def take_list(text, at):
    items = []
    while text[at:at + 1] != ")":
        if at >= len(text):
            raise Failed("a list without an end")
        if text[at] == " ":
            at += 1
            continue
        value, at = take(text, at)
        items.append(value)
    return items, at + 1


# ---- matching ----

def literal(octets):
    """What imaptest compares: it keeps strings as C does, up to a NUL, and case does not matter."""
    return octets.split(b"\0")[0].lower()


FETCH_FLAGS = ["$!unordered", "$!noextra", "$!ignore=\\recent"]


class Matcher:
    """Compares one reply with what is expected; variables are kept only if all of it matches."""

    def __init__(self, variables, number=None):
        self.variables, self.found, self.number = variables, {}, number

    def text(self, want, value):
        """One string in which variables may stand."""
        if value is None or isinstance(value, list):
            names = VARIABLE.fullmatch(want)
            name = names and (names.group(1) or names.group(2))
            return bool(name) and self.keep(name, value)
        names, pattern, at = [], "", 0
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        for found in VARIABLE.finditer(want):
            pattern += re.escape(want[at:found.start()])
            at = found.end()
            name = found.group(1) or found.group(2)
            known = self.found.get(name, self.variables.get(name))
            if found.group() == "$$":
                pattern += r"\$"
            elif not name:
                pattern += "(?:.*)"
            elif isinstance(known, str):
                pattern += re.escape(known)
            else:
                names.append(name)
                pattern += "(.*)" if found.span() == (0, len(want)) else "(.+?)"
        pattern += re.escape(want[at:])
        found = re.fullmatch(pattern, value, re.I | re.S)
        return bool(found) and all(self.keep(n, v) for n, v in zip(names, found.groups()))

    def keep(self, name, value):
        known = self.found.get(name, self.variables.get(name))
        if name in self.found or name in self.variables:
            return known == value
        self.found[name] = value
        return True

    def value(self, want, value, defaults=()):
        if want == "$":
            return True
        if isinstance(want, list):
            return isinstance(value, list) and self.list(want, value, defaults)
        if want is None:
            return value is None
        if isinstance(want, bytes):
            return isinstance(value, (str, bytes)) and \
                literal(want) == literal(value if isinstance(value, bytes) else value.encode("latin-1"))
        return self.text(want, value)

    def list(self, want, value, defaults):
        rules = [w for w in want if isinstance(w, str) and w.startswith("$!")]
        want = [w for w in want if w not in rules]
        rules = rules or list(defaults)
        chain = [int(r[12:] or 1) if r[11:12] == "=" else 1 for r in rules if r.startswith("$!unordered")]
        if not chain:
            return self.row(want, value)
        return self.chains(want, value, chain[0], rules)

    def chains(self, want, value, size, rules):
        parts = [value[i:i + size] for i in range(0, len(value), size)]
        for i in range(0, len(want), size):
            part = next((p for p in parts if self.row(want[i:i + size], p)), None)
            if part is None:
                return False
            parts.remove(part)
        words = [str(p[0]).lower() for p in parts]
        if any(r[6:].lower() in words for r in rules if r.startswith("$!ban=")):
            return False
        ignored = [r[9:].lower() for r in rules if r.startswith("$!ignore=")]
        return "$!noextra" not in rules or all(w in ignored for w in words)

    def row(self, want, value, more=False):
        """Values in their order; more: what follows does not matter."""
        if len(value) < len(want) or (len(value) > len(want) and not more):
            return False
        before = dict(self.found)
        last = None
        for w, v in zip(want, value):
            if not self.value(w, v, FETCH_FLAGS if last == "flags" else ()):
                self.found = before
                return False
            last = w.lower() if isinstance(w, str) else None
        return True

    def reply(self, want, value):
        """A whole untagged reply."""
        words = [v.lower() if isinstance(v, str) else "" for v in want[:2]] + ["", ""]
        defaults = {"list": ["$!unordered"], "lsub": ["$!unordered"], "status": ["$!unordered=2"]}.get(words[0], ())
        if words[1] == "fetch":
            defaults = ["$!unordered=2"]
        more = words[0] in ("ok", "no", "bad", "bye")
        if len(value) < len(want) or (len(value) > len(want) and not more):
            return False
        for w, v in zip(want, value):
            if isinstance(w, str) and re.fullmatch(r"\$\d+", w):
                if str(self.number) != w[1:]:
                    return False
            elif not self.value(w, v, defaults):
                return False
        return True


# ---- scripts ----

def messages_of(path):
    """The messages of an mbox: (date of arrival, octets with CRLF)."""
    found = []
    for one in re.split(rb"(?m)^(?=From )", path.read_bytes())[1:]:
        head, text = one.split(b"\n", 1)
        day = re.search(rb"\w{3} ( ?\d+|\d+) [\d:]{8} \d{4}", head)
        date = datetime.datetime.strptime(" ".join(day.group().decode().split()), "%b %d %H:%M:%S %Y")
        zone = re.search(rb" ([+-]\d{4})$", head)
        zone = zone.group(1).decode() if zone else "+0000"
        found.append((date.strftime("%d-%b-%Y %H:%M:%S ") + zone, re.sub(rb"\r?\n", b"\r\n", text)))
    return found


class Group:
    """Commands that are sent together, what they must bring, how they must end."""

    def __init__(self, connection, line):
        self.connection, self.line = connection, line
        self.commands = []   # (tag or None, text)
        self.replies = []    # ("*", "!" or "?", text)
        self.ends = []       # (tag or None, status, text)


class Script:
    def __init__(self, path):
        path = pathlib.Path(path)
        lines = path.read_bytes().decode("latin-1").split("\n")
        mbox = path.with_suffix(".mbox")
        self.messages = messages_of(mbox if mbox.exists() else path.parent / "default.mbox")
        end = lines.index("")
        self.header = dict(re.split(r": *", l, maxsplit=1) for l in lines[:end] if not l.startswith("#"))
        self.connections = int(self.header.get("connections", 1))
        self.state = self.header.get("state", "selected")
        self.needs = self.header.get("capabilities", "").upper().split()
        count = self.header.get("messages", "all")
        self.count = len(self.messages) if count == "all" else int(count)
        self.groups = []
        self.read(lines, end)

    def read(self, lines, at):
        """Lines into groups; what stands in {{{ }}} becomes a literal of the line it is in."""
        while at < len(lines):
            line, first = lines[at], at
            while line.endswith("{{{"):
                end = next(i for i in range(at + 1, len(lines)) if lines[i].startswith("}}}"))
                # "~{{{" has the octets as they are.
                text = "\n".join(lines[at + 1:end]) if line.endswith("~{{{") else \
                    "\r\n".join(l.rstrip("\r") for l in lines[at + 1:end])
                line = f"{line[:-3]}{{{len(text)}}}\r\n{text}{lines[end][3:]}"
                at = end
            at += 1
            if line.strip() and not line.startswith("#"):
                self.add(line.rstrip(" ") if "\r\n" not in line else line, first + 1)

    def add(self, line, number):
        if line[0] in "*!?" and line[1:2] == " ":
            self.groups[-1].replies.append((line[0], line[2:]))
            return
        connection = 1
        found = re.match(r"(\d+) +", line)
        if self.connections > 1 and found:
            connection, line = int(found.group(1)), line[found.end():]
        tagged, tag = TAGGED.match(line), None
        if tagged:
            tag, line = tagged.groups()
        status = STATUS.match(line)
        last = self.groups[-1] if self.groups else None
        if not status:
            if not (tag and last and last.commands[-1][0] and not last.ends):
                self.groups.append(Group(connection, number))
            self.groups[-1].commands.append((tag, line))
            return
        rest = line[status.end():]
        open_commands = last and len(last.ends) < len(last.commands)
        if not tag and not open_commands:
            last = Group(connection, number)
            last.commands.append((None, rest))
            self.groups.append(last)
            rest = ""
        last.ends.append((tag, status.group(1).strip('"').upper(), rest))


# ---- playing ----

class Connection:
    """A raw connection, with the count of messages that its mailbox has."""

    def __init__(self, raw):
        self.raw, self.serial, self.exists = raw, 0, 0
        self.raw.line()

    def reply(self):
        """One whole reply, literals included."""
        text = self.raw.line()
        while found := re.search(r"\{(\d+)\}$", text):
            size = int(found.group(1))
            while len(self.raw.rest) < size:
                more = self.raw.socket.recv(65536)
                if not more:
                    raise Failed("the server closed inside a literal")
                self.raw.rest += more
            octets, self.raw.rest = self.raw.rest[:size], self.raw.rest[size:]
            text += "\r\n" + octets.decode("latin-1") + self.raw.line()
        return text

    def send(self, tag, text, replies):
        """Sends a command, waiting for "+" where it has a literal; false: the server did not want it."""
        text, at = f"{tag} {text}\r\n", 0
        while found := re.compile(r"\{(\d+)\}\r\n").search(text, at):
            self.raw.send(text[at:found.end()].encode("latin-1"))
            while True:
                reply = self.reply()
                if reply.startswith("+"):
                    break
                replies.append(reply)
                if reply.startswith(tag + " "):
                    return False
            at = found.end()
            size = int(found.group(1))
            self.raw.send(text[at:at + size].encode("latin-1"))
            at += size
        self.raw.send(text[at:].encode("latin-1"))
        return True

    def run(self, commands):
        """Plays [(tag, text)]; all untagged replies as (text, number of the message before all this), and the
        tagged ones by tag."""
        replies, untagged, ends = [], [], {}
        numbers = list(range(1, self.exists + 1))
        for tag, text in commands:
            self.send(tag, text, replies)
        tags = [tag for tag, _ in commands]
        while len(ends) < len(tags):
            reply = replies.pop(0) if replies else self.reply()
            tag, _, rest = reply.partition(" ")
            if tag in tags:
                ends[tag] = rest
                continue
            untagged.append((rest, self.follow(rest, numbers)))
        self.exists = len(numbers)
        return untagged, ends

    @staticmethod
    def follow(reply, numbers):
        """Keeps count; the number that the message of this reply had."""
        found = re.match(r"(\d+) (EXISTS|EXPUNGE|FETCH)", reply, re.I)
        if not found:
            return None
        n, what = int(found.group(1)), found.group(2).upper()
        if what == "EXISTS":
            if n < len(numbers) or not numbers:
                numbers[:] = range(1, n + 1)
            numbers.extend(range(len(numbers) + 1, n + 1))
            return None
        if not 1 <= n <= len(numbers):
            return n
        return numbers.pop(n - 1) if what == "EXPUNGE" else numbers[n - 1]

    def ok(self, text):
        self.serial += 1
        tag = f"s{self.serial}"
        untagged, ends = self.run([(tag, text)])
        if not ends[tag].upper().startswith("OK"):
            raise Failed(f"{text[:60]}: {ends[tag]}")
        return [reply for reply, _ in untagged]


class Player:
    def __init__(self, script, connect, users, password):
        """connect(): a new raw connection. users: two addresses."""
        self.script, self.connections, self.next = script, [], 0
        self.variables = {"mailbox": "imaptest", "password": password, "mailbox_url": "imaptest"}
        for i, user in enumerate(users):
            end = str(i + 1) if i else ""
            name, domain = user.split("@")
            self.variables.update({"user" + end: user, "username" + end: name, "domain" + end: domain})
        for i in range(script.connections):
            self.connections.append(Connection(connect()))
            if script.state != "nonauth":
                user = users["user " + str(i + 1) in script.header]
                self.connections[-1].ok(f'LOGIN {user} "{password}"')

    def missing(self):
        """What the script needs and the server does not offer."""
        words = self.connections[0].ok("CAPABILITY")[0].upper().split()
        return [need for need in self.script.needs if need not in words]

    def message(self):
        date, text = self.script.messages[self.next % len(self.script.messages)]
        self.next += 1
        return date, f"{{{len(text)}}}\r\n{text.decode('latin-1')}"

    def prepare(self):
        if self.script.state in ("nonauth", "auth"):
            return
        mailbox = self.variables["mailbox"]
        self.connections[0].ok(f"CREATE {mailbox}")
        if self.script.state == "created":
            return
        for _ in range(self.script.count):
            self.connections[0].ok('APPEND %s "%s" %s' % (mailbox, *self.message()))
        for connection in self.connections if self.script.state == "selected" else ():
            connection.ok(f"SELECT {mailbox}")

    def expand(self, text):
        def value(found):
            name = found.group(1) or found.group(2)
            if found.group() == "$$":
                return "$"
            known = self.variables.get(name)
            return known.decode("latin-1") if isinstance(known, bytes) else str(known)
        return VARIABLE.sub(value, text)

    def command(self, text):
        """What is sent: APPEND without a message takes the next one."""
        head, _, literal = text.partition("\r\n")
        text = self.expand(head) + ("\r\n" + literal if literal else "")
        if text.lower().split()[0] != "append" or literal:
            return text
        if text.lower().strip() == "append":
            text = f"append {self.variables['mailbox']}"
        date, message = self.message()
        return f'{text} "{date}" {message}'

    def play(self, group):
        connection = self.connections[group.connection - 1]
        commands = []
        for tag, text in group.commands:
            connection.serial += 1
            commands.append((tag or f"t{connection.serial}", self.command(text)))
        self.variables["tag"] = commands[-1][0]
        untagged, ends = connection.run(commands)
        for (tag, _), (_, status, rest) in zip(commands, sorted(group.ends, key=lambda e: e[0] or "")):
            self.check_end(commands[0][1], ends[tag], status, rest)
        replies = [(tokens(reply), number) for reply, number in untagged]
        for kind, text in group.replies:
            self.check_reply(kind, text, replies, untagged)

    def check_end(self, command, end, status, rest):
        got, _, text = end.partition(" ")
        matcher = Matcher(self.variables)
        ok = not status or got.upper() == status
        if ok and rest:
            want = tokens(rest)
            ok = matcher.row(want, tokens(text)[:len(want)])
        if not ok:
            raise Failed(f"{command[:80]!r} ended with {end!r}")
        self.variables.update(matcher.found)

    def check_reply(self, kind, text, replies, untagged):
        want = tokens(text)
        for reply, number in replies:
            matcher = Matcher(self.variables, number)
            if not matcher.reply(want, reply):
                continue
            if kind == "!":
                raise Failed(f"it said {text!r}")
            self.variables.update(matcher.found)
            return
        if kind == "*":
            raise Failed(f"it did not say {text!r} but {[r for r, _ in untagged]!r:.1500}")

    def close(self):
        for connection in self.connections:
            connection.raw.close()


def play(script, connect, users, password):
    """None when all went as the script says; else why not. Stops at the first command that does not."""
    player = Player(script, connect, users, password)
    try:
        missing = player.missing()
        if missing:
            return "needs " + " ".join(missing)
        player.prepare()
        for group in script.groups:
            try:
                player.play(group)
            except (Failed, EOFError, OSError) as e:
                return f"line {group.line}: {e!r}"
        return None
    finally:
        player.close()

"""IMAP's parenthesized lists as Python lists: what a reader sees, whatever way a string is written."""


def tokens(octets):
    """One value from octets: a list, bytes of a string, an atom in upper case as str, or None for NIL."""
    value, end = take(octets, 0)
    assert end == len(octets), octets[end:]
    return value


def take(text, at):
    if text[at:at + 1] == b"(":
        return take_list(text, at + 1)
    if text[at:at + 1] == b'"':
        return take_quoted(text, at + 1)
    if text[at:at + 1] == b"{":
        end = text.index(b"}", at)
        size = int(text[at + 1:end])
        start = end + 3
        return text[start:start + size], start + size
    end = at
    while end < len(text) and text[end:end + 1] not in (b" ", b"(", b")", b"\r"):
        end += 1
    atom = text[at:end].decode().upper()
    assert atom, text[at:at + 40]
    return (None if atom == "NIL" else atom), end


def take_list(text, at):
    items = []
    while text[at:at + 1] != b")":
        if text[at:at + 1] == b" ":
            at += 1
            continue
        item, at = take(text, at)
        items.append(item)
    return items, at + 1


def take_quoted(text, at):
    out = bytearray()
    while text[at:at + 1] != b'"':
        at += text[at:at + 1] == b"\\"
        out += text[at:at + 1]
        at += 1
    return bytes(out), at + 1

"""A server of the domain name system for one zone of an SPF suite (openspf's format), over UDP and TCP.

A name may have any octets. `SPF` is served as TXT too, unless the name has a TXT of its own ("NONE": none). "TIMEOUT"
means no answer, for the types that a name does not list or for the one that has it. Names that nothing stands below
do not exist."""
import socket
import struct
import threading

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SPF": 99}
NAMES = {number: name for name, number in TYPES.items()}
NXDOMAIN, TRUNCATED = 3, 0x0200


def wire_name(name):
    labels = [label.encode("latin-1") for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def strings(value):
    if isinstance(value, (list, tuple)):
        parts = [v.encode() for v in value]
    else:
        octets = value.encode()
        parts = [octets[i:i + 255] for i in range(0, len(octets), 255)] or [b""]
    return b"".join(bytes([len(p)]) + p for p in parts if p or len(parts) == 1) or b"\0"


def data(kind, value):
    if kind in ("TXT", "SPF"):
        return strings(value)
    if kind == "MX":
        return struct.pack("!H", int(value[0])) + wire_name(value[1])
    if kind in ("CNAME", "PTR", "NS"):
        return wire_name(value)
    return socket.inet_pton(socket.AF_INET if kind == "A" else socket.AF_INET6, value)


def read_zone(zonedata):
    """By name: pairs of type and value; ("*", "TIMEOUT"): no answer for any other type."""
    zone = {}
    for name, records in zonedata.items():
        rows, copies, own = [], [], False
        for record in records:
            if record == "TIMEOUT":
                rows.append(("*", "TIMEOUT"))
                continue
            for kind, value in record.items():
                own |= kind == "TXT"
                if kind == "SPF":
                    copies.append(("TXT", value))
                if value != "NONE":
                    rows.append((kind, value))
        zone[name.lower().rstrip(".")] = rows + ([] if own else copies)
    return zone


class Server:
    def __init__(self, zonedata, port):
        self.zone, self.port = read_zone(zonedata), port
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", port))
        self.tcp = socket.create_server(("127.0.0.1", port))
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def stop(self):
        for one in (self.udp, self.tcp):
            one.shutdown(socket.SHUT_RDWR) if one is self.tcp else None
            one.close()

    def find(self, name, kind):
        """Answers along CNAMEs as (name, type, data) and whether the name exists; None: silence."""
        found = []
        for _ in range(10):
            rows = self.zone.get(name)
            if rows is None:
                return found, any(other.endswith("." + name) for other in self.zone) or name == ""
            values = [value for have, value in rows if have == kind]
            if "TIMEOUT" in values or (not values and ("*", "TIMEOUT") in rows):
                return None
            alias = [value for have, value in rows if have == "CNAME"]
            if not alias or kind == "CNAME":
                return found + [(name, kind, data(kind, value)) for value in values], True
            found.append((name, "CNAME", data("CNAME", alias[0])))
            name = alias[0].lower().rstrip(".")
        return found, True

    def answer(self, query, most):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
            at += 1 + query[at]
        question = query[12:at + 5]
        number = struct.unpack("!H", query[at + 1:at + 3])[0]
        if "TIMEOUT" in (found := self.find(".".join(labels).lower(), NAMES.get(number, "?")) or ("TIMEOUT",)):
            return None
        records, exists = found
        body = b"".join(wire_name(name) + struct.pack("!HHIH", TYPES[kind], 1, 60, len(rdata)) + rdata
                        for name, kind, rdata in records)
        flags = 0x8480 | (0 if exists else NXDOMAIN)
        if 12 + len(question) + len(body) > most:
            flags, records, body = flags | TRUNCATED, [], b""
        return query[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + question + body

    def serve_udp(self):
        while True:
            try:
                query, address = self.udp.recvfrom(4096)
            except OSError:
                return
            reply = self.answer(query, 1232)
            if reply:
                self.udp.sendto(reply, address)

    def serve_tcp(self):
        while True:
            try:
                one, _ = self.tcp.accept()
            except OSError:
                return
            with one:
                one.settimeout(5)
                try:
                    length = struct.unpack("!H", one.recv(2, socket.MSG_WAITALL))[0]
                    reply = self.answer(one.recv(length, socket.MSG_WAITALL), 65535)
                    if reply:
                        one.sendall(struct.pack("!H", len(reply)) + reply)
                except (OSError, struct.error):
                    pass

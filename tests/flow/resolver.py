"""A resolver on loopback, UDP and TCP, that answers from a table, and lies where it is told to."""

import contextlib
import socket
import struct
import threading

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from dns_servers import free_dns_port


def text(value):
    """The strings of a TXT record as a zone file has them."""
    parts = [value[i : i + 255] for i in range(0, len(value), 255)] or [""]
    return " ".join('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' for part in parts)


class Resolver:
    """table: {(name, type): [data]}. lie(query, transport): None (answer truly) or a list of messages to send instead, as
    dns.message.Message or bytes; none: silence. asked: [(name, type, transport, id, port)]."""

    def __init__(self, table=None, lie=None, has_tcp=True, family=socket.AF_INET):
        self.table = {**(table or {})}
        self.lie = lie or (lambda query, transport: None)
        self.asked = []
        self.peer_port = None  # of the question that is being answered
        self.host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        self.port = free_dns_port()
        self._is_over = False
        self._udp = socket.socket(family, socket.SOCK_DGRAM)
        self._udp.bind((self.host, self.port))
        self._sockets = [self._udp]
        self._threads = [threading.Thread(target=self._serve_udp, daemon=True)]
        if has_tcp:
            listener = socket.create_server((self.host, self.port), family=family)
            self._sockets.append(listener)
            self._threads.append(threading.Thread(target=self._serve_tcp, args=(listener,), daemon=True))

    @property
    def option(self):
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc):
        self._is_over = True
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        with socket.socket(self._udp.family or socket.AF_INET, socket.SOCK_DGRAM) as wake:
            wake.sendto(b"", (self.host, self.port))
        for thread in self._threads:
            thread.join(10)

    def set_records(self, records):
        """What `records --format json` printed, gone ones left out."""
        self.table = {}
        for r in records:
            if r["state"] != "gone":
                self.table.setdefault((r["name"], r["type"]), []).append(
                    text(r["data"]) if r["type"] == "TXT" else r["data"]
                )

    def answer(self, query):
        """The truth: CNAMEs are followed."""
        reply = dns.message.make_response(query, recursion_available=True)
        question = query.question[0]
        name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
        for _ in range(20):
            if (name, kind) in self.table:
                reply.answer.append(dns.rrset.from_text(name, 300, "IN", kind, *self.table[name, kind]))
                return reply
            if (name, "CNAME") not in self.table:
                break
            (target,) = self.table[name, "CNAME"]
            reply.answer.append(dns.rrset.from_text(name, 300, "IN", "CNAME", target))
            name = target.lower()
        if not any(owner == name for owner, _ in self.table):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply

    def _messages(self, wire, transport, port):
        self.peer_port = port
        query = dns.message.from_wire(wire)
        question = query.question[0]
        self.asked.append(
            (question.name.to_text(), dns.rdatatype.to_text(question.rdtype), transport, query.id, port)
        )
        told = self.lie(query, transport)
        for message in [self.answer(query)] if told is None else told:
            yield message if isinstance(message, bytes) else message.to_wire(max_size=65535)

    def _serve_udp(self):
        while not self._is_over:
            try:
                wire, peer = self._udp.recvfrom(65535)
            except OSError:
                return
            if not wire:
                continue
            for message in self._messages(wire, "udp", peer[1]):
                with contextlib.suppress(OSError):  # closed, while somebody who is gone was waiting
                    self._udp.sendto(message, peer)

    def _serve_tcp(self, listener):
        while not self._is_over:
            try:
                peer, address = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(peer, address[1]), daemon=True).start()

    def _talk(self, peer, port):
        """Closes behind the first answer, as small servers do."""
        with peer, contextlib.suppress(OSError, struct.error):
            peer.settimeout(20)
            (size,) = struct.unpack("!H", peer.recv(2, socket.MSG_WAITALL))
            wire = peer.recv(size, socket.MSG_WAITALL)
            for message in self._messages(wire, "tcp", port):
                peer.sendall(struct.pack("!H", len(message)) + message)

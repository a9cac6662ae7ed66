"""One process of test_isolation.py's clients. Threads each hold a handful of connections to different tenants
at once and mix their requests: names that are right, foreign, refused or unknown, in every place where a
request can carry one. Judges every answer by what its server name alone may get, and prints what it saw as
JSON.

usage: isolation_clients.py FOLDER SEED      FOLDER holds plan.json, root.pem and the file `clock`."""

import collections
import json
import mmap
import random
import socket
import ssl
import struct
import sys
import threading
import time
from pathlib import Path

import wire

BATCH = 8  # connections that a thread holds at once
UNRECOGNIZED_NAME = "TLSV1_UNRECOGNIZED_NAME"


class Clock:
    """Which generation of policies is live for certain, and which one may be; written by the test."""

    def __init__(self, path):
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 16)

    def read(self):
        return struct.unpack("QQ", self._map[:16])

    def write(self, live, written):
        self._map[:16] = struct.pack("QQ", live, written)


def policy(tenant, generation, is_withdrawn):
    """What the tenant's host says in that generation: its mx names tenant and generation."""
    mode, max_age = ("none", 86400) if is_withdrawn else ("enforce", 604800)
    lines = ("version: STSv1", f"mode: {mode}", f"mx: mx{generation}.{tenant}", f"max_age: {max_age}")
    return "".join(f"{line}\r\n" for line in lines).encode()


def is_withdrawn(index, generation):
    """Every tenth tenant is gone from the YAML in every odd generation."""
    return index % 10 == 9 and generation % 2 == 1


def bodies(tenant, index, first, last):
    """What may be served while the generations first..last are live."""
    return {
        policy(tenant, g - is_withdrawn(index, g), is_withdrawn(index, g)) for g in range(first, last + 1)
    }


class Shot:
    """One connection and its one request."""

    def __init__(self, plan, rng):
        self.index = rng.randrange(len(plan["tenants"]))
        self.tenant = plan["tenants"][self.index]
        self.host = f"mta-sts.{self.tenant}"
        others = [tenant for tenant in rng.sample(plan["tenants"], 2) if tenant != self.tenant]
        self.foreign = f"mta-sts.{others[0]}"
        self.refused = f"mta-sts.{rng.choice(plan['refused'])}"
        self.name_kind, self.sni = self._choose_name(rng)
        self.request_kind, self.statuses, self.data = self._choose_request(rng)

    def _choose_name(self, rng):
        kind = rng.choices(("right", "case", "dot", "refused", "unknown"), (70, 12, 4, 7, 7))[0]
        mixed = "".join(rng.choice((c.upper(), c)) for c in self.host)
        unknown = rng.choice((f"mta-sts.x{self.tenant}", self.tenant, f"mta-sts.mta-sts.{self.tenant}"))
        names = {"right": self.host, "case": mixed, "dot": f"{self.host}.", "refused": self.refused}
        return kind, names.get(kind, unknown)

    def _choose_request(self, rng):
        """(kind, statuses allowed, bytes)"""
        own, foreign, path = self.host, self.foreign, wire.POLICY_PATH
        forwarded = [f"X-Forwarded-Host: {foreign}", f"Forwarded: host={foreign}"]
        framed_twice = ["Content-Length: 0", "Transfer-Encoding: chunked"]
        kinds = {
            "right": ({200}, wire.request(own)),
            "case": ({200}, wire.request(own.upper())),
            "port": ({200}, wire.request(f"{own}:443")),
            "dot": ({200, 421}, wire.request(f"{own}.")),
            "other port": ({200, 400, 421}, wire.request(f"{own}:8443")),
            "foreign": ({421}, wire.request(foreign)),
            "foreign with port": ({421}, wire.request(f"{foreign}:443")),
            "foreign with dot": ({421}, wire.request(f"{foreign}.")),
            "refused": ({421}, wire.request(self.refused)),
            "unknown": ({421}, wire.request("mta-sts.nowhere.example")),
            "bare": ({421}, wire.request(self.tenant)),
            "two hosts": ({400}, wire.request(own, extra=[f"Host: {foreign}"])),
            "forwarded": ({200}, wire.request(own, extra=forwarded)),
            "absolute": ({200}, wire.request(own, target=f"https://{own}{path}")),
            "absolute, foreign host": ({200}, wire.request(foreign, target=f"https://{own}{path}")),
            "absolute foreign": ({421}, wire.request(own, target=f"https://{foreign}{path}")),
            "absolute foreign twice": ({421}, wire.request(foreign, target=f"HTTPS://{foreign}:443{path}")),
            "absolute user": ({400, 421}, wire.request(own, target=f"https://{own}@{foreign}{path}")),
            "absolute http": ({200, 400, 404, 421}, wire.request(own, target=f"http://{own}{path}")),
            "double slash": ({400, 404}, wire.request(own, target=f"//{foreign}{path}")),
            "pipelined": ({200}, wire.request(own) + wire.request(foreign)),
            "smuggled": ({200, 400}, wire.request(own, extra=framed_twice) + wire.request(foreign)),
            "http/1.0": ({200}, wire.request(own, version="HTTP/1.0")),
            "http/1.0 foreign": ({421}, wire.request(foreign, version="HTTP/1.0")),
        }
        kind = rng.choice(list(kinds)) if rng.random() < 0.7 else "right"
        return (kind, *kinds[kind])


class Client:
    """A thread: batches until the time is over."""

    def __init__(self, plan, clock, seed):
        self._plan, self._clock, self._rng = plan, clock, random.Random(seed)
        self._context = ssl.create_default_context(cafile=plan["root"])
        self._context.check_hostname = False  # names are compared here, where the outcome is told
        self._source = f"127.0.{1 + seed // 250 % 250}.{1 + seed % 250}"
        self.seen = collections.Counter()
        self.faults = []

    def run(self, end):
        while time.monotonic() < end:
            self._batch()

    def _fault(self, shot, text):
        self.faults.append(f"SNI {shot.sni}, {shot.request_kind}: {text}")

    def _batch(self):
        """All handshakes, then all first halves, then all second halves, each in another order."""
        shots = [Shot(self._plan, self._rng) for _ in range(BATCH)]
        for shot in shots:
            self._connect(shot)
        talking = [shot for shot in shots if shot.tls]
        self._rng.shuffle(talking)
        for shot in talking:
            # before the first head ends: what is answered is answered after the clock was read
            shot.cut = self._rng.randrange(shot.data.index(b"\r\n\r\n"))
            self._send(shot, shot.data[: shot.cut])
        self._rng.shuffle(talking)
        for shot in talking:
            shot.first, _ = self._clock.read()
            self._send(shot, shot.data[shot.cut :])
        self._rng.shuffle(talking)
        for shot in talking:
            self._judge(shot, self._read(shot))

    def _connect(self, shot):
        shot.tls = None
        plain = socket.create_connection(self._plan["address"], 60, (self._source, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            shot.tls = self._context.wrap_socket(plain, server_hostname=shot.sni)
        except (ssl.SSLError, OSError) as error:
            plain.close()
            self._judge_refusal(shot, getattr(error, "reason", None) or repr(error))
            return
        self._judge_certificate(shot)

    def _judge_refusal(self, shot, reason):
        """Only with the alert for it, and never a tenant's own name: not even while its certificate moves."""
        self.seen[f"alert {shot.name_kind}"] += 1
        if reason != UNRECOGNIZED_NAME:
            self._fault(shot, f"handshake failed: {reason}")
        elif shot.name_kind in ("right", "case"):
            self._fault(shot, "a tenant's own name was refused")

    def _judge_certificate(self, shot):
        certificate = shot.tls.getpeercert()
        names = [name for kind, name in certificate["subjectAltName"] if kind == "DNS"]
        self.seen[f"certificate for {len(names)} names"] += 1
        if shot.name_kind in ("refused", "unknown") or shot.host not in names:
            self._fault(shot, f"got the certificate of {names}")

    @staticmethod
    def _send(shot, data):
        try:
            shot.tls.sendall(data)
        except OSError:  # what was read tells
            pass

    @staticmethod
    def _read(shot):
        received = b""
        try:
            while True:
                piece = shot.tls.recv(65536)
                if not piece:
                    return received
                received += piece
        except OSError:
            return received
        finally:
            shot.tls.close()

    def _judge(self, shot, received):
        _, last = self._clock.read()
        try:
            response = wire.parse_response(received)
            wire.assert_well_formed(response)
        except AssertionError as error:
            self._fault(shot, f"no good response: {error!r} in {received[:300]!r}")
            return
        self.seen[f"{shot.request_kind} {response.status}"] += 1
        if response.status not in shot.statuses:
            self._fault(shot, f"status {response.status}")
            return
        allowed = bodies(shot.tenant, shot.index, shot.first, last)
        if response.status == 200 and response.body not in allowed:
            self._fault(shot, f"between generations {shot.first} and {last}: {response.body!r}")


def main():
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    plan = json.loads((folder / "plan.json").read_text())
    plan["root"] = str(folder / "root.pem")
    plan["address"] = tuple(plan["address"])
    clock = Clock(folder / "clock")
    clients = [Client(plan, clock, seed * 1000 + i) for i in range(plan["threads"])]
    end = time.monotonic() + plan["seconds"]
    threads = [threading.Thread(target=client.run, args=(end,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = collections.Counter()
    for client in clients:
        seen.update(client.seen)
    json.dump({"seen": seen, "faults": [f for c in clients for f in c.faults][:50]}, sys.stdout)


if __name__ == "__main__":
    main()

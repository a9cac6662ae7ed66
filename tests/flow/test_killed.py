"""Processes that are killed at any moment: nobody else's request fails, and id and bytes go on belonging together."""

import contextlib
import os
import random
import signal
import socket
import struct
import threading
import time

import pytest
import rig
import wire
from golden import GOLDEN
from rig import domains, tenant, wait_until
from wire import request

HOST = "mta-sts.example.com"
BODY = GOLDEN["G1"][0]
KILLS = 40 if rig.is_sanitized() else 200

# Where LMDB keeps its readers: behind two cache lines, one each: transaction, process.
READERS_OFFSET, READER_BYTES = 128, 64


@pytest.fixture
def chance():
    """Another choice of moments in each run; the seed is printed when the test fails."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)


def store_readers(site):
    """Processes that have a slot in the table of readers."""
    table = (site.state / "store" / "lock.mdb").read_bytes()
    slots = range(READERS_OFFSET, len(table) - READER_BYTES + 1, READER_BYTES)
    return {pid for pid in (struct.unpack_from("<Qi", table, at)[1] for at in slots) if pid}


def inode_of(client, address):
    """The server's end of a connection, once it was accepted; None before."""
    wanted = f"0100007F:{address[1]:04X}", f"0100007F:{client.getsockname()[1]:04X}"
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in table:
            fields = line.split()
            if (fields[1], fields[2]) == wanted:
                return fields[9] if fields[9] != "0" else None
    return None


def owner_of(inode, pids):
    """Which of the processes has that socket?"""
    for pid in pids:
        try:
            with os.scandir(f"/proc/{pid}/fd") as entries:
                if any(os.readlink(entry.path) == f"socket:[{inode}]" for entry in entries):
                    return pid
        except OSError:  # it was killed
            continue
    return None


class Witness:
    """Asks again and again, and knows for each connection which worker had it."""

    def __init__(self, server):
        self._server = server
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.answered = 0
        self.failures = []  # (pid of the worker, or None: it had gone before it was seen; what happened)

    def _find_worker(self, plain):
        end = time.monotonic() + 20 * rig.patience()
        while time.monotonic() < end:
            inode = inode_of(plain, self._server.address)
            pid = owner_of(inode, self._server.worker_pids()) if inode else None
            if pid:
                return pid
            plain.setblocking(False)
            try:
                if plain.recv(1, socket.MSG_PEEK) == b"":
                    return None
            except BlockingIOError:
                pass
            except ConnectionResetError:
                return None  # whoever accepted it was killed at once: nobody else could have reset it
            finally:
                plain.settimeout(20 * rig.patience())
            time.sleep(0.002)
        raise AssertionError("a connection that nobody accepts")

    def _ask(self, context):
        worker = "nobody"
        try:
            plain = socket.create_connection(self._server.address, timeout=20 * rig.patience())
            worker = self._find_worker(plain)
            with wire.Connection(None, HOST, context, plain=plain) as connection:
                assert connection.handshake(), connection.outcome.error
                connection.send(request(HOST))
                outcome = connection.read_all()
            assert outcome.close_notify and not outcome.was_reset, outcome.error
            assert outcome.response.body == BODY
            self.answered += 1
        except (AssertionError, OSError) as error:
            self.failures.append((worker, repr(error)))

    def _run(self):
        context = wire.client_context(self._server.site.authority.root_file)
        while not self._is_over.is_set():
            self._ask(context)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exc):
        self._is_over.set()
        self._thread.join(60)


def started_workers(server):
    return {int(e.fields["pid"]) for e in server.log.events("worker.started")}


def all_serve(server, count):
    return len(server.worker_pids()) == count and "not all" not in server.site.run("status").out.decode()


def test_workers_killed_at_random_hurt_nobody_else(site, chance):
    """Many workers, so that the growing delay of one that dies again and again does not hold up the test."""
    workers = 24
    killed = set()
    site.certify("example.com")
    site.write(domains(tenant()), settings={"workers": str(workers)})
    with site.serve() as server:
        with contextlib.ExitStack() as stack:
            witnesses = [stack.enter_context(Witness(server)) for _ in range(8)]
            while len(killed) < KILLS:
                started = started_workers(server)
                alive = sorted((started & set(server.worker_pids())) - killed)
                if alive:
                    victim = chance.choice(alive)
                    killed.add(victim)
                    os.kill(victim, signal.SIGKILL)
                time.sleep(chance.uniform(0, 0.06))
        failures = [failure for witness in witnesses for failure in witness.failures]
        strange = [f for f in failures if f[0] is not None and f[0] not in killed]
        assert not strange, strange[:5]
        assert sum(witness.answered for witness in witnesses) > KILLS / 4
        wait_until(lambda: len(server.log.events("worker.died")) == KILLS, "all deaths in the log", 20)
        wait_until(lambda: len(server.worker_pids()) == workers, "all workers again", 20)
        wait_until(lambda: len(started_workers(server)) == workers + KILLS, "a successor for each", 20)
        # consistent: no slot of the dead is left, changes are made and served
        assert not store_readers(site) - {server.pid, *server.worker_pids()}
        server.change(domains(tenant(mx="[mail2.example.com]")), settings={"workers": str(workers)})
        wait_until(lambda: server.body() == BODY.replace(b"mail.", b"mail2."), "the change")
        assert site.policy() == server.body()


def test_a_worker_that_dies_again_and_again_comes_back_later_each_time(site):
    """At once, then after 100 ms, 200 ms, …: a worker that cannot live does not eat the machine."""
    site.certify("example.com")
    site.write(domains(tenant()), settings={"workers": "1"})
    with site.serve() as server:
        waits = []
        for _ in range(5):
            (victim,) = server.worker_pids()
            began = time.monotonic()
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: [p for p in server.worker_pids() if p != victim], "the successor")
            waits.append(time.monotonic() - began)
        assert all(wait >= least for wait, least in zip(waits, (0, 0.1, 0.2, 0.4, 0.8))), waits
        assert waits[4] < 0.8 + 2 * rig.patience()
        assert server.body() == BODY  # what was queued meanwhile is answered


def test_a_keeper_killed_at_random_leaves_id_and_bytes_together(site, chance):
    """While it starts and while it reloads. Each restart serves what the files say, under an id of its own."""
    body_of_id = {}
    mx = "mail.example.com"
    site.certify("example.com")
    site.write(domains(tenant()))
    site.policy()
    for _ in range(KILLS):
        server = site.serve(wait=False)
        try:
            if chance.random() < 0.2:  # some while it starts
                time.sleep(chance.uniform(0, 0.1))
            else:
                server.wait_ready()
                body = server.body()
                assert body == BODY.replace(b"mail.example.com", mx.encode())
                assert site.policy() == body
                # bytes that come back later have a new id; an id never has other bytes
                assert body_of_id.setdefault(site.sts_id(), body) == body
                mx = f"mail{chance.randrange(5)}.example.com"
                site.write(domains(tenant(mx=f"[{mx}]")))
                time.sleep(chance.uniform(0, 0.1))  # watch, settle, read, commit
            os.kill(server.pid, signal.SIGKILL)
            assert server.wait_end() == -signal.SIGKILL  # and no worker holds its standard error any more
        except BaseException:
            server.kill()
            raise
        rig.BOOK.logs[:] = rig.BOOK.logs[-6:]
    assert len(set(body_of_id.values())) >= 5 or KILLS < 200

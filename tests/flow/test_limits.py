"""The `limits` keys: what each one stops, who goes when there are too many, and that all is well afterwards.

Small values, so that the tests are quick; and one worker, so that they are exact."""

import contextlib
import os
import re
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
import rig
import wire
from rig import domains, tenant, wait_until
from golden import GOLDEN
from wire import request

HOST = "mta-sts.example.com"
REQ = request(HOST)
BODY = GOLDEN["G1"][0]
LARGE = "[" + ", ".join(f"mx{n:05}.mail.example.com" for n in range(2000)) + "]"  # 60 KB of policy

needs_root = pytest.mark.skipif(not rig.IS_ROOT, reason="only root may change the limits of the workers or make namespaces")


class Limited:
    """A server with these limits and an eye on its counters."""

    def __init__(self, site):
        self.site = site
        self.metrics_port = rig.free_port()
        self.server = None

    def settings(self, limits, **others):
        text = "{" + ", ".join(f"{key}: {value}" for key, value in limits.items()) + "}"
        return {"workers": 1, "metrics": f"127.0.0.1:{self.metrics_port}", "limits": text, **others}

    def write(self, values, body=None, **others):
        """values: None: the defaults; else without connections_per_client unless that is among them."""
        limits = {} if values is None else {"connections_per_client": 0, **values}
        self.site.write(body or domains(tenant()), settings=self.settings(limits, **others))

    def counters(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return {m[1]: int(m[2]) for m in re.finditer(r"^mta_sts_(\S+) (\d+)$", text, re.M)}

    def closed(self, reason):
        return self.counters()[f'close_reason_total{{reason="{reason}"}}']

    def wait_open(self, count):
        wait_until(lambda: self.counters()["connections_open"] == count, f"{count} open connections")

    def wait_closed(self, reason, count):
        wait_until(lambda: self.closed(reason) == count, f"{count} closed for {reason}")

    def assert_serves(self):
        """The honest client, in time."""
        outcome = self.server.exchange(REQ)
        assert not outcome.error and outcome.response.body == BODY and outcome.close_notify
        assert outcome.elapsed_s < 1 * rig.patience()


@pytest.fixture
def limited(site):
    """limited(connections=8, …) starts the server; it must be as good as new at the end of the test."""
    it = Limited(site)
    site.certify("example.com")
    with contextlib.ExitStack() as stack:

        def start(body=None, workers=1, prefix=(), are_default=False, **limits):
            it.write(None if are_default else limits, body, workers=workers)
            it.server = stack.enter_context(site.serve(prefix=prefix))
            return it

        yield start
        wait_until(lambda: it.counters()["connections_open"] == 0, "the end of all connections", 20)
        it.assert_serves()


@pytest.fixture
def crowd():
    """Sockets that are closed when the test is over, before the server's own end."""
    with contextlib.ExitStack() as stack:
        yield stack


def silent(stack, address, source=None, family=socket.AF_INET):
    """A connection that says nothing."""
    plain = stack.enter_context(socket.socket(family))
    plain.settimeout(20)
    if source:
        plain.bind((source, 0))
    plain.connect(address)
    return plain


def is_closed(plain):
    """Has the server closed it by now?"""
    plain.setblocking(False)
    try:
        return plain.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    finally:
        plain.settimeout(20)


def shaken(stack, address):
    """A connection with a complete handshake and no request."""
    connection = stack.enter_context(wire.Connection(address, HOST))
    assert connection.handshake()
    return connection


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = wire.client_context().wrap_bio(incoming, outgoing, server_hostname=HOST)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def seconds_until_closed(plain, trickle=None):
    """How long the server keeps it. trickle: bytes, one of which is sent every 50 ms."""
    begin = time.monotonic()
    plain.settimeout(0.05 if trickle else 20)
    for at in range(10_000):
        try:
            if plain.recv(4096) == b"":
                break
        except (ConnectionResetError, BrokenPipeError):
            break
        except TimeoutError:
            with contextlib.suppress(OSError):
                plain.send(trickle[at % len(trickle) : at % len(trickle) + 1])
    return time.monotonic() - begin


# --- connections in all ----------------------------------------


def test_when_full_the_newest_idle_connection_goes(limited, crowd):
    """Who has been silent for half a second is idle; who has just come is not yet."""
    it = limited(connections=8)
    idle = []
    for n in range(8):
        idle.append(silent(crowd, it.server.address))
        it.wait_open(n + 1)
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 0.6, "their time to speak has passed")
    fresh = [silent(crowd, it.server.address) for _ in range(3)]
    it.wait_closed("crowded", 3)
    wait_until(lambda: [is_closed(plain) for plain in idle] == [False] * 5 + [True] * 3, "the newest three went")
    assert not any(map(is_closed, fresh))


def test_when_full_of_newcomers_the_newest_goes(limited, crowd):
    """A flood pushes out its own."""
    it = limited(connections=8, handshake_timeout_ms=60000)
    for _ in range(500):
        silent(crowd, it.server.address)
    wait_until(lambda: it.counters()["connections_total"] == 500, "all accepted")
    assert it.counters()["connections_open"] == 8
    it.assert_serves()


def test_when_full_honest_clients_are_served(limited, crowd):
    """A crowd of silent ones costs an honest client nothing, one after the other and many at once."""
    it = limited(connections=16)
    for _ in range(100):
        silent(crowd, it.server.address)
    it.wait_open(16)
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 0.6, "their time to speak has passed")
    for _ in range(20):
        it.assert_serves()
    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(lambda _: it.server.exchange(REQ).response.body, range(80)))
    assert set(bodies) == {BODY}


def test_when_full_of_talkers_the_longest_wait_ends(limited, crowd):
    """Nobody is idle: each has sent a part of its ClientHello. The oldest goes, and honest clients are served."""
    it = limited(connections=8)
    talkers = []
    for n in range(8):
        talkers.append(silent(crowd, it.server.address))
        talkers[n].sendall(client_hello()[: 10 + n])
        it.wait_open(n + 1)
    it.assert_serves()
    it.assert_serves()
    assert is_closed(talkers[0]) and not is_closed(talkers[7])
    assert 1 <= it.closed("crowded") <= 2


def slow_reader(stack, address):
    """Has sent its request for a large policy and reads nothing of the answer."""
    plain = stack.enter_context(socket.socket())
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    plain.settimeout(20)
    plain.connect(address)
    connection = stack.enter_context(wire.Connection(address, HOST, plain=plain))
    assert connection.handshake()
    connection.send(REQ)
    return connection


def test_one_that_is_being_answered_never_goes(limited, crowd):
    """Full of clients that have not taken their answer yet: new ones are turned away, the answers arrive."""
    it = limited(body=domains(tenant(mx=LARGE)), connections=4)
    readers = []
    for n in range(4):
        readers.append(slow_reader(crowd, it.server.address))
    wait_until(lambda: it.counters()['responses_total{code="200"}'] == 4, "four answers on their way")
    for _ in range(5):
        wait_until(lambda plain=silent(crowd, it.server.address): is_closed(plain), "a newcomer turned away")
    assert it.closed("crowded") == 5 and it.closed("write_timeout") == 0
    for reader in readers:
        outcome = reader.read_all()
        assert outcome.close_notify and len(outcome.response.body) > 60_000
    it.wait_closed("done", 4)
    crowd.close()
    it.server.change(domains(tenant()), settings=it.settings({}))


def test_connections_are_those_of_all_workers(limited, crowd):
    """Four workers, eight in all: two each."""
    it = limited(workers=4, connections=8)
    for _ in range(100):
        silent(crowd, it.server.address)
    wait_until(lambda: it.counters()["connections_total"] == 100, "a hundred accepted")
    assert it.counters()["connections_open"] == 8


# --- per client ----------------------------------------


def test_a_client_has_its_share(limited, crowd):
    """By address; above it connections are closed at once, counted, and not logged."""
    it = limited(connections_per_client=3)
    mark = it.server.log.mark()
    mine = [silent(crowd, it.server.address, "127.0.0.2") for _ in range(50)]
    it.wait_closed("client_limit", 47)
    wait_until(lambda: [is_closed(plain) for plain in mine] == [False] * 3 + [True] * 47, "the first three are left")
    others = [silent(crowd, it.server.address, f"127.0.0.{n}") for n in range(3, 23) for _ in range(3)]
    it.wait_open(63)
    assert not any(map(is_closed, others))
    it.assert_serves()  # from 127.0.0.1
    mine[1].close()
    it.wait_open(62)
    again = silent(crowd, it.server.address, "127.0.0.2")
    it.wait_open(63)
    assert not is_closed(again) and it.closed("client_limit") == 47
    assert it.closed("crowded") == 0
    assert not [e for e in it.server.log.events(since=mark) if e.who.startswith("worker")]


def test_a_client_that_keeps_its_share_comes_again_and_again(limited):
    """What is closed is not counted any longer."""
    it = limited(connections_per_client=2)
    for _ in range(60):  # one at a time
        it.assert_serves()
    assert it.closed("client_limit") == 0


def test_a_large_sender_behind_one_address_is_served(limited):
    """The default: a hundred fetches at once from one address, all answered."""
    it = limited(are_default=True)
    with ThreadPoolExecutor(100) as pool:
        bodies = list(pool.map(lambda _: it.server.exchange(REQ).response.body, range(200)))
    assert set(bodies) == {BODY} and it.closed("client_limit") == 0


NETNS_CLIENT = """
import socket, subprocess, sys
sys.path.insert(0, {tests!r})
import rig, test_limits, contextlib
from pathlib import Path
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
sources = ["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:ffff::3", "2001:db8:0:2::1", "2001:db8:0:2:8000::",
           "2001:db8:0:1:1:2:3:4", "2001:db8:1:1::1", "::1"]
for source in ["2001:db8::1", *sources[:-1]]:
    subprocess.run(["ip", "-6", "address", "add", source + "/128", "dev", "lo", "nodad"], check=True)
site = rig.Site(Path({folder!r}))
it = test_limits.Limited(site)
it.write({{"connections_per_client": 2}}, listen='["[::]:0", "0.0.0.0:0"]')
with site.serve() as it.server, contextlib.ExitStack() as stack:
    v6, v4 = ("2001:db8::1", it.server.addresses[0][1]), ("127.0.0.1", it.server.addresses[1][1])
    for source in sources:
        test_limits.silent(stack, v6, source, socket.AF_INET6)
    test_limits.silent(stack, v4)
    it.wait_closed("client_limit", 2)
    it.wait_open(7)
"""


@needs_root
@pytest.mark.skipif(not shutil.which("unshare") or not shutil.which("ip"), reason="no unshare or no ip")
def test_an_ipv6_client_is_a_64(site):
    """All of a /64 together, its neighbour apart; IPv4 apart from both. In a network namespace."""
    if subprocess.run(["unshare", "-n", "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no network namespaces here")
    if not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("no IPv6 here")
    site.certify("example.com")
    script = NETNS_CLIENT.format(tests=os.path.dirname(__file__), folder=str(site.folder))
    finished = rig.run("unshare", "-n", sys.executable, "-B", "-c", script, env={**os.environ})
    assert finished.status == 0, finished.err


# --- handshakes ----------------------------------------


def test_handshakes_in_flight_have_their_own_limit(limited, crowd):
    """Six with an engine where four may be: the two that have waited longest go; others are not touched."""
    it = limited(handshakes=4)
    idle = [silent(crowd, it.server.address) for _ in range(10)]
    connections = []
    for _ in range(6):
        connections.append(shaken(crowd, it.server.address))
    it.wait_closed("handshake_limit", 2)
    it.wait_open(14)
    it.assert_serves()
    it.wait_closed("handshake_limit", 3)
    connections[5].send(REQ)
    assert connections[5].read_all().response.body == BODY
    assert not any(map(is_closed, idle)) and it.closed("crowded") == 0


def test_handshakes_that_stop_half_way_count(limited, crowd):
    """A ClientHello and nothing more: an engine each."""
    it = limited(handshakes=5)
    for _ in range(20):
        silent(crowd, it.server.address).sendall(client_hello())
    it.wait_closed("handshake_limit", 15)
    it.assert_serves()


# --- seconds ----------------------------------------


def test_A_H19_one_that_says_nothing(limited, crowd):
    it = limited(handshake_timeout_ms=400)
    took = seconds_until_closed(silent(crowd, it.server.address))
    assert 0.3 < took < 1.5 * rig.patience()
    it.wait_closed("handshake_timeout", 1)


def test_A_H19_one_that_stops_in_the_handshake(limited, crowd):
    """Neither a part of a ClientHello nor all of it buys time."""
    it = limited(handshake_timeout_ms=400)
    for count, hello in enumerate((client_hello()[:20], client_hello()), 1):
        plain = silent(crowd, it.server.address)
        plain.sendall(hello)
        begin = time.monotonic()
        while True:
            try:
                if plain.recv(4096) == b"":
                    break
            except ConnectionResetError:
                break
        assert time.monotonic() - begin < 1.5 * rig.patience()
        it.wait_closed("handshake_timeout", count)


def test_A_H19_a_handshake_byte_by_byte(limited, crowd):
    """Each byte in time, all of them too slow."""
    it = limited(handshake_timeout_ms=500)
    took = seconds_until_closed(silent(crowd, it.server.address), trickle=client_hello())
    assert 0.4 < took < 1.5 * rig.patience()
    it.wait_closed("handshake_timeout", 1)


def test_A_H19_a_handshake_then_nothing(limited, crowd):
    """Closed in order: close_notify, then FIN."""
    it = limited(request_timeout_ms=400, linger_timeout_ms=100)
    outcome = shaken(crowd, it.server.address).read_all()
    assert outcome.close_notify and outcome.received == b""
    it.wait_closed("request_timeout", 1)


def test_A_H19_a_head_byte_by_byte(limited, crowd):
    """One byte every 50 ms gains no time."""
    it = limited(request_timeout_ms=500, linger_timeout_ms=100)
    connection = shaken(crowd, it.server.address)
    begin = time.monotonic()
    with contextlib.suppress(OSError):
        for byte in REQ * 100:
            connection.send(bytes([byte]))
            time.sleep(0.05)
            if it.closed("request_timeout"):
                break
    assert 0.4 < time.monotonic() - begin < 2 * rig.patience()
    it.wait_closed("request_timeout", 1)


def test_an_answer_that_is_not_read(limited, crowd):
    it = limited(body=domains(tenant(mx=LARGE)), write_timeout_ms=400)
    for _ in range(3):
        slow_reader(crowd, it.server.address)
    it.wait_closed("write_timeout", 3)
    it.server.change(domains(tenant()), settings=it.settings({}))


def test_a_client_that_never_closes(limited, crowd):
    """It has its answer; after the time to linger the server is rid of it."""
    it = limited(linger_timeout_ms=300)
    connection = shaken(crowd, it.server.address)
    connection.send(REQ)
    assert connection.read_all().response.body == BODY
    it.wait_open(0)
    assert it.closed("done") == 1


@pytest.mark.parametrize("count", [1000])
def test_A_H19_a_thousand_that_say_nothing_delay_nobody(limited, crowd, count):
    """The defaults, and silent clients from as many addresses as it takes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * count:
        pytest.skip("too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * count), hard))
    it = limited(are_default=True, workers=2)
    for n in range(count):
        plain = silent(crowd, it.server.address, f"127.0.1.{n % 40 + 1}")
        if n % 3 == 1:
            plain.sendall(client_hello()[:50])
        elif n % 3 == 2:
            plain.sendall(client_hello())
    times = []
    for _ in range(100):
        begin = time.monotonic()
        assert it.server.exchange(REQ).response.body == BODY
        times.append(time.monotonic() - begin)
    assert sorted(times)[98] < 1 * rig.patience()
    crowd.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- bytes ----------------------------------------


def private_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"^RssAnon:\s+(\d+) kB", status.read(), re.M)[1])


@pytest.mark.skipif(rig.is_sanitized(), reason="its allocator keeps what is freed on purpose")
def test_the_memory_of_a_flood_is_given_back(limited, crowd):
    """To the kernel, not to the allocator: a worker is as small afterwards as it was before."""
    count = 400
    it = limited(connections=1000, handshakes=1000)
    it.assert_serves()
    (pid,) = it.server.worker_pids()
    before, hello = private_kb(pid), client_hello()
    for _ in range(count):
        silent(crowd, it.server.address).sendall(hello)
    it.wait_open(count)
    wait_until(lambda: private_kb(pid) > before + 5 * count, "a handshake each")
    crowd.close()
    it.wait_open(0)
    wait_until(lambda: private_kb(pid) < before + 512, "what it was before")


def test_a_client_hello_without_end(limited, crowd):
    """Refused with an alert where the kept bytes reach the limit."""
    it = limited(hello_max_bytes=2048)
    plain = silent(crowd, it.server.address)
    hello = b"\x16\x03\x01\x3f\xff\x01\x00\x3f\xfb\x03\x03" + bytes(4000)
    for at in range(0, 2000, 100):
        plain.sendall(hello[at : at + 100])
    it.wait_open(1)
    assert not is_closed(plain)
    plain.sendall(hello[2000:2100])
    assert plain.recv(100) == b"\x15\x03\x03\x00\x02\x02\x2f" and plain.recv(100) == b""
    plain.close()
    it.wait_closed("bad_hello", 1)


def test_a_large_head(limited):
    """431 above head_max_bytes, however it is cut; 200 up to there."""
    it = limited(head_max_bytes=2048)
    for size, status in ((2048, 200), (2049, 431), (5000, 431)):
        head = request(HOST, extra=["X: " + "a" * (size - len(REQ) - 5)])
        assert len(head) == size
        for cut in (size, 1000):
            with wire.Connection(it.server.address, HOST) as connection:
                assert connection.handshake()
                for at in range(0, size, cut):
                    connection.send(head[at : at + cut])
                outcome = connection.read_all()
            assert outcome.response.status == status and outcome.close_notify and not outcome.was_reset


def test_a_client_that_sends_on_and_on(limited, crowd):
    """It is listened to up to linger_max_bytes, then cut off, in spite of the time that is left."""
    it = limited(linger_max_bytes=100_000, linger_timeout_ms=30_000)
    connection = shaken(crowd, it.server.address)
    connection.send(request(HOST, method="POST"))
    assert connection.read_all().response.status == 405
    begin = time.monotonic()
    with pytest.raises(OSError):
        for _ in range(10_000):
            connection.send(b"a" * 1000)
    assert time.monotonic() - begin < 5 * rig.patience()
    it.wait_closed("done", 1)


# --- accepts per turn, changes ----------------------------------------


def test_one_accept_per_turn_is_enough(limited):
    it = limited(accepts_per_turn=1)
    with ThreadPoolExecutor(50) as pool:
        bodies = list(pool.map(lambda _: it.server.exchange(REQ).response.body, range(100)))
    assert set(bodies) == {BODY}


def test_changes_are_live(limited, crowd):
    """Without a restart, for the next connection; what is open stays."""
    it = limited(connections_per_client=2)
    mine = [silent(crowd, it.server.address, "127.0.0.2") for _ in range(3)]
    it.wait_closed("client_limit", 1)
    mark = it.server.log.mark()
    it.write({"connections_per_client": 4, "handshake_timeout_ms": 300})
    it.server.log.wait("reload.done", since=mark)
    mine += [silent(crowd, it.server.address, "127.0.0.2") for _ in range(3)]
    it.wait_closed("client_limit", 2)
    it.wait_closed("handshake_timeout", 2)  # the new ones; the old ones have ten seconds
    it.wait_open(2)
    assert not is_closed(mine[0]) and not is_closed(mine[1])
    assert not it.server.log.events("config.restart")


def test_a_start_finds_the_limits_of_the_file(site, crowd):
    """Not those that the store had before."""
    it = Limited(site)
    it.write({"connections": 4})
    with site.serve():
        pass
    it.write({"connections": 6})
    with site.serve() as it.server:
        for _ in range(10):
            silent(crowd, it.server.address)
        it.wait_closed("crowded", 4)
        it.wait_open(6)


@pytest.mark.parametrize(
    "key, value",
    [("connections", 0), ("handshakes", 0), ("accepts_per_turn", 2000), ("write_timeout_ms", "10s"), ("head_max_bytes", 99999)],
)
def test_values_out_of_bounds_are_refused(site, key, value):
    site.write(domains(tenant()), settings={"limits": f"{{{key}: {value}}}"})
    problems = site.check().find("E17", "error")
    assert len(problems) == 1 and f"limits.{key}" in problems[0].text and str(value) in problems[0].text


def test_an_unknown_limit_is_refused_with_a_hint(site):
    site.write(domains(tenant()), settings={"limits": "{conections: 5}"})
    problems = site.check().find("E11", "error")
    assert len(problems) == 1 and "connections" in problems[0].hint


# --- descriptors ----------------------------------------


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat", encoding="ascii").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@needs_root
def test_without_descriptors_the_server_waits_and_recovers(limited, crowd):
    """It neither spins nor dies, says so once, and goes on where it was."""
    it = limited(handshake_timeout_ms=60000)
    pid = it.server.worker_pids()[0]
    it.assert_serves()  # with the first connection libuv opens a descriptor of its own
    it.wait_open(0)
    in_use = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    free = [fd for fd in range(1000) if fd not in in_use][:6]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free[5], 4096))  # the first five may be had
    mine = [silent(crowd, it.server.address) for _ in range(12)]
    it.wait_open(5)
    it.server.log.wait("worker.accept")
    before, begin = cpu_seconds(pid), time.monotonic()
    wait_until(lambda: time.monotonic() - begin > 1 and it.counters()["accept_failures_total"] >= 5, "more failures")
    assert cpu_seconds(pid) - before < 0.2
    assert it.server.worker_pids() == [pid] and len(it.server.log.events("worker.accept")) == 1
    for plain in mine[:7]:  # five of them open, two in the queue
        plain.close()
    it.wait_open(5)  # the rest
    mine[11].close()
    it.assert_serves()
    for plain in mine:
        plain.close()
    it.wait_open(0)
    assert len(it.server.log.events("worker.accept")) == 1
    it.assert_serves()


@needs_root
def test_few_descriptors_lower_the_limit(limited, crowd):
    """A worker that may have 300 keeps to what is left for connections: it never runs out of them."""
    it = limited(prefix=["prlimit", "--nofile=300:300"])
    serving = it.server.log.wait("worker.serving")
    room = int(serving.fields["max_connections"])
    assert room < 300
    for _ in range(250):
        silent(crowd, it.server.address)
    it.wait_closed("crowded", 250 - room)
    it.assert_serves()
    assert it.counters()["accept_failures_total"] == 0

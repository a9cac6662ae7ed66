"""The sandbox of a worker, seen from outside: what it may not, and that it never misses it."""

import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
import rig
import wire
from rig import Hammer, domains, tenant, wait_until
from golden import GOLDEN
from wire import request

HOST = "mta-sts.example.com"
OLD = GOLDEN["G1"][0]
NEW = OLD.replace(b"mail.example.com", b"mail2.example.com")
OLD_YAML = domains(tenant())
NEW_YAML = domains(tenant(mx="[mail2.example.com]"))
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
CAP_DAC_READ_SEARCH, CAP_SETPCAP, CAP_SYS_RESOURCE = 1 << 2, 1 << 8, 1 << 24

needs_root = pytest.mark.skipif(not rig.IS_ROOT, reason="only root may become somebody else")
needs_list = pytest.mark.skipif(
    rig.is_sanitized(), reason="built with sanitizers, which need files and threads: seccomp and Landlock are off"
)


def status_of(pid):
    """/proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def capabilities(pid):
    """{set: bits}: Inh, Prm, Eff, Bnd, Amb."""
    return {key[3:]: int(value, 16) for key, value in status_of(pid).items() if key.startswith("Cap")}


@pytest.fixture(params=["root", "nobody"] if rig.IS_ROOT else ["self"])
def server(request, site):
    """example.com with a certificate, by either kind of user."""
    site.certify("example.com")
    site.write(OLD_YAML, settings=None if request.param == "self" else {"user": request.param})
    with site.serve() as running:
        running.user = request.param
        yield running


# --- what is taken from it ----------------------------------------


def test_a_worker_has_no_capabilities_and_gets_no_privileges(server):
    mine = capabilities("self")
    for pid in server.worker_pids():
        held = capabilities(pid)
        assert [held[name] for name in ("Inh", "Prm", "Eff", "Amb")] == [0, 0, 0, 0]
        if server.user == "root" and mine["Eff"] & CAP_SETPCAP:
            assert held["Bnd"] == 0
        status = status_of(pid)
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == ("0" if rig.is_sanitized() else "2")
        assert status["Threads"] == "1"  # else another one would be outside


def test_no_process_leaves_a_core(server):
    for pid in [server.process.pid, *server.worker_pids()]:
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"^Max core file size +0 +0 +bytes", limits, re.M), limits


def test_each_worker_says_once_what_it_is_in(server):
    wanted = "no" if rig.is_sanitized() else "yes"
    for event in server.log.events("worker.sandbox"):
        assert event.level == "info" and event.fields["seccomp"] == wanted
        assert (event.fields["landlock"] == "yes") == (int(event.fields["landlock_version"]) > 0)
    victim = server.worker_pids()[0]
    mark = server.log.mark()
    os.kill(victim, signal.SIGKILL)
    server.log.wait("worker.serving", since=mark)
    assert len(server.log.events("worker.sandbox")) == len(server.log.events("worker.started")) == 3


@needs_root
def test_nobody_of_the_same_user_looks_into_a_worker(site):
    """Its memory holds keys. What the same user may do to a process of his that is dumpable, he may not here."""
    site.certify("example.com")
    site.write(OLD_YAML, settings={"user": "nobody"})
    looks = [["cat", "environ"], ["head", "-c1", "mem"], ["cat", "maps"], ["ls", "fd"], ["cat", "auxv"]]

    def look(pid, word, *rest):
        command = [*NOBODY, word, *rest[:-1], f"/proc/{pid}/{rest[-1]}"]
        return subprocess.run(command, check=False, capture_output=True, env={**os.environ, "LC_ALL": "C"})

    ordinary = subprocess.Popen([*NOBODY, "sleep", "60"])
    try:
        wait_until(lambda: status_of(ordinary.pid)["Uid"].startswith("65534"), "the ordinary process")
        wait_until(lambda: look(ordinary.pid, "cat", "environ").returncode == 0, "a look that is allowed")
    finally:
        ordinary.kill()
        ordinary.wait()
    with site.serve() as server:
        assert server.body() == OLD
        for pid in server.worker_pids():
            assert Path(f"/proc/{pid}/mem").stat().st_uid == 0
            for words in looks:
                finished = look(pid, *words)
                assert finished.returncode != 0 and b"ermission denied" in finished.stderr, (words, finished)
            tracer = subprocess.run([*NOBODY, "strace", "-p", str(pid)], check=False, capture_output=True)
            assert tracer.returncode != 0 and b"not permitted" in tracer.stderr, tracer


@needs_root
def test_the_keeper_becomes_the_user_for_good(site):
    """All four ids, no group of root's, and of all capabilities the one that reads keys of root's."""
    site.certify("example.com")
    site.write(OLD_YAML, settings={"user": "nobody"})
    with site.serve() as server:
        status, held = status_of(server.pid), capabilities(server.pid)
        assert status["Uid"].split() == status["Gid"].split() == ["65534"] * 4
        assert status["Groups"].split() in ([], ["65534"])
        expected = CAP_DAC_READ_SEARCH & capabilities("self")["Bnd"]
        assert [held[name] for name in ("Inh", "Prm", "Eff", "Amb")] == [0, expected, expected, 0]


# --- what it does inside ----------------------------------------


def connect_and_reset(address):
    """A client that is gone before anybody looks."""
    client = socket.create_connection(address)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def be_a_bad_client(server):
    """One of each kind of end that a connection can come to without waiting for a deadline."""
    server.exchange(request(HOST), sni="mta-sts.unknown.example")
    server.exchange(request(HOST, method="POST"))
    server.exchange(request(HOST, target="/" + "x" * 20000))
    wire.raw_exchange(server.address, b"GET / HTTP/1.1\r\n\r\n")
    wire.raw_exchange(server.address, b"\x16\x03\x01\xff\xff" + bytes(100))
    connect_and_reset(server.address)


def limit_descriptors(pid, count):
    """From outside, by the user that the worker is: the soft limit alone."""
    user = int(status_of(pid)["Uid"].split()[0])
    who = NOBODY if user != os.geteuid() else []
    subprocess.run([*who, "prlimit", "--pid", str(pid), f"--nofile={count}:"], check=True)


def run_out_of_descriptors(server):
    """Every worker in turn fails to accept, and goes on once it can."""
    workers = server.worker_pids()
    mark = server.log.mark()
    with ExitStack() as stack:
        for pid in workers:
            limit_descriptors(pid, 30)
        for _ in range(100):
            stack.enter_context(socket.create_connection(server.address))
        wait_until(
            lambda: len(server.log.events("worker.accept", since=mark)) >= len(workers),
            "all without descriptors",
        )
        for pid in workers:
            limit_descriptors(pid, 10000)


def live_a_whole_life(server, answers):
    """Requests without pause while everything happens that happens to a server; returns how many were answered."""
    site = server.site
    with Hammer(server) as first, Hammer(server) as second:

        def count():
            return len(first.bodies) + len(second.bodies)

        server.change(NEW_YAML)
        first.wait_for(NEW)
        renewed = site.certify("example.com", ends_days=100)
        wait_until(lambda: first.leaves[-1] == renewed.leaf_der, "the renewed certificate")
        server.change(OLD_YAML)
        be_a_bad_client(server)
        wait_until(lambda: count() >= answers, f"{answers} answers", 60)
    for hammer in (first, second):
        hammer.assert_only(OLD, NEW)
    run_out_of_descriptors(server)
    assert server.body() == OLD
    mark = server.log.mark()
    os.kill(server.worker_pids()[0], signal.SIGTERM)
    server.log.wait("worker.serving", since=mark)
    assert server.body() == OLD
    return count()


def drain(server):
    """SIGTERM while a client has not finished its request: it gets its answer."""
    connection = wire.Connection(server.address, HOST)
    assert connection.handshake()
    connection.send(request(HOST)[:-2])
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: len(server.log.events("worker.stopping")) >= 2, "the workers obeying")
    connection.send(b"\r\n")
    outcome = connection.read_all()
    assert outcome.close_notify and outcome.response.body == OLD
    assert server.wait_end() == 0


def test_a_worker_misses_nothing_in_its_whole_life(server):
    """A thousand requests, reload, renewal, bad clients, no descriptors, restart, drain: no worker dies of it."""
    assert live_a_whole_life(server, 1000) >= 1000
    drain(server)
    deaths = server.log.events("worker.died")
    assert [(e.fields["status"], e.fields["signal"]) for e in deaths] == [("0", "0")]  # the one that was asked to go


def test_a_worker_that_the_list_kills_is_replaced(server):
    """Signal 31 in the log names the cause; requests go on."""
    victim = server.worker_pids()[0]
    mark = server.log.mark()
    os.kill(victim, signal.SIGSYS)
    server.log.wait("worker.died", since=mark, pid=victim, signal=31)
    server.log.wait("worker.serving", since=mark)
    assert server.body() == OLD


# --- the list against what is really called ----------------------------------------


def allowed_calls():
    """The names in sandbox.c: the list, and the two that may only reach the worker itself."""
    source = (rig.REPOSITORY / "server/worker/sandbox.c").read_text()
    table = re.search(r"^static const struct rule allowed\[\] = \{\n(.*?)^\};", source, re.M | re.S)[1]
    return {*re.findall(r'^\t\{[^"]*"(\w+)"', table, re.M), "tgkill", "tkill"}


def can_trace():
    return (
        shutil.which("strace") is not None
        and subprocess.run(["strace", "-o", "/dev/null", "true"], check=False, capture_output=True).returncode == 0
    )


def calls_inside(trace):
    """Lines of strace behind the one that closed the sandbox; None: not a worker's trace."""
    lines = trace.read_text(errors="replace").splitlines()
    closed = [number for number, line in enumerate(lines) if re.match(r"seccomp\(SECCOMP_SET_MODE_FILTER.* = 0$", line)]
    return lines[closed[-1] + 1 :] if closed else None


@needs_list
@pytest.mark.skipif(not can_trace(), reason="no strace here, or ptrace(2) is not permitted")
def test_no_call_of_a_worker_is_missing_from_the_list(site, folder):
    """strace from the start to the end of each worker, under load: nothing was refused, nothing was unexpected."""
    site.certify("example.com")
    site.write(OLD_YAML)
    traces = folder / "traces"
    traces.mkdir()
    traces.chmod(0o777)
    with site.serve(prefix=["strace", "-D", "-ff", "-qq", "-o", traces / "trace"]) as server:
        live_a_whole_life(server, 200)
        drain(server)
        has_landlock = {e.fields["landlock"] for e in server.log.events("worker.sandbox")} == {"yes"}
    inside = [lines for lines in map(calls_inside, traces.iterdir()) if lines is not None]
    assert len(inside) == 3  # two workers, and the one that took over
    made = {match[1] for lines in inside for match in map(re.compile(r"(\w+)\(").match, lines) if match}
    refused = [line for lines in inside for line in lines if "ENOSYS" in line or "SIGSYS" in line]
    assert not refused
    assert made <= allowed_calls()
    assert made >= {"accept4", "read", "write", "shutdown", "close", "epoll_ctl", "exit_group"}
    if has_landlock:
        whole = [path.read_text(errors="replace") for path in traces.iterdir()]
        assert sum(bool(re.search(r"^landlock_restrict_self\(.* = 0$", text, re.M)) for text in whole) == 3


# --- who stands back ----------------------------------------


def nice_of(pid):
    return os.getpriority(os.PRIO_PROCESS, pid)


def may_come_back():
    """Root without the capability, or a user, may lower its priority only for good."""
    if not rig.IS_ROOT:
        return resource.getrlimit(resource.RLIMIT_NICE)[0] >= 20 - nice_of(0)
    return bool(capabilities("self")["Eff"] & CAP_SYS_RESOURCE)


def test_the_keeper_stands_back_and_its_workers_do_not(server):
    """A reload of a million rows takes a core for seconds; answers come first. So also after a restart."""
    mine = nice_of(0)
    wanted = min(mine + 10, 19) if may_come_back() else mine
    assert nice_of(server.process.pid) == wanted
    assert [nice_of(pid) for pid in server.worker_pids()] == [mine, mine]
    victim = server.worker_pids()[0]
    mark = server.log.mark()
    os.kill(victim, signal.SIGKILL)
    server.log.wait("worker.serving", since=mark)
    assert [nice_of(pid) for pid in server.worker_pids()] == [mine, mine]
    assert nice_of(server.process.pid) == wanted

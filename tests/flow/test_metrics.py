"""Plain HTTP of the keeper: /metrics for Prometheus, /healthz for whoever restarts containers."""

import calendar
import os
import re
import signal
import socket
import time
import urllib.error
import urllib.request

import pytest
import rig
import wire
from cryptography import x509
from rig import domains, tenant, wait_until
from wire import request

SAMPLE = re.compile(
    r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="[^"\\\n]*"(?:,[a-zA-Z_]\w*="[^"\\\n]*")*\})? '
    r'(-?[0-9.e+]+|NaN|[+-]Inf)'
)


@pytest.fixture
def server(site):
    site.certify("example.com", ends_days=40)
    site.metrics = rig.free_port()
    site.write(domains(tenant()), settings={"metrics": f"127.0.0.1:{site.metrics}"})
    with site.serve() as running:
        running.metrics_settings = {"metrics": f"127.0.0.1:{site.metrics}"}
        yield running


def fetch(server, path):
    """(status, fields, body), whatever the status."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{server.site.metrics}{path}", timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, answer.read()


def samples(server):
    """{name with labels: value}; the text must be exposition format 0.0.4 throughout."""
    status, fields, body = fetch(server, "/metrics")
    assert status == 200
    assert fields["Content-Type"].startswith("text/plain") and "version=0.0.4" in fields["Content-Type"]
    text = body.decode("ascii")
    assert text.endswith("\n")
    values, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types and kind in ("counter", "gauge")
            types[name] = kind
        elif not line.startswith("# HELP "):
            name, labels, value = SAMPLE.fullmatch(line).groups()
            assert name in types and (types[name] != "counter" or name.endswith("_total"))
            values[name + (labels or "")] = float(value)
    assert len(values) > 10 and all(name.startswith("mta_sts_") for name in values)
    return values


def test_requests_are_counted_by_their_outcome(server):
    """Each counter grows by what was done, over all workers."""
    before = samples(server)
    for _ in range(5):
        server.get()
    server.exchange(request("mta-sts.example.com", "/"))
    server.exchange(request("mta-sts.nowhere.example"), "mta-sts.nowhere.example")

    def grown():
        after = samples(server)
        return {name: after[name] - before[name] for name in after if after[name] != before[name]}

    wait_until(
        lambda: grown().get("mta_sts_connections_total") == 7 and "mta_sts_connections_open" not in grown(),
        "seven connections, counted and closed",
    )
    assert grown()['mta_sts_responses_total{code="200"}'] == 5
    assert grown()['mta_sts_responses_total{code="404"}'] == 1
    assert grown()["mta_sts_handshakes_total"] == 6
    assert grown()['mta_sts_close_reason_total{reason="unknown_name"}'] == 1


def test_the_state_of_the_configuration_is_a_gauge(server):
    values = samples(server)
    assert values["mta_sts_domains"] == 1 and values["mta_sts_config_errors"] == 0
    server.change(domains(tenant(), tenant("b.example", mode="Enforce")), settings=server.metrics_settings)
    wait_until(lambda: samples(server)["mta_sts_config_errors"] == 1, "the error as a metric")
    server.change(domains(tenant()), settings=server.metrics_settings)
    wait_until(lambda: samples(server)["mta_sts_config_errors"] == 0, "its end")
    assert samples(server)["mta_sts_reloads_total"] >= 2


def test_the_next_expiry_is_a_gauge(server):
    """What alerts are made of."""
    values = samples(server)
    assert values["mta_sts_certificates"] == 1
    pair = server.exchange(request("mta-sts.example.com")).details["certificate"]
    expiry = x509.load_der_x509_certificate(pair).not_valid_after
    assert values["mta_sts_certificate_not_after_min_seconds"] == calendar.timegm(expiry.timetuple())


def test_a_workers_death_is_counted(server):
    mark = server.log.mark()
    os.kill(server.worker_pids()[0], signal.SIGKILL)
    server.log.wait("worker.started", since=mark)
    wait_until(lambda: samples(server)["mta_sts_worker_restarts_total"] == 1, "the restart as a metric")


def test_counters_never_go_back_when_a_worker_is_replaced(server):
    """What the dead one counted stays."""
    for _ in range(10):
        server.get()
    before = samples(server)
    mark = server.log.mark()
    for pid in server.worker_pids():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(server.log.events("worker.started", since=mark)) >= 2, "two new workers")
    after = samples(server)
    back = [name for name, value in before.items() if name.endswith("_total") and after[name] < value]
    assert not back


def test_healthz_says_ok(server):
    status, fields, body = fetch(server, "/healthz")
    assert status == 200 and fields["Content-Type"].startswith("text/plain") and body


@pytest.mark.parametrize("path", ["/", "/metric", "/metrics/", "/healthz/x", wire.POLICY_PATH])
def test_everything_else_is_not_found(server, path):
    status, _, body = fetch(server, path)
    assert status == 404 and b"STSv1" not in body


@pytest.mark.parametrize(
    "data, status",
    [
        (b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"BREW /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        (b"GET /metrics HTTP/1.1\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
        (b"\x16\x03\x01\0\0\r\n\r\n", 400),
    ],
)
def test_it_speaks_the_same_strict_http(server, data, status):
    response = wire.parse_response(wire.raw_exchange(("127.0.0.1", server.site.metrics), data))
    assert response.status == status
    assert response.fields["connection"] == "close"
    assert data[:4] != b"HEAD" or response.body == b""


def silent_clients(server, count):
    return [socket.create_connection(("127.0.0.1", server.site.metrics)) for _ in range(count)]


def test_silent_clients_do_not_stop_reloads_nor_scrapes(server):
    """The keeper serves metrics beside its work; beyond its limit it gets rid of them in time."""
    few = silent_clients(server, 20)
    server.change(domains(tenant(mx="[mail2.example.com]")), settings=server.metrics_settings)
    assert b"mail2" in server.body()
    assert samples(server)["mta_sts_domains"] == 1
    many = silent_clients(server, 100)
    server.change(domains(tenant()), settings=server.metrics_settings)
    assert b"mail2" not in server.body()
    wait_until(lambda: answers(server), "an answer again", 15)
    for plain in few + many:
        plain.close()


def answers(server):
    """Is the metrics port answering at all?"""
    try:
        return fetch(server, "/healthz")[0] == 200
    except OSError:
        return False


def test_silent_clients_do_not_delay_the_end(server):
    """SIGTERM is obeyed as fast as without them."""
    silent = silent_clients(server, 5)
    started = time.monotonic()
    server.stop()
    assert time.monotonic() - started < 2 * rig.patience()
    for plain in silent:
        plain.close()


def test_without_the_key_nothing_listens(site):
    """No port beyond those of `listen`."""
    site.certify("example.com")
    site.write(domains(tenant()))
    with site.serve() as server:
        assert {port for _, port in server.addresses} == ports_of(server)


def ports_of(server):
    """Every TCP port that the server's processes listen on, from /proc."""
    inodes = set()
    for pid in [server.pid, *server.worker_pids()]:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{fd}")
            except FileNotFoundError:
                continue  # closed in the meantime
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as lines:
            for line in list(lines)[1:]:
                words = line.split()
                if words[9] in inodes and words[3] == "0A":
                    ports.add(int(words[1].rsplit(":", 1)[1], 16))
    return ports

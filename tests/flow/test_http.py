"""Requests and responses over a correct TLS connection (conformance.md 4, A-H)."""

import email.utils
import os
import re
import shutil
import subprocess
import time

import pytest
import rig
import wire
from rig import domains, tenant
from golden import GOLDEN
from wire import POLICY_PATH, request

HOST = "mta-sts.example.com"
BODY = GOLDEN["G1"][0]
REQ = request(HOST)


@pytest.fixture(scope="module")
def server(module_folder, authority):
    site = rig.Site(module_folder, authority)
    site.certify("example.com", "other.example")
    site.write(domains(tenant(), tenant("other.example", mode="testing")))
    with site.serve() as running:
        yield running


def ask(server, data, sni=HOST, **options):
    """The response to raw bytes. Whatever it is: well formed, close_notify before FIN, closed within a
    second."""
    outcome = server.exchange(data, sni, **options)
    assert not outcome.error and not outcome.was_reset
    assert outcome.close_notify
    assert outcome.elapsed_s < 1 * rig.patience()
    response = outcome.response
    wire.assert_well_formed(response, was_head=data.startswith(b"HEAD "))
    return response


def assert_golden(response):
    assert response.status == 200 and response.body == BODY


def assert_no_policy(response):
    assert b"STSv1" not in response.body and b"mode" not in response.body


# --- the one good request ----------------------------------------


def test_A_H1_the_golden_response(server):
    before = time.time()
    response = ask(server, REQ)
    assert_golden(response)
    assert BODY == server.site.policy()
    assert response.reason == "OK"
    assert response.fields["content-type"] == "text/plain"
    assert response.fields["cache-control"] == "max-age=60"
    date = email.utils.parsedate_to_datetime(response.fields["date"]).timestamp()
    assert before - 2 <= date <= time.time() + 1


def test_A_H2_head_has_the_same_fields_and_no_body(server):
    get, head = ask(server, REQ), ask(server, request(HOST, method="HEAD"))
    assert head.status == get.status == 200
    assert head.body == b"" and head.fields["content-length"] == str(len(BODY))
    for response in (get, head):
        response.fields.pop("date")
    assert head.fields == get.fields


def test_A_H2_head_of_what_is_not_there(server):
    response = ask(server, request(HOST, "/", method="HEAD"))
    assert response.status == 404


@pytest.mark.parametrize(
    "data",
    [
        REQ,
        request(HOST, "/"),
        request(HOST, method="POST"),
        b"GET\r\n\r\n",
        request("mta-sts.other.example"),
        request(HOST, extra=["Connection: keep-alive"]),
    ],
    ids=["200", "404", "405", "400", "421", "keep-alive"],
)
def test_A_H3_every_response_closes_the_connection(server, data):
    """`Connection: close`, then close_notify and FIN within a second; the client keeps its side open."""
    assert ask(server, data).fields["connection"] == "close"


def test_A_H3_a_second_request_is_not_answered(server):
    """Pipelined bytes get no second response and do not destroy the first."""
    response = ask(server, REQ + REQ)
    assert_golden(response)


def test_A_H4_http_1_0(server):
    assert_golden(ask(server, request(HOST, version="HTTP/1.0")))


def test_A_H4_http_1_0_without_host(server):
    """The server name says all that is needed."""
    assert_golden(ask(server, f"GET {POLICY_PATH} HTTP/1.0\r\n\r\n".encode()))


@pytest.mark.parametrize(
    "version, status",
    [("HTTP/2.0", 505), ("HTTP/0.9", 505), ("http/1.1", 400), ("HTTP/1.2", 200), ("HTTP/11", 400), ("", 400)],
)
def test_A_H4_other_versions(server, version, status):
    response = ask(server, request(HOST, version=version))
    assert response.status == status


# --- methods ----------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_A_H5_known_methods_are_not_allowed(server, method):
    response = ask(server, request(HOST, method=method))
    assert response.status == 405 and response.allow == {"GET", "HEAD"}
    assert_no_policy(response)


def test_A_H5_a_post_with_a_body(server):
    response = ask(server, request(HOST, method="POST", extra=["Content-Length: 5"]) + b"a=b&c")
    assert response.status == 405


def test_A_H5_options_of_the_whole_server(server):
    assert ask(server, request(HOST, "*", method="OPTIONS")).status == 405


@pytest.mark.parametrize("method", ["BREW", "get", "CONNECT", "PROPFIND", "X"])
def test_A_H6_unknown_methods_are_not_implemented(server, method):
    response = ask(server, request(HOST, method=method))
    assert response.status in (501, 405, 400)
    if method in ("BREW", "get", "PROPFIND"):
        assert response.status == 501
    assert_no_policy(response)


# --- targets ----------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/index.html",
        "/.well-known/",
        "/.well-known/security.txt",
        "/.well-known/MTA-STS.txt",
        "/.well-known/mta-sts.txt/",
        "/mta-sts.txt",
        "/.well-known/mta-sts.tx",
        "/.well-known/mta-sts.txtt",
        "/.well-known/mta-sts%2Etxt",
        "/.well-known/acme-challenge/x",
        "/favicon.ico",
    ],
)
def test_A_H7_everything_else_is_not_found(server, target):
    response = ask(server, request(HOST, target))
    assert response.status == 404
    assert_no_policy(response)


ESCAPES = [
    "/../etc/passwd",
    "/.well-known/../.well-known/mta-sts.txt",
    "/%2e%2e/",
    "//.well-known/mta-sts.txt",
    "/.well-known/./mta-sts.txt",
    "/..%2f..%2fetc/passwd",
    "/.well-known/mta-sts.txt/../x",
]


@pytest.mark.parametrize("target", ESCAPES)
def test_A_H8_no_way_out_of_the_one_path(server, target):
    response = ask(server, request(HOST, target))
    assert response.status in (400, 404)
    assert_no_policy(response)
    assert b"root:" not in response.body


def attach_strace(pid, output):
    """strace on a process, once it says that it is attached."""
    tracer = subprocess.Popen(
        ["strace", "-f", "-e", "trace=%file", "-o", str(output), "-p", str(pid)],
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=rig.environment(),
    )
    line = tracer.stderr.readline()
    assert b"attached" in line, line
    return tracer


@pytest.mark.skipif(not rig.IS_ROOT, reason="only root may trace the workers, which are not dumpable")
@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_A_H8_no_file_is_opened(server, folder):
    """While requests are answered, no worker makes a system call with a file name."""
    tracers = [attach_strace(pid, folder / str(pid)) for pid in server.worker_pids()]
    for target in ESCAPES + [POLICY_PATH]:
        ask(server, request(HOST, target))
    for tracer in tracers:
        tracer.terminate()
        tracer.wait(10)
        tracer.stderr.close()
    calls = [line for path in folder.iterdir() for line in path.read_text().splitlines() if "(" in line]
    assert not calls


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "http://mta-sts.example.com/",
        "/.well-known",
        "/.well-known/mta-sts.txt?x=1",
        "https://mta-sts.example.com",
        "//example.com/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_A_H9_never_a_redirect(server, target, method):
    response = ask(server, request(HOST, target, method=method))
    assert response.status in (400, 404, 405, 421)


# --- Host ----------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [f"Host: {HOST}", f"Host: {HOST}"],
        ["Host: a b"],
        [f"Host: u@{HOST}"],
        [f"Host: {HOST}/x"],
        ["Host:"],
        [f"Host: {HOST}:abc"],
        [f"Host : {HOST}"],
        [f"Host: {HOST}", " folded"],
    ],
    ids=["none", "two", "blank", "user", "path", "empty", "port", "space_before_colon", "folded"],
)
def test_A_H10_a_bad_host_is_a_bad_request(server, fields):
    head = "\r\n".join([f"GET {POLICY_PATH} HTTP/1.1", *fields, "", ""]).encode()
    response = ask(server, head)
    assert response.status == 400
    assert_no_policy(response)


@pytest.mark.parametrize(
    "host",
    [
        "mta-sts.other.example",
        "example.com",
        "mta-sts.example.com.evil.example",
        "mta-sts.nowhere.example",
        "localhost",
        "127.0.0.1",
        "[::1]",
        f"{HOST},{HOST}",
    ],
)
def test_A_H11_another_host_than_the_server_name_is_misdirected(server, host):
    """No foreign policy, not even of a live tenant with the same certificate."""
    response = ask(server, request(host))
    assert response.status == 421
    assert_no_policy(response)


def test_A_H11_each_tenant_gets_its_own(server):
    other = ask(server, request("mta-sts.other.example"), sni="mta-sts.other.example")
    assert other.status == 200 and b"mode: testing" in other.body
    assert other.body == server.site.policy("other.example")


@pytest.mark.parametrize(
    "target, host, status",
    [
        (f"https://{HOST}{POLICY_PATH}", HOST, 200),
        (f"HTTPS://{HOST.upper()}:443{POLICY_PATH}", HOST, 200),
        (f"https://{HOST}{POLICY_PATH}", "mta-sts.other.example", 200),  # RFC 9112 3.2.2: Host is ignored
        (f"https://mta-sts.other.example{POLICY_PATH}", HOST, 421),
        (f"http://{HOST}{POLICY_PATH}", HOST, 421),
        (f"https://u@{HOST}{POLICY_PATH}", HOST, 400),
        (f"https://{HOST}/", HOST, 404),
    ],
)
def test_A_H12_absolute_form(server, target, host, status):
    response = ask(server, request(host, target))
    assert response.status == status
    if status == 200:
        assert_golden(response)
    else:
        assert_no_policy(response)


# --- fields that change nothing ----------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "Range: bytes=0-9",
        "If-Modified-Since: " + email.utils.formatdate(usegmt=True),
        'If-None-Match: "x"',
        "Range: bytes=999999-",
        "If-Range: \"x\"",
        "If-Unmodified-Since: Mon, 01 Jan 1990 00:00:00 GMT",
    ],
)
def test_A_H15_no_ranges_and_no_conditions(server, line):
    assert_golden(ask(server, request(HOST, extra=[line])))


@pytest.mark.parametrize(
    "line",
    [
        "Accept: text/html",
        "Accept-Encoding: gzip, br",
        "Accept-Encoding: identity;q=0",
        "Accept-Language: tlh",
        "Accept-Charset: utf-16",
        "TE: trailers",
        "Expect: 100-continue",
        "Upgrade: h2c",
        "User-Agent: libwww-perl/6.0",
        "User-Agent: ()\t{ :;}; echo",
        "Cookie: a=b",
        "X-\u00ff: no",
    ],
)
def test_A_H18_no_negotiation(server, line):
    """Plain text, identity, 200; only a field that is none is refused."""
    response = ask(server, request(HOST, extra=[line]))
    if line.startswith("X-"):
        assert response.status == 400
    else:
        assert_golden(response)


@pytest.mark.parametrize(
    "host", ["MTA-STS.Example.COM", f"{HOST}:443", f"{HOST}.", f"{HOST}:", f"{HOST}:8443"]
)
def test_A_H21_the_host_in_other_spellings(server, host):
    """Case, port and final dot do not matter; a port may be whatever a forwarder listens on."""
    assert_golden(ask(server, request(host)))


# --- how the bytes come ----------------------------------------


def test_A_H22_one_byte_at_a_time(server):
    assert_golden(ask(server, REQ, byte_by_byte=True))


@pytest.mark.parametrize("cut", [1, 2, 3, len(REQ) - 10, 5, len(POLICY_PATH)])
def test_A_H22_two_segments(server, cut):
    """Wherever it is cut, also within the final CRLF CRLF."""
    with wire.Connection(server.address, HOST) as connection:
        assert connection.handshake()
        connection.send(REQ[:-cut])
        connection.send(REQ[-cut:])
        outcome = connection.read_all()
    assert outcome.close_notify
    wire.assert_well_formed(outcome.response)
    assert_golden(outcome.response)


@pytest.mark.parametrize(
    "lines",
    [
        [f"host: {HOST}"],
        [f"HOST: {HOST}"],
        [f"hOsT: {HOST}"],
        [f"Host:{HOST}"],
        [f"Host: \t {HOST} \t"],
        ["Accept: */*", f"Host: {HOST}", "User-Agent: x"],
        ["ACCEPT: */*", "user-agent: x", f"host: {HOST}"],
        [f"host: {HOST}", "Connection: close"],
        ["Connection: Keep-Alive", f"Host: {HOST}"],
    ],
)
def test_A_H23_field_names_and_order_do_not_matter(server, lines):
    head = "\r\n".join([f"GET {POLICY_PATH} HTTP/1.1", *lines, "", ""]).encode()
    assert_golden(ask(server, head))


def test_A_H23_an_empty_line_in_front(server):
    """RFC 9112 2.2."""
    assert_golden(ask(server, b"\r\n" + REQ))


def test_A_H23_a_client_that_closes_its_half_first(server):
    """FIN behind the request, without close_notify: the answer comes all the same."""
    with wire.Connection(server.address, HOST) as connection:
        assert connection.handshake()
        connection.send(REQ)
        connection.half_close()
        outcome = connection.read_all()
    assert outcome.close_notify
    assert_golden(outcome.response)


# --- over IPv6 ----------------------------------------


def has_ipv6():
    return os.path.exists("/proc/net/if_inet6") and re.search(
        r"^0{31}1 ", open("/proc/net/if_inet6", encoding="ascii").read(), re.M
    )


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_both_families_answer_alike(site):
    """R26: IPv4 and IPv6, every address serves every tenant."""
    site.certify("example.com")
    site.write(domains(tenant()), settings={"listen": '["127.0.0.1:0", "[::1]:0"]'})
    with site.serve() as server:
        assert {host for host, _ in server.addresses} == {"127.0.0.1", "::1"}
        for address in server.addresses:
            response = wire.exchange(address, HOST, REQ).response
            assert_golden(response)

"""What is no correct request: 400 or its like, one answer, a closed connection, and not a byte of the input sent back
(conformance.md 1.5 and 4: A-H13, A-H14, A-H16, A-H17, A-H20)."""

import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import rig
import wire
from rig import domains, tenant
from golden import GOLDEN
from wire import POLICY_PATH, request

HOST = "mta-sts.example.com"
BODY = GOLDEN["G1"][0]
LINE = f"GET {POLICY_PATH} HTTP/1.1\r\n".encode()
HOST_FIELD = f"Host: {HOST}\r\n".encode()
MARK = b"x7Qz9"  # a word that none of our answers holds


@pytest.fixture(scope="module")
def server(module_folder, authority):
    site = rig.Site(module_folder, authority)
    site.certify("example.com")
    site.write(domains(tenant()))
    with site.serve() as running:
        yield running


def ask(server, data, **options):
    """The one response to these bytes: well formed, close_notify, FIN, no reset, nothing behind it."""
    outcome = server.exchange(data, HOST, **options)
    assert not outcome.error and not outcome.was_reset and outcome.close_notify
    assert outcome.received.count(b"HTTP/1.") == 1, "a second response"
    response = outcome.response
    wire.assert_well_formed(response, was_head=data.startswith(b"HEAD "))
    if response.status != 200:
        assert MARK not in outcome.received, "the answer holds a part of the request"
        assert b"STSv1" not in outcome.received
    return response


# --- A-H13: targets ----------------------------------------


@pytest.mark.parametrize("length, status", [(7900, 404), (8192, 404), (8193, 414), (100_000, 414)])
def test_A_H13_long_targets(server, length, status):
    """Also where the client is still sending: it gets its answer, no reset."""
    target = "/" + MARK.decode() * length
    response = ask(server, request(HOST, target[:length]))
    assert response.status == status


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "BREW"])
def test_A_H13_whatever_the_method(server, method):
    assert ask(server, request(HOST, "/" * 9000, method=method)).status == 414


def test_A_H13_memory_stays_bounded(server):
    """A hundred targets of 100 KB at once leave the workers as small as before."""

    def resident_kb():
        total = 0
        for pid in server.worker_pids():
            with open(f"/proc/{pid}/status", encoding="ascii") as status:
                total += sum(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
        return total

    data = request(HOST, "/" + "a" * 100_000)
    ask(server, data)
    before = resident_kb()
    with ThreadPoolExecutor(20) as pool:
        assert {r.status for r in pool.map(lambda _: ask(server, data), range(100))} == {414}
    assert resident_kb() - before < (8192 if not rig.is_sanitized() else 200_000)


# --- A-H14: fields ----------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        [f"X-{n}: {MARK.decode()}" for n in range(1000)],
        [f"X-{n}: a" for n in range(100)],
        ["X: " + MARK.decode() * (65536 // 5)],
        ["X" * 65536 + ": a"],
        ["X: " + "a" * 16384],
        ["X:" + " " * 20000],
    ],
    ids=["thousand", "hundred_and_one", "64KiB", "long_name", "16KiB", "blanks"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_A_H14_large_heads(server, fields, method):
    assert ask(server, request(HOST, extra=fields, method=method)).status == 431


def test_A_H14_a_head_without_end(server):
    """Refused as soon as it is too large, and the client, which goes on, hears it."""
    with wire.Connection(server.address, HOST) as connection:
        assert connection.handshake()
        connection.send(LINE + HOST_FIELD)
        for _ in range(6):
            connection.send(b"X: " + b"a" * 2990 + b"\r\n")
        outcome = connection.read_all()
    assert outcome.response.status == 431 and outcome.close_notify and not outcome.was_reset


# --- A-H16: no HTTP at all ----------------------------------------


@pytest.mark.parametrize(
    "data, statuses",
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {400}),
        (b"GET\r\n\r\n", {400}),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {505}),
        (b"EHLO " + MARK + b"\r\n", {400}),
        (b"SSH-2.0-" + MARK + b"\r\n", {400}),
        (b"\x00" * 100, {400}),
        (b"\xff" * 100, {400}),
        (b"\r\n\r\n\r\n\r\n", {400}),
        (MARK * 10_000, {400, 414, 431, 501}),
        (b"GET " + POLICY_PATH.encode() + b"\r\n", {400}),  # HTTP/0.9
        (b"{" + MARK + b"}\r\n\r\n", {400}),
    ],
    ids=["tls", "get", "h2", "smtp", "ssh", "nul", "ff", "empty_lines", "word", "http09", "json"],
)
def test_A_H16_garbage_inside_tls(server, data, statuses):
    assert ask(server, data).status in statuses


@pytest.mark.parametrize(
    "data",
    [request(HOST), b"EHLO x\r\n", b"\x00" * 64, b"\x80\x2e\x01\x03\x01", b"SSH-2.0-x\r\n", b"\x16" * 64],
    ids=["http", "smtp", "nul", "sslv2", "ssh", "record"],
)
def test_A_H16_plain_text_on_the_tls_port(server, data):
    """Closed, or an alert in front: no hang, no text."""
    begin = time.monotonic()
    received = wire.raw_exchange(server.address, data)
    assert time.monotonic() - begin < 1 * rig.patience()
    assert received == b"" or (received[0] == 21 and len(received) == 7)


# --- A-H17: one request or two? ----------------------------------------

SECOND = LINE + HOST_FIELD + b"\r\n"
SMUGGLING = {
    "cl_and_te": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "te_and_cl": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    "cl_letters": b"Content-Length: " + MARK + b"\r\n",
    "cl_list": b"Content-Length: 1, 2\r\n",
    "cl_list_of_same": b"Content-Length: 5, 5\r\n",
    "cl_negative": b"Content-Length: -1\r\n",
    "cl_plus": b"Content-Length: +5\r\n",
    "cl_hex": b"Content-Length: 0x5\r\n",
    "cl_empty": b"Content-Length:\r\n",
    "cl_point": b"Content-Length: 5.0\r\n",
    "cl_blank": b"Content-Length: 1 2\r\n",
    "cl_twice": b"Content-Length: 5\r\nContent-Length: 6\r\n",
    "cl_twice_the_same": b"Content-Length: 5\r\ncontent-length: 5\r\n",
    "te_not_last": b"Transfer-Encoding: chunked, gzip\r\n",
    "te_twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "te_vertical_tab": b"Transfer-Encoding: \x0bchunked\r\n",
    "te_quoted": b'Transfer-Encoding: "chunked"\r\n',
    "te_unknown": b"Transfer-Encoding: " + MARK + b"\r\n",
    "space_before_colon": b"Transfer-Encoding : chunked\r\n",
    "tab_before_colon": b"Content-Length\t: 5\r\n",
    "blank_in_name": b"Content Length: 5\r\n",
    "obs_fold": b"X: a\r\n b\r\n",
    "obs_fold_tab": b"Transfer-Encoding:\r\n\tchunked\r\n",
    "fold_of_blanks": b"X: a\r\n   \r\n",
    "bare_lf": b"X: a\nTransfer-Encoding: chunked\r\n",
    "bare_cr": b"X: a\rTransfer-Encoding: chunked\r\n",
    "cr_cr_lf": b"X: a\r\r\n",
    "lf_cr": b"X: a\n\r",
    "nul_in_value": b"X: a\x00b\r\n",
    "nul_in_name": b"X\x00: a\r\n",
    "nul_line": b"\x00\r\n",
    "delete": b"X: a\x7f\r\n",
    "no_colon": b"Transfer-Encoding chunked\r\n",
    "no_name": b": " + MARK + b"\r\n",
    "request_line_again": LINE,
    "utf8_name": "Ünnütz: a\r\n".encode(),
    "full_width_colon": "Content-Length\uff1a 5\r\n".encode(),
}


@pytest.mark.parametrize("name", SMUGGLING)
@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_A_H17_what_could_be_read_in_two_ways_is_refused(server, name, method):
    """400 and a closed connection; what follows, a good request, gets no answer."""
    head = LINE.replace(b"GET", method) + HOST_FIELD + SMUGGLING[name] + b"\r\n"
    assert ask(server, head + SECOND).status == 400


@pytest.mark.parametrize("name", SMUGGLING)
def test_A_H17_wherever_the_field_stands(server, name):
    assert ask(server, LINE + SMUGGLING[name] + HOST_FIELD + b"\r\n" + SECOND).status == 400


@pytest.mark.parametrize(
    "head",
    [
        LINE.replace(b"\r\n", b"\n") + HOST_FIELD + b"\r\n",
        LINE + HOST_FIELD.replace(b"\r\n", b"\n") + b"\r\n",
        LINE + HOST_FIELD + b"\n",
        b"\n" + LINE + HOST_FIELD + b"\r\n",
        LINE.replace(b"\r\n", b"\r") + HOST_FIELD + b"\r\n",
        b"\r" + LINE + HOST_FIELD + b"\r\n",
        b" " + LINE + HOST_FIELD + b"\r\n",
        LINE.replace(b" /", b"\t/") + HOST_FIELD + b"\r\n",
        LINE.replace(b" /", b"  /") + HOST_FIELD + b"\r\n",
        LINE.replace(b"\r\n", b" \r\n") + HOST_FIELD + b"\r\n",
        LINE.replace(b"mta-sts.txt", b"mta-sts.txt\x00") + HOST_FIELD + b"\r\n",
        LINE.replace(b"mta-sts.txt", b"mta-sts.txt\x7f") + HOST_FIELD + b"\r\n",
        LINE.replace(b"mta-sts.txt", b"m\xc3\xbc") + HOST_FIELD + b"\r\n",
        LINE.replace(b"HTTP/1.1", b"HTTP/1.1" + MARK) + HOST_FIELD + b"\r\n",
        LINE.replace(b"HTTP/1.1", b"HTTP/01.1") + HOST_FIELD + b"\r\n",
        b"G\x00T" + LINE[3:] + HOST_FIELD + b"\r\n",
        LINE.replace(b"HTTP/1.1", b"HTTP/1.0") + HOST_FIELD + b"Transfer-Encoding: chunked\r\n\r\n",
    ],
    ids=range(17),
)
def test_A_H17_odd_lines(server, head):
    assert ask(server, head + SECOND).status == 400


@pytest.mark.parametrize(
    "fields, content, status",
    [
        (b"Content-Length: 5\r\n", b"a=b&c", 200),
        (b"Content-Length: 0\r\n", b"", 200),
        (b"Transfer-Encoding: chunked\r\n", b"5\r\na=b&c\r\n0\r\n\r\n", 200),
        (b"Transfer-Encoding: chunked\r\n", b"zz\r\n", 200),
        (b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n", 501),
        (b"Expect: 100-continue\r\nContent-Length: 5\r\n", b"a=b&c", 200),
    ],
    ids=["length", "length_0", "chunked", "broken_chunks", "gzip", "expect"],
)
def test_A_H17_content_is_dropped_and_never_a_request(server, fields, content, status):
    response = ask(server, LINE + HOST_FIELD + fields + b"\r\n" + content + SECOND)
    assert response.status == status
    if status == 200:
        assert response.body == BODY


def test_A_H17_pieces_do_not_change_the_judgement(server):
    """The same bytes, one per record and segment."""
    for name in ("cl_and_te", "bare_lf", "bare_cr", "obs_fold", "nul_in_value", "space_before_colon"):
        with wire.Connection(server.address, HOST) as connection:
            assert connection.handshake()
            for byte in LINE + HOST_FIELD + SMUGGLING[name] + b"\r\n":
                try:
                    connection.send(bytes([byte]))
                except (BrokenPipeError, ConnectionResetError):
                    break
            outcome = connection.read_all()
        assert outcome.response.status == 400, name


# --- nothing comes back ----------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        request(HOST, "/" + MARK.decode()),
        request(MARK.decode() + ".example"),
        request(HOST, "/?" + MARK.decode()),
        request(HOST, method=MARK.decode().upper()),
        request(HOST, version=MARK.decode()),
        request(HOST, method="POST", extra=[f"X: {MARK.decode()}"]),
        request(HOST, method="TRACE", extra=[f"X: {MARK.decode()}"]),
        request(HOST, method="OPTIONS", extra=[f"Origin: https://{MARK.decode()}"]),
        request(HOST, f"https://{MARK.decode()}.example/"),
        request(HOST, f"/{MARK.decode()}%0d%0aX:%20y"),
        request(HOST, extra=[f"{MARK.decode()} : a"]),
    ],
    ids=["path", "host", "query", "method", "version", "field", "trace", "origin", "absolute", "escaped", "bad_field"],
)
def test_no_answer_holds_a_part_of_the_request(server, data):
    response = ask(server, data)
    everything = (str(response.fields) + response.reason).lower().encode() + response.body.lower()
    assert MARK.lower() not in everything


# --- who is still sending gets the answer (C81) ----------------------------------------


@pytest.mark.parametrize("size", [1_000, 60_000, 150_000])
def test_a_client_that_is_still_sending_gets_its_answer(server, size):
    """The content of a refused request goes on while the answer is on its way: no reset destroys it."""
    head = request(HOST, "/upload", method="POST", extra=[f"Content-Length: {size}"])
    with wire.Connection(server.address, HOST) as connection:
        assert connection.handshake()
        connection.send(head)
        for _ in range(0, size, 1_000):
            connection.send(b"a" * 1_000)
        outcome = connection.read_all()
    assert outcome.response.status == 404 and outcome.close_notify and not outcome.was_reset


def test_two_requests_in_one_go_are_answered_once(server):
    for count in (2, 20):
        assert ask(server, (LINE + HOST_FIELD + b"\r\n") * count).body == BODY


# --- A-H20 ----------------------------------------


def test_A_H20_a_hundred_at_once(server):
    """100 parallel full handshakes and requests: all 200, p99 below a second."""

    def fetch(_):
        begin = time.monotonic()
        outcome = server.exchange(request(HOST), HOST)
        return outcome.response.status, time.monotonic() - begin

    slow = []
    for _ in range(5):  # the client is the slower one, and other programs run here
        with ThreadPoolExecutor(100) as pool:
            results = list(pool.map(fetch, range(100)))
        assert {status for status, _ in results} == {200}
        slow.append(sorted(seconds for _, seconds in results)[98])
        if slow[-1] < 1 * rig.patience():
            return
    raise AssertionError(f"p99 {slow} s")


def test_A_H16_a_client_that_closes_at_once(server):
    """A thousand connections without a byte, closed by the client, leave no trace."""
    for _ in range(1000):
        socket.create_connection(server.address, timeout=10).close()
    assert ask(server, request(HOST)).body == BODY


# --- records longer than the server takes ----------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("size, is_taken", [(8192, True), (9000, False), (16384, False)])
def test_a_request_in_one_long_record(server, size, is_taken, version):
    """mta-sts-server(8): up to 8,192 bytes; more is a record_overflow, not a broken connection."""
    head = request(HOST, extra=["X: " + "a" * 8000])
    data = head.ljust(size, b"x")[:size]
    context = wire.client_context(server.site.authority.root_file, version=version)
    with wire.Connection(server.address, HOST, context) as connection:
        assert connection.handshake()
        connection.send(data, record_bytes=size)
        outcome = connection.read_all()
    if is_taken:
        assert outcome.response.status == 200
    else:
        assert "RECORD_OVERFLOW" in outcome.error.upper() and not outcome.received

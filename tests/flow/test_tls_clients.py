"""Clients of every making: the groups, versions and certificate kinds they know, and the shapes in which
their ClientHello arrives (conformance.md 4, A-S1, A-S5, A-S7; C94, C105, C106)."""

import re
import socket
import ssl
import struct
import subprocess
import time

import pytest
import rig
import wire
from golden import GOLDEN
from rig import domains, tenant
from wire import request

BODY = GOLDEN["G1"][0]
ECDSA_HOST, RSA_HOST, BOTH_HOST = "mta-sts.p256.example", "mta-sts.rsa.example", "mta-sts.both.example"

_SERVER_HELLO = 2
_EXT_SUPPORTED_GROUPS, _EXT_PADDING, _EXT_KEY_SHARE = 10, 21, 51
_X25519 = 0x001D
# RFC 8446 4.1.3: the random of a ServerHello that is a HelloRetryRequest
_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


@pytest.fixture(scope="module")
def server(module_folder, authority):
    site = rig.Site(module_folder, authority)
    site.certify("p256.example")
    site.certify("rsa.example", key="rsa2048")
    site.ecdsa = authority.issue(BOTH_HOST)
    site.rsa = authority.issue(BOTH_HOST, key="rsa2048")
    site.ecdsa.save(site.certs / "both-ecdsa")
    site.rsa.save(site.certs / "both-rsa")
    site.write(domains(*map(tenant, ("p256.example", "rsa.example", "both.example"))))
    with site.serve() as running:
        yield running


# --- what the client knows ----------------------------------------


def s_client(server, host, *argv, data=None):
    """Exit status and output of `openssl s_client`, which asks for the policy and reads until we close."""
    address, port = server.address
    command = ["openssl", "s_client", "-connect", f"{address}:{port}", "-servername", host, *argv]
    process = subprocess.run(
        command if data is not None else [*command, "-ign_eof"],
        input=request(host) if data is None else data,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=30 * rig.patience(),
        check=False,
        env=rig.environment(),
    )
    return process.returncode, process.stdout.decode("utf-8", "replace")


def assert_answered(text):
    assert "HTTP/1.1 200 OK" in text and "version: STSv1" in text, text


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("group, name", [("X25519", "X25519"), ("P-256", "prime256v1")])
def test_R20_each_group_alone(server, group, name, version):
    """With an RSA certificate, where TLS 1.2 does not also tie the certificate's key to the groups."""
    status, text = s_client(server, RSA_HOST, version, "-groups", group)
    assert status == 0
    assert_answered(text)
    assert re.search(rf"Server Temp Key: (ECDH, )?{name}", text)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("group", ["P-384", "P-521", "X448"])
@pytest.mark.parametrize("host", [ECDSA_HOST, RSA_HOST])
def test_R20_any_other_group_alone_is_refused(server, host, group, version):
    """By handshake_failure; and whoever comes next is served."""
    status, text = s_client(server, host, version, "-groups", group)
    assert status != 0 and re.search(r"SSL alert number 40\b", text), text
    assert server.body("p256.example") == BODY


def test_C105_a_tls_1_2_client_must_know_the_groups_of_certificate_and_exchange(server):
    status, text = s_client(server, ECDSA_HOST, "-tls1_2", "-groups", "X25519")
    assert status != 0 and re.search(r"SSL alert number 40\b", text), text
    assert_answered(s_client(server, ECDSA_HOST, "-tls1_2", "-groups", "X25519:P-256")[1])
    assert_answered(s_client(server, ECDSA_HOST, "-tls1_3", "-groups", "X25519")[1])
    assert_answered(s_client(server, BOTH_HOST, "-tls1_2", "-groups", "X25519")[1])  # by the RSA certificate


@pytest.mark.parametrize("groups", ["X448:X25519", "P-521:P-256", "X448:P-521:P-256", "P-384:X25519", "ffdhe2048:X25519"])
@pytest.mark.parametrize("host", [ECDSA_HOST, RSA_HOST, BOTH_HOST])
def test_C94_a_hello_with_the_wrong_key_share_is_retried(server, host, groups):
    """HelloRetryRequest (RFC 8446 4.1.4): OpenSSL sends a share of its first group alone."""
    status, text = s_client(server, host, "-tls1_3", "-groups", groups, "-msg")
    assert status == 0
    assert_answered(text)
    assert len(re.findall(r"<<< TLS 1\.3, Handshake .*ServerHello", text)) == 2
    assert len(re.findall(r">>> TLS 1\.3, Handshake .*ClientHello", text)) == 2


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize(
    "sigalgs, kind",
    [
        ("RSA-PSS+SHA256", "rsa"),
        ("RSA-PSS+SHA512:RSA-PSS+SHA384", "rsa"),
        ("ECDSA+SHA256", "ecdsa"),
        ("ECDSA+SHA256:RSA-PSS+SHA256", "ecdsa"),
    ],
)
def test_A_S1_a_client_gets_the_certificate_that_it_can_check(server, sigalgs, kind, version):
    """Both kinds are there."""
    if version == "-tls1_2":  # there, the chain's signatures are ECDSA, and RSA means PKCS #1 as well
        sigalgs += ":RSA+SHA256" if kind == "rsa" else ""
    _, text = s_client(server, BOTH_HOST, version, "-sigalgs", sigalgs, "-showcerts")
    assert_answered(text)
    leaf = re.search("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", text, re.S)[0]
    assert leaf.encode() == getattr(server.site, kind).leaf_pem


@pytest.mark.parametrize("version, kind", [("-tls1_2", "ecdsa"), ("-tls1_3", "rsa")])
def test_A_S1_who_decides_between_two_certificates(server, version, kind):
    """A client that knows both and names RSA first: our order decides in TLS 1.2, in TLS 1.3 the library goes
    by the client's."""
    _, text = s_client(server, BOTH_HOST, version, "-sigalgs", "RSA-PSS+SHA256:ECDSA+SHA256", "-showcerts")
    assert_answered(text)
    assert getattr(server.site, kind).leaf_pem.decode() in text


@pytest.mark.parametrize(
    "host, sigalgs", [(ECDSA_HOST, "RSA-PSS+SHA256:RSA+SHA256"), (RSA_HOST, "ECDSA+SHA256")]
)
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_A_S1_a_client_that_can_check_no_certificate_is_refused(server, host, sigalgs, version):
    status, text = s_client(server, host, version, "-sigalgs", sigalgs)
    assert status != 0 and re.search(r"SSL alert number 40\b", text), text


@pytest.mark.parametrize("ciphers", ["ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES256-GCM-SHA384"])
def test_A_S5_tls_1_2_with_one_suite(server, ciphers):
    _, text = s_client(server, ECDSA_HOST, "-tls1_2", "-cipher", ciphers)
    assert_answered(text)
    assert f"Cipher is {ciphers}" in text


@pytest.mark.parametrize(
    "suite", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
)
def test_A_S5_tls_1_3_with_one_suite(server, suite):
    _, text = s_client(server, ECDSA_HOST, "-tls1_3", "-ciphersuites", suite)
    assert_answered(text)
    assert f"Cipher is {suite}" in text


def test_A_S5_a_downgrade_is_marked(server):
    """A TLS 1.3 client whose hello was cut down to 1.2 on its way must find the mark in our random (RFC 8446
    4.1.3)."""
    context = wire.client_context(version=ssl.TLSVersion.TLSv1_2)
    with wire.Connection(server.address, ECDSA_HOST, context) as connection:
        assert connection.handshake()
        assert server_hello(connection.outcome.records)["random"].endswith(b"DOWNGRD\x01")


@pytest.mark.parametrize("host", [ECDSA_HOST, RSA_HOST])
def test_C99_a_client_may_not_renegotiate(server, host):
    """RFC 5746 is spoken, so that no one can splice; a second handshake on the connection is refused."""
    status, text = s_client(server, host, "-tls1_2", data=b"R\n")
    assert "Secure Renegotiation IS supported" in text
    assert "RENEGOTIATING" in text and status != 0
    assert re.search(r"no renegotiation|alert number|wrong version|unexpected", text, re.I), text
    assert server.body("p256.example") == BODY


# --- the shape of a ClientHello ----------------------------------------


class Reshaped(wire.Connection):
    """The ClientHello goes out as reshape (record -> segments) makes it; all else as it is."""

    def __init__(self, address, sni, context, reshape):
        super().__init__(address, sni, context)
        self._reshape = reshape

    def _flush(self):
        if self._reshape is None:
            super()._flush()
            return
        segments, self._reshape = self._reshape(self._outgoing.read()), None
        for segment in segments:
            self._socket.sendall(segment)
        self._sent_at = time.monotonic()


def whole(record):
    return [record]


def byte_by_byte(record):
    return [record[i : i + 1] for i in range(len(record))]


def in_records_of(size):
    """A reshape: the message over records with size bytes each, all at once."""

    def reshape(record):
        (payload,) = [data for kind, data in wire.split_records(record) if kind == 22]
        pieces = [payload[i : i + size] for i in range(0, len(payload), size)]
        return [b"".join(b"\x16\x03\x01" + struct.pack("!H", len(piece)) + piece for piece in pieces)]

    return reshape


def in_records_byte_by_byte(record):
    return byte_by_byte(in_records_of(100)(record)[0])


def fill(size):
    """ALPN offers that make a ClientHello about size bytes larger, http/1.1 the last of them."""
    return [f"{i:03}" + "x" * 197 for i in range(size // 201)] + ["http/1.1"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("extra", [0, 2000, 6000, 7600])
@pytest.mark.parametrize(
    "reshape",
    [whole, byte_by_byte, in_records_of(4000), in_records_of(99), in_records_byte_by_byte],
    ids=["whole", "bytes", "4000-byte-records", "99-byte-records", "records-and-bytes"],
)
def test_C106_a_hello_may_come_in_any_pieces(server, reshape, extra, version):
    context = wire.client_context(server.site.authority.root_file, version=version, alpn=fill(extra))
    with Reshaped(server.address, ECDSA_HOST, context, reshape) as connection:
        assert connection.handshake(), connection.outcome.error
        assert connection.outcome.details["alpn"] == "http/1.1"
        connection.send(request(ECDSA_HOST))
        assert connection.read_all().response.body == BODY


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 37, 38])
def test_C106_a_hello_in_records_of_a_few_bytes(server, size):
    """Cut inside the message's own header, its length, its random."""
    context = wire.client_context(server.site.authority.root_file)
    with Reshaped(server.address, ECDSA_HOST, context, in_records_of(size)) as connection:
        assert connection.handshake(), connection.outcome.error
        connection.send(request(ECDSA_HOST))
        assert connection.read_all().response.body == BODY


def test_C106_a_hello_above_the_limit_is_refused_at_once(server):
    """Two records, 16 KiB and more, that announce a hello of 60,000 bytes."""
    message = b"\x01" + (60000).to_bytes(3, "big") + b"\x03\x03" + b"r" * 59998
    stream = in_records_of(16000)(b"\x16\x03\x01" + struct.pack("!H", len(message)) + message)[0]
    answer = wire.raw_exchange(server.address, stream[:20000])
    assert answer == b"" or (answer[:1] == b"\x15" and len(answer) == 7)


# --- post-quantum key shares ----------------------------------------


def client_hello(sni):
    """A TLS 1.3 ClientHello as OpenSSL makes it: (everything before its extensions' length, {type: data})."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = wire.client_context().wrap_bio(incoming, outgoing, server_hostname=sni)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    message = outgoing.read()[5:]
    at = 4 + 2 + 32
    at += 1 + message[at]
    at += 2 + int.from_bytes(message[at : at + 2], "big")
    at += 1 + message[at]
    extensions, rest = {}, message[at + 2 :]
    while rest:
        kind, length = struct.unpack("!HH", rest[:4])
        extensions[kind], rest = rest[4 : 4 + length], rest[4 + length :]
    return message[4:at], extensions


def render_hello(before, extensions):
    """One record with the message."""
    packed = b"".join(struct.pack("!HH", kind, len(data)) + data for kind, data in extensions.items())
    body = before + struct.pack("!H", len(packed)) + packed
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack("!H", len(message)) + message


def server_hello(records):
    """{random, group} of the first ServerHello in what came; group is None where it is not TLS 1.3."""
    message = next(data for kind, data in wire.split_records(records) if kind == 22)
    assert message[0] == _SERVER_HELLO
    at = 4 + 2 + 32
    at += 1 + message[at] + 3
    end, at = at + 2 + int.from_bytes(message[at : at + 2], "big"), at + 2
    group = None
    while at < end:
        kind, length = struct.unpack("!HH", message[at : at + 4])
        if kind == _EXT_KEY_SHARE:
            group = int.from_bytes(message[at + 4 : at + 6], "big")
        at += 4 + length
    return {"random": message[6:38], "group": group}


def answer_to(server, hello):
    """What comes until the ServerHello is complete."""
    with socket.create_connection(server.address, timeout=20) as plain:
        plain.sendall(hello)
        received = b""
        while not any(kind == 22 for kind, _ in wire.split_records(received)):
            piece = plain.recv(65536)
            assert piece, received
            received += piece
    return server_hello(received)


# IANA's names and sizes of a client's share; GREASE (RFC 8701) is what browsers add.
X25519MLKEM768, SECP384R1MLKEM1024, X25519KYBER768 = (0x11EC, 1216), (0x11ED, 1665), (0x6399, 1216)
GREASE = (0x2A2A, 1)


@pytest.mark.parametrize(
    "unknown, padding",
    [
        ([X25519MLKEM768], 0),
        ([GREASE, X25519MLKEM768], 0),
        ([X25519MLKEM768, SECP384R1MLKEM1024], 0),
        ([GREASE, X25519MLKEM768, X25519KYBER768, SECP384R1MLKEM1024], 0),
        ([X25519MLKEM768], 4000),
        ([X25519MLKEM768, SECP384R1MLKEM1024], 4800),
    ],
    ids=["one", "as-chrome", "two", "four", "padded-to-6k", "padded-to-8k"],
)
@pytest.mark.parametrize("size", [16384, 1200], ids=["one-record", "records"])
def test_C106_large_key_shares_of_unknown_groups_are_passed_over(server, unknown, padding, size):
    """The X25519 share behind them is taken, without a retry."""
    before, extensions = client_hello(ECDSA_HOST)
    shares = b"".join(struct.pack("!HH", group, n) + b"\x5a" * n for group, n in unknown)
    known = extensions[_EXT_KEY_SHARE][2:]
    extensions[_EXT_KEY_SHARE] = struct.pack("!H", len(shares + known)) + shares + known
    groups = b"".join(struct.pack("!H", group) for group, _ in unknown)
    groups += extensions[_EXT_SUPPORTED_GROUPS][2:]
    extensions[_EXT_SUPPORTED_GROUPS] = struct.pack("!H", len(groups)) + groups
    if padding:
        extensions[_EXT_PADDING] = bytes(padding)
    hello = in_records_of(size)(render_hello(before, extensions))[0]
    answer = answer_to(server, hello)
    assert answer["group"] == _X25519 and answer["random"] != _RETRY

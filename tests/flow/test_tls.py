"""Handshakes: who gets which certificate, who is turned away and how (conformance.md 4, A-S)."""

import contextlib
import os
import re
import ssl
import subprocess

import pytest
import rig
import wire
from cryptography import x509
from rig import domains, tenant
from golden import GOLDEN
from wire import request

BODY = GOLDEN["G1"][0]
TENANTS = {"rsa.example": "rsa2048", "p256.example": "p256", "p384.example": "p384"}


@pytest.fixture(scope="module")
def server(module_folder, authority):
    """Three tenants with keys of three kinds, and one whose mx is refused."""
    site = rig.Site(module_folder, authority)
    site.pairs = {name: site.certify(name, key=kind) for name, kind in TENANTS.items()}
    site.certify("refused.example")
    site.write(domains(*map(tenant, TENANTS), tenant("refused.example", mx="['10 mail.example']")))
    with site.serve() as running:
        yield running


def s_client(server, *argv, data=b""):
    """What `openssl s_client` says; its input stays open until the server has closed."""
    host, port = server.address
    command = ["openssl", "s_client", "-connect", f"{host}:{port}", "-ign_eof", *map(str, argv)]
    process = subprocess.run(
        command,
        input=data,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=30,
        check=False,
        env=rig.environment(),
    )
    return process.returncode, process.stdout.decode("utf-8", "replace")


def hello_only(server, sni, **options):
    """A handshake of which nothing is expected; what came of it."""
    with wire.Connection(server.address, sni, wire.client_context(**options)) as connection:
        connection.handshake()
        return connection.outcome


def assert_turned_away(outcome, *alerts):
    """A fatal alert, one of these, in the clear; no certificate, nothing else."""
    level, description = outcome.plain_alert
    assert level == 2 and description in alerts
    assert not wire.handshake_sent_certificate(outcome)
    assert len(outcome.records) == 7, outcome.records


# --- the right certificate ----------------------------------------


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("name", TENANTS)
def test_A_S1_each_tenant_gets_its_own_chain(server, name, version):
    """OpenSSL verifies chain and name; the leaf is the one of that tenant."""
    host = f"mta-sts.{name}"
    status, text = s_client(
        server,
        "-servername",
        host,
        "-verify_return_error",
        "-verify_hostname",
        host,
        "-CAfile",
        server.site.authority.root_file,
        "-showcerts",
        version,
        data=request(host),
    )
    assert status == 0, text
    assert "Verify return code: 0 (ok)" in text and f"Verified peername: {host}" in text
    leaf = re.search("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", text, re.S)[0]
    assert leaf.encode() == server.site.pairs[name].leaf_pem
    assert BODY.decode() in text.replace("\n", "\r\n").replace("\r\r\n", "\r\n")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("name", TENANTS)
def test_A_S5_both_versions_alone(server, name, version):
    host = f"mta-sts.{name}"
    context = wire.client_context(server.site.authority.root_file, version=version)
    outcome = wire.exchange(server.address, host, request(host), context)
    assert outcome.response.body == BODY
    assert (
        outcome.details["version"]
        == {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version]
    )
    assert re.search(r"GCM|CHACHA20", outcome.details["cipher"])


def test_A_S1_ecdsa_and_rsa_side_by_side(site):
    """A client that knows only RSA gets the RSA certificate, every other one ECDSA."""
    ecdsa = site.authority.issue("mta-sts.example.com")
    rsa = site.authority.issue("mta-sts.example.com", key="rsa2048")
    ecdsa.save(site.certs / "ecdsa")
    rsa.save(site.certs / "rsa")
    site.write(domains(tenant()))
    with site.serve() as server:
        for ciphers, pair in (
            ("ECDHE-RSA-AES128-GCM-SHA256", rsa),
            ("ECDHE-ECDSA-AES128-GCM-SHA256", ecdsa),
            ("ECDHE+AESGCM", ecdsa),
        ):
            context = wire.client_context(
                site.authority.root_file, version=ssl.TLSVersion.TLSv1_2, ciphers=ciphers
            )
            outcome = wire.exchange(
                server.address, "mta-sts.example.com", request("mta-sts.example.com"), context
            )
            assert outcome.response.status == 200
            assert outcome.details["certificate"] == pair.leaf_der
        assert server.body() == BODY


def test_an_expired_certificate_is_served_loudly(site):
    """Senders in testing still report; the log says so."""
    pair = site.certify("example.com", starts_days=-90, ends_days=-1)
    site.write(domains(tenant()))
    with site.serve() as server:
        outcome = server.exchange(request("mta-sts.example.com"))
        assert outcome.response.status == 200 and outcome.details["certificate"] == pair.leaf_der
        assert [e for e in server.log.events("certs.problem") if "expired" in e.line]


# --- no certificate ----------------------------------------


@pytest.mark.parametrize(
    "version", [None, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["any", "1.2", "1.3"]
)
@pytest.mark.parametrize(
    "sni",
    [
        "mta-sts.nowhere.example",
        "p256.example",
        "mta-sts.refused.example",
        "localhost",
        "www.p256.example",
        "mta-sts.mta-sts.p256.example",
        "mta-sts.sub.p256.example",
        "smtp.example",
    ],
)
def test_A_S2_an_unknown_name_is_unrecognized(server, sni, version):
    assert_turned_away(hello_only(server, sni, version=version), wire.ALERT_UNRECOGNIZED_NAME)


def test_A_S2_openssl_calls_it_unrecognized_name(server):
    status, text = s_client(server, "-servername", "mta-sts.nowhere.example")
    assert status != 0 and "SSL alert number 112" in text and "BEGIN CERTIFICATE" not in text


@pytest.mark.parametrize("version", [None, ssl.TLSVersion.TLSv1_2], ids=["any", "1.2"])
def test_A_S3_no_server_name(server, version):
    assert_turned_away(
        hello_only(server, None, version=version),
        wire.ALERT_UNRECOGNIZED_NAME,
        wire.ALERT_MISSING_EXTENSION,
        wire.ALERT_HANDSHAKE_FAILURE,
    )


def test_A_S3_openssl_without_server_name(server):
    status, text = s_client(server, "-noservername")
    assert status != 0 and re.search(r"SSL alert number (40|109|112)\b", text)


def test_A_S2_a_tenant_without_certificate_is_unrecognized(site):
    site.write(domains(tenant()))
    with site.serve() as server:
        assert_turned_away(hello_only(server, "mta-sts.example.com"), wire.ALERT_UNRECOGNIZED_NAME)


# --- key shares ----------------------------------------


def client_hello(version, curve=None):
    context = wire.client_context(version=version)
    if curve:
        context.set_ecdh_curve(curve)
    outgoing = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="mta-sts.p256.example").do_handshake()
    return outgoing.read()


def last_alert(server, data):
    """What comes last, and only then."""
    answer = wire.raw_exchange(server.address, data)
    alert = b"\x15\x03\x03\0\x02\x02"
    assert answer[-7:-1] == alert and answer.count(alert) == 1
    return answer[-1]


@pytest.mark.parametrize(
    "curve, head, key",
    [
        (None, b"\x00\x1d\x00\x20", bytes(32)),
        (None, b"\x00\x1d\x00\x20", b"\x01" + bytes(31)),
        ("prime256v1", b"\x00\x17\x00\x41", b"\x04" + b"\x01" * 64),
    ],
    ids=["X25519-0", "X25519-1", "P-256-off-the-curve"],
)
def test_a_key_share_that_gives_no_secret_is_an_illegal_parameter(server, curve, head, key):
    """RFC 8446 7.4.2, RFC 7748 6.1: a secret of zeros, or none at all, ends the handshake."""
    hello = client_hello(ssl.TLSVersion.TLSv1_3, curve)
    assert hello.count(head) == 1
    at = hello.index(head) + len(head)
    hello = hello[:at] + key + hello[at + len(key) :]
    assert last_alert(server, hello) == wire.ALERT_ILLEGAL_PARAMETER


def test_an_x25519_key_of_zeros_is_refused_in_tls_1_2(server):
    """RFC 8422 5.11; in a ClientKeyExchange. mbedTLS alone, without the accelerator, names no parameter."""
    key_exchange = b"\x16\x03\x03\0\x25\x10\0\0\x21\x20" + bytes(32)
    alert = last_alert(server, client_hello(ssl.TLSVersion.TLSv1_2) + key_exchange)
    assert alert in (wire.ALERT_ILLEGAL_PARAMETER, wire.ALERT_HANDSHAKE_FAILURE)


# --- versions, ALPN ----------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["1.0", "1.1"])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_A_S4_old_versions_are_refused(server, version):
    outcome = hello_only(server, "mta-sts.p256.example", version=version)
    assert_turned_away(outcome, wire.ALERT_PROTOCOL_VERSION, wire.ALERT_HANDSHAKE_FAILURE)


def test_A_S4_openssl_with_tls_1_1(server):
    status, text = s_client(
        server, "-servername", "mta-sts.p256.example", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"
    )
    assert status != 0 and re.search(r"SSL alert number (70|40)\b", text)


def test_A_S4_an_sslv3_hello(server):
    """OpenSSL speaks it no more: version 3.0, one old suite, null compression."""
    body = b"\x03\x00" + b"r" * 32 + b"\0" + b"\0\x02\0\x2f" + b"\x01\0"
    hello = b"\x01" + len(body).to_bytes(3, "big") + body
    answer = wire.raw_exchange(server.address, b"\x16\x03\0" + len(hello).to_bytes(2, "big") + hello)
    assert (
        answer[:1] == b"\x15" and answer[5:6] == b"\x02" and answer[6] in (70, 40, 112) and len(answer) == 7
    )


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_A_S6_alpn_h2_alone_is_refused(server, version):
    outcome = hello_only(server, "mta-sts.p256.example", alpn=["h2"], version=version)
    level, description = outcome.plain_alert
    assert (level, description) == (2, wire.ALERT_NO_APPLICATION_PROTOCOL)
    assert not wire.handshake_sent_certificate(outcome)


@pytest.mark.parametrize(
    "offers, chosen",
    [
        (["h2", "http/1.1"], "http/1.1"),
        (["http/1.1"], "http/1.1"),
        (["http/1.0", "http/1.1", "h2"], "http/1.1"),
        (None, None),
    ],
)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_A_S6_alpn_http_1_1_is_chosen(server, offers, chosen, version):
    host = "mta-sts.p256.example"
    outcome = wire.exchange(
        server.address, host, request(host), wire.client_context(alpn=offers, version=version)
    )
    assert outcome.details["alpn"] == chosen and outcome.response.body == BODY


@pytest.mark.parametrize(
    "suite",
    [
        "AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-SHA256",
        "ECDHE-ECDSA-AES128-SHA",
        "DHE-RSA-AES128-GCM-SHA256",
        "AES256-SHA",
    ],
)
@pytest.mark.parametrize("name", ["rsa.example", "p256.example"])
def test_A_S7_only_ecdhe_with_aead(server, suite, name):
    """No static RSA, no CBC, no finite-field DH."""
    context = wire.client_context(version=ssl.TLSVersion.TLSv1_2, ciphers=suite + ":@SECLEVEL=0")
    with wire.Connection(server.address, f"mta-sts.{name}", context) as connection:
        assert not connection.handshake()
        assert connection.outcome.plain_alert == (2, wire.ALERT_HANDSHAKE_FAILURE)
        assert not wire.handshake_sent_certificate(connection.outcome)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_A_S7_no_tickets_no_compression(server, version):
    host = "mta-sts.p256.example"
    _, text = s_client(server, "-servername", host, version, data=request(host))
    assert "HTTP/1.1 200 OK" in text
    assert "session ticket" not in text.lower()
    assert "Compression: NONE" in text


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_A_S7_no_session_is_resumed(server, folder, version):
    """RFC 6066 3: never under another name, so never at all."""
    session = folder / "session"
    host = "mta-sts.p256.example"
    s_client(server, "-servername", host, version, "-sess_out", session, data=request(host))
    offered = ["-sess_in", session] if session.exists() else []  # TLS 1.3 gives none without a ticket
    assert offered or version == "-tls1_3"
    for name in ("p256.example", "rsa.example"):
        _, text = s_client(
            server, "-servername", f"mta-sts.{name}", version, *offered, data=request(f"mta-sts.{name}")
        )
        assert "HTTP/1.1 200 OK" in text
        assert "New, TLSv1" in text and "Reused" not in text


# --- which certificates are taken ----------------------------------------


def test_A_S8_a_common_name_is_no_name(site):
    """No SAN: not served, the reason is logged with the file."""
    site.authority.issue(common_name="mta-sts.example.com").save(site.certs / "old")
    site.write(domains(tenant()))
    with site.serve() as server:
        assert_turned_away(hello_only(server, "mta-sts.example.com"), wire.ALERT_UNRECOGNIZED_NAME)
        problems = [e for e in server.log.events("certs.problem") if "old" in e.fields["path"]]
        assert problems and re.search("SAN|subjectAltName|name", problems[0].fields["text"])
        assert site.run("records").status == rig.PROBLEMS


def test_A_S9_a_wildcard_is_one_label(site):
    """*.example.com covers mta-sts.example.com, not mta-sts.mail.example.com; www is still no policy host."""
    site.authority.issue("*.example.com").save(site.certs / "wild")
    site.write(domains(tenant(), tenant("mail.example.com")))
    with site.serve() as server:
        assert server.body() == BODY
        assert_turned_away(hello_only(server, "mta-sts.mail.example.com"), wire.ALERT_UNRECOGNIZED_NAME)
        assert_turned_away(hello_only(server, "www.example.com"), wire.ALERT_UNRECOGNIZED_NAME)
        assert site.run("records", "example.com").status == rig.DONE
        assert site.run("records", "mail.example.com").status == rig.PROBLEMS


def test_A_S9_an_exact_name_comes_before_a_wildcard(site):
    site.authority.issue("*.example.com", ends_days=300).save(site.certs / "wild")
    exact = site.certify("example.com")
    site.write(domains(tenant()))
    with site.serve() as server:
        assert server.exchange(request("mta-sts.example.com")).details["certificate"] == exact.leaf_der


def test_A_S9_a_valid_wildcard_comes_before_an_expired_exact_name(site):
    wild = site.authority.issue("*.example.com")
    wild.save(site.certs / "wild")
    site.certify("example.com", starts_days=-90, ends_days=-1)
    site.write(domains(tenant()))
    with site.serve() as server:
        assert server.exchange(request("mta-sts.example.com")).details["certificate"] == wild.leaf_der


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_A_S10_close_notify_comes_before_fin(server, version):
    host = "mta-sts.p256.example"
    outcome = wire.exchange(server.address, host, request(host), wire.client_context(version=version))
    assert outcome.response.status == 200
    assert outcome.close_notify and not outcome.was_reset


@pytest.mark.parametrize("sni", ["MTA-STS.P256.EXAMPLE", "mta-sts.P256.example", "Mta-Sts.p256.Example"])
def test_A_S11_the_server_name_in_capitals(server, sni):
    """Sent as written (s_client changes nothing), answered all the same."""
    status, text = s_client(
        server,
        "-servername",
        sni,
        "-CAfile",
        server.site.authority.root_file,
        "-verify_return_error",
        data=request("mta-sts.p256.example"),
    )
    assert status == 0 and "HTTP/1.1 200 OK" in text


def test_A_S11_the_server_name_with_a_final_dot(server):
    """RFC 6066 3 forbids it; whoever sends it gets an answer or a clean alert, never a crash."""
    status, text = s_client(
        server, "-servername", "mta-sts.p256.example.", data=request("mta-sts.p256.example")
    )
    assert (status == 0 and "HTTP/1.1 200 OK" in text) or "SSL alert number 112" in text
    assert server.exchange(request("mta-sts.p256.example"), "mta-sts.p256.example").response.body == BODY


def test_A_S12_a_leaf_without_its_issuer_is_taken_with_a_warning(site):
    """Served as it is; W09 says what senders will think of it."""
    pair = site.authority.issue("mta-sts.example.com")
    pair.save(site.certs / "example.com", leaf_only=True)
    site.write(domains(tenant()))
    with site.serve() as server:
        outcome = server.exchange(request("mta-sts.example.com"))
        assert outcome.response.body == BODY and outcome.details["certificate"] == pair.leaf_der
        problems = [e for e in server.log.events("certs.problem") if "example.com" in e.fields["path"]]
        assert problems and re.search("W09|chain|intermediate|issuer", problems[0].fields["text"])


def test_key_and_certificate_find_each_other_by_public_key(site):
    """Whatever the files are called, in one or in two, in whatever order."""
    first, second = (site.authority.issue(f"mta-sts.{name}") for name in ("a.example", "b.example"))
    deep = site.certs / "some" / "where" / "deep"
    deep.mkdir(parents=True)
    (site.certs / "one.pem").write_bytes(first.key_pem + first.chain_pem)
    (site.certs / "crossed.key").write_bytes(first.key_pem)
    (deep / "b.crt").write_bytes(second.chain_pem)
    (site.certs / "keys").mkdir()
    (site.certs / "keys" / "anything").write_bytes(second.key_pem)
    for path in (site.certs / "one.pem", site.certs / "crossed.key", site.certs / "keys" / "anything"):
        path.chmod(0o600)
    site.write(domains(tenant("a.example"), tenant("b.example")))
    with site.serve() as server:
        assert server.body("a.example") == BODY and server.body("b.example") == BODY


def test_a_tenants_own_cert_path_is_used_and_watched(site):
    """`cert` in a domain: a folder beside certs.paths, with renewals picked up as well."""
    own = site.folder / "own"
    first, second = (site.authority.issue("mta-sts.example.com", ends_days=days) for days in (50, 89))
    first.save(own)
    site.write(domains(tenant(cert=own)))
    with site.serve() as server:
        assert server.exchange(request("mta-sts.example.com")).details["certificate"] == first.leaf_der
        second.save(own)
        rig.wait_until(
            lambda: server.exchange(request("mta-sts.example.com")).details["certificate"] == second.leaf_der,
            "the renewed certificate",
            2,
        )


def test_a_bad_file_harms_nobody_else(site):
    """Garbage, half a file, a key that belongs to nobody, pipes and loops: logged, passed over, waited for by
    nobody."""
    pair = site.certify("example.com")
    (site.certs / "garbage.pem").write_bytes(
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    )
    (site.certs / "half.pem").write_bytes(pair.chain_pem[:300])
    (site.certs / "binary.pem").write_bytes(bytes(range(256)) * 20)
    (site.certs / "lonely.key").write_bytes(site.authority.issue("x.example").key_pem)
    (site.certs / "lonely.key").chmod(0o600)
    os.mkfifo(site.certs / "pipe.pem")
    (site.certs / "loop").symlink_to(site.certs)
    (site.certs / "nowhere.pem").symlink_to("/nonexistent/file")
    (site.certs / "zero.pem").symlink_to("/dev/zero")
    (site.certs / "vast.pem").touch()
    os.truncate(site.certs / "vast.pem", 1 << 40)
    site.write(domains(tenant()))
    with site.serve() as server:
        assert server.body() == BODY
        assert [e for e in server.log.events("certs.problem") if "garbage.pem" in e.fields["path"]]


def test_the_chain_is_sent_leaf_first_without_the_root(server):
    """Each next certificate certifies the one before (RFC 5246 7.4.2)."""
    host = "mta-sts.p256.example"
    _, text = s_client(server, "-servername", host, "-showcerts", data=request(host))
    pems = re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", text, re.S)
    chain = [x509.load_pem_x509_certificate(pem.encode()) for pem in pems]
    assert len(chain) == 2
    assert chain[0].issuer == chain[1].subject and chain[1].issuer != chain[1].subject


def test_plain_http_on_the_tls_port_is_closed_at_once(server):
    """No hang, no HTTP in the clear."""
    answer = wire.raw_exchange(server.address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer == b"" or (answer[:1] == b"\x15" and len(answer) == 7)


# --- chains that just fit, and that do not ----------------------------------------


def message_bytes(pair):
    """Of the Certificate message with leaf and intermediate: RFC 8446 4.4.2."""
    end = "-----END CERTIFICATE-----\n"
    pems = [pem + end for pem in pair.chain_pem.decode().split(end)[:-1]]
    return 8 + sum(5 + len(ssl.PEM_cert_to_DER_cert(pem)) for pem in pems)


def issue_of_size(authority, host, size):
    """A chain whose Certificate message has exactly that many bytes. A signature's length varies: tried again."""
    count, last = 0, 1
    for _ in range(200):
        names = [f"{i:03}.{'x' * 50}.example" for i in range(count)]  # 64 bytes each as they are encoded
        pair = authority.issue(host, "y" * last + ".example", *names)
        missing = size - message_bytes(pair)
        if missing == 0:
            return pair
        more, last = divmod(last - 1 + missing, 64)
        count, last = max(count + more, 0), min(last + 1, 63)
    raise AssertionError("no chain of that size came out")


def test_a_chain_that_cannot_be_sent_is_not_taken(site):
    """mta-sts-server.yaml(5), E13; what is taken can be sent, to the last byte."""
    names = [f"{i:03}.{'x' * 50}.example" for i in range(400)]
    site.authority.issue("mta-sts.example.org", *names).save(site.certs / "long")
    site.write(domains(tenant(), tenant("example.org")))
    with site.serve() as server:
        problem = server.log.wait("certs.problem").fields["text"]
        limit = int(re.search(r"no more than (\d+)", problem).group(1))
        assert_turned_away(hello_only(server, "mta-sts.example.org"), wire.ALERT_UNRECOGNIZED_NAME)
        issue_of_size(site.authority, "mta-sts.example.com", limit).save(site.certs / "fits")
        server.log.wait("certs.done", added="1")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = wire.client_context(site.authority.root_file, version=version)
            outcome = server.exchange(request("mta-sts.example.com"), context=context)
            assert outcome.response.body == BODY

"""What auditors' tools say of our TLS: testssl.sh and sslscan, as Debian has them, against a host with an
ECDSA certificate and one with RSA (conformance.md 4, A-S7). Everything stays on 127.0.0.1: testssl.sh is
given the address and told to look nothing up, and fetches no CRL or OCSP answer unless asked to.

testssl.sh takes tens of seconds of bash, so both hosts are scanned at once, each once for the module."""

import json
import os
import subprocess
import xml.etree.ElementTree

import pytest
import rig
from rig import domains, tenant

HOSTS = {"ECDSA": "mta-sts.p256.example", "RSA": "mta-sts.rsa.example"}
SCAN_TIMEOUT_S = 300  # about 35 on two idle cores

# Protocols, cipher categories, forward secrecy, order, defaults, vulnerabilities. Of the RSA host what the key
# decides, as far as sslscan does not see it.
CHECKS = {"ECDSA": ["-p", "-s", "-f", "-P", "-S", "-U"], "RSA": ["-s", "-U"]}

TLS13_ORDER = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
TLS12_ORDER = {
    kind: [
        f"ECDHE-{kind}-AES128-GCM-SHA256",
        f"ECDHE-{kind}-AES256-GCM-SHA384",
        f"ECDHE-{kind}-CHACHA20-POLY1305",
    ]
    for kind in HOSTS
}
GROUPS = {"x25519", "secp256r1"}

# testssl.sh's finding -> (severity, why it is none of the server's). All else must be OK or INFO.
EXCEPTIONS = {
    "engine_problem": ("WARN", "about the scanner's own OpenSSL, which has no GOST engine"),
    "cert_revocation": ("HIGH", "the tests' own CA names neither a CRL nor an OCSP responder"),
}

VULNERABILITIES = {
    "heartbleed",
    "CCS",
    "ticketbleed",
    "ROBOT",
    "secure_renego",
    "secure_client_renego",
    "CRIME_TLS",
    "BREACH",
    "POODLE_SSL",
    "fallback_SCSV",
    "SWEET32",
    "FREAK",
    "DROWN",
    "LOGJAM",
    "LOGJAM-common_primes",
    "BEAST",
    "LUCKY13",
    "RC4",
}


@pytest.fixture(scope="module")
def server(module_folder, authority):
    site = rig.Site(module_folder, authority)
    site.certify("p256.example")
    site.certify("rsa.example", key="rsa2048")
    site.write(domains(tenant("p256.example"), tenant("rsa.example")))
    with site.serve() as running:
        yield running


# --- testssl.sh ----------------------------------------


def start_testssl(server, kind):
    """The process, and the file that its findings go into."""
    host, (address, port) = HOSTS[kind], server.address
    findings = server.site.folder / f"testssl-{kind}.json"
    command = [
        "testssl",
        *CHECKS[kind],
        *("--ip", address),
        *("--nodns", "none"),
        *("--warnings", "off"),
        *("--color", "0"),
        "--sneaky",
        *("--openssl", "/usr/bin/openssl"),
        *("--add-ca", server.site.authority.root_file),
        *("--jsonfile", findings),
        f"{host}:{port}",
    ]
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=server.site.folder,
        # BUGS goes to every s_client: testssl.sh tries renegotiation without a server name, which we turn
        # away, and would call that "not vulnerable". NXCONNECT: its first probes of s_client would ask the
        # resolver for "invalid.".
        env=rig.environment(BUGS=f"-servername {host}", NXCONNECT="127.0.0.1:0", TERM="dumb"),
        start_new_session=True,
    )
    return process, findings


def finish_testssl(process, findings):
    """{id: {severity, finding}}"""
    text, _ = process.communicate(timeout=SCAN_TIMEOUT_S * rig.patience())
    assert findings.exists(), text.decode("utf-8", "replace")
    return {entry["id"]: entry for entry in json.loads(findings.read_text())}


@pytest.fixture(scope="module")
def testssl(server):
    """{kind: {id: finding}} of both hosts."""
    running = {kind: start_testssl(server, kind) for kind in HOSTS}
    try:
        yield {kind: finish_testssl(*started) for kind, started in running.items()}
    finally:
        for process, _ in running.values():
            if process.poll() is None:
                os.killpg(process.pid, 9)
                process.wait(20)


@pytest.mark.parametrize("kind", HOSTS)
def test_A_S7_testssl_finds_nothing_above_info(testssl, kind):
    bad = [
        f"{name}: {entry['severity']} {entry['finding']}"
        for name, entry in testssl[kind].items()
        if entry["severity"] not in ("OK", "INFO", EXCEPTIONS.get(name, ("",))[0])
    ]
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize("kind", HOSTS)
def test_A_S7_testssl_looked_for_every_vulnerability(testssl, kind):
    """And calls each absence fine: a check that could not be made would be a warning or missing."""
    verdicts = {name: testssl[kind].get(name, {}).get("severity") for name in VULNERABILITIES}
    assert verdicts == dict.fromkeys(VULNERABILITIES, "OK")


def test_A_S5_testssl_sees_only_tls_1_2_and_1_3(testssl):
    seen = {
        name: testssl["ECDSA"][name]["finding"]
        for name in ("SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3")
    }
    assert seen == {
        **dict.fromkeys(("SSLv2", "SSLv3", "TLS1", "TLS1_1"), "not offered"),
        "TLS1_2": "offered",
        "TLS1_3": "offered with final",
    }


@pytest.mark.parametrize("kind", HOSTS)
def test_A_S7_testssl_sees_only_ecdhe_with_aead(testssl, kind):
    for category in ("NULL", "aNULL", "EXPORT", "LOW", "3DES_IDEA", "AVERAGE"):
        assert testssl[kind][f"cipherlist_{category}"]["finding"] == "not offered"
    assert testssl[kind]["cipherlist_STRONG"]["finding"] == "offered"


def test_A_S7_testssl_sees_our_order(testssl):
    """AES-128-GCM first."""
    findings = testssl["ECDSA"]
    assert findings["cipher_order"]["finding"] == "server"
    assert findings["cipherorder_TLSv1_2"]["finding"].split() == TLS12_ORDER["ECDSA"]
    assert findings["cipherorder_TLSv1_3"]["finding"].split() == TLS13_ORDER
    assert findings["cipher_negotiated"]["finding"].startswith("TLS_AES_128_GCM_SHA256,")


def test_R20_testssl_sees_six_suites_two_curves_and_no_finite_field(testssl):
    findings = testssl["ECDSA"]
    assert set(findings["PFS_ciphers"]["finding"].split()) == {*TLS13_ORDER, *TLS12_ORDER["ECDSA"]}
    assert set(findings["PFS_ECDHE_curves"]["finding"].split()) == {"prime256v1", "X25519"}
    assert "DH_groups" not in findings


def test_A_S7_testssl_sees_few_extensions(testssl):
    """No heartbeat, no ticket, no status, no encrypt-then-MAC (there is no MAC)."""
    entry = testssl["ECDSA"]["TLS_extensions"]["finding"]
    assert {word.partition("/#")[0] for word in entry.strip("'").split("' '")} == {
        "renegotiation info",
        "EC point formats",
        "supported versions",
        "key share",
        "extended master secret",
        "application layer protocol negotiation",
    }


def test_R24_testssl_resumes_no_session(testssl):
    findings = testssl["ECDSA"]
    assert findings["TLS_session_ticket"]["finding"].startswith("no")
    assert findings["sessionresumption_ticket"]["finding"] == "not supported"
    assert findings["sessionresumption_ID"]["finding"] == "not supported"


def test_R22_testssl_sees_http_1_1_alone(testssl):
    assert testssl["ECDSA"]["ALPN"]["finding"] == "http/1.1"
    assert testssl["ECDSA"]["NPN"]["finding"] == "not offered"


def test_C100_testssl_trusts_name_and_chain(testssl):
    findings = testssl["ECDSA"]
    assert findings["cert_trust"]["finding"].startswith("Ok via SAN")
    assert findings["cert_chain_of_trust"]["finding"] == "passed."
    assert findings["certs_countServer"]["finding"] == "2"
    assert findings["certs_list_ordering_problem"]["finding"] == "no"


# --- sslscan ----------------------------------------


@pytest.fixture(scope="module")
def sslscan(server):
    """{kind: the <ssltest> element}"""
    results = {}
    for kind, host in HOSTS.items():
        address, port = server.address
        output = server.site.folder / f"sslscan-{kind}.xml"
        finished = rig.run(
            "sslscan", f"--xml={output}", f"--sni-name={host}", "--no-colour", f"{address}:{port}"
        )
        assert finished.status == 0, finished.err
        results[kind] = xml.etree.ElementTree.parse(output).getroot().find("ssltest")
        assert results[kind] is not None, finished.out
    return results


@pytest.mark.parametrize("kind", HOSTS)
def test_A_S5_sslscan_sees_only_tls_1_2_and_1_3(sslscan, kind):
    enabled = {p.get("type") + p.get("version"): p.get("enabled") for p in sslscan[kind].iter("protocol")}
    off, on = ("ssl2", "ssl3", "tls1.0", "tls1.1"), ("tls1.2", "tls1.3")
    assert enabled == {**dict.fromkeys(off, "0"), **dict.fromkeys(on, "1")}


@pytest.mark.parametrize("kind", HOSTS)
def test_A_S7_sslscan_sees_our_suites_in_our_order(sslscan, kind):
    """The first of each version is what the server prefers."""
    ciphers = list(sslscan[kind].iter("cipher"))
    for version, order in (("TLSv1.3", TLS13_ORDER), ("TLSv1.2", TLS12_ORDER[kind])):
        seen = [(c.get("cipher"), c.get("status")) for c in ciphers if c.get("sslversion") == version]
        assert seen == [(order[0], "preferred"), *((name, "accepted") for name in order[1:])]
    assert len(ciphers) == 6


@pytest.mark.parametrize("kind", HOSTS)
def test_R20_sslscan_sees_three_groups(sslscan, kind):
    """In TLS 1.2 the groups also limit the certificate's key: with P-256 a client must know P-256 (C105)."""
    groups = {"TLSv1.2": set(), "TLSv1.3": set()}
    for group in sslscan[kind].iter("group"):
        groups[group.get("sslversion")].add(group.get("name").partition(" ")[0])
    assert groups == {"TLSv1.3": GROUPS, "TLSv1.2": GROUPS if kind == "RSA" else {"secp256r1"}}


@pytest.mark.parametrize("kind", HOSTS)
def test_A_S7_sslscan_sees_no_renegotiation_and_no_heartbeat(sslscan, kind):
    """Debian's sslscan cannot ask for compression; testssl.sh does (CRIME)."""
    renegotiation = sslscan[kind].find("renegotiation")
    assert (renegotiation.get("supported"), renegotiation.get("secure")) == ("0", "0")
    heartbleed = {h.get("sslversion"): h.get("vulnerable") for h in sslscan[kind].iter("heartbleed")}
    assert heartbleed == {"TLSv1.2": "0", "TLSv1.3": "0"}


@pytest.mark.parametrize("kind", HOSTS)
def test_C101_sslscan_sees_a_sound_certificate(sslscan, kind):
    certificate = sslscan[kind].find("certificates/certificate")
    assert certificate.find("pk").get("error") == "false"
    assert certificate.findtext("expired") == "false"
    assert certificate.findtext("self-signed") == "false"
    assert certificate.findtext("altnames") == f"DNS:{HOSTS[kind]}"

"""Software that sends mail, or that such software calls, fetches our policies by its own means: Debian's
postfix-mta-sts-resolver, curl, and wget the way Courier calls it. Real DNS, real port 443, in a namespace."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import rig

TENANTS = {
    "strict.example": {},
    "trying.example": {
        "mode": "testing",
        "max_age": "86400",
        "mx": '[mx1.example.net, mx2.example.net, "*.mail.example.org"]',
    },
    "leaving.example": {"mode": "none", "max_age": "86400"},
}
HELPER = Path(__file__).resolve().parent / "netns_clients.py"


def namespace_command():
    """unshare, with a user namespace where we are not root. None where neither works."""
    for flags in (["--net", "--mount"], ["--map-root-user", "--net", "--mount"]):
        command = ["unshare", *flags]
        if subprocess.run([*command, "true"], check=False, stderr=subprocess.DEVNULL).returncode == 0:
            return command
    return None


@pytest.fixture(scope="module")
def facts(module_folder, authority):
    """What the clients saw: netns_clients.py runs them all at once."""
    command = namespace_command()
    if command is None:
        assert not rig.IS_ROOT, "root must be able to make namespaces: these tests are not to be skipped"
        pytest.skip("no namespaces for ordinary users here")
    site = rig.Site(module_folder, authority)
    for name, kind in zip(TENANTS, ("p256", "rsa2048", "p384")):
        site.certify(name, key=kind)
    (module_folder / "tenants.json").write_text(json.dumps(TENANTS))
    (module_folder / "root.pem").write_bytes(authority.root_pem)
    finished = rig.run(
        *command,
        "/usr/bin/python3",
        HELPER,
        module_folder,
        timeout_s=120,
        env=rig.environment(MTA_STS_SERVER=str(rig.BINARY), PYTHONDONTWRITEBYTECODE="1"),
    )
    assert finished.status == 0, finished.err
    return json.loads((module_folder / "facts.json").read_text())


def parsed(policy_text):
    """A policy as the resolver gives it: {version, mode, mx: [...], max_age: number}."""
    policy = {"mx": []}
    for line in policy_text.split("\r\n")[:-1]:
        key, value = line.split(": ")
        if key == "mx":
            policy["mx"].append(value)
        else:
            policy[key] = int(value) if key == "max_age" else value
    return policy


@pytest.mark.parametrize("name", TENANTS)
def test_postfix_resolver_gets_what_policy_prints(facts, name):
    """By way of the TXT record, the address and the certificate; with the id known it fetches nothing."""
    seen = facts["resolver"][name]
    assert seen["result"] == "VALID"
    sts_id, policy = seen["policy"]
    assert policy == parsed(facts["printed"][name])
    assert policy["mode"] == TENANTS[name].get("mode", "enforce")
    record = next(r for r in facts["records"] if r["name"] == f"_mta-sts.{name}.")
    assert f"id={sts_id};" in record["data"]
    assert seen["again"] == "NOT_CHANGED"


def test_postfix_resolver_finds_nothing_where_nothing_is(facts):
    """The DNS server of the test does not say yes to everything."""
    assert facts["resolver"]["nowhere.example"]["result"] == "NONE"
    assert ["_mta-sts.nowhere.example.", "TXT"] in facts["asked"]


@pytest.mark.parametrize("name", TENANTS)
def test_mta_sts_query_says_valid(facts, name):
    seen = facts["query"][name]
    assert seen["status"] == 0 and "STSFetchResult.VALID" in seen["out"], seen
    policy = parsed(facts["printed"][name])
    assert f"'mode': '{policy['mode']}'" in seen["out"] and str(policy["mx"]) in seen["out"]


@pytest.mark.parametrize("name", TENANTS)
def test_curl_gets_the_policy(facts, name):
    seen = facts["curl"][name]
    assert seen["status"] == 0, seen
    head, _, body = seen["out"].partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 OK\r\n") and re.search(r"(?mi)^content-type: text/plain\r?$", head)
    assert body == facts["printed"][name]


@pytest.mark.parametrize("name", TENANTS)
def test_couriers_wget_gets_the_policy(facts, name):
    seen = facts["wget"][name]
    assert seen["status"] == 0, seen
    assert seen["out"] == facts["printed"][name]


def test_wget_that_does_not_trust_our_root_gets_nothing(facts):
    """The clients above did verify."""
    assert facts["wget_untrusted"]["status"] == 5 and facts["wget_untrusted"]["out"] == ""


@pytest.mark.parametrize("name", TENANTS)
def test_the_address_came_from_our_own_records(facts, name):
    """`dns.addresses` became A records, and the clients asked for them."""
    assert [f"mta-sts.{name}.", "A"] in facts["asked"]
    a = [r for r in facts["records"] if r["name"] == f"mta-sts.{name}." and r["type"] == "A"]
    assert [r["data"] for r in a] == ["127.0.0.1"]

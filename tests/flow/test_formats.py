"""Every format of `records` says the same, and the program that it is made for takes it."""

import formats
import pytest
import rig
from dns_servers import Bind, PowerDns, zone_skeleton
from rig import DONE, PROBLEMS, domains, tenant

IDN = "xn--bcher-kva.example"
ZONES = ("example.com", IDN, "other.example")
LONG_URIS = [f"https://reports{n}.example/it's?a=b&c=$d;e,f!g~({'x' * 60})#@:*+[]" for n in range(8)]
HOSTS = {
    "addresses": {"addresses": '["2001:db8::1", 192.0.2.1, "2001:db8:1:2:3:4:5:6", 192.0.2.2]'},
    "host": {"host": "policy.provider.example"},
}


def printed(site, form, *argv, env=None):
    finished = site.run("records", "--format", form, *argv, env=rig.environment(**(env or {})))
    assert finished.status in (DONE, PROBLEMS), finished.err
    return finished.out.decode("ascii")


def facts(site, form, *argv, env=None):
    return formats.parse(form, printed(site, form, *argv, env=env), site.folder)


def tenants(**changes):
    """One with changes, one in Unicode with long report addresses, one with a TTL of its own."""
    long_rua = "[" + ", ".join(f'"{uri}"' for uri in LONG_URIS) + "]"
    return domains(
        tenant(**changes), tenant("Bücher.example", tls_rpt=long_rua), tenant("other.example", ttl="60")
    )


def wanted(records, name, kind):
    return {(f[2], f[3]) for f in records if f[:2] == (name, kind) and f[4] != "gone"}


def assert_dns_is(server, records):
    """For every name and type that we print the server answers what the records say, and no more."""
    for name in {fact[0] for fact in records}:
        for kind in ("CNAME", "A", "AAAA", "TXT"):
            assert server.ask(name, kind) == wanted(records, name, kind), f"{name} {kind}"


# --- the same facts ----------------------------------------


@pytest.mark.parametrize("host", HOSTS)
def test_every_format_carries_the_same_facts(site, host):
    """Name, type, TTL, value and state: live, and withheld where there is no certificate."""
    site.certify("example.com", IDN)
    site.write(tenants(), dns=HOSTS[host])
    with site.serve():
        all_facts = {form: facts(site, form, "--all") for form in formats.ALL}
    reference = all_facts["json"]
    assert len(reference) == 3 * {"addresses": 4, "host": 1}[host] + 1 + 3
    assert {f[0] for f in reference if f[4] == "withheld"} == {"_mta-sts.other.example."}
    assert max(len(f[3]) for f in reference) > 3 * 255
    for form in formats.STATE_IS_SAID:
        assert all_facts[form] == reference, form
    assert {f[:4] for f in all_facts["powerdns"] if f[4] != "gone"} == {f[:4] for f in reference}


@pytest.mark.parametrize("form", formats.ALL)
def test_what_is_withheld_is_in_no_format(site, form):
    site.certify("example.com", IDN)
    site.write(tenants(), dns=HOSTS["host"])
    with site.serve():
        finished = site.run("records", "--format", form)
        assert finished.status == PROBLEMS and "other.example" in finished.err
        text = finished.out.decode()
    found = formats.parse(form, text, site.folder)
    assert {f[0] for f in found if f[0].startswith("_mta-sts.")} == {
        "_mta-sts.example.com.",
        f"_mta-sts.{IDN}.",
    }
    assert any(f[0] == "mta-sts.other.example." for f in found)


@pytest.mark.parametrize("form", formats.ALL)
def test_without_any_domain_every_format_is_still_readable(site, form):
    site.write("domains: {}\n")
    with site.serve():
        assert facts(site, form) == set()


def withdraw(server, dns):
    """Takes example.com out; the env for commands that look at a later day, when nobody holds its policy any more."""
    server.change(domains(tenant("other.example")), dns=dns)
    return {"MTA_STS_TEST_CLOCK_OFFSET_S": str(8 * 86400)}


@pytest.mark.parametrize("host", HOSTS)
def test_a_domain_that_was_taken_out_keeps_its_records_and_then_loses_them(site, host):
    """Withdrawing until the date, in all formats alike; gone since then. Nothing that is gone is still set."""
    site.certify(*ZONES)
    site.write(tenants(tls_rpt="mailto:tls@example.com"), dns=HOSTS[host])
    with site.serve() as server:
        later = withdraw(server, HOSTS[host])
        before = {form: facts(site, form) for form in formats.ALL}
        after = {form: facts(site, form, "example.com", env=later) for form in formats.ALL}
        zone_text = printed(site, "zone", "example.com", env=later)
        until = site.run("status", "example.com", "--json").json()["cached_until"]
    mine = {f for f in before["json"] if f[0].endswith(".example.com.")}
    assert {f[4] for f in mine} == {"withdrawing"} and len(mine) == {"addresses": 6, "host": 3}[host]
    for form in formats.STATE_IS_SAID:
        assert before[form] == before["json"], form
        assert after[form] == {(*key, None, None, "gone") for key in {f[:2] for f in mine}}, form
    assert {f[:4] for f in before["powerdns"] if f[4] != "gone"} == {f[:4] for f in before["json"]}
    assert after["powerdns"] >= after["json"] and {f[4] for f in after["powerdns"]} == {"gone"}
    assert all(line.startswith(f"; gone since {until}: ") for line in zone_text.splitlines())


# --- zone: BIND and Knot ----------------------------------------


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "argv", [("named-checkzone", "-i", "none"), ("kzonecheck", "-o")], ids=["bind", "knot"]
)
def test_zone_is_taken_by_name_servers(site, host, argv):
    """With comments of every state in it."""
    site.certify("example.com", IDN)
    site.write(tenants(), dns=HOSTS[host])
    with site.serve() as server:
        texts = {zone: printed(site, "zone", "--all", zone) for zone in ZONES}
        later = withdraw(server, HOSTS[host])
        texts["example.com"] += printed(site, "zone", "example.com", env=later)
    assert "; withheld" in texts["other.example"] and "; gone since" in texts["example.com"]
    for zone, text in texts.items():
        zone_file = site.folder / "zone"
        zone_file.write_text(zone_skeleton(zone) + text)
        finished = rig.run(*argv, zone, zone_file)
        said = finished.out.decode() + finished.err
        assert finished.status == 0 and "warning" not in said and "ignoring" not in said, said


# --- nsupdate: BIND ----------------------------------------


@pytest.fixture
def bind(site):
    with Bind(site.folder / "bind", *ZONES, locked=["locked.example"]) as server:
        yield server


def publish_by_nsupdate(site, bind, *argv, **options):
    finished = bind.update(printed(site, "nsupdate", *argv, **options))
    assert finished.status == 0, finished.err
    return facts(site, "json", *argv, **options)


def test_nsupdate_replaces_and_never_appends(site, bind):
    """Once, twice, after a change, and from addresses to CNAME and back: exactly the records that are printed. What
    else stands in the zone stays."""
    site.certify(*ZONES)
    site.write(tenants(), dns=HOSTS["addresses"])
    with site.serve() as server:
        for dns, changes in [
            ("addresses", {}),
            ("addresses", {}),
            ("addresses", {"mx": "[mail2.example.com]"}),
            ("host", {"mx": "[mail3.example.com]"}),
            ("host", {"mx": "[mail3.example.com]", "ttl": "77"}),
            ("addresses", {"mx": "[mail3.example.com]"}),
        ]:
            server.change(tenants(**changes), dns=HOSTS[dns])
            assert_dns_is(bind, publish_by_nsupdate(site, bind))
            assert bind.dig("_mta-sts.example.com", "TXT") == [f'"v=STSv1; id={site.sts_id()};"']
    assert bind.ask("ns.example.com.", "A")


def test_nsupdate_replaces_a_delegation_by_a_text_of_its_own(site, bind):
    """A CNAME at _mta-sts would swallow the TXT."""
    bind.update("update add _mta-sts.example.com. 60 CNAME _mta-sts.provider.example.\nsend\n")
    assert bind.ask("_mta-sts.example.com.", "CNAME")
    site.certify("example.com")
    site.write(domains(tenant()))
    with site.serve():
        assert_dns_is(bind, publish_by_nsupdate(site, bind))


def test_nsupdate_withheld_leaves_the_old_record_alone(site, bind):
    bind.update('update add _mta-sts.other.example. 60 TXT "v=STSv1; id=old;"\nsend\n')
    site.certify("example.com", IDN)
    site.write(tenants())
    with site.serve():
        publish_by_nsupdate(site, bind)
    assert bind.dig("_mta-sts.other.example", "TXT") == ['"v=STSv1; id=old;"']


def test_nsupdate_that_is_refused_for_one_domain_goes_on_with_the_others(site, bind):
    """One transaction per domain; the exit status tells."""
    site.certify("locked.example", *ZONES)
    site.write(domains(tenant("locked.example"), tenant(), tenant("other.example")))
    with site.serve():
        finished = bind.update(printed(site, "nsupdate"))
        assert finished.status != 0 and "REFUSED" in finished.err
        assert not bind.ask("_mta-sts.locked.example.", "TXT")
        assert_dns_is(bind, {f for f in facts(site, "json") if "locked" not in f[0]})


def test_nsupdate_deletes_what_is_gone(site, bind):
    site.certify(*ZONES)
    site.write(tenants(tls_rpt="mailto:tls@example.com"), dns=HOSTS["addresses"])
    with site.serve() as server:
        publish_by_nsupdate(site, bind)
        later = withdraw(server, HOSTS["addresses"])
        assert_dns_is(bind, publish_by_nsupdate(site, bind))
        assert bind.dig("_mta-sts.example.com", "TXT")
        gone = publish_by_nsupdate(site, bind, "example.com", env=later)
        assert {f[4] for f in gone} == {"gone"}
        assert_dns_is(bind, gone)
        assert bind.dig("_mta-sts.other.example", "TXT") and bind.ask("ns.example.com.", "A")


# --- powerdns ----------------------------------------


@pytest.fixture
def powerdns(site):
    with PowerDns(site.folder / "powerdns", *ZONES) as server:
        yield server


def test_powerdns_takes_every_body_and_answers_what_it_says(site, powerdns):
    """Once, twice, after a change, from addresses to CNAME and back, and gone."""
    site.certify(*ZONES)
    site.write(tenants(), dns=HOSTS["addresses"])
    with site.serve() as server:
        for dns, changes in [
            ("addresses", {}),
            ("addresses", {}),
            ("host", {"mx": "[mail2.example.com]"}),
            ("addresses", {"mx": "[mail2.example.com]", "ttl": "77"}),
        ]:
            server.change(tenants(**changes), dns=HOSTS[dns])
            powerdns.patch(printed(site, "powerdns"))
            assert_dns_is(powerdns, facts(site, "json"))
        later = withdraw(server, HOSTS["addresses"])
        powerdns.patch(printed(site, "powerdns", "example.com", env=later))
        assert_dns_is(powerdns, facts(site, "json", "example.com", env=later))


# --- the declarative ones ----------------------------------------


def test_dnscontrol_adds_to_the_longest_zone_that_is_declared(site):
    """A policy domain need not be a zone."""
    site.certify("a.example.com", "example.com")
    site.write(domains(tenant("a.example.com"), tenant()), dns=HOSTS["host"])
    with site.serve():
        text = printed(site, "dnscontrol")
        reference = facts(site, "json")
    records = formats.dnscontrol_records(site.folder, text, ["example.com"])
    assert {(r["name"], r["type"], r["ttl"], r["data"], "live") for r in records} == reference


def test_octodns_has_a_document_per_zone(site):
    """Its comment names the file that it belongs into."""
    site.certify(*ZONES)
    site.write(tenants(), dns=HOSTS["addresses"])
    with site.serve():
        zones = formats.octodns_zones(printed(site, "octodns"))
    assert set(zones) == {f"{zone}." for zone in ZONES}


def test_external_dns_has_an_object_per_domain_with_our_label(site):
    site.certify(*ZONES)
    site.write(tenants(), dns=HOSTS["addresses"])
    with site.serve():
        objects = formats.dnsendpoints(printed(site, "external-dns"))
    assert {item["metadata"]["name"] for item in objects} == {f"mta-sts.{zone}" for zone in ZONES}
    assert {item["metadata"]["labels"]["app.kubernetes.io/managed-by"] for item in objects} == {
        "mta-sts-server"
    }

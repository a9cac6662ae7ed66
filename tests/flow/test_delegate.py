"""dns.delegate: tenants' records point to one record per named policy, and stay as they are when that changes."""

import re

import formats
import pytest
import rig
from dns_servers import Bind, PowerDns, zone_skeleton
from rig import DONE, PROBLEMS
from test_publish import Hook, nsupdate, wait_settled

DAY_S = 86400
DELEGATE = "sts.provider.example"
DNS = {"delegate": DELEGATE}
TENANTS = ("a.example", "b.example", "c.example")


def policies(**modes):
    """The policies of a provider: name=mode."""
    lines = [f"  {name}: {{mode: {mode}, max_age: 604800, mx: [mx.provider.example]}}" for name, mode in modes.items()]
    return "policies:\n" + "\n".join(lines) + "\n"


def tenants(**changes):
    """The first two have standard, the third has testing; {domain with _ for dots: YAML, or None: not there}."""
    values = {"a_example": "standard", "b_example": "standard", "c_example": "trial", **changes}
    lines = [f"  {name.replace('_', '.')}: {value}" for name, value in values.items() if value is not None]
    return "domains:\n" + "\n".join(lines) + "\n"


def config(modes=None, **changes):
    return policies(**(modes or {"standard": "enforce", "trial": "testing"})) + tenants(**changes)


def facts(site, *argv, **options):
    """{(name, type): data} of what `records` prints, and what is not live: {name: state}."""
    finished = site.run("records", "--format", "json", *argv, **options)
    assert finished.status in (DONE, PROBLEMS), finished.err
    rows = finished.json()
    return (
        {(r["name"], r["type"]): r["data"] for r in rows if r["state"] != "gone"},
        {r["name"]: r["state"] for r in rows if r["state"] != "live"},
    )


def records(site, *argv, **options):
    return facts(site, *argv, **options)[0]


def policy_id(site, name):
    """The id in the record of a policy."""
    text = records(site, DELEGATE)[f"_mta-sts.{name}.{DELEGATE}.", "TXT"]
    return re.fullmatch(r"v=STSv1; id=([A-Za-z0-9]{1,32});", text)[1]


def pointer(name):
    return f"_mta-sts.{name}.{DELEGATE}."


def status_of(site, domain, **options):
    return site.run("status", domain, "--json", **options).json()


def differences(before, after):
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


@pytest.fixture
def served(site):
    """A provider with certificates for all tenants."""
    site.certify(*TENANTS)
    site.write(config(), dns=DNS)
    with site.serve() as server:
        yield server


# --- the story ----------------------------------------


def test_the_provider_has_a_record_per_policy_in_front_of_those_that_point_to_it(site, served):
    finished = site.run("records", "--format", "zone")
    assert finished.status == DONE and finished.err == ""
    lines = [line.split(" ") for line in finished.out.decode().splitlines()]
    assert [(line[0], line[3]) for line in lines] == [
        (pointer("standard"), "TXT"),
        (pointer("trial"), "TXT"),
        *((f"_mta-sts.{tenant}.", "CNAME") for tenant in TENANTS),
    ]
    assert [line[4] for line in lines[2:]] == [pointer("standard"), pointer("standard"), pointer("trial")]
    assert policy_id(site, "standard") != policy_id(site, "trial")
    for tenant, policy in zip(TENANTS, ("standard", "standard", "trial")):
        status = status_of(site, tenant)
        assert status["delegated_to"] == pointer(policy)[:-1]
        assert status["id"] == policy_id(site, policy)


def test_turning_it_on_changes_neither_body_nor_id_of_a_domain(site):
    site.certify(*TENANTS)
    site.write(config())
    with site.serve() as server:
        bodies = {tenant: server.body(tenant) for tenant in TENANTS}
        ids = {tenant: site.sts_id(tenant) for tenant in TENANTS}
        server.change(config(), dns=DNS)
        assert {tenant: server.body(tenant) for tenant in TENANTS} == bodies
        assert records(site, "a.example") == {("_mta-sts.a.example.", "CNAME"): pointer("standard")}
        first = policy_id(site, "standard")
        server.change(config())
        assert {tenant: site.sts_id(tenant) for tenant in TENANTS} == ids
        assert status_of(site, "a.example")["delegated_to"] is None
        server.change(config(), dns=DNS)
        assert policy_id(site, "standard") == first


def test_a_policy_that_changes_is_one_record_that_changes(site, served):
    before = records(site)
    served.change(config({"standard": "testing", "trial": "testing"}), dns=DNS)
    after = records(site)
    assert differences(before, after) == {(pointer("standard"), "TXT")}
    assert b"mode: testing" in served.body("a.example") and b"mode: testing" in served.body("b.example")
    assert status_of(site, "a.example")["id"] == policy_id(site, "standard")


def test_a_further_tenant_changes_no_record_that_is_there(site, served):
    before = records(site)
    served.change(config(d_example="standard"), dns=DNS)
    after = records(site, "--all")
    assert differences(before, after) == {("_mta-sts.d.example.", "CNAME")}


def test_a_tenant_that_moves_points_to_the_other_record(site, served):
    before = records(site)
    first = status_of(site, "b.example")["id"]
    served.change(config(b_example="trial"), dns=DNS)
    after = records(site)
    assert differences(before, after) == {("_mta-sts.b.example.", "CNAME")}
    assert after["_mta-sts.b.example.", "CNAME"] == pointer("trial")
    assert status_of(site, "b.example")["id"] not in (first, None)
    served.change(config(), dns=DNS)
    assert records(site) == before


def test_ids_survive_a_restart_and_a_clock_that_is_put_back(site):
    site.certify(*TENANTS)
    site.write(config(), dns=DNS)
    with site.serve():
        before = records(site)
    with site.serve(env={"MTA_STS_TEST_CLOCK_OFFSET_S": str(-400)}) as server:
        env = rig.environment(MTA_STS_TEST_CLOCK_OFFSET_S=str(-400))
        assert records(site, env=env) == before
        server.change(config({"standard": "testing", "trial": "testing"}), dns=DNS)
        after = records(site, env=env)
        assert differences(before, after) == {(pointer("standard"), "TXT")}
        assert after[pointer("standard"), "TXT"] > before[pointer("trial"), "TXT"]


# --- what is refused ----------------------------------------


@pytest.mark.parametrize(
    "entry, said",
    [
        ("{policy: standard, mode: testing}", "its own mode"),
        ("{policy: standard, mx: [x.example], max_age: 5}", "its own max_age, mx"),
        ("{mode: enforce, max_age: 604800, mx: [mx.provider.example]}", "its own mode, max_age, mx"),
        ("{policy: standard, id: fixed}", "its own id"),
    ],
)
def test_a_tenant_with_keys_of_its_own_is_refused_with_the_reason_and_still_served(site, entry, said):
    site.certify(*TENANTS)
    site.write(config(b_example=entry))
    with site.serve() as server:
        body, text = server.body("b.example"), site.sts_id("b.example")
        event = server.change(config(b_example=entry), dns=DNS)
        assert event.fields["errors"] == "1"
        assert server.body("b.example") == body
        assert site.sts_id("b.example") == text  # a TXT record of its own
        assert status_of(site, "b.example")["delegated_to"] is None
        told = site.run("status", "b.example").out.decode()
        assert "error E20" in told and said in told
        check = site.check()
        assert check.status == PROBLEMS and [(p.code, p.domain) for p in check.errors] == [("E20", "b.example")]
        assert said in check.errors[0].text and "a policy of its own" in check.errors[0].hint
        assert records(site)["_mta-sts.a.example.", "CNAME"] == pointer("standard")
        server.change(config(b_example="{policy: standard, ttl: 60, tls_rpt: 'mailto:t@b.example'}"), dns=DNS)
        assert records(site)["_mta-sts.b.example.", "CNAME"] == pointer("standard")
        assert site.check().errors == []


def test_a_policy_that_can_be_no_label_is_told_once_and_its_tenants_are_served(site):
    site.certify(*TENANTS)
    modes = {"Standard": "enforce", "trial": "testing"}
    text = config(modes, a_example="Standard", b_example="Standard")
    site.write(text)
    with site.serve() as server:
        server.change(text, dns=DNS)
        errors = site.check().errors
        assert [(p.code, p.domain, p.line) for p in errors] == [("E20", None, site.place_of("Standard: {")[0])]
        assert server.body("a.example") and site.sts_id("a.example")


def test_a_tenant_that_was_refused_sees_another_id_when_it_catches_up(site, served):
    """Its senders have seen the new id with the old bytes."""
    served.change(config(b_example="{policy: standard, mode: testing}"), dns=DNS)
    served.change(
        config({"standard": "testing", "trial": "testing"}, b_example="{policy: standard, mode: none}"), dns=DNS
    )
    seen = status_of(site, "b.example")["id"]
    assert seen == policy_id(site, "standard") and b"mode: enforce" in served.body("b.example")
    served.change(config({"standard": "testing", "trial": "testing"}), dns=DNS)
    assert b"mode: testing" in served.body("b.example")
    assert status_of(site, "b.example")["id"] == policy_id(site, "standard") != seen


def test_a_preset_can_be_delegated_with_mode_and_max_age_from_the_defaults(site):
    site.certify("a.example", "b.example")
    site.write(
        "defaults: {mode: testing, max_age: 86400, policy: google-workspace}\ndomains:\n  a.example:\n  b.example:\n",
        dns=DNS,
    )
    with site.serve() as server:
        assert site.check().errors == []
        assert server.body("a.example") == server.body("b.example")
        assert records(site)["_mta-sts.b.example.", "CNAME"] == pointer("google-workspace")
        assert status_of(site, "a.example")["id"] == policy_id(site, "google-workspace")


# --- the gate ----------------------------------------


def test_a_tenant_without_certificate_is_withheld_on_its_own(site):
    site.certify("a.example", "c.example")
    site.write(config(), dns=DNS)
    with site.serve():
        finished = site.run("records", "--format", "zone")
        assert finished.status == PROBLEMS and "b.example: withheld: there is no certificate" in finished.err
        printed = finished.out.decode()
        assert pointer("standard") + " 300 IN TXT" in printed and "_mta-sts.b.example." not in printed
        assert facts(site, "--all")[1] == {"_mta-sts.b.example.": "withheld"}


def test_nothing_points_anywhere_while_nobody_serves(site):
    site.certify(*TENANTS)
    site.write(config(), dns=DNS)
    with site.serve():
        live = records(site)
    finished = site.run("records", "--format", "json")
    assert finished.status == PROBLEMS and finished.json() == []
    assert f"{DELEGATE}: withheld: no server is running" in finished.err
    everything, states = facts(site, "--all")
    assert everything == live and set(states.values()) == {"withheld"}


# --- the end ----------------------------------------


def test_a_tenant_that_is_taken_out_gets_a_record_of_its_own_until_its_date(site, served):
    served.change(config(c_example=None), dns=DNS)
    assert b"mode: none" in served.body("c.example")
    status = status_of(site, "c.example")
    printed, states = facts(site)
    assert printed["_mta-sts.c.example.", "TXT"] == f"v=STSv1; id={status['id']};"
    assert status["delegated_to"] is None and status["state"] == "withdrawn"
    assert states == {"_mta-sts.c.example.": "withdrawing", pointer("trial"): "withdrawing"}
    assert status["id"] != policy_id(site, "trial")
    later = rig.environment(MTA_STS_TEST_CLOCK_OFFSET_S=str(8 * DAY_S))
    assert facts(site, env=later)[1]["_mta-sts.c.example."] == "gone"


def test_a_policy_that_nobody_has_any_more_stays_for_thirty_days_and_is_deleted_then(site, served):
    served.change(config({"standard": "enforce"}, c_example="standard"), dns=DNS)
    at = {days: rig.environment(MTA_STS_TEST_CLOCK_OFFSET_S=str(days * DAY_S)) for days in (29, 31, 59, 61)}
    assert facts(site, env=at[29])[1][pointer("trial")] == "withdrawing"
    assert facts(site, env=at[31])[1][pointer("trial")] == "gone"
    assert facts(site, DELEGATE, env=at[59])[1] == {pointer("trial"): "gone"}
    assert pointer("trial") not in facts(site, env=at[61])[1]
    told = site.run("status", "--json").json()["policies"]
    assert {p["policy"]: p["domains"] for p in told} == {"standard": 3, "trial": 0}
    assert told[1]["removable_from"] is not None and told[0]["removable_from"] is None
    first = policy_id(site, "trial")
    served.change(config(), dns=DNS)  # and back before that
    assert policy_id(site, "trial") == first
    assert pointer("trial") not in facts(site)[1]


# --- formats and name servers ----------------------------------------


ZONES = (DELEGATE, *TENANTS)


@pytest.mark.parametrize("form", formats.ALL)
def test_every_format_says_the_same_and_the_providers_own_domain_is_in_its_set(site, form):
    """The name below which the records of policies are may be a tenant, too."""
    site.certify(*ZONES)
    text = config({"standard": "enforce", "p2": "testing", "p10": "testing"}, c_example="p10")
    text += f"  {DELEGATE}: p2\n"
    site.write(text, dns=DNS)
    with site.serve():
        reference = formats.parse("json", site.run("records", "--json").out.decode(), site.folder)
        finished = site.run("records", "--format", form)
        assert finished.status == DONE, finished.err
        found = formats.parse(form, finished.out.decode(), site.folder)
    assert len(reference) == 3 + 4 and (f"_mta-sts.{DELEGATE}.", "CNAME", 300, pointer("p2"), "live") in reference
    if form == "powerdns":
        found = {fact for fact in found if fact[4] != "gone"}
    assert found == reference


def test_a_tenant_where_the_record_of_a_policy_is_is_refused_and_its_record_is_withheld(site):
    """Two texts at one name count as none (RFC 8461 3.1)."""
    name = f"trial.{DELEGATE}"
    site.certify(*TENANTS, name)
    text = config() + f"  {name}: standard\n"
    site.write(text)
    with site.serve() as server:
        server.change(text, dns=DNS)
        assert server.body(name)
        finished = site.run("records", "--format", "json")
        assert finished.status == PROBLEMS and f"{name}: withheld" in finished.err
        assert [r["name"] for r in finished.json()].count(f"_mta-sts.{name}.") == 1
        assert [(p.code, p.domain) for p in site.check().errors] == [("E20", name)]


def test_zone_is_taken_by_bind(site, served):
    for zone in ZONES:
        text = zone_skeleton(zone) + site.run("records", "--format", "zone", zone).out.decode()
        (site.folder / "zone").write_text(text)
        finished = rig.run("named-checkzone", "-i", "none", zone, site.folder / "zone")
        said = finished.out.decode() + finished.err
        assert finished.status == 0 and "warning" not in said and "ignoring" not in said, said


def test_dns_shows_the_text_through_the_pointer_and_back(site):
    """By nsupdate: from texts of their own to pointers, a change of the policy, a withdrawal, and off again."""
    site.certify(*TENANTS)
    site.write(config())
    with Bind(site.folder / "bind", "example.com", *ZONES, is_resolver=True) as bind, site.serve() as server:

        def publish():
            finished = bind.update(site.run("records", "--format", "nsupdate").out.decode())
            assert finished.status == 0, finished.err
            for tenant in TENANTS:
                wanted = f'"v=STSv1; id={status_of(site, tenant)["id"]};"'
                policy = status_of(site, tenant)["delegated_to"]
                seen = bind.dig(f"_mta-sts.{tenant}", "TXT")
                assert seen == ([policy + ".", wanted] if policy else [wanted])

        publish()
        server.change(config(), dns=DNS)
        publish()
        server.change(config({"standard": "testing", "trial": "testing"}), dns=DNS)
        publish()
        server.change(config({"standard": "testing", "trial": "testing"}, b_example=None), dns=DNS)
        publish()
        server.change(config())
        publish()


def test_powerdns_takes_pointers_and_texts(site):
    site.certify(*TENANTS)
    site.write(config())
    with PowerDns(site.folder / "powerdns", "example.com", *ZONES) as powerdns, site.serve() as server:
        for dns in (None, DNS, DNS, None):
            server.change(config(), dns=dns)
            powerdns.patch(site.run("records", "--format", "powerdns").out.decode())
            for (name, kind), data in records(site).items():
                assert {found[1] for found in powerdns.ask(name, kind)} == {data}


# --- publishing ----------------------------------------


def test_publishing_a_change_of_a_policy_gives_the_hook_the_providers_records_alone(site):
    site.certify(*TENANTS)
    with Bind(site.folder / "bind", "example.com", *ZONES, is_resolver=True) as bind:
        hook = Hook(site, nsupdate(bind))
        settings = hook.dns(**DNS)
        site.write(config(), dns=settings)
        with site.serve() as server:
            wait_settled(site)
            first = hook.runs()
            names = re.findall(r"^update add (\S+)", "".join(first), re.M)
            assert names == [pointer("standard"), pointer("trial"), *(f"_mta-sts.{t}." for t in TENANTS)]
            assert status_of(site, "a.example")["published"]["id"] is None
            server.change(config({"standard": "testing", "trial": "testing"}), dns=settings)
            wait_settled(site)
            later = "".join(hook.runs()[len(first):])
            assert set(re.findall(r"^update add (\S+)", later, re.M)) == {pointer("standard"), pointer("trial")}
            for tenant, policy in zip(TENANTS, ("standard", "standard", "trial")):
                wanted = [pointer(policy), f'"v=STSv1; id={policy_id(site, policy)};"']
                assert bind.dig(f"_mta-sts.{tenant}", "TXT") == wanted
            assert site.run("records", "--changed").out == b""


def test_publishing_no_pointer_goes_out_before_what_it_points_to(site):
    """The provider's zone cannot be updated: the tenants' records wait for it, and nothing else does."""
    site.certify(*TENANTS)
    with Bind(site.folder / "bind", "example.com", *TENANTS, locked=[DELEGATE]) as bind:
        hook = Hook(site, nsupdate(bind))
        settings = hook.dns(publish={"batch": 2}, host="policy.provider.example", **DNS)
        text = config(c_example="{policy: trial, mode: none}")
        site.write(text, dns={**settings, "delegate": None} | {"ttl": 60})
        site.write(text, dns={key: value for key, value in settings.items() if key != "delegate"})
        with site.serve() as server:
            wait_settled(site)  # texts of their own
            own = {tenant: bind.dig(f"_mta-sts.{tenant}", "TXT") for tenant in TENANTS}
            assert all(len(found) == 1 for found in own.values())
            server.change(text, dns=settings)
            runs = len(hook.runs())
            hook.wait_runs(runs + 4)
            owed = {domain["domain"]: domain["owed"] for domain in site.run("status", "--json").json()["domains"]}
            assert owed["a.example"] and owed["b.example"]
            assert {t: bind.dig(f"_mta-sts.{t}", "TXT") for t in TENANTS} == own
            changed = site.run("records", "--changed", "--format", "zone").out.decode().splitlines()
            names = [line.split(" ")[0] for line in changed if "_mta-sts" in line]
            assert names[0] == pointer("standard") and {"_mta-sts.a.example.", "_mta-sts.b.example."} <= set(names)


def test_several_machines_agree_with_digests_of_policies(folder, authority):
    """Whatever each has seen before."""
    found = []
    for name, before in (("one", config({"standard": "none", "trial": "none"})), ("two", None)):
        machine = rig.Site(folder / name, authority)
        machine.certify(*TENANTS)
        dns = {**DNS, "id": "digest"}
        machine.write(before or config(), dns={**DNS, "id": "serial"} if before else dns)
        with machine.serve() as server:
            if before:
                server.change(config(), dns=dns)
            found.append(records(machine))
    assert found[0] == found[1] and len(found[0]) == 5

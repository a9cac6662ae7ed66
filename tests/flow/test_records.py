"""DNS records: what is printed, when it is withheld, when an id changes (conformance.md 4, A-T and A-R)."""

import json
import re
import time

import dns.zone
import pytest
import rig
from rig import DONE, PROBLEMS, domains, tenant

STS_VALUE = re.compile(r"v=STSv1; id=[A-Za-z0-9]{1,32};")
STAMP = re.compile(r"[0-9]{14}")


@pytest.fixture
def served(site):
    """example.com and other.example with certificates, on a running server."""
    site.certify("example.com", "other.example")
    site.write(domains(tenant(), tenant("other.example")))
    with site.serve() as server:
        yield server


def lines_of(finished):
    return finished.out.decode("ascii").splitlines()


def zone_facts(folder, domain, zone_text):
    """{(owner, type): [(ttl, data)]} of records in zone format, read by BIND and dnspython; TXT joined."""
    skeleton = (
        f"$ORIGIN {domain}.\n$TTL 7\n@ SOA ns hostmaster 1 3600 600 86400 300\n@ NS ns\nns A 192.0.2.1\n"
    )
    zone_file = folder / "zone"
    zone_file.write_text(skeleton + zone_text)
    checked = rig.run("named-checkzone", "-i", "none", domain, zone_file)
    said = checked.out.decode() + checked.err
    assert checked.status == 0, said
    assert "warning" not in said and "ignoring" not in said, said
    facts = {}
    zone = dns.zone.from_text(skeleton + zone_text, origin=f"{domain}.", relativize=False)
    for owner, ttl, rdata in zone.iterate_rdatas():
        is_txt = rdata.rdtype == dns.rdatatype.TXT
        data = b"".join(rdata.strings).decode() if is_txt else rdata.to_text()
        key = (owner.to_text(), dns.rdatatype.to_text(rdata.rdtype))
        if key[0].startswith(("_mta-sts.", "_smtp._tls.", "mta-sts.")):
            facts.setdefault(key, []).append((ttl, data))
    return {key: sorted(values) for key, values in facts.items()}


def json_facts(records):
    facts = {}
    for record in records:
        facts.setdefault((record["name"], record["type"]), []).append((record["ttl"], record["data"]))
    return {key: sorted(values) for key, values in facts.items()}


# --- the STS record ----------------------------------------


def test_A_T1_one_record_with_one_string(served):
    finished = served.site.run("records", "example.com")
    assert finished.status == DONE
    assert len(lines_of(finished)) == 1
    match = re.fullmatch(r'_mta-sts\.example\.com\.\s+300\s+IN\s+TXT\s+"([^"]*)"', lines_of(finished)[0])
    assert match, finished.out
    assert STS_VALUE.fullmatch(match[1])


def test_A_T2_the_default_id_is_the_time_of_the_change(served):
    sts_id = served.site.sts_id()
    assert STAMP.fullmatch(sts_id)
    assert sts_id <= time.strftime("%Y%m%d%H%M%S", time.gmtime())
    assert sts_id >= time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() - 60 * rig.patience()))


@pytest.mark.parametrize("sts_id", ["2026-02-05", "a_b", '""', "a" * 33, "é", "a b", "a+b", "a.b", '"a;"'])
def test_A_T3_an_id_by_hand_is_letters_and_digits(site, sts_id):
    check = site.write(domains(tenant(id=sts_id), tenant("good.example"))).check()
    assert check.status == PROBLEMS and [p.code for p in check.errors] == ["E09"]
    assert check.errors[0].domain == "example.com" and check.errors[0].hint


@pytest.mark.parametrize("sts_id", ["aZ09" * 8, "x", "00000000000000000000000000000000"])
def test_A_T4_an_id_by_hand_is_taken_as_it_is(site, sts_id):
    site.certify("example.com")
    site.write(domains(tenant(id=sts_id)))
    assert site.check().status == DONE
    with site.serve():
        assert site.sts_id() == sts_id


def test_A_T5_asking_twice_gives_the_same(served):
    first, second = (served.site.run("records").out for _ in range(2))
    assert first == second and first


def test_A_T6_another_mx_is_another_id(served):
    before = served.site.sts_id()
    done = served.change(domains(tenant(mx="[mail2.example.com]"), tenant("other.example")))
    assert done.fields["changed"] == "1"
    assert served.site.sts_id() != before


@pytest.mark.parametrize(
    "change",
    [
        {"dns": {"ttl": "3600"}},
        {"body": domains(tenant(), tenant("other.example")) + "# a comment\n"},
        {
            "body": domains(
                tenant("other.example"),
                "  example.com: {mx: [mail.example.com], max_age: 604800, " "mode: enforce}\n",
            )
        },
        {
            "body": "domains:\n        example.com:\n          mode:   enforce\n"
            "          max_age: '604800'\n          mx:\n"
            "          - mail.example.com\n        other.example: {mode: enforce, max_age: 604800, "
            "mx: mail.example.com}\n"
        },
        {"body": domains(tenant(), tenant("other.example"), tenant("new.example"))},
        {"dns": {"tls_rpt": "['mailto:tls@example.com']"}},
    ],
    ids=["ttl", "comment", "order", "indentation", "new_tenant", "tls_rpt"],
)
def test_A_T7_what_does_not_change_the_bytes_does_not_change_the_id(served, change):
    before = served.site.sts_id(), served.site.sts_id("other.example")
    served.change(change.get("body", domains(tenant(), tenant("other.example"))), dns=change.get("dns"))
    assert (served.site.sts_id(), served.site.sts_id("other.example")) == before


def test_A_T7_a_new_ttl_is_printed(served):
    served.change(domains(tenant(ttl="60"), tenant("other.example")), dns={"ttl": "3600"})
    ttls = {r["domain"]: r["ttl"] for r in served.site.records()}
    assert ttls == {"example.com": 60, "other.example": 3600}


def test_A_T8_another_tenants_change_does_not_change_the_id(served):
    before = served.site.sts_id()
    other_before = served.site.sts_id("other.example")
    served.change(domains(tenant(), tenant("other.example", mode="testing")))
    assert served.site.sts_id() == before
    assert served.site.sts_id("other.example") != other_before


def ids_of_a_b_a(site, scheme):
    """The three ids of a policy that is changed and changed back at once."""
    site.certify("example.com")
    site.write(domains(tenant()), dns={"id": scheme})
    with site.serve() as server:
        ids = [site.sts_id()]
        for mx in ("[mail2.example.com]", "[mail.example.com]"):
            server.change(domains(tenant(mx=mx)), dns={"id": scheme})
            ids.append(site.sts_id())
    return ids


def test_A_T9_timestamp_there_and_back_gives_three_ids(site):
    """They only go forward, also within one second."""
    first, second, third = ids_of_a_b_a(site, "timestamp")
    assert all(STAMP.fullmatch(sts_id) for sts_id in (first, second, third))
    assert first < second < third


def test_A_T9_serial_there_and_back_grows_by_one(site):
    first, second, third = (int(sts_id) for sts_id in ids_of_a_b_a(site, "serial"))
    assert (second, third) == (first + 1, first + 2)


def test_A_T9_digest_there_and_back_is_the_same_again(site):
    """The first 32 digits of the body's SHA-256."""
    first, second, third = ids_of_a_b_a(site, "digest")
    assert first == third == "a5963b31a082635c6ec668171482b14f"  # G1's
    assert second != first and re.fullmatch("[0-9a-f]{32}", second)


def test_A_T9_an_id_by_hand_that_stays_refuses_the_change(site):
    """E14: the old policy goes on being served; with a new id the change is taken."""
    site.certify("example.com")
    site.write(domains(tenant(id="one")))
    with site.serve() as server:
        old = server.body()
        server.change(domains(tenant(id="one", mx="[mail2.example.com]")))
        assert server.body() == old and site.sts_id() == "one"
        assert server.log.events("config.error", code="E14")
        server.change(domains(tenant(id="two", mx="[mail2.example.com]")))
        assert server.body() != old and site.sts_id() == "two"


@pytest.mark.parametrize(
    "dns_keys",
    [
        {},
        {"host": "policy.provider.example"},
        {"addresses": '[192.0.2.1, "2001:db8::1"]'},
        {"host": "policy.provider.example", "tls_rpt": '["mailto:tls@example.com", "https://r.example/v1"]'},
    ],
    ids=["plain", "host", "addresses", "host_and_tls_rpt"],
)
def test_A_T10_bind_takes_the_zone_and_json_says_the_same(site, dns_keys):
    """All records of a domain, read by BIND's checker and dnspython, and as JSON: no second TXT anywhere."""
    site.certify("example.com")
    site.write(domains(tenant()), dns=dns_keys)
    with site.serve():
        finished = site.run("records", "example.com")
        assert finished.status == DONE and not finished.err
        facts = zone_facts(site.folder, "example.com", finished.out.decode("ascii"))
        records = site.records("example.com")
    assert facts == json_facts(records)
    assert all(r["state"] == "live" and r["domain"] == "example.com" for r in records)
    assert len(facts["_mta-sts.example.com.", "TXT"]) == 1
    expected = {("_mta-sts.example.com.", "TXT")}
    if "host" in dns_keys:
        assert facts["mta-sts.example.com.", "CNAME"] == [(300, "policy.provider.example.")]
        expected.add(("mta-sts.example.com.", "CNAME"))
    if "addresses" in dns_keys:
        assert facts["mta-sts.example.com.", "A"] == [(300, "192.0.2.1")]
        assert facts["mta-sts.example.com.", "AAAA"] == [(300, "2001:db8::1")]
        expected |= {("mta-sts.example.com.", "A"), ("mta-sts.example.com.", "AAAA")}
    if "tls_rpt" in dns_keys:
        expected.add(("_smtp._tls.example.com.", "TXT"))
    assert set(facts) == expected


def test_A_T10_host_and_addresses_together_are_an_error(site):
    """A CNAME stands alone."""
    site.write(domains(tenant()), dns={"host": "p.example", "addresses": "[192.0.2.1]"})
    assert site.check().errors


def test_A_T11_without_a_certificate_the_record_is_withheld(site):
    """The reason is said, the other tenant's record is there, --all prints it with its state."""
    site.certify("example.com")
    site.write(domains(tenant(), tenant("bare.example")))
    with site.serve():
        finished = site.run("records")
        assert finished.status == PROBLEMS
        assert b"_mta-sts.example.com." in finished.out and b"_mta-sts.bare.example." not in finished.out
        assert "bare.example" in finished.err and "certificate" in finished.err
        assert "example.com" not in finished.err
        assert site.run("records", "example.com").status == DONE
        every = site.run("records", "--all", "--format", "json").json()
        states = {r["domain"]: r["state"] for r in every if r["name"].startswith("_mta-sts.")}
        assert states == {"example.com": "live", "bare.example": "withheld"}


@pytest.mark.parametrize(
    "flaw",
    [
        {"starts_days": -90, "ends_days": -1},
        {"starts_days": 2, "ends_days": 90},
    ],
    ids=["expired", "not_yet_valid"],
)
def test_A_T11_with_a_certificate_that_is_not_valid_now_the_record_is_withheld(site, flaw):
    """It is served, loudly, but nobody is invited to look."""
    site.certify("example.com", **flaw)
    site.write(domains(tenant()))
    with site.serve():
        finished = site.run("records")
        assert finished.status == PROBLEMS and finished.out == b""
        assert "example.com" in finished.err


def test_A_T11_when_the_certificate_comes_the_record_is_printed(site):
    site.write(domains(tenant()))
    with site.serve() as server:
        assert site.run("records").status == PROBLEMS
        site.certify("example.com")
        server.log.wait("certs.done", added=1)
        assert site.run("records").status == DONE
        assert server.body() == site.policy()


def test_A_T11_without_a_running_server_everything_is_withheld(site):
    site.certify("example.com")
    site.write(domains(tenant()))
    with site.serve():
        assert site.run("records").status == DONE
    finished = site.run("records")
    assert finished.status == PROBLEMS and finished.out == b"" and finished.err


def test_A_T12_mode_none_has_a_record_with_a_new_id(served):
    before = served.site.sts_id()
    served.change(domains(tenant(mode="none", max_age="86400"), tenant("other.example")))
    after = served.site.sts_id()
    assert after != before
    assert [r["state"] for r in served.site.records("example.com")] == ["live"]


def test_records_of_an_unknown_domain_say_so(served):
    finished = served.site.run("records", "nowhere.example")
    assert finished.status == PROBLEMS and finished.out == b"" and "nowhere.example" in finished.err


def test_json_is_an_array_of_the_documented_shape(served):
    records = json.loads(served.site.run("records", "--format", "json").out)
    assert isinstance(records, list) and len(records) == 2
    for record in records:
        assert set(record) == {"domain", "name", "type", "ttl", "data", "state"}
        assert record["name"] == f"_mta-sts.{record['domain']}." and STS_VALUE.fullmatch(record["data"])
    assert served.site.run("records", "--json").json() == records


# --- TLS reports ----------------------------------------


def report_values(site):
    """The values of the _smtp._tls records, from both formats, which must agree."""
    records = [r for r in site.records("example.com") if r["name"] == "_smtp._tls.example.com."]
    zone_text = site.run("records", "example.com").out.decode("ascii")
    facts = zone_facts(site.folder, "example.com", zone_text)
    values = [r["data"] for r in records]
    assert [data for _, data in facts.get(("_smtp._tls.example.com.", "TXT"), [])] == values
    return values


@pytest.mark.parametrize(
    "rua, value",
    [
        pytest.param("mailto:tls@example.com", "v=TLSRPTv1; rua=mailto:tls@example.com", id="A-R1"),
        pytest.param(
            "['mailto:a@x.example', 'https://r.example/v1']",
            "v=TLSRPTv1; rua=mailto:a@x.example,https://r.example/v1",
            id="A-R2",
        ),
        pytest.param(
            "['https://r.example/a,b;c!d']", "v=TLSRPTv1; rua=https://r.example/a%2Cb%3Bc%21d", id="A-R4"
        ),
    ],
)
def test_A_R1_A_R2_A_R4_the_report_record(site, rua, value):
    site.certify("example.com")
    site.write(domains(tenant(tls_rpt=rua)))
    with site.serve():
        assert report_values(site) == [value]


@pytest.mark.parametrize(
    "rua",
    [
        "tls@example.com",
        "http://r.example",
        "ftp://x",
        "'mailto:'",
        "'https://'",
        "mailto:a b@x.example",
        "mailto:tls@",
        "mailto:@x.example",
        "https:///path",
        "mailto:ü@x.example",
        "https://r.example/%zz",
        "''",
        "[]",
        "['mailto:a@x.example', 'ftp://x']",
    ],
)
def test_A_R3_only_mailto_and_https_take_reports(site, rua):
    check = site.write(domains(tenant(tls_rpt=rua), tenant("good.example"))).check()
    assert check.status == PROBLEMS and [p.code for p in check.errors] == ["E10"]
    assert check.errors[0].domain == "example.com" and check.errors[0].line == site.place_of("tls_rpt:")[0]


def test_A_R5_long_values_are_split_without_blanks(site):
    """Strings of at most 255 octets, which together are the value."""
    uris = [f"https://reports{n}.example/" + "x" * 80 for n in range(5)]
    value = "v=TLSRPTv1; rua=" + ",".join(uris)
    site.certify("example.com")
    site.write(domains(tenant(tls_rpt=f"[{', '.join(uris)}]")))
    with site.serve():
        assert report_values(site) == [value]
        line = next(text for text in lines_of(site.run("records")) if text.startswith("_smtp._tls."))
    strings = re.findall(r'"([^"]*)"', line)
    assert len(strings) > 1 and all(len(text) <= 255 for text in strings)
    assert "".join(strings) == value


def test_A_R6_without_reports_there_is_a_warning(site):
    check = site.write(domains(tenant())).check()
    assert check.status == DONE and check.find("W08", "warning")
    check = site.write(domains(tenant(tls_rpt="mailto:tls@example.com"))).check()
    assert not check.find("W08")


@pytest.mark.parametrize("form", ["zone", "json"])
def test_A_R6_the_report_record_comes_before_the_sts_record(site, form):
    """And the host before both: what a later record relies on is there already."""
    site.certify("example.com")
    site.write(domains(tenant(tls_rpt="mailto:tls@example.com")), dns={"host": "policy.provider.example"})
    with site.serve():
        text = site.run("records", "--format", form).out
    assert (
        0
        <= text.index(b"mta-sts.example.com.")
        < text.index(b"_smtp._tls.example.com.")
        < text.index(b"_mta-sts.example.com.")
    )

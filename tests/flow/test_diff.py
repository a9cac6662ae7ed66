"""`records --diff`: only what the DNS has otherwise; and resolvers that lie, truncate, time out, or are not there."""

import contextlib
import os
import pty
import re
import socket
import subprocess
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import formats
import pytest
import rig
from dns_servers import Bind
from resolver import Resolver, text
from rig import DONE, PROBLEMS, SYSTEM, USAGE, domains, tenant

ZONES = ("example.com", "other.example")
ADDRESSES = {"addresses": '[192.0.2.1, 192.0.2.2, "2001:db8::1"]', "tls_rpt": '["mailto:tls@example.com"]'}
HOST = {"host": "Policy.Provider.example"}
POLICY, REPORT, A_HOST = "_mta-sts.example.com.", "_smtp._tls.example.com.", "mta-sts.example.com."


@pytest.fixture
def served(site):
    site.certify(*ZONES)
    site.write(domains(tenant(), tenant("other.example")), dns=ADDRESSES)
    with site.serve() as server:
        yield server


@pytest.fixture
def resolver(served):
    """That has exactly what is to be published."""
    with Resolver() as resolver:
        resolver.set_records(served.site.records())
        yield resolver


def diff(site, resolver, *argv, **options):
    return site.run("records", "--diff", "--resolver", resolver.option, *argv, **options)


def printed(finished):
    """{(name, type, data)} of JSON."""
    return {(r["name"], r["type"], r["data"]) for r in finished.json()}


def of(site, *names):
    """What is to be published at these names."""
    return {(r["name"], r["type"], r["data"]) for r in site.records() if r["name"] in names}


# --- what differs ----------------------------------------


@pytest.mark.parametrize("form", formats.ALL)
def test_nothing_differs_nothing_is_printed(served, resolver, form):
    finished = diff(served.site, resolver, "--format", form)
    assert finished.status == DONE and finished.err == ""
    assert finished.out.decode().strip() in ("", "[\n\n]", "[\n]")
    assert formats.parse(form, finished.out.decode(), served.site.folder) == set()


def test_every_name_is_asked_once_and_both_families(served, resolver):
    assert diff(served.site, resolver).status == DONE
    asked = [question[:2] for question in resolver.asked]
    assert len(asked) == len(set(asked)) == 8
    assert {kind for name, kind in asked if name == A_HOST} == {"A", "AAAA"}


@pytest.mark.parametrize(
    "key, data",
    [
        ((POLICY, "TXT"), []),
        ((POLICY, "TXT"), [text("v=STSv1; id=0;")]),
        ((POLICY, "TXT"), [text("v=STSv1; id=0;"), "OURS"]),
        ((REPORT, "TXT"), [text("v=TLSRPTv1; rua=mailto:old@example.com")]),
        ((A_HOST, "A"), ["192.0.2.1"]),
        ((A_HOST, "A"), ["192.0.2.1", "192.0.2.2", "192.0.2.3"]),
        ((A_HOST, "AAAA"), ["2001:db8::2"]),
        ((A_HOST, "AAAA"), []),
    ],
    ids=["no_policy", "old_id", "two_ids", "old_report", "one_less", "one_more", "other_v6", "no_v6"],
)
def test_a_difference_is_printed_and_nothing_else(served, resolver, key, data):
    """All records of the name that differs."""
    ours = resolver.table.pop(key)
    if data:
        resolver.table[key] = [ours[0] if item == "OURS" else item for item in data]
    finished = diff(served.site, resolver, "--json")
    assert finished.status == PROBLEMS and finished.err == ""
    assert printed(finished) == of(served.site, key[0])


def test_a_stray_family_differs(site):
    site.certify("example.com")
    site.write(domains(tenant()), dns={"addresses": "[192.0.2.1]"})
    with site.serve(), Resolver() as resolver:
        resolver.set_records(site.records())
        assert diff(site, resolver).status == DONE
        resolver.table[A_HOST, "AAAA"] = ["2001:db8::1"]
        finished = diff(site, resolver, "--json")
        assert finished.status == PROBLEMS and printed(finished) == of(site, A_HOST)


def test_a_cname_is_compared_without_regard_to_case(site):
    site.certify("example.com")
    site.write(domains(tenant()), dns=HOST)
    with site.serve(), Resolver() as resolver:
        resolver.set_records(site.records())
        resolver.table[A_HOST, "CNAME"] = ["pOLICY.provider.EXAMPLE."]
        assert diff(site, resolver).status == DONE
        resolver.table[A_HOST, "CNAME"] = ["policy.other.example."]
        finished = diff(site, resolver, "--json")
        assert finished.status == PROBLEMS and printed(finished) == of(site, A_HOST)


def test_what_does_not_count_does_not_differ(served, resolver):
    """Texts of another kind, several strings, order, TTL, a CNAME on the way, upper case."""
    table = resolver.table
    (ours,) = table.pop((POLICY, "TXT"))
    table[POLICY, "CNAME"] = ["_MTA-STS.Customer.Example."]
    table["_mta-sts.customer.example.", "TXT"] = [
        text("v=spf1 -all"),
        " ".join(f'"{c}"' for c in ours.strip('"')),
        text("v=STSv12; id=1;"),
    ]
    table[REPORT, "TXT"] = [*table[REPORT, "TXT"], text("v=STSv1; id=7;")]
    table[A_HOST, "A"].reverse()
    finished = diff(served.site, resolver)
    assert (finished.status, finished.out, finished.err) == (DONE, b"", "")


def test_only_the_domains_that_are_given_are_asked_about(served, resolver):
    resolver.table.clear()
    finished = diff(served.site, resolver, "--json", "other.example")
    assert {r["domain"] for r in finished.json()} == {"other.example"} and finished.status == PROBLEMS
    assert all(name.endswith("other.example.") for name, *_ in resolver.asked)


def test_of_what_is_owed_only_what_differs(site):
    """--changed --diff: what the hook did not publish, and nobody else did."""
    site.certify(*ZONES)
    site.write(domains(tenant(), tenant("other.example")), dns={"publish": "{command: [/bin/false]}"})
    with site.serve(), Resolver() as resolver:
        resolver.set_records(site.records("other.example"))
        finished = diff(site, resolver, "--changed", "--json")
        assert finished.status == PROBLEMS and printed(finished) == of(site, POLICY)
        assert len(resolver.asked) == 2


def test_delegated_policies_and_those_who_point_to_them(site):
    """The tenants' CNAMEs and the policies' texts are compared each by themselves."""
    tenants = [f"t{n}.example" for n in range(3)]
    site.certify(*tenants)
    policies = "policies:\n" + "".join(
        f"  p{n}: {{mode: enforce, max_age: 604800, mx: [mail{n}.example.com]}}\n" for n in range(3)
    )
    body = policies + "domains:\n" + "".join(f"  t{n}.example: p{n}\n" for n in range(3))
    site.write(body, dns={"delegate": "provider.example", "host": "policy.provider.example"})
    with site.serve(), Resolver() as resolver:
        resolver.set_records(site.records())
        assert {kind for name, kind in resolver.table if name.startswith("_mta-sts.t")} == {"CNAME"}
        finished = diff(site, resolver)
        assert (finished.status, finished.out, finished.err) == (DONE, b"", "")
        resolver.table["_mta-sts.p1.provider.example.", "TXT"] = [text("v=STSv1; id=old;")]
        resolver.table["_mta-sts.t2.example.", "CNAME"] = ["_mta-sts.p1.provider.example."]
        finished = diff(site, resolver, "--json")
        assert finished.status == PROBLEMS and finished.err == ""
        assert printed(finished) == of(site, "_mta-sts.p1.provider.example.", "_mta-sts.t2.example.")
        finished = diff(site, resolver, "--json", "provider.example")
        assert printed(finished) == of(site, "_mta-sts.p1.provider.example.")


@pytest.mark.parametrize("form", ["nsupdate", "octodns"])
def test_nobody_is_pointed_to_a_policy_record_that_nobody_knows_of(site, form):
    """Who points to it already is left alone; what goes is deleted."""
    tenants = [f"t{n}.example" for n in range(4)]
    site.certify(*tenants)
    policies = "policies:\n" + "".join(
        f"  p{n}: {{mode: enforce, max_age: 604800, mx: [mail{n}.example.com]}}\n" for n in range(2)
    )
    body = policies + "domains:\n" + "".join(f"  t{n}.example: p{n % 2}\n" for n in range(4))
    site.write(body, dns={"delegate": "provider.example", "host": "policy.provider.example"})
    lie = answer_with(dns.rcode.SERVFAIL, only="_mta-sts.p1.provider.example.")
    with site.serve(), Resolver(lie=lie) as resolver:
        resolver.set_records(site.records("t3.example"))
        finished = diff(site, resolver, "--format", form)
    told = re.findall(r"^mta-sts-server: (\S+): cannot be compared: (.*)$", finished.err, re.M)
    assert finished.status == SYSTEM and told == [
        ("provider.example", "_mta-sts.p1.provider.example. TXT: the resolver says SERVFAIL"),
        ("t1.example", "_mta-sts.t1.example. CNAME: what its policy's record says could not be found out"),
    ]
    names = {fact[0] for fact in formats.parse(form, finished.out.decode(), site.folder)}
    hosts = {f"mta-sts.t{n}.example." for n in ((0, 2) if form == "octodns" else (0, 1, 2))}
    wanted = {"_mta-sts.p0.provider.example.", "_mta-sts.t0.example.", "_mta-sts.t2.example."} | hosts
    assert names - {"_mta-sts.p1.provider.example."} == wanted
    assert ("_mta-sts.p1.provider.example." in names) == (form == "octodns")  # all of that zone is described


@pytest.mark.parametrize("form", formats.ALL)
def test_formats_that_describe_a_domain_print_all_of_it(served, resolver, form):
    resolver.table[POLICY, "TXT"] = [text("v=STSv1; id=0;")]
    finished = diff(served.site, resolver, "--format", form)
    assert finished.status == PROBLEMS
    facts = formats.parse(form, finished.out.decode(), served.site.folder)
    names = {fact[0] for fact in facts}
    assert names == ({POLICY, REPORT, A_HOST} if form in ("octodns", "dnscontrol", "external-dns") else {POLICY})


def test_domains_come_in_their_order_whatever_is_answered_first(site):
    names = [f"d{n:02}.example" for n in range(40)]
    site.write(domains(*map(tenant, names)))
    held = []

    def backwards(query, transport):
        """Once all were asked they are answered, the last first."""
        held.insert(0, query)
        return [] if len(held) < len(names) else [resolver.answer(each) for each in held]

    with site.serve(), Resolver(lie=backwards) as resolver:
        finished = diff(site, resolver, "--all", "--json")
    assert len(held) == len(names) and [r["domain"] for r in finished.json()] == names


def test_the_store_is_looked_at_anew_while_it_waits(site):
    """No snapshot is held while answers are awaited: what changes meanwhile is seen."""
    names = [f"d{n:03}.example" for n in range(900)]

    def yaml(last_mx):
        return domains(*(tenant(name) for name in names[:-1]), tenant(names[-1], mx=last_mx))

    site.write(yaml("[mail.example.com]"))
    with site.serve() as server:
        is_first = threading.Lock()

        def change_first(query, transport):
            if is_first.acquire(blocking=False):
                server.change(yaml("[mail2.example.com]"))
            return None

        before = {r["domain"]: r["data"] for r in site.records("--all")}
        with Resolver(lie=change_first) as resolver:
            finished = diff(site, resolver, "--all", "--json")
        after = {r["domain"]: r["data"] for r in finished.json()}
    assert len(after) == len(names) and after[names[0]] == before[names[0]]
    assert after[names[-1]] != before[names[-1]]


def once(act):
    """Does that when the first question comes, which is answered at its second try; the others at once."""
    is_first = threading.Lock()

    def lie(query, transport):
        if not is_first.acquire(blocking=False):
            return None
        act()
        return []

    return lie


@pytest.mark.parametrize(
    "now", [domains(tenant(mx="[mail2.example.com]"), tenant("other.example")), domains(tenant("other.example"))],
    ids=["new_id", "withdrawn"],
)
@pytest.mark.parametrize("form", ["nsupdate", "octodns"])
def test_what_changed_meanwhile_is_not_printed_as_it_was(served, now, form):
    """Somebody may have published the new one; other domains are printed."""
    with Resolver(lie=once(lambda: served.change(now, dns=ADDRESSES))) as resolver:
        finished = diff(served.site, resolver, "--format", form)
    assert finished.status == SYSTEM
    assert finished.err == "mta-sts-server: example.com: cannot be compared: it changed meanwhile\n"
    facts = formats.parse(form, finished.out.decode(), served.site.folder)
    assert facts and all("other.example" in fact[0] for fact in facts)


def test_what_differs_is_written_before_the_others_are_known(served):
    """What lies in a buffer for minutes may no longer be true."""
    is_read = threading.Event()

    def wait(query, transport):
        is_others = "other.example" in query.question[0].to_text()
        return [] if is_others and not is_read.is_set() else None

    with Resolver(lie=wait) as resolver:
        command = [rig.BINARY, "-c", served.site.yaml, "records", "--diff", "--resolver", resolver.option]
        with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, env=rig.environment()) as process:
            first = process.stdout.read1()
            is_read.set()
            rest = process.stdout.read()
            assert process.wait(20) == PROBLEMS  # otherwise it came with the end, when nobody had answered
    assert b"_mta-sts.example.com." in first and b"other.example" not in first and b"other.example" in rest


def test_changed_settings_end_it(site):
    """Not a row is printed by settings that are no longer in force."""
    names = [f"d{n:03}.example" for n in range(900)]
    body = domains(*map(tenant, names))
    site.write(body, dns={"addresses": "[192.0.2.1]"})
    with site.serve() as server:
        change = once(lambda: server.change(body, dns={"addresses": "[192.0.2.2]"}))
        with Resolver(lie=change) as resolver:
            finished = diff(site, resolver, "--all")
    assert finished.status == SYSTEM and b"192.0.2.1" not in finished.out
    assert "mta-sts-server: the settings were changed meanwhile: run this again\n" in finished.err


def test_a_server_that_stopped_meanwhile_serves_nothing(site):
    site.certify("example.com")
    site.write(domains(tenant()))
    with site.serve() as server, Resolver(lie=once(server.stop)) as resolver:
        finished = diff(site, resolver)
    assert finished.status == SYSTEM and finished.out == b""
    assert "example.com: cannot be compared: it changed meanwhile" in finished.err


def test_a_server_that_started_meanwhile_ends_it(site):
    """Its settings need not be those of the file as it was."""
    site.write(domains(tenant()))
    with site.serve():
        pass
    with contextlib.ExitStack() as stack:
        resolver = stack.enter_context(Resolver(lie=once(lambda: stack.enter_context(site.serve()))))
        finished = diff(site, resolver, "--all")
    assert finished.status == SYSTEM and finished.out == b""
    assert "a server was started meanwhile: run this again" in finished.err


def test_what_waits_behind_a_silent_question_is_bounded(site):
    """Domains with many addresses: some 15 KB each, 32 MB in all."""
    names = [f"d{n:04}.example" for n in range(4000)]
    addresses = ", ".join(f'"2001:db8:1111:2222:3333:4444:5555:66{n:02x}"' for n in range(64))
    site.write(domains(*map(tenant, names)), dns={"addresses": f"[{addresses}]"})
    domains_asked, counts = set(), []

    def wait(query, transport):
        name = query.question[0].name.to_text().split(".", 1)[1]
        domains_asked.add(name)
        if name != f"{names[0]}." or not query.question[0].to_text().endswith("TXT"):
            return None
        counts.append(len(domains_asked))
        return None if len(counts) == 3 else []  # 4.5 seconds after the first

    with site.serve() as server, Resolver(lie=wait) as resolver:
        server.log.wait("reload.done", deadline_s=60)
        finished = diff(site, resolver, "--all", "--format", "nsupdate")
    assert finished.status == PROBLEMS and "compared" not in finished.err
    assert 1000 < counts[2] < 3000 and len(domains_asked) == len(names)


# --- withheld, withdrawn, gone ----------------------------------------


def test_withheld_is_left_alone(site):
    site.certify("example.com")
    site.write(domains(tenant(), tenant("bare.example")))
    with site.serve(), Resolver() as resolver:
        resolver.set_records(site.records())
        finished = diff(site, resolver, "--json")
        assert finished.status == PROBLEMS and finished.json() == []
        assert "bare.example: withheld: there is no certificate" in finished.err
        assert not any("bare" in name for name, *_ in resolver.asked)
        finished = diff(site, resolver, "--json", "--all")
        assert finished.status == PROBLEMS
        assert [(r["name"], r["state"]) for r in finished.json()] == [("_mta-sts.bare.example.", "withheld")]
        resolver.set_records(site.records("--all"))
        finished = diff(site, resolver, "--all")
        assert (finished.status, finished.out) == (PROBLEMS, b"") and "withheld" in finished.err


@pytest.mark.parametrize("form", formats.ALL)
def test_a_domain_with_something_withheld_is_not_described(site, form):
    """As one piece it would take away the _mta-sts record that is out."""
    site.certify("example.com")
    site.write(domains(tenant(), tenant("bare.example")), dns=ADDRESSES)
    with site.serve(), Resolver() as resolver:
        finished = diff(site, resolver, "--format", form)
    facts = formats.parse(form, finished.out.decode(), site.folder)
    has_bare = any("bare.example" in fact[0] for fact in facts)
    assert finished.status == PROBLEMS and any("example.com" in fact[0] for fact in facts)
    assert has_bare != (form in ("octodns", "dnscontrol", "external-dns"))


@pytest.fixture
def gone(served, resolver):
    """example.com was taken out, and nobody holds its policy any more. What diff prints then."""
    served.change(domains(tenant("other.example")), dns=ADDRESSES)

    def look(*argv):
        env = rig.environment(MTA_STS_TEST_CLOCK_OFFSET_S=str(8 * 86400))
        return diff(served.site, resolver, "example.com", *argv, env=env)

    return look


def test_withdrawing_is_compared_like_live(served, resolver):
    served.change(domains(tenant("other.example")), dns=ADDRESSES)
    finished = diff(served.site, resolver, "--json")
    assert finished.status == PROBLEMS  # the id of mode none
    assert [(r["name"], r["state"]) for r in finished.json()] == [(POLICY, "withdrawing")]
    resolver.set_records(served.site.records())
    assert diff(served.site, resolver).status == DONE


def test_a_row_is_not_gone_before_the_keeper_says_so(site):
    """Right after a start it does not believe the clock; nor do those who look at all rows, or at one."""
    site.certify(*ZONES)
    site.write(domains(tenant(), tenant("other.example")))
    with site.serve(env={"MTA_STS_TEST_CLOCK_OFFSET_S": str(-9 * 86400)}) as server:
        server.change(domains(tenant("other.example")))
    with site.serve(), Resolver() as resolver:
        for argv in ([], ["example.com"]):
            states = {r["domain"]: r["state"] for r in site.records(*argv)}
            assert states["example.com"] == "withdrawing"
            finished = diff(site, resolver, "--json", *argv)
            assert finished.status == PROBLEMS and finished.err == ""
            assert {r["domain"]: r["state"] for r in finished.json()} == states


def test_gone_is_a_deletion_as_long_as_it_is_there(served, gone, resolver):
    resolver.set_records(served.site.records())  # with the last id, that of mode none
    finished = gone("--format", "nsupdate")
    assert finished.status == PROBLEMS
    deleted = {fact[:2] for fact in formats.from_nsupdate(finished.out.decode())}
    assert deleted == {(POLICY, "TXT"), (REPORT, "TXT"), (A_HOST, "A"), (A_HOST, "AAAA")}
    del resolver.table[A_HOST, "A"], resolver.table[A_HOST, "AAAA"]
    finished = gone("--json")
    assert {(r["name"], r["state"]) for r in finished.json()} == {(POLICY, "gone"), (REPORT, "gone")}
    resolver.table.clear()
    finished = gone()
    assert (finished.status, finished.out) == (DONE, b"")


def test_gone_leaves_what_is_somebody_elses(gone, resolver):
    """The customer went to another provider: host, reports and policy are that one's."""
    resolver.table[A_HOST, "A"] = ["198.51.100.1"]
    resolver.table[REPORT, "TXT"] = [text("v=TLSRPTv1; rua=mailto:tls@elsewhere.example")]
    resolver.table[POLICY, "TXT"] = [text("v=STSv1; id=elsewhere;")]
    finished = gone()
    assert (finished.status, finished.out) == (DONE, b"")


@pytest.mark.parametrize("dns_keys", [HOST, None, ADDRESSES], ids=["host", "neither", "addresses"])
@pytest.mark.parametrize("kind, theirs", [("A", "198.51.100.1"), ("CNAME", "policy.elsewhere.example."), ("TXT", text("none"))])
def test_gone_leaves_the_policy_of_a_provider_whose_host_was_not_seen(site, dns_keys, kind, theirs):
    """A CNAME was asked for, and there is an address; nothing was asked for; a CNAME that nobody follows; no host yet."""
    site.certify(*ZONES)
    site.write(domains(tenant(), tenant("other.example")), dns=dns_keys)
    env = rig.environment(MTA_STS_TEST_CLOCK_OFFSET_S=str(8 * 86400))
    with site.serve() as server, Resolver() as resolver:
        last_id = site.sts_id()
        server.change(domains(tenant("other.example")), dns=dns_keys)
        resolver.table = {(A_HOST, kind): [theirs], (POLICY, "TXT"): [text("v=STSv1; id=elsewhere;")]}
        finished = diff(site, resolver, "example.com", env=env)
        assert (finished.status, finished.out) == (DONE, b"")
        assert last_id != site.sts_id()  # that of mode none is the last one
        resolver.table[POLICY, "TXT"] = [text(f"v=STSv1; id={site.sts_id()};")]
        finished = diff(site, resolver, "example.com", "--json", env=env)
        assert {(r["name"], r["state"]) for r in finished.json()} == {(POLICY, "gone")}


def test_gone_takes_out_an_older_id_at_a_host_of_ours(gone, resolver):
    resolver.table[POLICY, "TXT"] = [text("v=STSv1; id=older;")]
    assert POLICY in {r["name"] for r in gone("--json").json()}


def test_gone_and_a_failed_question_delete_nothing(gone, resolver):
    resolver.table[POLICY, "TXT"] = [text("v=STSv1; id=older;")]
    resolver.lie = answer_with(dns.rcode.SERVFAIL, "AAAA")
    finished = gone("--json")
    assert finished.status == SYSTEM and {r["name"] for r in finished.json()} == {REPORT}


# --- resolvers that fail and lie ----------------------------------------


def answer_with(rcode, kind=None, only=""):
    def lie(query, transport):
        question = query.question[0].to_text()
        if only not in question or (kind and not question.endswith(f" {kind}")):
            return None
        return refuse(rcode)(query, transport)

    return lie


def refuse(rcode):
    def lie(query, transport):
        reply = dns.message.make_response(query, recursion_available=True)
        reply.set_rcode(rcode)
        return [reply]

    return lie


def truth(query, data="v=STSv1; id=lie;", name=None):
    reply = dns.message.make_response(query, recursion_available=True)
    name = name or query.question[0].name
    reply.answer.append(dns.rrset.from_text(name, 300, "IN", "TXT", text(data)))
    return reply


def with_tc(query, transport):
    reply = dns.message.make_response(query, recursion_available=True)
    reply.flags |= dns.flags.TC
    return [reply]


def wrong_question(query, transport):
    other = dns.message.make_query("_mta-sts.elsewhere.example.", "TXT")
    other.id = query.id
    return [truth(other)]


def mangled(query, transport):
    wire = bytearray(truth(query).to_wire())
    wire[wire.index(b"v=STSv1") - 1] = 0xFF  # a string that is longer than its record
    return [bytes(wire)]


# by domain: the lie about its policy, and what is said
FAILURES = {
    "servfail.example": (refuse(dns.rcode.SERVFAIL), "the resolver says SERVFAIL"),
    "refused.example": (refuse(dns.rcode.REFUSED), "the resolver says REFUSED"),
    "notimp.example": (refuse(dns.rcode.NOTIMP), "the resolver says NOTIMP"),
    "odd-code.example": (refuse(dns.rcode.YXDOMAIN), "the resolver says an unknown error"),
    "silence.example": (lambda q, t: [], "no answer in time"),
    "noise.example": (lambda q, t: [b"\xff" * 3, os.urandom(200)], ""),  # newer c-ares hangs up
    "wrong-id.example": (lambda q, t: [b"\x00\x01" + truth(q).to_wire()[2:]], "no answer in time"),
    "wrong-question.example": (wrong_question, "no answer in time"),
    "other-name.example": (lambda q, t: [truth(q, name="_mta-sts.elsewhere.example.")], "it is about another name"),
    "mangled.example": (mangled, "the answer is garbled"),
    "cut.example": (lambda q, t: [truth(q).to_wire()[:-15]], "the answer is garbled"),
    "referral.example": (lambda q, t: [dns.message.make_response(q)], "neither knows nor asks others"),
    "truncated-twice.example": (with_tc, "truncated"),
}


def test_a_failed_question_is_told_and_is_no_difference(site):
    """Each domain's in its own way; what differs beside them is printed."""

    def lie(query, transport):
        label, domain = query.question[0].name.to_text().rstrip(".").split(".", 1)
        return FAILURES[domain][0](query, transport) if domain in FAILURES and label == "_mta-sts" else None

    site.certify(*ZONES, *FAILURES)
    site.write(domains(*map(tenant, [*ZONES, *FAILURES])), dns=ADDRESSES)
    with site.serve(), Resolver(lie=lie) as resolver:
        resolver.set_records(site.records())
        resolver.table["mta-sts.other.example.", "A"] = ["192.0.2.9"]
        resolver.table["mta-sts.refused.example.", "A"] = ["192.0.2.9"]
        finished = diff(site, resolver, "--json")
        assert finished.status == SYSTEM
        assert printed(finished) == of(site, "mta-sts.other.example.", "mta-sts.refused.example.")
    told = dict(re.findall(r"^mta-sts-server: (\S+): cannot be compared: _mta-sts\.\S+ TXT: (.*)$", finished.err, re.M))
    assert set(told) == set(FAILURES) and len(finished.err.splitlines()) == len(FAILURES)
    for domain, (_, reason) in FAILURES.items():
        assert reason in told[domain], domain


def test_truncated_is_asked_again_over_tcp(served, resolver):
    """A wildcard's texts, more than a datagram holds; the server closes the connection behind each answer."""
    table = resolver.table
    for name in [name for name, kind in table if kind == "TXT"]:
        table[name, "TXT"] = [*(text(f"{n} " + "x" * 200) for n in range(30)), *table[name, "TXT"]]
    resolver.lie = lambda query, transport: with_tc(query, transport) if transport == "udp" else None
    finished = diff(served.site, resolver)
    assert (finished.status, finished.out, finished.err) == (DONE, b"", "")
    assert {question[2] for question in resolver.asked} == {"udp", "tcp"}


def test_truncated_without_tcp_is_told(served):
    with Resolver(has_tcp=False, lie=with_tc) as resolver:
        finished = diff(served.site, resolver, "example.com")
    assert finished.status == SYSTEM and finished.out == b""
    assert "truncated, and not to be had over TCP" in finished.err


def test_the_right_answer_among_forged_ones_is_taken(served, resolver):
    """Wrong id, wrong question, another port's: none of them is believed, and none is in the way."""

    def forge(query, transport):
        reply = resolver.answer(query)
        wrong = [(truth(query).to_wire()[2:], id) for id in (0, query.id ^ 1, query.id ^ 0x8000)]
        return [*(id.to_bytes(2, "big") + rest for rest, id in wrong), *wrong_question(query, transport), reply]

    resolver.lie = forge
    finished = diff(served.site, resolver)
    assert (finished.status, finished.out, finished.err) == (DONE, b"", "")


def test_answers_from_another_address_are_not_taken(served, resolver):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))

        def forge(query, transport):
            if transport == "udp":
                stranger.sendto(truth(query).to_wire(), ("127.0.0.1", resolver.peer_port))
            return None

        resolver.lie = forge
        finished = diff(served.site, resolver)
    assert (finished.status, finished.out, finished.err) == (DONE, b"", "")


def test_ids_cannot_be_guessed(site):
    site.write(domains(*(tenant(f"d{n:03}.example") for n in range(500))))
    with site.serve(), Resolver() as resolver:
        diff(site, resolver, "--all")
        ids = [question[3] for question in resolver.asked]
    assert len(ids) >= 500 and len(set(ids)) > 480
    steps = [(b - a) % 65536 for a, b in zip(ids, ids[1:])]
    assert len(set(steps)) > 450 and max(ids) > 49152 and min(ids) < 16384


def test_a_name_that_does_not_exist_differs(served, resolver):
    resolver.lie = answer_with(dns.rcode.NXDOMAIN, only=POLICY)
    finished = diff(served.site, resolver, "--json")
    assert finished.status == PROBLEMS and printed(finished) == of(served.site, POLICY)


def test_at_most_twenty_failures_are_told_one_by_one(site):
    site.write(domains(*(tenant(f"d{n:02}.example") for n in range(25))))
    with site.serve(), Resolver(lie=answer_with(dns.rcode.REFUSED)) as resolver:
        finished = diff(site, resolver, "--all")
    told = [line for line in finished.err.splitlines() if "compared" in line]
    assert finished.status == SYSTEM and finished.out == b"" and len(told) == 21
    assert told[-1] == "mta-sts-server: and 5 more cannot be compared"
    assert [re.search(r"d(\d\d)", line)[1] for line in told[:-1]] == [f"{n:02}" for n in range(20)]


# --- which resolver ----------------------------------------


def test_another_resolver_is_asked_where_one_does_not_answer(served, resolver):
    """One that nobody is at, one that refuses."""
    with Resolver(lie=answer_with(dns.rcode.REFUSED)) as refusing:
        for other in ("127.0.0.1:1", refusing.option):
            finished = served.site.run(
                "records", "--diff", "--resolver", other, "--resolver", resolver.option, "example.com"
            )
            assert (finished.status, finished.out, finished.err) == (DONE, b"", "")


def test_a_resolver_may_have_an_ipv6_address(served):
    with Resolver(family=socket.AF_INET6) as resolver:
        resolver.set_records(served.site.records())
        assert diff(served.site, resolver).status == DONE and resolver.asked


def test_nobody_at_the_resolvers_address_is_told(served):
    finished = served.site.run("records", "--diff", "--resolver", "127.0.0.1:1")
    assert finished.status == SYSTEM and finished.out == b""
    assert finished.err.count("no resolver can be reached") == 2


@pytest.mark.parametrize("word", ["", "resolver.example", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "[192.0.2.1]", "::1:x"])
def test_a_resolver_is_an_address(served, word):
    finished = served.site.run("records", "--diff", "--resolver", word)
    assert finished.status == USAGE and f"--resolver {word}" in finished.err


def test_resolver_goes_with_diff(served):
    finished = served.site.run("records", "--resolver", "127.0.0.1")
    assert finished.status == USAGE and "--diff" in finished.err


def test_diff_before_any_start_says_so(site):
    finished = site.write(domains(tenant())).run("records", "--diff")
    assert finished.status == PROBLEMS and "start the server first" in finished.err


# --- on a terminal ----------------------------------------


def on_terminal(site, resolver):
    """Standard error as a terminal sees it, and the status."""
    master, slave = pty.openpty()
    command = [rig.BINARY, "-c", site.yaml, "records", "--diff", "--all", "--resolver", resolver.option]
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=slave, env=rig.environment()
    )
    os.close(slave)
    seen = b""
    try:
        while chunk := os.read(master, 4096):
            seen += chunk
    except OSError:  # the other end is closed
        pass
    os.close(master)
    process.stdout.read()
    return seen.decode(), process.wait(20)


def test_progress_is_one_line_that_is_gone_at_the_end(site):
    site.write(domains(tenant(), tenant("other.example")))
    with site.serve(), Resolver(lie=lambda query, transport: []) as resolver:
        seen, status = on_terminal(site, resolver)
    assert status == SYSTEM
    drawn = [part for part in seen.split("\r") if "domains" in part]
    assert len(drawn) > 5 and "\n" not in "".join(drawn)
    assert re.fullmatch(r"0 of 2 domains, 0 a second; 0 differ, 0 failed\x1b\[K", drawn[0])
    line = ""
    for part in re.split(r"(\r|\n|\x1b\[K)", seen):  # what is left on the screen
        line = "" if part in ("\r", "\x1b[K", "\n") else part
        assert "domains" not in line or "mta-sts-server" not in line
    assert line == ""


# --- with a real name server ----------------------------------------


@pytest.mark.parametrize("dns_keys", [ADDRESSES, HOST], ids=["addresses", "host"])
def test_nsupdate_of_the_difference_makes_it_vanish(site, dns_keys):
    """BIND, asked and updated: from nothing, after a change, after a domain went."""
    site.certify(*ZONES)
    changes = [
        (domains(tenant(), tenant("other.example")), dns_keys),
        (domains(tenant(mx="[mail2.example.com]"), tenant("other.example")), dns_keys),
        (domains(tenant(mx="[mail2.example.com]"), tenant("other.example")), {"addresses": "[192.0.2.7]"}),
        (domains(tenant("other.example")), dns_keys),
    ]
    site.write("domains: {}\n")
    with Bind(site.folder / "bind", *ZONES) as bind, site.serve() as server:
        option = ("--resolver", f"127.0.0.1:{bind.port}")
        for body, keys in changes:
            server.change(body, dns=keys)
            finished = site.run("records", "--diff", *option, "--format", "nsupdate")
            assert finished.status == PROBLEMS and finished.err == ""
            updated = bind.update(finished.out.decode())
            assert updated.status == 0, updated.err
            again = site.run("records", "--diff", *option)
            assert (again.status, again.out, again.err) == (DONE, b"", "")
            for r in site.records():
                assert (r["ttl"], r["data"].lower()) in {(t, d.lower()) for t, d in bind.ask(r["name"], r["type"])}
        later = {"env": rig.environment(MTA_STS_TEST_CLOCK_OFFSET_S=str(8 * 86400))}
        finished = site.run("records", "--diff", *option, "--format", "nsupdate", "example.com", **later)
        assert finished.status == PROBLEMS and bind.update(finished.out.decode()).status == 0
        assert not bind.ask(POLICY, "TXT") and not bind.ask(A_HOST, "A") and not bind.ask(A_HOST, "CNAME")
        again = site.run("records", "--diff", *option, "example.com", **later)
        assert (again.status, again.out, again.err) == (DONE, b"", "")


def test_a_name_server_that_does_not_have_the_zone_is_no_proof(site):
    """REFUSED is not NXDOMAIN."""
    site.certify("example.com", "elsewhere.example")
    site.write(domains(tenant(), tenant("elsewhere.example")))
    with Bind(site.folder / "bind", "example.com") as bind, site.serve():
        finished = site.run("records", "--diff", "--json", "--resolver", f"127.0.0.1:{bind.port}")
    assert finished.status == SYSTEM
    assert {r["domain"] for r in finished.json()} == {"example.com"}
    assert "elsewhere.example: cannot be compared" in finished.err and "REFUSED" in finished.err

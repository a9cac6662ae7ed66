"""A policy through the months: withdrawal, its dates, clocks that step, and a state that came back from a backup (issue
5, DESIGN.md 6.5). Time is moved from one start of the server to the next; steps while it runs: tests/unit/test_caution.c."""

import datetime
import shutil
import time

import pytest
from rig import PROBLEMS, Check, domains, environment, tenant, wait_until

DAY_S = 86400
NONE = "domains: {}\n"


def at(days=0.0, **extra):
    """The environment of a program that runs so many days from now."""
    return {"MTA_STS_TEST_CLOCK_OFFSET_S": str(round(days * DAY_S)), **extra}


def unix(date):
    return datetime.datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()


def is_about(date, days, started):
    """Is it so many days after now, or after when the test started?"""
    return started - 5 <= unix(date) - days * DAY_S <= time.time() + 5


def status(site, days=0.0, domain="example.com"):
    """`status --json` of the domain; {} when it is not served."""
    finished = site.run("status", domain, "--json", env=environment(**at(days)))
    return finished.json() if finished.out else {}


def seen(site, server, days=0.0):
    """(id, bytes) as a sender would find them."""
    env = environment(**at(days))
    rows = site.run("records", "example.com", "--format", "json", "--all", env=env).json()
    text = next(row["data"] for row in rows if row["name"] == "_mta-sts.example.com.")
    return text.partition("id=")[2].rstrip(";"), server.body()


# --- ids ----------------------------------------


def assert_no_id_repeats(pairs):
    ids = {}
    for sts_id, body in pairs:
        assert ids.setdefault(sts_id, body) == body, f"{sts_id} stands for two policies"


@pytest.mark.parametrize("scheme", ["timestamp", "serial", "digest"])
def test_no_id_comes_again_from_a_restored_state(site, scheme):
    """The state of this morning, with what was published since forgotten: served on, changed, removed, back again; and
    once more with no state at all."""
    site.certify("example.com")
    dns = {"id": scheme}
    pairs = []

    def run(days, *policies):
        for number, policy in enumerate(policies):
            if number == 0:
                site.write(policy, dns=dns)
                server = site.serve(env=at(days)).__enter__()
            else:
                server.change(policy, dns=dns)
            pairs.append(seen(site, server, days))
        server.stop()

    def other(number):
        return domains(tenant(mx=f"[mx{number}.example.com]"))

    run(0, other(0))
    shutil.copytree(site.state, site.folder / "backup")
    run(0.2, other(1), other(2), NONE, other(3), other(4))
    for days, first in ((0.4, 5), (0.6, 8)):
        shutil.rmtree(site.state)
        shutil.copytree(site.folder / "backup", site.state)
        run(days, other(first), NONE, other(first + 1), other(first + 2))
    shutil.rmtree(site.state)
    run(0.8, other(11), other(12))
    assert len({body for _, body in pairs}) > 13
    assert_no_id_repeats(pairs)


def test_serial_ids_go_on_from_the_start_of_the_server(site):
    """They grow by one from change to change; a start goes on above whatever may have been used, and changes none."""
    site.certify("example.com")
    serial = {"id": "serial"}
    started = time.time()
    site.write(domains(tenant()), dns=serial)
    with site.serve() as server:
        first = int(site.sts_id())
        assert abs(first - (started - 1735689600)) < 60  # the seconds of this decade: 2025-01-01
        server.change(domains(tenant(mx="[mx2.example.com]")), dns=serial)
        assert int(site.sts_id()) == first + 1
    with site.serve(env=at(-365)) as server:  # no way back
        assert int(site.sts_id()) == first + 1
        server.change(domains(tenant(mx="[mx3.example.com]")), dns=serial)
        assert int(site.sts_id()) == first + 2
    with site.serve(env=at(1)) as server:
        assert int(site.sts_id()) == first + 2
        server.change(domains(tenant(mx="[mx4.example.com]")), dns=serial)
        assert abs(int(site.sts_id()) - first - DAY_S) < 120


@pytest.mark.parametrize("scheme", ["timestamp", "serial", "digest"])
def test_a_tenant_that_returns_gets_an_id_that_it_never_had(site, scheme):
    """During its withdrawal and after it, and when it was forgotten; also where the clock was set back meanwhile."""
    site.certify("example.com", starts_days=-400, ends_days=400)
    dns = {"id": scheme}
    pairs = []
    site.write(domains(tenant()), dns=dns)
    with site.serve() as server:
        pairs.append(seen(site, server))
        server.change(NONE, dns=dns)
        pairs.append(seen(site, server))
        server.change(domains(tenant(mx="[mx2.example.com]")), dns=dns)  # during
        assert status(site)["state"] == "live"
        pairs.append(seen(site, server))
        server.change(NONE, dns=dns)
        pairs.append(seen(site, server))
    with site.serve(env=at(8)) as server:
        wait_until(lambda: not server.serves(), "the end of the withdrawal")
    site.write(domains(tenant(mx="[mx3.example.com]")), dns=dns)
    with site.serve(env=at(-365)) as server:  # after
        assert server.log.wait("reload.done") and status(site, -365)["state"] == "live"
        pairs.append(seen(site, server, -365))
        server.change(NONE, dns=dns)
        pairs.append(seen(site, server, -365))
        assert site.run("forget", "example.com").status == 0
        server.change(domains(tenant(mx="[mx4.example.com]")), dns=dns)
        pairs.append(seen(site, server, -365))
    assert len({body for _, body in pairs}) == 7
    assert_no_id_repeats(pairs)
    assert scheme == "digest" or [int(sts_id) for sts_id, _ in pairs] == sorted({int(sts_id) for sts_id, _ in pairs})


# --- dates ----------------------------------------


def test_a_year_outlives_the_day_that_came_after_it(site):
    """max_age a year, then a day, then a week, then gone: withdrawn until the year is over; each step by a restart on
    another day, with `status` and `records` telling the date and the state in every one."""
    site.certify("example.com", ends_days=800)
    started = time.time()
    for days, max_age in ((0, "31536000"), (10, "86400"), (20, "604800")):
        site.write(domains(tenant(max_age=max_age)))
        with site.serve(env=at(days)) as server:
            server.log.wait("reload.done")
    assert is_about(status(site, 20)["cached_until"], 375, started)  # a year from when the day took its place
    site.write(NONE)
    with site.serve(env=at(30)) as server:
        server.log.wait("reload.done", withdrawn=1)
        found = status(site, 30)
        assert (found["state"], found["mode"], found["max_age"]) == ("withdrawn", "none", 86400)
        assert found["removable_from"] == found["cached_until"] and is_about(found["cached_until"], 375, started)
        text = site.run("status", env=environment(**at(30))).out.decode()
        assert f"withdrawn until {found['cached_until']}" in text
        assert server.body().startswith(b"version: STSv1\r\nmode: none\r\nmx: mail.example.com\r\n")
    for days in (374, -200, 374):  # a clock that is wrong for a while changes nothing
        with site.serve(env=at(days)) as server:
            assert b"mode: none" in server.body()
            assert status(site, days)["cached_until"] == found["cached_until"]
    with site.serve(env=at(375.1)) as server:
        wait_until(lambda: not server.serves(), "the end of the withdrawal")
        assert status(site, 375.1) == {}


def test_mode_none_tells_the_date_from_which_it_may_be_removed(site):
    """In text and JSON, before and after a restart; taken out on that day, the domain goes at once."""
    site.certify("example.com")
    started = time.time()
    site.write(domains(tenant()))
    with site.serve() as server:
        assert status(site)["removable_from"] is None
        server.change(domains(tenant(mode="none", max_age="86400")))
        date = status(site)["removable_from"]
        assert is_about(date, 7, started)
    with site.serve(env=at(3)):
        assert status(site, 3)["removable_from"] == date
        text = site.run("status", "example.com", env=environment(**at(3))).out.decode()
        assert f"removable    from {date}\n" in text and f"cached until {date}\n" in text
    site.write(NONE)
    with site.serve(env=at(7.1)) as server:
        server.log.wait("reload.done", withdrawn=1)
        assert not server.serves() and status(site, 7.1) == {}


def test_taken_out_too_early_mode_none_is_served_on_until_its_date(site):
    """The same date, whatever the order."""
    site.certify("example.com")
    site.write(domains(tenant()))
    with site.serve() as server:
        server.change(domains(tenant(mode="none", max_age="3600")))
        date = status(site)["removable_from"]
        server.change(NONE)
        assert status(site)["cached_until"] == date and b"mode: none" in server.body()


def test_mx_that_vanish_are_told_once_with_the_date_and_all_hosts(site):
    """E15: when the change is made, in `check` before it; nothing at all once the old policy has run out with both."""
    site.certify("example.com")
    started = time.time()
    old, both, new = "[mx1.example.com, mx2.example.com]", "[mx1.example.com, mx2.example.com, mx3.example.com]", "[mx3.example.com]"
    site.write(domains(tenant(mx=old)))
    with site.serve() as server:
        site.write(domains(tenant(mx=both)))
        assert not site.check().find("E15")
        server.change(domains(tenant(mx=both)))
        server.change(domains(tenant(mx=new)))
        told = server.log.wait("config.warning", code="E15")
        date = told.fields["text"].rpartition("until ")[2].strip('"')
        assert is_about(date, 7, started)
        assert "write mx: [mx1.example.com, mx2.example.com, mx3.example.com]" in told.fields["hint"]
        server.change(domains(tenant(mx=new), tenant("other.example")))
        assert len(server.log.events("config.warning", code="E15")) == 1
        site.write(domains(tenant(mx="[mx4.example.com]")))
        found = site.check().find("E15", "warning")
        assert [p.domain for p in found] == ["example.com"]
        assert "mx: [mx3.example.com, mx4.example.com]" in found[0].hint


# --- clocks ----------------------------------------


def test_nothing_goes_in_the_first_hour_after_a_start(site):
    """The clock of a machine that has just booted may be ahead: the date has passed, and the domain is served on."""
    site.certify("example.com")
    site.write(domains(tenant(max_age="1")))
    with site.serve() as server:
        server.change(NONE)
        date = status(site)["cached_until"]
    wait_until(lambda: time.time() > unix(date) + 1, "the date")
    with site.serve() as server:
        mark = server.log.mark()
        server.hang_up()
        server.log.wait("reload.asked", since=mark)
        site.run("check")  # something that takes longer than the reload
        assert b"mode: none" in server.body() and status(site)["cached_until"] == date
    with site.serve(env=at(0)) as server:  # a test's clock is believed at once
        wait_until(lambda: not server.serves(), "the end of the withdrawal")


def test_a_clock_set_back_a_year_has_a_defined_outcome(site):
    """Ids go forward, dates stay, nothing is removed, the certificate counts as not yet valid and records are withheld
    for it; with the right time again all is as if nothing had been."""
    site.certify("example.com", "gone.example", ends_days=800)
    started = time.time()
    site.write(domains(tenant(), tenant("gone.example", max_age="86400")))
    with site.serve() as server:
        before = status(site)
        server.change(domains(tenant()))
        date = status(site, domain="gone.example")["cached_until"]
    site.write(domains(tenant(mx="[mx2.example.com]")))
    with site.serve(env=at(-365)) as server:
        server.log.wait("reload.done", changed=1)
        found = status(site, -365)
        assert int(found["id"]) > int(before["id"]) and b"mx: mx2.example.com" in server.body()
        assert is_about(found["cached_until"], 7, started)  # of the policy that was served until now
        assert "is valid only from" in found["withheld"]
        finished = site.run("records", "example.com", env=environment(**at(-365)))
        assert finished.status == PROBLEMS and finished.out == b"" and "withheld" in finished.err
        assert status(site, -365, "gone.example")["cached_until"] == date
        assert b"mode: none" in server.body("gone.example")
    with site.serve():
        after = status(site)
        assert after["id"] == found["id"] and after["withheld"] is None
    with site.serve(env=at(1.1)) as server:
        wait_until(lambda: not server.serves("gone.example"), "the end of the withdrawal")
        assert server.serves()


def test_a_promise_made_before_the_clock_was_set_back_is_kept(site):
    """Removed while the clock is a year behind: until the date that the right clock would have given."""
    site.certify("example.com", starts_days=-400, ends_days=800)
    started = time.time()
    site.write(domains(tenant()))
    with site.serve(env=at(0)) as server:
        server.log.wait("reload.done")
    with site.serve(env=at(20)):
        pass  # served until then, without any change
    site.write(NONE)
    with site.serve(env=at(-365)) as server:
        server.log.wait("reload.done", withdrawn=1)
        assert is_about(status(site, -365)["cached_until"], 27, started)
    with site.serve(env=at(26.9)) as server:
        assert b"mode: none" in server.body()


# --- rules over time ----------------------------------------


def test_rules_over_time_are_seen_in_check_log_and_status(site):
    """W05, W01, W12, W13 with dates from the ledger."""
    names = ("first.example", "short.example", "long.example", "ttl.example")
    site.certify(*names, ends_days=400)
    body = domains(
        tenant("first.example"),
        tenant("short.example", max_age="86400"),
        tenant("long.example", mode="testing"),
        tenant("ttl.example", ttl="172800"),
    )
    site.write(NONE)
    today = time.strftime("%Y-%m-%d", time.gmtime())
    with site.serve():
        pass  # an empty store: nothing was ever published
    site.write(body)
    found = {(p.code, p.domain) for p in site.check().problems}
    assert {("W05", "first.example"), ("W01", "short.example"), ("W13", "ttl.example")} <= found
    with site.serve() as server:
        server.change(body.replace("mail.example.com", "mail2.example.com"))
        server.change(body)
        told = [(e.fields["code"], e.fields["text"].strip('"').split()[0].rstrip(":")) for e in server.log.events("config.warning")]
        assert told.count(("W05", "first.example")) == 1
        assert told.count(("W01", "short.example")) == 1
        assert told.count(("W13", "ttl.example")) == 2  # an older record delays these
        assert [a["code"] for a in status(site, domain="first.example")["advice"]] == ["W05"]
        assert [a["code"] for a in status(site, 15, domain="first.example")["advice"]] == []
    later = environment(**at(91))
    check = Check(site.run("check", "--json", env=later))
    for code, domain in (("W01", "short.example"), ("W12", "long.example")):
        assert [today in p.text for p in check.find(code) if p.domain == domain] == [True], code
    with site.serve(env=at(91)) as server:
        told = server.log.wait("domains.testing")
        assert told.fields["domains"] == "1" and told.fields["example"] == "long.example"
        for domain, code in (("short.example", "W01"), ("long.example", "W12"), ("ttl.example", "W13")):
            lines = site.run("status", domain, env=later).out.decode().splitlines()
            advice = [line for line in lines if line.startswith("  advice")]
            assert len(advice) == 1 and code in advice[0], lines
            assert domain == "ttl.example" or today in advice[0]
            entry = site.run("status", domain, "--json", env=later).json()
            assert [a["code"] for a in entry["advice"]] == [code]

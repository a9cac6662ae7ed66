"""Publishing: what dns.publish.command is given, when, and what becomes of it (issue 5; DESIGN.md 6.4)."""

import datetime
import fcntl
import json
import os
import random
import re
import signal
import time
import urllib.request

import pki
import pytest
import rig
from dns_servers import Bind
from rig import DONE, PROBLEMS, UNUSABLE, domains, tenant

DAY = 86400


class Hook:
    """A script as dns.publish.command. Each run leaves what it was given in a file of its own, then runs `then`."""

    def __init__(self, site, then="exit 0"):
        self.folder = site.folder / "hook"
        self.folder.mkdir()
        self.script = site.folder / "publish.sh"
        self.then(then)

    def then(self, text):
        """Another ending from the next run on."""
        script = (
            "#!/bin/sh\n"
            f'cd "{self.folder}" || exit 99\n'
            "run=$(mktemp given.XXXXXX) && cat > $run || exit 99\n"
            f"mv $run run.$(date +%s%N).$$\n{text}\n"
        )
        pki.replace_file(self.script, script.encode())
        self.script.chmod(0o755)

    def dns(self, **more):
        """Settings below `dns:`."""
        extra = "".join(f", {key}: {value}" for key, value in more.pop("publish", {}).items())
        return {"publish": f"{{command: [{self.script}]{extra}}}", **more}

    def runs(self):
        """What each run was given, in their order."""
        return [path.read_text() for path in sorted(self.folder.glob("run.*"))]

    def wait_runs(self, count):
        rig.wait_until(lambda: len(self.runs()) >= count, f"{count} runs of the hook")
        return self.runs()


def named_in(text):
    """The domains whose _mta-sts record a run was to set, with its id."""
    return dict(re.findall(r'^update add _mta-sts\.(\S+)\. \d+ TXT "v=STSv1; id=(\w+);"$', text, re.M))


def nsupdate(bind):
    """What a hook ends with to publish in BIND: its input once more, as the newest file has it."""
    return (
        f'{{ echo "server 127.0.0.1 {bind.port}"; cat "$(ls -t run.* | head -n 1)"; }} > send.$$\n'
        f'nsupdate -t 5 -k "{bind.key_file}" send.$$; status=$?; rm send.$$; exit $status'
    )


def is_settled(site):
    """Nothing is owed any more."""
    publishing = site.run("status", "--json").json()["publishing"]
    return publishing["owed"] == 0 and publishing["last_done"] is not None


def wait_settled(site, deadline_s=30):
    rig.wait_until(lambda: is_settled(site), "an empty outbox", deadline_s)


def sts_of(site):
    """{domain: its record's text} of all that is served."""
    return {r["domain"]: r["data"] for r in site.records() if r["name"].startswith("_mta-sts.")}


@pytest.fixture
def bind(folder):
    with Bind(folder / "bind", "example.com", "example.net", "example.org") as server:
        yield server


# --- what is written ---------------------------------------------------------


@pytest.mark.parametrize(
    "publish, said",
    [
        ("{command: [nsupdate]}", '"nsupdate" is no absolute path'),
        ("{command: []}", "dns.publish has no command"),
        ("{format: json}", "dns.publish has no command"),
        ("{command: [/bin/true], format: bind}", 'there is no format "bind"'),
        ("{command: [/bin/true], batch: 0}", "no number from 1 to 100000"),
        ("{command: [/bin/true], timeout_ms: 1}", "no number from 1000 to 3600000"),
        ("{command: [/bin/true], comand: [/bin/false]}", 'unknown key "comand"'),
        ("{command: [/bin/true], command: [/bin/false]}", "written twice"),
        ("[/bin/true]", "a mapping is wanted here"),
        ('{command: [/bin/true, "\\x01"]}', "control character"),
        ("{command: [" + ", ".join(["/bin/true"] * 65) + "]}", "too long"),
    ],
)
def test_check_says_what_is_wrong_with_it(site, publish, said):
    site.write(domains(tenant()), dns={"publish": publish})
    errors = site.check().errors
    assert len(errors) == 1 and said in errors[0].text, errors


def test_the_section_may_be_empty_and_its_keys_have_their_defaults(site):
    site.write(domains(tenant()), dns={"publish": ""})
    assert site.check().errors == []


# --- when -------------------------------------------------------------------


def test_each_change_is_published_and_dns_shows_exactly_one_record(site, bind):
    hook = Hook(site, nsupdate(bind))
    site.certify("example.com", "example.net")
    settings = hook.dns(host="policy.example.org", tls_rpt='["mailto:t@example.com"]')
    site.write(domains(tenant(), tenant("example.net")), dns=settings)
    with site.serve() as server:
        wait_settled(site)
        for domain in ("example.com", "example.net"):
            assert bind.dig(f"_mta-sts.{domain}", "TXT") == [f'"v=STSv1; id={site.sts_id(domain)};"']
            assert bind.dig(f"mta-sts.{domain}", "CNAME") == ["policy.example.org."]
            assert bind.dig(f"_smtp._tls.{domain}", "TXT") == ['"v=TLSRPTv1; rua=mailto:t@example.com"']
        before = len(hook.runs())
        first = site.sts_id()
        server.change(domains(tenant(max_age="604801"), tenant("example.net")), dns=settings)
        wait_settled(site)
        assert site.sts_id() != first
        assert bind.dig("_mta-sts.example.com", "TXT") == [f'"v=STSv1; id={site.sts_id()};"']
        assert [named_in(text).keys() for text in hook.runs()[before:]] == [{"example.com"}]
    assert site.run("records", "--changed").out == b""


def test_what_was_published_is_not_published_again_after_a_restart(site):
    hook = Hook(site)
    site.certify("example.com")
    site.write(domains(tenant()), dns=hook.dns())
    for _ in range(2):
        with site.serve() as server:
            rig.wait_until(lambda: server.body(), "an answer")
            wait_settled(site)
    assert len(hook.runs()) == 1


def test_nothing_is_published_while_a_worker_does_not_serve(site):
    hook = Hook(site)
    site.certify("example.com")
    site.write(domains(tenant()), dns=hook.dns())
    with site.serve() as server:
        wait_settled(site)
        for _ in range(6):  # each death is answered later than the one before, in the end after 1.6 s
            mark = server.log.mark()
            os.kill(server.worker_pids()[-1], signal.SIGKILL)
            server.log.wait("worker.died", since=mark)
            if _ < 5:
                server.log.wait("worker.serving", since=mark)
        server.change(domains(tenant(max_age="604801")), dns=hook.dns())
        withheld = site.run("records")
        assert withheld.status == PROBLEMS and "not every worker is serving yet" in withheld.err
        assert server.log.events("publish.done", since=mark) == []
        server.log.wait("publish.done", since=mark, deadline_s=20)
        names = [event.name for event in server.log.events(since=mark)]
        assert names.index("worker.serving") < names.index("publish.done")
        assert named_in(hook.runs()[-1]) == {"example.com": site.sts_id()}


def test_published_is_only_what_the_workers_serve_by_then(site):
    """The hook asks for the policy that belongs to the id that it is given."""
    site.certify("example.com")
    hook = Hook(site)
    site.write(domains(tenant()), dns=hook.dns(id="digest"))
    with site.serve() as server:
        hook.wait_runs(1)
        host, port = server.address
        hook.then(
            f'curl -sf --cacert "{site.authority.root_file}" --connect-to "mta-sts.example.com:443:{host}:{port}" '
            "https://mta-sts.example.com/.well-known/mta-sts.txt > served.$$ || exit 1\n"
            'newest=$(ls -t run.* | head -n 1)\n'
            "sha256sum < served.$$ | cut -c 1-32 > digest.$$\n"
            'grep -q "id=$(cat digest.$$);" "$newest" || { touch WRONG; exit 1; }'
        )
        for seconds in range(604801, 604821):
            server.change(domains(tenant(max_age=str(seconds))), dns=hook.dns(id="digest"))
            wait_settled(site)
    assert not (hook.folder / "WRONG").exists()
    assert len(hook.runs()) == 21


def test_without_a_certificate_all_but_the_policys_record_goes_out_and_that_follows(site):
    hook = Hook(site)
    settings = hook.dns(host="policy.example.org")
    site.write(domains(tenant()), dns=settings)
    with site.serve():
        first = hook.wait_runs(1)[0]
        assert "update add mta-sts.example.com. 300 CNAME policy.example.org." in first
        assert "_mta-sts.example.com" not in first
        changed = site.run("records", "--changed")
        assert changed.status == PROBLEMS and "there is no certificate for mta-sts.example.com" in changed.err
        status = site.run("status").out.decode()
        assert re.search(r"^dns outbox   1, .*1 lack only their _mta-sts record", status, re.M), status
        site.certify("example.com")
        wait_settled(site)
        assert named_in(hook.runs()[1]) == {"example.com": site.sts_id()}
    assert len(hook.runs()) == 2


def test_an_expired_certificate_withholds_and_leaves_what_is_out_alone(site, bind):
    hook = Hook(site, nsupdate(bind))
    site.certify("example.com", ends_days=30)
    site.write(domains(tenant()), dns=hook.dns())
    with site.serve():
        wait_settled(site)
        out = bind.dig("_mta-sts.example.com", "TXT")
        assert len(out) == 1
    site.certify("example.org", ends_days=300)  # behind it in the order of the walk
    site.write(domains(tenant(max_age="604801"), tenant("example.org")), dns=hook.dns())
    with site.serve(env={"MTA_STS_TEST_CLOCK_OFFSET_S": str(60 * DAY)}) as server:
        server.log.wait("publish.done")
        rig.wait_until(lambda: bind.dig("_mta-sts.example.org", "TXT"), "the other's record")
        assert bind.dig("_mta-sts.example.com", "TXT") == out
        assert site.run("status", "--json").json()["publishing"]["owed"] == 1


@pytest.mark.parametrize("form", ["external-dns", "octodns", "dnscontrol", "zone"])
def test_a_format_that_says_all_of_a_domain_never_takes_a_published_record_away(site, form):
    """Withheld after it was published: handing out the rest alone would delete it."""
    hook = Hook(site)
    settings = hook.dns(host="policy.example.org", publish={"format": form})
    site.certify("example.com", ends_days=30)
    site.write(domains(tenant()), dns=settings)
    with site.serve():
        assert "_mta-sts" in hook.wait_runs(1)[0]
        wait_settled(site)
    site.write(domains(tenant(max_age="604801"), tenant("example.net")), dns=settings)
    with site.serve(env={"MTA_STS_TEST_CLOCK_OFFSET_S": str(60 * DAY)}):
        text = hook.wait_runs(2)[1]  # of the new one, which has nothing to lose
        assert "example.net" in text and "example.com" not in text
        assert site.run("status", "--json").json()["publishing"]["owed"] == 2


def test_a_setting_of_all_records_publishes_all_of_them(site):
    hook = Hook(site)
    site.certify("example.com", "example.net")
    body = domains(tenant(), tenant("example.net"))
    site.write(body, dns=hook.dns())
    with site.serve() as server:
        wait_settled(site)
        server.change(body, dns=hook.dns(host="policy.example.org"))
        text = hook.wait_runs(2)[1]
        assert named_in(text).keys() == {"example.com", "example.net"} and text.count("CNAME policy.") == 2


def test_who_begins_to_publish_publishes_what_was_served_before(site):
    site.certify("example.com")
    site.write(domains(tenant()))
    hook = Hook(site)
    with site.serve() as server:
        none = site.run("records", "--changed")
        assert none.status == UNUSABLE and "dns.publish.command" in none.err
        server.change(domains(tenant()), dns=hook.dns())
        assert named_in(hook.wait_runs(1)[0]) == {"example.com": site.sts_id()}
        wait_settled(site)
        server.change(domains(tenant()))  # nobody publishes any more
        assert site.run("status", "--json").json()["publishing"] is None
        server.change(domains(tenant()), dns=hook.dns())
        hook.wait_runs(2)


def test_serve_dev_publishes_nothing(site):
    hook = Hook(site)
    site.write(domains(tenant()), dns=hook.dns())
    with site.serve("--dev", "--listen", "127.0.0.1:0") as server:
        mark = server.log.mark()
        server.hang_up()
        server.log.wait("reload.asked", since=mark)
        changed = site.run("records", "--changed", "--state-dir", site.folder / "build" / "dev")
        assert changed.status == DONE and b"_mta-sts.example.com" in changed.out
    assert hook.runs() == []


# --- the end of a domain ----------------------------------------------------


def test_a_withdrawn_domain_is_published_as_such_and_deleted_after_its_date(site, bind):
    hook = Hook(site, nsupdate(bind))
    settings = hook.dns(host="policy.example.org", tls_rpt='["mailto:t@example.com"]')
    site.certify("example.com", "example.net", ends_days=90)
    site.write(domains(tenant(), tenant("example.net")), dns=settings)
    with site.serve() as server:
        wait_settled(site)
        live = site.sts_id()
        server.change(domains(tenant("example.net")), dns=settings)
        wait_settled(site)
        assert bind.dig("_mta-sts.example.com", "TXT") == [f'"v=STSv1; id={site.sts_id()};"']
        assert site.sts_id() != live
    with site.serve(env={"MTA_STS_TEST_CLOCK_OFFSET_S": str(8 * DAY)}):
        wait_settled(site)
        rig.wait_until(lambda: not bind.dig("_mta-sts.example.com", "TXT"), "the deletion")
        for name, kind in (("mta-sts", "CNAME"), ("_smtp._tls", "TXT"), ("_mta-sts", "TXT")):
            assert bind.dig(f"{name}.example.com", kind) == []
            assert len(bind.dig(f"{name}.example.net", kind)) == 1


@pytest.mark.parametrize("is_withheld", [False, True])
def test_records_that_the_settings_no_longer_have_are_deleted(site, bind, is_withheld):
    hook = Hook(site, nsupdate(bind))
    if not is_withheld:
        site.certify("example.com")
    kinds = [("mta-sts", "A"), ("mta-sts", "AAAA"), ("mta-sts", "CNAME"), ("_smtp._tls", "TXT")]

    def out():
        return {(name, kind) for name, kind in kinds if bind.ask(f"{name}.example.com.", kind)}

    report = {"tls_rpt": '["mailto:t@example.com"]'}
    stages = [
        ({"host": "policy.example.org", **report}, {kinds[2], kinds[3]}),
        ({"addresses": '[192.0.2.1, "2001:db8::1"]', **report}, {kinds[0], kinds[1], kinds[3]}),
        ({"addresses": '["2001:db8::1"]'}, {kinds[1]}),
        (report, {kinds[3]}),
        ({}, set()),
    ]
    site.write(domains(tenant()), dns=hook.dns(**stages[0][0]))
    with site.serve() as server:
        for number, (settings, wanted) in enumerate(stages):
            if number:
                server.change(domains(tenant()), dns=hook.dns(**settings))
            rig.wait_until(lambda wanted=wanted: out() == wanted, f"{wanted} and nothing else")
            assert len(bind.dig("_mta-sts.example.com", "TXT")) == (0 if is_withheld else 1)
        runs = len(hook.runs())
        server.change(domains(tenant(max_age="604801")), dns=hook.dns())
        if not is_withheld:
            assert "mta-sts.example.com." not in hook.wait_runs(runs + 1)[-1].replace("_mta-sts.example.com.", "")


def test_a_deletion_that_cannot_be_published_is_not_forgotten_after_its_month(site):
    hook = Hook(site)
    site.certify("example.com", "example.net", ends_days=300)
    site.write(domains(tenant(), tenant("example.net")), dns=hook.dns())
    with site.serve() as server:
        wait_settled(site)
        server.change(domains(tenant("example.net")), dns=hook.dns())
        wait_settled(site)
    hook.then("exit 1")
    with site.serve(env={"MTA_STS_TEST_CLOCK_OFFSET_S": str(8 * DAY)}) as server:
        server.log.wait("publish.failed")
    hook.then("exit 0")
    with site.serve(env={"MTA_STS_TEST_CLOCK_OFFSET_S": str(100 * DAY)}):
        wait_settled(site)
        assert "update delete _mta-sts.example.com. TXT" in hook.runs()[-1]


def test_forget_deletes_what_was_published_and_twice_forgets_that_too(site):
    hook = Hook(site)
    site.certify("example.com", "example.net")
    site.write(domains(tenant(), tenant("example.net")), dns=hook.dns())
    with site.serve() as server:
        wait_settled(site)
        server.change(domains(tenant("example.net")), dns=hook.dns())
        wait_settled(site)
        assert site.run("forget", "example.com").status == DONE
        server.hang_up()
        wait_settled(site)
        text = hook.runs()[-1]
        assert "update delete _mta-sts.example.com. TXT" in text and "update add" not in text
        assert site.run("forget", "example.com").status == DONE
        assert site.run("forget", "example.com").status == PROBLEMS
        assert site.run("records", "--changed").out == b""


def test_forget_during_the_run_that_publishes_still_deletes(site, bind):
    """Whether its record is out nobody knows at that moment."""
    hook = Hook(site, f"sleep 1\n{nsupdate(bind)}")
    site.certify("example.com", "example.net")
    site.write(domains(tenant(), tenant("example.net")), dns=hook.dns())
    with site.serve() as server:
        hook.wait_runs(1)
        server.change(domains(tenant("example.net")), dns=hook.dns())
        assert site.run("forget", "example.com").status == DONE
        server.log.wait("publish.done")
        rig.wait_until(lambda: not bind.dig("_mta-sts.example.com", "TXT"), "the deletion", 30)
        wait_settled(site)
        assert bind.dig("_mta-sts.example.com", "TXT") == []


# --- hooks that fail --------------------------------------------------------


def test_a_failure_is_told_and_tried_again_until_it_works(site):
    hook = Hook(site, 'echo "the zone is locked" >&2; exit 7')
    site.certify("example.com")
    site.write(domains(tenant()), settings={"metrics": f"127.0.0.1:{(port := rig.free_port())}"}, dns=hook.dns())
    with site.serve() as server:
        server.log.wait("publish.failed", failures="1", text="exit status 7: the zone is locked")
        server.log.wait("publish.failed", failures="2")
        status = site.run("status")
        assert status.status == DONE
        assert re.search(
            r'^publishing   FAILS: \d runs? in a row, the last at \S+: "exit status 7: the zone is locked"$',
            status.out.decode(),
            re.M,
        ), status.out.decode()
        assert site.run("status", "--json").json()["publishing"]["failed"] == 1
        assert re.search(r"^  dns outbox   since \S+, failed \d times", site.run("status", "example.com").out.decode(), re.M)
        assert {r["domain"] for r in site.records("--changed")} == {"example.com"}
        hook.then("exit 0")
        wait_settled(site, 30)
        assert re.search(r"^  published    id \w+, at ", site.run("status", "example.com").out.decode(), re.M)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            metrics = answer.read().decode()
        assert 'mta_sts_dns_publish_runs_total{result="done"} 1' in metrics
        assert re.search(r'mta_sts_dns_publish_runs_total\{result="failed"\} [2-9]', metrics)
        assert "mta_sts_dns_outbox_domains 0" in metrics and "mta_sts_dns_published_domains_total 1" in metrics


def test_a_domains_delay_grows_and_a_restart_does_not_shorten_it(site):
    hook = Hook(site, "exit 1")
    site.certify("example.com")
    site.write(domains(tenant()), dns=hook.dns())
    with site.serve() as server:
        server.log.wait("publish.failed", failures="3", deadline_s=30)
        rig.wait_until(lambda: site.run("status", "example.com", "--json").json()["owed"]["failures"] == 3, "3 failures")
        status = site.run("status", "--json").json()
        before, after = status["publishing"]["last_failed"], status["domains"][0]["owed"]["not_before"]
        seconds = [datetime.datetime.fromisoformat(text[:-1]).timestamp() for text in (before, after)]
        assert 3 <= seconds[1] - seconds[0] <= 5  # 4 s, give or take a quarter
        runs = len(hook.runs())
    with site.serve() as server:
        rig.wait_until(lambda: server.body(), "an answer")
        time.sleep(0.7)  # nothing happens: there is no event to wait for
        assert len(hook.runs()) == runs
        server.log.wait("publish.failed", failures="4", deadline_s=30)


def test_while_everything_fails_the_hook_is_run_less_and_less(site):
    names = [f"tenant-{i}.example" for i in range(20)]
    hook = Hook(site, "exit 1")
    site.certify(*names)
    body = domains(*(tenant(name) for name in names))
    site.write(body, dns=hook.dns(publish={"batch": 1}))
    with site.serve() as server:
        eighth = server.log.wait("publish.failed", failures="8", deadline_s=40)
        assert int(eighth.fields["again_s"]) >= 3  # a second after each of the first six, then twice as long each time
        began = time.monotonic()
        hook.then("exit 0")
        server.hang_up()  # somebody says that it is mended
        wait_settled(site)
        assert time.monotonic() - began < 3 * rig.patience()


def test_another_command_is_tried_at_once(site):
    hook = Hook(site, "exit 1")
    site.certify("example.com")
    site.write(domains(tenant()), dns=hook.dns())
    with site.serve() as server:
        server.log.wait("publish.failed", failures="4", deadline_s=30)
        server.change(domains(tenant()), dns={"publish": "{command: [/bin/true]}"})
        wait_settled(site, 3)


def test_settings_that_change_during_a_walk_are_those_that_count(site):
    """The runs that were still to come have the new ones, and what went out with the old ones goes out again."""
    names = ["example.com", "example.net", "example.org"]
    hook = Hook(site, "sleep 1")
    site.certify(*names)
    body = domains(*(tenant(name) for name in names))
    site.write(body, dns=hook.dns(publish={"batch": 1}, host="old.example.org"))
    with site.serve() as server:
        hook.wait_runs(1)
        server.change(body, dns=hook.dns(publish={"batch": 1}, host="new.example.org"))
        wait_settled(site, 30)
        last = {}
        for text in hook.runs():
            for name, target in re.findall(r"^update add mta-sts\.(\S+)\. \d+ CNAME (\S+)$", text, re.M):
                last[name] = target
        assert last == dict.fromkeys(names, "new.example.org.")


def test_a_hook_that_cannot_be_killed_holds_up_neither_stop_nor_anything_else(site):
    """As root's own process is for a server that is not root: here it has left the session and holds the output."""
    hook = Hook(site, "setsid sh -c 'trap \"\" TERM; sleep 30' & sleep 30")
    site.certify("example.com")
    site.write(domains(tenant()), dns=hook.dns(publish={"timeout_ms": 1000}))
    with site.serve() as server:
        hook.wait_runs(1)
        server.log.wait("publish.failed", deadline_s=20)
        assert server.body()


def test_a_newer_change_takes_the_place_of_one_that_fails(site):
    hook = Hook(site, "exit 1")
    site.certify("example.com")
    site.write(domains(tenant()), dns=hook.dns())
    with site.serve() as server:
        server.log.wait("publish.failed", failures="2")
        for seconds in range(604801, 604806):
            server.change(domains(tenant(max_age=str(seconds))), dns=hook.dns())
        hook.then("touch PUBLISHED; exit 0")
        wait_settled(site, 30)
        assert named_in(hook.runs()[-1]) == {"example.com": site.sts_id()}
    published = [named_in(text)["example.com"] for text in hook.runs()]
    assert published == sorted(published)  # never an older one behind a newer one


def test_one_domain_that_cannot_be_published_holds_up_no_other(site):
    names = [f"tenant-{i}.example" for i in range(100)]
    hook = Hook(site, '! grep -q "tenant-42.example" "$(ls -t run.* | head -n 1)"')
    site.certify(*names)
    site.write(domains(*(tenant(name) for name in names)), dns=hook.dns(publish={"batch": 64}))
    with site.serve():
        rig.wait_until(lambda: {r["domain"] for r in site.records("--changed")} == {"tenant-42.example"}, "99 are out", 60)
        status = site.run("status", "tenant-42.example").out.decode()
        assert re.search(r"^  dns outbox   since \S+, failed [2-9] times, again from ", status, re.M), status


@pytest.mark.parametrize(
    "then, said",
    [
        ("kill -9 $$", "killed by signal 9"),
        ("sleep 60", "no end within 1000 ms, and so it was ended"),
        ("trap '' TERM; while :; do sleep 1; done", "no end within 1000 ms, and so it was ended"),
        ("yes 0123456789abcdef | head -c 20000000; exit 3", "exit status 3: .*0123456789abcdef"),
        ("sleep 60 & exit 4", "exit status 4"),
        ("setsid sleep 3 & exit 5", "exit status 5"),
        ("printf 'a\\033[31mb\\0c'; exit 6", "exit status 6: .*"),
    ],
)
def test_a_hook_that_misbehaves_is_over_in_time_and_harms_nobody(site, then, said):
    hook = Hook(site, then)
    site.certify("example.com")
    site.write(domains(tenant()), dns=hook.dns(publish={"timeout_ms": 1000}))
    with site.serve() as server:
        with rig.Hammer(server) as hammer:
            event = server.log.wait("publish.failed", deadline_s=20)
            hammer.assert_only(server.body())
        assert re.match(said, event.fields["text"]), event.line
        assert "\x1b" not in event.line
        hook.then("exit 0")
        wait_settled(site, 30)


@pytest.mark.parametrize("mode, text", [(0o644, "permission denied"), (None, "no such file")])
def test_a_hook_that_cannot_be_run_is_a_failure_like_others(site, mode, text):
    hook = Hook(site)
    if mode is None:
        hook.script.unlink()
    else:
        hook.script.chmod(mode)
    site.certify("example.com")
    site.write(domains(tenant()), dns=hook.dns())
    with site.serve() as server:
        event = server.log.wait("publish.failed")
        assert event.fields["text"].startswith("it cannot be run") and text in event.fields["text"].lower()
        hook.then("exit 0")
        wait_settled(site, 30)


def test_a_stop_ends_the_hook_and_the_next_start_publishes(site):
    hook = Hook(site, "sleep 60")
    site.certify("example.com")
    site.write(domains(tenant()), dns=hook.dns())
    with site.serve():
        hook.wait_runs(1)
    hook.then("exit 0")
    with site.serve() as server:
        assert not server.log.events("publish.failed")
        wait_settled(site)
        publishing = site.run("status", "--json").json()["publishing"]
        assert publishing["failures"] == 0 and publishing["last_failed"] is None


# --- time --------------------------------------------------------------------


def test_a_clock_that_was_put_back_a_year_does_not_hold_up_what_is_owed(site):
    hook = Hook(site, "exit 1")
    site.certify("example.com", ends_days=3 * 365)
    site.write(domains(tenant()), dns=hook.dns())
    with site.serve(env={"MTA_STS_TEST_CLOCK_OFFSET_S": str(365 * DAY)}) as server:
        server.log.wait("publish.failed", failures="2")
    hook.then("exit 0")
    with site.serve():
        wait_settled(site, 20)


# --- kill -9 ------------------------------------------------------------------


def is_lock_free(site):
    with open(site.state / "hook.lock", "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_a_hook_that_a_killed_server_left_behind_is_over_before_the_next_one_begins(site):
    """Otherwise the older run could end last, and DNS be left with the older id."""
    hook = Hook(site, 'mv "$(ls -t run.* | head -n 1)" old; (sleep 600; touch LATE) & sleep 600')
    site.certify("example.com")
    site.write(domains(tenant()), dns=hook.dns())
    server = site.serve()
    rig.wait_until((hook.folder / "old").exists, "the first run")
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait(20)
    assert not is_lock_free(site)
    hook.then("exit 0")
    with site.serve() as server:
        server.log.wait("publish.left_behind", deadline_s=20)
        wait_settled(site, 20)
    assert is_lock_free(site)
    assert not (hook.folder / "LATE").exists()


def test_kills_at_any_point_lose_nothing_and_dns_ends_up_as_what_is_served(site, bind):
    rolls = random.Random(5)
    hook = Hook(site, nsupdate(bind))
    names = ["example.com", "example.net", "example.org", *(f"t{i}.example.com" for i in range(20))]
    site.certify(*names)
    kills = 25
    for n in range(kills):
        ages = [str(604800 + rolls.randrange(50)) for _ in names]
        site.write(domains(*(tenant(name, max_age=age) for name, age in zip(names, ages))), dns=hook.dns())
        server = site.serve(wait=False)
        time.sleep(rolls.uniform(0.0, 0.7))  # a point that nobody chose
        os.kill(server.pid, signal.SIGKILL)
        server.process.wait(20)
    with site.serve():
        wait_settled(site, 60)
        served = sts_of(site)
        assert served.keys() == set(names)
        for name in names:
            assert bind.dig(f"_mta-sts.{name}", "TXT") == [f'"{served[name]}"'], name
    seen = {}
    for text in hook.runs():  # the order of each domain is kept through all of it
        for name, number in named_in(text).items():
            assert seen.get(name, "") <= number, name
            seen[name] = number
    assert len(hook.runs()) > 1, json.dumps(seen)

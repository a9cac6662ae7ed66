"""Change, mistakes, restarts and deaths: what was good goes on being served (conformance.md 4, A-L)."""

import os
import signal
import socket
import threading
import time

import pytest
import rig
import wire
from rig import DONE, PROBLEMS, Hammer, domains, tenant, wait_until
from golden import GOLDEN
from wire import request

HOST = "mta-sts.example.com"
OLD = GOLDEN["G1"][0]
NEW = OLD.replace(b"mail.example.com", b"mail2.example.com")
OLD_YAML = domains(tenant())
NEW_YAML = domains(tenant(mx="[mail2.example.com]"))
BROKEN_YAML = OLD_YAML + "  other.example: ]\n"


@pytest.fixture
def server(site):
    """example.com with a certificate, running."""
    site.certify("example.com")
    site.write(OLD_YAML)
    with site.serve() as running:
        assert running.body() == OLD
        yield running


# --- changes ----------------------------------------


def test_A_L1_a_change_is_live_within_two_seconds(server):
    """Renamed over, as editors and `mv` do it: new body, new id, no request fails meanwhile."""
    before = server.site.sts_id()
    with Hammer(server) as hammer:
        server.site.write(NEW_YAML)
        assert hammer.wait_for(NEW) < 2 * rig.patience()
    hammer.assert_only(OLD, NEW)
    assert server.site.sts_id() != before


def test_A_L1_a_change_in_an_included_file(site):
    """The folder of the include is watched: new file, changed file, removed file."""
    site.certify("example.com", "a.example")
    (site.folder / "domains.d").mkdir()
    site.write(OLD_YAML + "include: [domains.d/*.yaml]\n")
    with site.serve() as server:
        file = site.folder / "domains.d" / "a.yaml"
        file.write_text(domains(tenant("a.example")))
        wait_until(lambda: server.serves("a.example"), "the new tenant", 2)
        file.write_text(domains(tenant("a.example", mx="[mail2.example.com]")))
        wait_until(lambda: server.body("a.example") == NEW, "the new body", 4)
        file.unlink()
        wait_until(lambda: b"mode: none" in server.body("a.example"), "the withdrawal", 4)
        assert server.body() == OLD


def test_A_L1_a_change_the_kubernetes_way(site):
    """A mounted ConfigMap: the file is a link through ..data, which is turned as a whole."""
    site.certify("example.com")
    mount = site.folder / "mount"
    for number, body in enumerate((OLD_YAML, NEW_YAML)):
        (mount / f"..{number}").mkdir(parents=True)
        (mount / f"..{number}" / "server.yaml").write_text(site.head() + body)
    (mount / "..data").symlink_to("..0")
    (mount / "server.yaml").symlink_to("..data/server.yaml")
    site.yaml = mount / "server.yaml"
    with site.serve() as server, Hammer(server) as hammer:
        assert hammer.bodies[0] == OLD
        (mount / "..data_tmp").symlink_to("..1")
        (mount / "..data_tmp").rename(mount / "..data")
        assert hammer.wait_for(NEW) < 2 * rig.patience()
    hammer.assert_only(OLD, NEW)


def test_A_L1_a_change_of_a_file_that_a_link_points_to(site):
    """The link lies here, the file and its changes somewhere else."""
    site.certify("example.com")
    elsewhere = site.folder / "elsewhere"
    elsewhere.mkdir()
    link, site.yaml = site.yaml, elsewhere / "real.yaml"
    link.symlink_to(site.yaml)
    site.write(OLD_YAML)
    site.yaml = link
    with site.serve() as server:
        assert server.body() == OLD
        site.yaml = elsewhere / "real.yaml"
        site.write(NEW_YAML)
        wait_until(lambda: server.body() == NEW, "the change", 2)


def test_A_L2_a_slow_rewrite_in_place_never_serves_half(site):
    """Truncated, then written in pieces with a second between them: the old tenants until it is complete."""
    names = ["example.com", "a.example", "b.example"]
    site.certify(*names)
    site.write(domains(*map(tenant, names)))
    pieces = [
        site.head(),
        domains(tenant(mx="[mail2.example.com]")),
        tenant("a.example"),
        tenant("b.example", mx="[mail2.example.com]"),
    ]
    with site.serve() as server, Hammer(server) as first, Hammer(server, "b.example") as last:
        with open(site.yaml, "w", encoding="utf-8") as file:
            for number, piece in enumerate(pieces):
                if number:
                    time.sleep(1)  # the case is about a writer that pauses
                file.write(piece)
                file.flush()
        last.wait_for(NEW)
        first.wait_for(NEW)
        assert server.body("a.example") == OLD
    first.assert_only(OLD, NEW)
    last.assert_only(OLD, NEW)
    assert not [e for e in server.log.events("reload.done") if e.fields.get("withdrawn", "0") != "0"]


def test_A_L2_a_truncated_file_is_not_the_wish_to_have_no_tenants(server):
    """Emptied and left so: the last good policies stay."""
    mark = server.log.mark()
    server.site.yaml.write_text("")
    server.log.wait("config.error", since=mark)
    assert server.body() == OLD
    server.site.write(NEW_YAML)
    wait_until(lambda: server.body() == NEW, "the recovery")


def test_A_L3_a_broken_file_changes_nothing(server):
    """One line in the log, `status` and `check` show it; mended, it is taken."""
    before = server.site.sts_id()
    with Hammer(server) as hammer:
        mark = server.log.mark()
        server.site.write(BROKEN_YAML)
        error = server.log.wait("config.error", since=mark)
        assert str(server.site.yaml) in error.fields["place"]
        assert server.site.check().status == PROBLEMS
        assert server.site.policy() == OLD and server.site.sts_id() == before
        server.site.write(BROKEN_YAML + "# touched\n")
        mark = server.log.mark()
        server.hang_up()
        server.log.wait("reload.asked", since=mark)
        server.site.write(NEW_YAML)
        hammer.wait_for(NEW)
    assert len(server.log.events("config.error")) == 1
    hammer.assert_only(OLD, NEW)
    assert server.site.check().status == DONE


def test_A_L3_a_mistake_is_logged_once(server):
    """Not again at each reload that leaves it as it is."""
    broken = tenant("other.example", mode="Enforce")
    server.change(OLD_YAML + broken)
    server.change(NEW_YAML + broken)
    server.change(OLD_YAML + broken)
    assert len(server.log.events("config.error", code="E01")) == 1


def test_A_L3_a_mistake_in_a_tenant_keeps_its_last_good_policy(server):
    """A tenant that was served stays as it was; the others change."""
    site = server.site
    site.certify("other.example")
    server.change(OLD_YAML + tenant("other.example"))
    wait_until(lambda: server.serves("other.example"), "the other tenant")
    server.change(domains(tenant(mode="Enforce"), tenant("other.example", mx="[mail2.example.com]")))
    assert server.body() == OLD and server.body("other.example") == NEW


def test_A_L4_a_deleted_file_is_waited_for(server):
    """Last good kept; picked up again when it comes back."""
    with Hammer(server) as hammer:
        mark = server.log.mark()
        server.site.yaml.unlink()
        server.log.wait("config.error", since=mark)
        assert server.body() == OLD
        server.site.write(NEW_YAML)
        hammer.wait_for(NEW)
    hammer.assert_only(OLD, NEW)


def test_A_L5_certificate_and_key_replaced_in_two_steps(site):
    """The new key lies beside the old certificate for two seconds: the old pair, until both fit."""
    old = site.certify("example.com")
    new = site.authority.issue("mta-sts.example.com", ends_days=100)
    site.write(OLD_YAML)
    with site.serve() as server, Hammer(server) as hammer:
        (site.certs / "example.com" / "privkey.pem").write_bytes(new.key_pem)
        time.sleep(2)  # the case is about this pause
        assert hammer.leaves == [old.leaf_der]
        (site.certs / "example.com" / "fullchain.pem").write_bytes(new.chain_pem)
        wait_until(lambda: hammer.leaves[-1] == new.leaf_der, "the new certificate", 2)
    hammer.assert_only(OLD)
    assert hammer.leaves == [old.leaf_der, new.leaf_der]


def test_A_L5_certbots_way_of_renewal(site):
    """live/<name>/ holds symbolic links into archive/, which are turned one after the other."""
    archive, live = site.folder / "archive", site.certs / "example.com"
    live.mkdir()
    pairs = [site.authority.issue("mta-sts.example.com", ends_days=days) for days in (50, 89)]
    for number, pair in enumerate(pairs):
        pair.save(archive / str(number))
    for name in ("fullchain.pem", "privkey.pem"):
        (live / name).symlink_to(archive / "0" / name)
    site.write(OLD_YAML)
    with site.serve() as server, Hammer(server) as hammer:
        for name in ("privkey.pem", "fullchain.pem"):
            (live / "new").symlink_to(archive / "1" / name)
            (live / "new").rename(live / name)
        wait_until(lambda: hammer.leaves[-1] == pairs[1].leaf_der, "the renewed certificate", 2)
    hammer.assert_only(OLD)


def test_a_renewal_is_looked_at_alone(site):
    """Of many certificates only the files that changed are looked at; the one that was replaced goes at once, even if
    it would have outlived the new one."""
    old = site.certify("example.com", ends_days=80)
    for number in range(20):
        site.certify(f"t{number}.example")
    new = site.authority.issue(HOST, ends_days=50)
    site.write(OLD_YAML)
    with site.serve() as server:
        assert server.exchange(request(HOST)).details["certificate"] == old.leaf_der
        mark = server.log.mark()
        new.save(site.certs / "example.com")
        wait_until(
            lambda: server.exchange(request(HOST)).details["certificate"] == new.leaf_der, "the new certificate", 2
        )
        done = server.log.wait("certs.done", since=mark, removed=1)
        assert int(done.fields["files"]) <= 2 and int(done.fields["pairs"]) == 21


def test_a_folder_that_appears_is_looked_into_and_watched(site):
    """Made after the start, filled later, renewed in place."""
    site.write(OLD_YAML)
    first, second, third = (site.authority.issue(HOST, ends_days=days) for days in (50, 70, 89))

    def shows(pair):
        return server.exchange(request(HOST)).details.get("certificate") == pair.leaf_der

    with site.serve() as server:
        folder = site.certs / "deep" / "deeper"
        folder.mkdir(parents=True)
        time.sleep(0.5)  # seen while it is empty
        for pair in (first, second):
            (folder / "key.pem").write_bytes(pair.key_pem)
            (folder / "chain.pem").write_bytes(pair.chain_pem)
            wait_until(lambda: shows(pair), "the certificate", 2)
        folder.rename(site.certs / "moved")
        time.sleep(0.5)  # seen where it is now
        third.save(site.certs / "moved")
        wait_until(lambda: shows(third), "the third", 2)


def test_A_L5_a_file_that_links_lead_to_is_rewritten_in_place(site):
    """Nothing changes in the folder that is configured."""
    archive, live = site.folder / "archive", site.certs / "example.com"
    first, second = (site.authority.issue(HOST, ends_days=days) for days in (50, 89))
    first.save(archive)
    live.mkdir()
    for name in ("fullchain.pem", "privkey.pem"):
        (live / name).symlink_to(archive / name)
    site.write(OLD_YAML)
    with site.serve() as server:
        for name, content in (("privkey.pem", second.key_pem), ("fullchain.pem", second.chain_pem)):
            (archive / name).write_bytes(content)
        wait_until(lambda: server.exchange(request(HOST)).details["certificate"] == second.leaf_der, "the second", 2)


def test_A_L5_kubernetes_way_of_renewal(site):
    """A mounted secret: ..data is a link to a folder, and is turned as a whole."""
    pairs = [site.authority.issue("mta-sts.example.com", ends_days=days) for days in (50, 89)]
    for number, pair in enumerate(pairs):
        folder = site.certs / f"..2026_{number}"
        folder.mkdir()
        (folder / "tls.crt").write_bytes(pair.chain_pem)
        (folder / "tls.key").write_bytes(pair.key_pem)
        (folder / "tls.key").chmod(0o600)
    (site.certs / "..data").symlink_to("..2026_0")
    for name in ("tls.crt", "tls.key"):
        (site.certs / name).symlink_to(f"..data/{name}")
    site.write(OLD_YAML)
    with site.serve() as server, Hammer(server) as hammer:
        (site.certs / "..data_tmp").symlink_to("..2026_1")
        (site.certs / "..data_tmp").rename(site.certs / "..data")
        wait_until(lambda: hammer.leaves[-1] == pairs[1].leaf_der, "the renewed certificate", 2)
    hammer.assert_only(OLD)


@pytest.mark.parametrize(
    "flaw", [{"starts_days": -90, "ends_days": -1}, {"common_name": HOST}], ids=["expired", "no_san"]
)
def test_A_L5_a_worse_certificate_never_displaces_a_good_one(site, flaw):
    """Expired or nameless replacement in the very same files."""
    good = site.certify("example.com")
    names = [] if "common_name" in flaw else [HOST]
    site.write(OLD_YAML)
    with site.serve() as server:
        mark = server.log.mark()
        site.authority.issue(*names, **flaw).save(site.certs / "example.com")
        wait_until(
            lambda: [e for e in server.log.events(since=mark) if e.name.startswith("certs.")], "a look at it"
        )
        assert server.exchange(request(HOST)).details["certificate"] == good.leaf_der
        assert server.body() == OLD


def test_A_L6_when_the_record_appears_the_body_is_already_there(server):
    """Ten changes; as soon as a new id is printed, a GET brings the new bytes."""
    for number in range(10):
        mx = f"mail{number}x.example.com"
        before = server.site.sts_id()
        server.site.write(domains(tenant(mx=f"[{mx}]")))
        wait_until(lambda: server.site.sts_id() != before, "the new id")
        assert f"mx: {mx}\r\n".encode() in server.body()


def test_A_L8_a_removed_tenant_is_withdrawn(server):
    """RFC 8461 8.3: mode none with the last mx under a new id; `status` says until when."""
    before = server.site.sts_id()
    done = server.change("domains: {}\n")
    assert done.fields["withdrawn"] == "1"
    assert server.body() == OLD.replace(b"enforce", b"none").replace(b"604800", b"86400")
    records = server.site.records("example.com")
    assert [r["state"] for r in records] == ["withdrawing"]
    assert before not in records[0]["data"]
    assert time.strftime("%Y-", time.gmtime(time.time() + 604800)) in server.site.run("status").out.decode()


def test_A_L8_a_withdrawal_ends_when_no_cache_can_hold_the_policy(site):
    """Six days later it is still answered, eight days later the host is unknown (max_age: a week)."""
    site.certify("example.com")
    site.write(OLD_YAML)
    with site.serve() as server:
        server.change("domains: {}\n")
    with site.serve(env={"MTA_STS_TEST_CLOCK_OFFSET_S": str(6 * 86400)}) as server:
        assert b"mode: none" in server.body()
    nine, forty = ({"MTA_STS_TEST_CLOCK_OFFSET_S": str(days * 86400)} for days in (9, 40))
    with site.serve(env=nine) as server:
        wait_until(lambda: not server.serves(), "the end of the withdrawal")
        # its records are to be deleted, and that is said for a month; no certificate is asked for
        assert [(r["name"], r["state"]) for r in site.records()] == [("_mta-sts.example.com.", "gone")]
        assert [r["state"] for r in site.records("example.com")] == ["gone"]
        finished = site.run("status", "example.com")
        assert finished.status == 1 and "is gone since 20" in finished.err
        assert site.run("records", "--format", "nsupdate").out.decode().count("update delete") == 2
    with site.serve(env=forty) as server:
        wait_until(lambda: site.records() == [], "nothing to be said any more")


def test_what_is_gone_is_said_until_the_tenant_comes_back(site):
    """A domain that never was enforced goes at once; when it returns its id is a new one."""
    site.certify("example.com")
    body = domains(tenant(mode="none"))
    site.write(body)
    with site.serve() as server:
        before = site.sts_id()
        server.change("domains: {}\n")
        assert [r["state"] for r in site.records()] == ["gone"]
        server.change(body)
        assert [r["state"] for r in site.records()] == ["live"] and site.sts_id() > before
        assert server.body().count(b"mode: none") == 1


def test_forget_ends_a_withdrawal_at_once(server):
    site = server.site
    live = site.run("forget", "example.com")
    assert live.status == 1 and "is in the configuration" in live.err
    assert server.serves()
    server.change("domains: {}\n")
    assert b"mode: none" in server.body()
    both = site.run("forget", "example.com", "other.example")
    assert both.status == 1 and "other.example is not being withdrawn" in both.err
    assert server.serves()  # all of them or none
    done = site.run("forget", "example.com")
    assert (done.status, done.out, done.err) == (0, b"", "")
    assert not server.serves() and site.records() == []
    assert site.run("forget", "example.com").status == 1
    server.change(OLD_YAML)  # and it may come back
    assert server.body() == OLD


def test_A_L8_a_tenant_that_comes_back_is_served_again(server):
    ids = [server.site.sts_id()]
    server.change("domains: {}\n")
    ids.append(server.site.sts_id())
    server.change(OLD_YAML)
    ids.append(server.site.sts_id())
    assert server.body() == OLD
    assert ids == sorted(set(ids))


# --- signals, restarts ----------------------------------------


def test_sighup_reloads_at_once(server):
    """Also where the notification of the file system did not come, or came too early."""
    with Hammer(server) as hammer:
        for _ in range(3):
            mark = server.log.mark()
            server.hang_up()
            server.log.wait("reload.asked", since=mark, by="SIGHUP", deadline_s=2)
        mark = server.log.mark()
        server.site.write(NEW_YAML)
        server.hang_up()
        server.log.wait("reload.done", since=mark, changed=1, deadline_s=2)
        assert server.body() == NEW
    hammer.assert_only(OLD, NEW)


def test_A_L7_a_restart_keeps_ids_and_bodies(site):
    site.certify("example.com", "other.example")
    site.write(domains(tenant(), tenant("other.example", mode="testing")))
    seen = []
    for _ in range(2):
        with site.serve() as server:
            seen.append((site.run("records").out, server.body(), server.body("other.example")))
    assert seen[0] == seen[1]


def test_A_L7_a_change_while_the_server_was_down_is_found(site):
    site.certify("example.com")
    site.write(OLD_YAML)
    with site.serve():
        before = site.sts_id()
    site.write(NEW_YAML)
    with site.serve() as server:
        assert server.body() == NEW and site.sts_id() > before


def test_a_clock_that_was_set_back_does_not_bring_back_an_id(site):
    """The id goes forward all the same."""
    site.certify("example.com", starts_days=-40)
    site.write(OLD_YAML)
    with site.serve():
        before = site.sts_id()
    site.write(NEW_YAML)
    with site.serve(env={"MTA_STS_TEST_CLOCK_OFFSET_S": str(-30 * 86400)}) as server:
        assert server.body() == NEW and site.sts_id() > before


@pytest.mark.parametrize(
    "text", [BROKEN_YAML, "not: [yaml\n", "domains:\n"], ids=["syntax_error", "garbage", "domains_lost"]
)
def test_a_restart_with_a_broken_file_serves_what_was_good(site, text):
    """The store remembers; the log names the mistake; mended, it is taken."""
    site.certify("example.com")
    site.write(OLD_YAML)
    with site.serve():
        before = site.sts_id()
    site.write(text)
    with site.serve() as server:
        assert server.log.events("config.error")
        assert server.body() == OLD
        site.write(OLD_YAML)
        server.log.wait("reload.done")
        assert site.sts_id() == before


def test_a_restart_with_a_large_file_goes_by_the_file_of_now(site):
    """A large main file is not parsed before the start once it is known; an edit or a mistake meanwhile is seen."""
    many = "".join(tenant(f"t{i}.example") for i in range(1500))
    note = site.folder / "state" / "main-file"
    site.certify("example.com")
    site.write(OLD_YAML + many)
    with site.serve() as server:
        assert server.body() == OLD
        first = note.read_text()
        assert str(site.yaml) in first
    with site.serve() as server:
        assert len(server.worker_pids()) == 2 and server.body() == OLD
    site.write(NEW_YAML + many, settings={"workers": 1})
    with site.serve() as server:
        assert len(server.worker_pids()) == 1
        wait_until(lambda: server.body() == NEW, "the new body", 5)
        assert note.read_text() != first
        first = note.read_text()
    site.write(BROKEN_YAML + many, settings={"workers": 2})
    with site.serve() as server:
        assert server.log.events("config.error")
        assert len(server.worker_pids()) == 1 and server.body() == NEW
        assert note.read_text() == first


def test_a_killed_keeper_takes_its_workers_along_and_leaves_a_good_store(site):
    """SIGKILL: no orphan holds the port, and the next start serves the same under the same id."""
    site.certify("example.com")
    site.write(OLD_YAML)
    with site.serve() as server:
        before = site.sts_id()
        workers = server.worker_pids()
        assert len(workers) == 2
        os.kill(server.pid, signal.SIGKILL)
        assert server.wait_end() == -signal.SIGKILL
        wait_until(
            lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers), "the end of the workers", 10
        )
    with site.serve() as server:
        assert server.body() == OLD and site.sts_id() == before


def test_A_L9_sigterm_while_fifty_requests_run(server):
    """Half of them have asked, half are in the middle of their head: each gets its whole answer; status 0."""
    connections = [wire.Connection(server.address, HOST) for _ in range(50)]
    asked = request(HOST)
    for number, connection in enumerate(connections):
        assert connection.handshake()
        connection.send(asked if number % 2 else asked[:-2])
    started = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: len(server.log.events("worker.stopping")) == 2, "both workers obeying")
    for number, connection in enumerate(connections):
        if number % 2 == 0:
            connection.send(asked[-2:])
    for connection in connections:
        outcome = connection.read_all()
        assert outcome.close_notify and not outcome.was_reset
        assert outcome.response.status == 200 and outcome.response.body == OLD
    assert server.wait_end(10) == 0
    assert time.monotonic() - started < 10 * rig.patience()
    assert server.log.events("serve.stopped")


def test_A_L9_connections_that_say_nothing_do_not_delay_the_end(server):
    """Accepted, silent: closed, status 0 in well under ten seconds."""
    silent = [socket.create_connection(server.address) for _ in range(20)]
    half = wire.Connection(server.address, HOST)
    assert half.handshake()
    started = time.monotonic()
    server.stop(deadline_s=10)
    assert time.monotonic() - started < 8 * rig.patience()
    for plain in silent:
        plain.close()


def test_A_L9_a_stopped_server_frees_its_port(server):
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.address, timeout=5)


# --- workers ----------------------------------------


def test_a_killed_worker_is_started_again(server):
    """In its old slot; requests go on meanwhile."""
    victim = server.worker_pids()[0]
    mark = server.log.mark()
    os.kill(victim, signal.SIGKILL)
    died = server.log.wait("worker.died", since=mark, pid=victim)
    started = server.log.wait("worker.started", since=mark, slot=died.fields["slot"])
    assert started.fields["pid"] != str(victim)
    wait_until(lambda: len(server.worker_pids()) == 2, "both workers")
    with Hammer(server) as hammer:
        wait_until(lambda: len(hammer.bodies) >= 50, "fifty answers")
    hammer.assert_only(OLD)


@pytest.mark.parametrize(
    "signal_number", [signal.SIGKILL, signal.SIGABRT, signal.SIGTERM], ids=["KILL", "ABRT", "TERM"]
)
def test_no_queued_connection_is_lost_when_all_workers_die(server, signal_number):
    """The keeper holds the sockets: whoever connects in between is answered by the next worker."""
    mark = server.log.mark()
    for pid in server.worker_pids():
        os.kill(pid, signal_number)
    with Hammer(server) as hammer:
        wait_until(lambda: len(server.log.events("worker.started", since=mark)) >= 2, "two new workers")
        wait_until(lambda: len(hammer.bodies) >= 20, "twenty answers")
    assert len(hammer.errors) <= 2, hammer.errors  # taken by a worker in its last moment
    assert set(hammer.bodies) == {OLD}


def test_a_worker_that_dies_again_and_again_does_not_spin(server):
    """Restarts are spaced; the other worker and the keeper go on."""
    for _ in range(5):
        mark = server.log.mark()
        victim = server.worker_pids()[0]
        os.kill(victim, signal.SIGKILL)
        server.log.wait("worker.died", since=mark, pid=victim)
        server.log.wait("worker.started", since=mark, deadline_s=20)
        wait_until(lambda: len(server.worker_pids()) == 2, "both workers")
    assert server.body() == OLD
    server.change(NEW_YAML)
    assert server.body() == NEW


# --- sockets, several at once ----------------------------------------


def test_inherited_sockets_take_precedence(site):
    """systemd's LISTEN_FDS: the server answers there and nowhere else."""
    site.certify("example.com")
    site.write(OLD_YAML, settings={"listen": f'["127.0.0.1:{rig.free_port()}"]'})
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        wrapper = ["sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', "sh"]

        def as_descriptor_3():
            if listener.fileno() != 3:
                os.dup2(listener.fileno(), 3)
            os.set_inheritable(3, True)

        with site.serve(prefix=wrapper, preexec_fn=as_descriptor_3, close_fds=False, wait=False) as server:
            server.log.wait("serve.ready")
            server.addresses = [listener.getsockname()]
            assert server.body() == OLD


def test_many_at_once_while_everything_changes(server):
    """Four clients, twenty reloads and a renewal: every request is answered with one of the two bodies."""
    site = server.site
    hammers = [Hammer(server) for _ in range(4)]
    for hammer in hammers:
        hammer.__enter__()
    for number in range(20):
        server.change(NEW_YAML if number % 2 == 0 else OLD_YAML)
        if number == 10:
            site.certify("example.com", ends_days=100)
    for hammer in hammers:
        hammer.__exit__(None, None, None)
        hammer.assert_only(OLD, NEW)
    assert threading.active_count() < 50


def test_every_log_line_has_the_documented_form(server):
    """Time, level, who, event, key=value: whoever reads logs by machine can rely on it."""
    server.change(NEW_YAML)
    server.change(domains(tenant(mode="Enforce")))
    server.stop()
    events = server.log.events()
    assert events and all(event.name for event in events), [e.line for e in events if not e.name]

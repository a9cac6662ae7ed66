"""When the system does not give what is needed: status 4 and a sentence that says what to do, or the server
goes on."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest
import rig
import wire
from rig import DONE, PROBLEMS, SYSTEM, domains, tenant, wait_until
from golden import GOLDEN
from wire import request

NOBODY = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--inh-caps=-all",
    "--bounding-set=-all",
]
NEW_YAML = domains(tenant(mx="[mail2.example.com]"))

needs_root = pytest.mark.skipif(not rig.IS_ROOT, reason="only root may become somebody else or mount")


def serve_and_fail(site, *prefix, binary=rig.BINARY, **options):
    """Runs `serve`, which must end by itself with status 4; returns what it said."""
    finished = rig.run(*prefix, binary, "-c", site.yaml, "serve", timeout_s=20, cwd=site.folder, **options)
    assert finished.status == SYSTEM, finished.err
    assert "serve.ready" not in finished.err
    return finished.err


def assert_says(text, *patterns):
    """One line holds all of these: a sentence, not scattered words."""
    lines = text.strip().splitlines()
    assert any(all(re.search(p, line) for p in patterns) for line in lines), text


@pytest.fixture
def own_binary(folder):
    """A copy that other users may run, wherever the build folder is."""
    path = folder / "mta-sts-server"
    shutil.copy(rig.BINARY, path)
    path.chmod(0o755)
    return path


# --- the folder of the state ----------------------------------------


def test_a_state_folder_that_cannot_be_written(site, own_binary):
    """Named, with the reason and what to do."""
    site.state.mkdir()
    site.state.chmod(0o555)
    site.write(domains(tenant()), settings={"user": None})
    text = serve_and_fail(site, *(NOBODY if rig.IS_ROOT else []), binary=own_binary)
    assert_says(text, re.escape(str(site.state)), "[Pp]ermission denied")
    assert_says(text, re.escape(str(site.state)), "chown|owner|writable|write|state_dir")


def test_a_state_folder_below_a_file(site):
    (site.folder / "file").write_text("")
    site.write(domains(tenant()), settings={"state_dir": site.folder / "file" / "state"})
    assert_says(serve_and_fail(site), re.escape(str(site.folder / "file")), "[Nn]ot a directory|state_dir")


def test_a_state_folder_of_a_running_server(site):
    """The second one says so and does not disturb the first."""
    site.certify("example.com")
    site.write(domains(tenant()))
    with site.serve() as server:
        text = serve_and_fail(site)
        assert_says(text, re.escape(str(site.state)), "running|in use|another")
        assert server.body() == GOLDEN["G1"][0]


def test_a_store_that_is_garbage(site):
    """Named, not overwritten."""
    site.certify("example.com")
    site.write(domains(tenant()))
    with site.serve():
        pass
    data = next((site.state / "store").glob("data*"))
    garbage = os.urandom(65536)
    data.write_bytes(garbage)
    assert_says(serve_and_fail(site), re.escape(str(site.state)))
    assert data.read_bytes() == garbage


# --- ports ----------------------------------------


def test_a_port_that_is_taken(site):
    """The address is named and what to look for."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        site.write(domains(tenant()), settings={"listen": f'["127.0.0.1:{port}"]'})
        text = serve_and_fail(site)
    assert_says(text, f"127.0.0.1:{port}", "in use|taken")
    assert_says(text, f"127.0.0.1:{port}", "listen|stop|other|another|who")


def test_a_port_that_another_server_of_ours_has(site, folder, authority):
    """SO_REUSEPORT must not make two servers share a port: every second client would meet the wrong one."""
    site.certify("example.com")
    site.write(domains(tenant()))
    with site.serve() as server:
        second = rig.Site(folder / "second", authority)
        second.write(
            domains(tenant("other.example")), settings={"listen": f'["127.0.0.1:{server.address[1]}"]'}
        )
        assert_says(serve_and_fail(second), f"127.0.0.1:{server.address[1]}", "in use|taken")
        assert server.body() == GOLDEN["G1"][0]


def test_a_metrics_port_that_is_taken(site):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        site.write(domains(tenant()), settings={"metrics": f"127.0.0.1:{port}"})
        assert_says(serve_and_fail(site), f"127.0.0.1:{port}", "in use|taken")


def test_an_address_that_this_machine_does_not_have(site):
    site.write(domains(tenant()), settings={"listen": '["192.0.2.1:8443"]'})
    assert_says(serve_and_fail(site), r"192\.0\.2\.1:8443")


def test_no_permission_for_port_443(site, own_binary):
    """An ordinary user: the sentence names a way (the capability, systemd, or root)."""
    start = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if start <= 443:
        pytest.skip(f"here everybody may use ports from {start} on")
    site.state.mkdir()
    site.state.chmod(0o777)
    site.write(domains(tenant()), settings={"listen": '["127.0.0.1:443"]', "user": None})
    text = serve_and_fail(site, *(NOBODY if rig.IS_ROOT else []), binary=own_binary)
    assert_says(text, "127.0.0.1:443", "CAP_NET_BIND_SERVICE|systemd|root")


def test_an_ordinary_user_can_run_it_on_a_high_port(site, own_binary):
    """No root, no `user` key: state folder of one's own, a free port."""
    site.certify("example.com")
    site.state.mkdir()
    for path in [site.state, *site.certs.rglob("*"), site.certs]:
        if rig.IS_ROOT:
            os.chown(path, 65534, 65534)
    site.write(domains(tenant()), settings={"user": None})
    process = subprocess.Popen(
        [*(NOBODY if rig.IS_ROOT else []), own_binary, "-c", site.yaml, "serve"],
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=rig.environment(),
        cwd=site.folder,
    )
    log = rig.Log(process.stderr, "serve as an ordinary user")
    rig.BOOK.logs.append(log)
    try:
        ready = log.wait("serve.ready", deadline_s=20)
        host, _, port = ready.fields["listen"].rpartition(":")
        response = wire.exchange(
            (host, int(port)), "mta-sts.example.com", request("mta-sts.example.com")
        ).response
        assert response.body == GOLDEN["G1"][0]
    finally:
        process.terminate()
        status = process.wait(20)
        log.finish()
    assert status == 0
    rig.assert_no_sanitizer_report(log.text())


# --- users ----------------------------------------


@needs_root
def test_a_user_that_does_not_exist(site):
    site.write(domains(tenant()), settings={"user": "no-such-user-here"})
    text = serve_and_fail(site)
    assert_says(text, "no-such-user-here", "useradd|adduser|create|make|user:|`user`|sysusers")


@needs_root
def test_root_becomes_the_named_user(site):
    """No worker keeps root's identity or any capability."""
    site.certify("example.com")
    site.write(domains(tenant()), settings={"user": "nobody"})
    with site.serve() as server:
        assert server.body() == GOLDEN["G1"][0]
        for pid in server.worker_pids():
            status = Path(f"/proc/{pid}/status").read_text()
            assert re.search(r"^Uid:\t65534\t65534\t65534\t65534$", status, re.M), status
            assert re.search(r"^CapEff:\t0+$", status, re.M) and re.search(
                r"^CapPrm:\t0+$", status, re.M
            ), status
        site.certify("example.com", ends_days=100)  # root's files go on being readable for the keeper
        server.log.wait("certs.done", added=1, since=0)


# --- disks ----------------------------------------


def can_mount():
    """A mount namespace of our own; without it the small disk cannot be made."""
    return (
        rig.IS_ROOT
        and subprocess.run(["unshare", "-m", "true"], check=False, stderr=subprocess.DEVNULL).returncode == 0
    )


needs_mount = pytest.mark.skipif(not can_mount(), reason="needs root and mount namespaces for a small disk")


def small_disk(path, size):
    """A command prefix: the rest runs with a small tmpfs on path, which nobody else sees."""
    path.mkdir()
    return ["unshare", "-m", "sh", "-c", f'mount -t tmpfs -o size={size} none "$0" && exec "$@"', path]


@needs_mount
def test_a_full_disk_at_the_start(site):
    site.certify("example.com")
    site.write(domains(tenant()))
    text = serve_and_fail(site, *small_disk(site.state, "16k"))
    assert_says(text, re.escape(str(site.state)), "[Nn]o space left|full")


@needs_mount
def test_a_disk_that_fills_up_later(site):
    """The reload fails as a whole, what was served goes on; with room again it is taken."""
    names = [f"t{number:04d}.example" for number in range(2000)]
    site.certify("example.com")
    site.write(domains(tenant()))
    with site.serve(prefix=small_disk(site.state, "8m")) as server:
        filler = Path(f"/proc/{server.pid}/root{site.state}/filler")
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        mark = server.log.mark()
        site.write(NEW_YAML + "".join(tenant(name, mx=f"[mx.{name}]") for name in names))
        failed = server.log.wait("reload.failed", since=mark)
        assert re.search("[Nn]o space left|full", failed.line)
        assert server.body() == GOLDEN["G1"][0]
        filler.unlink()
        server.hang_up()
        done = server.log.wait("reload.done", since=mark)
        assert done.fields["domains"] == "2001"
        assert b"mail2" in server.body()


@needs_mount
def test_a_full_disk_heals_without_help(site):
    """The failed reload is tried again by itself, once there is room."""
    site.certify("example.com")
    site.write(domains(tenant()))
    names = [f"t{number:04d}.example" for number in range(2000)]
    with site.serve(prefix=small_disk(site.state, "8m")) as server:
        filler = Path(f"/proc/{server.pid}/root{site.state}/filler")
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        site.write(NEW_YAML + "".join(tenant(name, mx=f"[mx.{name}]") for name in names))
        server.log.wait("reload.failed")
        filler.unlink()
        wait_until(lambda: b"mail2" in server.body(), "the reload that failed before", 30)


def test_output_that_cannot_be_written(site):
    """A full disk behind standard output is not success."""
    site.write(domains(tenant(max_age="3600")))
    for command in (["check"], ["check", "--json"], ["policy", "example.com"], ["--help"]):
        with open("/dev/full", "wb") as full:
            finished = site.run(*command, stdout=full)
        assert finished.status == SYSTEM, (command, finished.err)
        assert re.search("[Nn]o space left|write", finished.err)


# --- certificates ----------------------------------------


def test_a_certificate_folder_that_is_not_there(site):
    """Said, and no reason to stop; picked up when it comes."""
    shutil.rmtree(site.certs)
    site.write(domains(tenant()))
    with site.serve() as server:
        problems = server.log.events("certs.problem", path=str(site.certs))
        assert problems
        site.certify("example.com")
        wait_until(server.serves, "the certificate in the new folder", 5)


@needs_root
def test_a_key_that_the_keeper_may_not_read(site, own_binary):
    """As an ordinary user: named with its path; the other tenant lives."""
    site.certify("example.com")
    site.certify("other.example")
    site.state.mkdir()
    for path in [site.state, *site.certs.rglob("*"), site.certs]:
        os.chown(path, 65534, 65534)
    os.chown(site.certs / "other.example" / "privkey.pem", 0, 0)
    site.write(domains(tenant(), tenant("other.example")), settings={"user": None})
    process = subprocess.Popen(
        [*NOBODY, own_binary, "-c", site.yaml, "serve"],
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=rig.environment(),
    )
    log = rig.Log(process.stderr, "serve as an ordinary user")
    rig.BOOK.logs.append(log)
    try:
        address = log.wait("serve.ready", deadline_s=20).fields["listen"].rpartition(":")
        problem = log.wait("certs.problem", path=str(site.certs / "other.example" / "privkey.pem"))
        assert "ermission" in problem.fields["text"]
        target = (address[0], int(address[2]))
        assert (
            wire.exchange(target, "mta-sts.example.com", request("mta-sts.example.com")).response.status
            == 200
        )
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(20)
        log.finish()
    assert status == 0


# --- the command line ----------------------------------------


@needs_root
def test_a_store_that_the_caller_may_not_read(site, own_binary):
    """`status` by another user while the server runs: a sentence, not a crash."""
    site.certify("example.com")
    site.write(domains(tenant()))
    with site.serve():
        finished = rig.run(*NOBODY, own_binary, "-c", site.yaml, "status")
        assert finished.status in (DONE, PROBLEMS, SYSTEM)
        assert finished.status == DONE or str(site.state) in finished.err


# --- files that are gone ----------------------------------------


def test_a_folder_that_is_mounted_empty_takes_nobody_with_it_at_once(site):
    """More than half of all domains, a hundred at least: served on, and said in log, status and metrics; a change of
    another file does not wait. SIGHUP says that it is meant."""
    port = rig.free_port()
    site.certify("example.com", "own.example")
    folder = site.folder / "domains.d"
    folder.mkdir()
    for number in range(120):
        (folder / f"{number}.yaml").write_text(domains(tenant(f"t{number}.example")))
    (folder / "example.yaml").write_text(domains(tenant()))
    keys = {"metrics": f"127.0.0.1:{port}"}
    include = "include: [domains.d/*.yaml]\n"
    site.write(domains(tenant("own.example")) + include, settings=keys)

    def kept():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return int(re.search(r"^mta_sts_domains_kept_without_file (\d+)$", text, re.M)[1])

    with site.serve() as server:
        before = site.sts_id()
        folder.rename(site.folder / "away")
        folder.mkdir()
        said = server.log.wait("config.vanished", domains=121)
        assert said.level == "error" and kept() == 121
        server.change(domains(tenant("own.example", mx="[mail2.example.com]")) + include, settings=keys)
        assert b"mail2" in server.body("own.example")
        assert server.body() == GOLDEN["G1"][0] and site.sts_id() == before
        assert "KEPT         121 domains" in site.run("status").out.decode()
        assert site.run("status", "--json").json()["server"]["kept_without_file"] == 121
        mark = server.log.mark()
        server.hang_up()
        server.log.wait("reload.done", since=mark, withdrawn=121)
        assert b"mode: none" in server.body() and kept() == 0
        assert len(server.log.events("config.vanished")) == 1

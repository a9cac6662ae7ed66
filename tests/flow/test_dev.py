"""`serve --dev`: a policy to look at within a minute, without certificates, root or a configured system."""

import re

import pytest
import rig
from rig import domains, tenant, wait_until
from golden import GOLDEN


@pytest.fixture
def dev(site):
    """Running in the site's folder, with a file that names no certificates, no state folder and no user."""
    site.yaml.write_text(domains(tenant(), tenant("other.example", mode="testing")))
    with site.serve("--dev", "--listen", "127.0.0.1:0", wait=False) as server:
        server.log.wait("serve.ready", deadline_s=20)
        yield server


def printed_commands(server):
    """The curl command lines that it printed, on whichever of the two outputs."""
    text = server.output.text() + "\n" + server.log.text()
    return re.findall(r"(?:^|\s)(curl .*)$", text, re.M)


def run_line(server, line):
    """The line, pasted into a shell in the same folder."""
    return rig.run("sh", "-c", line, cwd=server.site.folder)


def test_the_printed_curl_line_works(dev):
    """Pasted as it is: verified, 200, the golden policy. After a change of the YAML it brings the new one."""
    line = wait_until(lambda: printed_commands(dev), "a curl line")[0]
    assert "-k" not in line.split() and "--insecure" not in line
    finished = run_line(dev, line)
    assert finished.status == 0, finished.err
    assert finished.out.replace(b"\r\n", b"\n").endswith(GOLDEN["G1"][0].replace(b"\r\n", b"\n"))
    dev.site.yaml.write_text(
        domains(tenant(mx="[mail2.example.com]"), tenant("other.example", mode="testing"))
    )
    wait_until(lambda: b"mx: mail2.example.com" in run_line(dev, line).out, "the new policy", 5)


def test_every_configured_host_answers(dev):
    """Also the other tenants, and one that is added while it runs."""
    line = wait_until(lambda: printed_commands(dev), "a curl line")[0]
    other = line.replace("example.com", "other.example")
    assert b"mode: testing" in run_line(dev, other).out
    dev.site.yaml.write_text(domains(tenant(), tenant("new.example")))
    new = line.replace("example.com", "new.example")
    wait_until(lambda: b"mode: enforce" in run_line(dev, new).out, "the new tenant", 5)


def test_nothing_is_written_outside_the_folder(dev):
    """State, CA and keys lie below ./build/dev; keys are nobody else's to read."""
    state = dev.site.folder / "build" / "dev"
    assert state.is_dir()
    entries = {path.name for path in dev.site.folder.iterdir()}
    assert entries == {"build", "certs", dev.site.yaml.name}
    secrets = [path for path in state.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in secrets)


def test_a_second_start_works(site):
    """What the first one left does not disturb."""
    site.yaml.write_text(domains(tenant()))
    for _ in range(2):
        with site.serve("--dev", "--listen", "127.0.0.1:0", wait=False) as server:
            server.log.wait("serve.ready", deadline_s=20)
            line = wait_until(lambda: printed_commands(server), "a curl line")[0]
            assert run_line(server, line).status == 0

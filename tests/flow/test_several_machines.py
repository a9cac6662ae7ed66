"""Machines that serve the same files without talking to each other: `dns.id: digest` (DESIGN.md 6.2)."""

import hashlib

import pytest
import rig
from rig import Site, domains, tenant, wait_until

NAMES = ("example.com", "a.example", "b.example", "c.example", "d.example")
DAY_S = 86400

SHARED = (
    "policies:\n"
    '  standard: {mode: enforce, max_age: 604800, mx: [mx1.provider.example, "*.mx.provider.example"]}\n'
    "domains:\n"
    "  a.example: standard\n"
    "  b.example: {policy: standard, mode: testing}\n"
    "  c.example: {policy: google-workspace, mode: testing, max_age: 86400}\n"
    "  d.example: {policy: standard, mode: none}\n"
)


class Machine:
    """A site that includes the files of a common folder, with a clock, a state and certificates of its own."""

    def __init__(self, folder, authority, common, offset_s):
        self.site = Site(folder, authority)
        self.site.certify(*NAMES)
        self.env = rig.environment(MTA_STS_TEST_CLOCK_OFFSET_S=str(offset_s))
        self.common = common
        self.server = None

    def start(self):
        self.site.write(f"domains: {{}}\ninclude: [{self.common}/*.yaml]\n", dns={"id": "digest"})
        self.server = self.site.serve(env=self.env)
        return self.server

    def ids(self):
        """{domain: id}, as a DNS zone would have them."""
        rows = self.site.run("records", "--format", "json", "--all", env=self.env).json()
        return {row["domain"]: row["data"] for row in rows if row["name"].startswith("_mta-sts.")}

    def bodies(self):
        return {name: self.server.body(name) for name in self.ids()}


def expected(machine):
    return {
        name: f"v=STSv1; id={hashlib.sha256(body).hexdigest()[:32]};" for name, body in machine.bodies().items()
    }


@pytest.fixture
def common(folder):
    path = folder / "common"
    path.mkdir()
    (path / "domains.yaml").write_text(SHARED + domains(tenant()).removeprefix("domains:\n"))
    return path


def test_two_servers_from_the_same_files_agree_in_every_id(folder, authority, common):
    """Whatever each has seen before: changes, a restart, another clock, or nothing at all."""
    old = Machine(folder / "old", authority, common, 0)
    file = common / "domains.yaml"
    final = file.read_text()
    with old.start() as server:
        for mx in ("mail2.example.com", "mail3.example.com"):
            file.write_text(final.replace("mail.example.com", mx))
            wait_until(lambda: mx.encode() in server.body(), mx, 10)
        file.write_text(final)
        wait_until(lambda: b"mail.example.com" in server.body(), "the last change", 10)
    with old.start():
        new = Machine(folder / "new", authority, common, 3 * DAY_S)
        with new.start():
            assert set(old.ids()) == set(NAMES)
            assert old.bodies() == new.bodies()
            assert old.ids() == new.ids() == expected(new)


def test_a_change_and_a_removal_leave_two_servers_in_agreement(folder, authority, common):
    """Also of what is withdrawn; and what did not change keeps its id on both."""
    machines = [Machine(folder / name, authority, common, offset_s) for name, offset_s in (("x", 0), ("y", -DAY_S))]
    file = common / "domains.yaml"
    with machines[0].start(), machines[1].start():
        before = machines[0].ids()
        assert before == machines[1].ids()
        text = file.read_text().replace("mx1.provider.example", "mx9.provider.example")
        file.write_text(text.replace("  c.example: {policy: google-workspace, mode: testing, max_age: 86400}\n", ""))
        for machine in machines:
            wait_until(lambda: b"mode: none" in machine.server.body("c.example"), "the withdrawal", 10)
            wait_until(lambda: b"mx9" in machine.server.body("a.example"), "the change", 10)
        after = machines[0].ids()
        assert after == machines[1].ids() == expected(machines[1])
        assert {name for name in NAMES if before[name] != after[name]} == set(NAMES) - {"example.com"}

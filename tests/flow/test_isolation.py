"""Tenant A's connection never yields tenant B's bytes, whatever server name, Host, absolute-form target or
timing (conformance.md 4, A-H11, A-H12, A-S2). Thousands of names, hundreds of connections at once from
several processes (isolation_clients.py), and reloads meanwhile that change and swap policies and
certificates."""

import json
import random
import struct
import subprocess
import time

import pytest
import rig
from isolation_clients import Clock, is_withdrawn, policy

TENANT_COUNT = 2000
OWN_CERTIFICATE_COUNT = 400  # the others share one by tens
REFUSED = [f"refused{i}.example" for i in range(20)]
PROCESS_COUNT, THREAD_COUNT = 3, 14  # times 8 connections each
SECONDS = 10
RELOADS_MIN, CONNECTIONS_MIN = 3, 200  # some 25 and 6,000 on two idle cores; fewer have shown too little

TENANTS = [f"t{i:04}.example" for i in range(TENANT_COUNT)]


def yaml(generation):
    """Each tenant's mx names the tenant and the generation. Every second tenant takes a policy by name, and
    in every generation the names mean other policies, the domains stand in another order, some are gone."""
    rng = random.Random(generation)
    named = [i for i in range(TENANT_COUNT) if i % 2 == 0]
    slots = rng.sample(named, len(named))
    slot_of = dict(zip(named, slots))
    common = "mode: enforce, max_age: 604800"
    policies = [f"  p{slot_of[i]}: {{{common}, mx: [mx{generation}.{TENANTS[i]}]}}\n" for i in named]
    there = [i for i in range(TENANT_COUNT) if not is_withdrawn(i, generation)]
    domains = [
        f"  {TENANTS[i]}: "
        + (f"p{slot_of[i]}" if i % 2 == 0 else f"{{{common}, mx: [mx{generation}.{TENANTS[i]}]}}")
        + "\n"
        for i in there
    ]
    domains += [f"  {name}: {{{common}, mx: ['10 mail.{name}']}}\n" for name in REFUSED]
    rng.shuffle(policies)
    rng.shuffle(domains)
    return "policies:\n" + "".join(policies) + "domains:\n" + "".join(domains)


class Keys:
    """The certificates on disk: one folder per group of names, and two that change places."""

    def __init__(self, site):
        self._site = site
        own = [[name] for name in TENANTS[:OWN_CERTIFICATE_COUNT]]
        shared = [TENANTS[i : i + 10] for i in range(OWN_CERTIFICATE_COUNT, TENANT_COUNT, 10)]
        self._groups = own + shared
        self._folders = [site.certs / f"g{i}" for i in range(len(self._groups))]
        for names, folder in zip(self._groups, self._folders):
            self._issue(names).save(folder)
        for name in REFUSED:
            site.certify(name)

    def _issue(self, names):
        return self._site.authority.issue(*(f"mta-sts.{name}" for name in names))

    def change(self, rng):
        """Fresh pairs for some; two folders of others change places by renames."""
        chosen = rng.sample(range(len(self._groups)), 20)
        for i in chosen[:10]:
            self._issue(self._groups[i]).save(self._folders[i])
        for i, j in zip(chosen[10:15], chosen[15:]):
            aside = self._site.certs / f"aside{i}"
            self._folders[i].rename(aside)
            self._folders[j].rename(self._folders[i])
            aside.rename(self._folders[j])
            self._groups[i], self._groups[j] = self._groups[j], self._groups[i]


@pytest.fixture
def crowd_site(site):
    site.keys = Keys(site)
    site.write(yaml(0))
    (site.folder / "clock").write_bytes(struct.pack("QQ", 0, 0))
    (site.folder / "root.pem").write_bytes(site.authority.root_pem)
    return site


def start_clients(server):
    site = server.site
    plan = {
        "address": server.address,
        "tenants": TENANTS,
        "refused": REFUSED,
        "threads": THREAD_COUNT,
        "seconds": SECONDS,
    }
    (site.folder / "plan.json").write_text(json.dumps(plan))
    helper = rig.REPOSITORY / "tests" / "flow" / "isolation_clients.py"
    return [
        subprocess.Popen(
            ["/usr/bin/python3", "-B", helper, site.folder, str(seed)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=rig.environment(),
        )
        for seed in range(PROCESS_COUNT)
    ]


def reload_meanwhile(server, clients):
    """New generations until the clients are done; how many there were."""
    clock, rng = Clock(server.site.folder / "clock"), random.Random(0)
    generation = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and all(client.poll() is None for client in clients):
        generation += 1
        server.site.keys.change(rng)
        clock.write(generation - 1, generation)
        server.change(yaml(generation))
        body = policy(TENANTS[0], generation, False)
        rig.wait_until(lambda expected=body: server.body(TENANTS[0]) == expected, f"generation {generation}")
        clock.write(generation, generation)  # a reload is one transaction: live for all
    return generation


def finish(clients):
    """What they saw, added up, and what was wrong."""
    seen, faults = {}, []
    for client in clients:
        out, err = client.communicate(timeout=60 * rig.patience())
        assert client.returncode == 0, err.decode("utf-8", "replace")
        report = json.loads(out)
        for what, count in report["seen"].items():
            seen[what] = seen.get(what, 0) + count
        faults += report["faults"]
    return seen, faults


def test_A_H11_no_connection_yields_another_tenants_bytes(crowd_site):
    with crowd_site.serve() as server:
        rig.wait_until(lambda: server.serves(TENANTS[-1]), "the last certificate")
        clients = start_clients(server)
        try:
            generations = reload_meanwhile(server, clients)
            seen, faults = finish(clients)
        finally:
            for client in clients:
                if client.poll() is None:
                    client.kill()
                    client.communicate()
        assert not faults, "\n".join(faults[:20])
        assert generations >= RELOADS_MIN
        assert sum(seen[what] for what in seen if what.startswith("certificate")) >= CONNECTIONS_MIN, seen
        assert {"right 200", "foreign 421", "alert refused", "alert unknown"} <= set(seen), seen
        assert not server.log.events("worker.died")

"""A hundred reloads, of one row to ten thousand, while clients hammer both workers: no request fails, and each body
was valid for its host at a time within its request's window (issue 4, A-L1, A-H11)."""

import os
import random
from pathlib import Path

import asker
import rig
from asker import Timeline, digest

RELOADS = 100
ASKED_COUNT = 60  # who has a certificate and is asked; the rest only makes reloads large
ROWS_MAX = 10000
THREADS = 6
ANSWERS_MIN = 500  # some 10,000 on two idle cores

ASKED = [f"t{i:02}.example" for i in range(ASKED_COUNT)]
FILLING = [f"f{i:05}.example" for i in range(ROWS_MAX - ASKED_COUNT)]


def body(mx, mode="enforce", max_age=604800):
    return f"version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: {max_age}\r\n".encode()


class World:
    """What is wanted, generation by generation: which tenants there are, and what each is to answer."""

    def __init__(self, timeline):
        self._timeline, self._rng = timeline, random.Random(4)
        self._mx = {}  # of each tenant that there ever was
        self._is_there = set()

    def write(self, generation, server):
        """Makes it so; tells the timeline before and after."""
        there, slots = self._choose(generation), list(range(ASKED_COUNT))
        self._rng.shuffle(slots)  # whose policy has which name changes every time
        policies, rows = [], []
        for i, name in enumerate(ASKED):
            if name in there:
                fields = f"{{mode: enforce, max_age: 604800, mx: [{self._mx[name]}]}}"
                is_named = i % 2 == 0
                policies += [f"  p{slots[i]}: {fields}\n"] if is_named else []
                rows.append(f"  {name}: {f'p{slots[i]}' if is_named else fields}\n")
        rows += [f"  {name}: filling\n" for name in FILLING if name in there]
        self._rng.shuffle(rows)
        filling = f"  filling: {{mode: testing, max_age: 86400, mx: [mx{generation // 4}.example]}}\n"
        yaml = "policies:\n" + "".join(policies) + filling + "domains:\n" + "".join(rows)
        self._tell(there)
        server.change(yaml)
        self._timeline.live(asker.now_us())

    def _choose(self, generation):
        """From one row to ROWS_MAX, every size as likely on a logarithmic scale; the first tenant is always there
        and always changes, of the others some do."""
        size = ROWS_MAX if generation == 0 else int(ROWS_MAX ** self._rng.random())
        few = self._rng.sample(ASKED[1:], min(size - 1, ASKED_COUNT // 2))
        others = ASKED[1:] if size > 2 * ASKED_COUNT else few
        changed = [name for name in others if name not in self._mx or self._rng.random() < 0.5]
        self._mx.update({name: f"mx{generation}.{name}" for name in [ASKED[0], *changed]})
        filling = self._rng.sample(FILLING, max(0, size - 1 - len(others)))
        return {ASKED[0], *others, *filling}

    def _tell(self, there):
        now_us = asker.now_us()
        for i, name in enumerate(ASKED):
            if name in there:
                self._timeline.write(i, body(self._mx[name]), now_us)
            elif name in self._is_there:  # RFC 8461 section 8.3
                self._timeline.write(i, body(self._mx[name], "none", 86400), now_us)
        self._is_there = there


def cpu_ticks(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def certify(site):
    """A pair each for some, one for ten of the others."""
    for name in ASKED[:20]:
        site.certify(name)
    for i in range(20, ASKED_COUNT, 10):
        site.certify(*ASKED[i : i + 10])


def test_a_hundred_reloads_under_load_spoil_no_answer(site, tmp_path):
    certify(site)
    timeline = Timeline()
    world = World(timeline)
    site.write("domains: {}\n")
    with site.serve() as server:
        world.write(0, server)
        rig.wait_until(lambda: server.serves(ASKED[-1]), "the last certificate")
        before = {pid: cpu_ticks(pid) for pid in server.worker_pids()}
        hosts = [f"mta-sts.{name}" for name in ASKED]
        with asker.Asker(asker.build(tmp_path), server.address[1], hosts, tmp_path, THREADS) as clients:
            clients.wait(lambda answer: answer.host == ASKED_COUNT - 1)
            for generation in range(1, RELOADS + 1):
                world.write(generation, server)
        after = {pid: cpu_ticks(pid) for pid in server.worker_pids()}
    faults = [(ASKED[a.host], fault) for a in clients.answers if (fault := timeline.fault(a))]
    assert not faults, f"{len(faults)} of {len(clients.answers)}: {faults[:5]}"
    assert len(clients.answers) >= ANSWERS_MIN
    assert {a.host for a in clients.answers} == set(range(ASKED_COUNT))
    assert len({a.body for a in clients.answers}) > 3 * ASKED_COUNT, "hardly a change was seen at all"
    assert before.keys() == after.keys(), "a worker died"
    busy_min = os.sysconf("SC_CLK_TCK") // 4
    assert all(after[pid] - before[pid] > busy_min for pid in after), "one worker had nothing to do"


def test_the_judge_of_these_answers_is_strict():
    """Failed, stale, too early, another host's: each is seen; what was valid within the window is let pass."""
    timeline = Timeline()
    bodies = [body(f"mx{i}.example") for i in range(3)]
    timeline.write(0, bodies[0], 100)
    timeline.write(1, bodies[2], 100)
    timeline.live(200)
    timeline.write(0, bodies[1], 300)  # and live everywhere at 400

    def fault(begin_us, end_us, text):
        return timeline.fault(asker.Answer(0, begin_us, begin_us, end_us, text, "-"))

    assert fault(310, 320, digest(bodies[0])) is None  # not live yet
    timeline.live(400)
    assert fault(210, 299, digest(bodies[0])) is None
    assert fault(350, 420, digest(bodies[0])) is None
    assert fault(350, 420, digest(bodies[1])) is None
    assert fault(410, 420, digest(bodies[1])) is None
    assert "of another time" in fault(410, 420, digest(bodies[0]))
    assert "of another time" in fault(210, 299, digest(bodies[1]))
    assert "another host's" in fault(410, 420, digest(bodies[2]))
    assert "nobody" in fault(410, 420, digest(b"version: STSv1\r\n"))
    assert fault(410, 420, "!status") == "failed: status"

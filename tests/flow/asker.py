"""Clients in C (tests/bench/ask.c) that write down each answer, and what is to be thought of them."""

import bisect
import collections
import hashlib
import subprocess
import threading
import time
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1] / "bench"

Answer = collections.namedtuple("Answer", "host due_us begin_us end_us body certificate")


def build(folder):
    """The program, compiled into folder."""
    program = Path(folder) / "ask"
    words = ["cc", "-std=c11", "-O2", "-D_GNU_SOURCE", "-o", program, SOURCES / "ask.c", SOURCES / "peer.c"]
    subprocess.run([*words, "-lssl", "-lcrypto", "-lpthread"], check=True)
    return program


def now_us():
    """The clock of the answers."""
    return time.monotonic_ns() // 1000


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


class Asker:
    """The running clients; leaving the `with` ends them. rate 0: each thread without pause."""

    def __init__(self, program, port, hosts, folder, threads=1, rate=0):
        listing = Path(folder) / f"hosts-{threading.get_ident()}-{time.monotonic_ns()}"
        listing.write_text("".join(f"{host}\n" for host in hosts))
        words = [program, port, threads, rate, listing]
        self._process = subprocess.Popen(
            [str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.answers = []  # in the order of their ends, nearly
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self._process.stdin.close()
        try:
            self._process.wait(60)
        finally:
            self._process.kill()
        self._thread.join(20)

    def _read(self):
        for line in self._process.stdout:
            host, due, begin, end, body, certificate = line.decode().split()
            answer = Answer(int(host), int(due), int(begin), int(end), body, certificate)
            with self._changed:
                self.answers.append(answer)
                self._changed.notify_all()

    def look_at(self, first, count=1):
        """Only these hosts from now on."""
        self._process.stdin.write(f"{first} {count}\n".encode())
        self._process.stdin.flush()

    def mark(self):
        with self._changed:
            return len(self.answers)

    def wait(self, is_wanted, since=0, deadline_s=60.0):
        """The first answer behind the mark that is wanted."""
        end = time.monotonic() + deadline_s
        with self._changed:
            while True:
                while since < len(self.answers):
                    if is_wanted(self.answers[since]):
                        return self.answers[since]
                    since += 1
                if time.monotonic() > end or not self._thread.is_alive():
                    raise AssertionError(f"no such answer; the last were {self.answers[-3:]}")
                self._changed.wait(0.5)


class Timeline:
    """What may be answered for each host, and when: whatever was wanted last, or is being put in place."""

    def __init__(self):
        self._steps = {}  # host: [written_us, live_us, digest], in order of time

    def write(self, host, body, at_us):
        """The body is wanted from now on; live(host, us) says when it is served everywhere."""
        self._steps.setdefault(host, []).append([at_us, None, digest(body)])

    def live(self, at_us):
        """All that was written is."""
        for steps in self._steps.values():
            if steps[-1][1] is None:
                steps[-1][1] = at_us

    def fault(self, answer):
        """Why the answer is wrong, or None: a body must have been valid for the host at a time within the
        request's window."""
        steps = self._steps[answer.host]
        last = bisect.bisect_right([step[0] for step in steps], answer.end_us)
        first = 0  # the last one that was live everywhere when the request began
        for i in range(last):
            if steps[i][1] is not None and steps[i][1] <= answer.begin_us:
                first = i
        if answer.body in [step[2] for step in steps[first:last]]:
            return None
        if answer.body.startswith("!"):
            return f"failed: {answer.body[1:]}"
        for host, others in self._steps.items():
            if answer.body in [step[2] for step in others]:
                return "a body of its own, of another time" if host == answer.host else "another host's body"
        return "a body that nobody ever wanted"


def percentile_ms(answers, per_cent):
    """Of the times from when each was due to its end."""
    took = sorted(a.end_us - a.due_us for a in answers)
    return took[(len(took) - 1) * per_cent // 100] / 1000

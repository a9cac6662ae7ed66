"""A server whose processes are looked at from outside: time to the first answer, memory, CPU."""

import os
import pathlib
import re
import subprocess
import threading
import time

import asker
import rig

START_MAX_S = 600
SLOW_ASKING_RATE = 100  # a second, where what is waited for takes long: little CPU, 10 ms precision


class Memory:
    """The largest anonymous memory of each process of a server from now until stop()."""

    def __init__(self, server):
        self._server, self._is_over = server, threading.Event()
        self.keeper_kb = self.worker_kb = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._is_over.wait(0.02):
            self._look()

    def _look(self):
        try:
            self.keeper_kb = max(self.keeper_kb, _status_kb(self._server.pid, "RssAnon"))
            for pid in self._server.worker_pids():
                self.worker_kb = max(self.worker_kb, _status_kb(pid, "RssAnon"))
        except (OSError, TypeError):
            return  # one of them is starting or ending

    def stop(self):
        self._is_over.set()
        self._thread.join(20)
        self._look()
        return self


def _status_kb(pid, name):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M)[1])


def memory_now(server):
    """Kilobytes: anonymous (private for certain), resident (with the shared map of the store), and the most that
    was resident. Of several workers the largest."""
    found = {}
    for what, name in (("anon", "RssAnon"), ("rss", "VmRSS"), ("peak", "VmHWM")):
        found[f"keeper_{what}_kb"] = _status_kb(server.pid, name)
        found[f"worker_{what}_kb"] = max(_status_kb(pid, name) for pid in server.worker_pids())
    return found


def cpu_s(pid):
    """User and system time of a process."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start(site, clients, wanted):
    """A server, once the answer that is wanted has come and the keeper rests: the server, seconds from its start
    to that answer, and the most anonymous memory that the keeper had."""
    mark, begin_us = clients.mark(), asker.now_us()
    server = rig.Server(site, wait=False)
    memory = Memory(server)
    try:
        answer = clients.wait(wanted, mark, START_MAX_S)
        server.log.wait("serve.ready", deadline_s=START_MAX_S)
        wait_idle(server)
    except BaseException:
        server.kill()
        raise
    return server, (answer.end_us - begin_us) / 1e6, memory.stop().keeper_kb


def wait_idle(server):
    """Until the keeper has had nothing to do for a while: what a start left to be done is over."""
    spent, quiet_since = cpu_s(server.pid), time.monotonic()
    while time.monotonic() - quiet_since < 0.5:
        time.sleep(0.05)
        now = cpu_s(server.pid)
        if now - spent > 0.01:
            spent, quiet_since = now, time.monotonic()


class _Most:
    """The largest of what is seen of a number in a process's status, until it has ended."""

    def __init__(self, pid, name):
        self.kb = 0
        self._pid, self._name = pid, name
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            while True:
                self.kb = max(self.kb, _status_kb(self._pid, self._name))
                time.sleep(0.005)
        except (OSError, TypeError):  # a zombie has no memory
            return

    def end(self):
        self._thread.join(20)
        return self.kb


def run_command(site, *words):
    """A command to its end: seconds, CPU seconds, most memory, exit status, lines printed."""
    output = site.folder / "output"
    with open(output, "wb") as out, open(f"{output}.err", "wb") as err:
        begin = time.monotonic()
        process = subprocess.Popen(
            [str(rig.BINARY), "-c", str(site.yaml), *words], stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        most = _Most(process.pid, "RssAnon")  # ru_maxrss is no less than ours: it outlives exec
        _, status, usage = os.wait4(process.pid, 0)
        took_s = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
    with open(output, "rb") as printed:
        line_count = sum(1 for _ in printed)
    return {
        "s": took_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "anon_kb": most.end(),
        "status": process.returncode,
        "lines": line_count,
    }

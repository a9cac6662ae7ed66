"""A site (folder with YAML, certificates and state) and the real server on it.

Waiting is always for something: a log event or a behaviour, with a deadline. A sanitizer's report on any
standard error makes the test fail."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pki
import wire

REPOSITORY = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("MTA_STS_SERVER") or REPOSITORY / "build" / "mta-sts-server").resolve()
IS_ROOT = os.geteuid() == 0

# Exit statuses that the manual promises.
DONE, PROBLEMS, USAGE, UNUSABLE, SYSTEM = 0, 1, 2, 3, 4

_SANITIZER_REPORT = re.compile(
    r"ERROR: \w+Sanitizer|runtime error: |SUMMARY: \w+Sanitizer|WARNING: \w+Sanitizer"
)
_LOG_LINE = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (error|warn|info|debug) +(\S+(?: \d+)?) "
    r"([a-z_]+(?:\.[a-z_]+)+)((?: .*)?)"
)
_LOG_FIELD = re.compile(r'([a-z_0-9.]+)=("(?:[^"\\]|\\.)*"|\S*)')


def is_sanitized():
    """Was the binary built with sanitizers? Then it is slower and needs more memory."""
    return b"__asan_init" in BINARY.read_bytes() or b"__ubsan_handle" in BINARY.read_bytes()


def patience():
    """What deadlines are multiplied by."""
    return 5 if is_sanitized() else 1


def environment(**extra):
    """A small environment of our own: nothing of the caller's session leaks into what is tested."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS")
        if name in os.environ
    }
    kept.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    kept["PATH"] = kept.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
    return {**kept, "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", **extra}


def wait_until(condition, what, deadline_s=10.0):
    """Looks again and again until condition() is true, and returns its value; fails after the deadline."""
    end = time.monotonic() + deadline_s * patience()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline_s * patience():.0f} s in vain for: {what}")
        time.sleep(0.01)


def free_port():
    """A port that nobody has right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# --- YAML ----------------------------------------

GOOD = {"mode": "enforce", "max_age": "604800", "mx": "[mail.example.com]"}  # conformance.md 4: P{}


def tenant(name="example.com", **changes):
    """The YAML of one domain: GOOD with changes. Values are YAML text; None takes the key out."""
    keys = {**GOOD, **changes}
    lines = [f"    {key}: {value}".rstrip() for key, value in keys.items() if value is not None]
    return "\n".join([f"  {name}:", *lines]) + "\n"


def domains(*tenants):
    """The `domains` section with these tenants."""
    return "domains:\n" + "".join(tenants)


# --- logs ----------------------------------------


class Event:
    """One log line, taken apart."""

    def __init__(self, line, name="", level="", who="", fields=None):
        self.line, self.name, self.level, self.who, self.fields = line, name, level, who, fields or {}

    @classmethod
    def parse(cls, line):
        match = _LOG_LINE.fullmatch(line)
        if not match:
            return cls(line)
        fields = {
            key: value[1:-1] if value.startswith('"') else value
            for key, value in _LOG_FIELD.findall(match[5])
        }
        return cls(line, match[4], match[2], match[3], fields)

    def has(self, name, wanted):
        return self.name == name and all(self.fields.get(key) == str(value) for key, value in wanted.items())


class Log:
    """Standard error of a running program, read by a thread."""

    def __init__(self, stream, title):
        self.title = title
        self._events = []
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream):
        for line in stream:
            with self._changed:
                self._events.append(Event.parse(line.decode("utf-8", "replace").rstrip("\n")))
                self._changed.notify_all()
        stream.close()
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    @property
    def is_open(self):
        return not self._is_closed

    def mark(self):
        """A place in the log, to wait only for what comes behind it."""
        with self._changed:
            return len(self._events)

    def events(self, name=None, since=0, **wanted):
        with self._changed:
            return [e for e in self._events[since:] if name is None or e.has(name, wanted)]

    def wait(self, name, since=0, deadline_s=10.0, **wanted):
        """The first event of that name with these fields behind the mark."""
        end = time.monotonic() + deadline_s * patience()
        with self._changed:
            while True:
                for event in self._events[since:]:
                    if event.has(name, wanted):
                        return event
                if self._is_closed:
                    raise AssertionError(
                        f"{self.title} ended without logging {name} {wanted}:\n{self.text()}"
                    )
                if not self._changed.wait(max(0.0, end - time.monotonic())) and time.monotonic() >= end:
                    raise AssertionError(f"{self.title} did not log {name} {wanted} in time:\n{self.text()}")

    def finish(self):
        """Everything has been read once the program has closed its standard error."""
        self._thread.join(20)
        assert (
            not self._thread.is_alive()
        ), f"{self.title} is gone, but something still holds its standard error"

    def text(self):
        return "\n".join(event.line for event in self._events)


class Book:
    """What was run in a test, printed when it fails."""

    def __init__(self):
        self.logs = []
        self.commands = []

    def text(self):
        parts = [
            f"$ {c.line}   [exit status {c.status}]\n{c.out.decode('utf-8', 'replace')}{c.err}"
            for c in self.commands[-20:]
        ]
        parts += [f"--- {log.title}\n{log.text()}" for log in self.logs]
        return "\n".join(parts)


BOOK = Book()


def assert_no_sanitizer_report(text):
    assert not _SANITIZER_REPORT.search(text), f"a sanitizer complains:\n{text}"


# --- commands ----------------------------------------


class Finished:
    """A command that has ended."""

    def __init__(self, argv, process):
        self.line = " ".join(str(word) for word in argv)
        self.status = process.returncode
        self.out = process.stdout if process.stdout is not None else b""
        self.err = process.stderr.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.out)


def run(*argv, timeout_s=60, **options):
    """Any command line; standard error is searched for sanitizer reports."""
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("env", environment())
    process = subprocess.run(
        [str(word) for word in argv],
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        timeout=timeout_s * patience(),
        check=False,
        **options,
    )
    finished = Finished(argv, process)
    BOOK.commands.append(finished)
    assert_no_sanitizer_report(finished.err)
    assert finished.status >= 0, f"killed by signal {-finished.status}: {finished.line}\n{finished.err}"
    return finished


class Problem:
    """One entry of `check --json`."""

    def __init__(self, entry):
        self.severity, self.code, self.domain = entry["severity"], entry["code"], entry["domain"]
        self.line, self.column = entry["line"], entry["column"]
        self.file, self.text, self.hint = entry["file"], entry["text"], entry["hint"]

    def __repr__(self):
        place = f"{self.line}:{self.column}"
        return f"{place}: {self.severity} {self.code}: {self.text} ({self.hint}) [{self.domain}]"


class Check:
    """Result of `check --json`."""

    def __init__(self, finished):
        self.status = finished.status
        self.err = finished.err
        self.problems = [Problem(entry) for entry in finished.json()]

    def find(self, code, severity=None):
        return [p for p in self.problems if p.code == code and severity in (None, p.severity)]

    @property
    def errors(self):
        return [p for p in self.problems if p.severity == "error"]


class Site:
    """Folder of one installation."""

    def __init__(self, folder, authority=None):
        self.folder = Path(folder)
        self.authority = authority
        self.yaml = self.folder / "mta-sts-server.yaml"
        self.state = self.folder / "state"
        self.certs = self.folder / "certs"
        self.certs.mkdir(parents=True, exist_ok=True)

    # writing

    def head(self, settings=None, dns=None):
        """The server keys that every test needs. settings and dns: further ones, as {key: YAML text}."""
        keys = {"listen": '["127.0.0.1:0"]', "state_dir": self.state, "workers": 2, **(settings or {})}
        if IS_ROOT:
            keys.setdefault("user", "root")
        lines = [f"{key}: {value}" for key, value in keys.items() if value is not None]
        lines += ["certs:", f"  paths: [{self.certs}]"]
        if dns:
            lines += ["dns:", *(f"  {key}: {value}" for key, value in dns.items())]
        return "\n".join(lines) + "\n"

    def write(self, body, settings=None, dns=None):
        """The YAML: server keys, then body; put in place by a rename."""
        pki.replace_file(self.yaml, (self.head(settings, dns) + body).encode())
        return self

    def place_of(self, text):
        """(line, column) of the only line in the YAML that holds text."""
        hits = [
            (number, line.index(text) + 1)
            for number, line in enumerate(self.yaml.read_text().split("\n"), 1)
            if text in line
        ]
        assert len(hits) == 1, f"{text!r} is there {len(hits)} times"
        return hits[0]

    def certify(self, *names, **options):
        """A pair for the policy hosts of these domains, in a folder named after the first."""
        pair = self.authority.issue(*(f"mta-sts.{name}" for name in names), **options)
        pair.save(self.certs / names[0])
        return pair

    # commands

    def run(self, *argv, **options):
        return run(BINARY, "-c", self.yaml, *argv, **options)

    def policy(self, domain="example.com"):
        """The bytes that `policy` prints; it must succeed."""
        finished = self.run("policy", domain)
        assert finished.status == DONE, finished.err
        return finished.out

    def check(self):
        return Check(self.run("check", "--json"))

    def records(self, *argv):
        """[{domain, name, type, ttl, data, state}] and the exit status does not matter."""
        return self.run("records", "--format", "json", *argv).json()

    def sts_id(self, domain="example.com"):
        """The id in the domain's record; it must be there exactly once."""
        found = [r for r in self.records(domain) if r["name"] == f"_mta-sts.{domain}." and r["type"] == "TXT"]
        assert len(found) == 1, found
        return re.fullmatch(r"v=STSv1; id=([A-Za-z0-9]{1,32});", found[0]["data"])[1]

    def serve(self, *argv, **options):
        return Server(self, *argv, **options)


# --- the server ----------------------------------------


class Server:
    """`serve`, running in a process group of its own. Leaving the `with` stops it and demands status 0."""

    def __init__(self, site, *argv, env=None, wait=True, prefix=(), **options):
        self.site = site
        command = [*prefix, BINARY, "-c", site.yaml, "serve", *argv]
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(**(env or {})),
            start_new_session=True,
            cwd=options.pop("cwd", site.folder),
            **options,
        )
        self.pid = self.process.pid
        self.log = Log(self.process.stderr, f"serve, pid {self.pid}")
        self.output = Log(self.process.stdout, f"standard output of serve, pid {self.pid}")
        BOOK.logs += [self.log, self.output]
        self.addresses = []
        if wait:
            try:
                self.wait_ready()
            except BaseException:
                self.kill()
                raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_exc):
        if kind is not None:
            self.kill()
        elif self.process.poll() is None:
            self.stop()
        else:
            self._finish()

    # life

    def wait_ready(self):
        ready = self.log.wait("serve.ready", deadline_s=20)
        for text in ready.fields["listen"].split(","):
            host, _, port = text.rpartition(":")
            self.addresses.append((host.strip("[]"), int(port)))
        return ready

    @property
    def address(self):
        return self.addresses[0]

    def stop(self, deadline_s=10):
        """SIGTERM; ends with status 0 in time, logs it, and leaves no process behind."""
        self.process.send_signal(signal.SIGTERM)
        status = self.wait_end(deadline_s)
        assert status == 0, f"exit status {status} after SIGTERM"
        assert self.log.events("serve.stopped")

    def wait_end(self, deadline_s=10):
        """Exit status, once it has ended."""
        status = self.process.wait(deadline_s * patience())
        self._finish()
        return status

    def kill(self):
        """The hard way, with all its children: for a test that failed already, or wants just that."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(20)
        self.log.finish()
        self.output.finish()

    def _finish(self):
        self.log.finish()
        self.output.finish()
        assert_no_sanitizer_report(self.log.text())

    def hang_up(self):
        self.process.send_signal(signal.SIGHUP)

    def worker_pids(self):
        """The keeper's children, from /proc."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(word) for word in children.split()]

    # change

    def change(self, body, settings=None, dns=None):
        """New YAML in one step; returns the reload.done that followed."""
        mark = self.log.mark()
        self.site.write(body, settings, dns)
        return self.log.wait("reload.done", since=mark)

    # requests

    def exchange(self, data, sni="mta-sts.example.com", **options):
        return wire.exchange(self.address, sni, data, **options)

    def get(self, domain="example.com"):
        """The response to a plain GET for the domain's policy, with the certificate checked."""
        host = f"mta-sts.{domain}"
        context = wire.client_context(self.site.authority.root_file)
        outcome = wire.exchange(self.address, host, wire.request(host), context)
        assert not outcome.error, f"{host}: {outcome.error}"
        assert outcome.close_notify and not outcome.was_reset
        wire.assert_well_formed(outcome.response)
        return outcome.response

    def body(self, domain="example.com"):
        response = self.get(domain)
        assert response.status == 200
        return response.body

    def serves(self, domain="example.com"):
        """Does a handshake for the domain's host succeed?"""
        host = f"mta-sts.{domain}"
        context = wire.client_context(self.site.authority.root_file)
        return not wire.exchange(self.address, host, wire.request(host), context).error


class Hammer:
    """Asks for one policy without pause from a thread, while the test changes things. Keeps every body and
    error."""

    def __init__(self, server, domain="example.com"):
        self._server, self._domain = server, domain
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.bodies, self.errors = [], []
        self.leaves = []  # the certificates, in the order seen, repeats left out

    def _run(self):
        host = f"mta-sts.{self._domain}"
        context = wire.client_context(self._server.site.authority.root_file)
        while not self._is_over.is_set():
            try:
                outcome = wire.exchange(self._server.address, host, wire.request(host), context)
                assert not outcome.error, outcome.error
                assert outcome.close_notify and not outcome.was_reset
                response = outcome.response
                wire.assert_well_formed(response)
                assert response.status == 200, response.status
            except (AssertionError, OSError) as error:
                self.errors.append(error)  # judged by the test
                continue
            self.bodies.append(response.body)
            leaf = outcome.details["certificate"]
            if not self.leaves or self.leaves[-1] != leaf:
                self.leaves.append(leaf)

    def __enter__(self):
        self._thread.start()
        wait_until(lambda: self.bodies or self.errors, "the first answer")
        return self

    def __exit__(self, kind, *_exc):
        self._is_over.set()
        self._thread.join(30)
        if kind is None:
            assert not self._thread.is_alive()

    def wait_for(self, body, deadline_s=10.0):
        """Seconds until the body was seen."""
        start = time.monotonic()
        wait_until(lambda: self.bodies and self.bodies[-1] == body, f"the body {body!r}", deadline_s)
        return time.monotonic() - start

    def assert_only(self, *bodies):
        """Every request was answered, with one of these."""
        assert not self.errors, self.errors[:5]
        strange = [body for body in self.bodies if body not in bodies]
        assert not strange, strange[:3]

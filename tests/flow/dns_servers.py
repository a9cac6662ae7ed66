"""BIND and PowerDNS on loopback, in a folder of their own, on high ports; gone when the `with` ends."""

import base64
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import urllib.error
import urllib.request

import dns.exception
import dns.flags
import dns.message
import dns.query
import rig

KEY_NAME = "mta-sts"


class _Daemon:
    """A child process; stopped by its own pid."""

    def __init__(self, folder, argv):
        self.folder = folder
        self.log_file = open(folder / "log", "ab")  # noqa: SIM115: closed in stop()
        self.process = subprocess.Popen(
            [str(word) for word in argv],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self.log_file,
            stderr=subprocess.STDOUT,
            env=rig.environment(),
        )

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def is_up(self):
        assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.log()}"
        try:
            return self.ask("example.com.", "SOA") is not None
        except (OSError, dns.exception.DNSException):
            return False

    def __enter__(self):
        try:
            rig.wait_until(self.is_up, "an answer to a question for SOA")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_exc):
        self.stop()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.log_file.close()

    def ask(self, name, kind):
        """{(ttl, data)} of the answer, TXT joined; as dig would see it."""
        query = dns.message.make_query(name, kind)
        query.flags &= ~dns.flags.RD
        answer = dns.query.tcp(query, "127.0.0.1", port=self.port, timeout=2)
        found = []
        for rrset in answer.answer:
            if rrset.rdtype != query.question[0].rdtype:
                continue
            for rdata in rrset:
                data = b"".join(rdata.strings).decode() if kind == "TXT" else rdata.to_text()
                found.append((rrset.ttl, data))
        assert len(found) == len(set(found))
        return set(found)


def free_dns_port():
    """Free for TCP and UDP."""
    while True:
        port = rig.free_port()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def zone_skeleton(zone):
    return f"$ORIGIN {zone}.\n$TTL 3600\n@ SOA ns hostmaster 1 3600 600 86400 300\n@ NS ns\nns A 127.0.0.1\n"


class Bind(_Daemon):
    """named with these zones, which the holder of a TSIG key may update, and locked ones, which nobody may. A copy of the
    program: what AppArmor allows Debian's own one lies elsewhere than our folder.

    is_resolver: it follows CNAMEs from zone to zone, as a sender's resolver does."""

    def __init__(self, folder, *zones, locked=(), zone_tail="", is_resolver=False):
        folder.mkdir()
        recursion = "yes" if is_resolver else "no"
        self.dig_flag = "+recurse" if is_resolver else "+norecurse"
        self.port, control_port = free_dns_port(), free_dns_port()
        secret = base64.b64encode(os.urandom(32)).decode()
        key = f'key "{KEY_NAME}" {{ algorithm hmac-sha256; secret "{secret}"; }};\n'
        self.key_file = folder / "mta-sts.key"
        self.key_file.write_text(key)
        (folder / "rndc.conf").write_text(
            key
            + f'options {{ default-key "{KEY_NAME}"; default-server 127.0.0.1; default-port {control_port}; }};\n'
        )
        conf = (
            key
            + f'options {{ directory "{folder}"; pid-file "named.pid"; session-keyfile "session.key";\n'
            + f"listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion {recursion};\n"
            + "notify no; dnssec-validation no; empty-zones-enable no; };\n"
            + f'controls {{ inet 127.0.0.1 port {control_port} allow {{ 127.0.0.1; }} keys {{ "{KEY_NAME}"; }}; }};\n'
        )
        for zone in (*zones, *locked):
            (folder / f"{zone}.zone").write_text(zone_skeleton(zone) + zone_tail)
            who = "none" if zone in locked else f'key "{KEY_NAME}"'
            conf += f'zone "{zone}" {{ type primary; file "{zone}.zone"; allow-update {{ {who}; }}; }};\n'
        (folder / "named.conf").write_text(conf)
        shutil.copy("/usr/sbin/named", folder / "named")
        super().__init__(folder, [folder / "named", "-g", "-n", "1", "-c", folder / "named.conf"])

    def update(self, text):
        """Runs nsupdate on it; the finished command."""
        script = self.folder / "update"
        script.write_text(f"server 127.0.0.1 {self.port}\n{text}")
        return rig.run("nsupdate", "-t", "50", "-k", self.key_file, script)

    def dig(self, name, kind):
        finished = rig.run("dig", "+short", self.dig_flag, "@127.0.0.1", "-p", self.port, name, kind)
        assert finished.status == 0, finished.err
        return finished.out.decode().splitlines()


class PowerDns(_Daemon):
    """PowerDNS with its HTTP API on SQLite."""

    API_KEY = "secret"

    def __init__(self, folder, *zones):
        folder.mkdir()
        self.zones = zones
        self.port, self.api_port = free_dns_port(), rig.free_port()
        schema = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql"
        database = sqlite3.connect(folder / "database")
        with open(schema, encoding="ascii") as statements:
            database.executescript(statements.read())
        database.close()
        options = {
            "config-dir": folder,
            "socket-dir": folder,
            "launch": "gsqlite3",
            "gsqlite3-database": folder / "database",
            "local-address": "127.0.0.1",
            "local-port": self.port,
            "webserver-address": "127.0.0.1",
            "webserver-port": self.api_port,
            "api": "yes",
            "api-key": self.API_KEY,
            "daemon": "no",
            "guardian": "no",
            "cache-ttl": 0,
            "query-cache-ttl": 0,
            "negquery-cache-ttl": 0,
            "zone-cache-refresh-interval": 0,
        }
        super().__init__(
            folder, ["/usr/sbin/pdns_server", *(f"--{key}={value}" for key, value in options.items())]
        )

    @property
    def url(self):
        return f"http://127.0.0.1:{self.api_port}/api/v1/servers/localhost/zones"

    def is_up(self):
        assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.log()}"
        try:
            with urllib.request.urlopen(self._request("GET", self.url), timeout=5):
                pass
        except OSError:
            return False
        for zone in self.zones:
            body = {
                "name": zone + ".",
                "kind": "Native",
                "nameservers": [f"ns.{zone}."],
                "soa_edit_api": "DEFAULT",
            }
            assert self.call("POST", self.url, json.dumps(body)) == (201, ""), self.log()
        return super().is_up()

    def _request(self, method, url, body=None):
        headers = {"X-API-Key": self.API_KEY, "Content-Type": "application/json"}
        return urllib.request.Request(url, body.encode() if body else None, headers, method=method)

    def call(self, method, url, body):
        """Status and what is said about an error."""
        try:
            with urllib.request.urlopen(self._request(method, url, body), timeout=5) as answer:
                return answer.status, ""
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def patch(self, text):
        """Each line of what `records --format powerdns` printed to the zone that it names."""
        for line in text.splitlines():
            outcome = self.call("PATCH", f"{self.url}/{json.loads(line)['name']}", line)
            assert outcome == (204, ""), outcome

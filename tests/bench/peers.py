"""The servers that tests/bench/handshake compares, each on loopback, on the server's core, as processes of its own.

All serve the same policies, none resumes sessions; the settings are those that an expert would choose."""

import contextlib
import json
import os
import pathlib
import re
import subprocess

import rig

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
START_MAX_S = 180  # nginx with 10,000 certificates takes a quarter of a minute on a quiet machine
ONLY_HOST, RSA_HOST = "mta-sts.t0000.example", "mta-sts.rsa.example"


def domain_of(number):
    return f"t{number:04}.example"  # as peer_host in peer.c


def policy_of(mx):
    return f"version: STSv1\r\nmode: enforce\r\nmx: {mx}\r\nmax_age: 604800\r\n"


def family(pid):
    """A process and its descendants."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


class Peer:
    """A server that runs: its processes, and what they have used."""

    def __init__(self, title, process, port, tenants):
        self.title, self.port, self.tenants = title, port, str(tenants)
        self._process = process
        self.started_s = self.core_rate = None  # filled in by whoever measures

    def pids(self):
        return family(self._process.pid)

    def cpu_ns(self):
        """What all threads have run, user and system; in ticks where the kernel does not say it exactly."""
        total = 0
        for pid in self.pids():
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    total += int((task / "schedstat").read_text().split()[0])
        return total or sum(self.ticks()) * 1_000_000_000 // TICKS_PER_S

    def ticks(self):
        """User and system, in ticks: good for the proportion of the two."""
        fields = [
            pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.pids()
        ]
        return [sum(int(f[11]) for f in fields), sum(int(f[12]) for f in fields)]

    def memory_kb(self):
        """Proportional share, and what belongs to this peer's processes alone."""
        pss = private = 0
        for pid in self.pids():
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            value = {name: int(kb) for name, kb in re.findall(r"^(\w+):\s+(\d+) kB", text, re.M)}
            pss += value["Pss"]
            private += value["Private_Clean"] + value["Private_Dirty"]
        return {"pss": pss, "private": private}

    def descriptor_count(self):
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.pids())

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)


class Own(Peer):
    """This server; rig.py starts and stops it."""

    def __init__(self, title, server, tenants, metrics):
        super().__init__(title, server.process, server.address[1], tenants)
        self.server, self.metrics = server, metrics

    def worker_pid(self):
        return self.server.worker_pids()[0]

    def stop(self):
        self.server.stop(60)


def start(title, command, port, tenants, folder):
    """A program that stays in the foreground; what it says goes to a file in folder."""
    with open(folder / "said", "wb") as said:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd=folder,
            env=rig.environment(HOME=str(folder), XDG_DATA_HOME=str(folder), XDG_CONFIG_HOME=str(folder)),
        )
    return Peer(title, process, port, tenants)


def wait_answer(peer, ask):
    """Until ask(peer) is true."""
    rig.wait_until(lambda: ask(peer), f"the first answer of {peer.title}", START_MAX_S)


# --- this server ----------------------------------------

# Deadlines as nginx has them: where thousands of connections are held, none shall be over before all are there.
LIMITS = (
    "{connections: 40000, handshakes: 40000, handshake_timeout_ms: 60000, request_timeout_ms: 60000, "
    "linger_timeout_ms: 60000}"
)


def own(title, folder, certs, count, pin, **options):
    """One worker; count tenants and the one with the RSA key. options: as for rig.Server."""
    site = rig.Site(folder)
    site.certs = certs
    domains = [*(domain_of(i) for i in range(count)), "rsa.example"]
    settings = {"workers": 1, "metrics": f"127.0.0.1:{rig.free_port()}", "limits": LIMITS}
    site.write(rig.domains(*(rig.tenant(d, mx=f"[mail.{d}]") for d in domains)), settings)
    server = site.serve(prefix=pin, **options)
    return Own(title, server, ONLY_HOST if count == 1 else count, settings["metrics"])


# --- nginx ----------------------------------------

NGINX = """\
worker_processes 1;
daemon off;
pid nginx.pid;
error_log error.log crit;
{user}
events {{ worker_connections 8192; multi_accept on; }}
http {{
	access_log off;
	server_tokens off;
	default_type text/plain;
	keepalive_timeout 0;
	tcp_nodelay on;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	ssl_protocols TLSv1.2 TLSv1.3;
	ssl_ciphers ECDHE+AESGCM;
	ssl_ecdh_curve X25519:prime256v1;
	ssl_session_cache off;
	ssl_session_tickets off;
	ssl_conf_command NumTickets 0;
	ssl_buffer_size 4k;
{rest}
}}
"""


def nginx_block(listen, names, pair, mx):
    text = policy_of(mx).replace("\r\n", r"\r\n")
    return (
        f"\tserver {{ listen {listen}; server_name {names};\n"
        f"\t\tssl_certificate {pair}/fullchain.pem; ssl_certificate_key {pair}/privkey.pem;\n"
        f'\t\tlocation = /.well-known/mta-sts.txt {{ return 200 "{text}"; }} }}\n'
    )


def nginx(title, folder, rest, port, tenants, pin):
    folder.mkdir()
    user = "user root;" if rig.IS_ROOT else ""  # the worker reads keys itself where their names are variables
    (folder / "nginx.conf").write_text(NGINX.format(user=user, rest=rest))
    return start(title, [*pin, "nginx", "-p", folder, "-c", folder / "nginx.conf"], port, tenants, folder)


def nginx_blocks(title, folder, certs, count, pin):
    """A server block with its own certificate for each tenant."""
    port = rig.free_port()
    domains = [domain_of(i) for i in range(count)]
    rest = "\tserver_names_hash_max_size 131072; server_names_hash_bucket_size 128;\n"
    listen = f"127.0.0.1:{port} ssl"
    rest += nginx_block(
        f"{listen} backlog=4096", "mta-sts.rsa.example", certs / "rsa.example", "mail.rsa.example"
    )
    rest += "".join(nginx_block(listen, f"mta-sts.{d}", certs / d, f"mail.{d}") for d in domains)
    return nginx(title, folder, rest, port, ONLY_HOST if count == 1 else count, pin)


def nginx_map(title, folder, certs, count, pair_count, pin):
    """One block; the name is looked up in a map, and the certificate's file follows from that."""
    port = rig.free_port()
    with open(folder.parent / f"{folder.name}.map", "w") as out:
        out.writelines(f"mta-sts.{domain_of(i)} {domain_of(i % pair_count)};\n" for i in range(count))
        out.write("mta-sts.rsa.example rsa.example;\n")
    rest = (
        "\tmap_hash_max_size 4194304; map_hash_bucket_size 128;\n"
        f'\tmap $ssl_server_name $pair {{ default ""; include {out.name}; }}\n'
    )
    name = r"~^mta-sts\.(?<domain>.+)$"
    rest += nginx_block(f"127.0.0.1:{port} ssl backlog=4096", name, f"{certs}/$pair", "mail.$domain")
    return nginx(title, folder, rest, port, count, pin)


# --- the others ----------------------------------------


def caddy(title, folder, certs, pin):
    port = rig.free_port()
    folder.mkdir()
    domains = [domain_of(0), "rsa.example"]
    files = [
        {"certificate": str(certs / d / "fullchain.pem"), "key": str(certs / d / "privkey.pem")}
        for d in domains
    ]
    routes = [
        {
            "match": [{"host": [f"mta-sts.{d}"], "path": ["/.well-known/mta-sts.txt"]}],
            "handle": [
                {
                    "handler": "static_response",
                    "status_code": 200,
                    "headers": {"Content-Type": ["text/plain"]},
                    "body": policy_of(f"mail.{d}"),
                    "close": False,
                }
            ],
            "terminal": True,
        }
        for d in domains
    ]
    server = {
        "listen": [f"127.0.0.1:{port}"],
        "protocols": ["h1"],
        "routes": routes,
        "automatic_https": {"disable": True},
        "tls_connection_policies": [{"alpn": ["http/1.1"], "curves": ["x25519", "secp256r1"]}],
    }
    apps = {
        "http": {"servers": {"policies": server}},
        "tls": {"certificates": {"load_files": files}, "session_tickets": {"disabled": True}},
    }
    config = {"admin": {"disabled": True}, "logging": {"logs": {"default": {"level": "ERROR"}}}, "apps": apps}
    (folder / "caddy.json").write_text(json.dumps(config))
    command = [*pin, "caddy", "run", "--config", folder / "caddy.json"]
    return start(title, command, port, ONLY_HOST, folder)


def bare(title, folder, program, pin):
    port = rig.free_port()
    folder.mkdir()
    return start(title, [*pin, program, port, ONLY_HOST], port, ONLY_HOST, folder)

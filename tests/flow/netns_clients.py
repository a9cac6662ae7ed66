"""Runs inside a network and mount namespace of its own (see test_real_clients.py): our server on port 443,
a small DNS server that answers with the records our own command printed, and real clients. What they saw goes
into facts.json.

usage: netns_clients.py FOLDER      FOLDER holds tenants.json, root.pem and the certificates."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import rig

DNS_PORT = 53


# --- a resolver for this namespace ----------------------------------------


class DnsServer:
    """Authoritative for the records it was given, NXDOMAIN for everything else; UDP only."""

    def __init__(self, records):
        self._rrsets = {}
        for record in records:
            key = (record["name"].lower(), record["type"])
            data = f'"{record["data"]}"' if record["type"] == "TXT" else record["data"]
            self._rrsets.setdefault(key, (record["ttl"], []))[1].append(data)
        self.asked = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", DNS_PORT))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            wire, peer = self._socket.recvfrom(4096)
            self._socket.sendto(self._answer(dns.message.from_wire(wire)).to_wire(), peer)

    def _answer(self, query):
        question = query.question[0]
        name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append([name, kind])
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA | dns.flags.RA
        if (name, kind) in self._rrsets:
            ttl, values = self._rrsets[name, kind]
            answer.answer.append(dns.rrset.from_text(question.name, ttl, "IN", kind, *values))
        elif not any(owner == name for owner, _ in self._rrsets):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer


def bind_over(target, text, folder):
    """Lets everybody in this namespace read text where the file target is."""
    source = folder / target.strip("/").replace("/", "_")
    source.write_text(text)
    subprocess.run(["mount", "--bind", str(source), target], check=True)


def prepare_namespace(folder):
    """Loopback up, name resolution by our DNS server alone; the machine's own files stay as they are."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    bind_over("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n", folder)
    bind_over("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n", folder)
    bind_over("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n", folder)


# --- the clients ----------------------------------------


async def _resolve(domains):
    from postfix_mta_sts_resolver.resolver import STSResolver  # needs the namespace's resolv.conf

    resolver = STSResolver(loop=asyncio.get_running_loop())
    found = {}
    for domain in domains:
        result, policy = await resolver.resolve(domain)
        known = policy[0] if policy else None
        again, _ = await resolver.resolve(domain, last_known_id=known)
        found[domain] = {"result": result.name, "policy": policy, "again": again.name}
    return found


def ask_client(command):
    process = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=90,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return {
        "status": process.returncode,
        "out": process.stdout.decode("latin-1"),
        "err": process.stderr.decode("utf-8", "replace"),
    }


def main():
    folder = Path(sys.argv[1])
    tenants = json.loads((folder / "tenants.json").read_text())
    prepare_namespace(folder)
    os.environ["SSL_CERT_FILE"] = str(folder / "root.pem")
    site = rig.Site(folder)
    site.write(
        rig.domains(*(rig.tenant(name, **changes) for name, changes in tenants.items())),
        settings={"listen": '["127.0.0.1:443"]'},
        dns={"addresses": "[127.0.0.1]"},
    )
    with site.serve():
        records = site.records()
        names = DnsServer(records)
        url = {name: f"https://mta-sts.{name}/.well-known/mta-sts.txt" for name in tenants}
        facts = {
            "records": records,
            "printed": {name: site.policy(name).decode("latin-1") for name in tenants},
            "resolver": asyncio.run(_resolve([*tenants, "nowhere.example"])),
            "query": {name: ask_client(["mta-sts-query", name]) for name in tenants},
            "curl": {
                name: ask_client(
                    [
                        "curl",
                        "--silent",
                        "--show-error",
                        "--include",
                        "--max-time",
                        "20",
                        "--cacert",
                        str(folder / "root.pem"),
                        url[name],
                    ]
                )
                for name in tenants
            },
            # Courier's comsts.c runs wget with these
            "wget": {
                name: ask_client(
                    [
                        "wget",
                        "--timeout",
                        "60",
                        "--max-redirect",
                        "0",
                        "-q",
                        "-O",
                        "-",
                        "--ca-certificate",
                        str(folder / "root.pem"),
                        url[name],
                    ]
                )
                for name in tenants
            },
            "wget_untrusted": ask_client(
                [
                    "wget",
                    "--timeout",
                    "60",
                    "--max-redirect",
                    "0",
                    "-q",
                    "-O",
                    "-",
                    "--ca-certificate",
                    "/dev/null",
                    next(iter(url.values())),
                ]
            ),
            "asked": names.asked,
        }
    (folder / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    try:
        main()
    finally:
        sys.stderr.write(rig.BOOK.text() + "\n")

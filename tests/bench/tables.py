"""What tests/bench/handshake found, as Markdown: tables, goals, and the sentence on what it costs to run."""

import datetime
import re
import statistics

import plan
import report

ECDSA = ("TLS 1.3 X25519", "TLS 1.3 P-256", "TLS 1.2 P-256")
LIMIT_PARTS = {
    "TLS 1.3 X25519": ("sign P-256", "X25519"),
    "TLS 1.3 P-256": ("sign P-256", "ECDH P-256"),
    "TLS 1.2 P-256": ("sign P-256", "ECDH P-256"),
    "RSA-2048": ("sign RSA-2048", "X25519"),
}
CPU_RATIO_MAX, RATE_RATIO_MIN = 0.7, 1.4
BUSY = 0.95  # of the server's core: below that it was the client who could not do more

# What the sentence about a small machine assumes.
VPS_MB, SYSTEM_MB = 512, 200
TENANTS_MIN = 1000  # fewer are lost among pages of 4 KB
CPU_SHARE = 0.5  # of the vCPU on average: the other half is for the hour when all come
SENDERS_A_DAY = 20  # that ask for one tenant's policy


def median(rows, key):
    return statistics.median(row[key] for row in rows)


def ratio(full, title, case, key):
    """Median over the rounds of one round's ratio to nginx with one certificate, and how much it varies in %."""
    ratios = [a[key] / b[key] for a, b in zip(full[title, case], full[plan.NGINX, case])]
    spread = statistics.stdev(ratios) / statistics.mean(ratios) * 100 if len(ratios) > 1 else 0.0
    return statistics.median(ratios), spread


def cpu_cell(full, title, case):
    """User + system · ratio ± how much that varies."""
    if (title, case) not in full:
        return "–"
    cpu = median(full[title, case], "cpu_us")
    user, system = (sum(row[key] for row in full[title, case]) for key in ("user_ticks", "system_ticks"))
    user_us = cpu * user / max(user + system, 1)
    value, spread = ratio(full, title, case, "cpu_us")
    shown = f"{user_us:.0f} + {cpu - user_us:.0f} · {value:.2f}"
    return shown if title == plan.NGINX or plan.ROUNDS == 1 else f"{shown} ± {spread:.0f} %"


def limit_row(full, speeds):
    """The bare connection and the two operations with a key."""
    cells = []
    for case, parts in LIMIT_PARTS.items():
        total = median(full[plan.BARE, plan.FIRST], "cpu_us") + sum(median(speeds, part) for part in parts)
        cells.append(f"{total:.0f} · {total / median(full[plan.NGINX, case], 'cpu_us'):.2f}")
    return ["limit: that and OpenSSL's signature and key exchange", *cells]


def rate_cell(full, title, case):
    if (title, case) not in full:
        return "–"
    rows = full[title, case]
    at_core = f"{median(rows, 'core_rate'):.0f} · {ratio(full, title, case, 'core_rate')[0]:.2f}"
    return f"{at_core} ({median(rows, 'rate'):.0f} at {median(rows, 'busy'):.0%})"


def latency_row(latency, title):
    rows, base = latency[title], latency[plan.NGINX]
    cells = [rows[0]["offered"]]
    for key in ("p50_ms", "p99_ms"):
        value = median(rows, key)
        cells.append(f"{value:.2f} · {value / max(median(base, key), 0.001):.2f}")
    return [title, *cells, sum(r["bad"] for r in rows)]


def memory_row(memory, title):
    cells = []
    for state in ("rest", "nothing", "handshake_only"):
        for key in ("pss", "private"):
            value = memory[title].get(state, {}).get(key)
            base = memory[plan.NGINX][state][key]
            cells.append("–" if value is None else f"{value / 1024:.1f} · {value / max(base, 1):.2f}")
    return [title, *cells]


def goals(full, heap):
    """(what, goal, measured, is it met)."""
    rows = []
    for case in ECDSA:
        value = ratio(full, plan.OURS, case, "cpu_us")[0]
        rows.append((f"CPU, {case}", f"≤ {CPU_RATIO_MAX} × nginx", f"{value:.2f}", value <= CPU_RATIO_MAX))
    for case in ECDSA:
        value, goal = ratio(full, plan.OURS, case, "core_rate")[0], f"≥ {RATE_RATIO_MIN} × nginx"
        rows.append((f"handshakes a second, {case}", goal, f"{value:.2f}", value >= RATE_RATIO_MIN))
    for state, (_, goal) in plan.HEAP_STATES.items():
        value = heap[state]["bytes"]
        if goal:
            rows.append((f"heap, {state}", f"≤ {goal} bytes", f"{value:.0f}", value <= goal))
    left = max(row["left_bytes"] for row in heap.values())
    rows.append(("heap, after they left", "0 bytes", left, left <= 0))
    return [(*row[:3], "met" if row[3] else "not met") for row in rows]


def running_cost(cpu_us, one_kb, many_kb, tenant_count):
    """The README's paragraph: cpu_us of one fetch, resting memory with one tenant and with tenant_count."""
    if tenant_count < TENANTS_MIN:
        return f"What a tenant costs cannot be told from {tenant_count}."
    fetches = int(86400 * 1e6 * CPU_SHARE / cpu_us)
    tenant_kb = max((many_kb - one_kb) / max(tenant_count - 1, 1), 0.01)
    by_cpu, by_memory = fetches // SENDERS_A_DAY, int(((VPS_MB - SYSTEM_MB) * 1024 - one_kb) / tenant_kb)
    count = min(by_cpu, by_memory)
    digits = 10 ** max(len(str(count)) - 2, 0)
    count = count // digits * digits
    return (
        f"A VPS with one vCPU and {VPS_MB} MB serves {count:,} tenants with certificates of their own at "
        f"{count * SENDERS_A_DAY:,} fetches a day; {'the CPU' if by_cpu <= by_memory else 'memory'} is what ends "
        f"first. The arithmetic: a full handshake and GET take {cpu_us:.0f} µs of CPU, so {CPU_SHARE:.0%} of a "
        f"day's 86,400 s are {fetches:,} fetches, or {by_cpu:,} tenants that {SENDERS_A_DAY} senders ask for "
        f"once a day. The server takes {one_kb / 1024:.1f} MB and {tenant_kb:.2f} KB for each tenant, so "
        f"{VPS_MB} MB less {SYSTEM_MB} MB for the system hold {by_memory:,}."
    )


def primitives_table(speeds):
    rows = ([name, f"{median(speeds, name):.0f}"] for name in speeds[0])
    return report.table(["OpenSSL on this core", "µs"], *rows)


KINDS = {  # of what a profile's samples are in
    "the kernel": r"\[kernel",
    "libcrypto and libsodium": r"lib(crypto|sodium)",
    "libc": r"libc\.",
    "this program with mbedTLS": r"mta-sts-server",
}


def profile_text(hot):
    """hot: rows and the share of each library, or why there are none."""
    if isinstance(hot, str):
        return hot
    whole = sum(hot["libraries"].values())
    parts = []
    for kind, pattern in KINDS.items():
        share = sum(part for library, part in hot["libraries"].items() if re.match(pattern, library)) / whole
        parts.append(f"{share:.0%} {kind}")
    return (
        report.table(["function", "in", "of samples"], *hot["rows"])
        + f"\nBy where they are: {', '.join(parts)}. What is left is what a connection is made of. The kernel accepts, "
        "reads, writes, shuts down, closes and wakes up: the bare TCP row above does no less. The libraries make one "
        "signature, a key pair, a shared secret, and the transcript's hashes, and no faster ones are at hand. The rest "
        "is spread over the many small functions of TLS, none of which would repay a change of its own.\n"
    )


def heap_table(heap):
    rows = ([state, f"{row['bytes']:.0f}", row["left_bytes"]] for state, row in heap.items())
    head = ["a connection of this server", "bytes of heap", f"bytes left after {plan.OPEN} have gone"]
    return report.table(head, *rows)


def memory_table(found):
    states = ("rest", "nothing sent", "handshake done")
    heads = [f"{state}: {kind}" for state in states for kind in ("Pss", "private")]
    return report.table(
        [f"MB · × nginx; {plan.OPEN} connections", *heads, "s to first answer"],
        *([*memory_row(found["memory"], t), f"{found['started_s'][t]:.1f}"] for t in found["titles"]),
    )


def latency_table(latency):
    head = ["offered a second", "p50 ms · × nginx", "p99 ms · × nginx", "failed"]
    return report.table(
        [f"latency, {plan.FIRST}", *head], *(latency_row(latency, title) for title in latency)
    )


def case_table(found, head, cell, *more):
    rows = ([t, *(cell(found["full"], t, case) for case in plan.CASES)] for t in found["titles"])
    return report.table([head, *plan.CASES], *rows, *more)


def introduction(found):
    rows = [row for rows in found["full"].values() for row in rows]
    good, bad = (sum(row[key] for row in rows) for key in ("good", "bad"))
    before, after = found["load_average"]
    return (
        f"`make bench`, {datetime.date.today()}, version {report.version()}. {report.machine()}; "
        f"{found['versions']}. Server on core {plan.CORES[-1]}, clients on "
        f"{', '.join(map(str, plan.CORES[:-1]))}, load average {before:.1f} before and {after:.1f} after. Medians "
        f"of {plan.ROUNDS} rounds, all peers one after the other in each, and medians of the rounds' ratios to "
        "nginx with one certificate, ± their coefficient of variation. Every connection is a full handshake with "
        "AES-128-GCM, a GET and an orderly close; ECDSA P-256 leaf and issuer, except for RSA-2048 (both, "
        f"TLS 1.3 X25519); no tickets; one worker. Of {good + bad} answers {bad} were no policy."
    )


def render(found):
    full = found["full"]
    return "\n".join(
        [
            f"## Handshake\n\n{introduction(found)}\n",
            case_table(
                found, "µs of CPU, user + system · × nginx", cpu_cell, limit_row(full, found["speeds"])
            ),
            "The limit leaves out ephemeral keys, hashing and the second round trip. A full core: connections by the "
            "server's CPU seconds. Measured is what clients got, at that share of the server's core; below "
            f"{BUSY:.0%} the clients' cores were the limit, or others had a part of the server's.\n",
            case_table(found, "handshakes a second of a full core · × nginx (measured, at CPU)", rate_cell),
            "Latency in an open loop, at one rate for all: half of nginx's measured one; for who cannot take that, half "
            "of what it can do. A time runs from when the request was due.\n",
            latency_table(found["latency"]),
            "Pss and private memory (clean and dirty) of all processes of a peer.\n",
            memory_table(found),
            heap_table(found["heap"]),
            primitives_table(found["speeds"]),
            report.table(["goal", "", "measured", ""], *goals(full, found["heap"])),
            f"Profile of the worker, {plan.FIRST}, one tenant, `perf record -e cpu-clock`:\n",
            profile_text(found["profile"]),
            found["sentence"],
        ]
    )

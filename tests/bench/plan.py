"""What `make bench` measures: cases, peers and states, and from the environment how much of it."""

import os

import peers

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))
BLOCKS = int(os.environ.get("BENCH_BLOCKS", "10000"))
NAMES = int(os.environ.get("BENCH_NAMES", "1000000"))
OPEN = int(os.environ.get("BENCH_OPEN", "1000"))
LATENCY_ROUNDS = (ROUNDS + 1) // 2
LATENCY_S = 2 * SECONDS
THREADS, LATENCY_THREADS = 16, 64
PROFILE_S = 5
PROFILE_HZ = 2999  # no divisor of what timers in the server do
CORES = sorted(os.sched_getaffinity(0))
PIN_SERVER = ["taskset", "-c", str(CORES[-1])]
PIN_CLIENT = ["taskset", "-c", ",".join(map(str, CORES[:-1]))]

# speech of bench/load, host if not one of the peer's tenants
CASES = {
    "TLS 1.3 X25519": ("1.3:X25519", None),
    "TLS 1.3 P-256": ("1.3:P-256", None),
    "TLS 1.2 P-256": ("1.2:P-256", None),
    "RSA-2048": ("1.3:X25519", peers.RSA_HOST),
}
FIRST = "TLS 1.3 X25519"

OURS, OURS_MANY = "mta-sts-server", f"mta-sts-server, {BLOCKS} certificates"
NGINX = "nginx, one certificate"
NGINX_BLOCKS = f"nginx, {BLOCKS} server blocks"
NGINX_MAP = f"nginx, map of {NAMES} names"
CADDY, BARE = "Caddy", "accept, read, write, close; no TLS"

# kind of bench/stall, goal in bytes of heap
HEAP_STATES = {
    "nothing sent": ("nothing", 1024),
    "half a ClientHello": ("half_hello", None),
    "in handshake": ("half_handshake", 24576),
    "handshake done": ("handshake_only", None),
}

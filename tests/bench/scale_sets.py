"""Tenants by the million: names, policies, files, certificates. The same ones at every run."""

import os
import pathlib
import subprocess
import threading

import asker
import pki

POLICY_COUNT = 20
SMALL_COUNT = 100
FIRST_WORDS = (
    "alpha nord sued west blue green silver stone river hill sun moon star wolf bear fox eagle iron copper gold "
    "red black white old new city lake forest garden bridge harbor castle "
    "bücher müller köln café peña zürich søren łódź"
).split()
PLAIN_WORD_COUNT = sum(word.isascii() for word in FIRST_WORDS)  # they come first
SECOND_WORDS = (
    "works consulting media design law dental clinic school studio labs group partners trade logistics travel "
    "hotel bakery cafe bikes motors energy solar systems software hosting cloud data books music film foto sport "
    "yoga reisen"
).split()
ENDINGS = "com com com com net org de de co.uk nl fr io eu info com.br ch".split()
PREFIXES = "mail shop news lists support".split()  # one in ten is a domain below another


def _mixed(i):
    """A number that looks random, always the same."""
    return (i * 2654435761 + 97531) % 4294967296 * 2246822519 % 4294967296 >> 4


def name_of(i):
    """The i-th domain as its owner writes it: some have letters beyond ASCII."""
    x = _mixed(i)
    first, x = FIRST_WORDS[x % (len(FIRST_WORDS) if i % 6 == 0 else PLAIN_WORD_COUNT)], x // 40
    second, x = SECOND_WORDS[x % len(SECOND_WORDS)], x // len(SECOND_WORDS)
    ending, x = ENDINGS[x % 16], x // 16
    prefix = f"{PREFIXES[x % 5]}." if x % 10 == 0 else ""
    return f"{prefix}{first}-{second}{i}.{ending}"


def host_of(name):
    return "mta-sts." + name.encode("idna").decode()


def policy_of(i):
    """The provider's own for two thirds, some smaller ones for the rest."""
    x = _mixed(i + 7)
    return 0 if x % 3 else 1 + x // 3 % (POLICY_COUNT - 1)


def row_of(i, name):
    """Mostly a policy by name; some overrule it; some have all of their own."""
    x, p = _mixed(i + 13) % 100, policy_of(i)
    if x < 84:
        return f"  {name}: p{p}\n"
    if x < 89:
        return f"  {name}: {{policy: p{p}, mode: testing}}\n"
    if x < 92:
        return f"  {name}: {{policy: p{p}, max_age: {86400 + i % 30 * 86400}}}\n"
    if x < 94:
        return f"  {name}:\n    policy: p{p}\n    ttl: 600\n    tls_rpt: [\"mailto:tls@{name}\"]\n"
    lines = ["mode: enforce", "max_age: 1209600", "mx:", f"  - mx1.{name}", f"  - mx2.{name}"]
    return f"  {name}:\n" + "".join(f"    {line}\n" for line in [*lines, f'  - "*.backup{i % 7}.example.net"'])


def body(mx, mode="enforce", max_age=604800):
    lines = ["version: STSv1", f"mode: {mode}", *(f"mx: {name}" for name in mx), f"max_age: {max_age}", ""]
    return "\r\n".join(lines).encode()


def own_row(name, generation):
    return f"  {name}: {{mode: enforce, max_age: 604800, mx: [mail{generation}.own.example]}}\n"


def own_body(generation):
    return body([f"mail{generation}.own.example"])


def policy_mx(p, generation):
    return [f"mx{n}-{generation}.p{p}.provider.example" for n in (1, 2)]


def policies(generation):
    """All shared ones; each domain that has one by name depends on it."""
    rows = [
        f"  p{p}: {{mode: enforce, max_age: 604800, mx: [{', '.join(policy_mx(p, generation))}]}}\n"
        for p in range(POLICY_COUNT)
    ]
    return "policies:\n" + "".join(rows)


def policy_body(i, generation):
    return body(policy_mx(policy_of(i), generation))


class Tenants:
    """count of them. sample: numbers of some that have a shared policy and nothing else, the first and the last
    of the file and the last of the alphabet among them. own: a number whose policy is its own (own_row)."""

    def __init__(self, count):
        self.count = count
        self.names = [name_of(i) for i in range(count)]
        last = max(range(count), key=lambda i: host_of(self.names[i]) if self.names[i].isascii() else "")
        spread = {count * k // 7 for k in range(7)}
        self.sample = sorted({*spread, last, count - 1})
        self.own = count // 3

    def rows(self, first=0, end=None, own_generation=0):
        sample = set(self.sample)
        for i in range(first, self.count if end is None else end):
            if i == self.own:
                yield own_row(self.names[i], own_generation)
            elif i in sample:
                yield f"  {self.names[i]}: p{policy_of(i)}\n"
            else:
                yield row_of(i, self.names[i])

    def sample_names(self):
        return [self.names[i] for i in [*self.sample, self.own]]


def small_names():
    """Tenants of a small file beside the large one."""
    return [f"small{i}.example" for i in range(SMALL_COUNT)]


def small_file(changed=-1, generation=0):
    rows = [own_row(name, generation if i == changed else 0) for i, name in enumerate(small_names())]
    return ("domains:\n" + "".join(rows)).encode()


class OneFile:
    """All in the main file; policies and a hundred tenants in files that it includes."""

    title = "one file of all, two small ones"

    def __init__(self, site, tenants, settings):
        self._site = site
        self.tenants = tenants
        head = site.head(settings) + "include: [policies.yaml, small.yaml]\ndomains:\n"
        self._before = (head + "".join(tenants.rows(0, tenants.own))).encode()
        self._behind = "".join(tenants.rows(tenants.own + 1)).encode()
        self.one_names = small_names()
        self.write_policies(0)
        pki.replace_file(site.folder / "small.yaml", small_file())
        self.write_own(0)

    def write_own(self, generation):
        """The tenant with a policy of its own, in the large file. Returns the moment of the rename."""
        name = self.tenants.names[self.tenants.own]
        return _put(self._site.yaml, self._before + own_row(name, generation).encode() + self._behind)

    def write_policies(self, generation):
        return _put(self._site.folder / "policies.yaml", policies(generation).encode())

    def write_one(self, number, generation):
        """One of one_names gets the policy own_body(generation); the others have own_body(0)."""
        return _put(self._site.folder / "small.yaml", small_file(number, generation))


class ManyFiles:
    """A file for each tenant in an included folder."""

    title = "a file for each"

    def __init__(self, site, tenants, settings):
        self.tenants = tenants
        self._folder = site.folder / "domains.d"
        self._folder.mkdir()
        self._policies = site.folder / "policies.yaml"
        self.write_policies(0)
        for i, row in enumerate(tenants.rows()):
            (self._folder / f"{i:06}.yaml").write_bytes(b"domains:\n" + row.encode())
        site.write("include: [policies.yaml, domains.d/*.yaml]\n", settings)
        self.one_names = [tenants.names[tenants.own]]

    def write_policies(self, generation):
        return _put(self._policies, policies(generation).encode())

    def write_one(self, _number, generation):
        row = own_row(self.one_names[0], generation)
        return _put(self._folder / f"{self.tenants.own:06}.yaml", b"domains:\n" + row.encode())


def _put(path, content):
    """As an editor does. The moment before the rename, microseconds of the monotonic clock."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content)
    at_us = asker.now_us()
    fresh.rename(path)
    return at_us


def mint(program, folder, groups, seed="first"):
    """A pair for each group of domain names, on all CPUs: folder/live/<first name>/fullchain.pem and its key."""
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    words = [str(program), str(folder), seed]
    subprocess.run(words, stdin=subprocess.DEVNULL, check=True)  # the issuer, before there are two of us
    share = os.cpu_count() or 1
    running = []
    for part in range(share):
        hosts = ([host_of(name) for name in group] for group in groups[part::share])
        process = subprocess.Popen(words, stdin=subprocess.PIPE)
        running.append((process, "".join(f"{h[0][8:]} {' '.join(h)}\n" for h in hosts).encode()))
    for process, text in running[1:]:
        threading.Thread(target=process.communicate, args=(text,), daemon=True).start()
    running[0][0].communicate(running[0][1])
    for process, _ in running:
        if process.wait() != 0:
            raise AssertionError("mint failed")

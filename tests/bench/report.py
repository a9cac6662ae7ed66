"""What the benchmarks print: Markdown tables, the machine, and sections of RESULTS.md that replace each other."""

import json
import os
import pathlib
import platform
import re

import rig

FOLDER = pathlib.Path(__file__).resolve().parent


def table(*rows):
    head, *rest = [[str(cell) for cell in row] for row in rows]
    ruler = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ruler, *rest)) + "\n"


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)", info, re.M)
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]
    cpu = f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores"
    return f"{cpu}, {round(int(memory) / 1048576)} GiB, {platform.system()} {platform.release()}"


def version():
    return rig.run(rig.BINARY, "--version").out.decode().split()[1]


def keep(text, figures=None):
    """In RESULTS.md, in place of the section of the same title; figures go to results/<title>.json."""
    path = FOLDER / "RESULTS.md"
    old = path.read_text() if path.exists() else "# Measured\n"
    title = text.partition("\n")[0]
    head, _, rest = old.partition(f"{title}\n")
    tail = re.search(r"^## ", rest, re.M)
    path.write_text(f"{head.rstrip()}\n\n{text.rstrip()}\n" + (f"\n{rest[tail.start():]}" if tail else ""))
    if figures is not None:
        name = title.lstrip("# ").lower().replace(" ", "-")
        (FOLDER / "results").mkdir(exist_ok=True)
        (FOLDER / "results" / f"{name}.json").write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")

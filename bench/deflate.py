"""Counts what compression costs and saves by level, on the messages of bench/corpus, and writes README.md's table.

A message's cost is the difference between two runs, of N messages of each kind and of twice as many, less what
making them costs.
"""

import datetime
import os
import pathlib
import re
import subprocess
import sys

CPU = "x86-64"
# One of its own for these flags, which codec.py has too: with others all would be compiled anew.
HERE, TARGET = pathlib.Path(__file__).parent, pathlib.Path(sys.argv[1]) / CPU
SIZES, KINDS = (128, 1024, 16384), 8
TITLES = {
    "alone-libdeflate": "alone, libdeflate at level 6",
    "takeover-yawc-fast": "takeover, as yawc at its low latency",
    "takeover-yawc-default": "takeover, as yawc at its balance",
}


def said(*command, **env):
    options = {"check": True, "capture_output": True, "text": True, "env": {**os.environ, **env}}
    return subprocess.run([str(part) for part in command], cwd=HERE, **options)


def counted(*command):
    # `rep movsb` counts as an instruction a byte, so memcpy is to do without it.
    valgrind = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
    run = said(*valgrind, *command, GLIBC_TUNABLES="glibc.cpu.hwcaps=-ERMS")
    return int(re.search(r"Collected : ([\d,]+)", run.stderr)[1].replace(",", ""))


env = {"CARGO_TARGET_DIR": str(TARGET), "RUSTFLAGS": f"-C target-cpu={CPU}"}
said(os.environ.get("CARGO", "cargo"), "build", "--release", "--locked", "--package=deflate", **env)
program = TARGET / "release/deflate"


def each(size, *what):
    """The instructions for one message."""
    count = max(4, min(40, 200_000 // size))
    run = lambda n: counted(program, *what, size, n)
    return (run(2 * count) - run(count)) / (KINDS * count)


made = {size: each(size, "make") for size in SIZES}
lines, plain = [], {}
for name in said(program, "list").stdout.split():
    cells = [TITLES.get(name, name.replace("-", ", level "))]
    for size in SIZES:
        plain[size], size_out, held = map(int, said(program, "bytes", name, size).stdout.split())
        cells += [f"{size_out:,}", f"{each(size, 'run', name) - made[size]:,.0f}"]
    lines.append([*cells, "–" if "libdeflate" in name else f"{held / 1024:.0f}"])
    print(f"  {name}", flush=True)
heads = ["", *(head for size in SIZES for head in (f"{plain[size]:,} B to", "instructions")), "KiB held"]
table = [heads, ["---", *["---:"] * (len(heads) - 1)], *lines]
told = f"\nCounted on {datetime.date.today()} with {said('rustc', '--version').stdout.partition(' (')[0]}.\n\n"
told += "".join(f"| {' | '.join(cells)} |\n".replace("|  |", "| |", 1) for cells in table) + "\n"
readme = HERE / "README.md"
begin, end = "<!-- What follows is written by `cargo xtask bench deflate`. -->\n", "<!-- Here it ends. -->\n"
before, _, rest = readme.read_text().partition(begin)
readme.write_text(before + begin + told + end + rest.partition(end)[2])
print(told)

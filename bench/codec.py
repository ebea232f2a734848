"""Counts what a message costs in the codecs of several libraries, and writes the tables into README.md.

A message's cost is the difference between two runs, of N messages and of twice as many, divided by N.
"""

import datetime
import os
import pathlib
import re
import subprocess
import sys

HERE, TARGET = pathlib.Path(__file__).parent, pathlib.Path(sys.argv[1])
LIBRARIES = ("talkback", "tungstenite", "fastwebsockets", "tokio-websockets", "yawc")
# How many of the columns are ours.
OURS = 2
INSTRUCTIONS = (["--tool=callgrind", "--callgrind-out-file=/dev/null"], r"Collected : ([\d,]+)")
ALLOCATIONS = (["--tool=memcheck", "--leak-check=no", "--undef-value-errors=no"], r"total heap usage: ([\d,]+)")


def said(*command, **env):
    options = {"check": True, "capture_output": True, "text": True, "env": {**os.environ, **env}}
    return subprocess.run([str(part) for part in command], cwd=HERE, **options)


def build(cpu):
    """Builds the program in a target directory of its own, as other flags would compile all anew."""
    print(f"  building for {cpu}", flush=True)
    env = {"CARGO_TARGET_DIR": str(TARGET / cpu), "RUSTFLAGS": f"-C target-cpu={cpu}"}
    said(os.environ.get("CARGO", "cargo"), "build", "--release", "--locked", "--package=codec", **env)
    return TARGET / cpu / "release/codec"


def table(program, what):
    """A line for each row of the program's list: the costs, and how ours stand to the best of the others."""
    rows = [line.split("\t") for line in said(program, "list").stdout.splitlines()]
    columns = rows[0][2].split(",")
    readable = lambda cost: "–" if cost is None else f"{cost:.1f}" if cost < 20 else f"{cost:,.0f}"
    heads = ["", *columns, *(f"{column} ÷ best other" for column in columns[:OURS])]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    for name, count, has, about in rows:
        # `rep movsb` counts as an instruction a byte, so memcpy is to do without it.
        run = lambda *of: said("valgrind", *what[0], program, name, *of, GLIBC_TUNABLES="glibc.cpu.hwcaps=-ERMS").stderr
        counted = lambda *of: int(re.search(what[1], run(*of))[1].replace(",", ""))
        cost = lambda column, n: (counted(column, 2 * n) - counted(column, n)) / n
        costs = [cost(column, int(count)) if column in has.split(",") else None for column in columns]
        best = min((other for other in costs[OURS:] if other is not None), default=0)
        ratios = [f"{ours / best:.2f}" if best else "–" for ours in costs[:OURS]]
        lines.append([about, *map(readable, costs), *ratios])
        print(f"  {name}", flush=True)
    return "".join(f"| {' | '.join(cells)} |\n".replace("|  |", "| |", 1) for cells in lines) + "\n"


versions = dict(re.findall(r'name = "(.*)"\nversion = "(.*)"', (HERE / "Cargo.lock").read_text()))
told = f"\nCounted on {datetime.date.today()} with {said('rustc', '--version').stdout.partition(' (')[0]}: "
told += ", ".join(f"{name} {versions[name]}" for name in LIBRARIES) + ".\n\n"
for cpu in ("x86-64", "x86-64-v3"):
    told += f"### Instructions for each message, `-C target-cpu={cpu}`\n\n{table(build(cpu), INSTRUCTIONS)}"
told += f"### Allocations for each message\n\n{table(TARGET / 'x86-64/release/codec', ALLOCATIONS)}"
readme = HERE / "README.md"
begin, end = "<!-- What follows is written by `cargo xtask bench codec`. -->\n", "<!-- The end of what is written. -->\n"
before, _, rest = readme.read_text().partition(begin)
readme.write_text(before + begin + told + end + rest.partition(end)[2])
print(told)

"""What a message costs our servers, echoed or sent to all, in what can be counted: time differs from run to run, counts
hardly do.

`library` and `channel` are the least servers on one and the other (bench/load/examples/echo.rs), `command` is
`talkback echo`, built as people get it. The client is the generator of bench/load, which verifies every echo. Those
that send each message to all are bench/load/examples/broadcast.rs; the one on talkback-topics is topics.rs beside it.
"""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import tempfile

from run import ROOT, TARGET, Program, cargo, check, counted, must, scratch, until
from tools import LINTS

BENCH = TARGET / "bench/release"
SERVERS = {
    "library": (BENCH / "examples/echo", "library"),
    "command": (TARGET / "release/talkback", "echo", "--listen", "127.0.0.1:0"),
    "channel": (BENCH / "examples/echo", "channel"),
}
WHO = (*SERVERS, "topics")
TO_ALL = {server: (BENCH / "examples/broadcast", server) for server in ("library", "channel")}
TO_ALL["topics"] = (BENCH / "examples/topics", "topics")
CALLGRIND = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"), r"Collected : ([\d,]+)"
MEMCHECK = ("valgrind", "--leak-check=no", "--undef-value-errors=no"), r"total heap usage: ([\d,]+)"
# The generator waits for each echo, or for those of a burst, before it sends the next.
ONE = "--connections 1 --warmup 0 --messages"
# What it costs to receive the message that goes to all, and to prepare it, is shared by as many.
ALL = "--connections 200 --warmup 0 --messages"
FEW = ALL.replace("200", "10")
STRACE = "strace -f -I1 --seccomp-bpf --trace=accept4,read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg -o"


def run(server, under, row, options):
    """Runs a server under a program: what the generator has counted of it, and what it has printed."""
    # On one core, as threads of `command` would wake each other, now more and now less. `rep movsb` counts as an
    # instruction a byte, so memcpy is to do without it.
    env = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-ERMS"}
    core = str(min(os.sched_getaffinity(0)))
    command = (TO_ALL if row.startswith("broadcast") else SERVERS)[server]
    with Program("taskset", "--cpu-list", core, *under, *command, env=env) as program:
        url, before = program.url(), sockets(program.pid)
        told = must(BENCH / "load", row, "--url", url, "--pid", program.pid, *options.split())
        # To end a connection costs something, too: all of them are to have ended.
        until(lambda: sockets(program.pid) == before and is_asleep(program.pid), 60)
        program.process.terminate()
        program.process.wait(20)
        return json.loads(told), program.output()


def sockets(pid):
    """How many sockets it has: valgrind opens and closes files of its own."""
    found = 0
    for descriptor in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # It was closed just now.
            found += os.readlink(descriptor).startswith("socket:")
    return found


def is_asleep(pid):
    """Whether none of its threads has anything to do."""
    stats = [stat.read_text() for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(stat.rpartition(") ")[2].startswith("S") for stat in stats)


def each(valgrind, row, number, load=ONE):
    """The difference between two runs, of so many messages and of twice as many: what is done once cancels out."""

    def count(server):
        few, many = (run(server, valgrind[0], row, f"{load} {messages}")[1] for messages in (number, 2 * number))
        figure = lambda output: int(re.search(valgrind[1], output)[1].replace(",", ""))
        return (figure(many) - figure(few)) / number

    return count


def calls_on_connection(log):
    r"""How often strace's log has receives and sends on the connection that was accepted, of several the last.

    Its other descriptors do not count: its threads wake each other by writing, as the scheduler likes, and its log is
    written too. Nor does the second line, `<... call resumed>`, of a call during which another thread ran.

    >>> calls_on_connection("1 <... accept4 resumed>{}) = 9\n2 write(5, 8) = 8\n 1 read(9, 70) = 70\n1 writev(9, [] <unfi")
    (1, 1)
    """
    connection = re.findall(r"accept4.* = (\d+)$", log, re.MULTILINE)[-1]
    number = lambda names: len(re.findall(rf"^ *\d+ +(?:{names})\({connection},", log, re.MULTILINE))
    return number("read|readv|recvfrom|recvmsg"), number("write|writev|sendto|sendmsg")


def calls(row, size, least=2, load=ONE):
    """System calls on the connection for each of 1,000 rounds, which are so many messages."""

    def count(server):
        with tempfile.NamedTemporaryFile() as log:
            run(server, (*STRACE.split(), log.name), row, f"{load} {1_000 * size}")
            each = calls_on_connection(open(log.name, errors="replace").read())
        if sum(each) < 1_000 * least:
            raise AssertionError(f"{each} receives and sends of 1,000 rounds were seen")
        return sum(each) / 1_000

    return count


def faults(server):
    return run(server, (), "1mx10", "--messages 1000")[0]["minor_faults"] / 1_000


def memory(server):
    return run(server, ("prlimit", "--nofile=8192"), "idle", "--connections 4000 --seconds 0")[0]["rss_each"]


# What is counted; the most that it may be, as it is today; and what it is to become, where that is less.
COUNTS = [
    ("instructions: 20 B in bursts", each(CALLGRIND, "burst", 25_600), (420, 350, 950), ()),
    ("instructions: 64 B alone", each(CALLGRIND, "64x100", 1_000), (3_080, 3_950, 4_950), ()),
    ("allocations: 64 B alone", each(MEMCHECK, "64x100", 1_000), (0.02, 0.02, 0.02), ()),
    ("system calls: 64 B alone", calls("64x100", 1), (2.02, 2.02, 2.02), ()),
    ("system calls: 64 in a burst", calls("burst", 64), (2.02, 2.02, 2.02), ()),
    ("instructions: 64 B to all", each(CALLGRIND, "broadcast-64", 10_000, ALL), (1_700, None, 2_430, 2_650), ()),
    ("instructions: 16 KiB to all", each(CALLGRIND, "broadcast-16k", 10_000, ALL), (1_970, None, 2_620, 2_930), ()),
    ("allocations: 64 B to all", each(MEMCHECK, "broadcast-64", 10_000, ALL), (0.02, None, 0.02, 0.02), ()),
    ("allocations: 16 KiB to all", each(MEMCHECK, "broadcast-16k", 10_000, ALL), (0.03, None, 0.03, 0.03), ()),
    ("system calls: 64 B to all", calls("broadcast-64", 10, 1, FEW), (1.02, None, 1.02, 1.02), ()),
    ("system calls: 16 in a burst to all", calls("broadcast-burst", 160, 1, FEW), (1.02, None, 1.02, 1.02), ()),
    ("page faults: 1 MiB", faults, (10, 10, 10), ()),
    ("bytes: an idle connection", memory, (1_045, 1_045, 2_400), ()),
]


def hold(what, count, server, most, goal):
    figure = count(server)
    told = f"  {what:<30}{server:<9}{figure:>10,.2f}, at most {most:,}"
    print(told + (f"; the goal is {goal:,}" if goal and goal < most else ""), flush=True)
    if figure > most:
        raise AssertionError(f"{figure:,.2f} is more than {most:,}")


def counts():
    generator = cargo("build --release --locked --package load --bins --examples")
    where = {"cwd": ROOT / "bench", "env": {**LINTS, "CARGO_TARGET_DIR": str(scratch("bench"))}}
    # The last crate of each is optimised on one core.
    with concurrent.futures.ThreadPoolExecutor(1) as beside:
        command = beside.submit(must, *cargo("build --release --package talkback-cli --bin talkback"))
        must(*generator, **where)
        command.result()
    # What counts is to be right itself.
    counted(*cargo("test --release --locked --package load --package corpus --lib --bins"), **where)
    for what, count, bounds, goals in COUNTS:
        for server, most, goal in zip(WHO, bounds, goals or [None] * 4):
            if most is not None:
                check(f"{what}, {server}", hold, what, count, server, most, goal)

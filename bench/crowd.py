"""Measures what a server does with 10,000 clients: what each takes among `Connections` and in a topic, how they are let go,
what it is to the next clients when all vanish at once, what it takes to let all in at once, and what topics take.

The server is `talkback echo`, or one of bench/registry; it has one core, and all clients another. A run of all scenes is
written into README.md.
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import resource
import statistics
import time

import compare
from compare import BROADCAST, BUILT, BUN, COMMAND, HERE
from run import ROOT, Program, answer, cargo, must, scratch, until

COUNT = 10_000


def pinned(index, *command):
    return ["taskset", "--cpu-list", sorted(os.sched_getaffinity(0))[index], *command]


def server(*command):
    return Program(*pinned(0, *command))


def clients(of, *arguments):
    return Program(*pinned(-1, BUILT / "crowd", *arguments, "--url", of.url()))


def told(program, limit=120):
    """The line of JSON that a program prints, and what it says of clients that have failed."""
    line = lambda: re.search(r"^\{.*\}\n", program.output(), re.MULTILINE)
    found = until(lambda: line() or program.process.poll() is not None and (line() or 1), limit)
    if found == 1:
        raise RuntimeError(program.output())
    return json.loads(found[0])


milliseconds = lambda ns: f"{ns / 1e6:,.1f} ms"


def registry():
    """memory of an idle connection, of its place among `Connections`, and of its subscription to a topic"""
    heap, rss = {}, {}
    for mode in ("without", "with", "topics"):
        with server(BUILT / "registry", mode) as program:
            load = pinned(-1, BUILT / "load", "idle", "--connections", COUNT, "--seconds", 0)
            idle = must(*load, "--pid", program.pid, "--url", program.url())
            program.process.terminate()
            program.process.wait(20)
            heap[mode] = int(program.output().split()[-1]) / COUNT
            rss[mode] = json.loads(idle)["rss_each"]
    more = {what: sizes["with"] - sizes["without"] for what, sizes in (("heap", heap), ("rss", rss))}
    subscription = {what: sizes["topics"] - sizes["with"] for what, sizes in (("heap", heap), ("rss", rss))}
    yield "heap of a connection without a place", f"{heap['without']:,.0f} B", None
    yield "heap of its place", f"{more['heap']:,.0f} B", ("128 B", more["heap"] <= 128)
    yield "heap of its subscription, and of what its task has for that", f"{subscription['heap']:,.0f} B", None
    sizes = rss["without"], more["rss"], subscription["rss"]
    yield "RSS of a connection without, of its place, of its subscription", ", ".join(f"{size:,.0f} B" for size in sizes), None


def drain():
    """10,000 are let go over 10 s while 200 messages a second are echoed, and go to another server at once"""
    ours = compare.command(COMMAND, ())
    with server(*ours) as one, server(*ours) as other:
        with clients(one, "move", COUNT, 200, other.url(), "--pid", one.pid) as moving:
            what = told(moving)
    seconds = what["closed_in_seconds"]
    share = max(abs(count * 10 / COUNT - 1) for count in seconds[:10])
    is_even = share <= 0.1 and sum(seconds[10:]) <= COUNT / 1_000
    yield "closed with 1012 in each second", " ".join(map(str, seconds)), ("each 1,000 ± 10 %", is_even)
    yield "cut, of clients", f"{what['cut']:,}", ("0", what["cut"] == 0 and what["closed"] == COUNT)
    yield "messages, and sent again", f"{what['messages']:,}, {what['again']:,}", None
    yield "lost, answered twice", f"{what['lost']:,}, {what['twice']:,}", ("0 lost", what["lost"] == 0)
    most = what["opened_in_second"]
    yield "opened by the other server in any second", f"at most {most:,}", ("1,100", most <= 1_100)


def vanish():
    """10,000 are killed while 100 a second come: from when one is due to its open connection, the slowest; 5 runs"""
    for name in (COMMAND, "raw epoll", BUN):
        came = [killed(name) for _ in range(5)]
        slowest, count = sorted(what["max_ns"] for what in came), sum(what["open"] for what in came)
        times = milliseconds(slowest[2]), f"{milliseconds(slowest[0])} to {milliseconds(slowest[-1])}"
        p50, p99 = (milliseconds(statistics.median(what[key] for what in came)) for key in ("p50_ns", "p99_ns"))
        is_met = slowest[2] <= 50_000_000 and count == 1_500
        goal = ("all, within 50 ms", is_met) if name == COMMAND else None
        yield f"{name}; p50, p99; open, of 1,500", f"{times[0]} ({times[1]}); {p50}, {p99}; {count:,}", goal


def killed(name):
    """What those see of it that come to such a server."""
    # The raw one that echoes ends with a connection that is reset, the one that sends to all does not.
    flags = () if name == COMMAND else BROADCAST
    with server(*compare.command(name, flags)) as program, clients(program, "open", COUNT, "--seconds", 600) as crowd:
        told(crowd)
        with clients(program, "open", 300, 100) as coming:
            time.sleep(1)
            crowd.kill()
            return told(coming)


def storm():
    """10,000 come at once, without TLS and with it (ECDSA P-256, ring), and no session is resumed"""
    for flags, name in ((), "without TLS"), (("--tls",), "with TLS"):
        with server(*compare.command(COMMAND, flags)) as program, clients(program, "open", COUNT) as crowd:
            what = told(crowd)
            status = pathlib.Path(f"/proc/{program.pid}/status").read_text()
            cpu = pathlib.Path(f"/proc/{program.pid}/stat").read_text().rpartition(")")[2].split()
        yield f"{name}: open", f"{what['open']:,}", (f"{COUNT:,}", what["open"] == COUNT)
        seconds = sum(map(int, cpu[11:13])) / os.sysconf("SC_CLK_TCK")
        yield f"{name}: all are in after", f"{what['wall_ns'] / 1e9:.2f} s, of the server's core {seconds:.2f} s", None
        peak = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024
        yield f"{name}: peak RSS", f"{peak:,.0f} MiB, {peak * 2**20 / COUNT:,.0f} B each", None


def in_memory(*arguments, cores=(0,)):
    """What bench/registry tells of topics whose connections have no socket."""
    allowed = sorted(os.sched_getaffinity(0))
    cores = ",".join(str(allowed[index]) for index in cores)
    return json.loads(must("taskset", "--cpu-list", cores, BUILT / "topics", *arguments))


def topics():
    """topics in memory, on one core: 10,000 subscribers without sockets, 64 B"""
    runs = [in_memory("publish") for _ in range(5)]
    for which, about in ("each", "publish 16 in one turn, each"), ("first", "the first of them, after all have those before"):
        took = [statistics.median(run[f"{which}_{count}"] for run in runs) for count in (0, 1, COUNT)]
        goal = ("1 µs", max(took) <= 1_000) if which == "each" else None
        yield f"{about}; with 0, 1 and 10,000 subscribers", ", ".join(f"{ns:,.0f} ns" for ns in took), goal
    least = runs[0]["allocations"], runs[0][f"allocations_{COUNT}"]
    yield "allocations of a publication, of a delivery", f"{least[0]}, {least[1]}", ("6, 0", least[0] <= 6 and least[1] == 0)
    runs = [in_memory("subscribe") for _ in range(5)]
    took = [statistics.median(run[f"{what}subscribe_ns"] for run in runs) for what in ("", "un")]
    shown = ", ".join(f"{ns:,.0f} ns" for ns in took)
    yield "subscribe, unsubscribe, 10 of 100,000 topics each", shown, ("2 µs", max(took) <= 2_000)
    behind, queues = in_memory("lag"), in_memory("lag", "--queues")
    shown = lambda sizes: f"{sizes['each'] / 1024:,.1f} KiB, {sizes['each_later'] / 1024:,.1f} KiB"
    is_bound = behind["each"] <= 17.2 * 1024 and behind["each_later"] <= 17.2 * 1024
    # A message of 1 KiB, and of the log's MiB a ten thousandth.
    yield "heap of each that takes nothing: 1,024 × 1 KiB behind, 4,096 behind", shown(behind), ("16 KiB and a message", is_bound)
    yield "the same with an unbounded queue of tokio's for each", shown(queues), None
    each = [statistics.median(in_memory("threads", "--workers", len(cores), cores=cores)["ns_each"] for _ in range(5)) for cores in ((0,), (0, -1))]
    rates = ", ".join(f"{1e3 / ns:,.1f} million" for ns in each)
    yield "deliveries a second on 1 core, on 2", f"{rates}: {each[0] / each[1]:.2f} times as many", None


SCENES = {scene.__name__: scene for scene in (registry, drain, vanish, storm, topics)}


def table(results):
    lines = [["", "measured", "goal"], ["---", "---:", "---:"]]
    for name, rows in results.items():
        lines.append([f"**{name}**: {SCENES[name].__doc__}", "", ""])
        for what, figure, goal in rows:
            lines.append([what, figure, f"{goal[0]}{'' if goal[1] else ': missed'}" if goal else ""])
    return "".join("".join(f"| {cell} " if cell else "| " for cell in cells) + "|\n" for cells in lines)


def main():
    parser = argparse.ArgumentParser("cargo xtask bench crowd", description=__doc__)
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=f"{', '.join(SCENES)}; all by default")
    names = parser.parse_args().scenes or list(SCENES)
    scenes = {name: SCENES.get(name) or parser.error(f"no scene is named {name}") for name in names}
    compare.build()
    env = {"CARGO_TARGET_DIR": str(scratch("bench"))}
    must(*cargo("build --release --locked -p registry --manifest-path"), HERE / "Cargo.toml", env=env)
    resource.setrlimit(resource.RLIMIT_NOFILE, [resource.getrlimit(resource.RLIMIT_NOFILE)[1]] * 2)
    results = {name: list(scene()) for name, scene in scenes.items()}
    made = f"\nMeasured on {datetime.date.today()} at {answer('git', '-C', ROOT, 'rev-parse', '--short', 'HEAD')}, {compare.machine()}.\n\n"
    print(made + table(results))
    if set(results) == set(SCENES):
        compare.write(HERE / "README.md", "crowd", made + table(results) + "\n")
        of_topics = {"topics": results["topics"]}
        compare.write(compare.OF_TOPICS, "crowd", made + table(of_topics) + "\n")


if __name__ == "__main__":
    main()

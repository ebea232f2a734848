"""Runs echo servers, and clients, beside one another, and writes tables of what an echo costs each of them, and servers
that send each message to all, and what each of these costs.

In each round each runs once, in an order that moves on by one a round; compared are the figures of the same round. The
server has one core, the generator of load, which verifies what comes, another. A run of enough rounds that has all
rows of README.md's table, or of bench/README.md's, is kept in bench/runs, and shown there.
"""

import argparse
import collections
import datetime
import json
import math
import os
import pathlib
import platform
import re
import resource
import statistics
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "xtask/checks"))
import tools
from run import ROOT, TARGET, Program, answer, cargo, must, scratch

BUILT = TARGET / "bench/release"
# As many pairs make a claim.
CLAIM = 15

LIBRARY, COMMAND, CHANNEL, TOPICS = (f"talkback: {way}" for way in ("library", "command", "channel", "topics"))
BUN, PYTHON = "Bun", "Python websockets"
OURS = {LIBRARY: "library", "talkback: library, `send().await`": "library-natural", CHANNEL: "channel"}
PEERS = {name: name for name in ("fastwebsockets", "tokio-websockets", "wtx", "yawc")} | {"tokio-tungstenite": "tungstenite"}
RAW = {"raw epoll": "raw-epoll", "raw tokio": "raw-tokio"}
# Those that send each message to all.
TO_ALL = {
    "raw epoll": ["raw-broadcast"],
    LIBRARY: ["examples/broadcast", "library"],
    CHANNEL: ["examples/broadcast", "channel"],
    TOPICS: ["examples/topics", "topics"],
    "tokio-tungstenite": ["tungstenite-broadcast"],
}
BY_HAND = {f"{name}, batches by hand": [PEERS[name], "--batch=64"] for name in ("tokio-websockets", "yawc", "tokio-tungstenite")}
RUST = ["raw tokio", *OURS, COMMAND, *PEERS]
EVERY = ["raw epoll", *RUST, BUN, PYTHON]
POOLED, KEPT = [BUN, LIBRARY, CHANNEL, COMMAND, "wtx", "yawc"], ["yawc", LIBRARY, CHANNEL, BUN]
PLAIN_TO_ALL, DEFLATED_TO_ALL = ["raw epoll", TOPICS, LIBRARY, CHANNEL, BUN, "tokio-tungstenite"], [BUN, TOPICS, LIBRARY, CHANNEL]
CLIENTS = ["library", "channel", "channel, no runtime", "tokio-websockets", "tungstenite", "fastwebsockets"]

CPU, OUT = ("cpu_ns_each",), ("cpu_ns_each", "bytes_out_each")
QUANTILES, MEMORY = ("p50_ns", "p90_ns", "p99_ns", "p99_9_ns"), ("rss_each", "rss_each_echoed")
# What the first of `who` has is what the others are compared with, in the first of `figures`.
Row = collections.namedtuple("Row", "about load who figures flags rounds", defaults=(CPU, (), math.inf))
DEFLATE, TAKEOVER, BROADCAST, MANY = ("--deflate",), ("--deflate", "--takeover"), ("--broadcast",), ("--many",)
ROWS = {
    "64x100": Row("64 B, 100 connections", "load 64x100", EVERY),
    "1kx500": Row("1 KiB, 500 connections", "load 1kx500", EVERY),
    "16kx200": Row("16 KiB, 200 connections", "load 16kx200", EVERY),
    "1mx10": Row("1 MiB, 10 connections", "load 1mx10", EVERY),
    "burst": Row("bursts of 64 × 20 B", "load burst", [*EVERY, *BY_HAND]),
    "korean": Row("16 KiB of Korean text", "load 16k-korean", EVERY),
    "handshake": Row("handshakes", "load handshake", EVERY),
    "tls-64": Row("64 B, TLS, 100 connections", "load-tls 64 100", RUST, flags=("--tls",)),
    "tls-16k": Row("16 KiB, TLS, 100 connections", "load-tls 16384 100", RUST, flags=("--tls",)),
    "deflate-1k": Row("1 KiB, no takeover", "load compressed-1k", POOLED, OUT, DEFLATE),
    "deflate-16k": Row("16 KiB, no takeover", "load compressed-16k", POOLED, OUT, DEFLATE),
    "takeover-1k": Row("1 KiB, takeover", "load compressed-1k", KEPT, OUT, TAKEOVER),
    "takeover-16k": Row("16 KiB, takeover", "load compressed-16k", KEPT, OUT, TAKEOVER),
    "latency": Row("p50, p90, p99, p99.9", "load latency", EVERY[:-1], QUANTILES, rounds=5),
    "idle": Row("idle, and after an echo", "load idle --connections 10000", EVERY, MEMORY, rounds=3),
    "ping-pong": Row("64 B, one in flight", "client ping-pong", CLIENTS),
    "in-flight": Row("64 B, 64 in flight", "client in-flight", CLIENTS),
    "in-flight-16k": Row("16 KiB, 16 in flight", "client in-flight-16k", CLIENTS),
    "broadcast-64": Row("64 B", "load broadcast-64", PLAIN_TO_ALL, flags=BROADCAST),
    "broadcast-1k": Row("1 KiB", "load broadcast-1k", PLAIN_TO_ALL, flags=BROADCAST),
    "broadcast-16k": Row("16 KiB", "load broadcast-16k", PLAIN_TO_ALL, flags=BROADCAST),
    "broadcast-burst": Row("bursts of 16 × 64 B", "load broadcast-burst", PLAIN_TO_ALL, flags=BROADCAST),
    "broadcast-many": Row("64 B, 10 of 100,000 topics each", "load broadcast-many", [TOPICS, BUN], flags=BROADCAST + MANY),
    "broadcast-deflate-1k": Row("1 KiB, no takeover", "load broadcast-compressed-1k", DEFLATED_TO_ALL, OUT, BROADCAST + DEFLATE),
    "broadcast-takeover-1k": Row("1 KiB, takeover", "load broadcast-compressed-1k", DEFLATED_TO_ALL, OUT, BROADCAST + TAKEOVER),
}
# Those of README.md's table.
SHOWN = list(ROWS)[:5]
SECTIONS = {
    "The server's CPU for each echo or handshake": list(ROWS)[:7],
    "The same over TLS, all on the same rustls": ["tls-64", "tls-16k"],
    "The same with compression, and the bytes that are sent": list(ROWS)[9:13],
    "From when a message of 64 B was due to its echo, at half load": ["latency"],
    "Memory for each of 10,000 connections": ["idle"],
    "The client's CPU for each echo, one connection, against raw epoll": list(ROWS)[15:18],
    "The server's CPU for each of 10,000 connections that get a message": list(ROWS)[18:21],
    "The same in bursts, and where each gets its own": list(ROWS)[21:23],
    "The same with compression, and the bytes that are sent to each": list(ROWS)[23:],
}
FAN_OUT = list(SECTIONS)[-3:]
OF_TOPICS = ROOT / "crates/talkback-topics/README.md"
FANNED_OUT = [key for title in FAN_OUT for key in SECTIONS[title]]
# What else the rows of a section are compared with: another server, and what the same one takes as it is.
BESIDE = {FAN_OUT[0]: BUN, FAN_OUT[1]: BUN}
AS_IT_IS = {FAN_OUT[1]: "broadcast-64", FAN_OUT[2]: "broadcast-1k"}


def bun():
    """Bun, whose server is uWebSockets: one program in a package of npm's."""
    package = f"@oven/bun-linux-{'x64' if platform.machine() == 'x86_64' else 'aarch64'}@{tools.BUN}"
    folder, install = scratch("bun"), "install --no-save --no-package-lock --ignore-scripts --no-audit --no-fund"
    tools.keep(folder, package, lambda: must(tools.need("npm"), *install.split(), package, "--prefix", folder))
    return folder / "node_modules" / package.rpartition("@")[0] / "bin/bun"


def command(name, flags):
    """How a server is started."""
    if name == COMMAND:
        flags = {"--deflate": (), "--tls": ("--no-compression", "--tls-self-signed")}[flags[0]] if flags else ["--no-compression"]
        return [TARGET / "release/talkback", "echo", "--listen", "127.0.0.1:0", *flags]
    if name == BUN:
        return [bun(), HERE / "servers/bun.js", *flags]
    if name == PYTHON:
        return [tools.python(tools.WEBSOCKETS), HERE / "servers/websockets_echo.py", *flags]
    if flags[:1] == BROADCAST:
        (program, *own), flags = TO_ALL[name], flags[1:]
    else:
        program, *own = BY_HAND.get(name) or [(RAW | OURS | PEERS)[name]]
    return [BUILT / program, *own, *flags]


def measure(row, name, options):
    """What a server, or a client, spends in one run."""
    is_client = row.who is CLIENTS
    cores = sorted(os.sched_getaffinity(0))
    with Program("taskset", "--cpu-list", cores[0], *command("raw epoll" if is_client else name, row.flags)) as server:
        program, *load = [*row.load.split(), *([name] if is_client else ["--pid", server.pid])]
        return json.loads(must(BUILT / program, *load, "--url", server.url(), "--core", cores[-1], *options))


def run(row, names, count, options):
    """A list of what each has spent in its rounds, with nothing for one that failed."""
    rounds = {name: [] for name in names}
    for number in range(count):
        for index in range(len(names)):
            name = names[(index + number) % len(names)]
            try:
                rounds[name].append(measure(row, name, options))
            except (AssertionError, RuntimeError) as error:
                print(f"  {row.load}: {name}: {str(error).strip().splitlines()[0]}", flush=True)
                rounds[name].append({})
    return rounds


def middle(values):
    """The median, and the values between which it lies with 95 % certainty, however they are spread (order statistics).

    >>> middle(range(1, 16)), middle([3, 1, 2])
    ((8, 4, 12), (2, 1, 3))
    """
    values, count = sorted(values), len(values)
    outside = lambda rank: 2 * sum(math.comb(count, below) for below in range(rank)) / 2**count
    rank = max((rank for rank in range(1, count // 2 + 1) if outside(rank) <= 0.05), default=1)
    return statistics.median(values), values[rank - 1], values[-rank]


def ratios(row, rounds, name):
    """The first figure to that of the row's first in the same round."""
    pairs = [(one.get(row.figures[0]), base.get(row.figures[0])) for one, base in zip(rounds[name], rounds[row.who[0]])]
    return [one / base for one, base in pairs if one and base]


def cell(row, rounds, name):
    """How one stands to the first, with the interval; of the first, and where there are several figures, these."""
    if name not in rounds:
        return ""
    shown = []
    for figure in row.figures:
        values = [one[figure] for one in rounds[name] if figure in one]
        value, unit = (statistics.median(values), "B") if values else (math.nan, "")
        value, unit = (value / 1000, "µs") if "ns" in figure else (value, unit)
        shown.append(f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}")
    ratio = ratios(row, rounds, name)
    if name != row.who[0] and ratio and row.figures in (CPU, OUT):
        shown = shown[len(row.figures) == 1 :] + ["{:.2f} ({:.2f}–{:.2f})".format(*middle(ratio))]
    return ", ".join(shown)


def table(results, keys, first=None):
    """A line for each server or client, a column for each row that was run; against the first of each row, or another."""
    keys = [key for key in keys if key in results]
    rows = {key: ROWS[key]._replace(who=[first or ROWS[key].who[0]]) for key in keys}
    lines = [["", *(rows[key].about for key in keys)], ["---", *["---:"] * len(keys)]]
    for name in dict.fromkeys(name for key in keys for name in results[key]):
        lines.append([name, *(cell(rows[key], results[key], name) for key in keys)])
    return "".join("".join(f"| {cell} " if cell else "| " for cell in cells) + "|\n" for cells in lines) + "\n"


def machine():
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}"


def as_it_is(results, keys, plain):
    """What each spends on compressed messages, to what it spends on those of another row, which are as long."""
    told = ""
    for key in keys:
        shown = []
        for name in results[key].keys() & results[plain].keys():
            rounds = {name: results[key][name], plain: results[plain][name]}
            ratio = ratios(ROWS[key]._replace(who=[plain]), rounds, name)
            if ratio:
                shown.append("{} {:.2f} ({:.2f}–{:.2f})".format(name, *middle(ratio)))
        told += f"{ROWS[key].about}, against {ROWS[plain].about} to all, one at a time: {', '.join(sorted(shown))}.\n\n"
    return told


def about():
    """What it ran on, and what was run."""
    lock = dict(re.findall(r'name = "(.*)"\nversion = "(.*)"', (HERE / "Cargo.lock").read_text()))
    versions = [*(f"{name} {lock[name]}" for name in (*PEERS, "tokio")), f"Bun {tools.BUN}", tools.WEBSOCKETS.replace("==", " ")]
    return (
        f"Measured on {datetime.date.today()} at {answer('git', '-C', ROOT, 'rev-parse', '--short', 'HEAD')}: {machine()}, "
        f"{must('rustc', '--version').partition(' (')[0]}, Python {platform.python_version()}, {', '.join(versions)}.\n\n"
    )


def report(results, rounds):
    told = f"Medians of {rounds} rounds; a ratio's median lies with 95 % certainty within what stands behind it.\n\n"
    if rounds < CLAIM:
        told += f"**{rounds} rounds are a look and no claim**, which takes {CLAIM}.\n\n"
    return told + sections(results, SECTIONS, "##")


def sections(results, titles, level):
    told = ""
    for title in titles:
        keys = [key for key in SECTIONS[title] if key in results]
        if keys:
            told += f"{level} {title}\n\n{table(results, keys)}"
        beside = BESIDE.get(title)
        if keys and beside and all(beside in results[key] for key in keys):
            told += f"Against {beside}:\n\n{table(results, keys, beside)}"
        if AS_IT_IS.get(title) in results:
            told += as_it_is(results, keys, AS_IT_IS[title])
    return told


def picture(results, path):
    """The ratios as bars, with their intervals; ours are dark. Python is left out, as it would make all others small."""
    import matplotlib
    from matplotlib import pyplot

    matplotlib.rcParams.update({"svg.hashsalt": "bench", "svg.fonttype": "none", "font.size": 8})
    keys = [key for key in list(ROWS)[:7] if key in results]
    figure, axes = pyplot.subplots(len(keys), figsize=(7, 2.6 * len(keys)), layout="constrained")
    for key, axis in zip(keys, axes):
        pairs = {name: ratios(ROWS[key], results[key], name) for name in results[key] if name != PYTHON}
        bars = sorted(((middle(values), name) for name, values in pairs.items() if values), reverse=True)
        names, middles = [name for _, name in bars], [values[0] for values, _ in bars]
        errors = [[at - low for (at, low, _), _ in bars], [high - at for (at, _, high), _ in bars]]
        colors = ["#1f5fa8" if "talkback" in name else "#b9c4d0" for name in names]
        axis.barh(names, middles, xerr=errors, color=colors)
        axis.set(title=f"{ROWS[key].about}: CPU to raw epoll's", xscale="log" if max(middles) > 8 else "linear")
    figure.savefig(path, metadata={"Date": None})


# What stands above the table.
PAGES = {
    "README.md": """**How fast is it?** The server's processor time for each echo, as a ratio to a raw epoll loop that knows nothing
of the protocol's rules, with 95 % intervals ([how](bench/README.md#beside-others): `cargo xtask bench compare`):""",
    "README.ko.md": """**얼마나 빠른가요?** 에코 하나에 드는 서버의 프로세서 시간을, 프로토콜의 규칙을 모르는 raw epoll 루프에 대한 비율과
95 % 구간으로 적었습니다([방법](bench/README.md#beside-others)(영문): `cargo xtask bench compare`).""",
}


def write(page, command, told):
    """Puts what a command tells in the place of what it told before."""
    begin, end = f"<!-- What follows is written by `cargo xtask bench {command}`. -->\n", "<!-- The end of what is written. -->\n"
    before, _, rest = page.read_text().partition(begin)
    page.write_text(f"{before}{begin}{told}{end}{rest.partition(end)[2]}")


def keep(results, rounds):
    """Keeps a run, and shows the newest in README.md, and of what goes to all in bench/README.md and that of talkback-topics."""
    path = HERE / f"runs/{datetime.date.today()}.md"
    path.parent.mkdir(exist_ok=True)
    told = f"# {path.stem}\n\n{about()}{report(results, rounds)}"
    if set(SHOWN) <= set(results):
        picture(results, path.with_suffix(".svg"))
        told += f"![The first table as bars]({path.stem}.svg)\n"
        for name, above in PAGES.items():
            shown = f"{above}\n\n{table(results, SHOWN)}{about()}[bench/runs](bench/runs/{path.name})\n\n"
            write(ROOT / name, "compare", shown)
    if set(FANNED_OUT) <= set(results):
        write(HERE / "README.md", "compare", f"\n{about()}{sections(results, FAN_OUT, '###')}[runs](runs/{path.name})\n\n")
        write(OF_TOPICS, "compare", f"\n{table(results, FANNED_OUT[:4])}{about()}")
    path.write_text(told)


def build():
    print("  building, which takes minutes the first time", flush=True)
    env = {"CARGO_TARGET_DIR": str(scratch("bench"))}
    # The floor is to be an echo server, too, which its own tests say.
    for what in ("build --release --locked -p load -p servers -p clients --bins --examples", "test --release --locked -p servers --lib"):
        must(*cargo(f"{what} --manifest-path"), HERE / "Cargo.toml", env=env)
    must(*cargo("build --release --locked -p talkback-cli"))


def main():
    parser = argparse.ArgumentParser("cargo xtask bench compare", description=__doc__)
    parser.add_argument("--rounds", type=int, default=CLAIM, help=f"how often each runs; a claim takes {CLAIM}")
    parser.add_argument("--rows", help=f"which rows, with commas between: {', '.join(ROWS)}")
    parser.add_argument("--who", default="", help="those whose names hold one of these words, beside what they are compared with")
    parser.add_argument("--seconds", type=float, default=0.4, help="how long each is measured (%(default)s)")
    options = parser.parse_args()
    rows = {key: ROWS.get(key) or parser.error(f"no row is named {key}") for key in (options.rows or ",".join(ROWS)).split(",")}
    words = options.who.split(",")
    # What is compared with is always there.
    is_meant = lambda row, name: name == row.who[0] or any(word in name for word in words)
    meant = {key: [name for name in row.who if is_meant(row, name)] for key, row in rows.items()}
    build()
    resource.setrlimit(resource.RLIMIT_NOFILE, [resource.getrlimit(resource.RLIMIT_NOFILE)[1]] * 2)
    counts = {key: min(options.rounds, row.rounds) for key, row in rows.items()}
    runs = sum(counts[key] * len(meant[key]) for key in rows)
    print(f"  {runs} runs, about {runs * (options.seconds + 0.5) / 60:.0f} minutes", flush=True)
    seconds, results = ["--seconds", options.seconds], {}
    # Half of what the floor does, which the generator bounds.
    full = measure(ROWS["64x100"], "raw epoll", seconds)
    half = ["--rate", f"{full['messages'] / full['wall_ns'] * 5e8:.0f}"]
    for key, row in rows.items():
        results[key] = run(row, meant[key], counts[key], seconds + half * (key == "latency"))
        print(f"  {key}: {counts[key]} rounds", flush=True)
    print(about() + report(results, options.rounds))
    if options.rounds >= CLAIM and any(set(keys) <= set(results) for keys in (SHOWN, FANNED_OUT)):
        keep(results, options.rounds)


if __name__ == "__main__":
    main()

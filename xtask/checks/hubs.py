"""A soak of two hubs over one Redis, which go and come back: clients that stay subscribed account for every publication.

The clients are an example of talkback-conformance (soak_topics), the hubs `talkback hub`, and Redis is Debian's.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import tempfile
import time
import urllib.request

from fates import address
from run import TARGET, Program, answer, cargo, check, must, until
from tools import need

RELEASE = TARGET / "release"
# How long all is well, before and after.
QUIET = 5
# How soon clients are to be told that they are up to date, once Redis is back; and where only silence told that it was gone.
LIVE, LIVE_BY_PROBE = 3, 25


class Redis:
    """A Redis on an address of its own, which may end and begin again."""

    def __init__(self, programs, *options):
        self.programs, self.options = programs, options
        self.folder = pathlib.Path(programs.enter_context(tempfile.TemporaryDirectory()))
        self.port = address().split(":")[1]
        self.begin()

    def begin(self):
        options = ("--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder, "--save", "", *self.options)
        self.program = self.programs.enter_context(Program(need("redis-server"), *options))
        until(lambda: answer("redis-cli", "-p", self.port, "ping"), 20)
        self.back = time.time()

    def kill(self):
        self.program.kill()
        self.program.process.wait()

    def signal(self, number):
        os.kill(int(self.program.pid), number)
        self.back = time.time()

    def cli(self, *arguments):
        return must("redis-cli", "-p", self.port, *arguments)

    def reads(self):
        """How often a stream was read."""
        calls = re.findall(r"cmdstat_(?:xrange|xread|xrevrange):calls=(\d+)", self.cli("info", "commandstats"))
        return sum(map(int, calls))

    def cpu(self):
        """The seconds that it has used."""
        stat = pathlib.Path(f"/proc/{self.program.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, stat[11:13])) / os.sysconf("SC_CLK_TCK")


def hub(programs, *options):
    return programs.enter_context(Program(RELEASE / "talkback", "hub", "127.0.0.1:0", *options))


def counted(one, name):
    """What a hub says at /metrics that it has counted."""
    text = urllib.request.urlopen(one.url().replace("ws:", "http:") + "metrics", timeout=20).read().decode()
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))


def resident(one):
    """How many MiB of it are in memory."""
    status = pathlib.Path(f"/proc/{one.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def clients(programs, hubs, subscribers, topics, rate, size):
    """Clients at each hub, once all are subscribed."""
    urls = ",".join(one.url() for one in hubs)
    program = programs.enter_context(Program(RELEASE / "examples/soak_topics", urls, subscribers, topics, rate, size))
    until(lambda: "begun\n" in program.output(), 60, lambda: f"not all begin: {program.output()[-500:]}")
    return program


def account(program):
    """What all clients say in the end."""
    program.process.stdin.write(b"\n")
    program.process.stdin.flush()
    line = lambda: re.search(r"^\{.*\}\n", program.output(), re.MULTILINE)
    return json.loads(until(line, 200, lambda: f"no account: {program.output()[-1000:]}")[0])


def hold(told, **wanted):
    """Whatever has happened, nobody has missed anything without a word; and what else is wanted.

    >>> good = dict(missing=0, silent=0, doubles=0, twice=0, differ=0, unknown=0, ended=[], resets=2)
    >>> hold(good, resets=2)
    >>> hold(good | {"silent": 1})
    Traceback (most recent call last):
    AssertionError: silent is 1
    >>> hold(good | {"resets": 0}, resets=any)
    Traceback (most recent call last):
    AssertionError: resets is 0
    """
    wanted = dict(missing=0, silent=0, doubles=0, twice=0, differ=0, unknown=0, ended=[]) | wanted
    for name, value in wanted.items():
        if not told[name] if value is any else told[name] != value:
            raise AssertionError(f"{name} is {told[name]}")


def show(name, told, more=""):
    figures = ", ".join(f"{key} {told[key]:,}" for key in ("ok", "refused", "refused_seen", "deliveries", "missing_told", "twice", "gaps", "resets", "stale", "live"))
    print(f"  {name}: {figures}; from due to delivered p50 {told['p50_us'] / 1e3:.1f} ms, p99 {told['p99_us'] / 1e3:.1f} ms, "
          f"at most {told['max_us'] / 1e3:,.0f} ms{more}", flush=True)
    for why, count in told["reasons"].items():
        print(f"    refused {count}: {why}", flush=True)


def with_trouble(trouble, *options, keep=1024, subscribers=200, topics=100, rate=500, size=128):
    """What the clients say of two hubs over a Redis that has some trouble, and how soon they were told that all is well again."""
    with contextlib.ExitStack() as programs:
        redis = Redis(programs, *options)
        two = [hub(programs, "--redis", f"redis://127.0.0.1:{redis.port}/", "--keep", keep) for _ in range(2)]
        program = clients(programs, two, subscribers, topics, rate, size)
        time.sleep(QUIET)
        trouble(redis, two)
        time.sleep(2 * QUIET)
        # The last of Live may be later than that, where silence alone tells.
        until(lambda: is_live(program), LIVE_BY_PROBE + 5, lambda: f"not all are live: {program.output()[-500:]}")
        told = account(program)
        alive = [one for one in two if one.process.poll() is None]
        told["delivered"] = sum(counted(one, "talkback_topics_delivered_total") for one in alive)
        return told, told["live_at"] / 1e3 - redis.back


def live(told, after):
    return f"; live after {after:.1f} s" if told["live"] else "; never stale"


def is_live(program):
    """Whether as many were told that they are up to date as were told that they are not."""
    told = re.findall(r"(\d+) stale, (\d+) live$", program.output(), re.MULTILINE)
    return told and told[-1][0] == told[-1][1]


def soon(told, after, limit):
    if told["stale"] and after > limit:
        raise AssertionError(f"{after:.1f} s until the last was told that it is live: {limit} s at most")


def hub_killed():
    """a hub is killed: 2 × 2,000 clients have each publication exactly once, and Redis is read once for a topic at most"""
    reads = []

    def trouble(redis, two):
        reads.append(redis.reads())
        two[0].kill()
        time.sleep(QUIET)
        reads.append(redis.reads())

    told, _ = with_trouble(trouble, subscribers=2000)
    show("a hub killed", told, f"; Redis read {reads[1] - reads[0]} times")
    hold(told, resets=0, gaps=0, missing_told=0, clients=4000)
    if reads[1] - reads[0] > 100:
        raise AssertionError(f"Redis was read {reads[1] - reads[0]} times for 100 topics")


def redis_killed():
    """Redis is killed, and comes back after 8 s with what it had"""

    def trouble(redis, _):
        redis.kill()
        time.sleep(8)
        redis.begin()

    told, after = with_trouble(trouble, "--appendonly", "yes")
    show("Redis killed for 8 s", told, live(told, after))
    hold(told, resets=0, gaps=0, missing_told=0, stale=any, refused=any)
    soon(told, after, LIVE)


def redis_restarted():
    """Redis is killed 48 times, as every hour of two days: no hub that is full grows, and hubs count what clients tell"""
    held = []

    def trouble(redis, two):
        for _ in range(48):
            redis.kill()
            redis.begin()
            time.sleep(QUIET)
            held.append(sum(map(resident, two)))

    told, after = with_trouble(trouble, "--appendonly", "yes", keep=64)
    # Ids are kept for two minutes.
    once, last = max(held[24:30]), max(held[-6:])
    show("Redis killed 48 times", told, f"; {once:.1f} MiB after half of it, {last:.1f} MiB at last")
    hold(told, resets=0, gaps=0, missing_told=0, delivered=told["deliveries"])
    soon(told, after, LIVE)
    if last > 1.1 * once:
        raise AssertionError(f"the hubs grow: {held}")


def redis_stopped():
    """Redis stands still for 30 s (SIGSTOP)"""

    def trouble(redis, _):
        redis.signal(signal.SIGSTOP)
        time.sleep(30)
        redis.signal(signal.SIGCONT)

    told, after = with_trouble(trouble)
    show("Redis stopped for 30 s", told, live(told, after))
    hold(told, resets=0, gaps=0, missing_told=0, refused=any)
    soon(told, after, LIVE_BY_PROBE)


def redis_empty():
    """Redis is killed, and comes back at once with nothing"""

    def trouble(redis, _):
        redis.kill()
        redis.begin()

    told, after = with_trouble(trouble)
    show("Redis back empty", told, live(told, after))
    # What was under way is published again by its id, which this Redis has not seen.
    hold(told, resets=any, twice=told["twice"])
    soon(told, after, LIVE)


def redis_old():
    """Redis is killed, and comes back as it was 3 s before"""

    def trouble(redis, _):
        redis.cli("save")
        kept = redis.folder / "kept.rdb"
        shutil.copy(redis.folder / "dump.rdb", kept)
        time.sleep(3)
        redis.kill()
        shutil.copy(kept, redis.folder / "dump.rdb")
        redis.begin()

    told, after = with_trouble(trouble)
    show("Redis back from an old snapshot", told, live(told, after))
    hold(told, resets=any, twice=told["twice"])
    soon(told, after, LIVE)


def subscriber_cut():
    """Redis cuts a hub off that does not keep up (client-output-buffer-limit pubsub 64kb 0 0), under messages of 8 KiB"""
    cut = []

    def trouble(redis, two):
        # A hub that stands still for a while does not keep up; the system takes some megabytes for it.
        for _ in range(3):
            os.kill(int(two[1].pid), signal.SIGSTOP)
            time.sleep(3)
            os.kill(int(two[1].pid), signal.SIGCONT)
            time.sleep(3)
        cut.append(redis.program.output().count("overcoming of output buffer limits"))

    told, _ = with_trouble(trouble, "--client-output-buffer-limit", "pubsub 64kb 0 0", size=8192)
    show("a hub cut off by Redis", told, f"; cut off {cut[0]} times")
    hold(told | {"cut": cut[0]}, resets=0, gaps=0, missing_told=0, cut=any)


def latency():
    """how much later a publication comes over Redis, at 1,000, 10,000 and 50,000 a second to 2 × 100"""
    for rate in (1_000, 10_000, 50_000):
        alone, over = latency_at(rate, None), latency_at(rate, "--redis")
        show(f"{rate:,} a second, one hub alone", alone[0])
        show(f"{rate:,} a second, two hubs over Redis", over[0], f"; Redis {over[1]:.1f} µs each")
        added = [(over[0][key] - alone[0][key]) / 1e3 for key in ("p50_us", "p99_us")]
        print(f"    added: p50 {added[0]:.2f} ms, p99 {added[1]:.2f} ms; goals at 10,000 a second: 1 ms, 5 ms", flush=True)


def latency_at(rate, over):
    with contextlib.ExitStack() as programs:
        redis = Redis(programs)
        options = [over, f"redis://127.0.0.1:{redis.port}/"] if over else []
        hubs = [hub(programs, *options) for _ in range(2 if over else 1)]
        program = clients(programs, hubs, 200 // len(hubs), 100, rate, 128)
        before = redis.cpu()
        time.sleep(10)
        used = redis.cpu() - before
        told = account(program)
        hold(told)
        return told, used * 1e6 / max(told["ok"], 1)


SCENES = [hub_killed, redis_killed, redis_restarted, redis_stopped, redis_empty, redis_old, subscriber_cut, latency]


def hubs(*names):
    """12 min  [SCENE]… two hubs over Redis, which go and come back: every client has every publication once, or is told"""
    need("redis-server")
    must(*cargo("build --release --package talkback-cli --bin talkback"))
    must(*cargo("build --release --package talkback-conformance --example soak_topics"))
    for scene in SCENES:
        if not names or scene.__name__ in names:
            check(scene.__doc__, scene)

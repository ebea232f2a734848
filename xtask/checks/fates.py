"""Two soaks of channels that stay connected: what becomes of each message when servers are killed, and what becomes of
a connection while its client sleeps. The programs are examples of talkback-conformance, which print what they see."""

import concurrent.futures
import contextlib
import os
import random
import re
import signal
import socket
import time

from run import Program, built, cargo, check, expect, must, until

# How many channels the client has; half of them close while a server is there, and the others while none is.
CHANNELS = 8
# How long a laptop sleeps.
SLEEP = 60
# How soon a client is to know what its system knows, once it is awake.
SOON = 2
# After how many seconds of silence a client of an impatient sort pings, and how long the answer may take.
PING = 4
# The longest wait before the first try.
FIRST_WAIT = 5


def build():
    must(*cargo("build --package talkback-conformance --example soak_server --example soak_client"))


def address():
    """One of this machine's where nobody listens, and which no connection takes by itself."""
    while True:
        # Nothing is bound, as a program that another thread starts would have it for a moment, too.
        with socket.socket() as probe:
            if probe.connect_ex(place := ("127.0.0.1", random.randrange(10_000, 30_000))):
                return "{}:{}".format(*place)


def server(*arguments):
    return Program(built("examples/soak_server"), *arguments)


def client(*arguments):
    return Program(built("examples/soak_client"), *arguments)


def told(program, begin, limit=60):
    """Waits until each channel has a line that begins so."""
    lines = lambda: {line.split()[1] for line in re.findall(rf"^{begin}.*", program.output(), re.MULTILINE)}
    until(lambda: len(lines()) == CHANNELS, limit, lambda: f"{begin!r} is told of {sorted(lines())} in {limit} s")


def opened(program):
    """Waits until each channel is open at this server."""
    is_open = lambda: program.output().count("open\n") >= CHANNELS
    until(is_open, 60, lambda: f"not all are open: {program.output()[-500:]}")


def fates(output):
    """What the client tells of each message by channel: its fate, and the number of the connection that had it.

    >>> fates("opened 3 1\\nfate 3 0 Written 1\\nfate 3 1 Unsent 0\\n")
    {3: [('Written', 1), ('Unsent', 0)]}
    """
    found = {}
    for channel, number, fate, connection in re.findall(r"^fate (\d+) (\d+) (\w+) (\d+)$", output, re.MULTILINE):
        of_channel = found.setdefault(int(channel), [])
        expect(int(number), len(of_channel))
        of_channel.append((fate, int(connection)))
    return found


def numbers(word, output, channel):
    r"""The numbers of the messages of which a program tells this, in its order.

    >>> numbers("seen", "seen 3 0\nseen 4 7\ntorn 3 1\nseen 3 2\n", 3)
    [0, 2]
    """
    return [int(number) for number in re.findall(rf"^{word} {channel} (\d+)\b", output, re.MULTILINE)]


def agree(fates, seen, echoed):
    """Holds the fates of a channel's messages against what the servers saw, and what came back.

    >>> written, lost, unknown, dropped = ("Written", 2), ("Written", 1), ("Unknown", 1), ("Dropped", 0)
    >>> agree([lost, lost, unknown, unknown, dropped, written], [0, 2, 5], [0, 5])
    Traceback (most recent call last):
    AssertionError: 2 was seen, and one before it on its connection was not
    >>> agree([lost, lost, unknown, unknown, dropped, written], [0, 1, 2, 5], [0, 5])
    >>> agree([lost, dropped], [0, 1], [])
    Traceback (most recent call last):
    AssertionError: 1 was seen, and is Dropped
    >>> agree([lost, lost], [1, 0], [])
    Traceback (most recent call last):
    AssertionError: seen twice, or in another order: 0 behind 1
    >>> agree([unknown], [0], [0])
    Traceback (most recent call last):
    AssertionError: 0 came back, and is Unknown
    """
    for one, following in zip(seen, seen[1:]):
        if one >= following:
            raise AssertionError(f"seen twice, or in another order: {following} behind {one}")
    arrived, is_cut = set(seen), set()
    for number, (fate, connection) in enumerate(fates):
        if number not in arrived:
            is_cut.add(connection)
        elif fate not in ("Written", "Unknown"):
            raise AssertionError(f"{number} was seen, and is {fate}")
        elif connection in is_cut:
            raise AssertionError(f"{number} was seen, and one before it on its connection was not")
    for number in echoed:
        if number not in arrived or fates[number][0] != "Written":
            raise AssertionError(f"{number} came back, and is {fates[number][0]}")


def killed(count="100"):
    """ 2 min  [COUNT] kills a server under traffic, by default 100 times: each message's fate agrees with what was seen"""
    build()
    with contextlib.ExitStack() as programs:
        place = address()
        start = lambda: programs.enter_context(server(place))
        servers = [start()]
        sending = programs.enter_context(client("send", servers[0].url()))
        for _ in range(int(count)):
            opened(servers[-1])
            # Under traffic of any length, of which it sees the end or not.
            time.sleep(random.uniform(0, 0.5))
            stop(servers[-1])
            time.sleep(random.uniform(0, 0.2))
            servers[-1].__exit__()
            servers.append(start())
        opened(servers[-1])
        even = [channel for channel in range(CHANNELS) if channel % 2 == 0]
        sending.process.stdin.write(b"\n")
        sending.process.stdin.flush()
        ended = lambda: all(f"ended {channel}\n" in sending.output() for channel in even)
        until(ended, 60, lambda: "those that close at a server do not end")
        servers[-1].__exit__()
        # Some more is queued, which nobody takes.
        time.sleep(0.5)
        sending.process.stdin.close()
        expect(sending.process.wait(60), 0)
        account(sending.output(), "".join(program.output() for program in servers), even)


def account(output, saw, clean):
    """Holds what the client told against what the servers did, channel by channel; prints what became of how many."""
    found = fates(output)
    expect((sorted(found), re.findall(r"^torn.*", saw, re.MULTILINE)), (list(range(CHANNELS)), []))
    names = ("Written", "Unknown", "Dropped", "Unsent")
    count, arrived = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for channel, of_channel in found.items():
        seen = numbers("seen", saw, channel)
        check(f"channel {channel}", agree, of_channel, seen, numbers("echo", output, channel))
        for number, (fate, _) in enumerate(of_channel):
            count[fate] += 1
        for number in seen:
            arrived[of_channel[number][0]] += 1
    for channel in clean:
        # The close frame came behind all.
        last = max(connection for _, connection in found[channel])
        wanted = [number for number, fate in enumerate(found[channel]) if fate == ("Written", last)]
        arrives = lambda: expect(set(wanted) - set(numbers("seen", saw, channel)), set())
        check(f"what channel {channel} wrote before it closed", arrives)
    print(f"  {'messages':<12}{'sent':>8}  seen by a server")
    for name in names:
        print(f"  {name:<12}{count[name]:>8,}{arrived[name]:>8,}")
    # None of the rules held for want of such messages.
    check("each fate is that of some", lambda: expect([name for name in names if not count[name]], []))


def stop(program):
    os.kill(program.process.pid, signal.SIGSTOP)


def go_on(program):
    os.kill(program.process.pid, signal.SIGCONT)


@contextlib.contextmanager
def connected(seconds, *options):
    """A server, and a client that pings after so many seconds of silence."""
    place = address()
    with server(place, *options) as serving, client("watch", serving.url(), seconds) as watching:
        told(watching, "opened")
        yield serving, watching


def sleep(watching, meanwhile=lambda: None):
    stop(watching)
    time.sleep(SLEEP / 2)
    meanwhile()
    time.sleep(SLEEP / 2)
    go_on(watching)


def stays(watching):
    """Each channel still has its first connection, and goes on to have it."""
    time.sleep(3 * PING)
    watching.process.stdin.write(b"\n")
    watching.process.stdin.flush()
    told(watching, "echo")
    expect(re.findall(r"^(?:lost|opened \d+ [^1]).*", watching.output(), re.MULTILINE), [])


def dies(*options):
    with contextlib.ExitStack() as programs:
        serving, watching = programs.enter_context(connected(*options))
        place = serving.command[1]

        def restart():
            serving.__exit__()
            programs.enter_context(server(place, *options[1:]))

        sleep(watching, restart)
        told(watching, "lost", SOON)
        told(watching, r"opened \d 2", FIRST_WAIT + SOON)


def lives(*options):
    with connected(*options) as (_, watching):
        sleep(watching)
        stays(watching)


@contextlib.contextmanager
def asked():
    """As `connected`, with pings on their way to a server that has stopped."""
    with connected(PING) as (serving, watching):
        stop(serving)
        time.sleep(1.5 * PING)
        yield serving, watching


def has_answered():
    with asked() as (serving, watching):
        sleep(watching, lambda: go_on(serving))
        stays(watching)


def answers_late():
    with asked() as (serving, watching):
        sleep(watching)
        # The client is awake, and no ping has had its time.
        time.sleep(PING / 4)
        go_on(serving)
        stays(watching)


def is_gone():
    with asked() as (_, watching):
        sleep(watching)
        # A ping has its time, and no more.
        told(watching, "lost", 2 * PING + SOON)


def asleep():
    """ 2 min  stops clients for a minute, as a laptop sleeps, while their servers die, go on or are gone without a word"""
    build()
    cases = {
        "a server that died meanwhile is told of soon": (dies, 20),
        "so is one that pings": (dies, 0, "pings"),
        "one that lives is not given up": (lives, 20),
        "nor one that has pinged meanwhile": (lives, 0, "pings"),
        "nor one that has answered meanwhile": (has_answered,),
        "nor one that answers a little later": (answers_late,),
        "one that is gone without a word is given up": (is_gone,),
    }
    with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
        for name, case in [(name, pool.submit(*case)) for name, case in cases.items()]:
            check(name, case.result)

"""Running other programs so that nothing waits for ever and nothing is left behind, and counting checks."""

import collections
import contextlib
import functools
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Cargo's own folder, in which ours are.
TARGET = pathlib.Path(os.environ.get("XTASK_TARGET", ROOT / "target"))
CARGO = os.environ.get("CARGO", "cargo")
GREETINGS = "Hello!\n안녕하세요\n"
COUNTS = collections.Counter()
# The programs that have not ended yet.
RUNNING = set()


def scratch(name):
    """A folder of our own in cargo's target directory."""
    folder = TARGET / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def built(program):
    """A program or an example that cargo has built."""
    return TARGET / "debug" / (program + (".exe" if os.name == "nt" else ""))


def passed(count=1):
    COUNTS["passed"] += count


def failed(what):
    COUNTS["failed"] += 1
    print("  failed:", what, flush=True)


def check(name, happens, *arguments):
    try:
        happens(*arguments)
        passed()
    except Exception as error:
        failed(f"{name}: {type(error).__name__}: {error}")


def expect(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r:.300}, wanted {wanted!r:.300}")


def until(happens, limit, what=lambda: "it does not happen"):
    """Waits for what happens within `limit` seconds, and returns what it returns."""
    end = time.monotonic() + limit
    while not (outcome := happens()):
        if time.monotonic() > end:
            raise AssertionError(what())
        time.sleep(0.02)
    return outcome


class Program:
    """A program that runs until the end of a `with`, and what it has printed."""

    def __init__(self, *command, env=None, cwd=ROOT, **streams):
        self.command, self.log = [str(part) for part in command], tempfile.NamedTemporaryFile()
        # It may end with its standard input, which ends with this.
        streams = {"stdin": subprocess.PIPE, "stdout": self.log, "stderr": subprocess.STDOUT, **streams}
        env = {name: value for name, value in {**os.environ, **(env or {})}.items() if value is not None}
        # What it starts is of its session, and ends with it; a person at a terminal ends all at once.
        self.has_session = not sys.stderr.isatty()
        options = {"cwd": cwd, "env": env, "start_new_session": self.has_session}
        self.process = subprocess.Popen(self.command, **streams, **options)
        self.pid = str(self.process.pid)
        RUNNING.add(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.process.wait()
        RUNNING.discard(self)

    def kill(self):
        with contextlib.suppress(ProcessLookupError):  # All of it has ended.
            os.killpg(self.process.pid, signal.SIGKILL) if self.has_session else self.process.kill()

    def output(self):
        return pathlib.Path(self.log.name).read_text(errors="replace")

    def says(self, *texts, limit=5):
        for text in texts:
            until(lambda: text in self.output(), limit, lambda: f"no {text!r} in {self.output()!r}")

    def url(self, limit=20):
        """The address that a server prints in a whole line, `ws://127.0.0.1:PORT/`."""
        address = lambda: re.search(r"((?:wss?|http)://127\.0\.0\.1:\d+)\b.*\n", self.output())
        return until(address, limit, lambda: f"{self.command} does not listen: {self.output()}")[1] + "/"


def run(*command, env=None, limit=3600, **streams):
    r"""Runs a program to its end; returns whether it ended well, and what it printed.

    Nothing is shown before it ends, but for its standard error on a terminal: there one sees what it is at.

    >>> run("sh", "-c", "cat; echo no >&2; head -c 300000 /dev/zero | wc -c; exit 3", stderr=subprocess.STDOUT)
    (False, 'no\n300000\n')
    >>> is_well, output = run("sh", "-c", "sleep 60 & echo $!; wait", limit=0.5)
    >>> until(lambda: sys.stderr.isatty() or not answer("cat", f"/proc/{output.split()[0]}/cmdline"), 5)
    True
    >>> is_well, output.split("\n", 1)[1]
    (False, '\nran out of time')
    """
    streams = {"stdin": subprocess.DEVNULL, **({"stderr": None} if sys.stderr.isatty() else {}), **streams}
    with Program(*command, env=env, **streams) as program:
        try:
            is_well = program.process.wait(limit) == 0
            return is_well, program.output()
        except subprocess.TimeoutExpired:
            return False, f"{program.output()}\nran out of time"


def end_with(number, _):
    """Has this program end when a signal says so, and first what it runs, in every thread."""
    for program in list(RUNNING):
        program.kill()
    sys.exit(128 + number)


def answer(*command, **options):
    """What a program prints, if it is there and ends well."""
    with contextlib.suppress(OSError):
        is_well, output = run(*command, stderr=subprocess.DEVNULL, **options)
        return output.strip() if is_well else None


def must(*command, **options):
    """What a program prints that has to succeed."""
    is_well, output = run(*command, **options)
    if not is_well:
        raise RuntimeError(f"{output}\n{' '.join(map(str, command))} failed")
    return output


def verdict(is_well, good, bad):
    """What a program that ended, and counted its checks, has passed and failed: one that died or checked nothing fails.

    >>> verdict(True, 7, 0), verdict(False, 7, 0), verdict(True, 0, 0), verdict(False, 6, 1)
    ((7, 0), (7, 1), (0, 1), (6, 1))
    """
    return good, bad or int(not (good and is_well))


def checked(*command, counts=None, **options):
    """Runs what passes or fails as a whole, or what counts its checks; shows what it said if it failed."""
    is_well, output = run(*command, **options)
    good, bad = verdict(is_well, *(counts(output) if counts else (int(is_well), 0)))
    COUNTS.update(passed=good, failed=bad)
    if bad:
        print(*re.findall(r"^(?!ok |.* \.\.\. ok$).*$", output, re.MULTILINE), sep="\n")
        print("  failed:", *command, flush=True)
    return output


def counted(*command, **options):
    return checked(*command, counts=count, **options)


def count(output):
    r"""The lines of libtest and those of TAP.

    >>> count("test result: ok. 2 passed; 0 failed; 1 ignored\ntest result: FAILED. 1 passed; 3 failed; 0 ignored\n")
    (3, 3)
    >>> count("ok text\nnot ok close 1000: got 1006\nok \nokay\ntest result: unknown\ntest passed; 3 failed\n")
    (2, 1)
    """
    results = re.findall(r"^test result: .* (\d+) passed; (\d+) failed;|^(ok) |^(not ok) ", output, re.MULTILINE)
    number = lambda index, word: sum(int(result[index] or 0) + bool(result[word]) for result in results)
    return number(0, 2), number(1, 3)


def cargo(line):
    return [CARGO, *line.split()]


def once(install):
    """What is done once, whoever asks first; who asks meanwhile waits."""
    lock, kept = threading.Lock(), functools.cache(install)

    def locked(*arguments):
        with lock:
            return kept(*arguments)

    return locked

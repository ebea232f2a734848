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

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):  # All of it has ended.
            os.killpg(self.process.pid, signal.SIGKILL) if self.has_session else self.process.kill()
        self.process.wait()

    def output(self):
        return pathlib.Path(self.log.name).read_text(errors="replace")

    def says(self, *texts, limit=5):
        for text in texts:
            until(lambda: text in self.output(), limit, lambda: f"no {text!r} in {self.output()!r}")

    def url(self):
        """The address that a server prints in a whole line, `ws://127.0.0.1:PORT/`."""
        address = lambda: re.search(r"((?:wss?|http)://127\.0\.0\.1:\d+)\b.*\n", self.output())
        return until(address, 20, lambda: f"{self.command} does not listen: {self.output()}")[1] + "/"


def run(*command, env=None, limit=3600, **streams):
    """Runs a program to its end; returns whether it ended well, and what it printed.

    Nothing is shown before it ends, but for its standard error on a terminal: there one sees what it is at.
    """
    streams = {"stdin": subprocess.DEVNULL, **({"stderr": None} if sys.stderr.isatty() else {}), **streams}
    with Program(*command, env=env, **streams) as program:
        try:
            is_well = program.process.wait(limit) == 0
            return is_well, program.output()
        except subprocess.TimeoutExpired:
            return False, f"{program.output()}\nran out of time"


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


def checked(*command, counts=None, **options):
    """Runs what passes or fails as a whole, or what counts its checks: none of them is a failure too."""
    is_well, output = run(*command, **options)
    good, bad = counts(output) if counts else (int(is_well), 0)
    passed(good)
    COUNTS["failed"] += bad
    if bad or not good or not is_well:
        print(*re.findall(r"^(?!ok |.* \.\.\. ok$).*$", output, re.MULTILINE), sep="\n", flush=True)
    if not bad and not (good and is_well):
        failed(" ".join(map(str, command)))
    return output


def counted(*command, **options):
    return checked(*command, counts=count, **options)


def count(output):
    """The lines of libtest, `test result: ok. 12 passed; 1 failed; …`, and those of TAP, `ok …` and `not ok …`."""
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

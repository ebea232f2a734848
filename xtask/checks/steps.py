"""The steps of `cargo xtask test`: each counts what it checks, and raises what keeps it from beginning.

What they compile is linted as it compiles: clippy's driver stands in for the compiler, so that one build serves the
lints and the tests.
"""

import doctest
import importlib
import os
import pathlib
import re
import subprocess
import sys

import autobahn
import cost as costs
import crates
import fuzz
import web
import window as screens
from run import CARGO, GREETINGS, ROOT, answer, cargo, check, checked, counted, expect, must, scratch
from tools import ELSEWHERE, FAST, HERE, LINTS, build, cargo_tool, install, need, node, peers, programs

# The least share of the core's lines that its tests run, in percent. Lines of tests in its files count as well.
COVERAGE_MIN = 97


def format():
    """the code is formatted (cargo fmt)"""
    for workspace in (".", "bench", "fuzz", "docs/frameworks"):
        checked(*cargo("fmt --all --check"), cwd=ROOT / workspace)


def says_what_is_so(module):
    outcome = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    expect((outcome.failed, outcome.attempted > 0), (0, True))


def lint():
    """no warnings; compiles what the tests run (clippy)"""
    if not LINTS:
        raise RuntimeError("install it: rustup component add clippy")
    checked(*cargo(f"build --all-targets {FAST}"), env=LINTS)
    sys.path.append(str(ROOT / "bench"))
    for name in ("autobahn", "compare", "container", "cost", "docs", "fates", "hubs", "launcher", "run", "shown"):
        check(f"what {name}.py says of itself", says_what_is_so, name)
    checked("node", HERE / "workflows.cjs", ROOT / ".github/workflows", env=node())


def unit(which=FAST):
    """the tests of every crate, and one suite for every backend of the channel"""
    try:
        cargo_tool("nextest")
    except RuntimeError:
        counted(*cargo(f"test --lib --bins --tests --no-fail-fast {which}"), env=LINTS)
        return
    # It runs the tests of all crates at the same time, and counts them in a report.
    report = ROOT / "target/nextest/default/junit.xml"
    report.unlink(missing_ok=True)

    def counts(_):
        head = re.search(r"<testsuites .*", report.read_text() if report.exists() else "<testsuites >")[0]
        number = {name: int(value) for name, value in re.findall(r'(\w+)="(\d+)"', head)}
        bad = number.get("failures", 0) + number.get("errors", 0)
        return number.get("tests", 0) - number.get("skipped", 0) - bad, bad

    checked(*cargo(f"nextest run --no-fail-fast {which}"), counts=counts, env=LINTS)


def doc():
    """the examples in the documentation, and the documentation itself"""
    counted(*cargo(f"test --doc --no-fail-fast {FAST}"), env=LINTS)
    libraries = "--package talkback --package talkback-proto --package talkback-echo --package talkback-topics --all-features"
    checked(*cargo(f"doc --no-deps {libraries}"), env={"RUSTDOCFLAGS": "-Dwarnings", **LINTS})


def interop():
    """against servers, clients and proxies of others (talkback-conformance, tests/peers)"""
    build()
    skips = ""
    try:
        programs()
    except RuntimeError as error:
        if "--all" in sys.argv:
            raise
        # A person who changes a line need not install five servers for it.
        skips = ELSEWHERE
        print(f"  skipped ({ELSEWHERE.replace('--skip ', '')}): {error}")
    # Each of them waits more than it computes.
    tests = cargo(f"test {FAST},talkback-conformance/peers --test peers -- --test-threads 8 {skips}")
    counted(*tests, env={**LINTS, **peers()}, limit=900)


def demo():
    """`cargo demo` in a pipe (the demo itself: talkback-demo, pipe.rs)"""
    must(CARGO, "demo", "--version", env=LINTS)
    options = {"input": GREETINGS, "text": True, "capture_output": True, "timeout": 60, "env": {**os.environ, **LINTS}}
    told = lambda *arguments: subprocess.run([CARGO, "demo", *arguments], cwd=ROOT, **options)
    check("a pipe gets its own lines back", lambda: expect(told().stdout, GREETINGS))
    # Port 1 needs root to listen on, and nobody does.
    refused = told("--url", "ws://127.0.0.1:1/")
    outcome = refused.returncode > 0, refused.stdout, refused.stderr.count("\n")
    check("a server that is not there takes one line", expect, outcome, (True, "", 1))


def deny():
    """licences, sources and versions of the dependencies (cargo deny)"""
    cargo_tool("deny")
    for rule in ("licenses", "sources", "bans"):
        checked(*cargo(f"deny check {rule}"))
    if answer(*cargo("deny fetch db"), limit=60) is None:
        return print("  skipped: advisories: their database cannot be reached from here")
    checked(*cargo("deny check --disable-fetch advisories"))


def cost():
    """what an echoed message costs: instructions, allocations, system calls, page faults, memory (valgrind, strace)"""
    for program in ("valgrind", "strace"):
        need(program)
    costs.counts()


def coverage():
    """how many of the core's lines are run by its tests (cargo llvm-cov)"""
    cargo_tool("llvm-cov")
    # The properties are many cases; what is counted was put in before the code is optimised.
    env = {"CARGO_PROFILE_DEV_OPT_LEVEL": "1"}
    # rustup's component has the programs, else Debian's build of the same LLVM.
    if not (pathlib.Path(must("rustc", "--print", "target-libdir").strip()).parent / "bin/llvm-cov").exists():
        folder = pathlib.Path("/usr/lib/rustlib/x86_64-unknown-linux-gnu/bin")
        if not (folder / "llvm-cov").exists():
            install("rustup component add llvm-tools: llvm-cov", "rust-web-llvm")
        env |= {"LLVM_COV": f"{folder}/llvm-cov", "LLVM_PROFDATA": f"{folder}/llvm-profdata"}
    command = cargo(f"llvm-cov --package talkback-proto --summary-only --fail-under-lines {COVERAGE_MIN}")
    output = checked(*command, "--ignore-filename-regex", "/tests(/|[.]rs)", env=env)
    # Regions, functions and lines, each with its count, how many were missed, and the share.
    shares = re.findall(r"^TOTAL(?: +\S+){8} +(\S+)", output, re.MULTILINE)
    print(f"  {', '.join(shares)} of the core's lines, at least {COVERAGE_MIN} %")


def window():
    """the demo and examples/app: windows under real keys (Xvfb), pages in Chromium"""
    packages = "--package talkback-demo --package talkback-app --all-features"
    # As the tests have them: by themselves, the programs are with other features of a third of the GUI.
    must(*cargo(f"build --all-targets {packages}"), env=LINTS)
    unit(packages)
    screens.windows()
    web.tab_in_use()


def schedules(count="10000"):
    """channels, their reconnecting, a server's connections, prepared messages and topics under 10,000 random schedules a test (shuttle)"""
    # Compiling takes most of the time.
    profile = {"CARGO_PROFILE_RELEASE_OPT_LEVEL": "1", "CARGO_PROFILE_RELEASE_DEBUG": "false",
               "CARGO_PROFILE_RELEASE_LTO": "off", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16"}
    env = {"TALKBACK_SCHEDULES": count, "RUSTFLAGS": "--cfg shuttle", "CARGO_TARGET_DIR": str(scratch("schedules"))}
    for tests in (
        "talkback --no-default-features --features test-util,server --test it",
        "talkback-proto --lib schedules::",
        "talkback-topics --test it",
    ):
        counted(*cargo(f"test --release --package {tests}"), env=env | profile)


FAST_STEPS = [format, lint, unit, doc, interop, demo]
MORE_STEPS = [deny, crates.api, crates.features, cost, coverage, window, web.browser, schedules, fuzz.fuzz, autobahn.autobahn]

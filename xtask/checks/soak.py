"""`cargo xtask soak NAME`: what takes longer than a change should wait for, each with its time on 2 cores."""

import os
import pathlib

import steps
import web
from autobahn import autobahn_all
from crates import lowest, packages
from fates import asleep, killed
from fuzz import fuzz_long
from run import ROOT, Program, answer, built, cargo, counted, expect, must, passed, run, scratch
from tools import build, compiler_for, firefox, install, quietly
from windows import windows_all


def mutants(*files):
    """   4 h  [FILE]… changes the core in one place after another, by .cargo/mutants.toml; 90 % are to be noticed"""
    if answer(*cargo("mutants --version")) is None:
        quietly(*cargo("install --quiet --locked cargo-mutants"))
    output, jobs = scratch("mutants"), os.cpu_count()
    # Each job has a copy of the tree, and is to build in it.
    options = {"env": {"CARGO_TARGET_DIR": None}, "limit": 40_000}
    run(*cargo(f"mutants --jobs {jobs} --output"), output, *(f"--re={file}" for file in files), **options)
    lines = lambda name: (output / "mutants.out" / f"{name}.txt").read_text().splitlines()
    # Tests that do not end have noticed it too.
    missed, noticed = lines("missed"), len(lines("caught") + lines("timeout"))
    print("not noticed:", *missed, f"  {noticed} of {noticed + len(missed)} are noticed", sep="\n")
    expect(noticed > 0 and 10 * noticed >= 9 * (noticed + len(missed)), True)
    passed()


def sanitize(*names):
    """20 min  [address] [thread] the tests of the core and of the library under the sanitizers of a nightly"""
    # Miri finds more, and takes hours: cargo +nightly miri test --package talkback-proto --lib
    sysroot = answer("rustup", "run", "nightly", "rustc", "--print", "sysroot")
    if not sysroot:
        raise RuntimeError("install it: rustup toolchain install nightly --component rust-src")
    has_source = pathlib.Path(sysroot, "lib/rustlib/src/rust/library/Cargo.lock").exists()
    for name in names or ("address", "thread"):
        flags = f"-Zsanitizer={name}"
        if name == "thread" and not has_source:
            flags += " -Cunsafe-allow-abi-mismatch=sanitizer --cfg visible_locks"
        # Sanitized code is slow, and the properties are many cases. CARGO would be asked instead of the nightly's.
        env = {"RUSTFLAGS": flags, "CARGO_PROFILE_DEV_OPT_LEVEL": "1", "CARGO": None}
        env |= {"CARGO_TARGET_DIR": str(scratch(f"sanitize/{name}"))}
        env |= {"TSAN_OPTIONS": f"suppressions={ROOT}/xtask/checks/thread.txt"}
        # What the standard library does inside is seen if it can be built with the sanitizer. That has an allocator of
        # its own, whose bytes cannot be counted. Another compiler says other things; a child process has other limits.
        tests = f"--lib --test it --target x86_64-unknown-linux-gnu {'-Zbuild-std' * has_source}"
        packages = "--package talkback-proto --package talkback --all-features --no-fail-fast"
        counted(*f"rustup run nightly cargo test {packages} {tests} -- --skip memory:: --skip bounds:: --skip compile:: --skip runtimes".split(), env=env, limit=7200)


def i686():
    """ 5 min  the core's tests where memory has 32-bit addresses"""
    if pathlib.Path("/etc/debian_version").exists() and not pathlib.Path("/usr/lib32/crt1.o").exists():
        install("a 32-bit C library", "gcc-multilib")
    options, env = compiler_for("i686-unknown-linux-gnu")
    # The properties are many cases.
    test = cargo("test --package talkback-proto --lib --tests --no-fail-fast")
    counted(*test, *options, env=env | {"CARGO_PROFILE_DEV_OPT_LEVEL": "1"})


def frameworks():
    """ 4 min  compiles the examples of docs/ui.md: Dioxus, iced, Leptos"""
    clippy = cargo("clippy --workspace --manifest-path docs/frameworks/Cargo.toml -- -D warnings")
    must(*clippy, env={"CARGO_TARGET_DIR": str(scratch("frameworks"))})
    passed()


def schedules(count="100000"):
    """ 4 min  [COUNT] random schedules of the channel for each test, by default 100,000"""
    steps.schedules(count)


def herd():
    """10 min  10,000 channels in virtual time whose server closes at once for an hour, and 100,000 reconnects of one"""
    tests = cargo("test --package talkback --features test-util --lib --test it -- --nocapture --test-threads 1 herd re91")
    print(must(*tests, env={"TALKBACK_SOAK": "1"}, limit=7200))
    passed()


def outage(seconds="60"):
    """ 3 min  [SECONDS] a server is down for so long, and Firefox holds back who comes again"""
    os.environ["TALKBACK_DOWN_SECONDS"] = seconds
    build()
    with Program(built("conformance-server")) as server:
        web.lifecycle({"firefox": firefox()}, server.url())


SOAKS = [mutants, fuzz_long, autobahn_all, sanitize, schedules, herd, outage, i686, killed, asleep, frameworks, lowest, packages,
         windows_all]

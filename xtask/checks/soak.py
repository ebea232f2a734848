"""`cargo xtask soak NAME`: what takes longer than a change should wait for, each with its time on 2 cores."""

import os
import pathlib
import time

import steps
import web
from autobahn import autobahn_all
from container import container
from crates import features_more, lowest, packages
from fates import asleep, killed
from fuzz import fuzz_long
from hubs import hubs
from run import ROOT, Program, answer, built, cargo, checked, count, counted, expect, must, passed, run, scratch
from tools import build, compiler_for, firefox, need, quietly
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


# Other processors, by Rust's name, with qemu's and Debian's: big-endian, NEON, memory of 32-bit addresses.
PROCESSORS = {"s390x": ("s390x", "s390x"), "aarch64": ("aarch64", "arm64"), "i686": ("i386", "i386")}


def processors(*names):
    """25 min  [s390x] [aarch64] [i686] the core's tests on other processors, emulated (qemu-user)"""
    for name in names or PROCESSORS:
        (emulated, debian), gnu, began = PROCESSORS[name], f"{name}-linux-gnu", time.monotonic()
        need(f"qemu-{emulated}", "qemu-user")
        need(f"{gnu}-gcc", f"gcc-{gnu} libc6-dev-{debian}-cross")
        options, env = compiler_for(f"{name}-unknown-linux-gnu")
        target = f"CARGO_TARGET_{name.upper()}_UNKNOWN_LINUX_GNU"
        env |= {f"{target}_LINKER": f"{gnu}-gcc", f"{target}_RUNNER": f"qemu-{emulated} -L /usr/{gnu}"}
        # The properties are many cases.
        env["CARGO_PROFILE_DEV_OPT_LEVEL"] = "1"
        good, bad = count(counted(*cargo("test --package talkback-proto --lib --tests --no-fail-fast"), *options, env=env))
        print(f"  {name:<9}{good} passed, {bad} failed in {time.monotonic() - began:.0f} s", flush=True)


# Where nothing can be run here, and what is for there beside the libraries: the command, or what docs/phones.md has.
TARGETS = {"aarch64-apple-darwin": "talkback-cli", "aarch64-apple-ios": "talkback",
           "aarch64-linux-android": "talkback-docs", "x86_64-unknown-freebsd": "talkback-cli"}


def targets(*names):
    """ 6 min  [TARGET]… type-checks library and command for macOS and FreeBSD, the library for iOS and Android"""
    for name in names or TARGETS:
        began, (options, env) = time.monotonic(), compiler_for(name)
        # Nothing is linked, so that what would compile ring's C, and Apple's files for that, need not be there: any folder.
        env |= {f"{tool}_{name.replace('-', '_')}": "true" for tool in ("CC", "AR")} | {"SDKROOT": str(scratch("sdk"))}
        packages = dict.fromkeys(["talkback", "talkback-proto", "talkback-echo", TARGETS[name]])
        checked(*cargo(f"check --all-features --package {' --package '.join(packages)}"), *options, env=env)
        print(f"  {name:<24}{time.monotonic() - began:.0f} s", flush=True)


def frameworks():
    """ 4 min  compiles the examples of docs/ui.md: Dioxus, iced, Leptos"""
    clippy = cargo("clippy --workspace --manifest-path docs/frameworks/Cargo.toml -- -D warnings")
    must(*clippy, env={"CARGO_TARGET_DIR": str(scratch("frameworks"))})
    passed()


def schedules(count="100000"):
    """ 4 min  [COUNT] random schedules of the channel for each test, by default 100,000"""
    steps.schedules(count)


def herd():
    """ 6 min  10,000 channels in virtual time whose server closes at once for an hour, and 100,000 reconnects of one"""
    tests = cargo("test --package talkback --features test-util --lib --test it -- --nocapture --test-threads 1 herd re91")
    print(must(*tests, env={"TALKBACK_SOAK": "1"}, limit=7200))
    passed()


def outage(seconds="60"):
    """ 3 min  [SECONDS] a server is down for so long, and Firefox holds back who comes again"""
    os.environ["TALKBACK_DOWN_SECONDS"] = seconds
    build()
    with Program(built("conformance-server")) as server:
        web.lifecycle({"firefox": firefox()}, server.url())


SOAKS = [mutants, fuzz_long, autobahn_all, sanitize, schedules, herd, outage, processors, targets, windows_all, killed, asleep, hubs, frameworks, features_more,
         lowest, packages, container]

"""The targets of `fuzz/`, and the differential run."""

import concurrent.futures
import re
import shutil

from run import ROOT, answer, cargo, check, checked, must, run, scratch
from tools import cargo_tool, need

# A target is a file of `fuzz_targets`.
TARGETS = sorted(file.stem for file in (ROOT / "fuzz/fuzz_targets").glob("*.rs"))
ENV = {"CARGO_TARGET_DIR": str(scratch("fuzz/target"))}


def fuzz():
    """random input against what the core holds, and beside two other decoders (cargo fuzz)"""
    shutil.rmtree(scratch("fuzz/found"))
    try_all(TARGETS, 10)
    differential = cargo("run --quiet --release --package talkback-differential -- --seconds 10")
    print(checked(*differential, cwd=ROOT / "fuzz", env=ENV), end="")


def fuzz_long(*arguments):
    """50 min  [MINUTES] [--keep] [TARGET]… 10 minutes a target, two at a time; --keep packs what is new"""
    minutes = next((int(argument) for argument in arguments if argument.isdigit()), 10)
    chosen = [argument for argument in arguments if not argument.isdigit() and argument != "--keep"]
    if unknown := set(chosen) - set(TARGETS):
        raise ValueError(f"no target is named {unknown}; the targets are {', '.join(TARGETS)}")
    try_all(chosen or TARGETS, 60 * minutes)
    if "--keep" in arguments:
        list(map(keep, chosen or TARGETS))


def cargo_fuzz(line):
    """A command of cargo-fuzz, with its environment. Sanitizers are a nightly's; else ours is told to allow them."""
    if answer("rustup", "run", "nightly", "rustc", "--version"):
        # CARGO would be asked instead.
        return ["rustup", "run", "nightly", "cargo", "fuzz", *line.split()], {**ENV, "CARGO": None}
    return cargo(f"fuzz {line}"), {**ENV, "RUSTC_BOOTSTRAP": "1"}


def try_all(targets, seconds):
    """Builds the targets and runs them, two at a time."""
    cargo_tool("fuzz")
    # libFuzzer is C++.
    need("c++", "g++")
    command, env = cargo_fuzz("build")
    must(*command, env=env)
    with concurrent.futures.ThreadPoolExecutor(2) as two:
        list(two.map(lambda target: check(target, fuzz_one, target, seconds), targets))


def fuzz_one(target, seconds):
    is_http = target.endswith("_head") or target == "extension_header"
    dictionary = f"-dict=fuzz/dictionaries/{'http' if is_http else 'frames'}.dict"
    command, env = cargo_fuzz(f"run {target}")
    # What is new goes to the first folder.
    command += [scratch(f"fuzz/found/{target}"), unpack(target), "--", dictionary, "-timeout=120"]
    is_well, output = run(*command, f"-max_total_time={seconds}", env=env, limit=seconds + 300)
    done = re.search(r"^Done .*", output, re.MULTILINE)
    if not is_well or not done:
        # The panic, the input that did it, and how to see it again.
        raise AssertionError(output[-6000:])
    print(f"  {target:<18} {done[0]}", flush=True)


def unpack(target):
    """The kept corpus of a target, in a folder."""
    shutil.rmtree(folder := scratch(f"fuzz/corpus/{target}"))
    must("tar", "-xzf", ROOT / f"fuzz/corpus/{target}.tar.gz", "-C", scratch(f"fuzz/corpus/{target}"))
    return folder


def keep(target):
    """Packs what of a run covers more with what was kept. The same files give the same bytes."""
    corpus, (command, env) = unpack(target), cargo_fuzz(f"run {target}")
    must(*command, corpus, scratch(f"fuzz/found/{target}"), *"-- -merge=1 -use_counters=0 -use_cmp=0".split(), env=env)
    same = "--sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --format=ustar"
    must("tar", *same.split(), "-I", "gzip -9n", "-cf", ROOT / f"fuzz/corpus/{target}.tar.gz", "-C", corpus, ".")

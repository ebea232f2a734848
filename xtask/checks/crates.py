"""The crates as strangers get them: public names, features, archives, and the lowest versions of what they depend on."""

import concurrent.futures
import difflib
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
import urllib.request

import share
from run import ROOT, TARGET, Program, cargo, check, checked, counted, expect, failed, must, passed, scratch
from tools import LINTS, cargo_tool, installed

# The one that reads what the nightly's rustdoc writes; for others the format has another number.
PUBLIC_API = "0.52.0"
NIGHTLY = {"CARGO": None, "RUSTUP_TOOLCHAIN": "nightly"}


def published(kinds=("bin", "lib")):
    told = must(*cargo("metadata --no-deps --format-version 1"), stderr=subprocess.DEVNULL)
    packages = [package for package in json.loads(told)["packages"] if package["publish"] != [] and package["readme"]]
    return [package["name"] for package in packages if any(target["kind"][0] in kinds for target in package["targets"])]


def public_names():
    """For each library, the file of its public names and what belongs in it: not what holds for every type."""
    program, env = installed("cargo-public-api", PUBLIC_API), {"CARGO_TARGET_DIR": str(scratch("api"))} | NIGHTLY
    for crate in published(["lib"]):
        command = [program, "public-api", "--package", crate, "--all-features", "-ss", "--color=never"]
        yield ROOT / f"docs/api/{crate}.txt", must(*command, env=env, stderr=subprocess.DEVNULL)


def write():
    for file, names in public_names():
        file.write_text(names)


def api():
    """the public names are those of docs/api (cargo public-api, a nightly)"""
    for file, names in public_names():
        old = file.read_text().splitlines() if file.exists() else []
        lines = [line for line in difflib.ndiff(old, names.splitlines()) if line[0] in "+-"]
        advice = f"{file.name}: run `cargo xtask api`, and write what breaks into CHANGELOG.md"
        failed("\n".join([advice, *lines])) if lines else passed()


def features():
    """every pair of features compiles without a warning (cargo hack)"""
    features_more("2")


def features_more(depth="3"):
    """12 min  [DEPTH] every set of at most so many features compiles, by default 3"""
    cargo_tool("hack")
    command = cargo(f"hack check --feature-powerset --depth {int(depth)} --package {' --package '.join(published(('lib',)))} --partition")
    # What differs from set to set is one crate, which is compiled on one core.
    parts = os.cpu_count()
    env = lambda part: LINTS | {"CARGO_TARGET_DIR": str(scratch(f"features/{part}"))}
    with concurrent.futures.ThreadPoolExecutor(parts) as pool:
        list(pool.map(lambda part: must(*command, f"{part}/{parts}", env=env(part)), range(1, parts + 1)))
    passed()


def lowest():
    """ 4 min  the lowest versions that the manifests allow compile, and pass the unit tests (a nightly)"""
    shutil.rmtree(copy := scratch("lowest/tree"))
    must("sh", "-c", f"git ls-files | tar -cf - -T - | tar -xf - --one-top-level='{copy}'", cwd=ROOT)
    # Others have windows, whose lowest versions do not fit each other.
    members = "\\1 = [" + ", ".join(f'"crates/{crate}"' for crate in published(["lib"])) + "]"
    manifest = re.sub(r"^(members|default-members) = .*$", members, (ROOT / "Cargo.toml").read_text(), flags=re.MULTILINE)
    (copy / "Cargo.toml").write_text(manifest)
    must(*"rustup run nightly cargo -Z direct-minimal-versions generate-lockfile".split(), cwd=copy, env=NIGHTLY)
    tests = cargo("test --lib --package talkback-proto --package talkback --package talkback-topics --all-features")
    counted(*tests, cwd=copy, env={"CARGO_TARGET_DIR": str(scratch("lowest/target"))})


def registry(folder, crates):
    """Has a folder of archives and of all that they depend on stand for crates.io in a folder; each archive lies there."""
    with share.shared():
        must(*cargo(f"package --quiet --no-verify --allow-dirty --package {' --package '.join(crates)}"))
    must(*cargo("vendor --quiet --locked --versioned-dirs"), place := folder / "registry")
    for crate in crates:
        (file,) = (TARGET / "package").glob(f"{crate}-[0-9]*.crate")
        for where in (place, folder):
            tarfile.open(file).extractall(where, filter="data")
        checksum = {"files": {}, "package": hashlib.sha256(file.read_bytes()).hexdigest()}
        (place / file.stem / ".cargo-checksum.json").write_text(json.dumps(checksum))
        (folder / file.stem).rename(folder / crate)
    config = f"[source.crates-io]\nreplace-with = 'archives'\n[source.archives]\ndirectory = '{place}'\n"
    (folder / ".cargo").mkdir()
    (folder / ".cargo/config.toml").write_text(config)


def packages():
    """ 8 min  each archive alone, then the command and README.md's first program out of a registry of archives"""
    # Outside of the repository, whose workspace cargo would take them for members of.
    with tempfile.TemporaryDirectory(prefix="talkback-packages-") as place:
        registry(folder := pathlib.Path(place), crates := published())
        env = {"CARGO_TARGET_DIR": f"{folder}/target", "RUSTFLAGS": "-Dwarnings", "RUSTDOCFLAGS": "-Dwarnings"}
        for crate in crates:
            counted(*cargo("test --all-features"), cwd=folder / crate, env=env)
            checked(*cargo("doc --no-deps --all-features"), cwd=folder / crate, env=env)
        check("a stranger's first minutes", stranger, folder, env)


def stranger(folder, env):
    began, readme = time.monotonic(), (ROOT / "README.md").read_text()
    told = lambda what: print(f"  {time.monotonic() - began:>6.1f} s  {what}", flush=True)
    must(*cargo(f"install --quiet --debug talkback-cli --root {folder} --config {folder}/.cargo/config.toml"), env=env)
    expect("echo" in must(folder / "bin/talkback", "--help"), True)
    told("cargo install talkback-cli")
    with Program(folder / "bin/talkback", "echo", "--listen", "127.0.0.1:0") as echo:
        demo = f"{echo.url().replace('ws:', 'http:')}demo/"
        expect(f"demo: {demo}" in echo.output(), True)
        for name in ("", "talkback_demo_tab_bg.wasm"):
            urllib.request.urlopen(demo + name, timeout=20).close()
    told("talkback echo, and the demo in it")
    must(*cargo("new --quiet hello"), cwd=folder)
    must(*cargo(add := re.search(r"^cargo (add [a-z -]+[a-z])", readme, re.MULTILINE)[1]), cwd=folder / "hello")
    program = re.search(r"^```rust.*\n((?:.*\n)*?)```$", readme, re.MULTILINE)[1]
    (folder / "hello/src/main.rs").write_text(program)
    expect(must(*cargo("run --quiet"), cwd=folder / "hello", env=env), "안녕하세요\n")
    told(f"cargo new, cargo {add}, README.md's first program, cargo run")

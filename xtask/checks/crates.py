"""The crates as strangers get them: their public names, their features, their archives, and the lowest versions of
their dependencies."""

import difflib
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
import time

from run import ROOT, TARGET, cargo, check, checked, counted, expect, failed, must, passed, scratch
from tools import LINTS, cargo_tool, installed

# The one that reads what the nightly's rustdoc writes; in later ones the format has another number.
PUBLIC_API = "0.52.0"


def published(kind="bin lib"):
    """Whatever is published with a target of this kind, by its own manifest."""
    packages = json.loads(must(*cargo("metadata --no-deps --format-version 1"), stderr=subprocess.DEVNULL))["packages"]
    has = lambda package: any(target["kind"][0] in kind for target in package["targets"])
    return [package["name"] for package in packages if package["publish"] != [] and has(package)]


def public_names():
    """For each library, the file of its public names and what stands in it now."""
    program = installed("cargo-public-api", PUBLIC_API)
    env = {"CARGO_TARGET_DIR": str(scratch("api")), "CARGO": None, "RUSTUP_TOOLCHAIN": "nightly"}
    for crate in published("lib"):
        # Without what the compiler makes of a type's fields, and what holds for every type.
        command = [program, "public-api", "--package", crate, "--all-features", "-ss", "--color=never"]
        yield ROOT / f"docs/api/{crate}.txt", must(*command, env=env, stderr=subprocess.DEVNULL)


def write():
    for file, names in public_names():
        file.write_text(names)


def api():
    """the public names are those of docs/api (cargo public-api, a nightly)"""
    for file, names in public_names():
        old = file.read_text() if file.exists() else ""
        lines = [line for line in difflib.ndiff(old.splitlines(), names.splitlines()) if line[0] in "+-"]
        advice = f"{file.name}: run `cargo xtask api`, and write what breaks into CHANGELOG.md"
        failed("\n".join([advice, *lines])) if lines else passed()


def features():
    """every set of features compiles without a warning (cargo hack)"""
    cargo_tool("hack")
    for crate in published("lib"):
        checked(*cargo(f"hack check --feature-powerset --package {crate}"), env=LINTS)


def lowest():
    """ 3 min  the lowest versions that the manifests allow compile, and pass the unit tests (a nightly)"""
    shutil.rmtree(copy := scratch("lowest/tree"))
    copy.mkdir()
    must("sh", "-c", f"git ls-files | tar -cf - -T - | tar -xf - -C '{copy}'", cwd=ROOT)
    # Others have windows, whose lowest versions do not fit each other.
    libraries = "\\1 = [" + ", ".join(f'"crates/{crate}"' for crate in published("lib")) + "]"
    manifest = re.sub(r"^(members|default-members) = .*$", libraries, (ROOT / "Cargo.toml").read_text(), flags=re.MULTILINE)
    (copy / "Cargo.toml").write_text(manifest)
    lock = "rustup run nightly cargo -Z direct-minimal-versions generate-lockfile"
    must(*lock.split(), cwd=copy, env={"CARGO": None})
    tests = cargo("test --lib --package talkback-proto --package talkback --all-features")
    counted(*tests, cwd=copy, env={"CARGO_TARGET_DIR": str(scratch("lowest/target"))})


def registry(folder):
    """A folder with the archives and all that they depend on, unpacked, in place of crates.io for what is beside it."""
    place, crates = folder / "registry", published()
    must(*cargo(f"package --quiet --no-verify --allow-dirty --package {' --package '.join(crates)}"))
    must(*cargo("vendor --quiet --locked --versioned-dirs"), place)
    for crate in crates:
        (file,) = (TARGET / "package").glob(f"{crate}-[0-9]*.crate")
        for where in (place, folder):
            with tarfile.open(file) as archive:
                archive.extractall(where, filter="data")
        checksum = {"files": {}, "package": hashlib.sha256(file.read_bytes()).hexdigest()}
        (place / file.stem / ".cargo-checksum.json").write_text(json.dumps(checksum))
        (folder / file.stem).rename(folder / crate)
    (folder / ".cargo").mkdir()
    config = f"[source.crates-io]\nreplace-with = 'archives'\n[source.archives]\ndirectory = '{place}'\n"
    (folder / ".cargo/config.toml").write_text(config)
    return crates


def packages():
    """ 8 min  each archive alone, and a stranger's first program and the command out of a registry of archives"""
    shutil.rmtree(folder := scratch("packages"))
    env = {"CARGO_TARGET_DIR": str(scratch("packages-target")), "RUSTFLAGS": "-Dwarnings"}
    for crate in registry(folder):
        alone = {"cwd": folder / crate, "env": env | {"RUSTDOCFLAGS": "-Dwarnings"}}
        counted(*cargo("test --all-features"), **alone)
        checked(*cargo("doc --no-deps --all-features"), **alone)
    check("the command is installed, and a first program runs", stranger, folder, env)
    # It is large.
    shutil.rmtree(folder)


def stranger(folder, env):
    """Installs the command, and follows README.md to its first program's answer."""
    began, readme = time.monotonic(), (ROOT / "README.md").read_text()
    told = lambda what: print(f"  {time.monotonic() - began:>6.1f} s  {what}", flush=True)
    must(*cargo(f"install --quiet --debug talkback-cli --root {folder}"), cwd=folder, env=env)
    expect("echo" in must(folder / "bin/talkback", "--help"), True)
    told("cargo install talkback-cli")
    add = re.search(r"^cargo (add [a-z -]+[a-z])", readme, re.MULTILINE)[1]
    must(*cargo("new --quiet hello"), cwd=folder)
    must(*cargo(add), cwd=folder / "hello")
    program = re.search(r"^```rust.*\n((?:.*\n)*?)```$", readme, re.MULTILINE)[1]
    (folder / "hello/src/main.rs").write_text(program)
    expect(must(*cargo("run --quiet"), cwd=folder / "hello", env=env), "안녕하세요\n")
    told(f"cargo new, cargo {add}, README.md's first program, cargo run")

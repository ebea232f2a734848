//! `cargo xtask sanitize`: the tests of the core and of the library under the address sanitizer and
//! the thread sanitizer, which only a nightly toolchain has.
//!
//! Miri finds more, and takes hours for what these take minutes: it is told how to run where it is
//! installed.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::report::Tally;
use crate::{Result, cargo, tools};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What is run, and which of its tests are left out: those that count an
/// allocator's bytes, as a sanitizer has its own, and those of another configuration.
const PACKAGES: &[(&str, &[&str])] = &[
    ("talkback-proto", &["bounds", "deflate_bounds", "memory"]),
    ("talkback", &["memory", "streams_memory", "shuttle"]),
];

/// One of the compiler's sanitizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sanitizer {
    Address,
    Thread,
}

impl Sanitizer {
    fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Thread => "thread",
        }
    }
}

const SANITIZERS: [Sanitizer; 2] = [Sanitizer::Address, Sanitizer::Thread];

/// Whether the standard library is built with the sanitizer too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Std {
    Instrumented,
    /// As it comes: what happens inside of it is not seen.
    AsItComes,
}

/// `cargo xtask sanitize`: runs the sanitizers of these names, or both.
pub(crate) fn start(names: &[OsString]) -> Result<()> {
    let mut sanitizers = Vec::new();
    for name in names {
        let known = SANITIZERS.iter().find(|known| known.name() == name);
        sanitizers.push(*known.ok_or("the sanitizers are address and thread")?);
    }
    if sanitizers.is_empty() {
        sanitizers = SANITIZERS.to_vec();
    }
    check(&sanitizers)
}

fn check(sanitizers: &[Sanitizer]) -> Result<()> {
    if !tools::succeeds(Command::new("rustup").args(["run", "nightly", "rustc", "--version"])) {
        return Err(
            "sanitizers need a nightly: rustup toolchain install nightly --component rust-src"
                .into(),
        );
    }
    let std = standard_library()?;
    let mut tally = Tally::default();
    for &sanitizer in sanitizers {
        let (began, mut of_this) = (Instant::now(), Tally::default());
        for (package, left_out) in PACKAGES {
            of_this += cargo::counted(tests(sanitizer, std, package, left_out)?)?;
        }
        let seconds = began.elapsed().as_secs();
        println!("  {:<8} {of_this} ({seconds} s)", sanitizer.name());
        tally += of_this;
    }
    tell_of_miri();
    if tally.failed > 0 {
        return Err("a sanitizer has found something, or a test failed under it".into());
    }
    Ok(())
}

fn tests(sanitizer: Sanitizer, std: Std, package: &str, left_out: &[&str]) -> Result<Command> {
    let name = sanitizer.name();
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo", "test", "--target", TARGET]);
    command.args([
        "--package",
        package,
        "--all-features",
        "--no-fail-fast",
        "--lib",
    ]);
    for test in test_files(package)? {
        if !left_out.contains(&test.as_str()) {
            command.args(["--test", &test]);
        }
    }
    let mut flags = format!("-Zsanitizer={name}");
    if sanitizer == Sanitizer::Thread && std == Std::AsItComes {
        flags += " -Cunsafe-allow-abi-mismatch=sanitizer --cfg visible_locks";
    }
    if std == Std::Instrumented {
        command.arg("-Zbuild-std");
    }
    // It would be asked instead of the nightly's.
    command.env_remove("CARGO");
    command.env("RUSTFLAGS", flags);
    // Sanitized code is slow, and the properties are many cases.
    command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    // Other flags compile everything anew.
    command.env(
        "CARGO_TARGET_DIR",
        cargo::scratch(&format!("sanitize/{name}"))?,
    );
    let suppressions = cargo::root().join("xtask/sanitize/thread.txt");
    let options = format!("suppressions={}", suppressions.display());
    command.env("TSAN_OPTIONS", options);
    command.current_dir(cargo::root());
    Ok(command)
}

/// The names of a package's test binaries.
fn test_files(package: &str) -> Result<Vec<String>> {
    let folder = cargo::root().join("crates").join(package).join("tests");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(name) = path.file_stem()
        {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn standard_library() -> Result<Std> {
    let mut command = Command::new("rustup");
    let sysroot = command
        .args(["run", "nightly", "rustc", "--print", "sysroot"])
        .output()?;
    let sysroot = String::from_utf8(sysroot.stdout)?;
    let source = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/Cargo.lock");
    if source.is_file() {
        return Ok(Std::Instrumented);
    }
    println!("  the nightly has no rust-src (rustup component add rust-src --toolchain nightly):");
    println!("  what the standard library does inside is not seen");
    Ok(Std::AsItComes)
}

fn tell_of_miri() {
    let mut version = Command::new("rustup");
    version.args(["run", "nightly", "cargo", "miri", "--version"]);
    if tools::succeeds(&mut version) {
        println!("  Miri is there: cargo +nightly miri test --package talkback-proto --lib");
    } else {
        println!("  Miri is not there (rustup component add miri --toolchain nightly)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_there_to_be_left_out() {
        for (package, left_out) in PACKAGES {
            let files = test_files(package).unwrap();
            let is_known = |name: &&str| files.iter().any(|file| file == name);
            assert!(left_out.iter().all(is_known), "{package}");
            assert!(files.len() > left_out.len());
        }
    }
}

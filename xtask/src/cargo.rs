//! The steps that are cargo's own: format, lint, unit, doc.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Result;
use crate::docs;
use crate::process::{self, Finished, Input, Stderr};
use crate::report::Tally;
use crate::tools;

/// A cold build of everything fits; a test that hangs does not hold up the rest for ever.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// The suite that each backend of the channel passes is a step of its own.
const CONFORMANCE: &str = "talkback-conformance";

pub(crate) fn format() -> Result<Tally> {
    tools::rustup_component("rustfmt", "fmt")?;
    checked(cargo(&["fmt", "--all", "--check"]))
}

pub(crate) fn lint() -> Result<Tally> {
    tools::rustup_component("clippy", "clippy")?;
    checked(cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ]))
}

pub(crate) fn unit() -> Result<Tally> {
    tests(&["--lib", "--bins", "--tests"])
}

/// The tests of the demo's state and of its window, without a screen; the step `unit` has built them.
pub(crate) fn demo_tests() -> Result<Tally> {
    tests(&[
        "--test=state",
        "--test=window",
        "--test=pictures",
        "--test=page",
    ])
}

/// Runs these of the workspace's tests, but for the conformance suite, which is a step of its own.
fn tests(which: &[&str]) -> Result<Tally> {
    let all = [
        "--workspace",
        "--exclude",
        CONFORMANCE,
        "--all-features",
        "--no-fail-fast",
    ];
    let mut command = cargo(&["test"]);
    command.args(all).args(which);
    counted(command)
}

pub(crate) fn conformance() -> Result<Tally> {
    counted(cargo(&["test", "--package", CONFORMANCE, "--no-fail-fast"]))
}

/// The tests of the channel under random schedules, in a target directory of their own, as other
/// flags would compile everything anew.
pub(crate) fn schedules() -> Result<Tally> {
    let mut command = cargo(&[
        "test",
        "--package",
        "talkback",
        "--no-default-features",
        "--release",
        "--test",
        "shuttle",
    ]);
    command.env("RUSTFLAGS", "--cfg shuttle");
    // Compiling takes most of the time.
    command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
    command.env("CARGO_PROFILE_RELEASE_DEBUG", "false");
    command.env("CARGO_TARGET_DIR", scratch("schedules")?);
    counted(command)
}

pub(crate) fn doc() -> Result<Tally> {
    let examples = counted(cargo(&[
        "test",
        "--doc",
        "--workspace",
        "--all-features",
        "--no-fail-fast",
    ]))?;
    let mut pages = cargo(&["doc", "--no-deps", "--workspace", "--all-features"]);
    pages.env("RUSTDOCFLAGS", "-D warnings");
    Ok(examples + checked(pages)? + docs::check()?)
}

/// Builds the program of a package in the profile of this one, so that it lies beside it.
pub(crate) fn build(package: &str, program: &str) -> Result<PathBuf> {
    let finished = shown(cargo(&["build", "--package", package, "--bin", program]))?;
    if finished.success() {
        beside_this_program(program)
    } else {
        Err(format!("{package} does not build: {}", finished.ending()).into())
    }
}

/// Builds an example of a package with this feature.
pub(crate) fn build_example(package: &str, example: &str, feature: &str) -> Result<PathBuf> {
    let finished = shown(cargo(&[
        "build",
        "--package",
        package,
        "--example",
        example,
        "--features",
        feature,
    ]))?;
    if finished.success() {
        beside_this_program(&format!("examples/{example}"))
    } else {
        Err(format!("{example} does not build: {}", finished.ending()).into())
    }
}

/// Where cargo puts, or has put, the program of another package of the workspace.
pub(crate) fn beside_this_program(program: &str) -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    Ok(this.with_file_name(format!("{program}{}", std::env::consts::EXE_SUFFIX)))
}

/// A folder of our own in cargo's target directory.
pub(crate) fn scratch(name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let target = this.ancestors().nth(2).ok_or("no target directory")?;
    let folder = target.join(name);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// A cargo command in the root of the repository.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(root());
    // What `cargo run` told this program about itself; some build scripts run again when it changes.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    command
}

/// Runs a command that has no tests to count: it passes or it fails.
pub(crate) fn checked(command: Command) -> Result<Tally> {
    let finished = shown(command)?;
    Ok(if finished.success() {
        Tally::PASSED
    } else {
        Tally::FAILED
    })
}

/// Runs a command whose libtest lines are counted. One that ran no test, or died, has failed.
pub(crate) fn counted(command: Command) -> Result<Tally> {
    let (tally, _) = counted_lines(command)?;
    Ok(tally)
}

/// As [`counted`]; the lines are returned too.
pub(crate) fn counted_lines(command: Command) -> Result<(Tally, String)> {
    let finished = shown(command)?;
    let tally = Tally::from_libtest(&finished.stdout);
    if finished.success() && tally == Tally::default() {
        println!("  failed: no test has run");
        return Ok((Tally::FAILED, finished.stdout));
    }
    let is_told = finished.success() || tally.failed > 0;
    let tally = if is_told {
        tally
    } else {
        tally + Tally::FAILED
    };
    Ok((tally, finished.stdout))
}

/// Runs a command; its output is shown if it fails. On a terminal its progress is shown as it goes.
fn shown(mut command: Command) -> Result<Finished> {
    let stderr = if std::io::stderr().is_terminal() {
        Stderr::Shown
    } else {
        Stderr::Kept
    };
    let finished = process::run(&mut command, Input::Nothing, stderr, LIMIT)?;
    if !finished.success() {
        let arguments: Vec<_> = command
            .get_args()
            .map(|part| part.to_string_lossy())
            .collect();
        let passed = |line: &&str| line.starts_with("test ") && line.ends_with(" ... ok");
        let lines = finished.stderr.lines().chain(finished.stdout.lines());
        lines
            .filter(|line| !passed(line))
            .for_each(|line| println!("{line}"));
        println!(
            "  failed: cargo {}: {}",
            arguments.join(" "),
            finished.ending()
        );
    }
    Ok(finished)
}

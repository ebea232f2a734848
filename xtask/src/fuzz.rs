//! `cargo xtask fuzz` and the step `fuzz`: the targets of `fuzz/`, and the differential run.

mod corpus;
mod told;

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::process::{self, Finished, Input, Stderr};
use crate::report::Tally;
use crate::{Result, cargo, tools};

const VERSION: &str = "0.13.2";

/// How long a step lets each target run, and a person who says nothing else.
const STEP_TIME: Duration = Duration::from_secs(10);
const USUAL_MINUTES: u64 = 10;

const DIFFERENTIAL_SECONDS: &str = "10";

const BUILD_LIMIT: Duration = Duration::from_secs(60 * 60);
/// What a target may take besides its time: reading its corpus, and ending.
const GRACE: Duration = Duration::from_secs(120);

const HELP: &str = "\
Looks for inputs that break what the targets of fuzz/ hold.

Usage:
  cargo xtask fuzz [--minutes N] [--keep] [TARGET]...   run every target, or those named (10 minutes each)

With --keep, what covers more of the code goes into fuzz/corpus.
";

#[derive(Debug)]
struct Target {
    name: &'static str,
    /// A file of `fuzz/dictionaries`.
    dictionary: &'static str,
}

#[rustfmt::skip]
const TARGETS: &[Target] = &[
    Target { name: "header",            dictionary: "frames" },
    Target { name: "connection_client", dictionary: "frames" },
    Target { name: "connection_server", dictionary: "frames" },
    Target { name: "request_head",      dictionary: "http" },
    Target { name: "response_head",     dictionary: "http" },
    Target { name: "extension_header",  dictionary: "http" },
    Target { name: "connection_deflate", dictionary: "frames" },
    Target { name: "inflate",           dictionary: "frames" },
    Target { name: "stream_receive",    dictionary: "frames" },
    Target { name: "stream_send",       dictionary: "frames" },
];

/// Which compiler builds the targets: sanitizers and coverage are for nightly only.
#[derive(Clone, Copy, Debug)]
enum Toolchain {
    Nightly,
    /// The project's own, told to allow what a nightly does.
    Own,
}

/// The step: each target for a short while, from the kept corpus.
pub(crate) fn step() -> Result<Tally> {
    let mut tally = cargo::checked(in_fuzz(&["fmt", "--all", "--check"])?)?;
    let targets: Vec<&Target> = TARGETS.iter().collect();
    let scratch = cargo::scratch("fuzz/step")?;
    std::fs::remove_dir_all(&scratch)?;
    tally += run(&targets, STEP_TIME, &scratch)?;
    tally.check("the same bytes to other decoders", differential());
    Ok(tally)
}

/// `cargo xtask fuzz`.
pub(crate) fn start(arguments: &[OsString]) -> Result<ExitCode> {
    let arguments: Vec<_> = arguments.iter().map(|a| a.to_string_lossy()).collect();
    let (mut minutes, mut keeps, mut targets) = (USUAL_MINUTES, false, Vec::new());
    let mut arguments = arguments.iter().map(AsRef::as_ref);
    while let Some(argument) = arguments.next() {
        match argument {
            "--help" | "-h" => {
                print!("{HELP}");
                return Ok(ExitCode::SUCCESS);
            }
            "--minutes" => {
                let number = arguments.next().and_then(|number| number.parse().ok());
                minutes = number.ok_or("--minutes wants a whole number")?;
            }
            "--keep" => keeps = true,
            name => targets.push(find(name)?),
        }
    }
    if targets.is_empty() {
        targets = TARGETS.iter().collect();
    }
    let scratch = cargo::scratch("fuzz/found")?;
    let tally = run(&targets, Duration::from_secs(60 * minutes), &scratch)?;
    if keeps {
        let toolchain = prepare()?;
        for Target { name, .. } in targets {
            let merge = cargo_fuzz(toolchain, &["run", name])?;
            corpus::keep(name, merge, &scratch.join(name))?;
        }
    }
    println!("{tally}");
    Ok(ExitCode::from(u8::from(tally.failed > 0)))
}

fn find(name: &str) -> Result<&'static Target> {
    let known = || TARGETS.iter().map(|target| target.name);
    TARGETS
        .iter()
        .find(|target| target.name == name)
        .ok_or_else(|| {
            let known = known().collect::<Vec<_>>().join(", ");
            format!("no target is named {name}; the targets are {known}").into()
        })
}

/// Builds the targets and runs them, two at a time; what they find goes to `scratch`.
fn run(targets: &[&Target], time: Duration, scratch: &Path) -> Result<Tally> {
    let toolchain = prepare()?;
    let mut tally = Tally::default();
    for target in targets {
        std::fs::create_dir_all(scratch.join(target.name))?;
        corpus::unpack(target.name)?;
        let mut build = cargo_fuzz(toolchain, &["build", target.name])?;
        let built = process::run(&mut build, Input::Nothing, Stderr::Kept, BUILD_LIMIT)?;
        built.expect("the target builds", Finished::success)?;
    }
    for pair in targets.chunks(2) {
        let outcomes = std::thread::scope(|scope| {
            let begin = |target| scope.spawn(move || run_one(toolchain, target, time, scratch));
            let running: Vec<_> = pair.iter().copied().map(begin).collect();
            let ended = running.into_iter().map(|thread| {
                let outcome = thread.join().map_err(|_| "the thread died".to_owned());
                outcome.and_then(|outcome| outcome)
            });
            ended.collect::<Vec<_>>()
        });
        for (target, outcome) in pair.iter().zip(outcomes) {
            let told =
                outcome.map(|count| println!("  {:<18} {count:>11} executions", target.name));
            tally.check(target.name, told);
        }
    }
    Ok(tally)
}

/// Runs a target and says how many inputs it took; an error tells what it found.
fn run_one(
    toolchain: Toolchain,
    target: &Target,
    time: Duration,
    scratch: &Path,
) -> std::result::Result<u64, String> {
    let in_words = |error: Box<dyn std::error::Error>| error.to_string();
    let dictionary = format!("-dict=fuzz/dictionaries/{}.dict", target.dictionary);
    let seconds = format!("-max_total_time={}", time.as_secs());
    let mut command = cargo_fuzz(toolchain, &["run", target.name]).map_err(in_words)?;
    // What is new goes to the first folder.
    command.arg(scratch.join(target.name));
    command.arg(corpus::folder(target.name).map_err(in_words)?);
    command.args(["--", &dictionary, &seconds, "-timeout=120"]);
    let finished = process::run(&mut command, Input::Nothing, Stderr::Kept, time + GRACE);
    let finished = finished.map_err(in_words)?;
    let executions = finished.stderr.lines().find_map(told::executions);
    match executions {
        Some(count) if finished.success() => Ok(count),
        _ => Err(told::finding(target.name, toolchain, &finished)),
    }
}

/// Our decoder beside those of two other crates, on the same bytes.
fn differential() -> Result<()> {
    let mut command = in_fuzz(&[
        "run",
        "--quiet",
        "--release",
        "--package",
        "talkback-differential",
        "--",
        "--seconds",
        DIFFERENTIAL_SECONDS,
    ])?;
    let finished = process::run(&mut command, Input::Nothing, Stderr::Kept, BUILD_LIMIT)?;
    finished.expect("no other decoder should differ", Finished::success)?;
    finished
        .stdout
        .lines()
        .for_each(|line| println!("  {line}"));
    Ok(())
}

/// Installs what is missing, and chooses the compiler.
fn prepare() -> Result<Toolchain> {
    tools::cargo_subcommand("fuzz", VERSION)?;
    // libFuzzer is C++.
    if tools::in_path("c++").is_none() {
        tools::install("a C++ compiler", &["g++"])?;
    }
    let mut nightly = Command::new("rustup");
    nightly.args(["run", "nightly", "rustc", "--version"]);
    if tools::succeeds(&mut nightly) {
        return Ok(Toolchain::Nightly);
    }
    println!("  without a nightly toolchain (rustup toolchain install nightly), with this one");
    Ok(Toolchain::Own)
}

/// `cargo fuzz` with a target directory of its own, as its flags would compile everything anew.
fn cargo_fuzz(toolchain: Toolchain, arguments: &[&str]) -> Result<Command> {
    let mut command = match toolchain {
        Toolchain::Nightly => {
            let mut command = Command::new("rustup");
            command.args(["run", "nightly", "cargo", "fuzz"]);
            // It would be asked instead.
            command.env_remove("CARGO");
            command.current_dir(cargo::root());
            command
        }
        Toolchain::Own => {
            let mut command = cargo::cargo(&["fuzz"]);
            command.env("RUSTC_BOOTSTRAP", "1");
            command
        }
    };
    command.env("CARGO_TARGET_DIR", cargo::scratch("fuzz/target")?);
    command.args(arguments);
    Ok(command)
}

/// A command of cargo in the workspace `fuzz`.
fn in_fuzz(arguments: &[&str]) -> Result<Command> {
    let mut command = cargo::cargo(arguments);
    command.current_dir(cargo::root().join("fuzz"));
    command.env("CARGO_TARGET_DIR", cargo::scratch("fuzz/target")?);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_target_is_refused_with_the_known_ones() {
        let error = find("heder").unwrap_err().to_string();
        assert!(error.contains("heder") && error.contains("header, connection_client"));
    }

    #[test]
    fn every_target_has_its_file_and_its_corpus() {
        for target in TARGETS {
            let fuzz = cargo::root().join("fuzz");
            let file = format!("fuzz_targets/{}.rs", target.name);
            assert!(fuzz.join(file).is_file(), "{target:?}");
            assert!(corpus::archive(target.name).is_file(), "{target:?}");
        }
    }
}

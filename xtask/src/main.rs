//! The launcher: `cargo xtask test` checks everything, `cargo demo` shows it.
//!
//! It has no dependencies, so that it compiles in a second or two on a bare machine.

mod autobahn;
mod bench;
mod cargo;
mod cost;
mod coverage;
mod demo;
mod deny;
mod docs;
mod frameworks;
mod fuzz;
mod i686;
mod interop;
mod mutants;
mod pictures;
mod process;
mod report;
mod sanitize;
mod steps;
mod tools;
mod web;
mod window;

use std::ffi::OsString;
use std::process::ExitCode;

/// What went wrong, as a message to a person.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
Builds, tests and starts everything in this repository.

Usage:
  cargo xtask test [STEP]...     run every step, or those named, in the given order
  cargo xtask test --list        name the steps
  cargo xtask autobahn [OPTION]...
                                 run the Autobahn test suite (--help tells more)
  cargo xtask demo [ARGUMENT]... build and start the demo (also: cargo demo)
  cargo xtask fuzz [--minutes N] [--keep] [TARGET]...
                                 look for inputs that break the core
  cargo xtask mutants [PATH]...  change the core in one place after the other, and count how many
                                 of the changes its tests notice (an hour and more)
  cargo xtask coverage           how many of the core's lines its tests run (cargo-llvm-cov)
  cargo xtask sanitize [address|thread]
                                 the tests under the sanitizers of a nightly
  cargo xtask i686               the core's tests where memory has 32-bit addresses
  cargo xtask frameworks         compile the examples of docs/ui.md: Dioxus, iced, Leptos
  cargo xtask web                build the demo's tab and the example page, and weigh them
  cargo xtask pictures           take the pictures of the documentation anew
  cargo xtask bench codec        count what a message costs, beside other libraries (valgrind)
  cargo xtask help
";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments.next().unwrap_or_else(|| "help".into());
    let rest: Vec<OsString> = arguments.collect();
    match command.to_str() {
        Some("test") => test(&rest),
        Some("autobahn") => autobahn::start(&rest),
        Some("demo") => demo::start(&rest).unwrap_or_else(|error| {
            eprintln!("cargo demo: {error}");
            ExitCode::FAILURE
        }),
        Some("fuzz") => fuzz::start(&rest).unwrap_or_else(|error| {
            eprintln!("cargo xtask fuzz: {error}");
            ExitCode::FAILURE
        }),
        Some("mutants") => mutants::start(&rest).unwrap_or_else(|error| {
            eprintln!("cargo xtask mutants: {error}");
            ExitCode::FAILURE
        }),
        Some("frameworks") => outcome("frameworks", frameworks::check()),
        Some("web") => outcome("web", web::build()),
        Some("pictures") => outcome("pictures", pictures::take()),
        Some("coverage") => outcome("coverage", coverage::check()),
        Some("i686") => outcome("i686", i686::check()),
        Some("sanitize") => outcome("sanitize", sanitize::start(&rest)),
        Some("bench") => bench(&rest),
        Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        _ => usage(&format!("unknown command {}", command.display())),
    }
}

fn bench(arguments: &[OsString]) -> ExitCode {
    if arguments != ["codec"] {
        return usage("bench what? There is `cargo xtask bench codec`");
    }
    outcome("bench", bench::codec())
}

fn outcome(command: &str, outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask {command}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn test(arguments: &[OsString]) -> ExitCode {
    let names: Vec<String> = arguments
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    match names.first().map(String::as_str) {
        Some("--list") => {
            print!("{}", steps::list());
            return ExitCode::SUCCESS;
        }
        Some("--help" | "-h") => {
            print!("{HELP}\nSteps:\n{}", steps::list());
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    match steps::select(&names) {
        Ok(selected) => steps::run(&selected),
        Err(message) => usage(&message),
    }
}

pub(crate) fn usage(message: &str) -> ExitCode {
    eprintln!("cargo xtask: {message}; `cargo xtask help` tells what there is");
    ExitCode::from(2)
}

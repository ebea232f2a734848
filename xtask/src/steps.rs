//! The steps of `cargo xtask test`. A new one is a line in [`STEPS`] and a function.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use crate::report::{self, Ran, Tally};
use crate::{Result, autobahn, cargo, cost, coverage, demo, deny, fuzz, interop, web};

/// One part of the checks, which can be run by its name.
#[derive(Debug)]
pub(crate) struct Step {
    name: &'static str,
    about: &'static str,
    /// Returns what it counted; an error is a step that could not begin or finish.
    run: fn() -> Result<Tally>,
}

#[rustfmt::skip]
const STEPS: &[Step] = &[
    Step { name: "format",  about: "the code is formatted (cargo fmt)", run: cargo::format },
    Step { name: "lint",    about: "no warnings (cargo clippy)", run: cargo::lint },
    Step { name: "deny",    about: "licences, sources and versions of the dependencies (cargo deny)", run: deny::deny },
    Step { name: "unit",    about: "the tests of every crate (cargo test)", run: cargo::unit },
    Step { name: "coverage", about: "at least 95 % of the core's lines are run by its tests (cargo llvm-cov)", run: coverage::step },
    Step { name: "conformance", about: "one suite for every backend of the channel: TCP, TLS, in memory", run: cargo::conformance },
    Step { name: "browser", about: "the same suite on a page in Chromium, and what the library adds to a page", run: web::browser },
    Step { name: "schedules", about: "the channel under random schedules (shuttle)", run: cargo::schedules },
    Step { name: "fuzz",    about: "random input against what the core holds, and beside two other decoders", run: fuzz::step },
    Step { name: "doc",     about: "the examples in the documentation, the code on its pages, and the documentation itself", run: cargo::doc },
    Step { name: "interop", about: "against python's websockets, node's ws and Chromium, plain and over TLS", run: interop::interop },
    Step { name: "autobahn", about: "all 517 cases of the Autobahn test suite: server over ws, client over wss", run: autobahn::autobahn },
    Step { name: "cost",    about: "system calls for each echoed message (strace)", run: cost::cost },
    Step { name: "demo",    about: "the demo: in a pipe, its window under real keys (Xvfb) and in pictures, its tab in Chromium", run: demo::check },
];

/// The steps and what each is for, one a line.
pub(crate) fn list() -> String {
    STEPS
        .iter()
        .map(|step| format!("  {:<12}  {}\n", step.name, step.about))
        .collect()
}

/// The steps with these names, in this order; all of them if none is named.
pub(crate) fn select(names: &[String]) -> std::result::Result<Vec<&'static Step>, String> {
    if names.is_empty() {
        return Ok(STEPS.iter().collect());
    }
    names.iter().map(|name| find(name)).collect()
}

/// Runs the steps, each to its end whatever became of those before, and tells the count.
pub(crate) fn run(steps: &[&Step]) -> ExitCode {
    let ran: Vec<Ran> = steps.iter().map(|step| run_one(step)).collect();
    print!("{}", report::table(&ran));
    if ran.iter().all(|step| step.tally.failed == 0) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn find(name: &str) -> std::result::Result<&'static Step, String> {
    STEPS.iter().find(|step| step.name == name).ok_or_else(|| {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        format!(
            "no step is named {name}; the steps are {}",
            known.join(", ")
        )
    })
}

fn run_one(step: &Step) -> Ran {
    let began = Instant::now();
    let tally = (step.run)().unwrap_or_else(|error| {
        println!("  failed: {}: {error}", step.name);
        Tally::FAILED
    });
    let ran = Ran {
        name: step.name,
        tally,
        time: began.elapsed(),
    };
    println!("{ran}");
    // Whoever watches a pipe wants each step as it ends. A closed pipe is noticed by `print!`.
    let _ = std::io::stdout().flush();
    ran
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: &[&str]) -> std::result::Result<Vec<&'static str>, String> {
        let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
        Ok(select(&asked)?.iter().map(|step| step.name).collect())
    }

    #[test]
    fn no_name_means_every_step() {
        let all: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        assert_eq!(names(&[]), Ok(all));
    }

    #[test]
    fn named_steps_keep_the_given_order() {
        assert_eq!(names(&["unit", "format"]), Ok(vec!["unit", "format"]));
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let message = names(&["unit", "unti"]).unwrap_err();
        assert!(
            message.contains("unti") && message.contains("format, lint"),
            "{message}"
        );
    }

    #[test]
    fn the_list_names_each_step_once() {
        let list = list();
        assert_eq!(list.lines().count(), STEPS.len());
        for step in STEPS {
            assert!(list.contains(step.about));
        }
    }
}

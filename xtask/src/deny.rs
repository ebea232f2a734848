//! The step `deny`: what the dependencies may be, by the rules of `deny.toml`.

use std::process::Command;
use std::time::Duration;

use crate::cargo::{cargo, checked};
use crate::process::{self, Input, Stderr};
use crate::report::Tally;
use crate::{Result, tools};

const VERSION: &str = "0.20.2";
const FETCH_LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn deny() -> Result<Tally> {
    tools::cargo_subcommand("deny", VERSION)?;
    let mut tally = Tally::default();
    for rule in ["licenses", "sources", "bans"] {
        tally += checked(cargo(&["deny", "check", rule]))?;
    }
    if run(cargo(&["deny", "fetch", "db"]), FETCH_LIMIT)? {
        tally += checked(cargo(&["deny", "check", "--disable-fetch", "advisories"]))?;
    } else {
        println!("  skipped: advisories: their database cannot be reached from here");
    }
    Ok(tally)
}

/// Whether a command that may well fail has succeeded.
fn run(mut command: Command, limit: Duration) -> Result<bool> {
    let finished = process::run(&mut command, Input::Nothing, Stderr::Kept, limit)?;
    Ok(finished.success())
}

//! The step `deny`: what the dependencies may be, by the rules of `deny.toml`.

use std::process::Command;
use std::time::Duration;

use crate::Result;
use crate::cargo::{cargo, checked};
use crate::process::{self, Input, Stderr};
use crate::report::Tally;

const VERSION: &str = "0.20.2";
const INSTALL_LIMIT: Duration = Duration::from_secs(20 * 60);
const FETCH_LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn deny() -> Result<Tally> {
    install()?;
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

fn install() -> Result<()> {
    if run(cargo(&["deny", "--version"]), FETCH_LIMIT)? {
        return Ok(());
    }
    println!("  installing cargo-deny {VERSION} (once: about three minutes)");
    let arguments = ["install", "cargo-deny", "--locked", "--version", VERSION];
    if run(cargo(&arguments), INSTALL_LIMIT)? {
        Ok(())
    } else {
        Err(format!("install it: cargo {}", arguments.join(" ")).into())
    }
}

/// Whether a command that may well fail has succeeded.
fn run(mut command: Command, limit: Duration) -> Result<bool> {
    let finished = process::run(&mut command, Input::Nothing, Stderr::Kept, limit)?;
    Ok(finished.success())
}

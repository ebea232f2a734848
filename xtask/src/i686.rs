//! `cargo xtask i686`: the core's tests where memory has 32-bit addresses, and a length on the wire may
//! be more than a `usize` holds.

use std::path::Path;

use crate::{Result, cargo, tools, web};

const TARGET: &str = "i686-unknown-linux-gnu";

/// What a 32-bit program is linked with, where Debian has it.
const START_FILE: &str = "/usr/lib32/crt1.o";

pub(crate) fn check() -> Result<()> {
    if Path::new("/etc/debian_version").exists() && !Path::new(START_FILE).exists() {
        tools::install("a 32-bit C library", &["gcc-multilib"])?;
    }
    let mut command = web::native_cargo("test", TARGET)?;
    command.args(["--package", "talkback-proto", "--lib", "--tests"]);
    command.arg("--no-fail-fast");
    // The properties are many cases.
    command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    command.env("CARGO_TARGET_DIR", cargo::scratch("i686")?);
    let tally = cargo::counted(command)?;
    println!("  {tally}");
    match tally.failed {
        0 => Ok(()),
        _ => Err("a test failed with 32-bit addresses".into()),
    }
}

//! The launcher: `cargo demo` shows what is here. Everything else, `cargo xtask test` first of all, is done by
//! `checks/launcher.py`.
//!
//! It has no dependencies, so that it compiles in a second or two on a bare machine.

mod demo;
mod program;

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use crate::program::{Result, become_program, root};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((command, rest)) if command == "demo" => demo::start(rest),
        _ => launch(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("cargo: {error}");
        ExitCode::FAILURE
    })
}

fn launch(arguments: &[OsString]) -> Result<ExitCode> {
    let this = std::env::current_exe()?;
    // In a profile's folder of the target directory.
    let target = this.ancestors().nth(2).ok_or("no target directory")?;
    let launcher = root().join("xtask/checks/launcher.py");
    let is_there = |name: &&str| {
        let version = Command::new(name).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    let python = ["python3", "python"].into_iter().find(is_there);
    let python = python.ok_or("install it: python3, which the checks are written in")?;
    let mut command = Command::new(python);
    command.arg(launcher).args(arguments);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    become_program(command.env("XTASK_TARGET", target))
}

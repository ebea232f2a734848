//! The launcher: `cargo demo` shows what is here. Everything else, `cargo xtask test` first of all, is done by
//! `checks/launcher.py`.
//!
//! It has no dependencies, so that it compiles in a second or two on a bare machine.

mod demo;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What went wrong, as a message to a person.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

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
    let python = python()?;
    // A profile's folder lies in that of the target directory.
    let target = beside("")?
        .parent()
        .map(Path::to_owned)
        .ok_or("no target directory")?;
    let launcher = root().join("xtask/checks/launcher.py");
    let mut command = Command::new(python);
    command.arg("-B").arg(launcher).args(arguments);
    become_program(command.env("XTASK_TARGET", target))
}

/// Python's own name here; where it is missing, it is installed if that can be done unasked.
fn python() -> Result<&'static str> {
    let is_there = |name: &&str| {
        Command::new(name)
            .arg("--version")
            .output()
            .is_ok_and(|answer| answer.status.success())
    };
    let names = ["python3", "python"];
    if let Some(name) = names.into_iter().find(is_there) {
        return Ok(name);
    }
    eprintln!("installing python3 (Debian: apt-get install python3)");
    for arguments in [
        "update -qq",
        "install -qq --yes --no-install-recommends python3 python3-venv",
    ] {
        let apt = Command::new("apt-get").args(arguments.split(' ')).status();
        apt.map_err(|_| "python3 is missing; install it")?;
    }
    names
        .into_iter()
        .find(is_there)
        .ok_or_else(|| "python3 is missing; install it".into())
}

/// What cargo puts beside this program.
fn beside(name: &str) -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// The root of the repository.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Signals and the terminal are the program's alone where a process can be replaced by another.
#[cfg(unix)]
fn become_program(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(command.exec().into())
}

#[cfg(not(unix))]
fn become_program(command: &mut Command) -> Result<ExitCode> {
    let code = command.status()?.code().unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

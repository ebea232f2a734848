//! Where this program lies, and how it becomes another.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What went wrong, as a message to a person.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What cargo puts beside this program.
pub(crate) fn beside(name: &str) -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Signals and the terminal are the program's alone where a process can be replaced by another.
#[cfg(unix)]
pub(crate) fn become_program(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(command.exec().into())
}

#[cfg(not(unix))]
pub(crate) fn become_program(command: &mut Command) -> Result<ExitCode> {
    let code = command.status()?.code().unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

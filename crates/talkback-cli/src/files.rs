//! The files that options name.

use std::fmt;
use std::path::Path;

use talkback_echo::WebFiles;
use talkback_terminal::show::escaped;

use crate::exit::{self, Failure};
use crate::values::Secret;

/// Reads the file, in PEM, that an option names.
pub(crate) fn read(option: &str, path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        let what = format_args!("could not read it: {error}. Give a file in PEM");
        Failure::new(exit::USAGE, complaint(option, path, what))
    })
}

/// Reads the file, with a text, that an option names.
pub(crate) fn read_text(option: &str, path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        let what = format_args!("could not read it: {error}. Give a file with a text");
        Failure::new(exit::USAGE, complaint(option, path, what))
    })
}

/// What an option gives that nobody is to see: itself or, behind an @, the first line of a file.
pub(crate) fn secret(option: &str, Secret(given): &Secret) -> Result<Secret, Failure> {
    let Some(path) = given.strip_prefix('@') else {
        return Ok(Secret(given.clone()));
    };
    let text = read_text(option, Path::new(path))?;
    let line = text.lines().next().unwrap_or_default();
    Ok(Secret(line.trim().to_owned()))
}

/// Reads the folder with a page that an option names.
pub(crate) fn read_web(option: &str, folder: &Path) -> Result<WebFiles, Failure> {
    WebFiles::read(folder).map_err(|error| {
        let advice = "Give a folder with a page, as `cargo xtask web` builds one";
        let what = format_args!("could not read it: {error}. {advice}");
        Failure::new(exit::USAGE, complaint(option, folder, what))
    })
}

/// Writes the file that an option names.
pub(crate) fn write(option: &str, path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| {
        let what = format_args!("could not write it: {error}. Give another file");
        Failure::new(exit::OTHER, complaint(option, path, what))
    })
}

/// What is wrong with the file, in one line that names the option.
pub(crate) fn complaint(option: &str, path: &Path, what: impl fmt::Display) -> String {
    escaped(&format!("{option} {}: {what}", path.display()))
}

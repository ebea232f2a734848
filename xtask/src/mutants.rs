//! `cargo xtask mutants`: changes the core in one place after the other, and counts how many of the
//! changes its tests notice.

mod score;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::process::Running;
use crate::{Result, cargo, tools};
use score::Score;

const VERSION: &str = "27.0.0";

/// How much of what is changed is to be noticed, in percent.
const SCORE_MIN: usize = 90;

/// How long the tests of one mutant may take, in seconds. They take a few where nothing else runs:
/// those that take longer do not end. A build has no limit, as it says nothing about the tests.
const TEST_TIMEOUT: &str = "--timeout=60";

const AREA_LIMIT: Duration = Duration::from_secs(12 * 60 * 60);

const SOURCES: &str = "crates/talkback-proto/src";

const HELP: &str = "\
Changes the core in one place after the other, and counts how many of the changes its tests notice.

Usage:
  cargo xtask mutants           everything that is counted (an hour and more)
  cargo xtask mutants PATH...   of that, the files whose path in crates/talkback-proto/src begins
                                with a PATH, such as handshake/url.rs or connection
";

/// Files of the core, and the tests that hold them.
#[derive(Debug)]
struct Area {
    name: &'static str,
    /// Files, and folders with files, in [`SOURCES`].
    sources: &'static [&'static str],
    /// What of the package's tests is built and run: what holds these files, as far as it is quick.
    tests: &'static [&'static str],
}

#[rustfmt::skip]
const AREAS: &[Area] = &[
    Area {
        name: "frames",
        sources: &["frame.rs", "close.rs", "utf8.rs"],
        tests: &["--lib", "--test=close_info"],
    },
    Area {
        name: "handshake",
        sources: &["handshake"],
        tests: &["--lib"],
    },
    Area {
        name: "connection",
        sources: &["connection.rs", "connection"],
        tests: &[
            "--test=closing", "--test=deflate_send", "--test=framing", "--test=keepalive",
            "--test=payload", "--test=progress", "--test=streams_receive", "--test=streams_send",
        ],
    },
];

/// `cargo xtask mutants`.
pub(crate) fn start(arguments: &[OsString]) -> Result<ExitCode> {
    let paths: Vec<String> = arguments
        .iter()
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    if paths.iter().any(|path| path == "--help" || path == "-h") {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = choose(&paths)?;
    tools::cargo_subcommand("mutants", VERSION)?;
    let mut score = Score::default();
    for (area, files) in &chosen {
        score.read(&test(area, files)?)?;
    }
    print!("{score}");
    if score.percent() < SCORE_MIN {
        println!("less than {SCORE_MIN} % is noticed");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// The files of each area that `paths` name; of all areas, if there are none.
fn choose(paths: &[String]) -> Result<Vec<(&'static Area, Vec<String>)>> {
    let mut chosen = Vec::new();
    let mut unknown: Vec<&String> = paths.iter().collect();
    for area in AREAS {
        let mut files = files(area)?;
        unknown.retain(|path| !files.iter().any(|file| file.starts_with(*path)));
        files.retain(|file| paths.is_empty() || paths.iter().any(|path| file.starts_with(path)));
        if !files.is_empty() {
            chosen.push((area, files));
        }
    }
    match unknown.first() {
        Some(path) => Err(format!("no file that is counted begins with {path}").into()),
        None => Ok(chosen),
    }
}

/// The files of an area, by their paths in [`SOURCES`].
fn files(area: &Area) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for source in area.sources {
        if source.ends_with(".rs") {
            files.push((*source).to_owned());
            continue;
        }
        for entry in std::fs::read_dir(cargo::root().join(SOURCES).join(source))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.ends_with(".rs") {
                files.push(format!("{source}/{name}"));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Tests each mutant of these files in a copy of the tree; returns the folder with the outcomes.
fn test(area: &Area, files: &[String]) -> Result<PathBuf> {
    println!("{}: {}", area.name, files.join(", "));
    let folder = cargo::scratch("mutants")?.join(area.name);
    std::fs::create_dir_all(&folder)?;
    let outcomes = folder.join("mutants.out");
    if outcomes.exists() {
        std::fs::remove_dir_all(&outcomes)?;
    }
    let mut command = mutants(&folder);
    for file in files {
        command.arg(format!("--file={SOURCES}/{file}"));
    }
    for test in area.tests {
        // What stands behind `--` would not reach the build.
        command.arg(format!("--cargo-arg={test}"));
    }
    let status = Running::start(&mut command)?.wait(AREA_LIMIT)?;
    match status.map(|status| status.code()) {
        // All were noticed, some were not, the tests of some did not end.
        Some(Some(0 | 2 | 3)) => Ok(outcomes),
        Some(_) => Err("cargo-mutants failed: what it says stands above".into()),
        None => Err("cargo-mutants ran out of time".into()),
    }
}

/// `cargo mutants` with a mutant for each core of the machine at a time.
fn mutants(folder: &Path) -> Command {
    let mut command = cargo::cargo(&["mutants", "--package=talkback-proto", "--colors=never"]);
    command.arg(TEST_TIMEOUT).arg("--output").arg(folder);
    // Each job has a copy of the tree, and is to build in it.
    command.env_remove("CARGO_TARGET_DIR");
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    command.arg(format!("--jobs={jobs}"));
    // The build of a mutant takes about as long as its tests, so both are to be quick.
    command.env("CARGO_PROFILE_DEV_DEBUG", "false");
    command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(paths: &[&str]) -> Vec<String> {
        let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
        let chosen = choose(&paths).unwrap();
        chosen.into_iter().flat_map(|(_, files)| files).collect()
    }

    #[test]
    fn without_a_path_every_file_of_every_area_is_chosen() {
        let all = chosen(&[]);
        for file in ["frame.rs", "connection/sending.rs", "handshake/url.rs"] {
            assert!(all.iter().any(|chosen| chosen == file), "{file}");
        }
        for file in all {
            let path = cargo::root().join(SOURCES).join(&file);
            assert!(path.is_file(), "{file}");
        }
    }

    #[test]
    fn a_path_chooses_the_files_that_begin_with_it() {
        assert_eq!(
            chosen(&["handshake/u", "close.rs"]),
            ["close.rs", "handshake/url.rs"]
        );
        let of_the_connection = chosen(&["connection"]);
        assert_eq!(
            of_the_connection,
            [
                "connection.rs",
                "connection/receiving.rs",
                "connection/sending.rs"
            ]
        );
    }

    #[test]
    fn a_path_that_is_none_is_refused() {
        let error = choose(&["handshake".into(), "mask.rs".into()]).unwrap_err();
        assert!(error.to_string().contains("mask.rs"));
    }

    #[test]
    fn every_test_of_an_area_is_there() {
        let tests = cargo::root().join("crates/talkback-proto/tests");
        let named = AREAS.iter().flat_map(|area| area.tests);
        for test in named.filter_map(|option| option.strip_prefix("--test=")) {
            assert!(tests.join(format!("{test}.rs")).is_file(), "{test}");
        }
    }
}

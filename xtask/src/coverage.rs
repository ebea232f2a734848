//! `cargo xtask coverage` and the step `coverage`: how many of the core's lines its tests run.
//!
//! The lines of tests do not count. Where cargo-llvm-cov or LLVM's tools are missing, they are
//! installed if that can be done unasked.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{self, Finished, Input, Stderr};
use crate::report::Tally;
use crate::{Result, cargo, tools};

const VERSION: &str = "0.9.1";
const LIMIT: Duration = Duration::from_secs(30 * 60);

const PACKAGE: &str = "talkback-proto";
const SOURCES: &str = "crates/talkback-proto/src";

/// The least share of the core's lines, in percent.
const PERCENT_MIN: f64 = 95.0;

/// A file's lines of code, and how many of them no test has run.
#[derive(Debug, PartialEq, Eq)]
struct File {
    name: String,
    lines: usize,
    missed: Vec<u32>,
}

/// The step.
pub(crate) fn step() -> Result<Tally> {
    check().map(|()| Tally::PASSED)
}

/// Runs the core's tests, prints each file's share, and holds the whole against the least share.
pub(crate) fn check() -> Result<()> {
    tools::cargo_subcommand("llvm-cov", VERSION)?;
    let report = cargo::scratch("coverage")?.join("core.lcov");
    let mut command = cargo::cargo(&["llvm-cov", "--package", PACKAGE, "--lcov", "--output-path"]);
    command.arg(&report);
    // The properties are many cases; what is counted was put in before the code is optimised.
    command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    for (variable, program) in [("LLVM_COV", "llvm-cov"), ("LLVM_PROFDATA", "llvm-profdata")] {
        if let Some(path) = llvm_program(variable, program)? {
            command.env(variable, path);
        }
    }
    let finished = process::run(&mut command, Input::Nothing, Stderr::Kept, LIMIT)?;
    finished.expect("the core's tests pass", Finished::success)?;
    let root = cargo::root().join(SOURCES);
    let files = read(&std::fs::read_to_string(report)?, &root)?;
    let percent = tell(&files);
    if percent < PERCENT_MIN {
        return Err(
            format!("{percent:.2} % of the core's lines is less than {PERCENT_MIN} %").into(),
        );
    }
    Ok(())
}

/// Where one of LLVM's programs is; `None` if cargo-llvm-cov finds it by itself.
fn llvm_program(variable: &str, program: &str) -> Result<Option<PathBuf>> {
    if std::env::var_os(variable).is_some() || is_in_toolchain(program)? {
        return Ok(None);
    }
    if let Some(found) = in_debian(program) {
        return Ok(Some(found));
    }
    let hint = "rustup component add llvm-tools";
    tools::install("LLVM's coverage tools", &["rust-web-llvm"])
        .map_err(|error| format!("{error}; or {hint}"))?;
    let found = in_debian(program);
    found
        .map(Some)
        .ok_or_else(|| format!("there is no {program}; {hint}").into())
}

/// Whether rustup's component `llvm-tools` has it.
fn is_in_toolchain(program: &str) -> Result<bool> {
    let mut command = Command::new("rustc");
    command.args(["--print", "target-libdir"]);
    let printed = process::run(&mut command, Input::Nothing, Stderr::Kept, LIMIT)?.stdout;
    let beside = Path::new(printed.trim()).with_file_name("bin");
    Ok(beside.join(program).is_file())
}

/// Debian's build of the LLVM that this Rust is made with.
fn in_debian(program: &str) -> Option<PathBuf> {
    let folder = Path::new("/usr/lib/rustlib/x86_64-unknown-linux-gnu/bin");
    let path = Some(folder.join(program)).filter(|path| path.is_file());
    path.or_else(|| tools::in_path(&format!("{program}-22")))
}

/// Reads a report in lcov's format: the files under `root`, without the tests at their bottom.
fn read(report: &str, root: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    let mut open: Option<(File, u32)> = None;
    for line in report.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            let name = Path::new(path).strip_prefix(root);
            open = match name {
                Ok(name) if !name.iter().any(|part| part == "tests") => {
                    let file = File {
                        name: name.display().to_string(),
                        lines: 0,
                        missed: Vec::new(),
                    };
                    Some((file, tests_begin(&std::fs::read_to_string(path)?)))
                }
                _ => None,
            };
        } else if let (Some(counted), Some((file, end))) = (line.strip_prefix("DA:"), &mut open) {
            let (number, count) = counted.split_once(',').ok_or("a line without a count")?;
            let number: u32 = number.parse()?;
            if number < *end {
                file.lines += 1;
                if count == "0" {
                    file.missed.push(number);
                }
            }
        } else if line == "end_of_record"
            && let Some((file, _)) = open.take()
        {
            files.push(file);
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    if files.is_empty() {
        return Err("the report names no file of the core".into());
    }
    Ok(files)
}

/// The line at which the tests at a file's bottom begin.
fn tests_begin(source: &str) -> u32 {
    let at = source.find("#[cfg(test)]\nmod tests {");
    let line = at.map(|at| source[..at].lines().count() + 1);
    line.and_then(|line| u32::try_from(line).ok())
        .unwrap_or(u32::MAX)
}

/// Prints the shares and returns that of all lines, in percent.
fn tell(files: &[File]) -> f64 {
    for file in files {
        let missed: Vec<String> = file.missed.iter().map(ToString::to_string).collect();
        let share = percent(file.lines, file.missed.len());
        println!("  {:<26} {share:>6.2} %  {}", file.name, missed.join(" "));
    }
    let lines = files.iter().map(|file| file.lines).sum();
    let missed = files.iter().map(|file| file.missed.len()).sum();
    let share = percent(lines, missed);
    println!("  {SOURCES}: {share:.2} % of {lines} lines, {missed} not run");
    share
}

/// A file of nothing but declarations has no line to run.
fn percent(lines: usize, missed: usize) -> f64 {
    if lines == 0 {
        return 100.0;
    }
    100.0 * (lines - missed) as f64 / lines as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_from_the_files_under_the_root_without_their_tests() {
        let root = cargo::root().join("xtask/src");
        let here = root.join("coverage.rs");
        let tests = tests_begin(&std::fs::read_to_string(&here).unwrap());
        let report = format!(
            "SF:{}\nDA:40,3\nDA:41,0\nDA:{tests},0\nend_of_record\n\
             SF:/elsewhere/lib.rs\nDA:1,0\nend_of_record\n",
            here.display()
        );
        let expected = File {
            name: "coverage.rs".to_owned(),
            lines: 2,
            missed: vec![41],
        };
        assert_eq!(read(&report, &root).unwrap(), [expected]);
        assert!(read("SF:/elsewhere/lib.rs\nend_of_record\n", &root).is_err());
    }

    #[test]
    fn a_share_is_in_percent_of_the_lines() {
        assert!((percent(200, 10) - 95.0).abs() < 1e-9);
        assert!((percent(0, 0) - 100.0).abs() < 1e-9);
    }
}

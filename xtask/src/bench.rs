//! `cargo xtask bench codec`: what a message costs in the codecs of several libraries, counted.

mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{self, Input, Stderr};
use crate::{Result, cargo, tools};

use self::table::Table;

const LIMIT: Duration = Duration::from_secs(10 * 60);

const BEGIN: &str = "<!-- What follows is written by `cargo xtask bench codec`. -->\n";
const END: &str = "<!-- The end of what is written. -->\n";

/// The libraries in the table, whose versions are told.
const LIBRARIES: [&str; 5] = [
    "talkback",
    "tungstenite",
    "fastwebsockets",
    "tokio-websockets",
    "yawc",
];

/// What the compiler may take for granted about the processor.
const TARGETS: [&str; 2] = ["x86-64", "x86-64-v3"];

/// Builds the program, counts, and writes the tables into `bench/README.md`.
pub(crate) fn codec() -> Result<()> {
    let valgrind = tools::valgrind()?;
    let folder = cargo::root().join("bench");
    let mut tables = String::new();
    let mut first = None;
    for target in TARGETS {
        let counter = Counter::new(&valgrind, build(&folder, target)?);
        tables += &format!("### Instructions for each message, `-C target-cpu={target}`\n\n");
        tables += &counter.table(Counter::instructions)?.to_string();
        first.get_or_insert(counter);
    }
    if let Some(counter) = first {
        tables += "### Allocations for each message\n\n";
        tables += &counter.table(Counter::allocations)?.to_string();
    }
    let told = format!("{}{tables}", circumstances(&folder)?);
    let readme = folder.join("README.md");
    fs::write(&readme, replaced(&fs::read_to_string(&readme)?, &told)?)?;
    print!("{told}");
    Ok(())
}

/// Builds the program in a target directory of its own, as other flags would compile all anew.
fn build(folder: &Path, target: &str) -> Result<PathBuf> {
    println!("  building for {target}");
    let products = cargo::scratch("bench")?.join(target);
    let mut command = cargo::cargo(&["build", "--release", "--locked", "--package", "codec"]);
    command.current_dir(folder);
    command.env("CARGO_TARGET_DIR", &products);
    command.env("RUSTFLAGS", format!("-C target-cpu={target}"));
    if cargo::checked(command)?.failed > 0 {
        return Err("bench/codec does not build".into());
    }
    Ok(products.join("release/codec"))
}

/// One row of the table, as the program lists it.
struct Row {
    name: String,
    count: u64,
    columns: Vec<String>,
    about: String,
}

/// Runs the program under valgrind.
struct Counter {
    valgrind: PathBuf,
    program: PathBuf,
}

impl Counter {
    fn new(valgrind: &Path, program: PathBuf) -> Self {
        Self {
            valgrind: valgrind.to_owned(),
            program,
        }
    }

    /// What each message costs, by `count`: the difference between N messages and twice as many.
    fn table(&self, count: fn(&Self, &Row, &str, u64) -> Result<u64>) -> Result<Table> {
        let rows = self.rows()?;
        let mut table = Table::new(rows.first().map_or(&[], |row| &row.columns));
        for row in &rows {
            let mut costs = Vec::new();
            for column in table.columns() {
                if !row.columns.contains(column) {
                    costs.push(None);
                    continue;
                }
                let once = count(self, row, column, row.count)?;
                let twice = count(self, row, column, 2 * row.count)?;
                let difference = twice.saturating_sub(once);
                costs.push(Some(difference as f64 / row.count as f64));
            }
            println!("  {}", row.name);
            table.push(&row.about, costs);
        }
        Ok(table)
    }

    fn rows(&self) -> Result<Vec<Row>> {
        let mut command = Command::new(&self.program);
        let listed = process::run(command.arg("list"), Input::Nothing, Stderr::Kept, LIMIT)?;
        listed.stdout.lines().map(row).collect()
    }

    fn instructions(&self, row: &Row, column: &str, count: u64) -> Result<u64> {
        let options = ["--tool=callgrind", "--callgrind-out-file=/dev/null"];
        self.run(&options, row, column, count, "Collected : ")
    }

    fn allocations(&self, row: &Row, column: &str, count: u64) -> Result<u64> {
        let options = [
            "--tool=memcheck",
            "--leak-check=no",
            "--undef-value-errors=no",
        ];
        self.run(&options, row, column, count, "total heap usage: ")
    }

    /// Runs `count` messages; the number that stands behind `label` in what valgrind says.
    fn run(
        &self,
        options: &[&str],
        row: &Row,
        column: &str,
        count: u64,
        label: &str,
    ) -> Result<u64> {
        let mut command = Command::new(&self.valgrind);
        // `rep movsb` counts as an instruction a byte, so memcpy is to do without it.
        command.env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-ERMS");
        command.args(options).arg(&self.program);
        command.args([&row.name, column, &count.to_string()]);
        let finished = process::run(&mut command, Input::Nothing, Stderr::Kept, LIMIT)?;
        let what = format!("{} of {column} was to be counted", row.name);
        finished.expect(&what, process::Finished::success)?;
        number_behind(label, &finished.stderr)
            .ok_or_else(|| format!("valgrind does not say `{label}`").into())
    }
}

/// A line of `codec list`: name, count, columns, what it is, between tabs.
fn row(line: &str) -> Result<Row> {
    let parts: Vec<&str> = line.split('\t').collect();
    let [name, count, columns, about] = parts[..] else {
        return Err(format!("not a row: {line}").into());
    };
    Ok(Row {
        name: name.into(),
        count: count.parse()?,
        columns: columns.split(',').map(Into::into).collect(),
        about: about.into(),
    })
}

/// The number behind `label`, which may have commas in it.
fn number_behind(label: &str, text: &str) -> Option<u64> {
    let (_, behind) = text.split_once(label)?;
    let digits = behind
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == ',');
    digits
        .filter(char::is_ascii_digit)
        .collect::<String>()
        .parse()
        .ok()
}

/// What was counted when, and with what.
fn circumstances(folder: &Path) -> Result<String> {
    let lock = fs::read_to_string(folder.join("Cargo.lock"))?;
    let versions: Vec<String> = LIBRARIES
        .iter()
        .map(|library| format!("{library} {}", version(&lock, library).unwrap_or("?")))
        .collect();
    let date = said_by("date", &["-u", "+%F"])?;
    let compiler = said_by("rustc", &["--version"])?;
    let compiler = compiler.split(" (").next().unwrap_or_default();
    let versions = versions.join(", ");
    Ok(format!(
        "Counted on {date} with {compiler}: {versions}.\n\n"
    ))
}

/// The version of a package in a `Cargo.lock`.
fn version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let (_, behind) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    Some(behind.split_once('"')?.0)
}

fn said_by(program: &str, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments);
    let finished = process::run(&mut command, Input::Nothing, Stderr::Kept, LIMIT)?;
    Ok(finished.stdout.trim().to_owned())
}

/// The page with `told` between its markers.
fn replaced(page: &str, told: &str) -> Result<String> {
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some(format!("{before}{BEGIN}\n{told}{END}{after}"))
    });
    parts.ok_or_else(|| "bench/README.md has lost its markers".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_valgrind_says_is_found() {
        assert_eq!(
            number_behind("Collected : ", "==1== Collected : 123\n"),
            Some(123)
        );
        let heap = "==1==   total heap usage: 1,234 allocs, 5 frees, 6 bytes allocated";
        assert_eq!(number_behind("total heap usage: ", heap), Some(1234));
        assert_eq!(number_behind("Collected : ", "nothing"), None);
    }

    #[test]
    fn a_version_is_found_by_the_whole_name() {
        let lock = "name = \"tokio-websockets\"\nversion = \"0.13.3\"\n\nname = \"tokio\"\nversion = \"1.0.0\"\n";
        assert_eq!(version(lock, "tokio"), Some("1.0.0"));
        assert_eq!(version(lock, "websockets"), None);
    }

    #[test]
    fn only_what_stands_between_the_markers_is_replaced() {
        let page = format!("before\n{BEGIN}old\n{END}after\n");
        let expected = format!("before\n{BEGIN}\nnew\n{END}after\n");
        assert_eq!(replaced(&page, "new\n").unwrap(), expected);
        assert!(replaced("no markers", "new").is_err());
    }
}

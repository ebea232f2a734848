//! Counting what passed and failed, and telling it.

use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::time::Duration;

/// How many checks passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
}

impl Tally {
    pub(crate) const PASSED: Self = Self {
        passed: 1,
        failed: 0,
    };
    pub(crate) const FAILED: Self = Self {
        passed: 0,
        failed: 1,
    };

    /// Counts one check: its name and what was wrong are printed if it failed.
    pub(crate) fn check(&mut self, name: &str, outcome: Result<(), impl std::fmt::Display>) {
        match outcome {
            Ok(()) => *self += Self::PASSED,
            Err(error) => {
                println!("  failed: {name}: {error}");
                *self += Self::FAILED;
            }
        }
    }

    /// Sums the `test result:` lines that libtest prints, one for each test binary. A binary that
    /// began and has no such line has died: that counts as one failure.
    pub(crate) fn from_libtest(output: &str) -> Self {
        let results: Vec<Self> = output.lines().filter_map(result_line).collect();
        let begun = output.lines().filter(|line| is_beginning(line)).count();
        let died = begun.saturating_sub(results.len());
        results.into_iter().sum::<Self>()
            + Self {
                passed: 0,
                failed: died.try_into().unwrap_or(u32::MAX),
            }
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), Add::add)
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// One step that has run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) name: &'static str,
    pub(crate) tally: Tally,
    pub(crate) time: Duration,
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.tally.to_string();
        let seconds = self.time.as_secs_f64();
        write!(f, "{:<12}  {count:<24}  {seconds:>7.1} s", self.name)
    }
}

/// All steps, one a line, then the total alone on the last line.
pub(crate) fn table(ran: &[Ran]) -> String {
    let lines: String = ran.iter().map(|step| format!("{step}\n")).collect();
    let total: Tally = ran.iter().map(|step| step.tally).sum();
    format!("\n{lines}\n{total}\n")
}

/// `test result: ok. 12 passed; 0 failed; 1 ignored; …`, as libtest prints it.
fn result_line(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |word: &str| {
        counts
            .split("; ")
            .find_map(|part| part.strip_suffix(word)?.trim().parse().ok())
    };
    Some(Tally {
        passed: count("passed")?,
        failed: count("failed")?,
    })
}

/// `running 12 tests`, before the first of them.
fn is_beginning(line: &str) -> bool {
    let count = line
        .strip_prefix("running ")
        .and_then(|rest| rest.strip_suffix(" tests").or(rest.strip_suffix(" test")));
    count.is_some_and(|count| count.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtest_lines_are_summed() {
        let output = "\nrunning 2 tests\ntest a ... ok\ntest b ... FAILED\n\n\
            test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            running 30 tests\n..............................\n\
            test result: ok. 30 passed; 0 failed; 2 ignored; 0 measured; 1 filtered out; finished in 12.31s\n";
        assert_eq!(
            Tally::from_libtest(output),
            Tally {
                passed: 31,
                failed: 1
            }
        );
    }

    #[test]
    fn a_binary_that_died_is_a_failure() {
        let output = "running 1 test\n\nrunning 2 tests\n..\n\
            test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
        let wanted = Tally {
            passed: 2,
            failed: 1,
        };
        assert_eq!(Tally::from_libtest(output), wanted);
    }

    #[test]
    fn other_lines_count_nothing() {
        let output = "test result: unknown\ntest passed; 3 failed\nerror: could not compile `a`\n";
        assert_eq!(Tally::from_libtest(output), Tally::default());
    }

    #[test]
    fn the_total_stands_alone_on_the_last_line() {
        let ran = [("unit", 212, 0), ("doc", 3, 1)].map(|(name, passed, failed)| Ran {
            name,
            tally: Tally { passed, failed },
            time: Duration::from_millis(34_120),
        });
        let table = table(&ran);
        assert!(
            table.contains("unit          212 passed, 0 failed         34.1 s\n"),
            "{table}"
        );
        assert_eq!(table.lines().last(), Some("215 passed, 1 failed"));
        assert!(table.ends_with('\n'));
    }
}

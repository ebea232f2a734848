//! How many mutants were noticed, file by file, and which were not.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::Result;

/// Outcomes of mutants. Those that do not compile are none.
#[derive(Debug, Default)]
pub(super) struct Score {
    /// By path: how many were noticed, and how many there were.
    files: BTreeMap<String, (usize, usize)>,
    /// `path:line:column: what was changed`.
    survivors: Vec<String>,
}

impl Score {
    /// Adds what cargo-mutants has left in `folder`: a list for each outcome, a line for each mutant.
    pub(super) fn read(&mut self, folder: &Path) -> Result<()> {
        let list = |name: &str| std::fs::read_to_string(folder.join(name));
        // Tests that do not end have noticed it too.
        for noticed in [list("caught.txt")?, list("timeout.txt")?] {
            noticed.lines().for_each(|line| self.add(line, true));
        }
        for line in list("missed.txt")?.lines() {
            self.add(line, false);
            self.survivors.push(line.to_owned());
        }
        Ok(())
    }

    fn add(&mut self, mutant: &str, is_noticed: bool) {
        let path = mutant.split(':').next().unwrap_or(mutant);
        let (noticed, all) = self.files.entry(path.to_owned()).or_default();
        *noticed += usize::from(is_noticed);
        *all += 1;
    }

    fn total(&self) -> (usize, usize) {
        let counts = self.files.values();
        counts.fold((0, 0), |sum, file| (sum.0 + file.0, sum.1 + file.1))
    }

    /// How much was noticed, rounded down; nothing if there was nothing to notice.
    pub(super) fn percent(&self) -> usize {
        let (noticed, all) = self.total();
        (100 * noticed).checked_div(all).unwrap_or(0)
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, (noticed, all)) in &self.files {
            writeln!(f, "{noticed:>5} of {all:>4}  {path}")?;
        }
        let (noticed, all) = self.total();
        writeln!(f, "{noticed:>5} of {all:>4}  noticed: {} %", self.percent())?;
        if !self.survivors.is_empty() {
            writeln!(f, "not noticed:")?;
        }
        let mut survivors = self.survivors.iter();
        survivors.try_for_each(|mutant| writeln!(f, "  {mutant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo;

    fn score(test: &str, lists: [&str; 3]) -> Score {
        let folder = format!("mutants/test-{test}-{}", std::process::id());
        let folder = cargo::scratch(&folder).unwrap();
        for (name, list) in ["caught.txt", "timeout.txt", "missed.txt"]
            .iter()
            .zip(lists)
        {
            std::fs::write(folder.join(name), list).unwrap();
        }
        let mut score = Score::default();
        let outcome = score.read(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        outcome.unwrap();
        score
    }

    #[test]
    fn what_was_noticed_is_counted_by_file_and_the_rest_is_listed() {
        let score = score(
            "lists",
            [
                "src/b.rs:1:2: replace - with +\nsrc/a.rs:3:4: replace f -> u8 with 0\n",
                "src/a.rs:5:6: delete !\n",
                "src/b.rs:7:8: replace f -> Vec<(String, u8)> with vec![]\n",
            ],
        );
        assert_eq!(
            score.to_string(),
            "    2 of    2  src/a.rs\n    \
                 1 of    2  src/b.rs\n    \
                 3 of    4  noticed: 75 %\n\
             not noticed:\n  \
               src/b.rs:7:8: replace f -> Vec<(String, u8)> with vec![]\n"
        );
    }

    #[test]
    fn a_score_is_rounded_down_and_nothing_is_no_score() {
        let caught = "a.rs:1:1: x\n".repeat(899);
        let score = score("percent", [&caught, "", &"a.rs:1:1: y\n".repeat(101)]);
        assert_eq!(score.percent(), 89);
        assert_eq!(Score::default().percent(), 0);
    }
}

//! The results as a page to read: `target/autobahn/results.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::results::{Case, Counts, order};

/// One run over its cases.
#[derive(Debug)]
pub(super) struct Ran {
    /// Which it was, such as `server wss`.
    pub(super) name: String,
    pub(super) cases: Vec<Case>,
    pub(super) time: Duration,
}

impl Ran {
    /// The run in one line.
    pub(super) fn summary(&self) -> String {
        let (counts, seconds) = (Counts::of(&self.cases), self.time.as_secs_f64());
        format!("{}: {counts}; {seconds:.1} s", self.name)
    }
}

/// All runs: a line each, then what failed, then every case.
pub(super) fn page(runs: &[Ran]) -> String {
    let mut page = "# Autobahn test suite\n\n".to_owned();
    for run in runs {
        let _ = writeln!(page, "- {}", run.summary());
    }
    page.push_str("\n## What is not as it has to be\n\n");
    let before = page.len();
    for run in runs {
        for case in run.cases.iter().filter(|case| !case.is_perfect()) {
            let (outcome, story) = (case.outcome(), &case.story);
            let (name, number) = (&run.name, &case.number);
            let _ = writeln!(page, "- {name} {number}: **{outcome}**. {story}");
        }
    }
    if page.len() == before {
        page.push_str("Nothing.\n");
    }
    page.push_str("\n## Every case\n\n");
    every_case(&mut page, runs);
    page
}

fn every_case(page: &mut String, runs: &[Ran]) {
    let names: Vec<_> = runs.iter().map(|run| run.name.as_str()).collect();
    let _ = writeln!(page, "| case | {} |", names.join(" | "));
    let _ = writeln!(page, "| --- |{}", " --- |".repeat(runs.len()));
    let mut rows = BTreeMap::<_, (&str, Vec<String>)>::new();
    for (column, run) in runs.iter().enumerate() {
        for case in &run.cases {
            let row = rows.entry(order(&case.number));
            let (_, cells) = row.or_insert((&case.number, vec![String::new(); runs.len()]));
            cells[column] = case.outcome();
        }
    }
    for (number, cells) in rows.values() {
        let _ = writeln!(page, "| {number} | {} |", cells.join(" | "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, cases: &[(&str, &str)]) -> Ran {
        let cases = cases.iter().map(|(number, behavior)| Case {
            number: (*number).to_owned(),
            behavior: (*behavior).to_owned(),
            behavior_close: "OK".to_owned(),
            story: "It pings.".to_owned(),
        });
        Ran {
            name: name.to_owned(),
            cases: cases.collect(),
            time: Duration::from_millis(1500),
        }
    }

    #[test]
    fn a_page_has_the_runs_the_failures_and_every_case() {
        let server = run("server ws", &[("2.9", "OK"), ("2.10", "FAILED")]);
        let page = page(&[server, run("client ws", &[("2.9", "OK")])]);
        for part in [
            "- client ws: 1 cases: 1 OK (behavior); 1 OK (behaviorClose); 1.5 s\n",
            "- server ws 2.10: **FAILED, close OK**. It pings.\n",
            "| case | server ws | client ws |\n| --- | --- | --- |\n| 2.9 | OK | OK |\n\
             | 2.10 | FAILED, close OK |  |\n",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
    }
}

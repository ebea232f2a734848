//! What the suite found: its index of cases, and what it has to be.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::json::Value;
use crate::Result;

/// How many cases the suite has.
pub(super) const CASES: usize = 517;

/// The cases in which the RFC leaves the choice to the implementation: they are not judged.
const INFORMATIONAL: [&str; 3] = ["7.1.6", "7.13.1", "7.13.2"];

/// What became of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Case {
    /// Its number, such as `7.13.1`.
    pub(super) number: String,
    pub(super) behavior: String,
    pub(super) behavior_close: String,
    /// What the suite tells of it: what it does, what it wants, what it got. For a failed one.
    pub(super) story: String,
}

impl Case {
    fn from_entry(number: &str, entry: &Value) -> Result<Self> {
        let field = |name| {
            let text = entry.text(name).map(str::to_owned);
            text.ok_or_else(|| format!("case {number} has no {name}"))
        };
        Ok(Self {
            number: number.to_owned(),
            behavior: field("behavior")?,
            behavior_close: field("behaviorClose")?,
            story: String::new(),
        })
    }

    /// Whether it is as it has to be; no case is excused.
    pub(super) fn is_perfect(&self) -> bool {
        let wanted = match INFORMATIONAL.contains(&self.number.as_str()) {
            true => "INFORMATIONAL",
            false => "OK",
        };
        self.behavior == wanted && self.behavior_close == wanted
    }

    /// Both behaviors, in one word if they are the same.
    pub(super) fn outcome(&self) -> String {
        if self.behavior == self.behavior_close {
            return self.behavior.clone();
        }
        format!("{}, close {}", self.behavior, self.behavior_close)
    }
}

/// The cases in the index of a folder of reports, each failed one with its story.
pub(super) fn read(folder: &Path) -> Result<Vec<Case>> {
    let index = folder.join("index.json");
    let text = std::fs::read_to_string(&index)
        .map_err(|error| format!("the suite wrote no report: {}: {error}", index.display()))?;
    let mut cases = Vec::new();
    for (mut case, report) in parse(&text)? {
        if !case.is_perfect() {
            case.story = story(&std::fs::read_to_string(folder.join(report))?)?;
        }
        cases.push(case);
    }
    Ok(cases)
}

/// The cases of an index, each with the name of its report, in the suite's order.
fn parse(index: &str) -> Result<Vec<(Case, String)>> {
    let index = Value::parse(index)?;
    let agents = index.as_object().ok_or("the index is no object")?;
    let mut cases = Vec::new();
    for agent in agents.values() {
        let entries = agent.as_object().ok_or("the agent has no cases")?;
        for (number, entry) in entries {
            let report = entry.text("reportfile").unwrap_or_default();
            cases.push((Case::from_entry(number, entry)?, report.to_owned()));
        }
    }
    cases.sort_by_key(|(case, _)| order(&case.number));
    Ok(cases)
}

/// What sorts 9.10 behind 9.9.
pub(super) fn order(number: &str) -> Vec<u32> {
    let parts = number.split('.');
    parts.map(|part| part.parse().unwrap_or(u32::MAX)).collect()
}

/// What a case's own report says, in one line.
fn story(report: &str) -> Result<String> {
    let report = Value::parse(report)?;
    let line = |field| one_line(report.text(field).unwrap_or("?"));
    let (does, wants) = (line("description"), line("expectation"));
    let (result, close) = (line("result"), line("resultClose"));
    Ok(format!(
        "{does} Expected: {wants} Result: {result} Close: {close}"
    ))
}

/// A text without line ends and without HTML tags.
fn one_line(text: &str) -> String {
    let mut parts = text.split('<');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_tag = part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
        match part.split_once('>').filter(|_| is_tag) {
            Some((_tag, rest)) => plain.extend([" ", rest]),
            None => plain.extend(["<", part]),
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How many cases behaved in which way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    behavior: BTreeMap<String, usize>,
    behavior_close: BTreeMap<String, usize>,
    total: usize,
}

impl Counts {
    pub(super) fn of(cases: &[Case]) -> Self {
        let mut counts = Self::default();
        for case in cases {
            *counts.behavior.entry(case.behavior.clone()).or_default() += 1;
            let close = case.behavior_close.clone();
            *counts.behavior_close.entry(close).or_default() += 1;
            counts.total += 1;
        }
        counts
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |counts: &BTreeMap<String, usize>| {
            let mut counts: Vec<_> = counts.iter().collect();
            counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let words = counts.iter().map(|(name, count)| format!("{count} {name}"));
            words.collect::<Vec<_>>().join(", ")
        };
        let (behavior, close) = (list(&self.behavior), list(&self.behavior_close));
        let total = self.total;
        write!(
            f,
            "{total} cases: {behavior} (behavior); {close} (behaviorClose)"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = r#"{
       "talkback": {
          "1.1.10": {"behavior": "OK", "behaviorClose": "OK", "duration": 3, "remoteCloseCode": 1000, "reportfile": "a_case_1_1_10.json"},
          "1.1.9": {"behavior": "NON-STRICT", "behaviorClose": "OK", "duration": 1, "remoteCloseCode": null, "reportfile": "a_case_1_1_9.json"},
          "7.13.1": {"behavior": "INFORMATIONAL", "behaviorClose": "INFORMATIONAL", "duration": 1, "remoteCloseCode": 1002, "reportfile": "a_case_7_13_1.json"}
       }
    }"#;

    fn cases() -> Vec<Case> {
        let cases = parse(INDEX).unwrap();
        cases.into_iter().map(|(case, _)| case).collect()
    }

    #[test]
    fn an_index_becomes_cases_in_the_order_of_their_numbers() {
        let found = parse(INDEX).unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|(case, report)| (case.number.as_str(), report.as_str()))
            .collect();
        let wanted = [
            ("1.1.9", "a_case_1_1_9.json"),
            ("1.1.10", "a_case_1_1_10.json"),
            ("7.13.1", "a_case_7_13_1.json"),
        ];
        assert_eq!(names, wanted);
        assert_eq!(found[0].0.outcome(), "NON-STRICT, close OK");
        assert!(parse(r#"{"talkback": {"1.1.1": {"behavior": "OK"}}}"#).is_err());
    }

    #[test]
    fn only_ok_is_perfect_but_for_three_cases() {
        let perfect: Vec<_> = cases().iter().map(Case::is_perfect).collect();
        assert_eq!(perfect, [false, true, true]);
        let mut case = cases().remove(2);
        case.number = "7.13.3".to_owned();
        assert!(!case.is_perfect());
        let mut case = cases().remove(1);
        case.behavior_close = "UNCLEAN".to_owned();
        assert!(!case.is_perfect());
    }

    #[test]
    fn counts_name_both_behaviors() {
        assert_eq!(
            Counts::of(&cases()).to_string(),
            "3 cases: 1 INFORMATIONAL, 1 NON-STRICT, 1 OK (behavior); 2 OK, 1 INFORMATIONAL (behaviorClose)"
        );
    }

    #[test]
    fn a_story_takes_one_line() {
        let report = r#"{"description": "Send text<br/>\n  twice.<br/><br/>", "expectation": "1 < 2.", "result": "No.", "resultClose": "Yes."}"#;
        let wanted = "Send text twice. Expected: 1 < 2. Result: No. Close: Yes.";
        assert_eq!(story(report).unwrap(), wanted);
    }
}

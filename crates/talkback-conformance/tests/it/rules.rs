//! docs/rules.md and the names of the tests have the same rules.

use std::collections::BTreeSet;
use std::path::Path;

/// The letters of a rule and its number.
type Rule = (String, u32);

/// `f7` and `f07` are the rule F7.
fn rule(word: &str) -> Option<Rule> {
    let begin = word.find(|it: char| it.is_ascii_digit())?;
    let (letters, number) = word.split_at(begin);
    let is_rule = [
        "ba", "c", "co", "d", "dr", "e", "f", "li", "mt", "pr", "px", "re", "rv", "s", "to", "ts",
        "v", "x",
    ]
    .contains(&letters)
        && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse().ok().filter(|_| is_rule)?;
    Some((letters.to_ascii_uppercase(), number))
}

/// Adds what the names of the tests in a folder begin with: `c11_f5_…`, `d02_to_d06_and_d23_…`, and in browsers
/// `"re94 a page …"`.
fn collect(folder: &Path, rules: &mut BTreeSet<Rule>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let before = match extension {
            Some("rs") => "fn ",
            Some("cjs") => "\n  \"",
            _ => "",
        };
        if path.is_dir() {
            collect(&path, rules);
        } else if !before.is_empty() {
            for function in std::fs::read_to_string(path).unwrap().split(before).skip(1) {
                let words = function.split(['_', '(', '<', ' ']);
                let begin =
                    words.take_while(|word| rule(word).is_some() || ["to", "and"].contains(word));
                rules.extend(begin.filter_map(rule));
            }
        }
    }
}

/// The rules in the first column of a page's tables.
fn told(page: &str) -> Vec<Rule> {
    let cells = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" |"));
    cells
        .filter_map(|(cell, _)| rule(&cell.to_ascii_lowercase()))
        .collect()
}

#[test]
fn each_rule_has_a_test_and_each_test_a_rule() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/rules.md")).unwrap();
    let (built, planned) = page.split_once("\n## Not built yet\n").unwrap();
    let (rules, planned) = (told(built), told(planned));
    let on_page: BTreeSet<_> = rules.iter().cloned().collect();
    assert_eq!(on_page.len(), rules.len(), "a rule stands there twice");

    let mut tested = BTreeSet::new();
    for folder in ["crates", "xtask/checks"] {
        collect(&root.join(folder), &mut tested);
    }
    let untested: Vec<_> = on_page.difference(&tested).collect();
    assert!(untested.is_empty(), "without a test: {untested:?}");
    let unknown: Vec<_> = tested.difference(&on_page).collect();
    assert!(unknown.is_empty(), "not in docs/rules.md: {unknown:?}");
    assert!(
        !planned.iter().any(|rule| on_page.contains(rule)),
        "built and planned"
    );
}

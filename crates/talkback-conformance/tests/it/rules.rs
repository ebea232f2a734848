//! docs/rules.md and the names of the tests have the same rules.

use std::collections::BTreeSet;
use std::path::Path;

/// `f7` and `f07` are the rule F7.
fn rule(word: &str) -> Option<(char, u32)> {
    let (letter, number) = word.split_at_checked(1)?;
    let is_rule = "cdefsvx".contains(letter) && number.bytes().all(|byte| byte.is_ascii_digit());
    let letter = letter.to_ascii_uppercase().chars().next()?;
    Some((letter, number.parse().ok().filter(|_| is_rule)?))
}

/// Adds what the names of the tests in a folder begin with: `c11_f5_…`, `d02_to_d06_and_d23_…`.
fn collect(folder: &Path, rules: &mut BTreeSet<(char, u32)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, rules);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            for function in std::fs::read_to_string(path).unwrap().split("fn ").skip(1) {
                let words = function.split(['_', '(', '<']);
                let begin =
                    words.take_while(|word| rule(word).is_some() || ["to", "and"].contains(word));
                rules.extend(begin.filter_map(rule));
            }
        }
    }
}

/// The rules in the first column of a page's tables.
fn told(page: &str) -> Vec<(char, u32)> {
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
    let on_page: BTreeSet<_> = rules.iter().copied().collect();
    assert_eq!(on_page.len(), rules.len(), "a rule stands there twice");

    let mut tested = BTreeSet::new();
    collect(&root.join("crates"), &mut tested);
    let untested: Vec<_> = on_page.difference(&tested).collect();
    assert!(untested.is_empty(), "without a test: {untested:?}");
    let unknown: Vec<_> = tested.difference(&on_page).collect();
    assert!(unknown.is_empty(), "not in docs/rules.md: {unknown:?}");
    assert!(
        !planned.iter().any(|rule| on_page.contains(rule)),
        "built and planned"
    );
}

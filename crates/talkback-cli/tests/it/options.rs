//! Every option is given to the command by a test, of each subcommand that has it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::run;

/// Whose tests a file has, by how its name begins. Those of a support file are of whoever uses it.
const TESTS: [(&str, &[&str]); 5] = [
    ("bench", &["bench"]),
    ("connect", &["connect", "prompt", "tls"]),
    ("echo", &["echo", "tls"]),
    ("hub", &["hub"]),
    ("listen", &["listen"]),
];

/// The options of a subcommand, as clap tells a shell that completes them: the spellings of each.
fn options(completions: &str, subcommand: &str) -> Vec<Vec<String>> {
    let of_it = format!("\"__fish_talkback_using_subcommand {subcommand}\" ");
    let lines = completions.lines().filter_map(|line| {
        let (_, option) = line.split_once(&of_it)?;
        // What follows is for a person.
        Some(option.split(" -d ").next().unwrap_or(option))
    });
    let spellings = lines.map(|option| {
        let words: Vec<&str> = option.split_whitespace().collect();
        let pairs = words.windows(2).filter_map(|pair| match pair[0] {
            "-s" => Some(format!("-{}", pair[1])),
            "-l" => Some(format!("--{}", pair[1])),
            _ => None,
        });
        pairs.collect()
    });
    spellings
        .filter(|option: &Vec<String>| !option.is_empty())
        .collect()
}

/// The text of the tests' files, by the name of each.
fn sources() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let rust = files.filter(|file| file.path().extension().is_some_and(|kind| kind == "rs"));
    rust.map(|file| {
        let name = file.file_name().into_string().unwrap();
        (name, fs::read_to_string(file.path()).unwrap())
    })
    .collect()
}

/// Whether an option stands among the arguments of a test.
fn is_given(source: &str, spelling: &str) -> bool {
    ["\"", "="]
        .iter()
        .any(|end| source.contains(&format!("\"{spelling}{end}")))
}

#[test]
fn each_is_given_to_each_subcommand_and_in_each_spelling() {
    let completions = run(&["completions", "fish"], "").stdout;
    let sources = sources();
    let mut missing = Vec::new();
    for (subcommand, names) in TESTS {
        let is_of_it = |name: &String| names.iter().any(|begin| name.starts_with(begin));
        let own: Vec<&String> = sources
            .iter()
            .filter(|(name, _)| is_of_it(name))
            .map(|(_, source)| source)
            .collect();
        let options = options(&completions, subcommand);
        assert!(options.len() > 9, "{subcommand}: {options:?}");
        for option in options {
            if option.iter().any(|spelling| spelling == "--help") {
                continue;
            }
            let by_its_own =
                |spelling: &String| own.iter().any(|source| is_given(source, spelling));
            if !option.iter().any(by_its_own) {
                missing.push(format!("{subcommand} {}", option.join(" ")));
            }
            let by_any =
                |spelling: &&String| sources.values().any(|source| is_given(source, spelling));
            let unused = option.iter().filter(|spelling| !by_any(spelling));
            missing.extend(unused.map(|spelling| format!("any {spelling}")));
        }
    }
    assert!(missing.is_empty(), "no test gives {missing:#?}");
}

#[test]
fn help_and_version_are_told_by_each_spelling() {
    let completions = run(&["completions", "fish"], "").stdout;
    for (subcommand, _) in TESTS {
        let (short, long) = (
            run(&[subcommand, "-h"], ""),
            run(&[subcommand, "--help"], ""),
        );
        assert_eq!((short.code, long.code), (Some(0), Some(0)));
        for spelling in options(&completions, subcommand).concat() {
            for help in [&short, &long] {
                assert!(help.stdout.contains(&spelling), "{subcommand} {spelling}");
            }
        }
    }
    for spelling in ["-V", "--version"] {
        let told = run(&[spelling], "");
        let version = concat!("talkback ", env!("CARGO_PKG_VERSION"), "\n");
        assert_eq!((told.code, &*told.stdout), (Some(0), version));
    }
}

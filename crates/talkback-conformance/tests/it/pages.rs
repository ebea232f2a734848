//! The pages for people.
//!
//! Their Rust blocks are code that compiles: the file that the comment above names, which a page does
//! not show (`<!-- code: docs/examples/examples/first.rs -->`), or lines of it that stand together. (Those of
//! README.md and docs/coming-from.md are compiled as tests of docs/examples.) A Korean page has the code,
//! the headings, the tables with their numbers and the pictures of the English one. Pictures are there,
//! and light.

use std::collections::BTreeSet;
use std::path::PathBuf;

const PAGES: [&str; 9] = [
    "docs/behind-a-proxy.md",
    "docs/behind-a-proxy.ko.md",
    "docs/cookbook.md",
    "docs/cookbook.ko.md",
    "docs/phones.md",
    "docs/phones.ko.md",
    "docs/testing.md",
    "docs/testing.ko.md",
    "docs/ui.md",
];
const PAIRS: [(&str, &str); 5] = [
    ("README.md", "README.ko.md"),
    ("docs/behind-a-proxy.md", "docs/behind-a-proxy.ko.md"),
    ("docs/cookbook.md", "docs/cookbook.ko.md"),
    ("docs/phones.md", "docs/phones.ko.md"),
    ("docs/testing.md", "docs/testing.ko.md"),
];
/// A page in English alone that has pictures.
const COMMAND: &str = "crates/talkback-cli/README.md";
/// In bytes; a moving picture may have ten times as many.
const PICTURE_SIZE_MAX: u64 = 60_000;

fn place(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(place(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[derive(Debug, Default, PartialEq)]
struct Block {
    /// The file that it is of.
    path: Option<String>,
    language: String,
    code: Vec<String>,
}

/// A page's blocks of code, and its other lines.
fn parse(page: &str) -> (Vec<Block>, Vec<&str>) {
    let (mut blocks, mut rest, mut path) = (Vec::new(), Vec::new(), None);
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let comment = line.strip_prefix("<!-- code: ");
        if let Some(named) = comment.and_then(|rest| rest.strip_suffix(" -->")) {
            path = Some(named.to_owned());
        } else if let Some(language) = line.strip_prefix("```") {
            let code = lines.by_ref().take_while(|line| *line != "```");
            blocks.push(Block {
                path: path.take(),
                language: language.to_owned(),
                code: code.map(str::to_owned).collect(),
            });
        } else {
            rest.push(line);
        }
    }
    (blocks, rest)
}

/// Whether the code stands in the source, all of it indented by as much more.
fn holds(source: &str, code: &[String]) -> bool {
    let source: Vec<&str> = source.lines().collect();
    source.windows(code.len()).any(|lines| {
        let indent = lines[0].strip_suffix(code[0].as_str());
        let is_same = |line: &str, code: &String| match indent {
            Some(indent) if indent.trim().is_empty() => {
                code.is_empty() && line.is_empty() || line == format!("{indent}{code}")
            }
            _ => false,
        };
        lines
            .iter()
            .zip(code)
            .all(|(line, code)| is_same(line, code))
    })
}

/// What a translation keeps.
#[derive(Debug, PartialEq)]
struct Shape<'a> {
    code: Vec<(String, Vec<String>)>,
    heading_levels: Vec<usize>,
    /// For each line, whether it is of a table, and then its numbers; lines of text are one.
    tables: Vec<Option<BTreeSet<&'a str>>>,
    pictures: Vec<&'a str>,
}

fn shape(page: &str) -> Shape<'_> {
    let (blocks, lines) = parse(page);
    let level = |line: &&str| line.split_once("# ").map(|(level, _)| level.len());
    let headings = lines.iter().filter(|line| line.starts_with('#'));
    let mut tables: Vec<_> = lines.iter().map(|line| numbers(line)).collect();
    tables.dedup_by(|a, b| a.is_none() && b.is_none());
    let pictures = lines.iter().flat_map(|line| line.split("![").skip(1));
    let code = blocks.into_iter().map(|block| (block.language, block.code));
    Shape {
        code: code.collect(),
        heading_levels: headings.filter_map(level).collect(),
        tables,
        pictures: pictures.filter_map(target).collect(),
    }
}

/// The numbers in a row of a table.
fn numbers(line: &str) -> Option<BTreeSet<&str>> {
    let is_number = |letter: char| letter.is_ascii_digit() || ".,".contains(letter);
    let words = line.strip_prefix('|')?.split(|letter| !is_number(letter));
    let words = words.map(|word| word.trim_matches(['.', ',']));
    Some(words.filter(|word| !word.is_empty()).collect())
}

/// Where the link whose text begins here leads to.
fn target(text: &str) -> Option<&str> {
    Some(text.split_once("](")?.1.split_once(')')?.0)
}

#[test]
fn code_is_that_of_the_files_that_are_named() {
    for page in PAGES {
        let (blocks, _) = parse(&read(page));
        let rust = |block: &&Block| block.language.split(',').next() == Some("rust");
        for block in blocks.iter().filter(rust) {
            let path = block.path.as_ref();
            let path = path.unwrap_or_else(|| panic!("{page}: no file for {:?}", block.code));
            let code = block.code.join("\n");
            assert!(
                holds(&read(path), &block.code),
                "{page}: {path} lacks\n{code}"
            );
        }
    }
}

#[test]
fn languages_agree() {
    for (english, korean) in PAIRS {
        let (english_page, korean_page) = (read(english), read(korean));
        assert_eq!(shape(&korean_page), shape(&english_page), "{korean}");
    }
}

#[test]
fn pictures_are_there_and_light() {
    for page in PAIRS
        .map(|(english, _)| english)
        .into_iter()
        .chain([COMMAND])
    {
        for picture in shape(&read(page)).pictures {
            let file = place(page).with_file_name(picture);
            let size = file
                .metadata()
                .unwrap_or_else(|_| panic!("no {picture}"))
                .len();
            let factor = if picture.ends_with(".gif") { 10 } else { 1 };
            assert!(size <= PICTURE_SIZE_MAX * factor, "{picture}: {size} bytes");
        }
    }
}

#[test]
fn what_differs_is_seen() {
    let page = "# A\n\n![a](b.png)\n| 1,034, or 2. |\n| --- |\n\n<!-- code: a.rs -->\n```rust\n# no\n| no |\n```\n## B\n";
    let same = shape(page);
    assert_eq!(
        (&same.heading_levels[..], &same.pictures[..]),
        (&[0, 1][..], &["b.png"][..])
    );
    assert_eq!(parse(page).0[0].path.as_deref(), Some("a.rs"));
    for (old, new) in [
        ("034", "033"),
        ("# no", "# No"),
        ("## B", "# B"),
        ("b.png", "c.png"),
    ] {
        assert_ne!(shape(&page.replace(old, new)), same, "{old}");
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(holds("fn a() {\n    b;\n\n    c;\n}", &lines("b;\n\nc;")));
    assert!(!holds("fn a() {\n    b;\n    c;\n}", &lines("b;\nd;")));
    assert!(!holds("fn a() {\n    b;\n  c;\n}", &lines("b;\nc;")));
}

//! The pages for people: their Rust blocks are code that compiles, their pictures are there, and a
//! Korean page has the code, the headings, the tables and the pictures of the English one.
//!
//! A block names its file in a comment above it, which a page does not show:
//! `<!-- code: docs/examples/examples/first.rs -->`. It is the file, or lines of it that stand together.

mod shape;

use std::fs;
use std::path::Path;

use self::shape::Shape;
use crate::report::Tally;
use crate::{Result, cargo};

/// The pages whose Rust blocks come from files. Those of README.md are compiled as tests of `talkback`.
const PAGES: &[&str] = &["docs/cookbook.md", "docs/cookbook.ko.md", "docs/ui.md"];

/// The English pages, and the Korean ones.
const PAIRS: &[(&str, &str)] = &[
    ("README.md", "README.ko.md"),
    ("docs/cookbook.md", "docs/cookbook.ko.md"),
];

/// What a picture may weigh, in bytes.
const PICTURE_SIZE_MAX: u64 = 60_000;

/// Counts each block, each pair of pages and each picture.
pub(crate) fn check() -> Result<Tally> {
    let mut tally = Tally::default();
    for page in PAGES {
        let text = read(page)?;
        for block in blocks(&text).iter().filter(|block| block.is_rust()) {
            tally.check(&format!("{page}:{}", block.line), holds(block));
        }
    }
    for (english, korean) in PAIRS {
        let (english_text, korean_text) = (read(english)?, read(korean)?);
        let (english_shape, korean_shape) = (Shape::of(&english_text), Shape::of(&korean_text));
        tally.check(
            korean,
            same(english, &blocks(&english_text), &blocks(&korean_text)),
        );
        tally.check(korean, korean_shape.expect(english, &english_shape));
        for image in english_shape.images {
            tally.check(english, picture(english, image));
        }
    }
    Ok(tally)
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(cargo::root().join(path)).map_err(|error| format!("{path}: {error}").into())
}

/// What is wrong with a picture of a page: whoever reads it waits for all of them.
fn picture(page: &str, image: &str) -> Result<()> {
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    let path = cargo::root().join(folder).join(image);
    let size = fs::metadata(path).map_err(|error| format!("{image}: {error}"))?;
    if size.len() > PICTURE_SIZE_MAX {
        return Err(format!("{image} has {} bytes of {PICTURE_SIZE_MAX}", size.len()).into());
    }
    Ok(())
}

/// A block of code on a page.
#[derive(Debug, PartialEq, Eq)]
struct Block<'a> {
    /// The line of its fence, from 1.
    line: usize,
    /// What stands behind the fence: `rust`, `sh`.
    language: &'a str,
    code: Vec<&'a str>,
    /// The file that it comes from.
    source: Option<&'a str>,
}

impl Block<'_> {
    fn is_rust(&self) -> bool {
        self.language.split(',').next() == Some("rust")
    }
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut source = None;
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let code = lines.by_ref().map(|(_, line)| line);
            blocks.push(Block {
                line: number + 1,
                language,
                code: code.take_while(|line| *line != "```").collect(),
                source: source.take(),
            });
        } else if let Some(comment) = line.strip_prefix("<!-- code: ") {
            source = comment.strip_suffix(" -->");
        } else if !line.is_empty() {
            source = None;
        }
    }
    blocks
}

/// Whether a block is what its file has.
fn holds(block: &Block<'_>) -> Result<()> {
    let Some(path) = block.source else {
        return Err("no comment above this block names its file".into());
    };
    let source = read(path)?;
    let source: Vec<&str> = source.lines().collect();
    if is_part_of(&block.code, &source) {
        return Ok(());
    }
    let stray = block
        .code
        .iter()
        .find(|line| !source.iter().any(|other| other.trim() == line.trim()));
    Err(match stray {
        Some(line) => format!("{path} has no line {:?}", line.trim()).into(),
        None => format!("the lines of {path} stand otherwise").into(),
    })
}

/// Whether `code` stands in `source` as lines that follow each other, all indented by as much more.
fn is_part_of(code: &[&str], source: &[&str]) -> bool {
    let Some(first) = code.first() else {
        return false;
    };
    source.windows(code.len()).any(|part| {
        let Some(indent) = part[0].strip_suffix(first) else {
            return false;
        };
        let equal = |(line, other): (&&str, &&str)| {
            line == other && line.is_empty() || other.strip_prefix(indent) == Some(*line)
        };
        indent.trim().is_empty() && code.iter().zip(part).all(equal)
    })
}

/// What is wrong if a Korean page shows other code than the English one.
fn same(page: &str, english: &[Block<'_>], korean: &[Block<'_>]) -> Result<()> {
    for (block, other) in english.iter().zip(korean) {
        if (block.language, &block.code) != (other.language, &other.code) {
            let (line, other) = (block.line, other.line);
            return Err(format!("its block at {other} is not that at {page}:{line}").into());
        }
    }
    if english.len() != korean.len() {
        let (count, others) = (english.len(), korean.len());
        return Err(format!("it has {others} blocks, {page} has {count}").into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str =
        "Text.\n\n<!-- code: a.rs -->\n```rust\nlet a = 1;\n\nb();\n```\nMore.\n```sh\nls\n```\n";

    #[test]
    fn a_block_has_its_line_its_language_and_its_file() {
        let found = blocks(PAGE);
        let parts: Vec<_> = found
            .iter()
            .map(|block| (block.line, block.language, block.source, block.code.len()))
            .collect();
        assert_eq!(parts, [(4, "rust", Some("a.rs"), 3), (10, "sh", None, 1)]);
    }

    #[test]
    fn a_file_that_is_named_further_up_is_not_the_block_s() {
        let found = blocks("<!-- code: a.rs -->\nText.\n```rust\na\n```\n");
        assert_eq!(found[0].source, None);
        assert!(holds(&found[0]).is_err());
    }

    #[test]
    fn a_block_is_lines_that_stand_together_with_one_indent() {
        let source = ["fn f() {", "    let a = 1;", "", "    b();", "}"];
        assert!(is_part_of(&source, &source));
        assert!(is_part_of(&["let a = 1;", "", "b();"], &source));
        assert!(!is_part_of(&["let a = 1;", "b();"], &source));
        assert!(!is_part_of(&["a = 1;"], &source));
        assert!(!is_part_of(&["let a = 2;"], &source));
        assert!(!is_part_of(&["b();", "}"], &source));
        assert!(!is_part_of(&[], &source));
    }

    #[test]
    fn the_two_languages_show_the_same_blocks() {
        let english = blocks(PAGE);
        assert!(same("a", &english, &blocks(&format!("안녕하세요\n{PAGE}"))).is_ok());
        for other in [
            PAGE.replace("b();", "c();"),
            PAGE.replace("```sh", "```text"),
            PAGE.replace("```sh\nls\n```\n", ""),
        ] {
            assert!(same("a", &english, &blocks(&other)).is_err(), "{other}");
        }
    }
}

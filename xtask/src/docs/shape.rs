//! What a page consists of besides its sentences: its headings, tables and pictures. A page and its
//! translation have the same, and a row of a table has the same numbers.

use std::collections::BTreeSet;
use std::fmt::Debug;

use crate::Result;

/// The parts of a page that a translation keeps.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shape<'a> {
    /// The level of each heading.
    headings: Vec<usize>,
    /// The numbers in each row of each table, its head and the line below that included.
    tables: Vec<Vec<BTreeSet<&'a str>>>,
    /// The path of each picture.
    pub(super) images: Vec<&'a str>,
}

impl<'a> Shape<'a> {
    pub(super) fn of(page: &'a str) -> Self {
        let mut shape = Self {
            headings: Vec::new(),
            tables: Vec::new(),
            images: Vec::new(),
        };
        let (mut in_code, mut in_table) = (false, false);
        for line in page.lines() {
            let is_fence = line.starts_with("```");
            in_code ^= is_fence;
            let is_text = !in_code && !is_fence;
            let is_row = is_text && line.starts_with('|');
            match shape.tables.last_mut() {
                Some(rows) if is_row && in_table => rows.push(numbers(line)),
                _ if is_row => shape.tables.push(vec![numbers(line)]),
                _ => {}
            }
            in_table = is_row;
            if is_text {
                shape.headings.extend(heading_level(line));
                shape.images.extend(images(line));
            }
        }
        shape
    }

    /// What is wrong if this, of a Korean page, is not the shape of the English `page`.
    pub(super) fn expect(&self, page: &str, english: &Self) -> Result<()> {
        same("heading levels", page, &english.headings, &self.headings)?;
        let rows = |shape: &Self| shape.tables.iter().map(Vec::len).collect::<Vec<_>>();
        same("table rows", page, &rows(english), &rows(self))?;
        let numbers = self.tables.iter().flatten();
        for (numbers, english) in numbers.zip(english.tables.iter().flatten()) {
            same("numbers in a row of a table", page, english, numbers)?;
        }
        same("pictures", page, &english.images, &self.images)
    }
}

fn same<T: PartialEq + Debug>(what: &str, page: &str, english: &T, korean: &T) -> Result<()> {
    if english == korean {
        return Ok(());
    }
    Err(format!("its {what} are {korean:?}, those of {page} are {english:?}").into())
}

/// `## Title` has level 2.
fn heading_level(line: &str) -> Option<usize> {
    let title = line.trim_start_matches('#');
    let level = line.len() - title.len();
    (level > 0 && title.starts_with(' ')).then_some(level)
}

/// The numbers in a line, as they are written: `1,034`, `0.8`.
fn numbers(line: &str) -> BTreeSet<&str> {
    let is_part = |letter: char| letter.is_ascii_digit() || letter == ',' || letter == '.';
    let words = line.split(|letter| !is_part(letter));
    let numbers = words.map(|word| word.trim_matches([',', '.']));
    numbers.filter(|number| !number.is_empty()).collect()
}

/// The paths in `![words](path)`.
fn images(line: &str) -> impl Iterator<Item = &str> {
    line.split("![").skip(1).filter_map(|image| {
        let (_, rest) = image.split_once("](")?;
        rest.split_once(')').map(|(path, _)| path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Title\n\n![a](a.png) ![b](b.png)\n\n| a |\n| --- |\n| 1,034, or 2. |\n\n| b |\n\n\
        ```sh\n# not a heading\n| not a row |\n![not](a.picture)\n```\n## Part\n#hash\n";

    #[test]
    fn code_has_no_heading_no_table_and_no_picture() {
        let shape = Shape {
            headings: vec![1, 2],
            tables: vec![
                vec![[].into(), [].into(), ["1,034", "2"].into()],
                vec![[].into()],
            ],
            images: vec!["a.png", "b.png"],
        };
        assert_eq!(Shape::of(PAGE), shape);
    }

    #[test]
    fn a_translation_keeps_headings_rows_and_pictures() {
        let english = Shape::of(PAGE);
        let differs = |translation: &str| {
            let outcome = Shape::of(translation).expect("page.md", &english);
            outcome.err().map(|error| error.to_string())
        };
        let translation = PAGE
            .replace("Title", "제목")
            .replace("1,034, or 2.", "2나 1,034");
        assert_eq!(differs(&translation), None);
        for (part, from, to) in [
            ("heading", "## Part", "Part"),
            ("heading", "## Part", "### Part"),
            ("rows", "| --- |\n", ""),
            ("rows", "|\n\n| b", "|\n| b"),
            ("numbers", "1,034", "1,033"),
            ("pictures", "b.png", "c.png"),
            ("pictures", "![b](b.png)", ""),
        ] {
            let what = differs(&PAGE.replace(from, to)).unwrap_or_default();
            assert!(what.contains(part), "{from} → {to}: {what}");
        }
    }
}

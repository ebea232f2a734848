//! The page that the configurations and the symptoms are read from.

use std::path::PathBuf;

fn page() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/behind-a-proxy.md");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The page's one block in this language.
pub(super) fn block(language: &str) -> String {
    let page = page();
    let fence = format!("```{language}\n");
    let mut blocks = page.split(&fence).skip(1);
    let (Some(block), None) = (blocks.next(), blocks.next()) else {
        panic!("the page has one block of {language}");
    };
    let (block, _) = block.split_once("```").expect("the block ends");
    block.to_owned()
}

/// What the page's table says that a client sees, where this mends it.
pub(super) fn symptom(mended_by: &str) -> String {
    let mut found = rows().into_iter().filter(|row| row[2].contains(mended_by));
    let (Some([symptom, ..]), None) = (found.next(), found.next()) else {
        panic!("the page has one row that is mended by {mended_by}");
    };
    symptom
}

/// What mends the mistakes, a row each.
pub(super) fn mends() -> Vec<String> {
    let mends: Vec<String> = rows().into_iter().map(|[.., mend]| mend).collect();
    assert!(mends.len() > 15, "the table is there");
    mends
}

/// The rows of the table of mistakes, the only one of three columns.
fn rows() -> Vec<[String; 3]> {
    let page = page();
    let lines = page
        .lines()
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    let rows = lines.filter_map(|line| {
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().to_owned()).collect();
        cells.try_into().ok()
    });
    // The first two are its head.
    rows.skip(2).collect()
}

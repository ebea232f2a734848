//! What a client with the default features compiles.

use std::process::Command;

/// `talkback`, `talkback-proto`, and what they bring to a program on Linux, build dependencies
/// included. Whoever raises it says in the commit what the new crate is worth, and what it costs
/// to compile.
const CRATES_MAX: usize = 47;

#[test]
fn a_client_compiles_no_more_crates_than_it_did() {
    let tree = "tree --locked --package talkback --edges normal,build --prefix none --no-dedupe";
    let output = Command::new(env!("CARGO"))
        .args(tree.split(' '))
        .args(["--target", "x86_64-unknown-linux-gnu", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let mut crates: Vec<&str> = told.lines().collect();
    crates.sort_unstable();
    crates.dedup();
    let count = crates.len();
    assert!(count > 10, "{}", String::from_utf8_lossy(&output.stderr));
    assert!(count <= CRATES_MAX, "{count} crates: {crates:#?}");
}

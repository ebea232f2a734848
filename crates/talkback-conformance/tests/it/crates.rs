//! What programs with the default features compile.

use std::process::Command;

/// `talkback`, `talkback-proto`, and what they bring to a program on Linux, build dependencies
/// included. Whoever raises it says in the commit what the new crate is worth, and what it costs
/// to compile.
const CRATES_MAX: usize = 41;

/// The crates that a package compiles with its default features.
fn crates(package: &str) -> Vec<String> {
    let tree = "tree --locked --edges normal,build --prefix none --no-dedupe --package";
    let output = Command::new(env!("CARGO"))
        .args(tree.split(' '))
        .args([package, "--target", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let mut crates: Vec<String> = told.lines().map(str::to_owned).collect();
    crates.sort_unstable();
    crates.dedup();
    assert!(
        crates.len() > 10,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    crates
}

#[test]
fn a_client_compiles_no_more_crates_than_it_did() {
    let crates = crates("talkback");
    assert!(crates.len() <= CRATES_MAX, "{}: {crates:#?}", crates.len());
}

#[test]
fn the_demo_in_a_terminal_compiles_no_gui() {
    let crates = crates("talkback-demo");
    let has = |name: &str| {
        crates
            .iter()
            .any(|line| line.starts_with(&format!("{name} v")))
    };
    let names = ["tokio", "egui", "eframe", "winit"].map(has);
    assert_eq!(names, [true, false, false, false]);
}

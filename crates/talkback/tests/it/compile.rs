//! What the compiler says: what must compile without a warning does, and mistakes that are easily made
//! are explained.
//!
//! `TRYBUILD=overwrite cargo test -p talkback --test it compile` writes what it says now; read it then as
//! somebody who has just made the mistake.

use std::process::Command;

/// The compiler whose words are kept: another's differ in details.
const COMPILER: &str = "rustc 1.95.";

fn compiler() -> String {
    let version = Command::new("rustc").arg("--version").output().unwrap();
    String::from_utf8(version.stdout).unwrap()
}

/// Where the linter stands in for the compiler, as in `cargo xtask test`, its words differ: this variable is
/// taken away then.
const LINTER: &str = "RUSTC_WORKSPACE_WRAPPER";

#[test]
fn re122_ts12_mistakes_are_explained_and_plain_use_warns_nobody() {
    if std::env::var_os(LINTER).is_some() {
        let name = "compile::re122_ts12_mistakes_are_explained_and_plain_use_warns_nobody";
        let mut test = Command::new(std::env::current_exe().unwrap());
        test.args(["--exact", name, "--nocapture"])
            .env_remove(LINTER);
        assert!(test.status().unwrap().success());
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.pass("tests/compile/pass/*.rs");
    let compiler = compiler();
    if compiler.starts_with(COMPILER) {
        cases.compile_fail("tests/compile/fail/*.rs");
    } else {
        eprintln!("The words kept are those of {COMPILER}, not of {compiler}");
    }
}

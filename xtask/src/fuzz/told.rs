//! What a fuzzer tells: how much it tried, and what it found.

use super::Toolchain;
use crate::process::Finished;

/// `Done 702263 runs in 7 second(s)`, as libFuzzer ends.
pub(super) fn executions(line: &str) -> Option<u64> {
    line.strip_prefix("Done ")?.split_once(' ')?.0.parse().ok()
}

/// What broke, the input that did it, and how to see it again.
pub(super) fn finding(name: &str, toolchain: Toolchain, finished: &Finished) -> String {
    const SAYING: [&str; 3] = ["panicked at", "ERROR: ", "SUMMARY: "];
    let mut lines = finished.stderr.lines();
    let mut told = finished.ending();
    while let Some(line) = lines.next() {
        if SAYING.iter().any(|word| line.contains(word)) {
            told += "\n      ";
            told += line;
            // A panic's message stands in the lines behind it.
            if line.contains(SAYING[0]) {
                lines
                    .clone()
                    .take(3)
                    .for_each(|line| told += &format!("\n      {line}"));
            }
        }
        if let Some((_, path)) = line.split_once("Test unit written to ") {
            let again = match toolchain {
                Toolchain::Nightly => "cargo +nightly",
                Toolchain::Own => "RUSTC_BOOTSTRAP=1 cargo",
            };
            told += &format!("\n      input {path}");
            told += &format!("\n      again with: {again} fuzz run {name} {path}");
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executions_are_read_from_the_last_line_of_libfuzzer() {
        assert_eq!(executions("Done 702263 runs in 7 second(s)"), Some(702_263));
        assert_eq!(executions("#702263\tDONE   cov: 100"), None);
    }

    #[test]
    fn a_finding_tells_the_input_and_how_to_see_it_again() {
        let stderr = "INFO: Seed: 1\n\
            thread '<unnamed>' panicked at fuzz/src/session.rs:57:5:\n\
            assertion `left == right` failed\n  left: 1\n right: 2\n\
            Test unit written to /fuzz/artifacts/header/crash-0a\n";
        let finished = Finished {
            status: None,
            stdout: String::new(),
            stderr: stderr.to_owned(),
        };
        let told = finding("header", Toolchain::Own, &finished);
        for part in [
            "session.rs:57:5",
            "right: 2",
            "input /fuzz/artifacts/header/crash-0a",
        ] {
            assert!(told.contains(part), "{told}");
        }
        assert!(told.contains("RUSTC_BOOTSTRAP=1 cargo fuzz run header /fuzz/artifacts"));
    }
}

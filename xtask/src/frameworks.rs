//! `cargo xtask frameworks`: the examples of docs/ui.md that need a framework of their own.

use crate::{Result, cargo};

const MANIFEST: &str = "docs/frameworks/Cargo.toml";

/// Compiles them, in a target directory of their own, which keeps the other one small.
pub(crate) fn check() -> Result<()> {
    let target = cargo::scratch("frameworks")?;
    println!("  compiling Dioxus, iced and Leptos (once: several minutes)");
    for arguments in [
        &["fmt", "--all", "--check", "--manifest-path", MANIFEST][..],
        &[
            "clippy",
            "--workspace",
            "--manifest-path",
            MANIFEST,
            "--",
            "-D",
            "warnings",
        ],
    ] {
        let mut command = cargo::cargo(arguments);
        command.env("CARGO_TARGET_DIR", &target);
        if cargo::checked(command)?.failed > 0 {
            return Err(format!("the examples in {MANIFEST} are not as they should be").into());
        }
    }
    println!("  the examples of docs/ui.md compile");
    Ok(())
}

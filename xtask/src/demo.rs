//! `cargo demo`: builds the demo, then becomes it.

use std::ffi::OsString;
use std::io::{IsTerminal, stderr, stdin, stdout};
use std::process::{Command, ExitCode, Stdio};

use crate::program::{Result, become_program, beside, root};

/// What the demo is shown in. It is chosen before anything is compiled, so that nobody waits for
/// a view that cannot open here.
#[derive(Clone, Copy, PartialEq)]
enum View {
    Terminal,
    Window,
}

/// The package, and its program.
const DEMO: &str = "talkback-demo";

/// Builds the demo and runs it with these arguments; its exit code is the answer.
pub(crate) fn start(arguments: &[OsString]) -> Result<ExitCode> {
    // The alias has a `--` of its own, but `cargo demo -- --url …` is what fingers are used to.
    let arguments = match arguments {
        [first, rest @ ..] if first == "--" => rest,
        all => all,
    };
    match asked_for(arguments) {
        Some(view) => build(view)?,
        None if has_person_and_display() => {
            if let Err(error) = build(View::Window) {
                eprintln!("{error}. Here is the terminal instead.");
                build(View::Terminal)?;
            }
        }
        None => build(View::Terminal)?,
    }
    let program = format!("{DEMO}{}", std::env::consts::EXE_SUFFIX);
    become_program(Command::new(beside(&program)?).args(arguments))
}

/// The view that the arguments name; what only prints needs no window.
fn asked_for(arguments: &[OsString]) -> Option<View> {
    let mut asked_for = None;
    for argument in arguments {
        match argument.to_str() {
            Some("--window") => asked_for = Some(View::Window),
            Some("--terminal") => asked_for = Some(View::Terminal),
            Some("-h" | "--help" | "-V" | "--version") => return Some(View::Terminal),
            _ => {}
        }
    }
    asked_for
}

/// Whether the demo will open a window by itself; it looks at the same.
fn has_person_and_display() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let has_display =
        cfg!(any(windows, target_os = "macos")) || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    has_display && stdin().is_terminal() && stdout().is_terminal()
}

/// Builds a view. Nothing is printed on standard output; what cargo says is for a person only.
fn build(view: View) -> Result<()> {
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--package", DEMO, "--bin", DEMO]);
    // Not in another folder: CARGO_TARGET_DIR may be a relative path.
    build.arg("--manifest-path").arg(root().join("Cargo.toml"));
    build.args((view == View::Window).then_some("--features=window"));
    build.args((!stderr().is_terminal()).then_some("--quiet"));
    build.stdin(Stdio::null()).stdout(Stdio::null());
    // What `cargo run` told this program about itself; some build scripts run again when it changes.
    let is_told =
        |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.to_str().is_some_and(is_told)) {
        build.env_remove(name);
    }
    let is_built = build.status()?.success();
    (is_built.then_some(())).ok_or_else(|| "the demo does not build".into())
}

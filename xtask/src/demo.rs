//! `cargo demo`: builds the demo, then becomes it.

use std::ffi::OsString;
use std::io::{IsTerminal, stdin, stdout};
use std::process::{Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::program::{Result, become_program, beside, root};

/// What the demo is shown in. It is chosen before anything is compiled, so that nobody waits for
/// a view that cannot open here.
struct View {
    name: &'static str,
    /// The feature of the demo that brings it.
    feature: Option<&'static str>,
    /// A library that is there once it was built.
    library: &'static str,
    build_time_cold: &'static str,
}

#[rustfmt::skip]
const TERMINAL: View = View { name: "terminal demo", feature: None, library: "libtalkback_demo-", build_time_cold: "about a minute" };
#[rustfmt::skip]
const WINDOW: View = View { name: "window demo", feature: Some("window"), library: "libeframe-", build_time_cold: "three or four minutes" };

/// The package, and its program.
const DEMO: &str = "talkback-demo";

/// A build that takes longer than this is worth a line.
const QUIET_BUILD_MAX: Duration = Duration::from_millis(1500);

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
            if let Err(error) = build(&WINDOW) {
                eprintln!("{error}. Here is the terminal instead.");
                build(&TERMINAL)?;
            }
        }
        None => build(&TERMINAL)?,
    }
    let program = format!("{DEMO}{}", std::env::consts::EXE_SUFFIX);
    become_program(Command::new(beside(&program)?).args(arguments))
}

/// The view that the arguments name; what only prints needs no window.
fn asked_for(arguments: &[OsString]) -> Option<&'static View> {
    let mut asked_for = None;
    for argument in arguments {
        match argument.to_str() {
            Some("--window") => asked_for = Some(&WINDOW),
            Some("--terminal") => asked_for = Some(&TERMINAL),
            Some("-h" | "--help" | "-V" | "--version") => return Some(&TERMINAL),
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

/// Builds a view. Nothing is printed on standard output, and nothing at all if it is up to date.
fn build(view: &View) -> Result<()> {
    let is_first = !was_built(view)?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--package", DEMO, "--bin", DEMO]);
    // Not in another folder: CARGO_TARGET_DIR may be a relative path.
    build.arg("--manifest-path").arg(root().join("Cargo.toml"));
    build.stdin(Stdio::null()).stdout(Stdio::null());
    // What `cargo run` told this program about itself; some build scripts run again when it changes.
    let is_told =
        |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.to_str().is_some_and(is_told)) {
        build.env_remove(name);
    }
    build.args(view.feature.map(|feature| format!("--features={feature}")));
    let announce = |time: &str| eprintln!("Building the {} ({time}) …", view.name);
    if is_first {
        announce(&format!("first time: {}", view.build_time_cold));
    } else {
        build.arg("--quiet");
    }
    let mut building = build.spawn()?;
    let begin = Instant::now();
    while !is_first && building.try_wait()?.is_none() {
        if begin.elapsed() > QUIET_BUILD_MAX {
            announce("something has changed");
            break;
        }
        sleep(Duration::from_millis(10));
    }
    if building.wait()?.success() {
        return Ok(());
    }
    Err(format!("the {} does not build", view.name).into())
}

fn was_built(view: &View) -> Result<bool> {
    let Ok(libraries) = std::fs::read_dir(beside("deps")?) else {
        return Ok(false);
    };
    let mut names = libraries.flatten().map(|library| library.file_name());
    Ok(names.any(|name| name.to_string_lossy().starts_with(view.library)))
}

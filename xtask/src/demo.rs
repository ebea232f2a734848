//! `cargo demo`: builds the demo, then becomes it. And the step `demo`, which tries that.

use std::ffi::OsString;
use std::io::{IsTerminal, stdin, stdout};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use crate::process::{self, Finished, Input, Stderr};
use crate::report::Tally;
use crate::{Result, cargo, web, window};

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

const TERMINAL: View = View {
    name: "terminal demo",
    feature: None,
    library: "libtalkback_terminal-",
    build_time_cold: "about a minute",
};

const WINDOW: View = View {
    name: "window demo",
    feature: Some("window"),
    library: "libeframe-",
    build_time_cold: "three or four minutes",
};

/// The package, and its program.
const DEMO: &str = "talkback-demo";

/// A build that takes longer than this is worth a line.
const PATIENCE: Duration = Duration::from_millis(1500);
/// What a pipe feeds to our clients.
pub(crate) const GREETINGS: &str = "Hello!\n안녕하세요\n";
const CHECK_LIMIT: Duration = Duration::from_secs(60);

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
    become_program(Command::new(cargo::beside_this_program(DEMO)?).args(arguments))
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

/// Runs the tests of its state and of its window, feeds it through a pipe, as the README shows it,
/// types into its window, and uses its tab.
pub(crate) fn check() -> Result<Tally> {
    let mut tally = cargo::demo_tests()?;
    prepare()?;
    tally.check("a pipe gets its own lines back", greetings_come_back(&[]));
    tally.check("no input is no error", no_input());
    tally.check("a server that is not there takes one line", nobody_there());
    tally.check("without the window no GUI crate is built", no_gui_crate());
    if let Err(error) = window::check(&mut tally) {
        tally.check("the window", Err(error));
    }
    match web::tab() {
        Ok(counted) => tally += counted,
        Err(error) => tally.check("the tab", Err(error)),
    }
    Ok(tally)
}

/// Builds the demo, so that the time of a check is not spent on that.
pub(crate) fn prepare() -> Result<()> {
    build(&TERMINAL)
}

/// Builds the demo with its window.
pub(crate) fn prepare_window() -> Result<()> {
    build(&WINDOW)
}

/// The demo with its window, once it was built.
pub(crate) fn window_program() -> Result<PathBuf> {
    cargo::beside_this_program(DEMO)
}

/// What is wrong if `cargo demo` with these arguments does not print what it is fed, and no more.
pub(crate) fn greetings_come_back(arguments: &[&str]) -> Result<()> {
    run(arguments, GREETINGS)?.expect("its lines come back and it exits with 0", |demo| {
        demo.success() && demo.stdout == GREETINGS
    })
}

fn no_input() -> Result<()> {
    run(&[], "")?.expect("it prints nothing and exits with 0", |demo| {
        demo.success() && demo.stdout.is_empty()
    })
}

fn nobody_there() -> Result<()> {
    // Port 1 needs root to listen on, and nobody does.
    let mut finished = run(&["--url", "ws://127.0.0.1:1/"], GREETINGS)?;
    // A busy machine takes so long to see that nothing is to be built that it says so.
    if let Some((announced, rest)) = finished.stderr.split_once('\n')
        && announced.starts_with("Building the ")
    {
        finished.stderr = rest.to_owned();
    }
    finished.expect(
        "it fails with one line on stderr",
        Finished::is_one_line_failure,
    )
}

fn no_gui_crate() -> Result<()> {
    let mut tree = cargo::cargo(&["tree", "--package", DEMO, "--edges", "normal,build"]);
    let finished = process::run(&mut tree, Input::Nothing, Stderr::Kept, CHECK_LIMIT)?;
    finished.expect("its crates are named, and none is a window's", |tree| {
        let has = |name| tree.stdout.contains(name);
        tree.success() && has("tokio") && !["egui", "eframe", "winit"].into_iter().any(has)
    })
}

/// Runs `cargo demo` as a person would.
fn run(arguments: &[&str], input: &str) -> Result<Finished> {
    let mut demo = cargo::cargo(&["demo"]);
    demo.args(arguments);
    process::run(&mut demo, Input::Text(input), Stderr::Kept, CHECK_LIMIT)
}

/// Builds a view. Nothing is printed on standard output, and nothing at all if it is up to date.
fn build(view: &View) -> Result<()> {
    let is_first = !was_built(view)?;
    let mut build = cargo::cargo(&["build", "--package", DEMO, "--bin", DEMO]);
    build.args(view.feature.map(|feature| format!("--features={feature}")));
    build.stdin(Stdio::null()).stdout(Stdio::null());
    let announce = |time: &str| eprintln!("Building the {} ({time}) …", view.name);
    if is_first {
        announce(&format!("first time: {}", view.build_time_cold));
    } else {
        build.arg("--quiet");
    }
    let mut building = build.spawn()?;
    if !is_first && !ends_within(&mut building, PATIENCE) {
        announce("something has changed");
    }
    if building.wait()?.success() {
        Ok(())
    } else {
        Err(format!("the {} does not build", view.name).into())
    }
}

fn was_built(view: &View) -> Result<bool> {
    let Ok(libraries) = std::fs::read_dir(cargo::beside_this_program(DEMO)?.with_file_name("deps"))
    else {
        return Ok(false);
    };
    let mut names = libraries.flatten().map(|library| library.file_name());
    Ok(names.any(|name| name.to_string_lossy().starts_with(view.library)))
}

fn ends_within(child: &mut Child, limit: Duration) -> bool {
    process::wait_until(limit, || !matches!(child.try_wait(), Ok(None)))
}

/// Signals and the terminal are the program's alone where a process can be replaced by another.
#[cfg(unix)]
fn become_program(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(command.exec().into())
}

#[cfg(not(unix))]
fn become_program(command: &mut Command) -> Result<ExitCode> {
    let code = command.status()?.code().unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

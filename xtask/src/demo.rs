//! `cargo demo`: builds the demo, then becomes it. And the step `demo`, which tries that.

use std::ffi::OsString;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use crate::Result;
use crate::cargo;
use crate::process::{self, Finished, Input, Stderr};
use crate::report::Tally;

/// What the demo is shown in. It is chosen before anything is compiled, so that nobody waits for
/// a view that cannot open here.
struct View {
    name: &'static str,
    package: &'static str,
    program: &'static str,
    build_time_cold: &'static str,
}

const TERMINAL: View = View {
    name: "terminal demo",
    package: "talkback-demo",
    program: "talkback-demo",
    build_time_cold: "about a minute",
};

/// A build that takes longer than this is worth a line.
const PATIENCE: Duration = Duration::from_millis(1500);
/// What a pipe feeds to our clients.
pub(crate) const GREETINGS: &str = "Hello!\n안녕하세요\n";
const CHECK_LIMIT: Duration = Duration::from_secs(60);

/// Builds the demo and runs it with these arguments; its exit code is the answer.
pub(crate) fn start(arguments: &[OsString]) -> Result<ExitCode> {
    let view = TERMINAL;
    build(&view)?;
    let mut demo = Command::new(cargo::beside_this_program(view.program)?);
    // The alias has a `--` of its own, but `cargo demo -- --url …` is what fingers are used to.
    let arguments = match arguments {
        [first, rest @ ..] if first == "--" => rest,
        all => all,
    };
    become_program(demo.args(arguments))
}

/// Feeds the demo through a pipe, as the README shows it.
pub(crate) fn check() -> Result<Tally> {
    prepare()?;
    let mut tally = Tally::default();
    tally.check("a pipe gets its own lines back", greetings_come_back(&[]));
    tally.check("no input is no error", no_input());
    tally.check("a server that is not there takes one line", nobody_there());
    Ok(tally)
}

/// Builds the demo, so that the time of a check is not spent on that.
pub(crate) fn prepare() -> Result<()> {
    build(&TERMINAL)
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
    run(&["--url", "ws://127.0.0.1:1/"], GREETINGS)?.expect(
        "it fails with one line on stderr",
        Finished::is_one_line_failure,
    )
}

/// Runs `cargo demo` as a person would.
fn run(arguments: &[&str], input: &str) -> Result<Finished> {
    let mut demo = cargo::cargo(&["demo"]);
    demo.args(arguments);
    process::run(&mut demo, Input::Text(input), Stderr::Kept, CHECK_LIMIT)
}

/// Builds a view. Nothing is printed on standard output, and nothing at all if it is up to date.
fn build(view: &View) -> Result<()> {
    let is_first = !cargo::beside_this_program(view.program)?.exists();
    let mut build = cargo::cargo(&["build", "--package", view.package, "--bin", view.program]);
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

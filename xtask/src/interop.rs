//! The step `interop`: our programs against those of others, on 127.0.0.1.
//!
//! The other side is a script in `xtask/interop/`; each of its checks is counted here.

mod client;
mod server;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::{self, Finished, Input, Stderr};
use crate::report::Tally;
use crate::{Result, cargo, demo, tools};

pub(crate) use self::server::Server;

/// A whole script; each of its checks has a shorter limit of its own.
const SCRIPT_LIMIT: Duration = Duration::from_secs(180);
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(15);

pub(crate) fn interop() -> Result<Tally> {
    let talkback = cargo::build("talkback-cli", "talkback")?;
    let mut tally = Tally::default();
    let groups = [
        ("python client", python_client(&talkback)),
        ("node client", node_client(&talkback)),
        ("browser", browser(&talkback)),
        (
            "python server",
            client_against("python server", &talkback, python_server()),
        ),
        (
            "node server",
            client_against("node server", &talkback, node_server()),
        ),
        ("demo", demo_against_python()),
    ];
    for (name, outcome) in groups {
        match outcome {
            Ok(counted) => tally += counted,
            Err(error) => tally.check(name, Err(error)),
        }
    }
    Ok(tally)
}

fn python_client(talkback: &Path) -> Result<Tally> {
    let mut python = Command::new(tools::python()?);
    python.arg(tools::interop_sources().join("python_client.py"));
    against_echo("python client", talkback, python)
}

fn node_client(talkback: &Path) -> Result<Tally> {
    let mut node = tools::node()?;
    node.arg(tools::interop_sources().join("node_client.cjs"));
    against_echo("node client", talkback, node)
}

fn browser(talkback: &Path) -> Result<Tally> {
    let mut node = tools::node()?;
    let chromium = tools::chromium()?;
    let echo = echo_server(talkback)?;
    node.arg(tools::interop_sources().join("browser.cjs"));
    script("browser", node.arg(echo.url()).arg(chromium))
}

/// Runs a script against `talkback echo`, which the script ends by SIGTERM.
fn against_echo(peer: &str, talkback: &Path, mut command: Command) -> Result<Tally> {
    let mut echo = echo_server(talkback)?;
    let mut tally = script(peer, command.arg(echo.url()).arg(echo.id().to_string()))?;
    let name = format!("{peer}: the server exits with 0 after SIGTERM");
    tally.check(&name, echo.ends_well(SHUTDOWN_LIMIT));
    Ok(tally)
}

fn echo_server(talkback: &Path) -> Result<Server> {
    let mut echo = Command::new(talkback);
    Server::start(echo.args([
        "echo",
        "--subprotocol",
        "chat.v1",
        "--subprotocol",
        "chat.v2",
    ]))
}

fn python_server() -> Result<Server> {
    let mut python = Command::new(tools::python()?);
    Server::start(python.arg(tools::interop_sources().join("python_server.py")))
}

fn node_server() -> Result<Server> {
    Server::start(tools::node()?.arg(tools::interop_sources().join("node_server.cjs")))
}

fn client_against(peer: &str, talkback: &Path, server: Result<Server>) -> Result<Tally> {
    client::check(peer, talkback, &server?)
}

fn demo_against_python() -> Result<Tally> {
    demo::prepare()?;
    let server = python_server()?;
    let mut tally = Tally::default();
    tally.check(
        "demo: python sends its lines back",
        demo::greetings_come_back(&["--url", server.url()]),
    );
    tally.check(
        "demo: python has seen its lines",
        server.has_logged(&["received 'Hello!'", "received '안녕하세요'"]),
    );
    Ok(tally)
}

/// Runs a script and counts the checks that it tells of.
pub(crate) fn script(peer: &str, command: &mut Command) -> Result<Tally> {
    let finished = process::run(command, Input::Nothing, Stderr::Kept, SCRIPT_LIMIT)?;
    let tally = count(peer, &finished);
    if finished.success() && tally != Tally::default() {
        return Ok(tally);
    }
    print!("{}", finished.stderr);
    let name = format!("{peer}: runs to its end");
    Ok(tally + failed(&name, &finished.ending()))
}

/// Counts lines of the form `ok NAME` and `not ok NAME: what happened`.
fn count(peer: &str, finished: &Finished) -> Tally {
    let mut tally = Tally::default();
    for line in finished.stdout.lines() {
        if let Some(what) = line.strip_prefix("not ok ") {
            tally += failed(peer, what);
        } else if line.starts_with("ok ") {
            tally += Tally::PASSED;
        }
    }
    tally
}

fn failed(name: &str, what: &str) -> Tally {
    let mut tally = Tally::default();
    tally.check(name, Err(what));
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_script_are_counted() {
        let stdout = "ok text\nnot ok close 1000: got 1006\nok \nnoise\n".to_owned();
        let finished = Finished {
            status: None,
            stdout,
            stderr: String::new(),
        };
        assert_eq!(
            count("peer", &finished),
            Tally {
                passed: 2,
                failed: 1
            }
        );
    }
}

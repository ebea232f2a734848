//! The step `interop`: our programs against those of others, on 127.0.0.1.
//!
//! The other side is a script in `xtask/interop/`; each of its checks is counted here.

mod client;
mod server;
mod tls;

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use self::client::Client;
use crate::process::{self, Finished, Input, Stderr};
use crate::report::Tally;
use crate::{Result, cargo, demo, tools};

pub(crate) use self::server::Server;
pub(crate) use self::tls::Certificate;

/// A whole script; each of its checks has a shorter limit of its own.
const SCRIPT_LIMIT: Duration = Duration::from_secs(600);
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(15);

/// Makes the command for one of a language's scripts, `client` or `server`.
type Language = fn(&str) -> Result<Command>;

pub(crate) fn interop() -> Result<Tally> {
    let talkback = cargo::build("talkback-cli", "talkback")?;
    let mut tally = Tally::default();
    let mut count = |name: &str, outcome: Result<Tally>| match outcome {
        Ok(counted) => tally += counted,
        Err(error) => tally.check(name, Err(error)),
    };
    let languages: [(&str, Language); 2] = [("python", python), ("node", node)];
    for (language, script) in languages {
        let peer = format!("{language} client");
        count(&peer, client_of_echo(&peer, &talkback, script));
        let peer = format!("{language} client over TLS");
        count(&peer, tls::client_of_echo(&peer, &talkback, script));
        let peer = format!("{language} client of axum");
        count(&peer, client_of_axum(&peer, script));
        let peer = format!("{language} server");
        count(&peer, server_of_connect(&peer, &talkback, script));
        let peer = format!("{language} server over TLS");
        count(&peer, tls::server_of_connect(&peer, &talkback, script));
    }
    count("browser", browser(&talkback));
    count("demo", demo_against_python());
    Ok(tally)
}

pub(crate) fn python(script: &str) -> Result<Command> {
    let mut python = Command::new(tools::python()?);
    python.arg(tools::interop_sources().join(format!("python_{script}.py")));
    Ok(python)
}

fn node(script: &str) -> Result<Command> {
    let mut node = tools::node()?;
    node.arg(tools::interop_sources().join(format!("node_{script}.cjs")));
    Ok(node)
}

fn client_of_echo(peer: &str, talkback: &Path, language: Language) -> Result<Tally> {
    against_echo(peer, echo_server(talkback, None)?, language("client")?)
}

/// The example that is answered through hyper, which has neither our subprotocols nor our pages.
fn client_of_axum(peer: &str, language: Language) -> Result<Tally> {
    let axum = cargo::build_example("talkback", "axum_server", "upgrade")?;
    let axum = Server::start(Command::new(axum).arg("127.0.0.1:0"))?;
    script(peer, language("client")?.arg(format!("{}echo", axum.url())))
}

fn server_of_connect(peer: &str, talkback: &Path, language: Language) -> Result<Tally> {
    let server = Server::start(&mut language("server")?)?;
    let client = Client {
        talkback,
        server: &server,
        ca: None,
    };
    client::check(peer, client)
}

fn browser(talkback: &Path) -> Result<Tally> {
    let mut node = tools::node()?;
    let chromium = tools::chromium()?;
    let echo = echo_server(talkback, None)?;
    node.arg(tools::interop_sources().join("browser.cjs"));
    script("browser", node.arg(echo.url()).arg(chromium))
}

/// Runs a client's script against `talkback echo`, which the script ends by SIGTERM.
fn against_echo(peer: &str, mut echo: Server, mut client: Command) -> Result<Tally> {
    client.arg(echo.url());
    client.arg("--pid").arg(echo.id().to_string());
    let mut tally = script(peer, &mut client)?;
    let name = format!("{peer}: the server exits with 0 after SIGTERM");
    tally.check(&name, echo.ends_well(SHUTDOWN_LIMIT));
    Ok(tally)
}

fn echo_server(talkback: &Path, option: Option<OsString>) -> Result<Server> {
    let mut echo = Command::new(talkback);
    echo.args(["echo", "--listen", "127.0.0.1:0"]);
    echo.args(["--subprotocol", "chat.v1", "--subprotocol", "chat.v2"]);
    Server::start(echo.args(option))
}

fn demo_against_python() -> Result<Tally> {
    demo::prepare()?;
    let server = Server::start(&mut python("server")?)?;
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

/// Counts lines of the form `ok NAME` and `not ok NAME: what happened`; passes on figures, which are
/// indented.
fn count(peer: &str, finished: &Finished) -> Tally {
    let mut tally = Tally::default();
    for line in finished.stdout.lines() {
        if let Some(what) = line.strip_prefix("not ok ") {
            tally += failed(peer, what);
        } else if line.starts_with("ok ") {
            tally += Tally::PASSED;
        } else if line.starts_with("  ") {
            println!("{line}");
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

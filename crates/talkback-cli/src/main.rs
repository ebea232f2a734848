//! The `talkback` command: a WebSocket client and server for the terminal, an echo server, a hub of topics, and a load generator.

mod args;
mod bench;
mod connect;
mod demo;
mod echo;
mod end;
mod events;
mod exit;
mod files;
mod host;
mod hub;
mod input;
mod install;
mod link;
mod listen;
mod listening;
mod log;
mod metrics;
mod output;
mod pretty;
mod qr;
mod session;
mod show;
mod talk;
mod target;
mod tls;
mod values;
mod watch;
mod way;

use std::process::ExitCode;

use self::args::{Args, Command};

fn main() -> ExitCode {
    let args = match args::read() {
        Ok(args) => args,
        Err(code) => return code,
    };
    let Args { verbose, command } = args;
    let outcome = match command {
        Command::Echo(options) => {
            let _log = log::start(if verbose > 0 { "debug" } else { "info" });
            echo::run(*options, verbose)
        }
        Command::Connect(options) => {
            let _log = log::start(client_level(verbose));
            connect::run(&options, verbose)
        }
        Command::Listen(options) => {
            let _log = log::start(client_level(verbose));
            listen::run(&options, verbose)
        }
        Command::Hub(options) => {
            let _log = log::start(if verbose > 0 { "debug" } else { "info" });
            hub::run(*options)
        }
        Command::Completions { shell } => install::completions(shell),
        Command::Unit => install::unit(),
        Command::Man { folder } => install::manual(&folder),
        Command::Bench(options) => {
            let _log = log::start(client_level(verbose));
            bench::run(*options)
        }
    };
    outcome.unwrap_or_else(exit::Failure::report)
}

/// The level of the library's own log, beside what these commands tell.
fn client_level(verbose: u8) -> &'static str {
    match verbose {
        0 => "warn",
        _ => "debug",
    }
}

//! The `talkback` command: a WebSocket echo server, a WebSocket client for the terminal, and a load generator.

mod args;
mod bench;
mod connect;
mod echo;
mod end;
mod events;
mod exit;
mod files;
mod input;
mod link;
mod log;
mod output;
mod session;
mod show;
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
            let _log = log::start("info", verbose > 0);
            echo::run(options)
        }
        Command::Connect(options) => {
            let _log = log::start("warn", verbose > 0);
            connect::run(&options, verbose)
        }
        Command::Bench(options) => {
            let _log = log::start("warn", verbose > 0);
            bench::run(*options)
        }
    };
    outcome.unwrap_or_else(exit::Failure::report)
}

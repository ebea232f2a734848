//! The command line.

mod connect;
mod echo;
mod way;

use std::error::Error as _;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ErrorKind};
use clap::{Parser, Subcommand};

use talkback_terminal::show::escaped;

pub(crate) use self::connect::{ConnectArgs, EndArgs, Form, InputArgs, OutputArgs};
pub(crate) use self::echo::{EchoArgs, ServerTlsArgs};
pub(crate) use self::way::{ClientTlsArgs, WayArgs};
use crate::exit;

/// Talks WebSocket: a server that echoes, and a client for the terminal.
#[derive(Debug, Parser)]
#[command(name = "talkback", version)]
pub(crate) struct Args {
    /// Tell more on standard error: echo logs the pages and probes that it answers (RUST_LOG has the
    /// last word), connect the phases that led to an open connection, and the beginning of the body
    /// with which a server refuses
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a server that sends back every message
    #[command(after_help = echo::ECHO_HELP)]
    Echo(EchoArgs),
    /// Connect to a server: lines of standard input go, messages come to standard output
    #[command(after_help = connect::CONNECT_HELP)]
    Connect(ConnectArgs),
}

/// Reads the command line, or prints what is wrong with it, or the help that it asks for.
pub(crate) fn read() -> Result<Args, ExitCode> {
    Args::try_parse().map_err(|error| {
        if is_one_line(error.kind()) {
            exit::tell(complaint(&error, std::env::args_os().nth(1)));
        } else {
            // Standard output may be closed; there is nothing left to do then.
            let _ = error.print();
        }
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit::USAGE))
    })
}

fn is_one_line(kind: ErrorKind) -> bool {
    !matches!(
        kind,
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    )
}

/// One line out of clap's paragraphs.
fn complaint(error: &clap::Error, command: Option<OsString>) -> String {
    let text = error.to_string();
    let paragraph = text.split("\n\n").next().unwrap_or(&text);
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    let mut what = words.join(" ");
    // An argument too many may be a URL, and so may the value of an option whose own was forgotten;
    // and a URL may hold secrets.
    if what.contains("://") || what.contains('@') {
        what = without_value(error).unwrap_or_else(|| {
            "error: an argument does not belong here, or has the wrong form".to_owned()
        });
    }
    let subcommand = command
        .filter(|command| command == "echo" || command == "connect")
        .map(|command| format!("{} ", command.display()))
        .unwrap_or_default();
    escaped(&format!("{what}. Try `talkback {subcommand}--help`."))
}

/// What is wrong with the value of an option, without the value.
fn without_value(error: &clap::Error) -> Option<String> {
    let option = error.get(ContextKind::InvalidArg)?;
    let what = error
        .source()
        .filter(|_| error.kind() == ErrorKind::ValueValidation)?;
    Some(format!(
        "error: the value of {option} cannot be used: {what}"
    ))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn complaint_about(arguments: &[&str]) -> String {
        let all = std::iter::once("talkback").chain(arguments.iter().copied());
        let error = Args::try_parse_from(all).unwrap_err();
        complaint(&error, arguments.first().map(OsString::from))
    }

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn wrong_usage_takes_one_line_that_says_where_to_look() {
        assert_eq!(
            complaint_about(&["connect"]),
            "error: the following required arguments were not provided: <URL>. Try `talkback connect --help`."
        );
        let port = complaint_about(&["echo", "--listen", "127.0.0.1:http"]);
        assert!(
            port.contains("127.0.0.1:9001") && !port.contains('\n'),
            "{port}"
        );
    }

    #[test]
    fn an_origin_with_a_slash_says_how_to_write_it() {
        assert_eq!(
            complaint_about(&["echo", "--origin", "http://localhost:8080/"]),
            "error: the value of --origin <ORIGIN> cannot be used: an origin ends with the host or the port, without a slash: write it as http://localhost:8080. Try `talkback echo --help`."
        );
    }

    #[test]
    fn v12_an_argument_too_many_is_not_repeated_if_it_may_hold_a_secret() {
        let text = complaint_about(&["connect", "ws://a/", "ws://user:hunter2@b/?token=abc"]);
        assert!(!text.contains("hunter2") && !text.contains("abc"), "{text}");
        let text = complaint_about(&["echo", "--origin", "ws://user:hunter2@b/"]);
        assert!(!text.contains("hunter2"), "{text}");
    }
}

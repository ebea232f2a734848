//! The command line.

mod bench;
mod clients;
mod connect;
mod echo;
mod hub;
mod listen;
mod way;

use std::error::Error as _;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};

use talkback_terminal::explain::without_numbers;
use talkback_terminal::show::escaped;

pub(crate) use self::bench::{BenchArgs, LoadArgs, ReportArgs};
pub(crate) use self::clients::failed;
pub(crate) use self::connect::{Color, ConnectArgs, EndArgs, Form, InputArgs, OutputArgs};
pub(crate) use self::echo::{EchoArgs, ServerTlsArgs};
pub(crate) use self::hub::{HubArgs, KeepArgs, RedisArgs};
pub(crate) use self::listen::ListenArgs;
pub(crate) use self::way::{ClientTlsArgs, WayArgs};
use crate::{exit, target};

/// Talks WebSocket: a client and a server for the terminal, a server that echoes, and a load for servers.
#[derive(Debug, Parser)]
#[command(name = "talkback", version)]
pub(crate) struct Args {
    /// Tell more on standard error: connect the steps to an open connection, request and response, pings,
    /// and the body with which a server refuses; listen and echo the requests, echo in its log (RUST_LOG has
    /// the last word), hub who asks for its health; twice (-vv), connect shows each frame, and echo each message
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a server that sends back every message
    #[command(after_help = echo::help())]
    Echo(Box<EchoArgs>),
    /// Connect to a server: lines of standard input go, messages come to standard output
    #[command(after_help = connect::CONNECT_HELP)]
    Connect(Box<ConnectArgs>),
    /// Load a server with messages, and tell how many it answers and how soon
    #[command(after_help = bench::BENCH_HELP)]
    Bench(Box<BenchArgs>),
    /// Run a server and talk to its clients: lines of standard input go to them, messages come to standard output
    #[command(after_help = listen::LISTEN_HELP)]
    Listen(Box<ListenArgs>),
    /// Run a server of topics: what is published to one goes to all who are subscribed to it
    #[command(after_help = hub::HUB_HELP)]
    Hub(Box<HubArgs>),
    /// Print what completes commands and options in a shell, for it to read
    #[command(after_help = COMPLETIONS_HELP)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print a unit of systemd that runs `talkback hub` as a service
    Unit,
    /// Write the manual's pages, a file for each command
    Man {
        /// The folder to write them into, which is made if it is missing
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

const COMPLETIONS_HELP: &str = "\
bash:  talkback completions bash >~/.local/share/bash-completion/completions/talkback
zsh:   talkback completions zsh >DIR/_talkback, where DIR is one of $fpath
fish:  talkback completions fish >~/.config/fish/completions/talkback.fish";

/// Reads the command line, or prints what is wrong with it, or the help that it asks for.
pub(crate) fn read() -> Result<Args, ExitCode> {
    let arguments = with_command(std::env::args_os().collect());
    let command = arguments.get(1).cloned();
    Args::try_parse_from(arguments).map_err(|error| {
        if is_one_line(error.kind()) {
            exit::tell(complaint(&error, command));
        } else if let Err(error) = error.print()
            // A reader that has seen enough, such as `head`, is no error.
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            exit::tell(format_args!(
                "error: could not write the help: {}",
                without_numbers(&error.to_string())
            ));
            return ExitCode::from(exit::OTHER);
        }
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit::USAGE))
    })
}

/// The arguments with `connect` before them, if there is what looks like a server's URL and no subcommand.
fn with_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let is_server = |argument: &OsString| target::is_meant(&argument.to_string_lossy());
    let given = arguments.iter().skip(1);
    let mut given = given.skip_while(|argument| is_flag(argument)).peekable();
    // What stands behind a subcommand, rightly spelt or not, is for that to read.
    let is_option = given
        .peek()
        .is_some_and(|first| first.to_string_lossy().starts_with('-'));
    let is_connect = match is_option {
        true => given.any(is_server),
        false => given.next().is_some_and(is_server),
    };
    if is_connect {
        arguments.insert(1, "connect".into());
    }
    arguments
}

/// Whether it is an option of the command itself, none of which has a value.
fn is_flag(argument: &OsString) -> bool {
    let text = argument.to_string_lossy();
    let letters = text.strip_prefix('-').unwrap_or_default();
    matches!(&*text, "--verbose" | "--help" | "--version")
        || !letters.is_empty() && letters.chars().all(|letter| "vhV".contains(letter))
}

/// The names of the subcommands.
fn command_names() -> Vec<String> {
    let command = <Args as CommandFactory>::command();
    let names = command.get_subcommands().map(clap::Command::get_name);
    names.chain(["help"]).map(str::to_owned).collect()
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
    // and a URL may hold secrets. Or it is the rest of a header without quotes.
    if what.contains("://") || what.contains('@') || is_too_many(error) {
        what = without_value(error).unwrap_or_else(|| {
            "error: an argument does not belong here, or has the wrong form, or a value with blanks has no quotes".to_owned()
        });
    }
    if let Some(right) = suggestion(error) {
        what = format!("{what}: did you mean `{right}`?");
    }
    let subcommand = command
        .filter(|command| command_names().iter().any(|name| command == &**name))
        .map(|command| format!("{} ", command.display()))
        .unwrap_or_default();
    let stop = match what.ends_with('?') {
        true => "",
        false => ".",
    };
    escaped(&format!("{what}{stop} Try `talkback {subcommand}--help`."))
}

/// Whether an argument that is no option is one too many.
fn is_too_many(error: &clap::Error) -> bool {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else {
        return false;
    };
    error.kind() == ErrorKind::UnknownArgument && !argument.starts_with('-')
}

/// The nearest right spelling of an option, a value or a subcommand.
fn suggestion(error: &clap::Error) -> Option<&str> {
    let kinds = [
        ContextKind::SuggestedArg,
        ContextKind::SuggestedValue,
        ContextKind::SuggestedSubcommand,
    ];
    kinds.into_iter().find_map(|kind| match error.get(kind)? {
        ContextValue::String(right) => Some(&**right),
        ContextValue::Strings(right) => right.first().map(|right| &**right),
        _ => None,
    })
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
    fn what_is_misspelt_is_told_with_the_nearest_right_spelling() {
        let text = complaint_about(&["connect", "ws://a/", "--subprotcol", "chat"]);
        assert!(text.contains("did you mean `--subprotocol`?"), "{text}");
        let text = complaint_about(&["conect", "a"]);
        assert!(text.contains("did you mean `connect`?"), "{text}");
    }

    #[test]
    fn a_url_without_a_subcommand_means_to_connect() {
        let with = |arguments: &[&str]| {
            let all = std::iter::once(&"talkback").chain(arguments);
            with_command(all.map(OsString::from).collect())[1].clone()
        };
        for arguments in [
            &["ws://a/"][..],
            &["-k", "WSS://a/"],
            &[":9001"],
            &["9001", "-v"],
            &["-H", "A: b", "wss://a/"],
            &["--send", "echo", "ws://a/"],
            &["-v", "--send", "help", "9001"],
            &["http://localhost:9001/"],
            &["localhost:9001"],
            &[":99999"],
        ] {
            assert_eq!(with(arguments), "connect", "{arguments:?}");
        }
        for arguments in [
            &["echo", "--listen", ":9001"][..],
            &["-v", "echo", "9001"],
            &["-vv", "connect", "9001"],
            &["hub"],
            &["conect", "ws://a/"],
        ] {
            assert_eq!(with(arguments), arguments[0]);
        }
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
        let text = complaint_about(&["connect", "-H", "A:", "Bearer", "hunter2", "ws://a/"]);
        assert!(
            text.contains("has no quotes") && !text.contains("hunter2"),
            "{text}"
        );
        let text = complaint_about(&["echo", "--origin", "ws://user:hunter2@b/"]);
        assert!(!text.contains("hunter2"), "{text}");
    }
}

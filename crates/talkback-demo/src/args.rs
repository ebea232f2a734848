//! The command line.

use std::ffi::OsString;
use std::time::Duration;

use lexopt::Arg;
use talkback_terminal::show::escaped;

const HELP: &str = "\
Send a message, and see what a WebSocket server sends back.

Usage: talkback-demo [OPTIONS]

Without --url it starts an echo server of its own. Each line of standard input is a message; empty
ones are not sent. Each answer is a line of standard output. At the end of the input every answer is
waited for, and then the connection is closed.

It opens a window where there is a display and standard input and output are a terminal. There, and where
a person types in the terminal, a lost connection is made anew, and what is sent meanwhile waits; in a
pipe it is the end.

Options:
      --url URL                 The server: ws://host:port/path, or wss://
      --window                  In a window, whatever standard input and output are
      --terminal                In the terminal
      --theme THEME             The window's colours: system, light or dark [default: system]
      --answer-timeout SECONDS  How long to wait for an answer at the end of the input [default: 10]
  -h, --help                    Print help
  -V, --version                 Print version

Exit codes: 0 every line was answered; 1 something went wrong; 2 wrong usage; 130 Ctrl-C";

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Args {
    /// The server; `None` for one of the demo's own.
    pub(crate) url: Option<String>,
    /// What it is shown in; `None` to choose.
    pub(crate) view: Option<View>,
    /// The window's colours.
    pub(crate) theme: Theme,
    /// How long an answer may take at the end of the input.
    pub(crate) answer_timeout: Duration,
}

/// What the demo is shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Window,
    Terminal,
}

/// The window's colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    System,
    Light,
    Dark,
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Run(Args),
    /// Nothing but to print this.
    Print(String),
}

/// Reads the command line, its first item being the program's name.
pub(crate) fn read(items: impl IntoIterator<Item = OsString>) -> Result<Request, String> {
    let mut args = Args {
        url: None,
        view: None,
        theme: Theme::System,
        answer_timeout: Duration::from_secs(10),
    };
    let mut parser = lexopt::Parser::from_iter(items);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Long("url") => args.url = Some(value(&mut parser, "--url")?),
            Arg::Long("window") => args.view = Some(View::Window),
            Arg::Long("terminal") => args.view = Some(View::Terminal),
            Arg::Long("theme") => args.theme = parse_theme(&value(&mut parser, "--theme")?)?,
            Arg::Long("answer-timeout") => {
                args.answer_timeout = parse_seconds(&value(&mut parser, "--answer-timeout")?)?;
            }
            Arg::Short('h') | Arg::Long("help") => return Ok(Request::Print(HELP.to_owned())),
            Arg::Short('V') | Arg::Long("version") => {
                let version = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
                return Ok(Request::Print(version.to_owned()));
            }
            Arg::Value(value) => return Err(unexpected(&value.to_string_lossy())),
            Arg::Long(name) => return Err(unexpected(&format!("--{name}"))),
            Arg::Short(name) => return Err(unexpected(&format!("-{name}"))),
        }
    }
    Ok(Request::Run(args))
}

/// What is said of an argument that does not belong here. It may be a URL, and a URL may hold
/// secrets.
fn unexpected(argument: &str) -> String {
    match argument.contains(['@', '/', '?']) {
        true => "unexpected argument, not shown as it may hold a secret; a URL goes behind --url"
            .to_owned(),
        false => format!("unexpected argument `{}`", escaped(argument)),
    }
}

fn value(parser: &mut lexopt::Parser, option: &str) -> Result<String, String> {
    let value = parser.value().map_err(|error| error.to_string())?;
    let value = value.into_string();
    value.map_err(|_| format!("the value of {option} is not valid text"))
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok();
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "--answer-timeout is not a number of seconds, such as 10 or 0.5".to_owned())
}

fn parse_theme(text: &str) -> Result<Theme, String> {
    match text {
        "system" => Ok(Theme::System),
        "light" => Ok(Theme::Light),
        "dark" => Ok(Theme::Dark),
        _ => Err("--theme is not system, light or dark".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_line(line: &str) -> Result<Request, String> {
        let words = std::iter::once("talkback-demo").chain(line.split_whitespace());
        read(words.map(OsString::from))
    }

    #[test]
    fn options_are_read() {
        let expected = Args {
            url: Some("ws://127.0.0.1:9001/".to_owned()),
            view: Some(View::Window),
            theme: Theme::Dark,
            answer_timeout: Duration::from_millis(500),
        };
        let line = "--window --theme dark --url ws://127.0.0.1:9001/ --answer-timeout=0.5";
        assert_eq!(read_line(line), Ok(Request::Run(expected)));
    }

    #[test]
    fn help_is_printed() {
        assert_eq!(read_line("-h"), Ok(Request::Print(HELP.to_owned())));
    }

    #[test]
    fn wrong_usage_is_told_without_secrets() {
        for line in [
            "--nothing",
            "--url",
            "--answer-timeout ten",
            "--theme blue",
            "-x",
        ] {
            assert!(read_line(line).is_err(), "{line}");
        }
        for argument in ["xyz", "--nothing", "-x"] {
            let what = format!("unexpected argument `{argument}`");
            assert_eq!(read_line(argument), Err(what));
        }
        let what = read_line("ws://user:hunter2@host/").unwrap_err();
        assert!(!what.contains("hunter2"), "{what}");
    }
}

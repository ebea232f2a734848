//! The command line.

use std::error::Error as _;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::{ContextKind, ErrorKind};
use clap::{Parser, Subcommand};

use talkback_terminal::show::escaped;

use crate::{exit, values};

/// Talks WebSocket: a server that echoes, and a client for the terminal.
#[derive(Debug, Parser)]
#[command(name = "talkback", version)]
pub(crate) struct Args {
    /// Tell more on standard error: echo logs the pages and probes that it answers (RUST_LOG has the
    /// last word), connect the phases that led to an open connection, and the beginning of the body
    /// with which a server refuses
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a server that sends back every message
    #[command(after_help = ECHO_HELP)]
    Echo(EchoArgs),
    /// Connect to a server: lines of standard input go, messages come to standard output
    #[command(after_help = CONNECT_HELP)]
    Connect(ConnectArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct EchoArgs {
    /// The address to listen on; port 0 takes a free one, 0.0.0.0 listens on every interface
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9001", value_parser = values::listen)]
    pub(crate) listen: SocketAddr,
    /// A subprotocol to speak; repeat it for several
    #[arg(long = "subprotocol", value_name = "NAME", value_parser = values::subprotocol)]
    pub(crate) subprotocols: Vec<String>,
    /// The largest message: bytes, or a number with KiB, MiB or GiB
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = values::size)]
    pub(crate) max_message: u64,
    /// The origin of web pages that may connect, such as http://localhost:8080; repeat it for
    /// several. Without it every page may
    #[arg(long = "origin", value_name = "ORIGIN", value_parser = values::origin)]
    pub(crate) origins: Vec<String>,
    /// Decline compression (permessage-deflate)
    #[arg(long)]
    pub(crate) no_compression: bool,
    /// Serve the page in this folder at /demo/, such as the demo that `cargo xtask web` builds
    #[arg(long, value_name = "DIR")]
    pub(crate) web: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tls: ServerTlsArgs,
}

/// Whether a server speaks TLS, and with which certificate.
#[derive(Debug, clap::Args)]
pub(crate) struct ServerTlsArgs {
    /// Serve wss:// and https:// with this certificate, its chain in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Serve wss:// and https:// with a certificate made at start, for localhost and the addresses
    /// printed; FILE is where it is written, for `talkback connect --ca FILE` and its like
    // Outside: whether it is given. Inside: whether with a file.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, conflicts_with = "tls_cert")]
    pub(crate) tls_self_signed: Option<Option<PathBuf>>,
}

const ECHO_HELP: &str = "\
A WebSocket on any path is echoed. In a browser, / is a page to try it with; /health answers \"ok\".
With --web the folder's files are read once, at the start; /demo/ is its index.html.
Ctrl-C or SIGTERM closes every connection with 1001, within 5 s; a second one ends at once.";

#[derive(Debug, clap::Args)]
pub(crate) struct ConnectArgs {
    /// The server: ws://host:port/path, or wss://
    // It is no `WsUrl` yet: clap would repeat the text, and any part may be a secret.
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// A header of the request, as 'Name: value'; repeat it for several
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub(crate) headers: Vec<String>,
    /// A subprotocol to offer, best first; repeat it for several
    #[arg(long = "subprotocol", value_name = "NAME", value_parser = values::subprotocol)]
    pub(crate) subprotocols: Vec<String>,
    /// The Origin header, to be taken for a page of that site
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) origin: Option<String>,
    /// Connect through this proxy: http://host:port, https://, socks5h:// or socks5://, with user:password@ before
    /// the host if it wants them; `none` for none. Without it the environment says which (HTTPS_PROXY, NO_PROXY)
    // No `value_parser`: clap would repeat the text, which may have a password.
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// How long lookup, connecting and the opening handshake may take together
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = values::seconds)]
    pub(crate) timeout: Duration,
    /// Offer no compression (permessage-deflate)
    #[arg(long)]
    pub(crate) no_compression: bool,
    #[command(flatten)]
    pub(crate) tls: ClientTlsArgs,
}

/// What a client wants of TLS.
#[derive(Debug, clap::Args)]
pub(crate) struct ClientTlsArgs {
    /// Over wss://, trust the roots or the self-signed certificate in this file, in PEM, in place of
    /// the platform's roots
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Over wss://, accept any certificate: anyone on the way can then read and change everything
    #[arg(long, conflicts_with = "ca")]
    pub(crate) insecure: bool,
    /// Over wss://, show this client certificate, its chain in PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key of --cert, in PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
}

const CONNECT_HELP: &str = "\
Each line, without its line end, is sent as a text message. Each message that comes is one line:
control characters but the tab are escaped, of a binary one the size and the first bytes are shown.
In a terminal, Ctrl-D closes. When piped input ends, answers are waited for until none has come for
1 s; then the connection is closed normally. Ctrl-C closes it with 1001.

Exit codes:
    0  normal close (1000, 1001, or without a code)
    1  anything else, such as standard input that cannot be read
    2  wrong usage
    3  the URL cannot be used
    4  the server, or the proxy before it, has no address, or cannot be reached
    5  time ran out while connecting
    6  TLS or the opening handshake failed: an HTTP answer, no WebSocket, no subprotocol
    7  the server broke the protocol
    8  the connection was lost (1006)
    9  the server closed it with an error code
  130  Ctrl-C; 143 for SIGTERM";

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

//! The command line.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::exit;

/// Talks WebSocket: a server that echoes, and a client for the terminal.
#[derive(Debug, Parser)]
#[command(name = "talkback", version, disable_help_subcommand = true)]
pub(crate) struct Args {
    /// Tell more on standard error; RUST_LOG=debug and its like go further
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
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9001", value_parser = parse_listen)]
    pub(crate) listen: SocketAddr,
    /// A subprotocol to speak; repeat it for several
    #[arg(long = "subprotocol", value_name = "NAME")]
    pub(crate) subprotocols: Vec<String>,
    /// The largest message: bytes, or a number with KiB, MiB or GiB
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = parse_size)]
    pub(crate) max_message: u64,
    /// The origin of web pages that may connect, such as http://localhost:8080; repeat it for
    /// several. Without it every page may
    #[arg(long = "origin", value_name = "ORIGIN")]
    pub(crate) origins: Vec<String>,
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
    #[arg(long = "subprotocol", value_name = "NAME")]
    pub(crate) subprotocols: Vec<String>,
    /// The Origin header, to be taken for a page of that site
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) origin: Option<String>,
    /// How long lookup, connecting and the opening handshake may take together
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub(crate) timeout: Duration,
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
control characters in it are escaped, of a binary one the size and the first bytes are shown.
In a terminal, Ctrl-D closes. When piped input ends, answers are waited for until none has come for
1 s; then the connection is closed normally. Ctrl-C closes it with 1001.

Exit codes:
    0  normal close (1000, 1001, or without a code)
    1  anything else, such as standard input that cannot be read
    2  wrong usage
    3  the URL cannot be used
    4  the server's name has no address, or it cannot be reached
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
    // An argument too many may be a URL, and a URL may hold secrets.
    if what.contains("://") || what.contains('@') {
        what = "error: an argument does not belong here, or has the wrong form".to_owned();
    }
    let subcommand = command
        .filter(|command| command == "echo" || command == "connect")
        .map(|command| format!("{} ", command.display()))
        .unwrap_or_default();
    format!("{what}. Try `talkback {subcommand}--help`.")
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    if let Some(port) = text.strip_prefix("localhost:")
        && let Ok(port) = port.parse()
    {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    text.parse().map_err(|_| {
        "it is not an IP address with a port from 0 to 65535, such as 127.0.0.1:9001 or [::]:9001"
            .to_owned()
    })
}

fn parse_size(text: &str) -> Result<u64, String> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1_u64 << 30)];
    let (number, unit) = units
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?.trim_end(), *unit)))
        .unwrap_or((text, 1));
    let size = number.parse::<u64>().ok();
    let size = size.and_then(|number| number.checked_mul(unit));
    size.filter(|size| *size > 0)
        .ok_or_else(|| "it is not a number of bytes above 0, such as 65536 or 64KiB".to_owned())
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| ());
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).map_err(|_| ()));
    duration
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "it is not a number of seconds above 0, such as 10 or 0.5".to_owned())
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
    fn sizes_have_units() {
        assert_eq!(parse_size("65536"), Ok(65_536));
        assert_eq!(parse_size("64KiB"), Ok(65_536));
        assert_eq!(parse_size("1 MiB"), Ok(1 << 20));
        for text in ["", "0", "-1", "1.5MiB", "KiB", "99999999999GiB", "1MB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn seconds_may_have_fractions() {
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["", "0", "-1", "inf", "NaN", "1e300", "ten"] {
            assert!(parse_seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn listen_takes_addresses_only() {
        assert!(parse_listen("[::]:0").is_ok());
        let loopback = parse_listen("localhost:80").unwrap();
        assert_eq!(loopback.to_string(), "127.0.0.1:80");
        for text in ["9001", "127.0.0.1", "127.0.0.1:http", "localhost:65536"] {
            assert!(parse_listen(text).is_err(), "{text}");
        }
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
    fn v12_an_argument_too_many_is_not_repeated_if_it_may_hold_a_secret() {
        let text = complaint_about(&["connect", "ws://a/", "ws://user:hunter2@b/?token=abc"]);
        assert!(!text.contains("hunter2") && !text.contains("abc"), "{text}");
    }
}

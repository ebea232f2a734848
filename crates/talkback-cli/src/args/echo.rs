//! The options of `talkback echo`.

use std::path::PathBuf;

use crate::args::clients::{ClientsArgs, IdleArgs};
use crate::values;

#[derive(Debug, clap::Args)]
pub(crate) struct EchoArgs {
    /// Where to listen: on localhost that is both loopbacks, which 9001 and :9001 mean as well; 0.0.0.0:9001
    /// is every interface, and a terminal shows a QR code for a phone then; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "localhost:9001", value_parser = values::listen)]
    pub(crate) listen: values::Listen,
    /// A subprotocol to speak; repeat it for several. Without it the one that a client asks for first
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
    /// Serve the page in this folder at /demo/, in place of the demo that a release of this command brings
    #[arg(long, value_name = "DIR")]
    pub(crate) web: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tls: ServerTlsArgs,
    #[command(flatten)]
    pub(crate) clients: ClientsArgs,
    #[command(flatten)]
    pub(crate) idle: IdleArgs,
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

/// What stands below the options: the paths among it, as the library lists them.
pub(crate) fn help() -> String {
    let width = talkback_echo::PATHS
        .iter()
        .map(|(path, _)| path.len())
        .max();
    let width = width.unwrap_or_default();
    let paths = talkback_echo::PATHS.iter();
    let paths: Vec<String> = paths
        .map(|(path, what)| format!("    {path:width$}  {what}"))
        .collect();
    format!(
        "A WebSocket on any path is echoed; on these it gets more, or something else:
{}

In a browser, / is a page to try it with; /health answers \"ok\", /ready \"ready\", /metrics with what it counts, for
Prometheus. With --web the folder's files are read once, at the start; /demo/ is its index.html. -v logs requests
as well, -vv messages, too. Ctrl-C or SIGTERM closes every connection with 1012, on which clients come back, and the
exit code is 0; a second one cuts what is left, and the exit code is its: 130 or 143.",
        paths.join("\n")
    )
}

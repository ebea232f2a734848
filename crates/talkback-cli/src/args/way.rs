//! The options of the way to a server, which every client among the subcommands has.

use std::path::PathBuf;
use std::time::Duration;

use crate::values;

/// The server, and the way to it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The way")]
pub(crate) struct WayArgs {
    /// The server: ws://host:port/path, or wss://
    // It is no `WsUrl` yet: clap would repeat the text, and any part may be a secret.
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// A header of the request, as 'Name: value'; repeat it for several
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub(crate) headers: Vec<String>,
    /// A subprotocol to offer, best first; repeat it for several
    #[arg(short = 's', long = "subprotocol", value_name = "NAME", value_parser = values::subprotocol)]
    pub(crate) subprotocols: Vec<String>,
    /// The Origin header, to be taken for a page of that site
    #[arg(short, long, value_name = "ORIGIN")]
    pub(crate) origin: Option<String>,
    /// Follow redirects, at most 10; to another origin go neither headers nor subprotocols
    #[arg(short = 'L', long)]
    pub(crate) location: bool,
    /// Connect to this address, whatever the URL's host: IP or IP:port; repeat it for several to race
    #[arg(long = "address", value_name = "ADDRESS", value_parser = values::address)]
    pub(crate) addresses: Vec<values::Address>,
    /// Give this host and port the address, as curl does: host:port:address; repeat it for several
    #[arg(long, value_name = "HOST:PORT:ADDRESS", value_parser = values::resolve)]
    pub(crate) resolve: Vec<values::Resolve>,
    /// Name this host to the server, in the Host header, in place of the URL's
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// Over wss://, name this server to TLS, and hold its certificate against it, in place of the URL's host
    #[arg(long, value_name = "NAME")]
    pub(crate) server_name: Option<String>,
    /// Connect to the Unix socket at this path; the URL gives the host that is named, and the path
    #[arg(long, value_name = "PATH")]
    pub(crate) unix_socket: Option<PathBuf>,
    /// Connect through this proxy: http://host:port, https://, socks5h:// or socks5://, with user:password@ before
    /// the host if it wants them; `none` for none. Without it the environment says which (HTTPS_PROXY, NO_PROXY)
    // No `value_parser`: clap would repeat the text, which may have a password.
    #[arg(short = 'x', long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// How long lookup, connecting and the opening handshake may take together
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = values::seconds)]
    pub(crate) timeout: Duration,
    /// Offer no compression (permessage-deflate)
    #[arg(long)]
    pub(crate) no_compression: bool,
    /// The largest message, sent or received: bytes, or a number with KB, MB, KiB or MiB
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = values::size)]
    pub(crate) max_message: u64,
    #[command(flatten)]
    pub(crate) tls: ClientTlsArgs,
}

/// What a client wants of TLS.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct ClientTlsArgs {
    /// Over wss://, trust the roots or the self-signed certificate in this file, in PEM, in place of
    /// the platform's roots
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Over wss://, accept any certificate: anyone on the way can then read and change everything
    #[arg(short = 'k', long, conflicts_with = "ca")]
    pub(crate) insecure: bool,
    /// Over wss://, show this client certificate, its chain in PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key of --cert, in PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// The file whose first line is the passphrase of --key, if that is encrypted
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) key_passphrase: Option<PathBuf>,
}

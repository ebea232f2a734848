//! The options of the way to a server, which every client among the subcommands has.

use std::path::PathBuf;
use std::time::Duration;

use crate::values;

/// The server, and the way to it.
#[derive(Debug, clap::Args)]
pub(crate) struct WayArgs {
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

//! A WebSocket echo server to embed in tests and examples: it sends back every message as it came.
//!
//! [`start`] needs no runtime and blocks only until the server listens, on a free port; the server
//! ends when the handle is dropped.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let echo = talkback_echo::start()?;
//!
//! let mut channel = talkback::connect(echo.url()).channel();
//! channel.try_send("Hello!")?;
//! assert_eq!(channel.blocking_recv()?, Some("Hello!".into()));
//! # Ok(())
//! # }
//! ```
//!
//! It is as easy inside of a tokio runtime:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let echo = talkback_echo::start()?;
//! let mut socket = talkback::connect(echo.url()).await?;
//! socket.send("Hello!").await?;
//! assert_eq!(socket.recv().await?, Some("Hello!".into()));
//! # Ok(())
//! # }
//! ```
//!
//! [`EchoOptions`] say more: an address, subprotocols, origins, limits, a web page, a certificate (with
//! the feature `tls`), how many may connect and how they are let go. [`Echo::start`] takes them, and so does [`EchoServer`], which runs on the
//! caller's own runtime until it is told to stop.
//!
//! The path of the URL asks for more than the echo, to see how a client copes with it: [`PATHS`].
//!
//! It is a [`Server`](talkback::server::Server) of the library, and does what that does: a client has 10 s until its
//! WebSocket is open, TLS included; `/health` and `/ready` are answered, and `/metrics` by what it is given
//! ([`EchoOptions::metrics`]).

#![cfg_attr(docsrs, feature(doc_cfg))]

mod background;
mod behaving;
mod behaviour;
mod connection;
mod http;
mod idle;
mod large;
mod log;
mod metrics;
mod options;
mod page;
mod peer;
#[cfg(feature = "tls")]
mod self_signed_error;
mod server;
#[cfg(feature = "tls")]
mod tls;
mod transport;
mod web;

pub use self::background::{Echo, start};
pub use self::behaviour::PATHS;
pub use self::options::EchoOptions;
#[cfg(feature = "tls")]
pub use self::self_signed_error::SelfSignedError;
pub use self::server::EchoServer;
#[cfg(feature = "tls")]
pub use self::tls::Identity;
pub use self::web::WebFiles;

/// The example of README.md is compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

//! One WebSocket channel for Rust.
//!
//! [`WebSocketChannel`] is the handle that an app holds: it exists before its connection does, works
//! from any thread, and needs no runtime. [`connect()`] has the options: subprotocols, headers, limits,
//! timeouts, TLS.
//!
//! Servers, and whoever wants no task and no queue between, use a [`WebSocket`], polled in place:
//! [`connect()`] gives one when it is awaited, [`accept()`] takes one from a client's stream, and
//! [`upgrade()`] (feature `upgrade`) from a request of hyper or axum. Either is a stream of messages and a
//! sink for them. A long message, or one of unknown length, passes as a stream of bytes:
//! [`WebSocket::send_stream`] and [`WebSocket::recv_stream`].
//!
//! [`pair()`] makes two connected channels in memory, for tests; [`test_util`] a server that does what a test
//! says. The folder `examples` of this crate has
//! a client and servers without a framework, on hyper and on axum.
//!
//! | feature | |
//! | --- | --- |
//! | `platform-roots` (default) | `wss://` by rustls with ring; trusts what the platform trusts; on Android the app initializes `rustls-platform-verifier` for it |
//! | `webpki-roots` | … and Mozilla's roots, compiled in, where there are none of the platform |
//! | `tls` | … and no roots but the program's own, of [`Connect::tls_roots`] |
//! | `rustls-0-23` | a configuration of rustls of the program's own, [`Connect::rustls_0_23`] |
//! | `upgrade` | [`upgrade()`], for servers on hyper 1 and axum 0.8 |
//! | `server` | [`server`]: many connections, with limits, closed one after another when the server stops |
//! | `test-util` | [`test_util`]: a scripted server in memory, for the tests of programs |
//! | `json` | typed messages: [`WebSocketChannel::json`], [`Endpoint`] |
//! | `metrics` | `server`, and what it counts goes to the recorder of `metrics`: see [`server`] |
//! | `tracing` | what [`Connect::reconnect`] does, as a span of `tracing`, and one for each served connection |
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let address = listener.local_addr()?;
//! # tokio::spawn(async move {
//! #     let (stream, _) = listener.accept().await.unwrap();
//! #     let mut socket = talkback::accept(stream).await.unwrap();
//! #     while let Some(message) = socket.recv().await.unwrap() {
//! #         socket.feed(message).await.unwrap();
//! #     }
//! # });
//! let mut socket = talkback::connect(format!("ws://{address}/")).await?;
//! socket.send("Hello!").await?;
//! if let Some(message) = socket.recv().await? {
//!     assert_eq!(message.as_text(), Some("Hello!"));
//! }
//! socket.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! A [`WebSocketChannel`] is the handle for an app: it exists before its connection does, works from
//! any thread, and is the same in a browser (`wasm32-unknown-unknown`). There it is all that there
//! is, for the browser does the protocol:
//!
//! - It has no headers, origin, cookies of the program's, keepalive, bounds of heads and frames, redirects,
//!   addresses, proxies, transports and lookups of the program's own, or TLS options, and no user name in the URL:
//!   asking for them is [`ConnectError::NotInBrowser`], unless inside of [`Connect::native`].
//! - It closes with no code, 1000 or 3000–4999; others are [`CloseFrameError::CodeInBrowser`].
//! - It hides from a page why a connection could not be made: [`ConnectError::Browser`].
//! - A server cannot be made to wait for a program that does not read: beyond the message limit, the
//!   channel ends with [`CloseCause::Overflow`].

#![cfg_attr(docsrs, feature(doc_cfg))]
// What is not there leads to the documentation that has it.
#![cfg_attr(
    any(browser, not(feature = "upgrade")),
    doc = "",
    doc = " [`upgrade()`]: https://docs.rs/talkback/latest/talkback/fn.upgrade.html"
)]
#![cfg_attr(
    any(browser, not(feature = "rustls-0-23")),
    doc = "",
    doc = " [`Connect::rustls_0_23`]: https://docs.rs/talkback/latest/talkback/struct.Connect.html#method.rustls_0_23"
)]
#![cfg_attr(
    any(browser, not(feature = "server")),
    doc = "",
    doc = " [`server`]: https://docs.rs/talkback/latest/talkback/server/index.html"
)]
#![cfg_attr(
    any(browser, not(feature = "test-util")),
    doc = "",
    doc = " [`test_util`]: https://docs.rs/talkback/latest/talkback/test_util/index.html"
)]
#![cfg_attr(
    not(feature = "json"),
    doc = "",
    doc = " [`WebSocketChannel::json`]: https://docs.rs/talkback/latest/talkback/struct.WebSocketChannel.html#method.json",
    doc = " [`Endpoint`]: https://docs.rs/talkback/latest/talkback/struct.Endpoint.html"
)]
#![cfg_attr(
    browser,
    doc = "",
    doc = " [`WebSocket`]: https://docs.rs/talkback/latest/talkback/struct.WebSocket.html",
    doc = " [`WebSocket::send_stream`]: https://docs.rs/talkback/latest/talkback/struct.WebSocket.html#method.send_stream",
    doc = " [`WebSocket::recv_stream`]: https://docs.rs/talkback/latest/talkback/struct.WebSocket.html#method.recv_stream",
    doc = " [`accept()`]: https://docs.rs/talkback/latest/talkback/fn.accept.html",
    doc = " [`pair()`]: https://docs.rs/talkback/latest/talkback/fn.pair.html"
)]

#[cfg(not(browser))]
mod accept;
mod channel;
mod connect;
mod driver;
mod error;
#[cfg(not(browser))]
mod http_io;
#[cfg(not(browser))]
mod pair;
mod panicking;
#[cfg(all(feature = "tls", not(browser)))]
mod pem;
mod reconnect;
#[cfg(not(browser))]
mod runtime;
#[cfg(all(feature = "server", not(browser)))]
pub mod server;
#[cfg(not(browser))]
mod sleep;
mod socket;
#[cfg(all(feature = "test-util", not(browser)))]
pub mod test_util;
mod timer;
#[cfg(feature = "json")]
mod typed;
#[cfg(not(browser))]
mod websocket;

pub use channel::WebSocketChannel;
pub use channel::lifecycle::ChannelState;
pub use channel::queue::QueueLimits;
pub use channel::receiver::Receiver;
pub use channel::sender::Sender;
pub use channel::snapshot::{Snapshot, SnapshotState, Snapshots};

pub use channel::waiting::{Closing, Ready, Receipt};
pub use connect::cookies::CookieStore;
pub use connect::destination::Destination;
pub use connect::progress::Progress;
pub use connect::{Connect, connect};
pub use error::Error;
#[cfg(feature = "json")]
pub use error::codec::CodecError;
pub use error::connect::{ConnectError, Stage};
pub use error::proxy::ProxyError;
#[cfg(feature = "json")]
pub use error::recv::RecvError;
pub use error::send::{SendError, SendErrorKind};
pub use error::try_send::{TrySendError, TrySendErrorKind};
pub use reconnect::backoff::Backoff;
pub use reconnect::connected::Connected;
pub use reconnect::event::{ChannelEvent, Opened};
pub use reconnect::fate::Fate;
pub use reconnect::heartbeat::Heartbeat;
pub use reconnect::hook_error::HookError;
pub use reconnect::hooks::Tried;
pub use reconnect::link::Link;
pub use reconnect::lost::{Lost, LostCause};
pub use reconnect::reconnecting::Reconnecting;
pub use reconnect::verdict::Verdict;
#[cfg(feature = "json")]
pub use typed::Typed;
#[cfg(feature = "json")]
pub use typed::codec::Codec;
#[cfg(feature = "json")]
pub use typed::endpoint::Endpoint;
#[cfg(feature = "json")]
pub use typed::json::Json;

#[cfg(not(browser))]
pub use accept::accepting::Accepting;
#[cfg(not(browser))]
pub use accept::approval::Approval;
#[cfg(all(feature = "upgrade", not(browser)))]
pub use accept::upgrade::body::UpgradeBody;
#[cfg(all(feature = "upgrade", not(browser)))]
pub use accept::upgrade::upgraded::Upgraded;
#[cfg(all(feature = "upgrade", not(browser)))]
pub use accept::upgrade::{Upgrade, Upgrading, upgrade};
#[cfg(not(browser))]
pub use accept::{Accept, accept};
#[cfg(not(browser))]
pub use connect::transport::Transport;
#[cfg(not(browser))]
pub use error::AcceptError;
#[cfg(not(browser))]
pub use pair::pair;
#[cfg(not(browser))]
pub use websocket::WebSocket;
#[cfg(not(browser))]
pub use websocket::reader::MessageReader;
#[cfg(not(browser))]
pub use websocket::writer::MessageWriter;

/// The types that requests, responses and payloads are made of.
pub use {bytes, http};

pub use talkback_proto::handshake::{
    DeflateError, DeflateOffer, DeflatePolicy, HandshakeError, HeadError, HeadLimits, OriginPolicy,
    Refusal, Refused, Unfollowed, UrlError, WsUrl, accept_key,
};
pub use talkback_proto::{
    Binary, CloseCause, CloseCode, CloseFrame, CloseFrameError, CloseInfo, Compression,
    CompressionLevel, DeflateParameters, DeflateTuning, Initiator, Keepalive, Limits, MemoryLevel,
    Message, MessageKind, Outgoing, Prepared, ProtocolError, Role, Text, WindowBits,
};
#[cfg(not(browser))]
pub use talkback_proto::{Incoming, Piece};

/// The examples of README.md are compiled as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

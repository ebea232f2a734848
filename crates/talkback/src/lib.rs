//! One WebSocket channel for Rust.
//!
//! [`WebSocketChannel`] is the handle that an app holds: it exists before its connection does, works
//! from any thread, and needs no runtime. [`connect()`] has the options: subprotocols, headers, limits,
//! timeouts, TLS.
//!
//! Servers, and whoever wants no task and no queue between, use a [`WebSocket`], polled in place:
//! [`connect()`] gives one when it is awaited, [`accept()`] takes one from a client's stream, and
//! `upgrade` (feature `upgrade`) from a request of hyper or axum. Either is a stream of messages and a
//! sink for them.
//!
//! [`pair()`] makes two connected channels in memory, for tests. The folder `examples` of this crate has
//! a client and servers without a framework, on hyper and on axum.
//!
//! Features: `tls` (on by default), `wss://` by rustls with ring; `upgrade`, for hyper 1 and axum 0.8.
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

mod accept;
#[cfg(feature = "tls")]
mod any_certificate;
mod blocking;
mod buffers;
mod channel;
mod connect;
mod dial;
mod driver;
mod error;
mod http_io;
mod keys;
mod pair;
mod queue;
mod runtime;
mod shared;
mod snapshot;
mod sync;
#[cfg(feature = "tls")]
mod tls;
mod transport;
#[cfg(feature = "upgrade")]
mod upgrade;
mod waiters;
mod waits;
mod wakers;
mod websocket;

pub use accept::{Accept, accept};
pub use channel::{Receiver, Sender, WebSocketChannel};
pub use connect::{Connect, connect};
pub use error::{AcceptError, ConnectError, Error, Stage, TrySendError};
pub use pair::pair;
pub use shared::ChannelState;
pub use snapshot::{Snapshot, SnapshotState, Snapshots};
pub use transport::Transport;
#[cfg(feature = "upgrade")]
pub use upgrade::{Upgrade, Upgraded, Upgrading, upgrade};
pub use waits::{Closing, Ready};
pub use websocket::WebSocket;

/// The types that requests, responses and payloads are made of.
pub use {bytes, http};

pub use talkback_proto::handshake::{
    HandshakeError, HeadLimits, OriginPolicy, Refusal, Refused, UrlError, WsUrl, accept_key,
};
pub use talkback_proto::{
    CloseCause, CloseCode, CloseFrame, CloseFrameError, CloseInfo, Initiator, Keepalive, Limits,
    Message, ProtocolError, Role, SendError, Text,
};

/// The examples of README.md are compiled as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

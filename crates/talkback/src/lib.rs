//! One WebSocket channel for Rust.
//!
//! [`connect()`] opens a connection to a server, [`accept()`] accepts one from a client; either gives
//! a [`WebSocket`]: a stream of messages and a sink for them.
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

#[cfg(browser)]
mod browser;
mod channel;
mod connect;
mod error;
mod queue;
mod shared;
mod snapshot;
mod sync;
mod waiters;

#[cfg(not(browser))]
mod native;

pub use accept::{Accept, accept};
pub use channel::{Closing, Ready, Receiver, Sender, WebSocketChannel};
pub use connect::{Connect, connect};
pub use error::{AcceptError, ConnectError, Error, Stage, TrySendError};
pub use pair::pair;
pub use shared::ChannelState;
pub use snapshot::{Snapshot, SnapshotState, Snapshots};
pub use transport::Transport;
#[cfg(feature = "upgrade")]
pub use upgrade::{Upgrade, Upgraded, Upgrading, upgrade};
pub use websocket::WebSocket;

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

//! A WebSocket echo server to embed in tests and examples: it sends back every message as it came.
//!
//! ```
//! use talkback_echo::{EchoOptions, EchoServer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let options = EchoOptions {
//!     listen: "127.0.0.1:0".parse()?,
//!     ..EchoOptions::default()
//! };
//! let server = EchoServer::bind(options).await?.spawn();
//! let mut socket = talkback::connect(server.url()).await?;
//! socket.send("Hello!").await?;
//! assert_eq!(socket.recv().await?, Some("Hello!".into()));
//! socket.close().await;
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod backoff;
mod connection;
mod http;
mod server;
#[cfg(feature = "tls")]
mod tls;
mod web;

pub use self::server::{ConnectionCount, EchoHandle, EchoOptions, EchoServer};
#[cfg(feature = "tls")]
pub use self::tls::{Identity, IdentityError};
pub use self::web::WebFiles;

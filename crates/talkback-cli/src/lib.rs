//! What the `talkback` command and the demo share.
//!
//! The command is the binary of this crate: `talkback echo` and `talkback connect URL`. The library
//! has its parts that other programs use as well: the [echo server](echo), the
//! [lines of standard input](input), the [exchange] of lines for messages, and what a person reads:
//! [messages](show) and [errors](explain). With the feature `prompt` the lines are typed at a prompt
//! (`screen`).
//!
//! ```
//! use talkback_cli::echo::{EchoOptions, EchoServer};
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

pub mod echo;
pub mod exchange;
pub mod explain;
pub mod input;
#[cfg(feature = "prompt")]
mod printer;
#[cfg(feature = "prompt")]
mod prompt;
#[cfg(feature = "prompt")]
mod queue;
#[cfg(feature = "prompt")]
pub mod screen;
pub mod show;
pub mod signals;

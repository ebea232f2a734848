//! A scripted server in memory, for the tests of programs that talk to one.
//!
//! A test plays the server, one step after the other, and the program under test connects to it as to any other:
//! [`ScriptedServer::connector`] is what it is given beside its URL. Frames, handshakes and ends of the connection
//! are real; only the network is not, so that nothing depends on a port, on another process, or on how fast
//! the machine is. With tokio's clock paused, a timeout of an hour passes at once, and takes exactly that hour.
//!
//! ```
//! use std::time::Duration;
//!
//! use talkback::test_util::ScriptedServer;
//! use talkback::{Connect, Error};
//! use tokio::time::{Instant, timeout};
//!
//! /// The program under test: it asks for a price, and waits for it for five seconds.
//! async fn price(connect: Connect, name: &str) -> Result<Option<String>, Error> {
//!     let mut channel = connect.channel();
//!     channel.send(name).await?;
//!     match timeout(Duration::from_secs(5), channel.recv()).await {
//!         Ok(answer) => Ok(answer?.map(|message| message.to_string())),
//!         Err(_) => Ok(None),
//!     }
//! }
//!
//! # /*
//! #[tokio::test(start_paused = true)]
//! async fn a_server_that_says_nothing_is_waited_for() {
//! # */
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//!     let mut server = ScriptedServer::new();
//!     let connect = talkback::connect("ws://prices.example/").connector(server.connector());
//!     let asking = tokio::spawn(async move { price(connect, "tea").await });
//!
//!     // The script: the server accepts, reads what is asked, and answers nothing.
//!     let mut peer = server.next_try().await.accept().await.unwrap();
//!     assert_eq!(peer.recv().await.unwrap(), Some("tea".into()));
//!     let asked = Instant::now();
//!
//!     assert_eq!(asking.await.unwrap().unwrap(), None);
//!     assert_eq!(asked.elapsed(), Duration::from_secs(5));
//! }
//! ```
//!
//! # What a server can do
//!
//! | the server | |
//! | --- | --- |
//! | takes the connection and behaves | [`Try::accept`], which gives a [`Peer`]; with a subprotocol or compression, [`Try::accept_with`] |
//! | refuses with a status, headers and a body | [`Try::refuse`], [`Try::answer`] |
//! | is not there | [`Try::fail`] with [`ConnectionRefused`](std::io::ErrorKind::ConnectionRefused), or drop the [`Try`], or the server |
//! | does not take the connection | hold the [`Try`] |
//! | takes it, and does not answer the opening handshake | hold what [`Try::connect`] gives |
//! | answers garbage | write that to what [`Try::connect`] gives; later: [`send_raw`](Peer::send_raw) |
//! | closes with a code and a reason | [`close_with`](Peer::close_with) |
//! | … and keeps the connection of TCP open | [`send_close`](Peer::send_close), and hold the [`Peer`] |
//! | ends the connection without closing | drop the [`Peer`] |
//! | … by a reset | [`cut`](Peer::cut) |
//! | … in the midst of what the client sends | [`cut_after`](Peer::cut_after) |
//! | does not read, or answers no ping | hold the [`Peer`] and do not receive |
//!
//! And what the client does is seen: [`Try::destination`], [`request`](Peer::request), what the [`Peer`] receives, its
//! [`close_info`](Peer::close_info), and when the client has given up ([`Try::given_up`], [`gone`](Peer::gone)).
//!
//! # Time
//!
//! Program and script run on one runtime. Where its clock is paused, by `#[tokio::test(start_paused = true)]`, it
//! goes on when all tasks wait, to the moment at which the first of them is due. Sockets and other threads
//! do not count as waiting, so keep them out of such a test. It takes tokio's feature `test-util`.

mod peer;
mod pipe;
mod server;
pub(crate) mod stream;
mod tries;

pub use peer::Peer;
pub use server::ScriptedServer;
pub use stream::ScriptedStream;
pub use tries::Try;

//! What the servers have in common: flags, the address, TLS, and one thread that accepts and runs all.
//!
//! Each program of `src/bin` is an echo server on one library, or one that sends each message to all, in the way
//! that its documentation shows, and takes the same flags: `--deflate` (with `--takeover` and `--level N`) and `--tls`; `--batch N` has those
//! that flush for each message do so for several. It listens on a free port of 127.0.0.1 and prints its
//! address.

pub mod ours;
mod raw;
mod tls;

use std::error::Error;
use std::io;
use std::net::TcpListener;
use std::process::exit;

use futures_util::{FutureExt, Sink, SinkExt, StreamExt};
use lexopt::{Arg, Parser, ValueExt};
use tokio::io::{AsyncRead, AsyncWrite};

pub use crate::raw::{Echo, RESERVE, space};

/// What a connection ends with: nobody looks at it.
pub type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// What a server's flags say.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// permessage-deflate is agreed to.
    pub has_deflate: bool,
    /// Contexts are kept between messages.
    pub has_takeover: bool,
    /// That of zlib; without it, the library's own.
    pub level: Option<u8>,
    /// How many messages that are there are sent back with one flush.
    pub batch: usize,
    has_tls: bool,
}

impl Options {
    /// Those of the command line; ends the program if one is unknown.
    pub fn parse() -> Self {
        let mut options = Self {
            has_deflate: false,
            has_takeover: false,
            level: None,
            batch: 1,
            has_tls: false,
        };
        if let Err(error) = options.read() {
            eprintln!("{error}; there is --deflate, --takeover, --level N, --batch N, --tls");
            exit(2);
        }
        options
    }

    fn read(&mut self) -> Result<(), lexopt::Error> {
        let mut arguments = Parser::from_env();
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("deflate") => self.has_deflate = true,
                Arg::Long("takeover") => self.has_takeover = true,
                Arg::Long("level") => self.level = Some(arguments.value()?.parse()?),
                Arg::Long("batch") => self.batch = arguments.value()?.parse()?,
                Arg::Long("tls") => self.has_tls = true,
                argument => return Err(argument.unexpected()),
            }
        }
        Ok(())
    }

    /// Ends a program whose library has no compression if that is asked for.
    #[must_use]
    pub fn without_deflate(self) -> Self {
        if self.has_deflate {
            eprintln!("this library does not compress");
            exit(2);
        }
        self
    }

    /// Ends a program that speaks neither TLS nor compression if one is asked for.
    #[must_use]
    pub fn plain(self) -> Self {
        if self.has_tls {
            eprintln!("this server has no TLS");
            exit(2);
        }
        self.without_deflate()
    }

    /// A free port of 127.0.0.1, printed.
    ///
    /// # Errors
    /// The port cannot be had.
    pub fn listen(self) -> io::Result<TcpListener> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        // Thousands connect at the same time.
        rustix::net::listen(&listener, 4096)?;
        listener.set_nonblocking(true)?;
        let scheme = if self.has_tls { "wss" } else { "ws" };
        println!("{scheme}://{}/", listener.local_addr()?);
        Ok(listener)
    }
}

/// A TCP connection, or one with TLS over it.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// Echoes on one connection.
pub trait Server: Copy + Send + 'static {
    /// Accepts the handshake, then sends back every message until the connection ends.
    fn serve<S: Stream>(self, stream: S, options: Options) -> impl Future<Output = Outcome> + Send;
}

/// Sends back what comes: up to `options.batch` messages that are there are received first, as some
/// flush whenever they are asked for the next.
///
/// # Errors
/// The socket's own.
pub async fn echo<S, M, E>(mut socket: S, is_data: fn(&M) -> bool, options: Options) -> Outcome
where
    S: futures_util::Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    E: Error + Send + Sync + 'static,
{
    let mut batch = Vec::new();
    while let Some(message) = socket.next().await.transpose()? {
        batch.push(message);
        while batch.len() < options.batch
            && let Some(message) = socket.next().now_or_never().flatten().transpose()?
        {
            batch.push(message);
        }
        for message in batch.drain(..).filter(is_data) {
            socket.feed(message).await?;
        }
        socket.flush().await?;
    }
    Ok(())
}

/// Starts a task that need not stop for others, as the examples of the fastest of them have it.
pub fn spawn(task: impl Future<Output = Outcome> + Send + 'static) {
    tokio::spawn(tokio::task::unconstrained(task));
}

/// Runs a server for ever, on one thread.
///
/// # Errors
/// It cannot listen.
pub fn run(server: impl Server, options: Options) -> io::Result<()> {
    let tls = options.has_tls.then(tls::acceptor);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let listener = tokio::net::TcpListener::from_std(options.listen()?)?;
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                // In tasks of two kinds, as one would have the size of the larger.
                if let Some(tls) = tls.clone() {
                    spawn(async move { server.serve(tls.accept(stream).await?, options).await });
                } else {
                    spawn(server.serve(stream, options));
                }
            }
        })
}

//! An echo server on a thread of its own, for callers without a runtime.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError, mpsc};
use std::task::Poll;
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::options::EchoOptions;
use crate::server::EchoServer;

/// Starts an echo server on a free port of 127.0.0.1.
///
/// # Errors
/// As [`Echo::start`].
pub fn start() -> io::Result<Echo> {
    Echo::start(EchoOptions::default())
}

/// An echo server that runs on a thread of its own.
///
/// Once this is dropped nobody can connect any more; the connections that are open are closed with
/// 1012 in the background. [`shutdown`](Self::shutdown) waits for them.
#[derive(Debug)]
pub struct Echo {
    local_addr: SocketAddr,
    url: String,
    /// Dropping it stops the server.
    stop: Option<oneshot::Sender<()>>,
    /// Disconnected once the server does not listen any more. The lock lets threads share the handle.
    listening: Mutex<mpsc::Receiver<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

/// What a thread reports once it listens: its address and its URL.
type Report = io::Result<(SocketAddr, String)>;

impl Echo {
    /// Starts the server; it listens when this returns, inside of a tokio runtime as well as outside.
    ///
    /// # Errors
    /// The operating system's, if the address is in use or not this machine's, or if no thread can be
    /// started; [`InvalidInput`](io::ErrorKind::InvalidInput) for a limit of the connections that cannot be.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let first = talkback_echo::start()?;
    /// let options = talkback_echo::EchoOptions::default().listen(first.local_addr());
    /// let second = talkback_echo::Echo::start(options);
    /// assert_eq!(second.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    /// # Ok(())
    /// # }
    /// ```
    pub fn start(options: EchoOptions) -> io::Result<Self> {
        let (report, reported) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let (is_listening, listening) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("talkback-echo".to_owned())
            .spawn(move || serve(options, stopped, &report, is_listening))?;
        let (local_addr, url) = reported.recv().expect("the thread reports first")?;
        Ok(Self {
            local_addr,
            url,
            stop: Some(stop),
            listening: Mutex::new(listening),
            thread: Some(thread),
        })
    }

    /// The URL for clients on this machine.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops the server, as [`EchoServer::run`] does, and waits until every connection has ended.
    ///
    /// It blocks; do not call it on the thread that a client of the server needs in order to close.
    pub fn shutdown(mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been printed.
            let _ = thread.join();
        }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop = None;
        // Nothing is ever sent: it fails once the other end is dropped.
        let listening = self.listening.get_mut();
        let _ = listening.unwrap_or_else(PoisonError::into_inner).recv();
    }
}

/// The thread: serves until it is stopped.
fn serve(
    options: EchoOptions,
    stopped: oneshot::Receiver<()>,
    report: &mpsc::Sender<Report>,
    is_listening: mpsc::Sender<Infallible>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            // Whoever starts the thread waits for this.
            let _ = report.send(Err(error));
            return;
        }
    };
    runtime.block_on(async {
        let server = match EchoServer::bind(options).await {
            Ok(server) => server,
            Err(error) => {
                let _ = report.send(Err(error));
                return;
            }
        };
        let at = (server.local_addr(), server.url());
        let letting_go = server.letting_go();
        let mut serving = Box::pin(server.serve());
        let begun = poll_fn(|cx| Poll::Ready(serving.as_mut().poll(cx))).await;
        if let Poll::Ready(Err(error)) = begun {
            let error = io::Error::new(io::ErrorKind::InvalidInput, error);
            let _ = report.send(Err(error));
            return;
        }
        let _ = report.send(Ok(at));
        tokio::select! {
            biased;
            _ = stopped => {}
            _ = &mut serving => {}
        }
        // It listens no more.
        drop(serving);
        drop(is_listening);
        letting_go.drain().await;
    });
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_dropped_handle_stops_the_server() {
        let server = start().unwrap();
        let mut socket = talkback::connect(server.url()).await.unwrap();
        drop(server);
        assert!(socket.recv().await.is_err());
        assert_eq!(socket.close_info().unwrap().code, 1012);
    }

    #[test]
    fn nobody_connects_once_it_is_dropped() {
        let server = start().unwrap();
        let address = server.local_addr();
        drop(TcpStream::connect(address).unwrap());
        drop(server);
        assert!(TcpStream::connect(address).is_err());
    }

    #[test]
    fn shutdown_closes_every_connection() {
        let server = start().unwrap();
        let channel = talkback::connect(server.url()).channel();
        channel.ready().wait().unwrap();
        server.shutdown();
        let info = channel.closed().wait().unwrap();
        assert_eq!((info.code.number(), info.clean), (1012, true));
    }
}

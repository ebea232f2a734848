//! A server behind a proxy of which each client's numbers are known: those that its handlers were given, and those that
//! have come over the network.

use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use talkback::server::{Connections, ServerConnection};
use talkback_proto::{Header, mask};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::program::free_port;

/// What one client's messages have come to, on all servers together.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// In the order in which handlers were given them.
    pub(super) given: Vec<usize>,
    /// What has come on connections that have ended, whether or not anybody was given it.
    pub(super) arrived: Vec<usize>,
}

/// The accounts of all clients, by their numbers.
pub(super) type Ledger = Arc<Mutex<Vec<Account>>>;

/// A client's number, and the message's.
fn entry(text: &[u8]) -> Option<(usize, usize)> {
    let text = std::str::from_utf8(text).ok()?;
    let (client, number) = text.split_once(' ')?;
    Some((client.parse().ok()?, number.parse().ok()?))
}

/// A server that echoes what it is given.
pub(super) struct Server {
    pub(super) port: u16,
    pub(super) connections: Connections,
    listening: JoinHandle<()>,
}

impl Server {
    pub(super) async fn start(ledger: &Ledger) -> Self {
        let (port, connections) = (free_port(), Connections::new());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let (listener, known) = (listener.unwrap(), connections.clone());
        let ledger = Arc::clone(ledger);
        let listening = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let ledger = Arc::clone(&ledger);
                tokio::spawn(open(stream, known.clone(), ledger));
            }
        });
        Self {
            port,
            connections,
            listening,
        }
    }

    /// Lets nobody in any more, as before a drain.
    pub(super) fn stop_listening(&self) {
        self.listening.abort();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_listening();
    }
}

async fn open(stream: TcpStream, connections: Connections, ledger: Ledger) {
    let tap = Tap {
        stream,
        bytes: Vec::new(),
        ledger: Arc::clone(&ledger),
    };
    if let Ok(connection) = talkback::accept(tap).admit(&connections).await {
        connections.run(connection, |connection| echo(connection, ledger));
    }
}

async fn echo(mut connection: ServerConnection<Tap>, ledger: Ledger) {
    while let Ok(Some(message)) = connection.recv().await {
        if let Some((client, number)) = entry(message.as_bytes()) {
            ledger.lock().unwrap()[client].given.push(number);
        }
        // What cannot be sent shows at the next `recv`.
        let _ = connection.feed(message).await;
    }
}

/// A client's connection, and all that it has brought.
struct Tap {
    stream: TcpStream,
    bytes: Vec<u8>,
    ledger: Ledger,
}

impl Tap {
    /// The payloads of whole frames behind the request.
    fn payloads(&self) -> Vec<Vec<u8>> {
        let is_end = |bytes: &[u8]| bytes == b"\r\n\r\n";
        let Some(end) = self.bytes.windows(4).position(is_end) else {
            return Vec::new();
        };
        let (mut rest, mut payloads) = (&self.bytes[end + 4..], Vec::new());
        while let Ok(Some((header, size))) = Header::decode(rest) {
            let end = size + usize::try_from(header.payload_size).expect("they are short");
            let Some(payload) = rest.get(size..end) else {
                break;
            };
            // Caddy closes what it has open when it is reloaded by a frame of its own, which has no key.
            let Some(key) = header.mask else {
                break;
            };
            let mut payload = payload.to_vec();
            let _ = mask(&mut payload, key);
            payloads.push(payload);
            rest = &rest[end..];
        }
        payloads
    }
}

/// It has ended: what it has brought is known.
impl Drop for Tap {
    fn drop(&mut self) {
        let mut accounts = self.ledger.lock().unwrap();
        for (client, number) in self.payloads().iter().filter_map(|it| entry(it)) {
            accounts[client].arrived.push(number);
        }
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let tap = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut tap.stream).poll_read(cx, buf))?;
        tap.bytes.extend_from_slice(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

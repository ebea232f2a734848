//! A TLS server whose TCP ends after a given number of bytes.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use talkback::accept_key;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

/// How a server ends its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With a FIN alone.
    Fin,
    /// With close_notify before it.
    CloseNotify,
}

/// A server that answers the opening handshake, sends records and ends.
pub(crate) struct CutServer {
    acceptor: TlsAcceptor,
    listener: TcpListener,
}

impl CutServer {
    pub(crate) async fn new(config: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self { acceptor, listener }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Serves one client: the TCP ends after `size_max` bytes, or behind the last record.
    ///
    /// Says where, in the bytes written, the TLS handshake, the 101 and each record lie or would
    /// lie: signatures differ in length from one connection to the next. Nothing, if the TLS
    /// handshake was cut.
    pub(crate) async fn serve(
        &self,
        records: &[Vec<u8>],
        size_max: usize,
        end: End,
    ) -> Vec<Range<usize>> {
        let (stream, _) = self.listener.accept().await.unwrap();
        let cut = CutTcp {
            stream,
            size_max,
            written: 0,
        };
        // The client notices the cut and gives up.
        let Ok(mut stream) = self.acceptor.accept(cut).await else {
            return Vec::new();
        };
        let mut ends = vec![0, stream.get_ref().0.written];
        let Some(response) = response(&mut stream).await else {
            return Vec::new();
        };
        for record in [&response].into_iter().chain(records) {
            stream.write_all(record).await.unwrap();
            stream.flush().await.unwrap();
            ends.push(stream.get_ref().0.written);
        }
        match end {
            End::Fin => stream.get_mut().0.stream.shutdown().await.unwrap(),
            End::CloseNotify => stream.shutdown().await.unwrap(),
        }
        // A reset would overtake what was sent.
        let _ = stream.get_mut().0.stream.read_to_end(&mut Vec::new()).await;
        ends.windows(2).map(|pair| pair[0]..pair[1]).collect()
    }
}

/// The 101 for the request that comes.
async fn response(stream: &mut TlsStream<CutTcp>) -> Option<Vec<u8>> {
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        request.push(char::from(stream.read_u8().await.ok()?));
    }
    let mut lines = request.lines();
    let key = lines.find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))?;
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept_key(key)
    );
    Some(response.into_bytes())
}

/// TCP that ends after a given number of bytes and swallows the rest.
struct CutTcp {
    stream: TcpStream,
    size_max: usize,
    /// What was swallowed counts too.
    written: usize,
}

impl AsyncRead for CutTcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for CutTcp {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let room = self.size_max.saturating_sub(self.written);
        let size = if room > 0 {
            let piece = &bytes[..bytes.len().min(room)];
            ready!(Pin::new(&mut self.stream).poll_write(cx, piece))?
        } else {
            let _ = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
            bytes.len()
        };
        self.written += size;
        Poll::Ready(Ok(size))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

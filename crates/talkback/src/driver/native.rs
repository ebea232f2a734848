//! native: a [`WebSocket`] behind a channel.

use std::future::Future;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use talkback_proto::{CloseFrame, CloseInfo, Compression, Message};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::channel::WebSocketChannel;
use crate::channel::state::Shared;
use crate::channel::sync::Arc;
use crate::driver::port::Port;
use crate::driver::pump;
use crate::driver::socket::{Lost, SendProgress, Socket};
use crate::driver::timer::Timer;
use crate::error::Error;
use crate::runtime;
use crate::websocket::WebSocket;

/// Starts the task that opens a connection for a channel and pumps it.
pub(crate) fn spawn<T, F>(opening: F, shared: Arc<Shared>, close_timeout: Duration)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = Result<WebSocket<T>, Error>> + Send + 'static,
{
    runtime::spawn(pump::drive(opening, Port::new(shared), close_timeout));
}

/// A channel over a socket that is open, such as one that a server accepted. Its driver runs as that
/// of a channel that connects; the keepalive is the socket's.
impl<T> From<WebSocket<T>> for WebSocketChannel
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    fn from(socket: WebSocket<T>) -> Self {
        let shared = Shared::new();
        let channel = Self::new(&shared);
        let close_timeout = socket.limits().close_timeout;
        shared.lock().open(socket.subprotocol());
        spawn(std::future::ready(Ok(socket)), shared, close_timeout);
        channel
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Socket for WebSocket<T> {
    fn subprotocol(&self) -> Option<Box<str>> {
        self.protocol().map(Into::into)
    }

    fn has_send_capacity(&self) -> bool {
        self.has_room()
    }

    fn start_send(&mut self, message: Message, compression: Compression) -> Result<(), Lost> {
        self.start_send_message(message, compression)
            .map_err(|_| Lost)
    }

    fn start_close(&mut self, frame: Option<CloseFrame>) {
        self.begin_close(frame);
    }

    fn start_close_timeout(&mut self) {
        WebSocket::start_close_timeout(self);
    }

    fn continue_close_timeout(&mut self, timer: Timer) {
        self.set_close_deadline(timer.deadline().into_std());
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        self.poll_flush_output(cx).map_err(|_| Lost)
    }

    fn can_send(&self) -> bool {
        self.is_open()
    }

    fn send_progress(&self) -> SendProgress {
        SendProgress {
            end: self.bytes_queued(),
            written: self.bytes_written(),
            buffered: self.buffered_amount(),
        }
    }

    fn can_hold_back(&self) -> bool {
        // Where nothing can be written any more, messages may still come, and need capacity.
        self.is_receiving()
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, CloseInfo>> {
        let outcome = ready!(self.poll_recv(cx));
        Poll::Ready(outcome.ok().flatten().ok_or_else(|| ended(self)))
    }

    fn pause_keepalive(&mut self) {
        WebSocket::pause_keepalive(self);
    }

    /// Nothing is read, so only a timeout can end it.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<CloseInfo> {
        ready!(self.poll_timeouts(cx));
        Poll::Ready(ended(self))
    }

    fn latency(&self) -> Option<Duration> {
        WebSocket::latency(self)
    }
}

fn ended<T: AsyncRead + AsyncWrite + Unpin>(socket: &WebSocket<T>) -> CloseInfo {
    let info = socket.close_info();
    info.expect("a socket that ended says how").clone()
}

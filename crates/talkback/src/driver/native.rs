//! The task that pumps a [`WebSocket`] for a channel's handles.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use talkback_proto::{CloseCause, CloseCode, CloseInfo, Initiator};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Sleep, sleep};

use crate::channel::WebSocketChannel;
use crate::channel::state::{Order, Shared};
use crate::channel::sync::Arc;
use crate::error::Error;
use crate::runtime;
use crate::websocket::WebSocket;

/// How many messages the driver passes on before it lets other tasks run.
const TURNS: usize = 128;

/// Opens a connection and pumps it until its end.
///
/// While it opens, messages are queued. If the channel is closed meanwhile with nothing queued, it
/// gives up at once; with messages queued it goes on for the close timeout.
pub(crate) fn drive<T, F>(
    opening: F,
    shared: Arc<Shared>,
    close_timeout: Duration,
) -> impl Future<Output = ()>
where
    T: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Result<WebSocket<T>, Error>>,
{
    // Made here, so that a task that is dropped before its first poll ends the channel too.
    let guard = EndGuard(Arc::clone(&shared));
    async move {
        open_and_pump(opening, &shared, close_timeout).await;
        drop(guard);
    }
}

async fn open_and_pump<T, F>(opening: F, shared: &Shared, close_timeout: Duration)
where
    T: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Result<WebSocket<T>, Error>>,
{
    // Made when the channel is closed before it is open.
    let mut patience: Option<Pin<Box<Sleep>>> = None;
    let opened = {
        let mut opening = pin!(opening);
        poll_fn(|cx| {
            if let Poll::Ready(opened) = opening.as_mut().poll(cx) {
                return Poll::Ready(Some(opened));
            }
            poll_given_up(shared, close_timeout, &mut patience, cx).map(|()| None)
        })
        .await
    };
    match opened {
        None => shared.lock().end_unopened(None),
        Some(Err(error)) => shared.lock().end_unopened(Some(error)),
        Some(Ok(mut socket)) => {
            if let Some(patience) = patience {
                socket.set_close_deadline(patience.deadline().into_std());
            }
            shared.lock().open(socket.protocol());
            let mut pump = Pump {
                socket,
                marks: VecDeque::new(),
                written: 0,
            };
            let error = poll_fn(|cx| pump.poll(shared, cx)).await;
            let info = pump.socket.close_info();
            let info = info.expect("a socket that ended says how").clone();
            shared.lock().end(info, error);
        }
    }
}

/// Ends the channel if its driver is dropped, as when a runtime shuts down.
struct EndGuard(Arc<Shared>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if !state.is_ended() {
            let cause =
                CloseCause::Transport("there is no runtime any more to drive the channel".into());
            let info = CloseInfo::abnormal(CloseCode::ABNORMAL, Initiator::Local, cause);
            state.end(info.clone(), Some(Error::Closed(info)));
        }
    }
}

/// Whether a channel that is not open yet is to be given up.
fn poll_given_up(
    shared: &Shared,
    close_timeout: Duration,
    patience: &mut Option<Pin<Box<Sleep>>>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    {
        let mut state = shared.lock();
        state.set_driver(cx);
        if !state.is_close_requested() {
            return Poll::Pending;
        }
        if !state.has_outgoing() {
            return Poll::Ready(());
        }
    }
    let patience = patience.get_or_insert_with(|| Box::pin(sleep(close_timeout)));
    patience.as_mut().poll(cx)
}

/// An open socket, and how far its messages have left.
struct Pump<T> {
    socket: WebSocket<T>,
    /// Where in the bytes to write the messages taken so far end, a mark for each time that some
    /// were taken: how many messages, how many bytes.
    marks: VecDeque<(u64, u64)>,
    /// How many messages are written.
    written: u64,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Pump<T> {
    /// Passes messages both ways; the outcome is the error of an abnormal end.
    fn poll(&mut self, shared: &Shared, cx: &mut Context<'_>) -> Poll<Option<Error>> {
        for _ in 0..TURNS {
            self.take_orders(shared, cx);
            let flushed = self.socket.poll_flush_output(cx);
            self.note_written(shared, &flushed);
            let (may_read, has_order) = {
                let state = shared.lock();
                (state.may_read(), state.has_order())
            };
            // Where nothing can be written any more, messages may still come, and need room.
            let may_read = may_read || !self.socket.is_receiving();
            let goes_on = flushed.is_ready() && self.socket.is_open() && has_order;
            if !may_read {
                self.socket.pause_keepalive();
                if goes_on {
                    continue;
                }
                // Nothing is read, so only a timeout can end this.
                return self.socket.poll_timeouts(cx).map(|()| self.end_error());
            }
            match self.socket.poll_recv(cx) {
                Poll::Ready(Ok(Some(message))) => shared.lock().push_incoming(message),
                Poll::Ready(outcome) => return Poll::Ready(outcome.err()),
                Poll::Pending if goes_on => {}
                Poll::Pending => {
                    if let Some(latency) = self.socket.latency() {
                        shared.lock().set_latency(latency);
                    }
                    // Reading may have written, or found that the peer has closed.
                    self.note_written(shared, &Poll::Ready(Ok(())));
                    return Poll::Pending;
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The error of a connection that ended by a timeout.
    fn end_error(&self) -> Option<Error> {
        let info = self.socket.close_info()?;
        (!info.is_normal()).then(|| Error::Closed(info.clone()))
    }

    /// Tells the handles how far their messages have left, and whether more are taken.
    fn note_written(&mut self, shared: &Shared, flushed: &Poll<Result<(), Error>>) {
        let (_, bytes) = self.socket.progress();
        while let Some(&(messages, end)) = self.marks.front()
            && end <= bytes
        {
            self.written = messages;
            self.marks.pop_front();
        }
        let mut state = shared.lock();
        if matches!(flushed, Poll::Ready(Err(_))) {
            state.note_lost();
        }
        state.note_written(self.written, self.socket.buffered_amount());
        if !self.socket.is_open() && !state.is_close_requested() {
            state.note_not_open();
        }
    }

    /// Hands to the socket what the handles want, as far as it has room.
    fn take_orders(&mut self, shared: &Shared, cx: &mut Context<'_>) {
        let is_close_requested = {
            let mut state = shared.lock();
            state.set_driver(cx);
            state.is_close_requested()
        };
        if is_close_requested {
            // What is queued leaves first, but a peer that does not read gets no more time for it.
            self.socket.start_close_timeout();
        }
        while self.socket.has_room() {
            let order = shared.lock().next_order();
            match order {
                Order::Send(message, compression) => {
                    // If the peer has closed, the end will be reported.
                    if self
                        .socket
                        .start_send_message(message, compression)
                        .is_err()
                    {
                        shared.lock().note_lost();
                    }
                }
                Order::Close(frame) => {
                    self.socket.begin_close(frame);
                    break;
                }
                Order::Wait => break,
            }
        }
        let taken = shared.lock().taken();
        let (end, _) = self.socket.progress();
        if self.marks.back().map_or(self.written, |mark| mark.0) != taken {
            self.marks.push_back((taken, end));
        }
    }
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
        shared.lock().open(socket.protocol());
        runtime::spawn(drive(std::future::ready(Ok(socket)), shared, close_timeout));
        channel
    }
}

//! The task that pumps a [`WebSocket`] for a channel's handles.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use talkback_proto::{CloseCause, CloseCode, CloseInfo, Initiator};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Sleep, sleep};

use crate::error::Error;
use crate::shared::{Order, Shared};
use crate::sync::Arc;
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
    let opened = {
        let mut opening = pin!(opening);
        let mut patience = None;
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
            shared.lock().open(socket.protocol());
            let error = poll_fn(|cx| poll_pump(&mut socket, shared, cx)).await;
            let info = socket
                .close_info()
                .expect("a socket that ended says how")
                .clone();
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
            let cause = CloseCause::Transport("the runtime that drove the channel is gone".into());
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

/// Passes messages both ways; the outcome is the error of an abnormal end.
fn poll_pump<T: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocket<T>,
    shared: &Shared,
    cx: &mut Context<'_>,
) -> Poll<Option<Error>> {
    for _ in 0..TURNS {
        take_orders(socket, shared, cx);
        let is_written = socket.poll_flush_output(cx).is_ready();
        shared
            .lock()
            .note_written(is_written, socket.buffered_amount());
        let (may_read, has_order) = {
            let state = shared.lock();
            (state.may_read(), state.has_order())
        };
        if !may_read {
            socket.pause_keepalive();
            if is_written && has_order {
                continue;
            }
            return Poll::Pending;
        }
        match socket.poll_recv(cx) {
            Poll::Ready(Some(Ok(message))) => shared.lock().push_incoming(message),
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(error)),
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending if is_written && shared.lock().has_order() => {}
            Poll::Pending => {
                if let Some(latency) = socket.latency() {
                    shared.lock().set_latency(latency);
                }
                return Poll::Pending;
            }
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Hands to the socket what the handles want, as far as it has room.
fn take_orders<T: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocket<T>,
    shared: &Shared,
    cx: &mut Context<'_>,
) {
    let is_close_requested = {
        let mut state = shared.lock();
        state.set_driver(cx);
        state.is_close_requested()
    };
    if is_close_requested {
        // What is queued leaves first, but a peer that does not read gets no more time for it.
        socket.start_close_timeout();
    }
    while socket.has_room() {
        let order = shared.lock().next_order();
        match order {
            Order::Send(message) => {
                // The peer has closed; the end will be reported.
                if socket.start_send_message(message).is_err() {
                    shared.lock().note_lost();
                }
            }
            Order::Close(frame) => {
                socket.begin_close(frame);
                return;
            }
            Order::Wait => return,
        }
    }
}

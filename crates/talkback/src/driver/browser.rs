//! wasm: what the driver does elsewhere, over the browser's WebSocket.
//!
//! A local task owns the socket and its callbacks; the channel's handles, which are `Send` and
//! `Sync` as everywhere, hold the shared state only. The browser does the protocol: it answers
//! pings, masks, checks UTF-8 and the handshake.
//!
//! **Receiving.** A browser hands out messages as they come and cannot be made to wait. What the
//! channel's queue has no room for waits in an inbox of at most 16 MiB (the message limit), 64 bytes
//! for keeping each included; beyond that the channel is closed with 4009 and ends with [`CloseCause::Overflow`].
//!
//! **Sending.** The driver hands messages to the browser while less than 64 KiB wait there
//! (`bufferedAmount`). A browser does not tell when it has written, so it is asked again after a
//! few milliseconds while it has not, and less often while nothing leaves. Timers of a page that is
//! hidden come once a second or once a minute: while it is, up to 16 MiB (the message limit) are
//! handed over.
//!
//! **Leaving.** When the page is left (`pagehide`) the channel is closed, and all that is queued is
//! handed over at once: a page with an open socket cannot be kept for the way back, and the peer
//! learns that it is gone.

mod inbox;
mod socket;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use gloo_timers::future::TimeoutFuture;
use talkback_proto::handshake::WsUrl;
use talkback_proto::{
    CloseCause, CloseCode, CloseFrame, CloseInfo, Initiator, Limits, ProtocolError,
};
use wasm_bindgen_futures::spawn_local;

use self::inbox::Closed;
use self::socket::Socket;
use crate::channel::state::{Order, Shared};
use crate::channel::sync::Arc;
use crate::error::{ConnectError, Error, Stage};

/// How long after the last look `bufferedAmount` is looked at again, in milliseconds: twice as long
/// each time that nothing has left since.
const LOOK_AGAIN_MIN: u32 = 5;
const LOOK_AGAIN_MAX: u32 = 80;

/// What the inbox may hold beyond one message of the largest size, in bytes.
const INBOX_SLACK: u64 = 64 * 1024;

/// The code that tells the peer that its messages were too many or too big. A page may not send
/// 1009.
const TOO_BIG: u16 = 4009;

type Timer = Pin<Box<TimeoutFuture>>;

/// A connection to be made by the browser.
pub(crate) struct Opening {
    pub(crate) url: WsUrl,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) limits: Limits,
    pub(crate) timeout: Duration,
}

/// Opens the connection and pumps it until its end, in a task of this thread.
pub(crate) fn drive(opening: Result<Opening, ConnectError>, shared: Arc<Shared>) {
    spawn_local(async move {
        let opened = match opening {
            Ok(opening) => open(opening, &shared).await,
            Err(error) => Err(Some(error)),
        };
        pump(opened, &shared).await;
    });
}

/// Pumps a socket until its end, or tells that there is none.
async fn pump(opened: Result<Pump, Option<ConnectError>>, shared: &Shared) {
    match opened {
        Ok(mut pump) => {
            shared.lock().open(pump.socket.protocol().as_deref());
            let info = poll_fn(|cx| pump.poll(shared, cx)).await;
            let error = (!info.is_normal()).then(|| Error::Closed(info.clone()));
            shared.lock().end(info, error);
        }
        Err(error) => shared.lock().end_unopened(error.map(Error::Connect)),
    }
}

/// Waits until the socket is open; `None` is a channel that was closed meanwhile.
async fn open(opening: Opening, shared: &Shared) -> Result<Pump, Option<ConnectError>> {
    let shown = opening.url.to_string();
    let socket = Socket::open(&opening.url, &opening.subprotocols).map_err(Some)?;
    let mut patience = timer(opening.timeout);
    let mut close_patience = None;
    poll_fn(|cx| {
        socket.set_waker(cx);
        if socket.is_open() {
            return Poll::Ready(Ok(()));
        }
        if socket.close_event().is_some() {
            let url = shown.clone();
            return Poll::Ready(Err(Some(ConnectError::Browser { url })));
        }
        if patience.as_mut().poll(cx).is_ready() {
            let (url, after) = (shown.clone(), opening.timeout);
            let stage = Stage::Handshake;
            return Poll::Ready(Err(Some(ConnectError::Timeout { url, after, stage })));
        }
        let mut state = shared.lock();
        state.set_driver(cx);
        if socket.is_page_left() {
            state.close(None);
        }
        if !state.is_close_requested() {
            return Poll::Pending;
        }
        if !state.has_outgoing() {
            return Poll::Ready(Err(None));
        }
        drop(state);
        let patience = close_patience.get_or_insert_with(|| timer(opening.limits.close_timeout));
        patience.as_mut().poll(cx).map(|()| Err(None))
    })
    .await?;
    Ok(Pump {
        socket,
        limits: opening.limits,
        handed: 0,
        taken: 0,
        marks: VecDeque::new(),
        written: 0,
        is_closing: false,
        failure: None,
        look_again: None,
        pause: LOOK_AGAIN_MIN,
        close_patience,
    })
}

/// An open socket and what is being waited for.
struct Pump {
    socket: Socket,
    limits: Limits,
    /// How many bytes the browser was handed.
    handed: u64,
    /// How many messages.
    taken: u64,
    /// Where in those bytes messages end that the browser still holds, a mark for each time that some
    /// were handed over: how many messages, how many bytes.
    marks: VecDeque<(u64, u64)>,
    /// How many messages the browser has written.
    written: u64,
    /// Whether this end has begun to close.
    is_closing: bool,
    /// Why this end gave the connection up.
    failure: Option<CloseCause>,
    /// The timer for the next look at what has left, and how many bytes had when it was set.
    look_again: Option<(Timer, u64)>,
    /// How long the next such timer is, in milliseconds.
    pause: u32,
    close_patience: Option<Timer>,
}

impl Pump {
    /// Passes messages both ways, until the end.
    fn poll(&mut self, shared: &Shared, cx: &mut Context<'_>) -> Poll<CloseInfo> {
        self.socket.set_waker(cx);
        shared.lock().set_driver(cx);
        if self.socket.is_page_left() {
            shared.lock().close(None);
        }
        // Before what came is passed on, as from now on the queue takes all of it: the end does not
        // wait for a reader.
        if self.socket.is_ending() && !self.is_closing {
            let mut state = shared.lock();
            if !state.is_close_requested() {
                state.note_not_open();
            }
        }
        self.pass_incoming(shared);
        if self.socket.close_event().is_none() {
            self.take_orders(shared);
            self.watch_buffer(shared, cx);
        }
        self.poll_end(shared, cx)
    }

    fn pass_incoming(&mut self, shared: &Shared) {
        while (self.socket.is_ending() || shared.lock().may_read())
            && let Some(message) = self.socket.next_message()
        {
            if message.len() as u64 > self.limits.message_size_max {
                let error = ProtocolError::MessageTooBig {
                    size: message.len() as u64,
                    size_max: self.limits.message_size_max,
                };
                return self.fail(CloseCause::Protocol(error), shared);
            }
            if !self.is_closing {
                shared.lock().push_incoming(message);
            }
        }
        if self.socket.inbox_bytes() as u64
            > self.limits.message_size_max.saturating_add(INBOX_SLACK)
        {
            self.fail(CloseCause::Overflow, shared);
        }
    }

    fn take_orders(&mut self, shared: &Shared) {
        self.hand_over(shared);
        if self.marks.back().map_or(self.written, |mark| mark.0) != self.taken {
            self.marks.push_back((self.taken, self.handed));
        }
    }

    fn hand_over(&mut self, shared: &Shared) {
        while self.socket.buffered() <= self.buffered_max() {
            let order = shared.lock().next_order();
            match order {
                Order::Send(message, _) => {
                    // A socket that is closing takes messages, and forgets them.
                    if self.socket.is_ending() || self.socket.send(&message).is_err() {
                        shared.lock().note_lost();
                    }
                    self.handed += message.len() as u64;
                    self.taken += 1;
                }
                Order::Close(frame) => return self.close(frame.as_ref()),
                Order::Wait => return,
            }
        }
    }

    /// How many bytes may wait in the browser for more to be handed over.
    fn buffered_max(&self) -> usize {
        if self.socket.is_page_left() {
            usize::MAX
        } else if self.socket.is_page_hidden() {
            usize::try_from(self.limits.message_size_max).unwrap_or(usize::MAX)
        } else {
            self.limits.write_buffer_max
        }
    }

    /// Tells how much has left, and looks again later if not all has.
    fn watch_buffer(&mut self, shared: &Shared, cx: &mut Context<'_>) {
        loop {
            let left = self.note_written(shared);
            if left == self.handed {
                self.look_again = None;
                self.pause = LOOK_AGAIN_MIN;
                return;
            }
            let pause = self.pause;
            let (timer, left_before) = self
                .look_again
                .get_or_insert_with(|| (Box::pin(TimeoutFuture::new(pause)), left));
            if timer.as_mut().poll(cx).is_pending() {
                return;
            }
            self.pause = if left == *left_before {
                LOOK_AGAIN_MAX.min(pause * 2)
            } else {
                LOOK_AGAIN_MIN
            };
            self.look_again = None;
            self.take_orders(shared);
        }
    }

    /// Tells how far the messages have left; returns how many bytes have.
    fn note_written(&mut self, shared: &Shared) -> u64 {
        let buffered = self.socket.buffered();
        let left = self.handed.saturating_sub(buffered as u64);
        while let Some(&(messages, end)) = self.marks.front()
            && end <= left
        {
            self.marks.pop_front();
            self.written = messages;
        }
        shared.lock().note_written(self.written, buffered);
        left
    }

    fn close(&mut self, frame: Option<&CloseFrame>) {
        // The peer's close frame was the first (RFC 6455 §7.1.5), and is answered by the browser.
        if self.is_closing || self.socket.is_ending() {
            return;
        }
        self.is_closing = true;
        self.socket
            .close(frame.map(|frame| (frame.code().number(), frame.reason())));
    }

    /// Gives up a peer that sends too much.
    fn fail(&mut self, cause: CloseCause, shared: &Shared) {
        if self.failure.is_none() && !self.is_closing {
            self.failure = Some(cause);
            self.is_closing = true;
            self.socket.clear();
            shared.lock().note_not_open();
            self.socket.close(Some((TOO_BIG, "too much to receive")));
        }
    }

    fn poll_end(&mut self, shared: &Shared, cx: &mut Context<'_>) -> Poll<CloseInfo> {
        if let Some(event) = self.socket.close_event() {
            return Poll::Ready(self.info(&event));
        }
        if !shared.lock().is_close_requested() && !self.is_closing {
            return Poll::Pending;
        }
        let patience = self
            .close_patience
            .get_or_insert_with(|| timer(self.limits.close_timeout));
        patience.as_mut().poll(cx).map(|()| {
            let cause = self.failure.take().unwrap_or(CloseCause::CloseTimeout);
            CloseInfo::abnormal(CloseCode::ABNORMAL, Initiator::Local, cause)
        })
    }

    /// The end as far as a browser tells it.
    fn info(&mut self, event: &Closed) -> CloseInfo {
        let code = CloseCode::new(event.code);
        let failure = self.failure.take().or_else(|| failure(event, code));
        let initiator = if self.is_closing || event.is_failed || failure.is_some() {
            Initiator::Local
        } else {
            Initiator::Remote
        };
        if let Some(cause) = failure {
            return CloseInfo::abnormal(CloseCode::ABNORMAL, initiator, cause);
        }
        let cause = if event.was_clean {
            CloseCause::ClosingHandshake
        } else {
            lost(event)
        };
        let mut info = CloseInfo::abnormal(code, initiator, cause);
        info.clean = event.was_clean;
        info.reason.clone_from(&event.reason);
        info
    }
}

/// What the browser let pass: Chromium takes 1004 and other codes that must not be sent (RFC 6455
/// §7.4). 1005 is what it tells of a close frame without a code.
fn failure(event: &Closed, code: CloseCode) -> Option<CloseCause> {
    let is_allowed = code.is_sendable() || code == CloseCode::NO_CODE;
    let is_wrong = event.was_clean && !is_allowed;
    is_wrong.then(|| CloseCause::Protocol(ProtocolError::InvalidCloseCode(event.code)))
}

/// How a connection ended without the closing handshake.
fn lost(event: &Closed) -> CloseCause {
    let what = if event.is_failed {
        "the browser gave the connection up, and tells only its console why"
    } else {
        "it ended without a close frame"
    };
    CloseCause::Transport(what.into())
}

fn timer(duration: Duration) -> Timer {
    // A browser's timers hold 31 bits of milliseconds, 24 days.
    let milliseconds = u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
    Box::pin(TimeoutFuture::new(milliseconds.min(i32::MAX as u32)))
}

//! wasm: the browser's WebSocket behind a channel.
//!
//! A local task owns the socket and its callbacks; the channel's handles, which are `Send` and
//! `Sync` as everywhere, hold the shared state only. The browser does the protocol: it answers
//! pings, masks, checks UTF-8 and the handshake.
//!
//! **Receiving.** A browser hands out messages as they come and knows no backpressure. What the
//! channel's queue has no capacity for waits with the socket, up to 16 MiB (the message limit), 64 bytes
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
//! learns that it is gone. Firefox has closed the socket by then, with 1001.

mod events;
pub(crate) mod page;
mod socket;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use talkback_proto::handshake::{HandshakeError, WsUrl};
use talkback_proto::{
    CloseCause, CloseCode, CloseFrame, CloseInfo, Compression, Initiator, Limits, Message,
    ProtocolError,
};
use wasm_bindgen_futures::spawn_local;

use crate::channel::state::Shared;
use crate::channel::sync::Arc;
use crate::driver::browser::events::Closed;
use crate::driver::browser::socket::BrowserSocket;
use crate::driver::heart::Beating;
use crate::driver::port::Port;
use crate::driver::pump::{self, Known, Pump};
use crate::error::{ConnectError, Stage};
use crate::socket::{Backlog, Lost, PeerClose, Received, SendProgress, Socket};
use crate::timer::{Timer, timer};

/// How long after the last look `bufferedAmount` is looked at again: twice as long each time that
/// nothing has left since.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(5);
const LOOK_AGAIN_MAX: Duration = Duration::from_millis(80);

/// What may wait with the socket beyond one message of the largest size, in bytes.
const UNREAD_SLACK: u64 = 64 * 1024;

/// The code that tells the peer that its messages were too many or too big. A page may not send
/// 1009.
const TOO_BIG: u16 = 4009;

/// A connection to be made by the browser.
pub(crate) struct Opening {
    pub(crate) url: WsUrl,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) limits: Limits,
    pub(crate) timeout: Duration,
}

/// Opens the connection and pumps it until its end, in a task of this thread.
pub(crate) fn spawn(opening: Result<Opening, ConnectError>, shared: Arc<Shared>) {
    let port = Port::new(shared);
    let on_page_left = port.closer();
    let close_timeout = match &opening {
        Ok(opening) => opening.limits.time_to_close(),
        Err(_) => Duration::ZERO,
    };
    let opening = async move { Ok(open(opening?, on_page_left).await?) };
    let identity = std::convert::identity::<Pump<Connection>>;
    spawn_local(pump::drive(opening, port, close_timeout, identity));
}

/// Waits until the socket is open.
async fn open(
    opening: Opening,
    on_page_left: impl Fn() + 'static,
) -> Result<Connection, ConnectError> {
    let url = opening.url.to_string();
    let socket = BrowserSocket::open(&opening.url, &opening.subprotocols, on_page_left)?;
    let mut connect_timer = timer(opening.timeout);
    poll_fn(|cx| {
        socket.set_waker(cx);
        if socket.was_open() {
            return Poll::Ready(Ok(()));
        }
        if socket.closed().is_some() {
            let url = url.clone();
            return Poll::Ready(Err(ConnectError::Browser { url }));
        }
        connect_timer.as_mut().poll(cx).map(|()| {
            Err(ConnectError::Timeout {
                url: url.clone(),
                after: opening.timeout,
                stage: Stage::Handshake,
            })
        })
    })
    .await?;
    check_subprotocol(socket.protocol(), &opening.subprotocols)
        .map_err(|error| ConnectError::Handshake { url, error })?;
    Ok(Connection {
        socket,
        limits: opening.limits,
        closing: Closing::No,
        handed_over: 0,
        written: 0,
        look_again: None,
        look_again_after: LOOK_AGAIN_MIN,
        close_timer: None,
    })
}

/// A subprotocol that was not offered fails the connection (RFC 6455 §4.1, item 6), also where a browser
/// takes it.
fn check_subprotocol(chosen: Option<String>, offered: &[String]) -> Result<(), HandshakeError> {
    match chosen.filter(|name| !offered.contains(name)) {
        Some(subprotocol) => Err(HandshakeError::SubprotocolNotOffered { subprotocol }),
        None => Ok(()),
    }
}

/// Opens a connection of a channel that reconnects, which learns by itself that its page is left.
pub(crate) async fn open_again(opening: Opening) -> Result<Connection, ConnectError> {
    open(opening, || {}).await
}

/// An open connection of a channel that reconnects.
pub(crate) struct Open(Option<Box<Pump<Beating<Connection>>>>);

impl Open {
    pub(crate) fn new(pump: Pump<Beating<Connection>>) -> Self {
        Self(Some(Box::new(pump)))
    }

    /// Has the peer asked whether it is there.
    pub(crate) fn ask(&mut self) {
        if let Some(pump) = &mut self.0 {
            pump.socket_mut().ask();
        }
    }

    /// Takes what is left of the connection away from the channel, which goes on to another.
    pub(crate) fn take_rest(&mut self) -> Option<Rest> {
        Some(Rest(self.0.take()))
    }
}

impl Future for Open {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(pump) => Pin::new(pump).poll(cx),
            None => Poll::Ready(()),
        }
    }
}

/// What is left of a connection that the channel has done with. Nothing waits for its events.
pub(crate) struct Rest(Option<Box<Pump<Beating<Connection>>>>);

impl Rest {
    /// That of a socket which never came to the channel.
    pub(crate) fn of(socket: Beating<Connection>, end: Known) -> Self {
        Self(Some(Box::new(Pump::rest(socket, end))))
    }

    /// The channel gives it up, though it was open.
    pub(crate) fn give_up(&mut self) {
        if let Some(pump) = &mut self.0 {
            pump.give_up();
        }
    }
}

impl Future for Rest {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(pump) => Pin::new(pump).poll(cx),
            None => Poll::Ready(()),
        }
    }
}

/// An open socket and what is being waited for.
pub(crate) struct Connection {
    socket: BrowserSocket,
    limits: Limits,
    closing: Closing,
    /// How many bytes the browser was handed.
    handed_over: u64,
    /// How many of them had left at the last look.
    written: u64,
    /// The timer for the next look at what has left.
    look_again: Option<Timer>,
    /// How long the next such timer is.
    look_again_after: Duration,
    close_timer: Option<Timer>,
}

/// Whether this end has begun to close.
#[derive(Debug)]
enum Closing {
    No,
    /// As the channel wants it.
    Asked,
    /// As this end gives the peer up.
    Failed(CloseCause),
}

impl Socket for Connection {
    fn subprotocol(&self) -> Option<Box<str>> {
        self.socket.protocol().map(Into::into)
    }

    fn send_capacity(&self) -> usize {
        match self.socket.closed() {
            Some(_) => 0,
            None => self
                .buffered_max()
                .saturating_add(1)
                .saturating_sub(self.socket.buffered()),
        }
    }

    fn start_send(&mut self, message: Message, _: Compression) -> Result<(), Lost> {
        // A socket that is closing takes messages, and forgets them.
        if self.socket.is_ending() {
            return Err(Lost);
        }
        self.socket.send(&message).map_err(|_| Lost)?;
        self.handed_over += message.len() as u64;
        Ok(())
    }

    fn start_close(&mut self, frame: Option<CloseFrame>) {
        // The peer's close frame may be the first (RFC 6455 §7.1.5), and is answered by the browser.
        if matches!(self.closing, Closing::No) && !self.socket.is_ending() {
            self.closing = Closing::Asked;
            let frame = frame.as_ref();
            self.socket
                .close(frame.map(|frame| (frame.code().number(), frame.reason())));
        }
    }

    fn start_close_timeout(&mut self) {
        let close_timeout = self.limits.time_to_close();
        self.close_timer.get_or_insert_with(|| timer(close_timeout));
    }

    fn continue_close_timeout(&mut self, timer: Timer) {
        self.close_timer = Some(timer);
    }

    /// Looks how much has left, and again later if not all has.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        while self.written != self.handed_over {
            let written = self.send_progress().written;
            if written == self.handed_over {
                self.written = written;
                self.look_again = None;
                self.look_again_after = LOOK_AGAIN_MIN;
                break;
            }
            let after = self.look_again_after;
            let timer = self.look_again.get_or_insert_with(|| {
                self.written = written;
                timer(after)
            });
            ready!(timer.as_mut().poll(cx));
            self.look_again_after = if written == self.written {
                LOOK_AGAIN_MAX.min(after * 2)
            } else {
                LOOK_AGAIN_MIN
            };
            self.look_again = None;
        }
        Poll::Ready(Ok(()))
    }

    fn can_send(&self) -> bool {
        matches!(self.closing, Closing::No) && !self.socket.is_ending()
    }

    /// A browser tells a code at the end only: before, it is known that the connection ends, and 1006
    /// stands for that.
    fn peer_close(&self) -> Option<PeerClose> {
        if !matches!(self.closing, Closing::No) {
            return None;
        }
        match self.socket.closed() {
            Some(closed) if closed.was_clean => {
                Some((CloseCode::new(closed.code), closed.reason.into()))
            }
            _ => self
                .socket
                .is_ending()
                .then(|| (CloseCode::ABNORMAL, Box::default())),
        }
    }

    fn send_progress(&self) -> SendProgress {
        // Our close frame was answered, and it went behind all of it.
        let is_answered = matches!(self.closing, Closing::Asked)
            && self.socket.closed().is_some_and(|closed| closed.was_clean);
        // The browser is asked only while it may hold something.
        let buffered = match is_answered || self.written == self.handed_over {
            true => 0,
            false => self.socket.buffered(),
        };
        SendProgress {
            end: self.handed_over,
            written: self.handed_over.saturating_sub(buffered as u64),
            buffered,
        }
    }

    /// At the end all that came is given out: it does not wait for a reader.
    fn can_hold_back(&self) -> bool {
        !self.socket.is_ending()
    }

    fn poll_received(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, CloseInfo>> {
        while let Some(message) = self.socket.next_message() {
            let (size, size_max) = (message.len() as u64, self.limits.message_size_limit());
            if size > size_max {
                let error = ProtocolError::MessageTooBig { size, size_max };
                self.fail(CloseCause::Protocol(error));
            } else if matches!(self.closing, Closing::No) {
                return Poll::Ready(Ok(Received::Message(message)));
            }
        }
        self.poll_closed(cx).map(Err)
    }

    /// The browser knows no backpressure: what nobody reads stays with the socket.
    fn poll_ahead(
        &mut self,
        cx: &mut Context<'_>,
        _: Backlog,
    ) -> Poll<Result<Received, CloseInfo>> {
        let unread_max = self
            .limits
            .message_size_limit()
            .saturating_add(UNREAD_SLACK);
        if self.socket.unread_bytes() as u64 > unread_max {
            self.fail(CloseCause::Overflow);
        }
        self.poll_closed(cx).map(Err)
    }
}

impl Connection {
    /// How many bytes may wait in the browser for more to be handed over.
    fn buffered_max(&self) -> usize {
        if self.socket.is_page_left() {
            usize::MAX
        } else if self.socket.is_page_hidden() {
            usize::try_from(self.limits.message_size_limit()).unwrap_or(usize::MAX)
        } else {
            self.limits.write_buffer_limit()
        }
    }

    /// Gives up a peer that sends too much.
    fn fail(&mut self, cause: CloseCause) {
        if matches!(self.closing, Closing::No) {
            self.closing = Closing::Failed(cause);
            self.socket.discard_messages();
            self.socket.close(Some((TOO_BIG, "too much to receive")));
            self.start_close_timeout();
        }
    }

    /// Waits for the end, within the close timeout if that runs, and for whatever else the browser tells.
    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<CloseInfo> {
        self.socket.set_waker(cx);
        if let Some(event) = self.socket.closed() {
            return Poll::Ready(self.info(&event));
        }
        let Some(timer) = &mut self.close_timer else {
            return Poll::Pending;
        };
        timer.as_mut().poll(cx).map(|()| {
            let cause = self.failure().unwrap_or(CloseCause::CloseTimeout);
            CloseInfo::abnormal(CloseCode::ABNORMAL, Initiator::Local, cause)
        })
    }

    /// Why this end gave the peer up, if it did.
    fn failure(&self) -> Option<CloseCause> {
        match &self.closing {
            Closing::Failed(cause) => Some(cause.clone()),
            Closing::No | Closing::Asked => None,
        }
    }

    /// The end as far as a browser tells it.
    fn info(&self, event: &Closed) -> CloseInfo {
        let code = CloseCode::new(event.code);
        let failure = self.failure().or_else(|| failure(event, code));
        let is_closing = !matches!(self.closing, Closing::No);
        let initiator = if is_closing || event.is_failed || failure.is_some() {
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

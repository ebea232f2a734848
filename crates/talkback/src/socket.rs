//! What a driver needs of an open connection, on every platform.

use std::task::{Context, Poll};
use std::time::Duration;

#[cfg(not(browser))]
use bytes::Bytes;
use http::Response;
use talkback_proto::{CloseCode, CloseFrame, CloseInfo, Compression, Message, Prepared};

use crate::timer::Timer;

/// An open connection to be pumped.
pub(crate) trait Socket {
    /// The subprotocol that both ends agreed on.
    fn subprotocol(&self) -> Option<Box<str>>;

    /// Takes out what the server answered to the opening handshake, if this end asked and can see it.
    fn take_response(&mut self) -> Option<Box<Response<()>>> {
        None
    }

    // ── Sending ──────────────────────────────────────────────────────────────────────────────

    /// How many bytes may be handed over; one more message, of any size, while any are left.
    fn send_capacity(&self) -> usize;

    /// Takes a message, to be written in order.
    fn start_send(&mut self, message: Message, compression: Compression) -> Result<(), Lost>;

    /// Takes a message that was prepared, as [`start_send`](Self::start_send).
    fn start_send_prepared(&mut self, prepared: &Prepared) -> Result<(), Lost> {
        self.start_send(prepared.message().clone(), Compression::Auto)
    }

    /// Sends a ping, behind what was taken.
    #[cfg(not(browser))]
    fn start_ping(&mut self, payload: Bytes);

    /// Asks the peer for a sign of life by whatever keepalive there is, and gives it up if none comes within that
    /// time.
    #[cfg(not(browser))]
    fn ask_peer(&mut self, _within: Duration) {}

    /// Whether a message is on its way of which a part has come, while somebody watches that more comes.
    fn is_in_message(&self) -> bool {
        false
    }

    /// Begins the closing handshake, behind what was taken.
    fn start_close(&mut self, frame: Option<CloseFrame>);

    /// Begins it as [`start_close`](Self::start_close), and goes on receiving until the peer has closed: for a socket
    /// that gives out [`Received::Close`].
    #[cfg(all(feature = "server", not(browser)))]
    fn start_half_close(&mut self, frame: CloseFrame) {
        self.start_close(Some(frame));
    }

    /// Starts the close timeout, unless it runs already.
    fn start_close_timeout(&mut self);

    /// Goes on with a close timeout that was started before the connection was open.
    fn continue_close_timeout(&mut self, timer: Timer);

    /// Writes what was taken, and what the protocol has to say.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>>;

    /// Whether messages can still be sent.
    fn can_send(&self) -> bool;

    /// How the peer closes, if it is known before the end.
    fn peer_close(&self) -> Option<PeerClose> {
        None
    }

    /// How far what was taken has got.
    fn send_progress(&self) -> SendProgress;

    // ── Receiving ────────────────────────────────────────────────────────────────────────────

    /// Whether messages may still come and the peer can be made to wait with them.
    fn can_hold_back(&self) -> bool;

    /// The next message, if it lies whole in what was read: a short way to what `poll_received` brings.
    #[inline]
    fn next_received(&mut self) -> Option<Message> {
        None
    }

    /// The next thing that came, or how the connection ends: at the latest when it has, and before that
    /// once it is certain.
    fn poll_received(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, CloseInfo>>;

    /// As [`poll_received`](Self::poll_received) while the program's queue is full: it makes the peer
    /// wait, but may read ahead of the queue within a bound.
    fn poll_ahead(
        &mut self,
        cx: &mut Context<'_>,
        backlog: Backlog,
    ) -> Poll<Result<Received, CloseInfo>>;

    /// Ready once the transport is let go, when it is known how the connection ends.
    fn poll_released(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// How long the last ping took to be answered.
    fn latency(&self) -> Option<Duration> {
        None
    }
}

/// What waits for a program whose queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// How many messages.
    pub(crate) messages: usize,
    /// What was read ahead of the queue, in bytes: each message counts its payload and an overhead.
    pub(crate) ahead: usize,
}

/// The code and the reason of a close frame, or 1006 if the peer has ended the transport and what came
/// before that is still to be read.
pub(crate) type PeerClose = (CloseCode, Box<str>);

/// What came.
#[derive(Debug)]
pub(crate) enum Received {
    /// A message.
    Message(Message),
    /// A pong with this payload.
    #[cfg(not(browser))]
    Pong(Bytes),
    /// Not from the peer: somebody wants the connection closed, with this frame.
    #[cfg(all(feature = "server", not(browser)))]
    Close(Box<CloseFrame>),
}

/// What was taken cannot be written any more. The end of the connection tells why.
#[derive(Debug)]
pub(crate) struct Lost;

/// How far the bytes of a socket have got; offsets count from its beginning.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SendProgress {
    /// The offset behind the last message that was taken.
    pub(crate) end: u64,
    /// The offset up to which all is written.
    pub(crate) written: u64,
    /// How many bytes wait to be written.
    pub(crate) buffered: usize,
}

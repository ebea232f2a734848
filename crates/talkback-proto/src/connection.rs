//! The state machine of an open connection (RFC 6455 §5.5, §7).

mod receiving;
mod sending;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};

use crate::close::{CloseCause, CloseCode, CloseFrame, CloseInfo, Initiator};
use crate::deflate::{Deflate, DeflateParameters};
use crate::error::ProtocolError;
use crate::event::Delivery;
use crate::frame::{Header, Opcode};
use crate::keepalive::{Due, Keepalive, Watch};
use crate::limits::Limits;
use crate::message::Outgoing;
use crate::output::{MaskingKeys, Output};
use crate::receive::Receiver;
use crate::role::Role;
use sending::Unfinished;

/// How many pongs may wait to be written; of further pings only the latest is answered.
const PONGS_MAX: u8 = 12;

/// Where a connection stands.
///
/// ```text
///            close()                  close frame received
///   Open ───────────────▶ Closing ──────────────┐
///    │ close frame received,                    ▼
///    │ or the peer broke a rule ─────────▶ Draining
///    │                                          │ server: written and shut down
///    │                                          │ client, or failed: end of stream, timeout
///    │ end of stream, transport error           ▼
///    └────────────────────────────────────▶  Ended
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Messages pass in both directions.
    Open,
    /// Our close frame is out, the peer's is awaited; what comes before it is discarded.
    Closing,
    /// Close frames went both ways, or the connection has failed: input is discarded, what waits
    /// to be written is written, the transport is ended.
    Draining,
    /// The transport is ended and the [`CloseInfo`] is known.
    Ended,
}

/// An open WebSocket connection without its transport.
///
/// The caller is the driver: it brings bytes and time, and takes bytes to a transport.
///
/// - Bytes that arrive go to [`handle_bytes`](Self::handle_bytes), the transport's end to
///   [`handle_end`](Self::handle_end).
/// - What [`output`](Self::output) holds is written before more is read.
/// - While [`wants_shutdown`](Self::wants_shutdown) holds and nothing is left to write, the
///   writing side is shut down, and [`handle_shutdown`](Self::handle_shutdown) told.
/// - While [`wants_read`](Self::wants_read) holds, the transport is read.
/// - At [`poll_timeout`](Self::poll_timeout), [`handle_timeout`](Self::handle_timeout) is called.
/// - Once [`close_info`](Self::close_info) is known, the transport is dropped.
pub struct Connection {
    role: Role,
    limits: Limits,
    state: State,
    receiver: Receiver,
    keys: Option<Box<dyn MaskingKeys>>,
    output: Output,
    /// What was negotiated and its contexts, as long as messages pass.
    deflate: Option<Box<Deflate>>,
    /// How compressed messages are given out.
    delivery: Delivery,
    /// The message that is sent in fragments.
    unfinished: Option<Box<Unfinished>>,
    /// The latest ping's payload, if too many pongs wait for its own to be queued. Earlier ones
    /// need no answer (§5.5.3).
    pong: Option<Bytes>,
    /// Where in the output's bytes the last pong ends; it has left once that many are written.
    pong_end: u64,
    /// How many pongs were queued since none was waiting.
    pongs_queued: u8,
    /// The same for the keepalive's last ping.
    ping_end: u64,
    close_sent: bool,
    /// Whether the writing side was shut down.
    is_shut_down: bool,
    /// The peer's close frame, which may be empty.
    close_received: Option<Option<CloseFrame>>,
    initiator: Option<Initiator>,
    failure: Option<ProtocolError>,
    is_output_lost: bool,
    /// What the transport said when it took no more bytes.
    write_error: Option<Arc<str>>,
    deadline: Option<Instant>,
    keepalive: Option<Watch>,
    info: Option<CloseInfo>,
}

impl Connection {
    /// The client's end of a connection whose opening handshake is done.
    ///
    /// `keys` must be cryptographically strong: a proxy that can be made to mistake payload for
    /// HTTP is what masking is against (RFC 6455 §10.3).
    pub fn client(limits: Limits, keys: impl MaskingKeys + 'static) -> Self {
        Self::new(Role::Client, limits, Some(Box::new(keys)))
    }

    /// The server's end of a connection whose opening handshake is done.
    pub fn server(limits: Limits) -> Self {
        Self::new(Role::Server, limits, None)
    }

    fn new(role: Role, limits: Limits, keys: Option<Box<dyn MaskingKeys>>) -> Self {
        Self {
            role,
            receiver: Receiver::new(role, limits.clone()),
            limits,
            state: State::Open,
            keys,
            output: Output::default(),
            deflate: None,
            delivery: Delivery::Whole,
            unfinished: None,
            pong: None,
            pong_end: 0,
            pongs_queued: 0,
            ping_end: 0,
            close_sent: false,
            is_shut_down: false,
            close_received: None,
            initiator: None,
            failure: None,
            is_output_lost: false,
            write_error: None,
            deadline: None,
            keepalive: None,
            info: None,
        }
    }

    /// Compresses messages as the opening handshake agreed on (RFC 7692).
    ///
    /// Without context takeover, the connection owns no memory for it between messages. With it,
    /// 48 KiB once a compressed message came, and 140 KiB to 490 KiB once one was sent.
    #[must_use]
    pub fn with_deflate(mut self, parameters: &DeflateParameters) -> Self {
        self.set_deflate(parameters);
        self
    }

    /// As [`with_deflate`](Self::with_deflate), for a connection that stays where it is.
    pub fn set_deflate(&mut self, parameters: &DeflateParameters) {
        self.receiver.enable_deflate();
        self.deflate = Some(Box::new(Deflate::new(self.role, parameters)));
    }

    /// Whether messages may be compressed; not once the connection has ended.
    pub fn has_deflate(&self) -> bool {
        self.deflate.is_some()
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The bounds of this connection.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether messages can be sent: no close frame has been sent or received yet, and the
    /// transport takes bytes.
    pub fn is_open(&self) -> bool {
        self.state == State::Open && self.write_error.is_none()
    }

    /// How the connection ended, once the transport can be dropped.
    pub fn close_info(&self) -> Option<&CloseInfo> {
        self.info.as_ref()
    }

    // ── Closing and failing ──────────────────────────────────────────────────────────────────

    /// The peer's close frame. If ours is not out yet, it is answered with the same body (§5.5.1).
    fn handle_close(&mut self, frame: Option<CloseFrame>, body: Bytes, now: Instant) {
        self.close_received = Some(frame);
        // No pong is due after a close frame (§5.5.2).
        self.pong = None;
        if !self.close_sent {
            self.initiator = Some(Initiator::Remote);
            self.send_close(body, now);
        }
        self.state = State::Draining;
        self.end_messages();
    }

    /// Fails the connection (§7.1.7): the one way to do so.
    fn fail(&mut self, error: ProtocolError, now: Instant) {
        self.pong = None;
        self.initiator.get_or_insert(Initiator::Local);
        if !self.close_sent {
            let frame = CloseFrame::without_reason(error.close_code());
            self.send_close(frame.encode().into(), now);
        }
        self.failure = Some(error);
        self.state = State::Draining;
        self.end_messages();
    }

    /// Frees what only passing messages needs.
    fn end_messages(&mut self) {
        self.deflate = None;
        self.unfinished = None;
    }

    // ── Sending ──────────────────────────────────────────────────────────────────────────────

    /// Begins the closing handshake with `frame`, or with an empty close frame (RFC 6455 §7.1.2).
    ///
    /// From now on nothing can be sent, and data that arrives is discarded. If the peer does not
    /// answer within the close timeout, the connection ends without it. A second call, or one
    /// after the peer's close frame, changes nothing.
    pub fn close(&mut self, frame: Option<CloseFrame>, now: Instant) {
        if self.state != State::Open {
            return;
        }
        // A ping that came before is answered before.
        self.push_pong();
        self.initiator = Some(Initiator::Local);
        let body = frame.map_or_else(Bytes::new, |frame| frame.encode().into());
        self.send_close(body, now);
        self.state = State::Closing;
        self.end_messages();
    }

    /// Starts the close timeout, unless it runs: for a caller that has more to send before it
    /// [`close`](Self::close)s, and wants the end by then.
    pub fn start_close_timeout(&mut self, now: Instant) {
        if let Some(deadline) = now.checked_add(self.limits.close_timeout) {
            self.set_close_deadline(deadline);
        }
    }

    /// Ends the connection at `deadline` if it has not ended by then; the first such call counts.
    pub fn set_close_deadline(&mut self, deadline: Instant) {
        self.deadline.get_or_insert(deadline);
    }

    /// Whether the close timeout runs.
    pub fn has_close_deadline(&self) -> bool {
        self.deadline.is_some()
    }

    /// The bytes to be written, in order; advance it by what was taken.
    #[inline]
    pub fn output(&mut self) -> &mut Output {
        self.push_pong();
        &mut self.output
    }

    /// Some of the output was taken by the transport; to be told after each write.
    ///
    /// `now` is asked for the time only where somebody wants to know it.
    #[inline]
    pub fn handle_written(&mut self, now: impl FnOnce() -> Instant) {
        let is_ping_written = self.output.written() >= self.ping_end;
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.note_written(is_ping_written, now());
        }
    }

    /// How many bytes were ever queued, and how many of them were written.
    pub fn progress(&self) -> (u64, u64) {
        (self.output.end(), self.output.written())
    }

    /// Whether bytes were queued that will never be written.
    pub fn is_output_lost(&self) -> bool {
        self.is_output_lost
    }

    /// How many bytes wait to be written.
    pub fn buffered(&self) -> usize {
        self.output.remaining()
    }

    fn send_close(&mut self, body: Bytes, now: Instant) {
        self.push(Opcode::Close, body);
        self.close_sent = true;
        self.start_close_timeout(now);
    }

    /// Queues the pending pong, unless too many wait to be written: a peer that never reads costs
    /// so many, not one for each ping.
    #[inline]
    fn push_pong(&mut self) {
        if self.pong.is_some() {
            self.push_pong_if_few_wait();
        }
    }

    #[inline(never)]
    fn push_pong_if_few_wait(&mut self) {
        if self.output.written() >= self.pong_end {
            self.pongs_queued = 0;
        }
        if self.pongs_queued < PONGS_MAX
            && let Some(payload) = self.pong.take()
        {
            self.push(Opcode::Pong, payload);
            self.pong_end = self.output.end();
            self.pongs_queued += 1;
        }
    }

    fn push(&mut self, opcode: Opcode, payload: Bytes) {
        if self.write_error.is_none() {
            self.push_data(opcode, payload.into());
        }
    }

    #[inline]
    fn push_data(&mut self, opcode: Opcode, payload: Outgoing<'_>) {
        let key = self.keys.as_mut().map(|keys| keys.next_key());
        self.output.push_plain(Header::whole(opcode, key), payload);
    }

    // ── Ending ───────────────────────────────────────────────────────────────────────────────

    /// Whether the transport is to be read: until the end, but for a server that has closed.
    pub fn wants_read(&self) -> bool {
        match self.state {
            State::Open | State::Closing => true,
            // The client waits for the server to end TCP (§7.1.1); after a failure the peer's
            // bytes are read away, so that a reset does not overtake our close frame.
            State::Draining => self.role == Role::Client || self.failure.is_some(),
            State::Ended => false,
        }
    }

    /// Whether the writing side is to be shut down once the output is written.
    pub fn wants_shutdown(&self) -> bool {
        self.state == State::Draining
            && !self.is_shut_down
            && (self.role == Role::Server || self.failure.is_some())
    }

    /// The writing side was shut down after all output had been written. A server ends here.
    pub fn handle_shutdown(&mut self) {
        self.is_shut_down = true;
        if self.state == State::Draining && self.role == Role::Server && self.failure.is_none() {
            self.end(CloseCause::ClosingHandshake);
        }
    }

    /// The transport takes no more bytes; `what` says why, for a person.
    ///
    /// The peer may have said why it went, so what it sent is still read, for at most the close
    /// timeout.
    pub fn handle_write_error(&mut self, what: &str, now: Instant) {
        self.write_error.get_or_insert_with(|| what.into());
        self.pong = None;
        self.is_output_lost = true;
        self.output.clear();
        self.start_close_timeout(now);
    }

    /// The transport has ended; `what` says how, for a person: "the peer ended the connection",
    /// "connection reset".
    pub fn handle_end(&mut self, what: &str) {
        self.end(CloseCause::Transport(what.into()));
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called. It may change with every
    /// other call.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.info.is_some() {
            return None;
        }
        let keepalive = self.keepalive.as_ref().filter(|_| self.is_open());
        let keepalive = keepalive.and_then(Watch::deadline);
        self.deadline.into_iter().chain(keepalive).min()
    }

    /// Time has come to `now`. Past the close timeout the connection ends (RFC 6455 §7.1.1); after
    /// silence a ping is queued, and after more silence the connection ends.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.initiator.get_or_insert(Initiator::Local);
            self.end(CloseCause::CloseTimeout);
        }
        if !self.is_open() {
            return;
        }
        match self.keepalive.as_mut().map(|keepalive| keepalive.due(now)) {
            Some(Due::Ping(payload)) => {
                self.push(Opcode::Ping, payload);
                self.ping_end = self.output.end();
            }
            Some(Due::Dead) => {
                self.initiator.get_or_insert(Initiator::Local);
                self.end(CloseCause::KeepaliveTimeout);
            }
            _ => {}
        }
    }

    /// Whether [`handle_timeout`](Self::handle_timeout) is about to end the connection because the
    /// peer was silent.
    ///
    /// A driver that has not read meanwhile looks first whether something came, and then calls
    /// [`handle_unread`](Self::handle_unread).
    pub fn is_peer_given_up(&self, now: Instant) -> bool {
        let keepalive = self.keepalive.as_ref().filter(|_| self.is_open());
        keepalive.is_some_and(|keepalive| keepalive.is_dead(now))
    }

    /// Something came that is not handed in yet: the peer is not silent, and is asked anew after
    /// the next silence.
    pub fn handle_unread(&mut self, now: Instant) {
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.ask_anew(now);
        }
    }

    /// Whether the peer has taken anything since the keepalive's last ping was queued.
    pub fn is_output_taken(&self) -> bool {
        self.keepalive.as_ref().is_some_and(Watch::has_written)
    }

    /// Asks a silent peer for a sign of life, or, with `None`, leaves it in peace.
    pub fn set_keepalive(&mut self, keepalive: Option<Keepalive>, now: Instant) {
        self.keepalive = keepalive.map(|options| Watch::new(options, now));
    }

    /// Suspends the keepalive while nothing is read.
    pub fn pause_keepalive(&mut self) {
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.pause();
        }
    }

    /// Goes on with the keepalive as reading goes on; `now` is asked for the time only then.
    #[inline]
    pub fn resume_keepalive(&mut self, now: impl FnOnce() -> Instant) {
        if let Some(keepalive) = self.keepalive.as_mut().filter(|k| k.is_paused()) {
            keepalive.hear(now());
        }
    }

    /// How long the keepalive's last ping took to be answered.
    pub fn latency(&self) -> Option<Duration> {
        self.keepalive.as_ref().and_then(Watch::latency)
    }

    /// Ends the connection; `lost` is the cause unless the protocol gave one before.
    fn end(&mut self, lost: CloseCause) {
        if self.info.is_some() {
            return;
        }
        let written = !self.output.has_remaining() && self.write_error.is_none();
        self.is_output_lost |= !written;
        let clean =
            self.close_received.is_some() && self.close_sent && self.failure.is_none() && written;
        let (code, reason) = match self.close_received.take() {
            Some(Some(frame)) => (frame.code(), frame.reason().to_owned()),
            Some(None) => (CloseCode::NO_CODE, String::new()),
            None => (CloseCode::ABNORMAL, String::new()),
        };
        let cause = match self.failure.take() {
            Some(error) => CloseCause::Protocol(error),
            None if clean => CloseCause::ClosingHandshake,
            None => self.write_error.take().map_or(lost, CloseCause::Transport),
        };
        let initiator = self.initiator.unwrap_or(Initiator::Remote);
        self.info = Some(CloseInfo {
            code,
            reason,
            initiator,
            clean,
            cause,
        });
        self.state = State::Ended;
        self.end_messages();
        self.pong = None;
        self.output.clear();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.role)
            .field("state", &self.state)
            .field("in_message", &self.receiver.is_in_message())
            .field("buffered", &self.buffered())
            .field("close_info", &self.info)
            .finish_non_exhaustive()
    }
}

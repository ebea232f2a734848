//! How a connection closes, fails and ends (RFC 6455 §5.5.1, §7).

use std::time::Instant;

use bytes::{Buf, Bytes};

use crate::close::{CloseCause, CloseFrame, CloseInfo, Initiator};
use crate::close_code::CloseCode;
use crate::connection::keepalive::{Due, Watch};
use crate::connection::{Connection, State};
use crate::error::ProtocolError;
use crate::frame::Opcode;
use crate::role::Role;

impl Connection {
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
        if let Some(deadline) = now.checked_add(self.limits.time_to_close()) {
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

    fn send_close(&mut self, body: Bytes, now: Instant) {
        self.push(Opcode::Close, body);
        self.close_sent = true;
        self.start_close_timeout(now);
    }

    /// The peer's close frame. If ours is not out yet, it is answered with the same body (§5.5.1).
    pub(super) fn handle_close(&mut self, frame: Option<CloseFrame>, body: Bytes, now: Instant) {
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
    pub(super) fn fail(&mut self, error: ProtocolError, now: Instant) {
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

    /// The code and the reason of the peer's close frame once it came, and until the end, which tells
    /// more: 1005 if it had no code (RFC 6455 §7.1.5).
    pub fn received_close(&self) -> Option<(CloseCode, &str)> {
        Some(match self.close_received.as_ref()? {
            Some(frame) => (frame.code(), frame.reason()),
            None => (CloseCode::NO_CODE, ""),
        })
    }

    /// Frees what only passing messages needs.
    pub(super) fn end_messages(&mut self) {
        self.deflate = None;
        self.unfinished = None;
        if self.state == State::Closing {
            self.assembly.forget_message();
        } else {
            self.assembly.clear();
        }
    }

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

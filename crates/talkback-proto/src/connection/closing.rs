//! How a connection closes, fails and ends (RFC 6455 §5.5.1, §7).

use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};

use crate::close::{CloseCause, CloseFrame, CloseInfo, Initiator};
use crate::close_code::CloseCode;
use crate::connection::ending::Ending;
use crate::connection::keepalive::Due;
use crate::connection::{Connection, State};
use crate::error::ProtocolError;
use crate::frame::Opcode;
use crate::role::Role;

/// How long a client waits for the server to end TCP once close frames went both ways.
const LINGER: Duration = Duration::from_secs(1);

impl Connection {
    /// Begins the closing handshake with `frame`, or with an empty close frame (RFC 6455 §7.1.2).
    ///
    /// From now on nothing can be sent, and data that arrives is discarded. If the peer does not
    /// answer within the close timeout, the connection ends without it. A second call, or one
    /// after the peer's close frame, changes nothing; one after [`half_close`](Self::half_close) sends
    /// nothing, and discards what still comes.
    pub fn close(&mut self, frame: Option<CloseFrame>, now: Instant) {
        if self.state == State::Open {
            self.begin_to_close(frame, now);
        }
        if self.is_receiving() {
            self.state = State::Closing;
            self.end_messages();
        }
    }

    /// Closes as [`close`](Self::close) does, but goes on giving out what the peer sends until its own close
    /// frame.
    ///
    /// A peer may send until it has read ours (RFC 6455 §5.5.1), and be told that this was written. So whoever
    /// ends a conversation in the middle, as a server that restarts, takes that in. All rules and limits hold
    /// until then, and the close timeout bounds it.
    pub fn half_close(&mut self, frame: Option<CloseFrame>, now: Instant) {
        if self.state != State::Open {
            return;
        }
        self.begin_to_close(frame, now);
        self.state = State::HalfClosed;
        self.unfinished = None;
        if let Some(deflate) = &mut self.deflate {
            deflate.deflater.end();
        }
    }

    fn begin_to_close(&mut self, frame: Option<CloseFrame>, now: Instant) {
        // A ping that came before is answered before.
        self.push_pong();
        self.ending().initiator = Some(Initiator::Local);
        let body = frame.map_or_else(Bytes::new, |frame| frame.encode().into());
        self.send_close(body, now);
    }

    /// Starts the close timeout, unless it runs: for a caller that has more to send before it
    /// [`close`](Self::close)s, and wants the end by then.
    pub fn start_close_timeout(&mut self, now: Instant) {
        if let Some(deadline) = now.checked_add(self.limits().time_to_close()) {
            self.set_close_deadline(deadline);
        }
    }

    /// Ends the connection at `deadline` if it has not ended by then; the first such call counts.
    pub fn set_close_deadline(&mut self, deadline: Instant) {
        self.ending().deadline.get_or_insert(deadline);
    }

    /// Whether the close timeout runs.
    #[inline]
    pub fn has_close_deadline(&self) -> bool {
        self.close_deadline().is_some()
    }

    #[inline]
    fn close_deadline(&self) -> Option<Instant> {
        self.ending.as_ref()?.deadline
    }

    fn send_close(&mut self, body: Bytes, now: Instant) {
        self.push(Opcode::Close, body);
        let end = self.can_write.then(|| self.output.end());
        let ending = self.ending();
        (ending.close_sent, ending.close_end) = (true, end);
        self.start_close_timeout(now);
    }

    /// The peer's close frame. If ours is not out yet, it is answered with the same body (§5.5.1).
    pub(super) fn handle_close(&mut self, frame: Option<CloseFrame>, body: Bytes, now: Instant) {
        // No pong is due after a close frame (§5.5.2).
        self.forget_pong();
        let ending = self.ending();
        ending.close_received = Some(frame);
        if !ending.close_sent {
            ending.initiator = Some(Initiator::Remote);
            self.send_close(body, now);
        }
        self.state = State::Draining;
        self.end_messages();
        self.bound_linger(now);
    }

    /// A client whose closing handshake is complete has nothing to wait for but the end of TCP, which a
    /// server owes it at once (§7.1.1).
    pub(super) fn bound_linger(&mut self, now: Instant) {
        if self.role == Role::Client && self.is_closing_complete() {
            let linger = now.checked_add(LINGER);
            let ending = self.ending();
            ending.deadline = ending.deadline.into_iter().chain(linger).min();
        }
    }

    /// Whether close frames went both ways, and all is written. Behind ours a pong may wait, which a peer
    /// that has closed since need not take.
    fn is_closing_complete(&self) -> bool {
        let Some(ending) = &self.ending else {
            return false;
        };
        let is_ours_written = match ending.initiator {
            Some(Initiator::Local) => ending
                .close_end
                .is_some_and(|end| end <= self.output.written()),
            _ => ending.close_sent && self.is_all_written(),
        };
        ending.close_received.is_some() && ending.failure.is_none() && is_ours_written
    }

    fn is_all_written(&self) -> bool {
        !self.output.has_remaining() && self.can_write
    }

    /// Fails the connection (§7.1.7): the one way to do so.
    pub(super) fn fail(&mut self, error: ProtocolError, now: Instant) {
        self.forget_pong();
        let ending = self.ending();
        ending.initiator.get_or_insert(Initiator::Local);
        if !ending.close_sent {
            let frame = CloseFrame::without_reason(error.close_code());
            self.send_close(frame.encode().into(), now);
        }
        self.ending().failure = Some(error);
        self.state = State::Draining;
        self.end_messages();
    }

    /// The code and the reason of the peer's close frame once it came, and until the end, which tells
    /// more: 1005 if it had no code (RFC 6455 §7.1.5).
    pub fn received_close(&self) -> Option<(CloseCode, &str)> {
        Some(match self.ending.as_ref()?.close_received.as_ref()? {
            Some(frame) => (frame.code(), frame.reason()),
            None => (CloseCode::NO_CODE, ""),
        })
    }

    /// Frees what only passing messages needs.
    pub(super) fn end_messages(&mut self) {
        self.deflate = None;
        self.unfinished = None;
        match &mut self.incomplete {
            Some(incomplete) if self.state == State::Closing => {
                incomplete.assembly.forget_message();
            }
            incomplete => *incomplete = None,
        }
    }

    /// Whether the transport is to be read: until the end, but for a server that has closed.
    pub fn wants_read(&self) -> bool {
        match self.state {
            State::Open | State::HalfClosed | State::Closing => true,
            // The client waits for the server to end TCP (§7.1.1); after a failure the peer's
            // bytes are read away, so that a reset does not overtake our close frame.
            State::Draining => self.role == Role::Client || self.has_failed(),
            State::Ended => false,
        }
    }

    /// Whether the writing side is to be shut down once the output is written.
    pub fn wants_shutdown(&self) -> bool {
        self.state == State::Draining
            && self.ending.as_ref().is_some_and(|e| !e.is_shut_down)
            && (self.role == Role::Server || self.has_failed())
    }

    /// The writing side was shut down after all output had been written. A server ends here.
    pub fn handle_shutdown(&mut self) {
        self.ending().is_shut_down = true;
        if self.state == State::Draining && self.role == Role::Server && !self.has_failed() {
            self.end(CloseCause::ClosingHandshake);
        }
    }

    /// The transport takes no more bytes; `what` says why, for a person.
    ///
    /// The peer may have said why it went, so what it sent is still read, for at most the close
    /// timeout.
    pub fn handle_write_error(&mut self, what: &str, now: Instant) {
        self.can_write = false;
        self.forget_pong();
        self.lose_output();
        let ending = self.ending();
        ending.write_error.get_or_insert_with(|| what.into());
        ending.is_output_lost = true;
        self.start_close_timeout(now);
    }

    /// Drops what waits to be written, which it never will be.
    fn lose_output(&mut self) {
        let size = self.output.remaining();
        if size > 0 {
            self.ending().output_lost += size;
            self.output.clear();
        }
    }

    /// The transport has ended; `what` says how, for a person: "the peer ended the connection",
    /// "connection reset".
    pub fn handle_end(&mut self, what: &str) {
        self.end(CloseCause::Transport(what.into()));
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called. It may change with every
    /// other call.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.state == State::Ended {
            return None;
        }
        let keepalive = self.keepalive.as_ref().filter(|_| self.is_open());
        let keepalive = keepalive.and_then(|keepalive| keepalive.deadline());
        self.close_deadline().into_iter().chain(keepalive).min()
    }

    /// Time has come to `now`. Past the close timeout the connection ends (RFC 6455 §7.1.1); after
    /// silence a ping is queued, and after more silence the connection ends.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self
            .close_deadline()
            .is_some_and(|deadline| deadline <= now)
        {
            self.ending().initiator.get_or_insert(Initiator::Local);
            self.end(CloseCause::CloseTimeout);
        }
        if !self.is_open() {
            return;
        }
        match self.keepalive.as_mut().map(|keepalive| keepalive.due(now)) {
            Some(Due::Ping(payload)) => self.push_keepalive_ping(payload),
            Some(Due::Dead) => {
                self.ending().initiator.get_or_insert(Initiator::Local);
                self.end(CloseCause::KeepaliveTimeout);
            }
            _ => {}
        }
    }

    /// How the connection ends, as soon as that is certain: all is written, and close frames went both
    /// ways or the connection has failed. Nothing that still comes changes it.
    ///
    /// What is left is the end of the transport, for which nobody but the driver need wait;
    /// [`close_info`](Self::close_info) tells the same then.
    pub fn final_close_info(&self) -> Option<CloseInfo> {
        let ending = self.ending.as_ref()?;
        if ending.info.is_some() {
            return ending.info.clone();
        }
        let clean = self.is_closing_complete();
        let cause = match &ending.failure {
            Some(error) if self.is_all_written() => CloseCause::Protocol(error.clone()),
            None if clean => CloseCause::ClosingHandshake,
            _ => return None,
        };
        Some(self.info_of(clean, cause))
    }

    fn info_of(&self, clean: bool, cause: CloseCause) -> CloseInfo {
        let (code, reason) = self.received_close().unwrap_or((CloseCode::ABNORMAL, ""));
        let initiator = self.ending.as_ref().and_then(|ending| ending.initiator);
        CloseInfo {
            code,
            reason: reason.to_owned(),
            initiator: initiator.unwrap_or(Initiator::Remote),
            clean,
            cause,
        }
    }

    /// Ends the connection; `lost` is the cause unless the protocol gave one before.
    fn end(&mut self, lost: CloseCause) {
        if self.state == State::Ended {
            return;
        }
        let is_lost = !self.is_all_written();
        let info = self.final_close_info();
        let info = info.unwrap_or_else(|| self.info_of(false, self.cause_or(lost)));
        let ending = self.ending();
        ending.is_output_lost |= is_lost;
        ending.info = Some(info);
        ending.close_received = None;
        self.state = State::Ended;
        self.end_messages();
        self.forget_pong();
        self.lose_output();
    }

    /// What the protocol or a failed write gave as the cause, else `lost`.
    fn cause_or(&self, lost: CloseCause) -> CloseCause {
        match self.ending.as_deref() {
            Some(Ending {
                failure: Some(error),
                ..
            }) => CloseCause::Protocol(error.clone()),
            Some(Ending {
                write_error: Some(what),
                ..
            }) => CloseCause::Transport(what.clone()),
            _ => lost,
        }
    }
}

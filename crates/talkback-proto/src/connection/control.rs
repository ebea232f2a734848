//! What a connection makes of control frames (RFC 6455 §5.5).

use std::time::Instant;

use bytes::Bytes;

use crate::close::CloseFrame;
use crate::connection::Connection;
use crate::frame::Opcode;
use crate::incoming::Incoming;

/// How many pongs may wait to be written; of further pings only the latest is answered.
const QUEUED_MAX: u8 = 12;

/// The answers to the peer's pings.
#[derive(Default)]
pub(super) struct Pongs {
    /// The latest ping's payload, if too many pongs wait for its own to be queued. Earlier ones
    /// need no answer (§5.5.3).
    due: Option<Bytes>,
    /// Where in the output's bytes the last pong ends; it has left once that many are written.
    end: u64,
    /// How many pongs were queued since none was waiting.
    queued: u8,
}

impl Connection {
    pub(super) fn handle_control(
        &mut self,
        opcode: Opcode,
        payload: Bytes,
        now: Instant,
    ) -> Option<Incoming> {
        match opcode {
            Opcode::Close => {
                match CloseFrame::decode(&payload) {
                    Ok(frame) => self.handle_close(frame, payload, now),
                    Err(error) => self.fail(error, now),
                }
                None
            }
            // A pong MUST be sent unless a close frame was received (§5.5.2): ours does not matter.
            Opcode::Ping => {
                self.pongs.get_or_insert_default().due = Some(payload.clone());
                // At once, so that it goes before what is sent from now on.
                self.push_pong();
                Some(Incoming::Ping(payload))
            }
            // What else comes to who wants no more is discarded.
            _ if !self.is_receiving() => None,
            _ => {
                if let Some(keepalive) = &mut self.keepalive {
                    keepalive.take_pong(&payload, now);
                }
                Some(Incoming::Pong(payload))
            }
        }
    }

    /// Queues the pong that is due, unless too many wait to be written: a peer that never reads costs
    /// so many, not one for each ping. Once all have left, nothing is kept of them.
    #[inline(never)]
    pub(super) fn push_pong(&mut self) {
        let Some(pongs) = &mut self.pongs else {
            return;
        };
        if self.output.written() >= pongs.end {
            pongs.queued = 0;
        }
        if pongs.queued == QUEUED_MAX {
            return;
        }
        match pongs.due.take() {
            Some(payload) => {
                pongs.queued += 1;
                self.push(Opcode::Pong, payload);
                let end = self.output.end();
                self.pongs.get_or_insert_default().end = end;
            }
            None if pongs.queued == 0 => self.pongs = None,
            None => {}
        }
    }

    /// No pong is due any more.
    pub(super) fn forget_pong(&mut self) {
        self.pongs = None;
    }
}

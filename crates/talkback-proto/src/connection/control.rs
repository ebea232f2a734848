//! What a connection makes of control frames (RFC 6455 §5.5).

use std::time::Instant;

use bytes::Bytes;

use crate::close::CloseFrame;
use crate::connection::Connection;
use crate::frame::Opcode;
use crate::incoming::Incoming;

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
                self.pong = Some(payload.clone());
                // At once, so that it goes before what is sent from now on.
                self.push_pong();
                Some(Incoming::Ping(payload))
            }
            // What else comes after our close frame is discarded.
            _ if !self.is_receiving() => None,
            _ => {
                if let Some(keepalive) = &mut self.keepalive {
                    keepalive.take_pong(&payload, now);
                }
                Some(Incoming::Pong(payload))
            }
        }
    }
}

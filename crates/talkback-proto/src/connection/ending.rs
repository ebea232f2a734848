//! What is known of a connection that ends.

use std::sync::Arc;
use std::time::Instant;

use crate::close::{CloseFrame, CloseInfo, Initiator};
use crate::connection::Connection;
use crate::error::ProtocolError;

/// How a connection ends, as far as it is known.
#[derive(Default)]
pub(super) struct Ending {
    pub(super) close_sent: bool,
    /// Where in the output's bytes our close frame ends, if it is among them.
    pub(super) close_end: Option<u64>,
    /// Whether the writing side was shut down.
    pub(super) is_shut_down: bool,
    /// The peer's close frame, which may be empty.
    pub(super) close_received: Option<Option<CloseFrame>>,
    pub(super) initiator: Option<Initiator>,
    pub(super) failure: Option<ProtocolError>,
    pub(super) is_output_lost: bool,
    /// How many bytes of it were known to be lost.
    pub(super) output_lost: usize,
    /// What the transport said when it took no more bytes.
    pub(super) write_error: Option<Arc<str>>,
    /// When the connection ends at the latest.
    pub(super) deadline: Option<Instant>,
    pub(super) info: Option<CloseInfo>,
}

impl Connection {
    /// How the connection ends, which it may not have begun to.
    pub(super) fn ending(&mut self) -> &mut Ending {
        self.ending.get_or_insert_default()
    }

    /// Whether the connection fails.
    pub(super) fn has_failed(&self) -> bool {
        self.ending.as_ref().is_some_and(|e| e.failure.is_some())
    }
}

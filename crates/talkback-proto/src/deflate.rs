//! Compression of messages: permessage-deflate (RFC 7692).
//!
//! ```text
//! DeflateOffer ── handshake ── DeflatePolicy          (handshake/deflate_*.rs)
//!                     ▼
//!             DeflateParameters ─▶ Connection::with_deflate
//!                                    ├─ Inflater   payload in, one message out, or its pieces
//!                                    └─ Deflater   one message in, or its fragments; payload out
//!                                         │
//!                                       pool.rs    contexts and a buffer, by thread
//! ```
//!
//! With context takeover a connection owns a context for that direction from the first compressed
//! message on. Without, it borrows one from its thread for as long as a message takes.

pub(crate) mod compress;
pub(crate) mod inflate;
pub(crate) mod parameters;
mod pieces;
mod pool;
mod settings;
mod takeover;

use crate::deflate::compress::Deflater;
use crate::deflate::inflate::Inflater;
use crate::deflate::parameters::DeflateParameters;
use crate::deflate::takeover::Takeover;
use crate::role::Role;

/// Both directions of a connection that negotiated permessage-deflate.
pub(crate) struct Deflate {
    pub(crate) inflater: Inflater,
    pub(crate) deflater: Deflater,
}

impl Deflate {
    pub(crate) fn new(role: Role, parameters: &DeflateParameters) -> Self {
        let takeover = |role| Takeover::if_agreed(parameters.has_context_takeover(role));
        let window_bits = parameters.window_bits(role);
        Self {
            inflater: Inflater::new(role.peer(), takeover(role.peer())),
            deflater: Deflater::new(takeover(role), window_bits, parameters.tuning),
        }
    }
}

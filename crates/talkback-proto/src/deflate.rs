//! Compression of messages: permessage-deflate (RFC 7692).
//!
//! ```text
//! DeflateOffer ── handshake ── DeflatePolicy          (handshake/deflate_*.rs)
//!                     ▼
//!             DeflateParameters ─▶ Connection::with_deflate
//!                                    ├─ Inflater   payload in, one message out, or its pieces
//!                                    └─ Deflater   one message in, or its fragments; payload out
//!                                         │
//!                                       context.rs  own.rs ─▶ block, huffman, bits; or zlib.rs
//!                                         │
//!                                       pool.rs     contexts and buffers, by thread
//! ```
//!
//! With context takeover a connection owns a context for that direction from the first compressed
//! message on. Without, it borrows one from its thread for as long as a message takes.

mod bits;
mod block;
pub(crate) mod compress;
mod context;
mod huffman;
pub(crate) mod inflate;
mod own;
pub(crate) mod parameters;
mod pieces;
mod pool;
mod settings;
pub(crate) mod takeover;
mod zlib;

use crate::deflate::compress::Deflater;
use crate::deflate::inflate::Inflater;
use crate::deflate::parameters::DeflateParameters;
use crate::deflate::settings::Settings;
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
        let tuning = &parameters.tuning;
        let settings = Settings {
            window_bits: parameters.window_bits(role),
            level: tuning.level_of(role),
            memory_level: tuning.memory_level,
            takeover: takeover(role),
        };
        let threshold = tuning.threshold_with(settings.takeover);
        Self {
            inflater: Inflater::new(role.peer(), takeover(role.peer())),
            deflater: Deflater::new(settings, threshold),
        }
    }
}

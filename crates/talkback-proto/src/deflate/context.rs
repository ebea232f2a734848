//! What compresses, and what it remembers.

use zlib_rs::Deflate;

use crate::deflate::block::with_block;
use crate::deflate::own::Own;
use crate::deflate::settings::Settings;
use crate::deflate::takeover::Takeover;
use crate::deflate::zlib::{PART_SIZE_MAX, deflate, discard_pending};

/// A compressor and what it remembers.
pub(super) enum Context {
    Own(Box<Own>),
    Zlib(Deflate),
}

impl Context {
    pub(super) fn new(settings: Settings) -> Self {
        match settings.own_effort() {
            Some(effort) => Self::Own(Box::new(Own::new(settings.window_bits, effort))),
            None => Self::Zlib(Deflate::new_with_config(settings.into())),
        }
    }

    /// Compresses a message up to a byte boundary, with its tail, into a buffer that grows, and says
    /// how much came out; or `None` if it is more than `size_max` bytes, and then the context is to be
    /// [reset](Self::reset).
    ///
    /// Unless it is taken over, the context is to be reset behind it, too.
    pub(super) fn compress(
        &mut self,
        message: &[u8],
        takeover: Takeover,
        buffer: &mut Vec<u8>,
        size_max: usize,
    ) -> Option<usize> {
        match self {
            Self::Own(own) => {
                with_block(|block| own.compress(message, takeover, block, buffer, size_max))
            }
            Self::Zlib(zlib) => {
                let size = deflate(zlib, message, buffer, size_max, PART_SIZE_MAX);
                if size.is_none() {
                    discard_pending(zlib, buffer);
                }
                size
            }
        }
    }

    /// Forgets what was compressed.
    pub(super) fn reset(&mut self) {
        match self {
            Self::Own(own) => own.reset(),
            Self::Zlib(zlib) => zlib.reset(),
        }
    }
}

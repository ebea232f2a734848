//! What makes one compressing context unlike another.

use zlib_rs::DeflateConfig;

use crate::deflate::block::Effort;
use crate::deflate::parameters::{CompressionLevel, MemoryLevel, WindowBits};
use crate::deflate::takeover::Takeover;

/// What is taken away from the end of each message (RFC 7692 §7.2.1).
pub(super) const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// What makes one context unlike another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) window_bits: WindowBits,
    pub(super) level: CompressionLevel,
    pub(super) memory_level: MemoryLevel,
    pub(super) takeover: Takeover,
}

impl Settings {
    /// How hard our own compressor tries, if it is the one for this level.
    ///
    /// The fastest one for messages that stand alone is ours, as zlib begins each by clearing its table;
    /// with takeover it is zlib's level 1, which needs more bytes and more memory.
    pub(super) fn own_effort(self) -> Option<Effort> {
        match (self.level.get(), self.takeover) {
            (1, Takeover::None) => Some(Effort::Least),
            (2, _) => Some(Effort::More),
            _ => None,
        }
    }
}

impl From<Settings> for DeflateConfig {
    fn from(settings: Settings) -> Self {
        Self {
            level: settings.level.get().into(),
            mem_level: settings.memory_level.get().into(),
            // Below zero: without the header of zlib.
            window_bits: -i32::from(settings.window_bits.get()),
            ..Self::default()
        }
    }
}

//! What makes one compressing context unlike another.

use zlib_rs::DeflateConfig;

use crate::deflate::parameters::{CompressionLevel, MemoryLevel, WindowBits};

/// What makes one context unlike another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) window_bits: WindowBits,
    pub(super) level: CompressionLevel,
    pub(super) memory_level: MemoryLevel,
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

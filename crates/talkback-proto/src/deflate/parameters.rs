//! What the two ends of permessage-deflate agree on, and what each chooses for itself.

/// A number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bounded<const MIN: u8, const MAX: u8>(u8);

impl<const MIN: u8, const MAX: u8> Bounded<MIN, MAX> {
    /// The smallest one.
    pub const MIN: Self = Self(MIN);
    /// The largest one.
    pub const MAX: Self = Self(MAX);

    /// The number, or `None` if it is out of bounds.
    pub const fn new(number: u8) -> Option<Self> {
        if number < MIN || number > MAX {
            return None;
        }
        Some(Self(number))
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// The base-2 logarithm of an LZ77 sliding window's size in bytes (RFC 7692 §7.1.2): 9 to 15.
///
/// The RFC allows 8 too, but no compressor in use can keep to it.
pub type WindowBits = Bounded<9, 15>;

/// How much work compressing is: from 0, which only stores, over 1, the fastest, to 9, the best.
pub type CompressionLevel = Bounded<0, 9>;

/// How much memory compressing takes: from 1, the least, to 9, the fastest and best.
pub type MemoryLevel = Bounded<1, 9>;

/// How this end compresses; nothing of it is negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateTuning {
    /// How much work it is; 6 by default.
    pub level: CompressionLevel,
    /// How much memory it takes; 8 by default. A context has 140 KiB to 490 KiB, by this and by
    /// the window.
    pub memory_level: MemoryLevel,
    /// Messages below this many bytes are sent as they are; 1,024 by default, since what fits one
    /// TCP segment anyway is not worth it.
    pub threshold: usize,
}

impl Default for DeflateTuning {
    fn default() -> Self {
        Self {
            level: Bounded(6),
            memory_level: Bounded(8),
            threshold: 1024,
        }
    }
}

/// What both ends agreed on for permessage-deflate (RFC 7692 §7.1), and how this end compresses.
///
/// It comes out of the opening handshake and goes into
/// [`Connection::with_deflate`](crate::Connection::with_deflate).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateParameters {
    /// Whether each message of the server can be decompressed alone.
    pub server_no_context_takeover: bool,
    /// Whether each message of the client can be decompressed alone.
    pub client_no_context_takeover: bool,
    /// The window that the server keeps to. Where a server keeps to 8 bits, it is 9 here.
    pub server_max_window_bits: WindowBits,
    /// The window that the client keeps to.
    pub client_max_window_bits: WindowBits,
    /// How this end compresses.
    pub tuning: DeflateTuning,
}

/// The extension without parameters: both contexts are taken over, with the largest windows.
impl Default for DeflateParameters {
    fn default() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: WindowBits::MAX,
            client_max_window_bits: WindowBits::MAX,
            tuning: DeflateTuning::default(),
        }
    }
}

/// Whether one message is compressed, on a connection that can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// It is, unless it is below the threshold, or would not shrink and need not be.
    #[default]
    Auto,
    /// It is not: it is compressed already, or mixes a secret with what an attacker chooses, who
    /// would learn of the secret by the size (as CRIME and BREACH do).
    Skip,
}

//! What the two ends of permessage-deflate agree on, and what each chooses for itself.

use crate::role::Role;

/// Defines a number that is within its bounds.
macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident, $min:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u8);

        impl $name {
            /// The smallest one.
            pub const MIN: Self = Self($min);
            /// The largest one.
            pub const MAX: Self = Self($max);

            /// The number, or `None` if it is out of bounds.
            pub const fn new(number: u8) -> Option<Self> {
                if number < Self::MIN.0 || number > Self::MAX.0 {
                    return None;
                }
                Some(Self(number))
            }

            /// The number.
            pub const fn get(self) -> u8 {
                self.0
            }
        }
    };
}

bounded! {
    /// The base-2 logarithm of an LZ77 sliding window's size in bytes (RFC 7692 §7.1.2): 9 to 15.
    ///
    /// The RFC allows 8 too, but no compressor in use can keep to it.
    WindowBits, 9, 15
}

bounded! {
    /// How much work compressing is: from 0, which only stores, over 1, the fastest, to 9, the best.
    CompressionLevel, 0, 9
}

bounded! {
    /// How much memory compressing takes: from 1, the least, to 9, the fastest and best.
    MemoryLevel, 1, 9
}

/// How this end compresses; nothing of it is negotiated.
///
/// ```
/// # use talkback_proto as talkback;
/// use talkback::{CompressionLevel, DeflateTuning};
/// let fastest = CompressionLevel::new(1).unwrap();
/// let tuning = DeflateTuning::default().level(fastest).threshold(0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateTuning {
    pub(crate) level: CompressionLevel,
    pub(crate) memory_level: MemoryLevel,
    pub(crate) threshold: usize,
}

impl DeflateTuning {
    /// Sets how much work it is; 6 by default.
    #[must_use]
    pub const fn level(mut self, level: CompressionLevel) -> Self {
        self.level = level;
        self
    }

    /// Sets how much memory it takes; 8 by default. A context has 140 KiB to 490 KiB, by this and
    /// by the window.
    #[must_use]
    pub const fn memory_level(mut self, level: MemoryLevel) -> Self {
        self.memory_level = level;
        self
    }

    /// Sets below how many bytes a message is sent as it is; 1,024 by default, since what fits one
    /// TCP segment anyway is not worth it.
    #[must_use]
    pub const fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }
}

impl Default for DeflateTuning {
    fn default() -> Self {
        Self {
            level: CompressionLevel(6),
            memory_level: MemoryLevel(8),
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
    pub(crate) server_no_context_takeover: bool,
    pub(crate) client_no_context_takeover: bool,
    pub(crate) server_max_window_bits: WindowBits,
    pub(crate) client_max_window_bits: WindowBits,
    pub(crate) tuning: DeflateTuning,
}

impl DeflateParameters {
    /// Sets whether each message of the server can be decompressed alone (RFC 7692 §7.1.1.1).
    #[must_use]
    pub const fn server_no_context_takeover(mut self, is_alone: bool) -> Self {
        self.server_no_context_takeover = is_alone;
        self
    }

    /// Sets whether each message of the client can be decompressed alone (RFC 7692 §7.1.1.2).
    #[must_use]
    pub const fn client_no_context_takeover(mut self, is_alone: bool) -> Self {
        self.client_no_context_takeover = is_alone;
        self
    }

    /// Sets the window that the server keeps to (RFC 7692 §7.1.2.1). Where a server keeps to 8
    /// bits, it is 9 here.
    #[must_use]
    pub const fn server_max_window_bits(mut self, bits: WindowBits) -> Self {
        self.server_max_window_bits = bits;
        self
    }

    /// Sets the window that the client keeps to (RFC 7692 §7.1.2.2).
    #[must_use]
    pub const fn client_max_window_bits(mut self, bits: WindowBits) -> Self {
        self.client_max_window_bits = bits;
        self
    }

    /// Sets how this end compresses.
    #[must_use]
    pub const fn tuning(mut self, tuning: DeflateTuning) -> Self {
        self.tuning = tuning;
        self
    }

    /// Whether the end with this role may look back from one message to those before it (RFC 7692
    /// §7.1.1).
    pub const fn has_context_takeover(&self, role: Role) -> bool {
        match role {
            Role::Client => !self.client_no_context_takeover,
            Role::Server => !self.server_no_context_takeover,
        }
    }

    /// The window that the end with this role keeps to (RFC 7692 §7.1.2).
    pub const fn window_bits(&self, role: Role) -> WindowBits {
        match role {
            Role::Client => self.client_max_window_bits,
            Role::Server => self.server_max_window_bits,
        }
    }
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

/// Whether one message is compressed, on a connection that can (RFC 7692 §6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// It is, unless it is below the threshold, or would not shrink and need not be.
    #[default]
    Auto,
    /// It is not: it is compressed already, or mixes a secret with what an attacker chooses, who
    /// would learn of the secret by the size (as CRIME and BREACH do).
    Skip,
}

//! What the two ends of permessage-deflate agree on, and what each chooses for itself.

use crate::deflate::takeover::Takeover;
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
    ///
    /// Levels 1 and 2 are made for messages: at 1 KiB, level 6 takes four times the time of level 1 to
    /// save a tenth more.
    CompressionLevel, 0, 9
}

bounded! {
    /// How much memory zlib takes for compressing: from 1, the least, to 9, the fastest and best.
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
    pub(crate) level: Option<CompressionLevel>,
    pub(crate) memory_level: MemoryLevel,
    pub(crate) threshold: Option<usize>,
}

impl DeflateTuning {
    /// Sets how much work it is; by default 1 for a server, which compresses for many, and 2 for a
    /// client.
    ///
    /// Without context takeover, level 1 is a compressor of our own, which begins a message at no
    /// cost, and which spends a message of up to 500 compressed bytes no codes of its own. Level 2 always
    /// considers them, and is of our own with takeover, too: its context is a third of zlib's. The
    /// other levels are zlib's, and so is level 1 with takeover.
    ///
    /// | messages of 1 KiB, the mean of eight kinds | bytes | µs | with takeover: bytes | µs |
    /// | --- | ---: | ---: | ---: | ---: |
    /// | level 1 | 449 | 4.9 | 333 | 1.8 |
    /// | level 2 | 413 | 6.4 | 275 | 5.8 |
    /// | level 6 | 406 | 21 | 231 | 27 |
    ///
    /// A server that keeps contexts and saves bytes rather than time takes level 2.
    #[must_use]
    pub const fn level(mut self, level: CompressionLevel) -> Self {
        self.level = Some(level);
        self
    }

    /// Sets how much memory zlib takes; 8 by default. A context of zlib has 140 KiB to 490 KiB, by this
    /// and by the window. One of our own has 32 KiB and at most two windows, whatever is set here.
    #[must_use]
    pub const fn memory_level(mut self, level: MemoryLevel) -> Self {
        self.memory_level = level;
        self
    }

    /// Sets below how many bytes a message is sent as it is.
    ///
    /// By default it is 192 without context takeover, where messages of that size shrink by a fifth, and
    /// 32 with it, where they shrink by half. A [`Prepared`](crate::Prepared) message goes by a server's default,
    /// whatever is set here.
    #[must_use]
    pub const fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = Some(bytes);
        self
    }
}

impl DeflateTuning {
    pub(crate) fn level_of(&self, role: Role) -> CompressionLevel {
        self.level.unwrap_or(match role {
            Role::Client => CompressionLevel(2),
            Role::Server => CompressionLevel(1),
        })
    }

    pub(crate) fn threshold_with(&self, takeover: Takeover) -> usize {
        self.threshold.unwrap_or(match takeover {
            Takeover::Kept => 32,
            Takeover::None => 192,
        })
    }
}

impl Default for DeflateTuning {
    fn default() -> Self {
        Self {
            level: None,
            memory_level: MemoryLevel(8),
            threshold: None,
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

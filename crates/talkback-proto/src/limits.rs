//! The bounds of one connection, all on by default.

use std::time::Duration;

/// What a connection allows; each limit is on by default and can be set.
///
/// ```
/// # use talkback_proto as talkback;
/// use talkback::Limits;
/// let limits = Limits::default().message_size_max(64 * 1024);
/// assert_eq!(limits.message_size_limit(), 64 * 1024);
/// assert_eq!(limits.fragments_limit(), 131_072);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    message_size_max: u64,
    fragments_max: u32,
    pub(crate) frame_size_max: usize,
    write_buffer_max: usize,
    close_timeout: Duration,
}

impl Limits {
    pub(crate) const DEFAULT: Self = Self {
        message_size_max: 16 * 1024 * 1024,
        fragments_max: 131_072,
        frame_size_max: usize::MAX,
        write_buffer_max: 64 * 1024,
        close_timeout: Duration::from_secs(10),
    };

    /// Sets the largest message in bytes, over all its fragments; 16 MiB by default. A larger one
    /// fails the connection with 1009 as soon as a header declares it (RFC 6455 §10.4).
    ///
    /// Of a compressed message the bytes that come out of it count, while they come out. The bytes
    /// on the wire, of which nothing is kept, may be twice the limit and 1 KiB, since what does not
    /// compress grows a little.
    ///
    /// Memory is reserved for at most 16 times what has come of a message. One that is given out in
    /// pieces counts as any other. Where memory has 32-bit addresses,
    /// 2 GiB are the most.
    #[must_use]
    #[doc(alias = "max_message_size")]
    pub const fn message_size_max(mut self, bytes: u64) -> Self {
        self.message_size_max = bytes;
        self
    }

    /// Sets the most frames in one message; 131,072 by default. One more fails the connection with
    /// 1008.
    #[must_use]
    pub const fn fragments_max(mut self, count: u32) -> Self {
        self.fragments_max = count;
        self
    }

    /// Sets the largest payload in bytes of a frame that is sent; none by default, so that a message
    /// is one frame. A longer message leaves in fragments (RFC 6455 §5.4), compressed or not, and so
    /// does what is sent as a stream.
    ///
    /// It is for a peer or an intermediary that takes no larger frames. Each fragment has a header of
    /// its own, of 2 to 14 bytes, and a peer may limit how many a message has, as
    /// [`fragments_max`](Self::fragments_max) does. 125 is the smallest useful bound: below it, pings,
    /// pongs and close frames, which cannot be fragmented (§5.5), are still up to 125 bytes long. 0 is
    /// taken as 1.
    #[must_use]
    pub const fn frame_size_max(mut self, bytes: usize) -> Self {
        self.frame_size_max = if bytes == 0 { 1 } else { bytes };
        self
    }

    /// Sets how many bytes may wait to be written before sending waits; 64 KiB by default. The
    /// message in hand comes on top.
    #[must_use]
    #[doc(alias = "max_write_buffer_size")]
    pub const fn write_buffer_max(mut self, bytes: usize) -> Self {
        self.write_buffer_max = bytes;
        self
    }

    /// Sets how long the closing handshake may take before the transport is dropped (RFC 6455
    /// §7.1.1); 10 s by default. Once close frames went both ways, a client waits for 1 s at most until the
    /// server ends TCP.
    #[must_use]
    pub const fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// How large a message may be, in bytes: [`message_size_max`](Self::message_size_max).
    pub const fn message_size_limit(&self) -> u64 {
        self.message_size_max
    }

    /// How many frames a message may have: [`fragments_max`](Self::fragments_max).
    #[inline]
    pub const fn fragments_limit(&self) -> u32 {
        self.fragments_max
    }

    /// How large a frame that is sent may be, if there is a bound:
    /// [`frame_size_max`](Self::frame_size_max).
    pub fn frame_size_limit(&self) -> Option<usize> {
        Some(self.frame_size_max).filter(|size_max| *size_max < usize::MAX)
    }

    /// How many bytes may wait before sending waits: [`write_buffer_max`](Self::write_buffer_max).
    #[inline]
    pub const fn write_buffer_limit(&self) -> usize {
        self.write_buffer_max
    }

    /// How long the closing handshake may take: [`close_timeout`](Self::close_timeout).
    pub const fn time_to_close(&self) -> Duration {
        self.close_timeout
    }

    /// The largest message in bytes that is allowed, and that memory can hold.
    #[inline]
    pub(crate) fn size_max(&self) -> u64 {
        self.message_size_max.min(isize::MAX as u64)
    }

    /// The most bytes that a message may take on the wire.
    pub(crate) fn wire_size_max(&self, is_compressed: bool) -> u64 {
        if is_compressed {
            self.size_max().saturating_mul(2).saturating_add(1024)
        } else {
            self.size_max()
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

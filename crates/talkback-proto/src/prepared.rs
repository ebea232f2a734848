//! A message for many connections: encoded once, and compressed once for each window.

#[cfg(shuttle)]
mod schedules;

use std::fmt;
use std::sync::Arc;
#[cfg(not(shuttle))]
use std::sync::OnceLock;

use bytes::Bytes;
#[cfg(shuttle)]
use schedules::OnceLock;

use crate::deflate::Deflate;
use crate::deflate::compress::Compressed;
use crate::deflate::parameters::{DeflateParameters, DeflateTuning, WindowBits};
use crate::deflate::takeover::Takeover;
use crate::frame::{COPIED_SIZE_MAX, Header};
use crate::message::Message;
use crate::role::Role;
use crate::small_bytes::SmallBytes;

/// How many windows there are, of 9 to 15 bits (RFC 7692 §7.1.2).
const WINDOWS: usize = (WindowBits::MAX.get() - WindowBits::MIN.get()) as usize + 1;

/// A message that a server sends to many: encoded once, and compressed once for all of them.
///
/// Every `send` and `feed` takes `&Prepared`. Clones share it, and it can be used again at any time, from any
/// thread. A payload from 4 KiB on is copied once, when it is prepared: all connections then write it from
/// where it lies.
///
/// On a connection that agreed on compression it is compressed at its first use, once for each window (RFC
/// 7692 §7.1.2; nearly all have the largest). That is done as a server does it by default that keeps no
/// context: at level 1, from 192 bytes on, and if that makes it smaller, whatever the connection's own
/// [`DeflateTuning`](crate::DeflateTuning) says. With [`Compression::Skip`](crate::Compression::Skip) it
/// goes as it is.
///
/// A connection with context takeover takes it, too, as what looks back at nothing is legal in any context
/// (RFC 7692 §7.1.1): after a compressed one, the connection's own next message does not look back at those
/// before.
///
/// A client masks each frame with a key of its own (RFC 6455 §5.3), and a browser frames by itself: there it
/// is sent as its message is.
///
/// ```
/// # use talkback_proto as talkback;
/// use talkback::{Message, Outgoing, Prepared};
///
/// let prepared = Prepared::new("Hello, all!");
/// let sent: Vec<Outgoing<'_>> = (0..3).map(|_| (&prepared).into()).collect();
/// assert!(sent.iter().all(|sent| sent.as_bytes() == b"Hello, all!"));
/// assert_eq!(*prepared.message(), Message::from("Hello, all!"));
/// ```
#[derive(Clone)]
pub struct Prepared(Arc<Inner>);

struct Inner {
    message: Message,
    /// The frame that a server sends uncopied; the message's payload is a part of it.
    plain: Option<Frame>,
    /// By the bits of the window; `None` of what is not worth it.
    deflated: OnceLock<Box<[OnceLock<Option<Frame>>; WINDOWS]>>,
}

/// A whole frame as a server sends it: not masked (RFC 6455 §5.1).
pub(crate) struct Frame {
    header: Header,
    /// The header's and the payload.
    bytes: Bytes,
}

impl Prepared {
    /// Encodes a message, which may be text or binary.
    pub fn new(message: impl Into<Message>) -> Self {
        let message = message.into();
        let header = Header::whole(message.kind().opcode(), None);
        let is_copied = message.len() <= COPIED_SIZE_MAX;
        let plain = (!is_copied).then(|| Frame::new(header, message.as_bytes()));
        let message = match &plain {
            Some(frame) => {
                let payload = SmallBytes::Shared(frame.payload());
                Message::from_validated(message.kind(), payload)
            }
            None => message,
        };
        Self(Arc::new(Inner {
            message,
            plain,
            deflated: OnceLock::new(),
        }))
    }

    /// The message, which can be cloned without a copy of its payload.
    pub fn message(&self) -> &Message {
        &self.0.message
    }

    /// The frame without compression, if its payload is not to be copied.
    pub(crate) fn plain(&self) -> Option<&Frame> {
        self.0.plain.as_ref()
    }

    /// The compressed frame for this window, unless it is better sent as it is.
    pub(crate) fn deflated(&self, window_bits: WindowBits) -> Option<&Frame> {
        let inner = &*self.0;
        if inner.message.len() < DeflateTuning::default().threshold_with(Takeover::None) {
            return None;
        }
        let windows = inner.deflated.get_or_init(Box::default);
        let window = &windows[usize::from(window_bits.get() - WindowBits::MIN.get())];
        let frame = window.get_or_init(|| compressed(&inner.message, window_bits));
        frame.as_ref()
    }
}

/// Shows the size and no payload: it may be a secret.
impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Prepared").field(self.message()).finish()
    }
}

impl Frame {
    fn new(header: Header, payload: &[u8]) -> Self {
        let header = Header {
            payload_size: payload.len() as u64,
            ..header
        };
        let bytes = [header.encode().as_ref(), payload].concat();
        Self {
            header,
            bytes: bytes.into(),
        }
    }

    pub(crate) fn header(&self) -> Header {
        self.header
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(crate) fn payload_size(&self) -> usize {
        self.header.payload_size as usize
    }

    pub(crate) fn payload(&self) -> Bytes {
        let header_size = self.bytes.len() - self.payload_size();
        self.bytes.slice(header_size..)
    }
}

/// The frame of a message that is compressed alone, as a server does it by default.
fn compressed(message: &Message, window_bits: WindowBits) -> Option<Frame> {
    let parameters = DeflateParameters::default()
        .server_no_context_takeover(true)
        .server_max_window_bits(window_bits);
    let header = Header {
        rsv1: true,
        ..Header::whole(message.kind().opcode(), None)
    };
    let mut deflater = Deflate::new(Role::Server, &parameters).deflater;
    #[cfg(shuttle)]
    schedules::compressing();
    let mut frame = None;
    let _ = deflater.compress(message.as_bytes(), |payload| {
        frame = Some(match payload {
            Compressed::Small(payload) => Frame::new(header, payload),
            Compressed::Large(payload) => Frame::new(header, &payload),
        });
    });
    frame
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    fn window(bits: u8) -> WindowBits {
        WindowBits::new(bits).unwrap()
    }

    /// Where the payload of each window's frame lies, if the frame was made and is worth it.
    fn places(prepared: &Prepared) -> Vec<Option<*const u8>> {
        let windows = prepared.0.deflated.get().into_iter().flat_map(|it| &**it);
        let frame = |cell: &OnceLock<Option<Frame>>| Some(cell.get()?.as_ref()?.bytes.as_ptr());
        windows.map(frame).collect()
    }

    #[test]
    fn pr4_a_frame_is_made_once_for_each_window_that_is_asked_for() {
        let prepared = Prepared::new("a prepared message ".repeat(1000));
        assert!(places(&prepared).is_empty(), "only where it is used");
        for bits in [15, 9, 12] {
            assert!(prepared.deflated(window(bits)).is_some());
        }
        let made = places(&prepared);
        let is_made: Vec<_> = made.iter().map(Option::is_some).collect();
        assert_eq!(is_made, [true, false, false, true, false, false, true]);
        for bits in [9, 12, 15, 9, 12, 15] {
            assert!(prepared.clone().deflated(window(bits)).is_some());
        }
        assert_eq!(places(&prepared), made, "none is made again");
    }

    #[test]
    fn pr3_what_does_not_shrink_is_compressed_once() {
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        let noise: Vec<u8> = noise.take(64 * 1024).collect();
        let prepared = Prepared::new(noise);
        for _ in 0..2 {
            assert!(prepared.deflated(WindowBits::MAX).is_none());
            // It is known, so that it is not tried again.
            let cells = prepared.0.deflated.get().unwrap();
            assert!(matches!(cells[WINDOWS - 1].get(), Some(None)));
        }
    }

    #[test]
    fn pr2_below_the_threshold_nothing_is_tried() {
        let prepared = Prepared::new("x".repeat(191));
        assert!(prepared.deflated(WindowBits::MAX).is_none());
        assert!(prepared.0.deflated.get().is_none());
    }

    #[test]
    fn a_large_message_lies_in_its_frame() {
        for size in [COPIED_SIZE_MAX + 1, 70_000] {
            let prepared = Prepared::new("x".repeat(size));
            let frame = prepared.plain().unwrap();
            assert_eq!(frame.payload(), prepared.message().as_bytes());
            assert_eq!(
                frame.payload().as_ptr(),
                prepared.message().as_bytes().as_ptr()
            );
            assert_eq!(frame.payload_size(), size);
        }
        assert!(Prepared::new("x".repeat(COPIED_SIZE_MAX)).plain().is_none());
    }
}

//! Compression of messages as they are queued (RFC 7692 §7.2.1).

use bytes::Bytes;

use crate::deflate::context::Context;
use crate::deflate::parameters::WindowBits;
use crate::deflate::pool::{SCRATCH_SIZE, give_back_deflater, take_deflater, with_scratch};
use crate::deflate::settings::{Settings, TAIL};
use crate::deflate::takeover::Takeover;
use crate::frame::Fin;

/// The payload of an empty message: the header of the block whose rest is the tail (§7.2.3.6).
const EMPTY: [u8; 1] = [0x00];

/// A compressed message.
#[derive(Debug)]
pub(crate) enum Compressed<'a> {
    /// To be copied.
    Small(&'a [u8]),
    /// To be kept.
    Large(Bytes),
}

/// Compresses the messages of one connection.
pub(crate) struct Deflater {
    settings: Settings,
    threshold: usize,
    /// Ours from the first compressed message on with takeover, else never between messages.
    context: Option<Context>,
    /// Whether the peer's context has seen a message that ours has not.
    is_behind: bool,
}

impl Deflater {
    pub(super) fn new(settings: Settings, threshold: usize) -> Self {
        Self {
            settings,
            threshold,
            context: None,
            is_behind: false,
        }
    }

    /// Frees what only further messages would need.
    pub(crate) fn end(&mut self) {
        self.context = None;
    }

    /// The window that this end keeps to.
    pub(crate) fn window_bits(&self) -> WindowBits {
        self.settings.window_bits
    }

    /// The peer gets a compressed message that came from elsewhere: its context sees it. What ours compresses
    /// next must not look back, as the distances have changed.
    pub(crate) fn note_foreign(&mut self) {
        self.is_behind = self.context.is_some();
    }

    /// Compresses a message and hands it to `push`; or says `false`, and the message is to be sent
    /// as it is.
    ///
    /// Once a context that is taken over has seen the message, the peer's must see it too: then it
    /// is sent compressed even if that made it larger.
    #[must_use = "a message that was not pushed is to be sent as it is"]
    pub(crate) fn compress(&mut self, message: &[u8], push: impl FnOnce(Compressed<'_>)) -> bool {
        if message.len() < self.threshold {
            return false;
        }
        let size_max = match self.settings.takeover {
            Takeover::Kept => usize::MAX,
            // What is not smaller without its tail is not worth it.
            Takeover::None => (message.len() + TAIL.len()).saturating_sub(1),
        };
        if message.is_empty() {
            let is_allowed = self.settings.takeover == Takeover::Kept;
            if is_allowed {
                push(Compressed::Small(&EMPTY));
            }
            return is_allowed;
        }
        let settings = self.settings;
        let mut context = self
            .context
            .take()
            .unwrap_or_else(|| take_deflater(settings));
        if std::mem::take(&mut self.is_behind) {
            context.reset();
        }
        let is_pushed = with_scratch(|buffer| {
            let takeover = settings.takeover;
            let Some(size) = context.compress(message, takeover, buffer, size_max) else {
                return false;
            };
            push(payload(buffer, size - TAIL.len()));
            true
        });
        match self.settings.takeover {
            Takeover::Kept => self.context = Some(context),
            Takeover::None => give_back_deflater(settings, context),
        }
        is_pushed
    }

    /// Compresses a fragment of a message and hands it to `push`.
    ///
    /// Whatever the takeover, the fragments of one message look back at each other. Each is given
    /// out to the last byte; the tail is taken away from the message's end only. Of a fragment
    /// without payload, which only the last one may be, nothing went into the context.
    pub(crate) fn compress_fragment(
        &mut self,
        fragment: &[u8],
        fin: Fin,
        push: impl FnOnce(Compressed<'_>),
    ) {
        if fragment.is_empty() {
            push(Compressed::Small(&EMPTY));
        } else {
            let settings = self.settings;
            let new = || take_deflater(settings);
            let context = self.context.get_or_insert_with(new);
            if std::mem::take(&mut self.is_behind) {
                context.reset();
            }
            with_scratch(|buffer| {
                let size = context.compress(fragment, Takeover::Kept, buffer, usize::MAX);
                let size = size.expect("the buffer grows without limit");
                match fin {
                    Fin::More => push(payload(buffer, size)),
                    Fin::Last => push(payload(buffer, size - TAIL.len())),
                }
            });
        }
        if fin == Fin::Last
            && self.settings.takeover == Takeover::None
            && let Some(context) = self.context.take()
        {
            give_back_deflater(self.settings, context);
        }
    }
}

/// The payload in the first `size` bytes of the buffer, which is kept if it has grown.
fn payload(buffer: &mut Vec<u8>, size: usize) -> Compressed<'_> {
    if buffer.len() == SCRATCH_SIZE {
        return Compressed::Small(&buffer[..size]);
    }
    let mut payload = std::mem::take(buffer);
    payload.truncate(size);
    Compressed::Large(payload.into_boxed_slice().into())
}

//! What a client offers of permessage-deflate, and the check of the answer (RFC 7692 §5, §7.1).

use super::deflate::{
    CLIENT_MAX_WINDOW_BITS, CLIENT_NO_CONTEXT_TAKEOVER, NAME, Params, SERVER_MAX_WINDOW_BITS,
    SERVER_NO_CONTEXT_TAKEOVER, push,
};
use super::deflate_error::DeflateError;
use super::grammar::ExtensionOffer;
use crate::deflate::parameters::{
    CompressionLevel, DeflateParameters, DeflateTuning, MemoryLevel, WindowBits,
};

/// What a client asks of permessage-deflate; the default leaves the choice to the server.
///
/// A client has few connections, so both contexts are kept if the server does not object, as in browsers:
/// 48 KiB for what the server sends, up to 96 KiB for what the client sends, each from the first compressed
/// message on.
///
/// ```
/// # use talkback_proto::handshake as talkback;
/// use talkback::DeflateOffer;
/// let offer = DeflateOffer::default().server_no_context_takeover(true);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateOffer {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<WindowBits>,
    client_max_window_bits: Option<WindowBits>,
    tuning: DeflateTuning,
}

impl Default for DeflateOffer {
    fn default() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: None,
            client_max_window_bits: Some(WindowBits::MAX),
            tuning: DeflateTuning::default(),
        }
    }
}

impl DeflateOffer {
    /// Asks that each message of the server can be decompressed alone, so that this end keeps no
    /// context for it (RFC 7692 §7.1.1.1); by default it does not.
    #[must_use]
    pub const fn server_no_context_takeover(mut self, is_asked: bool) -> Self {
        self.server_no_context_takeover = is_asked;
        self
    }

    /// Has this end forget its context after each message (RFC 7692 §7.1.1.2); by default it does
    /// only if the server asks.
    #[must_use]
    pub const fn client_no_context_takeover(mut self, is_kept_to: bool) -> Self {
        self.client_no_context_takeover = is_kept_to;
        self
    }

    /// Asks the server to keep to a window (RFC 7692 §7.1.2.1); by default it chooses.
    #[must_use]
    pub const fn server_max_window_bits(mut self, bits: Option<WindowBits>) -> Self {
        self.server_max_window_bits = bits;
        self
    }

    /// Allows the server to ask for a smaller window, and keeps to this one at most (RFC 7692
    /// §7.1.2.2); the largest by default. With `None` the server may not ask.
    #[must_use]
    pub const fn client_max_window_bits(mut self, bits: Option<WindowBits>) -> Self {
        self.client_max_window_bits = bits;
        self
    }

    /// Sets how this end compresses.
    #[must_use]
    pub const fn tuning(mut self, tuning: DeflateTuning) -> Self {
        self.tuning = tuning;
        self
    }

    /// The offer as the header has it.
    pub(super) fn write(&self) -> String {
        let mut text = NAME.to_owned();
        if self.server_no_context_takeover {
            push(&mut text, SERVER_NO_CONTEXT_TAKEOVER, None);
        }
        if self.client_no_context_takeover {
            push(&mut text, CLIENT_NO_CONTEXT_TAKEOVER, None);
        }
        if let Some(bits) = self.server_max_window_bits {
            push(&mut text, SERVER_MAX_WINDOW_BITS, Some(bits));
        }
        if let Some(bits) = self.client_max_window_bits {
            let value = (bits < WindowBits::MAX).then_some(bits);
            push(&mut text, CLIENT_MAX_WINDOW_BITS, value);
        }
        text
    }

    /// Holds a server's answer against the offer (§7.1).
    pub(super) fn check(&self, answer: &ExtensionOffer) -> Result<DeflateParameters, DeflateError> {
        let answer = Params::read(answer)?;
        // A server accepts by including it (§7.1.1.1).
        if self.server_no_context_takeover && !answer.server_no_context_takeover {
            return Err(DeflateError::ServerContextTakeover);
        }
        let server_bits = match (self.server_max_window_bits, answer.server_max_window_bits) {
            // A server accepts by including it "with the same or smaller value" (§7.1.2.1).
            (Some(_), None) => return Err(DeflateError::ServerWindow),
            (Some(most), Some(bits)) if bits > most.get() => {
                return Err(DeflateError::ServerWindow);
            }
            (_, bits) => bits.unwrap_or(WindowBits::MAX.get()),
        };
        let client_bits = match (self.client_max_window_bits, answer.client_max_window_bits) {
            // "a server MUST NOT include" it if it was not offered (§7.1.2.2).
            (None, Some(_)) => return Err(DeflateError::ClientWindowNotOffered),
            (_, Some(None)) => return Err(DeflateError::value(CLIENT_MAX_WINDOW_BITS)),
            (Some(most), Some(Some(bits))) => {
                WindowBits::new(bits).unwrap_or(WindowBits::MIN).min(most)
            }
            (most, None) => most.unwrap_or(WindowBits::MAX),
        };
        Ok(DeflateParameters {
            server_no_context_takeover: answer.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover
                || answer.client_no_context_takeover,
            server_max_window_bits: WindowBits::new(server_bits).unwrap_or(WindowBits::MIN),
            client_max_window_bits: client_bits,
            tuning: match answer.client_max_window_bits {
                Some(Some(8)) => STORING,
                _ => self.tuning,
            },
        })
    }
}

/// For a server that asks for a window of 8 bits, to which no compressor keeps: messages are sent as
/// they are, and what is sent in fragments is stored, which looks back at nothing.
const STORING: DeflateTuning = DeflateTuning {
    level: Some(CompressionLevel::MIN),
    memory_level: MemoryLevel::MIN,
    threshold: Some(usize::MAX),
};

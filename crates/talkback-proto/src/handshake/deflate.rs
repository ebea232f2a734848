//! The negotiation of permessage-deflate (RFC 7692 §5, §7.1).
//!
//! ```text
//! parameter                    in an offer                      in a response
//! server_no_context_takeover   asks the server                  binds the server
//! client_no_context_takeover   a hint                           binds the client
//! server_max_window_bits=N     asks the server                  binds the server
//! client_max_window_bits[=N]   allows the server to ask; hint   binds the client; only if offered
//! ```

use std::fmt::Write as _;

use http::HeaderValue;

use super::deflate_error::DeflateError;
use super::grammar::{ExtensionOffer, count_work};
use super::server::ServerHandshake;
use crate::deflate::parameters::{
    CompressionLevel, DeflateParameters, DeflateTuning, MemoryLevel, WindowBits,
};

/// The name of the extension (RFC 7692 §7).
pub(super) const NAME: &str = "permessage-deflate";

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// What a client asks of permessage-deflate; the default leaves the choice to the server.
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
    level: CompressionLevel::MIN,
    memory_level: MemoryLevel::MIN,
    threshold: usize::MAX,
};

/// What a server makes of offers of permessage-deflate; by default it accepts them so that neither
/// end keeps a context between messages.
///
/// ```
/// use talkback_proto::handshake::{DeflatePolicy, ServerHandshake};
///
/// # let request = http::Request::get("/chat")
/// #     .header("Host", "echo.example")
/// #     .header("Upgrade", "websocket")
/// #     .header("Connection", "Upgrade")
/// #     .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
/// #     .header("Sec-WebSocket-Version", "13")
/// #     .header("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")
/// #     .body(())?;
/// let handshake = ServerHandshake::read(&request)?;
/// let deflate = DeflatePolicy::default().answer(&handshake);
/// let response = handshake.accept(None, deflate.as_ref().map(|answer| answer.value.clone()))?;
/// assert_eq!(
///     response.headers()["sec-websocket-extensions"],
///     "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflatePolicy {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: WindowBits,
    client_max_window_bits: WindowBits,
    tuning: DeflateTuning,
}

impl Default for DeflatePolicy {
    fn default() -> Self {
        Self {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: WindowBits::MAX,
            client_max_window_bits: WindowBits::MAX,
            tuning: DeflateTuning::default(),
        }
    }
}

/// A server's acceptance of permessage-deflate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeflateAnswer {
    /// The element of the `Sec-WebSocket-Extensions` header of the 101.
    pub value: HeaderValue,
    /// What is agreed on once the 101 is sent.
    pub parameters: DeflateParameters,
}

impl DeflatePolicy {
    /// Sets whether this end forgets its context after each message even if the client does not
    /// ask (RFC 7692 §7.1.1.1); by default it does.
    #[must_use]
    pub const fn server_no_context_takeover(mut self, is_kept_to: bool) -> Self {
        self.server_no_context_takeover = is_kept_to;
        self
    }

    /// Sets whether the client must forget its context after each message (RFC 7692 §7.1.1.2); by
    /// default it must.
    #[must_use]
    pub const fn client_no_context_takeover(mut self, is_asked: bool) -> Self {
        self.client_no_context_takeover = is_asked;
        self
    }

    /// Sets the largest window that this end uses (RFC 7692 §7.1.2.1).
    #[must_use]
    pub const fn server_max_window_bits(mut self, bits: WindowBits) -> Self {
        self.server_max_window_bits = bits;
        self
    }

    /// Sets the largest window that a client is to use, if it allows to ask (RFC 7692 §7.1.2.2).
    /// It saves this end no memory.
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

    /// Accepts the first of the client's offers that can be kept to, if there is one.
    ///
    /// An offer is declined for a parameter that is unknown, stands twice or has a wrong value
    /// (RFC 7692 §7), and for a server's window of 8 bits, to which no compressor here can keep.
    #[must_use]
    pub fn answer(&self, handshake: &ServerHandshake) -> Option<DeflateAnswer> {
        let mut offers = handshake.extensions().iter();
        offers.find_map(|offer| self.accept(offer))
    }

    fn accept(&self, offer: &ExtensionOffer) -> Option<DeflateAnswer> {
        if offer.name != NAME {
            return None;
        }
        let offer = Params::read(offer).ok()?;
        let wished_bits = match offer.server_max_window_bits {
            Some(bits) => Some(WindowBits::new(bits)?),
            None => None,
        };
        let server_bits = wished_bits.map_or(self.server_max_window_bits, |bits| {
            bits.min(self.server_max_window_bits)
        });
        let limit = self.client_max_window_bits;
        let client_bits = match offer.client_max_window_bits {
            // It keeps to that by itself (§7.1.2.2), to 8 bits too.
            Some(Some(bits)) if bits <= limit.get() => None,
            Some(_) if limit < WindowBits::MAX => Some(limit),
            // Without the parameter in the offer, it MUST NOT be in the response (§7.1.2.2).
            _ => None,
        };
        let hinted_bits = offer.client_max_window_bits.flatten();
        let hinted_bits = hinted_bits.map(|bits| WindowBits::new(bits).unwrap_or(WindowBits::MIN));
        let parameters = DeflateParameters {
            // "MUST" be in the response if it was in the accepted offer (§7.1.1.1).
            server_no_context_takeover: offer.server_no_context_takeover
                || self.server_no_context_takeover,
            client_no_context_takeover: offer.client_no_context_takeover
                || self.client_no_context_takeover,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits.or(hinted_bits).unwrap_or(WindowBits::MAX),
            tuning: self.tuning,
        };
        let is_server_bound = wished_bits.is_some() || server_bits < WindowBits::MAX;
        let server_bits = is_server_bound.then_some(server_bits);
        Some(DeflateAnswer {
            value: answer_value(&parameters, server_bits, client_bits),
            parameters,
        })
    }
}

fn answer_value(
    parameters: &DeflateParameters,
    server_bits: Option<WindowBits>,
    client_bits: Option<WindowBits>,
) -> HeaderValue {
    let mut text = NAME.to_owned();
    if parameters.server_no_context_takeover {
        push(&mut text, SERVER_NO_CONTEXT_TAKEOVER, None);
    }
    if parameters.client_no_context_takeover {
        push(&mut text, CLIENT_NO_CONTEXT_TAKEOVER, None);
    }
    if server_bits.is_some() {
        push(&mut text, SERVER_MAX_WINDOW_BITS, server_bits);
    }
    if client_bits.is_some() {
        push(&mut text, CLIENT_MAX_WINDOW_BITS, client_bits);
    }
    HeaderValue::try_from(text).expect("tokens and digits are visible ASCII")
}

fn push(text: &mut String, name: &str, value: Option<WindowBits>) {
    let _ = write!(text, "; {name}");
    if let Some(bits) = value {
        let _ = write!(text, "={}", bits.get());
    }
}

/// The parameters of an offer or a response as they stand there, each once and with a value that
/// it may have.
#[derive(Default)]
struct Params {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    /// From 8 to 15.
    server_max_window_bits: Option<u8>,
    /// From 8 to 15, if there is a value.
    client_max_window_bits: Option<Option<u8>>,
}

impl Params {
    fn read(extension: &ExtensionOffer) -> Result<Self, DeflateError> {
        let mut params = Self::default();
        for (name, value) in &extension.params {
            count_work(name.len() + value.as_ref().map_or(0, String::len));
            let value = value.as_deref();
            let is_repeated = match name.as_str() {
                SERVER_NO_CONTEXT_TAKEOVER => {
                    expect_no_value(SERVER_NO_CONTEXT_TAKEOVER, value)?;
                    std::mem::replace(&mut params.server_no_context_takeover, true)
                }
                CLIENT_NO_CONTEXT_TAKEOVER => {
                    expect_no_value(CLIENT_NO_CONTEXT_TAKEOVER, value)?;
                    std::mem::replace(&mut params.client_no_context_takeover, true)
                }
                SERVER_MAX_WINDOW_BITS => {
                    let bits = value.and_then(window_bits);
                    let bits = bits.ok_or(DeflateError::value(SERVER_MAX_WINDOW_BITS))?;
                    params.server_max_window_bits.replace(bits).is_some()
                }
                CLIENT_MAX_WINDOW_BITS => {
                    let bits = value.map(|value| {
                        window_bits(value).ok_or(DeflateError::value(CLIENT_MAX_WINDOW_BITS))
                    });
                    let bits = bits.transpose()?;
                    params.client_max_window_bits.replace(bits).is_some()
                }
                _ => return Err(DeflateError::UnknownParameter { name: name.clone() }),
            };
            if is_repeated {
                return Err(DeflateError::RepeatedParameter { name: name.clone() });
            }
        }
        Ok(params)
    }
}

/// "A decimal integer value without leading zeroes between 8 to 15, inclusive" (§7.1.2.1).
fn window_bits(value: &str) -> Option<u8> {
    match value.as_bytes() {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

fn expect_no_value(name: &'static str, value: Option<&str>) -> Result<(), DeflateError> {
    match value {
        None => Ok(()),
        Some(_) => Err(DeflateError::value(name)),
    }
}

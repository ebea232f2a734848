//! What a server makes of offers of permessage-deflate (RFC 7692 §5, §7.1).

use http::HeaderValue;

use super::deflate::{
    CLIENT_MAX_WINDOW_BITS, CLIENT_NO_CONTEXT_TAKEOVER, NAME, Params, SERVER_MAX_WINDOW_BITS,
    SERVER_NO_CONTEXT_TAKEOVER, push,
};
use super::grammar::ExtensionOffer;
use super::server::ServerHandshake;
use crate::deflate::parameters::{DeflateParameters, DeflateTuning, WindowBits};

/// What a server makes of offers of permessage-deflate; by default it accepts them so that neither
/// end keeps a context between messages.
///
/// A server has many connections: without contexts, those that compress cost no memory while they are
/// idle. With them a message of 1 KiB out of a feed takes a third fewer bytes, for 48 KiB in each connection for
/// what the client sends, and for what the server sends what
/// [`DeflateTuning::memory_level`](crate::DeflateTuning::memory_level) says.
///
/// ```
/// # use talkback_proto::handshake as talkback;
/// use talkback::DeflatePolicy;
///
/// // Compresses better, for a context of memory in each connection.
/// let policy = DeflatePolicy::default()
///     .server_no_context_takeover(false)
///     .client_no_context_takeover(false);
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
    /// What this end keeps to once the 101 is sent; it may keep a context that the client promised to do
    /// without.
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
    ///
    /// Some clients agree to that and do not keep to it (Mojolicious, Tornado), and fail at their
    /// second compressed message. With `false` nothing of the sort is asked, and this end keeps its
    /// context for what a client sends, 48 KiB for each client from its first compressed message on,
    /// whatever the client offers. One that offers it is told yes all the same, as some insist on that
    /// (gorilla/websocket, NATS).
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
        let mut parameters = DeflateParameters {
            // "MUST" be in the response if it was in the accepted offer (§7.1.1.1).
            server_no_context_takeover: offer.server_no_context_takeover
                || self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits.or(hinted_bits).unwrap_or(WindowBits::MAX),
            tuning: self.tuning,
        };
        let is_server_bound = wished_bits.is_some() || server_bits < WindowBits::MAX;
        let server_bits = is_server_bound.then_some(server_bits);
        let kept = parameters;
        // In an offer it is a hint, which a server may pass over (§7.1.1.2). Some clients do not take that
        // for an answer, and a context that is kept in vain does no harm.
        parameters.client_no_context_takeover |= offer.client_no_context_takeover;
        Some(DeflateAnswer {
            value: answer_value(&parameters, server_bits, client_bits),
            parameters: kept,
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

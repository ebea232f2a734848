//! What a check adds to the answer of an opening handshake.

use std::fmt;

use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE,
};
use http::{Response, StatusCode};
use talkback_proto::handshake::Refusal;

/// A client may connect: what a check of [`accept`](crate::accept()) says, and adds to the 101.
///
/// `()` turns into one that adds nothing.
#[derive(Clone, Default)]
pub struct Approval {
    pub(super) subprotocol: Option<String>,
    headers: HeaderMap,
}

impl Approval {
    /// Chooses this subprotocol of those that the client offers (RFC 6455 §4.2.2), in place of what
    /// [`subprotocols`](crate::Accept::subprotocols) would choose.
    ///
    /// One that the client does not offer is a mistake of the server's program: the client is refused
    /// with 500, and the error says so.
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = Some(name.into());
        self
    }

    /// Adds a header to the 101, such as `Set-Cookie`.
    ///
    /// Those of the handshake, and those that tell of a body, which a 101 has not, are a mistake as an
    /// unknown subprotocol is.
    ///
    /// ```
    /// use http::header::{HeaderValue, SET_COOKIE};
    ///
    /// let cookie = HeaderValue::from_static("seen=1");
    /// let approval = talkback::Approval::default().header(SET_COOKIE, cookie);
    /// ```
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Adds its headers to the 101.
    pub(super) fn complete(self, response: &mut Response<()>) -> Result<(), Refusal> {
        if let Some(name) = self.headers.keys().find(|name| is_reserved(name)) {
            return Err(Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!(
                    "the header {name} belongs to the opening handshake: the server must not add it"
                ),
            ));
        }
        response.headers_mut().extend(self.headers);
        Ok(())
    }
}

impl From<()> for Approval {
    fn from((): ()) -> Self {
        Self::default()
    }
}

/// Shows the headers' names only, and no subprotocol: they may be secrets.
impl fmt::Debug for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&HeaderName> = self.headers.keys().collect();
        f.debug_struct("Approval")
            .field("has_subprotocol", &self.subprotocol.is_some())
            .field("headers", &names)
            .finish()
    }
}

fn is_reserved(name: &HeaderName) -> bool {
    [UPGRADE, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING].contains(name)
        || name.as_str().starts_with("sec-websocket-")
}

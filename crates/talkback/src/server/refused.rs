//! Why a client is not let in.

use std::fmt;

use http::header::{HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use talkback_proto::handshake::Refusal;

use crate::reconnect::draw::Draw;
use crate::websocket::keys::random;

/// Why [`Connections::admit`](super::Connections::admit) has no place for a client.
///
/// It is answered before the upgrade, with a status and a `Retry-After` (RFC 9110 §10.2.3), of a random number of
/// seconds so that those who were refused together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refused {
    /// All places are taken: 503, to be tried again in 5 to 15 s.
    Full,
    /// The client's address has as many as one may have: 429, to be tried again in 5 to 15 s.
    Address,
    /// Addresses have a limit, and the program has not said which the client has: 500. Give it by
    /// [`Accept::peer`](crate::Accept::peer) or `Upgrade::peer`, which in axum is what `ConnectInfo` has.
    NoPeer,
    /// The server stops: 503, to be tried again in 1 to 5 s, when another may be there.
    Draining,
}

impl Refused {
    /// The response for the client: status, `Retry-After`, and a sentence as the body.
    ///
    /// # Panics
    /// Where the operating system has no randomness.
    #[must_use]
    pub fn response(self) -> Response<String> {
        Refusal::from(self).response()
    }

    fn what(self) -> &'static str {
        match self {
            Self::Full => "the server has as many connections as it takes: try again later",
            Self::Address => {
                "this address has as many connections as one may have: close one, or try again later"
            }
            Self::NoPeer => {
                "this server limits the connections of each address, and does not know this client's: have it told by `peer` (in axum, from `ConnectInfo`)"
            }
            Self::Draining => "the server stops: try again, and another may answer",
        }
    }
}

/// What [`accept`](crate::accept()) and `upgrade` answer, and a check of a program's own may.
impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let (status, seconds) = match refused {
            Refused::Full => (StatusCode::SERVICE_UNAVAILABLE, 5..=15),
            Refused::Address => (StatusCode::TOO_MANY_REQUESTS, 5..=15),
            Refused::Draining => (StatusCode::SERVICE_UNAVAILABLE, 1..=5),
            Refused::NoPeer => {
                return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, refused.what());
            }
        };
        let mut draw = Draw::Random(u64::from_ne_bytes(random()));
        let after = seconds.start() + draw.below(seconds.end() - seconds.start() + 1);
        Refusal::new(status, refused.what()).with_header(RETRY_AFTER, HeaderValue::from(after))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what())
    }
}

impl std::error::Error for Refused {}

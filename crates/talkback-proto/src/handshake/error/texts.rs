//! What the errors of the opening handshake say to a person.

use std::error::Error;
use std::fmt;

use crate::handshake::error::Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let advice = match self.status.as_u16() {
            200..=299 => "it speaks HTTP, but not WebSocket at this path: check the path",
            300..=399 => "it redirects: connect to the address in its Location header",
            400 => "it did not understand the request: read the body of its answer",
            401 | 407 => "it wants other credentials: check user name, password or token",
            403 => "it forbids this: check credentials and the Origin header",
            404 | 410 => "it has nothing at this path: check the path",
            426 => "it wants another version or protocol: check that it speaks RFC 6455",
            429 | 503 => "it is busy: try again later",
            500..=599 => "it, or a proxy before it, is at fault: try again later",
            _ => "read the body of its answer",
        };
        let status = self.status;
        write!(
            f,
            "the server answered {status} instead of 101 Switching Protocols; {advice}"
        )
    }
}

impl Error for Refused {}

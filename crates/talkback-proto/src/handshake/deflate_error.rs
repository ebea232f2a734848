//! What can be wrong with the answer to an offer of permessage-deflate.

use std::error::Error;
use std::fmt;

/// The server's answer to an offer of permessage-deflate breaks its rules (RFC 7692 §7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeflateError {
    /// A parameter that the extension does not have.
    UnknownParameter {
        /// The parameter's name.
        name: String,
    },
    /// A parameter that stands twice.
    RepeatedParameter {
        /// The parameter's name.
        name: String,
    },
    /// A parameter with a value that it cannot have, or without the one that it needs.
    Value {
        /// The parameter's name.
        name: &'static str,
    },
    /// The server was asked not to take its context over, and does not say that it will not.
    ServerContextTakeover,
    /// The server was asked to keep to a window, and answers a larger one or none.
    ServerWindow,
    /// The server asks for a client's window, which the client did not allow.
    ClientWindowNotOffered,
}

impl DeflateError {
    pub(super) fn value(name: &'static str) -> Self {
        Self::Value { name }
    }
}

impl fmt::Display for DeflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownParameter { name } => write!(
                f,
                "the server answered permessage-deflate with the unknown parameter {name:?}: the server is at fault; offer no compression (option `compression`) until it is mended"
            ),
            Self::RepeatedParameter { name } => write!(
                f,
                "the server answered permessage-deflate with the parameter {name} twice: the server is at fault; offer no compression (option `compression`) until it is mended"
            ),
            Self::Value { name } => write!(
                f,
                "the server answered permessage-deflate with a wrong value of {name}: the server is at fault; offer no compression (option `compression`) until it is mended"
            ),
            Self::ServerContextTakeover => write!(
                f,
                "the server does not promise the server_no_context_takeover that was asked of it: do not ask, or offer no compression (option `compression`)"
            ),
            Self::ServerWindow => write!(
                f,
                "the server does not promise the server_max_window_bits that were asked of it: do not ask, or offer no compression (option `compression`)"
            ),
            Self::ClientWindowNotOffered => write!(
                f,
                "the server asks for client_max_window_bits, which was not offered: the server is at fault; offer no compression (option `compression`) until it is mended"
            ),
        }
    }
}

impl Error for DeflateError {}

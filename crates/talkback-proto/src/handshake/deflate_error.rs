//! What can be wrong with the answer to an offer of permessage-deflate.

/// The server's answer to an offer of permessage-deflate breaks its rules (RFC 7692 §7.1).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeflateError {
    /// A parameter that the extension does not have.
    #[error(
        "the server answered permessage-deflate with the unknown parameter {name:?}: the server is at fault"
    )]
    UnknownParameter {
        /// The parameter's name.
        name: String,
    },
    /// A parameter that stands twice.
    #[error(
        "the server answered permessage-deflate with the parameter {name} twice: the server is at fault"
    )]
    RepeatedParameter {
        /// The parameter's name.
        name: String,
    },
    /// A parameter with a value that it cannot have, or without the one that it needs.
    #[error(
        "the server answered permessage-deflate with a wrong value of {name}: the server is at fault"
    )]
    Value {
        /// The parameter's name.
        name: &'static str,
    },
    /// The server was asked not to take its context over, and does not say that it will not.
    #[error(
        "the server does not promise the server_no_context_takeover that was asked of it: do not ask, or offer no compression"
    )]
    ServerContextTakeover,
    /// The server was asked to keep to a window, and answers a larger one or none.
    #[error(
        "the server does not promise the server_max_window_bits that were asked of it: do not ask, or offer no compression"
    )]
    ServerWindow,
    /// The server asks for a client's window, which the client did not allow.
    #[error(
        "the server asks for client_max_window_bits, which was not offered: the server is at fault"
    )]
    ClientWindowNotOffered,
}

impl DeflateError {
    pub(super) fn value(name: &'static str) -> Self {
        Self::Value { name }
    }
}

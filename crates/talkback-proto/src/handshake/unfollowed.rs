//! Why a redirect is not followed.

/// Why a client that follows redirects did not follow one (RFC 9110 §15.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unfollowed {
    /// As many were followed as may be.
    TooMany {
        /// How many that is.
        redirects_max: u8,
    },
    /// It leads from `wss://` to `ws://`, where everybody could read along.
    Downgrade,
    /// It leads to a URL with a user name or a password, which no server is to choose for a client.
    UserInfo,
    /// Its `Location` names no address of a WebSocket, is missing, or stands there several times.
    Location,
    /// It leads to another origin than that whose way the program has given.
    OtherOrigin {
        /// The option that gave the way.
        option: &'static str,
    },
}

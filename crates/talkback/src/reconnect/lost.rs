//! How a connection was lost, or why a try failed.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use talkback_proto::CloseInfo;
use talkback_proto::handshake::Refused;

use crate::error::connect::ConnectError;
use crate::reconnect::hook_error::HookError;

/// How a connection was lost, or why a try to connect failed.
///
/// `Display` says why to a person, as in "reconnecting in 3 s (…)". `Debug` shows neither a peer's close
/// reason nor a subprotocol, which may be secrets. A clone costs nothing.
#[derive(Clone)]
pub struct Lost {
    connection: u64,
    cause: Arc<LostCause>,
    lasted: Option<Duration>,
    unknown: u64,
}

/// Why a connection was lost, or a try failed.
#[derive(Clone)]
#[non_exhaustive]
pub enum LostCause {
    /// The connection ended, by a close frame or without one.
    Closed(CloseInfo),
    /// The connection could not be made.
    Connect(ConnectError),
    /// The program's `before_try` failed.
    BeforeTry(HookError),
    /// The program's `on_connected` failed.
    OnConnected(HookError),
    /// Nothing came after the program's heartbeat.
    Heartbeat,
    /// The server agreed on another subprotocol than on the connection before, for which the messages that
    /// wait were made.
    Subprotocol {
        /// The subprotocol before, if there was one.
        was: Option<Box<str>>,
        /// The one now, if there is one.
        is: Option<Box<str>>,
    },
    /// The program asked for a new connection (`reconnect_now`).
    Asked,
    /// The program asked for a pause (`pause`).
    Paused,
    /// The page was left, or went to the browser's back/forward cache.
    PageLeft,
}

impl Lost {
    pub(crate) fn new(
        connection: u64,
        cause: LostCause,
        lasted: Option<Duration>,
        unknown: u64,
    ) -> Self {
        let cause = Arc::new(cause);
        Self {
            connection,
            cause,
            lasted,
            unknown,
        }
    }

    /// The number of the connection that was lost, counted from 1. Where a try failed, it is that of the
    /// connection that was open last, and 0 if none ever was.
    pub fn connection(&self) -> u64 {
        self.connection
    }

    /// Why.
    pub fn cause(&self) -> &LostCause {
        &self.cause
    }

    /// How long the connection was open; `None` where a try failed.
    pub fn lasted(&self) -> Option<Duration> {
        self.lasted
    }

    /// How many messages the connection had that were not written whole: they may have arrived, or not. Those that
    /// were written before may be lost as well, with what the operating system held: only the peer's answers tell.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    /// How the connection ended, if it was open and ended by itself.
    pub fn close_info(&self) -> Option<&CloseInfo> {
        match self.cause() {
            LostCause::Closed(info) => Some(info),
            _ => None,
        }
    }

    /// The server's answer, or else the proxy's, if it refused a try with a status.
    pub fn refused(&self) -> Option<&Refused> {
        match self.cause() {
            LostCause::Connect(ConnectError::Proxy { error, .. }) => error.refused(),
            LostCause::Connect(error) => error.refused(),
            _ => None,
        }
    }

    /// Whether the server, or a proxy, wants other credentials: status 401 or 407.
    pub fn is_unauthorized(&self) -> bool {
        let status = self.refused().map(|refused| refused.status);
        let wanted = [
            StatusCode::UNAUTHORIZED,
            StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        ];
        status.is_some_and(|status| wanted.contains(&status))
    }
}

impl LostCause {
    /// The error that says why, if there is one.
    pub(crate) fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Connect(error) => Some(error),
            Self::BeforeTry(error) | Self::OnConnected(error) => Some(error.error()),
            _ => None,
        }
    }
}

/// Its cause.
impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

/// No text repeats a subprotocol, because it may be a bearer token: the fields have it.
impl fmt::Display for LostCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(info) => info.fmt(f),
            Self::Connect(error) => error.fmt(f),
            Self::BeforeTry(error) => write!(f, "what comes before a try failed: {error}"),
            Self::OnConnected(error) => {
                write!(f, "what begins each connection failed: {error}")
            }
            Self::Heartbeat => f.write_str("nothing came after the heartbeat"),
            Self::Subprotocol { .. } => f.write_str(
                "the server agreed on another subprotocol than before, for which the messages that wait were not made",
            ),
            Self::Asked => f.write_str("this end asked for a new connection"),
            Self::Paused => f.write_str("this end paused"),
            Self::PageLeft => f.write_str("the page was left"),
        }
    }
}

impl fmt::Debug for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lost")
            .field("connection", &self.connection)
            .field("cause", self.cause())
            .field("lasted", &self.lasted)
            .field("unknown", &self.unknown)
            .finish()
    }
}

impl fmt::Debug for LostCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(info) => f.debug_tuple("Closed").field(info).finish(),
            Self::Connect(error) => f.debug_tuple("Connect").field(error).finish(),
            Self::BeforeTry(error) => f.debug_tuple("BeforeTry").field(error).finish(),
            Self::OnConnected(error) => f.debug_tuple("OnConnected").field(error).finish(),
            Self::Heartbeat => f.write_str("Heartbeat"),
            Self::Subprotocol { .. } => f.debug_struct("Subprotocol").finish_non_exhaustive(),
            Self::Asked => f.write_str("Asked"),
            Self::Paused => f.write_str("Paused"),
            Self::PageLeft => f.write_str("PageLeft"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use bytes::Bytes;
    use http::Response;
    use talkback_proto::handshake::HandshakeError;
    use talkback_proto::{CloseCause, CloseCode, Initiator};

    use super::*;

    fn lost(cause: LostCause) -> Lost {
        Lost::new(3, cause, None, 2)
    }

    fn refused(status: u16) -> Lost {
        let mut response = Response::new(());
        *response.status_mut() = status.try_into().unwrap();
        let url = "ws://a.example/".into();
        let error = HandshakeError::refused(&response, Bytes::new());
        lost(LostCause::Connect(ConnectError::Handshake { url, error }))
    }

    #[test]
    fn re52_only_401_and_407_want_other_credentials() {
        for status in [401, 407] {
            assert!(refused(status).is_unauthorized());
        }
        for status in [400, 403, 404, 503] {
            assert!(!refused(status).is_unauthorized(), "{status}");
        }
        assert!(!lost(LostCause::Asked).is_unauthorized());
    }

    #[cfg(not(browser))]
    #[test]
    fn re52_so_does_a_proxy() {
        use crate::error::proxy::{ProxyError, Why};

        let answer = refused(407).refused().unwrap().clone();
        let error = ConnectError::Proxy {
            url: "ws://a.example/".into(),
            proxy: "http://b.example:3128".into(),
            error: ProxyError::new(Why::Refused(Box::new(answer))),
        };
        assert!(lost(LostCause::Connect(error)).is_unauthorized());
    }

    #[test]
    fn re123_no_text_shows_a_subprotocol_and_debug_no_reason() {
        let secret = || Some("hunter2".into());
        let (was, is) = (secret(), secret());
        let subprotocol = lost(LostCause::Subprotocol { was, is });
        let cause = CloseCause::ClosingHandshake;
        let mut info = CloseInfo::abnormal(CloseCode::GOING_AWAY, Initiator::Remote, cause);
        info.reason = "hunter2".into();
        let closed = lost(LostCause::Closed(info));
        let texts = [
            subprotocol.to_string(),
            format!("{subprotocol:?}"),
            format!("{closed:?}"),
        ];
        for text in texts {
            assert!(!text.contains("hunter2"), "{text}");
        }
        // What the peer says to a person is said.
        assert!(closed.to_string().contains("hunter2"), "{closed}");
        assert_eq!(closed.close_info().unwrap().reason, "hunter2");
    }

    #[test]
    fn a_cause_says_why_and_keeps_the_error() {
        let error = io::Error::new(io::ErrorKind::TimedOut, "no answer of the login");
        let cause = LostCause::BeforeTry(error.into());
        let text = "what comes before a try failed: no answer of the login";
        assert_eq!(cause.to_string(), text);
        let source = cause.source().unwrap().downcast_ref::<io::Error>();
        assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::TimedOut));
        assert!(LostCause::Asked.source().is_none());
    }
}

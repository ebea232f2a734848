//! Which failed connects are worth another try.

use std::io;

use http::StatusCode;

use crate::error::ConnectError;
use crate::error::proxy::{ProxyError, Why};

impl ConnectError {
    /// Whether the same connect may succeed a little later, without anything changed by the caller.
    ///
    /// | what failed | |
    /// | --- | --- |
    /// | lookup, TCP, a timeout at any stage, a connection lost in a handshake | yes |
    /// | a browser that does not say why | yes |
    /// | TLS that was ended or reset | yes |
    /// | TLS otherwise: certificate, name, alert, version, or no TLS at all | no |
    /// | status 408, 425, 429, or 5xx but 501 and 505 | yes |
    /// | a proxy that cannot be reached or did not get through; its status by the same rules | yes |
    /// | a proxy that wants a password, forbids it, or breaks the rules | no |
    /// | any other status, a 101 that is wrong, an answer that is not HTTP | no |
    /// | a Unix socket, but for a path that is too long | yes |
    /// | the URL, a header, an option, a feature that is missing, what a browser refuses | no |
    ///
    /// Wait before the next try, and longer each time; a `Retry-After` is among the headers of
    /// what [`refused`](Self::refused) gives.
    ///
    /// ```
    /// # #[cfg(not(target_family = "wasm"))]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let error = talkback::connect("ws://127.0.0.1:1/").await.unwrap_err();
    /// assert!(error.is_retryable(), "no server yet");
    /// let error = talkback::connect("http://127.0.0.1:1/").await.unwrap_err();
    /// assert!(!error.is_retryable(), "the URL stays wrong");
    /// # }
    /// ```
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Resolve { .. }
            | Self::Tcp { .. }
            | Self::Lost { .. }
            | Self::Timeout { .. }
            | Self::Browser { .. } => true,
            // What a check of TLS has found is invalid data; the rest is the transport's.
            Self::Tls { error, .. } => error.kind() != io::ErrorKind::InvalidData,
            // No socket has such a path.
            Self::UnixSocket { error, .. } => error.kind() != io::ErrorKind::InvalidInput,
            Self::Handshake { .. } => self.refused().is_some_and(|it| is_passing(it.status)),
            Self::Proxy { error, .. } => may_proxy_pass(error),
            Self::Url(_)
            | Self::NoTls { .. }
            | Self::TlsOption { .. }
            | Self::Header { .. }
            | Self::Option { .. }
            | Self::NotInBrowser { .. }
            | Self::BrowserRefused { .. } => false,
        }
    }
}

/// Whether a proxy may lead to the server a little later.
fn may_proxy_pass(error: &ProxyError) -> bool {
    match error.why() {
        Why::Resolve(_) | Why::Tcp(_) | Why::Lost(_) | Why::SocksPassing(_) => true,
        Why::Tls(error, _) => error.kind() != io::ErrorKind::InvalidData,
        Why::Refused(refused) => is_passing(refused.status),
        Why::Setting(_) | Why::NoTls | Why::Head(_) | Why::Socks(_) => false,
    }
}

/// Whether a status is about now, not about the request.
fn is_passing(status: StatusCode) -> bool {
    match status.as_u16() {
        408 | 425 | 429 => true,
        501 | 505 => false,
        _ => status.is_server_error(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use http::Response;
    use talkback_proto::handshake::{HandshakeError, HeadError, UrlError};

    use super::*;
    use crate::error::Stage;

    const URL: &str = "wss://a.example/";

    fn tls(kind: io::ErrorKind) -> ConnectError {
        ConnectError::Tls {
            url: URL.into(),
            error: Arc::new(kind.into()),
            advice: "",
        }
    }

    fn handshake(error: HandshakeError) -> ConnectError {
        let url = URL.into();
        ConnectError::Handshake { url, error }
    }

    fn status(status: u16) -> ConnectError {
        let mut response = Response::new(());
        *response.status_mut() = status.try_into().unwrap();
        handshake(HandshakeError::refused(&response, Bytes::new()))
    }

    #[test]
    fn what_may_pass_is_retryable() {
        let error = || Arc::new(io::Error::from(io::ErrorKind::ConnectionRefused));
        let mut errors = vec![
            ConnectError::Resolve {
                host: "a.example".into(),
                error: error(),
            },
            ConnectError::Tcp {
                url: URL.into(),
                error: error(),
            },
            ConnectError::Lost {
                url: URL.into(),
                error: error(),
            },
            ConnectError::UnixSocket {
                path: "/run/a.sock".into(),
                error: error(),
            },
            ConnectError::Browser { url: URL.into() },
            tls(io::ErrorKind::UnexpectedEof),
            tls(io::ErrorKind::ConnectionReset),
        ];
        let stages = [
            Stage::Resolve,
            Stage::Tcp,
            Stage::Proxy,
            Stage::Tls,
            Stage::Handshake,
        ];
        errors.extend(stages.map(|stage| ConnectError::Timeout {
            url: URL.into(),
            after: Duration::ZERO,
            stage,
        }));
        errors.extend([408, 425, 429, 500, 502, 503, 504, 599].map(status));
        for error in errors {
            assert!(error.is_retryable(), "{error:?}");
        }
    }

    #[test]
    fn what_stays_wrong_is_not() {
        let mut errors = vec![
            ConnectError::Url(UrlError::Host),
            ConnectError::NoTls { url: URL.into() },
            ConnectError::TlsOption {
                what: "the roots",
                error: String::new(),
            },
            ConnectError::Header {
                name: "a".into(),
                error: String::new(),
            },
            ConnectError::Option {
                option: "host",
                error: String::new(),
            },
            ConnectError::UnixSocket {
                path: "/run/a.sock".into(),
                error: Arc::new(io::ErrorKind::InvalidInput.into()),
            },
            ConnectError::NotInBrowser {
                option: "header",
                instead: "",
            },
            ConnectError::BrowserRefused {
                url: URL.into(),
                error: String::new(),
                advice: "",
            },
            tls(io::ErrorKind::InvalidData),
            handshake(HandshakeError::Accept),
            handshake(HandshakeError::Head(HeadError::NotHttp)),
        ];
        errors.extend([200, 301, 400, 401, 403, 404, 407, 426, 501, 505].map(status));
        for error in errors {
            assert!(!error.is_retryable(), "{error:?}");
        }
    }
}

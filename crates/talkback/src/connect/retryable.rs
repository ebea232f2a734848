//! Which failed connects are worth another try.

use std::io;

use http::StatusCode;
use talkback_proto::handshake::HandshakeError;

use crate::error::connect::ConnectError;
use crate::error::proxy::ProxyError;
#[cfg(not(browser))]
use crate::error::proxy::Why;

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
    /// what [`refused`](Self::refused) gives. A channel that reconnects does so itself.
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
        self.outlook() == Outlook::Passing
    }

    /// Whether another try may succeed.
    pub(crate) fn outlook(&self) -> Outlook {
        match self {
            Self::Resolve { .. }
            | Self::Tcp { .. }
            | Self::Lost { .. }
            | Self::Timeout { .. }
            | Self::Browser { .. } => Outlook::Passing,
            Self::Tls { error, .. } => of_tls(error),
            // No socket has such a path.
            Self::UnixSocket { error, .. } => match error.kind() {
                io::ErrorKind::InvalidInput => Outlook::Lasting,
                _ => Outlook::Passing,
            },
            Self::Handshake { error, .. } => of_handshake(error),
            Self::Proxy { error, .. } => of_proxy(error),
            Self::Url(_)
            | Self::NoTls { .. }
            | Self::TlsOption { .. }
            | Self::Header { .. }
            | Self::Option { .. }
            | Self::NotInBrowser { .. }
            | Self::BrowserRefused { .. } => Outlook::Lasting,
        }
    }
}

/// What a failure says of another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// It may succeed a little later.
    Passing,
    /// The other side would have to change, as while it is being deployed.
    Changing,
    /// The server wants other credentials than were sent.
    Unauthorized,
    /// It fails as this one did: the caller would have to change something, or the peer has said so.
    Lasting,
}

/// What a check of TLS has found is invalid data; the rest is the transport's.
fn of_tls(error: &io::Error) -> Outlook {
    match error.kind() {
        io::ErrorKind::InvalidData => Outlook::Changing,
        _ => Outlook::Passing,
    }
}

fn of_handshake(error: &HandshakeError) -> Outlook {
    use HandshakeError as H;
    match error {
        H::Status(refused) => match refused.status.as_u16() {
            401 | 407 => Outlook::Unauthorized,
            _ => of_status(refused.status),
        },
        // These were found before a byte was written.
        H::InvalidSubprotocol { .. }
        | H::DuplicateSubprotocol { .. }
        | H::ReservedHeader { .. }
        | H::TooManyHeaders
        | H::InvalidExtensions => Outlook::Lasting,
        // An answer that is none, or a 101 that is wrong.
        _ => Outlook::Changing,
    }
}

#[cfg(browser)]
fn of_proxy(error: &ProxyError) -> Outlook {
    match *error.why() {}
}

#[cfg(not(browser))]
fn of_proxy(error: &ProxyError) -> Outlook {
    match error.why() {
        Why::Resolve(_) | Why::Tcp(_) | Why::Lost(_) | Why::SocksPassing(_) => Outlook::Passing,
        Why::Tls(error, _) => of_tls(error),
        // It was given the credentials that there are for it.
        Why::Refused(refused) if refused.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Outlook::Lasting
        }
        Why::Refused(refused) => of_status(refused.status),
        Why::Head(_) => Outlook::Changing,
        Why::Setting(_) | Why::NoTls | Why::Socks(_) => Outlook::Lasting,
    }
}

/// Whether a status is about now or about the request.
fn of_status(status: StatusCode) -> Outlook {
    match status.as_u16() {
        408 | 425 | 429 => Outlook::Passing,
        501 | 505 => Outlook::Changing,
        _ if status.is_server_error() => Outlook::Passing,
        _ => Outlook::Changing,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use http::Response;
    use talkback_proto::handshake::{HeadError, UrlError};

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

    #[test]
    fn re20_re21_what_the_other_side_would_have_to_change_is_told_from_what_this_end_would() {
        let mut changing = vec![
            tls(io::ErrorKind::InvalidData),
            handshake(HandshakeError::Accept),
            handshake(HandshakeError::Upgrade),
            handshake(HandshakeError::Head(HeadError::NotHttp)),
            handshake(HandshakeError::SubprotocolNotOffered {
                subprotocol: "b".into(),
            }),
        ];
        changing.extend([200, 301, 400, 403, 404, 410, 426, 501, 505].map(status));
        for error in changing {
            assert_eq!(error.outlook(), Outlook::Changing, "{error:?}");
        }
        for error in [401, 407].map(status) {
            assert_eq!(error.outlook(), Outlook::Unauthorized, "{error:?}");
        }
        for error in [
            ConnectError::Url(UrlError::Host),
            ConnectError::NoTls { url: URL.into() },
            handshake(HandshakeError::TooManyHeaders),
            handshake(HandshakeError::InvalidSubprotocol {
                subprotocol: "a b".into(),
            }),
        ] {
            assert_eq!(error.outlook(), Outlook::Lasting, "{error:?}");
        }
    }

    #[cfg(not(browser))]
    #[test]
    fn px19_each_failure_of_a_proxy_has_its_verdict() {
        let refused = |code: u16| {
            let answer = status(code).refused().unwrap().clone();
            Why::Refused(Box::new(answer))
        };
        let io = |kind: io::ErrorKind| Arc::new(io::Error::from(kind));
        let passing = [
            Why::Resolve(io(io::ErrorKind::NotFound)),
            Why::Tcp(io(io::ErrorKind::ConnectionRefused)),
            Why::Lost(io(io::ErrorKind::UnexpectedEof)),
            Why::SocksPassing("the way from it is too long"),
            refused(500),
            refused(502),
            refused(503),
            refused(504),
        ];
        let changing = [
            Why::Head(HeadError::NotHttp),
            refused(302),
            refused(400),
            refused(403),
            refused(404),
            refused(501),
        ];
        let lasting = [
            Why::Setting("it has no host"),
            Why::Socks("it forbids this"),
            refused(407),
        ];
        for (whys, outlook) in [
            (passing.to_vec(), Outlook::Passing),
            (changing.to_vec(), Outlook::Changing),
            (lasting.to_vec(), Outlook::Lasting),
        ] {
            for why in whys {
                let error = ConnectError::Proxy {
                    url: URL.into(),
                    proxy: "http://b.example:3128".into(),
                    error: ProxyError::new(why),
                };
                assert_eq!(error.outlook(), outlook, "{error:?}");
            }
        }
    }
}

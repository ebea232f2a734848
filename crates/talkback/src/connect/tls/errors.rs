//! What TLS says went wrong, and what would help.

use std::fmt;
use std::io;
use std::sync::Arc;

use talkback_proto::handshake::WsUrl;
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error};

use crate::error::ConnectError;

/// An option that cannot be used, and what to give in its place.
pub(super) fn option_error(
    what: &'static str,
    error: &dyn fmt::Display,
    advice: &str,
) -> ConnectError {
    ConnectError::TlsOption {
        what,
        error: format!("{error}. {advice}"),
    }
}

/// An error of TLS as one that says which check failed and what would help.
pub(crate) fn tls_error(url: &WsUrl, error: io::Error) -> ConnectError {
    let advice = error_of(&error).map_or(NOT_TLS, advice);
    ConnectError::Tls {
        url: url.to_string(),
        error: Arc::new(error),
        advice,
    }
}

/// An error of reading, where rustls explains an end without close_notify with a link.
pub(crate) fn read_error(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        let what = "the peer ended TCP without ending TLS (no close_notify)";
        return io::Error::new(io::ErrorKind::UnexpectedEof, what);
    }
    error
}

/// Whether an I/O error is one of TLS, as when a server refuses a client after the handshake.
pub(crate) fn is_tls_error(error: &io::Error) -> bool {
    error_of(error).is_some()
}

fn error_of(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

const NOT_TLS: &str = "Check that the server speaks TLS at this port, or use ws://";

fn advice(error: &Error) -> &'static str {
    match error {
        Error::InvalidCertificate(error) => advice_on_certificate(error),
        Error::AlertReceived(alert) => advice_on_alert(*alert),
        Error::PeerIncompatible(_) => OTHER_VERSION,
        _ => NOT_TLS,
    }
}

fn advice_on_certificate(error: &CertificateError) -> &'static str {
    use CertificateError as C;
    match error {
        C::Expired | C::ExpiredContext { .. } => {
            "The server's certificate has expired: have it renewed, or set this machine's clock"
        }
        C::NotValidYet | C::NotValidYetContext { .. } => {
            "The server's certificate is not valid yet: set this machine's clock"
        }
        C::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "The server's certificate names its host in no subjectAltName, where alone clients look: have it issued with one, as `openssl req -x509 -addext subjectAltName=DNS:localhost` does"
        }
        C::NotValidForName | C::NotValidForNameContext { .. } => {
            "The server's certificate is for another host: connect to the name that it was issued for"
        }
        C::UnknownIssuer => {
            "No trusted root vouches for the server's certificate: give its root with `tls_roots`; for a self-signed one in development there is `danger_accept_any_certificate`"
        }
        C::BadSignature => {
            "Either the server does not hold the key that its certificate names, and is not who it says, or what vouches for the certificate has another key than the root of that name: give its root with `tls_roots`"
        }
        _ => {
            "The server's certificate is not one that a client can check: have it replaced by one of X.509 version 3 for this host; in development give that very certificate with `tls_roots`, or use `danger_accept_any_certificate`"
        }
    }
}

const OTHER_VERSION: &str =
    "The server's TLS has nothing in common with this client's, 1.2 and 1.3: have it updated";

fn advice_on_alert(alert: AlertDescription) -> &'static str {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired
        | A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateExpired
        | A::CertificateUnknown
        | A::UnknownCA
        | A::AccessDenied
        | A::DecryptError
        | A::HandshakeFailure => {
            "The server refuses this client: it may want a client certificate, given with `tls_client_certificate`"
        }
        A::NoApplicationProtocol => {
            "The server does not speak HTTP/1.1 at this port, which a WebSocket is opened over: check host and port"
        }
        A::UnrecognisedName => "The server does not go by this name: check the host",
        A::ProtocolVersion | A::InsufficientSecurity => OTHER_VERSION,
        _ => NOT_TLS,
    }
}

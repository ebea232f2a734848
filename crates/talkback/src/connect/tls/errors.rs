//! What TLS says went wrong, and what would help.

use std::fmt;
use std::io;
use std::sync::Arc;

use talkback_proto::handshake::WsUrl;
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error};

use crate::connect::tls_options::{TlsOptions, Trust};
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

/// Which options the program has given, so that none of them is advised.
#[derive(Clone, Copy)]
pub(crate) struct Given {
    roots: Roots,
    has_identity: bool,
    has_withheld_identity: bool,
}

/// What vouches for a server's certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Roots {
    /// The platform's, or those that are built in.
    Platform,
    /// Those of `tls_roots`.
    Own,
    /// Nothing has to.
    None,
    /// What the program's own configuration says.
    #[cfg(feature = "rustls-0-23")]
    Config,
}

impl Given {
    pub(crate) fn of(options: &TlsOptions) -> Self {
        let roots = match (options.trust, &options.roots_pem) {
            (Trust::Anything, _) => Roots::None,
            (Trust::Roots, Some(_)) => Roots::Own,
            (Trust::Roots, None) => Roots::Platform,
        };
        #[cfg(feature = "rustls-0-23")]
        let roots = options.config.as_ref().map_or(roots, |_| Roots::Config);
        let has_identity = options.identity_pem.is_some();
        Self {
            roots,
            has_identity,
            has_withheld_identity: options.has_withheld_identity,
        }
    }
}

/// An error of TLS as one that says which check failed and what would help.
pub(crate) fn tls_error(url: &WsUrl, error: io::Error, given: Given) -> ConnectError {
    let advice = error_of(&error).map_or(NOT_TLS, |error| advice(error, given));
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

fn advice(error: &Error, given: Given) -> &'static str {
    match error {
        Error::InvalidCertificate(error) => advice_on_certificate(error, given.roots),
        Error::AlertReceived(alert) => advice_on_alert(*alert, given),
        Error::PeerIncompatible(_) => OTHER_VERSION,
        Error::PeerMisbehaved(_) | Error::DecryptError | Error::PeerSentOversizedRecord => {
            "The server, or something between, breaks the rules of TLS: have it updated"
        }
        // The verifier's: of what a server sends rustls says none of these.
        Error::General(_) if given.roots == Roots::Platform => {
            "This platform cannot check the server's certificate by itself. On Android the app has to initialize rustls-platform-verifier, and to have its Kotlin part; or give roots with `tls_roots`, or build talkback with its feature `webpki-roots` in place of `platform-roots`"
        }
        Error::FailedToGetCurrentTime => "This machine's clock cannot be read: set it",
        _ => NOT_TLS,
    }
}

/// What to do about TLS with a proxy that failed.
pub(crate) fn advice_on_proxy(error: &io::Error) -> &'static str {
    use CertificateError as C;
    match error_of(error) {
        Some(Error::InvalidCertificate(C::UnknownIssuer)) => {
            "No trusted root vouches for the proxy's certificate: give its root with `proxy_tls_roots`"
        }
        Some(Error::InvalidCertificate(_)) => {
            "The proxy's certificate is not good for it: use the name that it was issued for, have it replaced, or set this machine's clock"
        }
        Some(Error::General(_)) => {
            "This platform cannot check the proxy's certificate by itself. On Android the app has to initialize rustls-platform-verifier, and to have its Kotlin part; or give the proxy's root with `proxy_tls_roots`"
        }
        Some(Error::AlertReceived(_) | Error::PeerIncompatible(_)) => {
            "The proxy refuses this client: it may want a client certificate, which this client has none of, or another version of TLS than 1.2 and 1.3"
        }
        _ => "Check that the proxy speaks TLS at this port, or use http:// in its URL",
    }
}

fn advice_on_certificate(error: &CertificateError, roots: Roots) -> &'static str {
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
        C::Revoked => "The server's certificate was revoked: have it replaced",
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => {
            "The server's certificate is not one for servers: have it replaced by one whose extendedKeyUsage has serverAuth"
        }
        C::UnknownIssuer => advice_on_issuer(roots),
        C::BadSignature => advice_on_signature(roots),
        _ => advice_on_form(roots),
    }
}

fn advice_on_issuer(roots: Roots) -> &'static str {
    match roots {
        Roots::Platform => {
            "No trusted root vouches for the server's certificate: give its root with `tls_roots`; for a self-signed one in development there is `danger_accept_any_certificate`"
        }
        Roots::Own => {
            "None of the roots given with `tls_roots` vouches for the server's certificate: add that under which it was issued (itself, if it is self-signed), and have the server send the certificates between"
        }
        Roots::None => "No root vouches for the server's certificate: have it replaced",
        #[cfg(feature = "rustls-0-23")]
        Roots::Config => {
            "No root of the configuration given with `rustls_0_23` vouches for the server's certificate: add that under which it was issued"
        }
    }
}

fn advice_on_signature(roots: Roots) -> &'static str {
    match roots {
        Roots::Platform => {
            "Either the server does not hold the key that its certificate names, and is not who it says, or what vouches for the certificate has another key than the root of that name: give its root with `tls_roots`"
        }
        _ => {
            "Either the server does not hold the key that its certificate names, and is not who it says, or what vouches for the certificate has another key than the root of that name that was given: give the right one, which is the certificate itself if it is self-signed"
        }
    }
}

/// A certificate that cannot be read, or is not of a form that is taken.
fn advice_on_form(roots: Roots) -> &'static str {
    match roots {
        Roots::Platform => {
            "The server's certificate is not one that a client takes: it may be an authority's, as `openssl req -x509` makes it, or none of X.509 version 3. Have it replaced by one that an authority has issued for this host; in development give that very certificate with `tls_roots`, or use `danger_accept_any_certificate`"
        }
        Roots::Own => {
            "The server's certificate is not one that a client takes: it may be an authority's, as `openssl req -x509` makes it, or none of X.509 version 3. Have it replaced by one that an authority has issued for this host; in development add that very certificate to those given with `tls_roots`, or use `danger_accept_any_certificate`"
        }
        _ => {
            "The server's certificate is not one that a client takes: it may be an authority's, as `openssl req -x509` makes it, or none of X.509 version 3. Have it replaced by one that an authority has issued for this host"
        }
    }
}

const OTHER_VERSION: &str =
    "The server's TLS has nothing in common with this client's, 1.2 and 1.3: have it updated";

fn advice_on_alert(alert: AlertDescription, given: Given) -> &'static str {
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
        | A::HandshakeFailure => advice_on_refusal(given),
        A::NoApplicationProtocol => {
            "The server does not speak HTTP/1.1 at this port, which a WebSocket is opened over: check host and port"
        }
        A::UnrecognisedName => "The server does not go by this name: check the host",
        A::ProtocolVersion | A::InsufficientSecurity => OTHER_VERSION,
        _ => NOT_TLS,
    }
}

fn advice_on_refusal(given: Given) -> &'static str {
    match given.roots {
        #[cfg(feature = "rustls-0-23")]
        Roots::Config => {
            "The server refuses this client: it may want another client certificate than the configuration given with `rustls_0_23` has"
        }
        _ if given.has_identity => {
            "The server refuses this client: check that its certificate is in date, and that an authority which the server trusts has issued it"
        }
        _ if given.has_withheld_identity => {
            "The server refuses this client: it may want the certificate given with `tls_client_certificate`, which does not go along to another origin, to which a redirect has led: connect to this URL"
        }
        _ => {
            "The server refuses this client: it may want a client certificate, given with `tls_client_certificate`"
        }
    }
}

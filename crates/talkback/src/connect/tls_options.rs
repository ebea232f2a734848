//! What a client wants of TLS, also where there is none to honour it.

use std::fmt;

/// What a client wants of TLS; the default trusts what the platform trusts.
#[derive(Clone, Default)]
pub(crate) struct TlsOptions {
    /// Own roots in PEM, in place of the platform's.
    pub(crate) roots_pem: Option<Vec<u8>>,
    /// A certificate chain and its private key, in PEM.
    pub(crate) identity_pem: Option<(Vec<u8>, Vec<u8>)>,
    pub(crate) trust: Trust,
    /// The program's own configuration, in place of all that.
    #[cfg(all(feature = "rustls-0-23", not(browser)))]
    pub(crate) config: Option<std::sync::Arc<tokio_rustls::rustls::ClientConfig>>,
}

/// Which certificates of servers are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Those that a root vouches for.
    #[default]
    Roots,
    /// Any at all.
    Anything,
}

impl TlsOptions {
    /// The first of the options for those who have no configuration of their own.
    #[cfg(any(browser, feature = "rustls-0-23"))]
    pub(crate) fn asked(&self) -> Option<&'static str> {
        let roots = self.roots_pem.as_ref().map(|_| "tls_roots");
        let identity = self.identity_pem.as_ref().map(|_| "tls_client_certificate");
        let anything = (self.trust == Trust::Anything).then_some("danger_accept_any_certificate");
        roots.or(identity).or(anything)
    }
}

/// Keys are secrets.
impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions")
            .field("has_own_roots", &self.roots_pem.is_some())
            .field("has_identity", &self.identity_pem.is_some())
            .field("trust", &self.trust)
            .finish()
    }
}

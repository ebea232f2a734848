//! What a client wants of TLS, also where there is none to honour it.

use std::fmt;
use std::sync::Arc;
#[cfg(all(feature = "tls", not(browser)))]
use std::sync::OnceLock;

#[cfg(all(feature = "tls", not(browser)))]
use tokio_rustls::rustls::ClientConfig;

/// A text of PEM, which clones share.
pub(crate) type Pem = Arc<[u8]>;

/// What a client wants of TLS; the default trusts what the platform trusts.
#[derive(Clone, Default)]
pub(crate) struct TlsOptions {
    /// Own roots in PEM, in place of the platform's.
    pub(crate) roots_pem: Option<Pem>,
    /// A certificate chain and its private key, in PEM.
    pub(crate) identity_pem: Option<(Pem, Pem)>,
    /// Whether there is one that is not for this server.
    #[cfg(all(feature = "tls", not(browser)))]
    pub(crate) has_withheld_identity: bool,
    pub(crate) trust: Trust,
    /// The program's own configuration, in place of all that.
    #[cfg(all(feature = "rustls-0-23", not(browser)))]
    pub(crate) config: Option<Arc<ClientConfig>>,
    /// What the first who connected made of them. Clones have it, too, so that it is made once for all of
    /// their tries, and a session of one is resumed by the next.
    #[cfg(all(feature = "tls", not(browser)))]
    pub(crate) made: Arc<OnceLock<Arc<ClientConfig>>>,
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
    pub(super) fn set_roots(&mut self, pem: Vec<u8>) {
        self.roots_pem = Some(pem.into());
        self.leave_clones();
    }

    pub(super) fn set_identity(&mut self, chain_pem: Vec<u8>, key_pem: Vec<u8>) {
        self.identity_pem = Some((chain_pem.into(), key_pem.into()));
        self.leave_clones();
    }

    pub(super) fn trust_anything(&mut self) {
        self.trust = Trust::Anything;
        self.leave_clones();
    }

    /// What another origin gets of them, to which a redirect has led: all but the client certificate. A
    /// configuration of the program's own stays whole.
    #[cfg(all(feature = "tls", not(browser)))]
    pub(crate) fn for_other_origin(&self) -> Self {
        let mut options = self.clone();
        if options.identity_pem.take().is_some() {
            options.has_withheld_identity = true;
            options.leave_clones();
        }
        options
    }

    /// What was made of other options, by a clone, is not shared any more.
    fn leave_clones(&mut self) {
        #[cfg(all(feature = "tls", not(browser)))]
        {
            self.made = Arc::default();
        }
    }

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

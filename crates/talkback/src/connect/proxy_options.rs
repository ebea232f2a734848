//! What a client wants of proxies, also where the browser decides on them.

use std::fmt;

use crate::connect::tls_options::TlsOptions;

/// What a client wants of proxies; the default asks the environment.
#[derive(Clone, Default)]
pub(crate) struct ProxyOptions {
    pub(crate) choice: ProxyChoice,
    /// For TLS to the proxy: roots alone. What else the program wants of TLS is for the server: a client
    /// certificate, or accepting anything.
    pub(crate) tls: TlsOptions,
}

/// Whose proxy it is.
#[derive(Clone, Default)]
pub(crate) enum ProxyChoice {
    /// That of the environment, if it names one for the URL.
    #[default]
    Environment,
    /// None at all.
    Direct,
    /// The one at this URL, for every host.
    Url(#[cfg_attr(browser, allow(dead_code, reason = "proxies are the browser's"))] String),
}

impl ProxyOptions {
    /// The first of the options that was asked for.
    #[cfg(browser)]
    pub(crate) fn asked(&self) -> Option<&'static str> {
        match self.choice {
            ProxyChoice::Environment => self.tls.asked().map(|_| "proxy_tls_roots"),
            ProxyChoice::Direct | ProxyChoice::Url(_) => Some("proxy"),
        }
    }
}

/// The URL may hold a password.
impl fmt::Debug for ProxyOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let choice = match self.choice {
            ProxyChoice::Environment => "Environment",
            ProxyChoice::Direct => "Direct",
            ProxyChoice::Url(_) => "Url(…)",
        };
        f.debug_struct("ProxyOptions")
            .field("choice", &format_args!("{choice}"))
            .field("tls", &self.tls)
            .finish()
    }
}

//! What a program brings of its own to reach a server, also where the browser does that.

use std::fmt;
use std::io;
use std::net::SocketAddr;
#[cfg(not(browser))]
use std::pin::Pin;
#[cfg(not(browser))]
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::connect::destination::Destination;
#[cfg(not(browser))]
use crate::connect::proxy_options::{ProxyChoice, ProxyOptions};
#[cfg(not(browser))]
use crate::connect::transport::Transport;
#[cfg(not(browser))]
use crate::error::ConnectError;

#[cfg(not(browser))]
pub(crate) type Connecting = Pin<Box<dyn Future<Output = io::Result<Transport>> + Send>>;
/// What makes the transport of each try.
#[cfg(not(browser))]
pub(crate) type Connector = dyn Fn(Destination) -> Connecting + Send + Sync;

#[cfg(not(browser))]
pub(crate) type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;
/// What looks up a host's addresses.
#[cfg(not(browser))]
pub(crate) type Resolver = dyn Fn(String, u16) -> Resolving + Send + Sync;

/// What a program brings of its own; by default the system does it all.
#[derive(Clone, Default)]
pub(crate) struct DialOptions {
    #[cfg(not(browser))]
    pub(crate) connector: Option<Arc<Connector>>,
    #[cfg(not(browser))]
    pub(crate) resolver: Option<Arc<Resolver>>,
    /// The first of the options that was asked for.
    #[cfg(browser)]
    pub(crate) asked: Option<&'static str>,
}

#[cfg(not(browser))]
impl DialOptions {
    /// Finds what cannot be used together. A proxy of the environment is for the dials of this crate.
    pub(super) fn check(&self, proxy: &ProxyOptions) -> Result<(), ConnectError> {
        if self.connector.is_none() || !matches!(proxy.choice, ProxyChoice::Url(_)) {
            return Ok(());
        }
        let error = "no proxy is asked beside it: leave `proxy` out, or connect to the proxy in it";
        Err(ConnectError::Option {
            option: "connector",
            error: error.to_owned(),
        })
    }

    pub(super) fn set_connector<F, Fut, T>(&mut self, connector: F)
    where
        F: Fn(Destination) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<T>> + Send + 'static,
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        self.connector = Some(Arc::new(move |destination| -> Connecting {
            let connecting = connector(destination);
            Box::pin(async move { connecting.await.map(Transport::own) })
        }));
    }

    pub(super) fn set_resolver<F, Fut>(&mut self, resolver: F)
    where
        F: Fn(String, u16) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        self.resolver = Some(Arc::new(move |host, port| -> Resolving {
            Box::pin(resolver(host, port))
        }));
    }
}

/// A browser makes its connections itself.
#[cfg(browser)]
impl DialOptions {
    pub(super) fn set_connector<F, Fut, T>(&mut self, _: F)
    where
        F: Fn(Destination) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<T>> + Send + 'static,
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        self.asked.get_or_insert("connector");
    }

    pub(super) fn set_resolver<F, Fut>(&mut self, _: F)
    where
        F: Fn(String, u16) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        self.asked.get_or_insert("resolver");
    }
}

/// Functions have nothing to show.
#[cfg(not(browser))]
impl fmt::Debug for DialOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DialOptions")
            .field("has_connector", &self.connector.is_some())
            .field("has_resolver", &self.resolver.is_some())
            .finish()
    }
}

#[cfg(browser)]
impl fmt::Debug for DialOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DialOptions")
            .field("asked", &self.asked)
            .finish()
    }
}

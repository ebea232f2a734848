//! How an echo server listens and what it accepts.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use talkback::server::{Connections, Drain};
use talkback::{DeflatePolicy, Limits, OriginPolicy};

use crate::metrics::Metrics;
#[cfg(feature = "tls")]
use crate::tls::Identity;
use crate::web::WebFiles;

/// How an echo server listens and what it accepts.
///
/// ```
/// use talkback_echo::{Echo, EchoOptions};
///
/// # fn main() -> std::io::Result<()> {
/// let echo = Echo::start(EchoOptions::default().subprotocols(["chat"]))?;
/// let channel = talkback::connect(echo.url()).subprotocol("chat").channel();
/// # assert!(channel.ready().wait().is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct EchoOptions {
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) origin_policy: OriginPolicy,
    pub(crate) limits: Limits,
    pub(crate) compression: Option<DeflatePolicy>,
    pub(crate) connections: Option<Connections>,
    pub(crate) drain: Drain,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) logs_messages: bool,
    pub(crate) web: Option<WebFiles>,
    pub(crate) metrics: Option<Metrics>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Identity>,
}

impl Default for EchoOptions {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
            subprotocols: Vec::new(),
            origin_policy: OriginPolicy::Any,
            limits: Limits::default(),
            compression: Some(DeflatePolicy::default().client_no_context_takeover(false)),
            connections: None,
            drain: Drain::default()
                .spread(Duration::ZERO)
                .deadline(Duration::from_secs(5)),
            idle_timeout: None,
            logs_messages: false,
            web: None,
            metrics: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

impl EchoOptions {
    /// The address to listen on; port 0 takes a free one. 127.0.0.1:0 by default.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = vec![address];
        self
    }

    /// Listens where `localhost` leads: on 127.0.0.1 and, where there is one, on `[::1]`, which browsers
    /// try first. Port 0 takes one that is free on both.
    #[must_use]
    pub fn listen_localhost(mut self, port: u16) -> Self {
        self.listen = vec![
            (Ipv4Addr::LOCALHOST, port).into(),
            (Ipv6Addr::LOCALHOST, port).into(),
        ];
        self
    }

    /// The subprotocols that it speaks; without any, as by default, the one that a client offers first.
    #[must_use]
    pub fn subprotocols(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// The origins of the web pages that may connect, such as `http://localhost:8080`; every page may
    /// if there are none, as by default: an echo server has no secrets.
    #[must_use]
    pub fn origins(mut self, origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let origins: Vec<String> = origins.into_iter().map(Into::into).collect();
        self.origin_policy = match origins.is_empty() {
            true => OriginPolicy::Any,
            false => OriginPolicy::List(origins),
        };
        self
    }

    /// The largest message in bytes; 16 MiB by default.
    #[must_use]
    pub fn message_size_max(mut self, bytes: u64) -> Self {
        self.limits = self.limits.message_size_max(bytes);
        self
    }

    /// How compression is agreed on, or `None` to decline it.
    ///
    /// By default an offer is accepted so that the server compresses each message alone, but keeps a
    /// client's context, 48 KiB from its first compressed message on: it is there to be talked to, also
    /// by clients that agree to `client_no_context_takeover` and do not keep to it.
    #[must_use]
    pub fn compression(mut self, policy: Option<DeflatePolicy>) -> Self {
        self.compression = policy;
        self
    }

    /// The connections that its own are among, with their limits: for whoever counts or closes them. Without it they have
    /// no limits. Two servers with the same connections stop together.
    #[must_use]
    pub fn connections(mut self, connections: Connections) -> Self {
        self.connections = Some(connections);
        self
    }

    /// How it lets go of its connections when it stops. By default it closes all of them at once, with 1012 and "the server
    /// restarts", and cuts what is left after 5 s: a test does not wait for clients to be spared.
    #[must_use]
    pub fn drain(mut self, drain: Drain) -> Self {
        self.drain = drain;
        self
    }

    /// After which time without a message of the client's a connection is closed with 3008, "no message came in time"; never
    /// by default. Pings and pongs are no messages.
    #[must_use]
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.idle_timeout = Some(time);
        self
    }

    /// Logs each message at the level debug: which way it goes, its size and its beginning. Nothing else that the
    /// log tells is what a client may keep a secret.
    #[must_use]
    pub fn log_messages(mut self) -> Self {
        self.logs_messages = true;
        self
    }

    /// What lies at `/demo/`; nothing by default.
    #[must_use]
    pub fn web(mut self, files: WebFiles) -> Self {
        self.web = Some(files);
        self
    }

    /// What lies at `/metrics`, in the text format of Prometheus: this is called for each request. Nothing by default.
    ///
    /// With the feature `metrics` of `talkback`, a recorder that the program installs before it makes the
    /// [`connections`](Self::connections) is told what the server counts: of `metrics-exporter-prometheus` it is
    /// `PrometheusHandle::render` that goes here.
    #[must_use]
    pub fn metrics(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.metrics = Some(Metrics(Arc::new(render)));
        self
    }

    /// Who it is by TLS: with it the server speaks `wss://` and `https://` only.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, identity: Identity) -> Self {
        self.tls = Some(identity);
        self
    }

    pub(crate) fn scheme(&self) -> &'static str {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return "wss";
        }
        "ws"
    }
}

//! Where a connection is to lead.

/// Where a connection is to lead: what [`Connect::connector`](crate::Connect::connector) is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    host: Box<str>,
    port: u16,
    is_secure: bool,
}

impl Destination {
    #[cfg(not(browser))]
    pub(crate) fn of(url: &talkback_proto::handshake::WsUrl) -> Self {
        Self {
            host: url.host().into(),
            port: url.port(),
            is_secure: url.is_secure(),
        }
    }

    /// The host of the URL: a name, or an address, which has no brackets if it is of IPv6.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's own if the URL has none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether TLS comes on top, as the URL is a `wss://`: the connector does not speak it.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }
}

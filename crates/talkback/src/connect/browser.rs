//! wasm: what a channel asks of the browser.

use talkback_proto::handshake::{WsUrl, check_subprotocols};

use crate::channel::state::Shared;
use crate::channel::sync::Arc;
use crate::connect::Connect;
use crate::driver::browser::{self, Opening};
use crate::error::ConnectError;

impl Connect {
    /// Starts the driver of a channel.
    pub(crate) fn drive(self, shared: Arc<Shared>) {
        browser::spawn(self.opening(), shared);
    }

    /// Holds the options against what a browser can do.
    pub(crate) fn opening(self) -> Result<Opening, ConnectError> {
        let not_here = |option, instead| Err(ConnectError::NotInBrowser { option, instead });
        let url = WsUrl::parse(&self.url)?;
        if self.bad_header.is_some() || !self.options.headers.is_empty() {
            return not_here(
                "header",
                "send a token as a subprotocol, in the query, or in a first message",
            );
        }
        if self.options.origin.is_some() {
            return not_here("origin", "the browser sends the page's own");
        }
        if url.has_credentials() {
            return not_here(
                "user name and password in the URL",
                "send a token as a subprotocol, in the query, or in a first message",
            );
        }
        if self.keepalive.is_some_and(|keepalive| !keepalive.is_off()) {
            return not_here(
                "keepalive",
                "the browser keeps the connection alive; for a sign of life, send a message of your own now and then",
            );
        }
        if self.compression.is_some() {
            return not_here("compression", "the browser offers it by itself");
        }
        if self.head_limits.is_some() {
            return not_here("head_limits", "the browser has bounds of its own");
        }
        if self.limits.frame_size_limit().is_some() {
            return not_here("frame_size_max", "the browser decides on frames by itself");
        }
        if let Some(option) = self.dial.asked {
            return not_here(option, "the browser makes its connections by itself");
        }
        if let Some((option, instead)) = self.address.asked() {
            return not_here(option, instead);
        }
        if let Some(option) = self.redirects.asked() {
            return not_here(
                option,
                "the browser follows none: connect to where it redirects to",
            );
        }
        if self.cookies.is_some() {
            return not_here(
                "cookies",
                "the browser sends its own, and keeps those that come",
            );
        }
        if self.watcher.is_there() {
            return not_here("on_progress", "look at the browser's tools for developers");
        }
        if let Some(option) = self.proxy.asked() {
            return not_here(option, "the browser, and its user, decide on proxies");
        }
        if let Some(option) = self.tls.asked() {
            return not_here(option, "the browser, and its user, decide on certificates");
        }
        // A browser opens one at a time by itself.
        let _ = self.is_one_at_a_time;
        let subprotocols = self.options.subprotocols;
        check_subprotocols(&subprotocols).map_err(|error| ConnectError::Handshake {
            url: url.to_string(),
            error,
        })?;
        Ok(Opening {
            url,
            subprotocols,
            limits: self.limits,
            timeout: self.timeout,
        })
    }
}

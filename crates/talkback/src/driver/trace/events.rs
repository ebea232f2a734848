//! A span for the channel, and an event for each step of its loop.
//!
//! None is on the path of a message. None shows a message, a close reason, or more of a URL than scheme, host and
//! port; and what an error of a hook says is the program's own to tell.

use std::fmt;
use std::time::Duration;

use talkback_proto::handshake::WsUrl;
use talkback_proto::{CloseCause, CloseInfo};
use tracing::field::display;
use tracing::{Span, debug, info, info_span};

use crate::connect::Connect;
use crate::driver::port::Port;
use crate::error::Error;
use crate::error::connect::ConnectError;
use crate::error::span::Span as Time;
use crate::reconnect::lost::{Lost, LostCause};
use crate::reconnect::schedule::Next;

/// A filter's word for all of it.
const TARGET: &str = "talkback";

/// The span of a channel, until its end.
pub(crate) struct Trace(Option<Span>);

impl Trace {
    pub(crate) fn new(connect: &Connect) -> Self {
        let url = WsUrl::parse(&connect.url).ok();
        let (host, port) = (url.as_ref().map(WsUrl::host), url.as_ref().map(WsUrl::port));
        Self(Some(info_span!(target: TARGET, "channel", host, port)))
    }

    /// A try begins, so many since a connection was open, or since a pause.
    pub(crate) fn begin_try(&self, tries: u32) {
        debug!(target: TARGET, parent: self.span(), number = tries, "try");
    }

    pub(crate) fn opened(&self, port: &Port) {
        let connection = port.connection();
        info!(target: TARGET, parent: self.span(), connection, "open");
    }

    /// A connection is lost, or a try has failed; what comes next, if that is known.
    pub(crate) fn lost(&self, lost: &Lost, next: Option<&Next>) {
        let wait = match next {
            Some(Next::Wait(time)) => Some(display(Time(to_milliseconds(*time)))),
            _ => None,
        };
        let (connection, cause) = (lost.connection(), Why(lost));
        info!(target: TARGET, parent: self.span(), connection, %cause, wait, "lost");
    }

    /// The channel has ended; that is told once.
    pub(crate) fn closed(&mut self, port: &Port) {
        let Some((info, error)) = port.end_of_channel() else {
            return;
        };
        if let Some(span) = self.0.take() {
            let (code, cause) = (info.code.number(), End(&info, error.as_ref()));
            info!(target: TARGET, parent: &span, code, %cause, "closed");
        }
    }

    fn span(&self) -> Option<tracing::span::Id> {
        self.0.as_ref()?.id()
    }
}

/// Why a connection was lost, for a log that others read.
struct Why<'a>(&'a Lost);

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(refused) = self.0.refused() {
            return write!(f, "refused with status {}", refused.status.as_u16());
        }
        match self.0.cause() {
            LostCause::Closed(info) => without_reason(info).fmt(f),
            LostCause::Connect(error) => without_path(error).fmt(f),
            LostCause::BeforeTry(_) => f.write_str("`before_try` failed"),
            LostCause::OnConnected(_) => f.write_str("`on_connected` failed"),
            cause => cause.fmt(f),
        }
    }
}

/// How a channel has ended, likewise.
struct End<'a>(&'a CloseInfo, Option<&'a Error>);

impl fmt::Display for End<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.1, &self.0.cause) {
            (Some(Error::GaveUp { .. }), _) => f.write_str("gave up"),
            // What is known of it was said of the last try.
            (_, CloseCause::NotOpened(_)) => f.write_str("there was no connection"),
            _ => without_reason(self.0).fmt(f),
        }
    }
}

/// As fine as the timers are.
fn to_milliseconds(time: Duration) -> Duration {
    Duration::new(time.as_secs(), time.subsec_millis() * 1_000_000)
}

fn without_reason(info: &CloseInfo) -> CloseInfo {
    let mut info = info.clone();
    info.reason.clear();
    info
}

/// The same error with the URL up to its path, in which a token may stand.
fn without_path(error: &ConnectError) -> ConnectError {
    use ConnectError as C;
    let mut error = error.clone();
    if let C::NoTls { url }
    | C::Tls { url, .. }
    | C::Tcp { url, .. }
    | C::Proxy { url, .. }
    | C::Lost { url, .. }
    | C::Handshake { url, .. }
    | C::BrowserRefused { url, .. }
    | C::Browser { url }
    | C::Timeout { url, .. } = &mut error
    {
        let host = url.find("://").map_or(0, |scheme| scheme + 3);
        let path = url[host..].find('/').map_or(url.len(), |size| host + size);
        url.truncate(path);
    }
    error
}

//! What can go wrong, a stage at a time.

#[cfg(feature = "json")]
pub(crate) mod codec;
pub(crate) mod connect;
#[cfg(not(browser))]
pub(crate) mod local_address;
#[cfg(not(browser))]
mod os_advice;
pub(crate) mod proxy;
#[cfg(feature = "json")]
pub(crate) mod recv;
pub(crate) mod send;
mod size;
pub(crate) mod span;
mod texts;
pub(crate) mod try_send;
pub(crate) mod why;

use std::io;
#[cfg(not(browser))]
use std::sync::Arc;
use std::time::Duration;

#[cfg(not(browser))]
use http::StatusCode;
#[cfg(not(browser))]
use talkback_proto::handshake::Refusal;

use talkback_proto::{CloseFrameError, CloseInfo, Initiator};

pub(crate) use crate::error::connect::{ConnectError, Stage};
use crate::error::send::SendError;
use crate::error::try_send::TrySendError;
use crate::reconnect::lost::{Lost, LostCause};

/// An open connection went wrong, or was used wrongly.
///
/// A normal close is not an error: the stream ends, and `close_info()` says how. Whatever failed below,
/// an [`io::Error`] mostly, is found by following [`source`](std::error::Error::source). `Debug` is the same
/// sentence as `Display`, as it is what a `main` that ends with `?`, and an `unwrap`, show to a person.
#[derive(Clone)]
#[non_exhaustive]
pub enum Error {
    /// The connection could not be made.
    Connect(ConnectError),
    /// The connection ended otherwise than by a normal close.
    Closed(CloseInfo),
    /// Something was not sent, or not written.
    Send(SendError),
    /// A channel did not take a message at once.
    TrySend(TrySendError),
    /// The caller's close code or reason may not be sent; nothing was queued.
    CloseFrame(CloseFrameError),
    /// A channel that reconnects does not try any more, for a cause that is no end of a connection and no failure
    /// to connect: a hook of the program's, or another subprotocol. Until then it is what a snapshot shows.
    Lost(Lost),
    /// A channel that reconnects has come to its limit of tries or of time.
    GaveUp {
        /// How many tries there were since a connection was open.
        tries: u32,
        /// How long none was open.
        after: Duration,
        /// What went wrong last, if a try has come to an end.
        last: Option<Lost>,
    },
}

impl Error {
    /// What a loss is to whoever reads.
    pub(crate) fn of_lost(lost: Lost) -> Self {
        match lost.cause() {
            LostCause::Closed(info) => Self::Closed(info.clone()),
            LostCause::Connect(error) => Self::Connect(error.clone()),
            _ => Self::Lost(lost),
        }
    }

    /// Who brought a connection to its end that was never open.
    pub(crate) fn initiator(&self) -> Initiator {
        use ConnectError as C;
        match self {
            // These never left this machine.
            Self::Connect(
                C::Url(_)
                | C::NoTls { .. }
                | C::TlsOption { .. }
                | C::Header { .. }
                | C::Option { .. }
                | C::NotInBrowser { .. }
                | C::BrowserRefused { .. },
            )
            | Self::Lost(_)
            | Self::GaveUp { .. } => Initiator::Local,
            _ => Initiator::Remote,
        }
    }
}

/// For what reads and writes a message as bytes.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Send(error) => error.io_kind(),
            Error::Closed(_) => io::ErrorKind::ConnectionAborted,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// A server could not accept a connection.
#[cfg(not(browser))]
#[derive(Clone)]
#[non_exhaustive]
pub enum AcceptError {
    /// The request was refused; the client has been told.
    Refused(Refusal),
    /// The request was an ordinary one of HTTP and has been answered with this status.
    Answered(StatusCode),
    /// The client went away.
    Lost(Arc<io::Error>),
    /// The client did not finish the opening handshake in time.
    Timeout(Duration),
}

/// What a browser said, without the URL and the subprotocols that it was given, which it may repeat.
#[cfg(any(browser, test))]
pub(crate) fn said_by_browser(said: &str, url: &str, subprotocols: &[String]) -> String {
    let said = hide(said, url, "…");
    let names = subprotocols.iter().map(|name| format!("'{name}'"));
    names.fold(said, |said, name| hide(&said, &name, "'…'"))
}

/// Replaces what is not to be shown, place by place: the library's own search for a text is large in a page.
#[cfg(any(browser, test))]
fn hide(said: &str, hidden: &str, shown: &str) -> String {
    let (mut told, mut rest) = (String::new(), said.chars());
    while !rest.as_str().is_empty() {
        match rest.as_str().strip_prefix(hidden) {
            Some(behind) => {
                told.push_str(shown);
                rest = behind.chars();
            }
            None => told.extend(rest.next()),
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::said_by_browser;

    #[test]
    fn v12_l3_what_a_browser_said_repeats_neither_the_url_nor_a_subprotocol() {
        let (url, names) = ("ws://a/?hunter2", ["hunter2".to_owned()]);
        for (said, told) in [
            (
                "The URL 'ws://a/?hunter2' is invalid.",
                "The URL '…' is invalid.",
            ),
            (
                "The subprotocol 'hunter2' is invalid.",
                "The subprotocol '…' is invalid.",
            ),
            (
                "안녕 'hunter2': ws://a/?hunter2ws://a/?hunter2",
                "안녕 '…': ……",
            ),
            ("The port 25 is not allowed.", "The port 25 is not allowed."),
        ] {
            assert_eq!(said_by_browser(said, url, &names), told);
        }
    }
}

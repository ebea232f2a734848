//! How far a channel's connection has come, and how it ended.

use std::time::Duration;

use http::Response;
use talkback_proto::{CloseCause, CloseCode, CloseInfo, Initiator};

use crate::error::Error;
use crate::socket::PeerClose;

/// How far a channel has come.
///
/// ```text
///  Connecting ──▶ Open ──▶ Closing ──▶ Closed
///    ▲   │         │ └──────────────────▲
///    │   ▼         ▼                    │ close, drop, a limit, a cause that no try
///    └─ Retrying ◀─┘ ───────────────────┘ follows: from any state
///         │  ▲
///         ▼  │ pause, resume
///        Paused
/// ```
///
/// Only a channel that reconnects is ever `Retrying` or `Paused`. It can be paused in any state but the last
/// two, and is `Connecting` once it is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelState {
    /// The connection is being made; messages are queued.
    Connecting,
    /// Messages pass in both directions.
    Open,
    /// There is no connection, and the next try is waited for; messages are queued.
    Retrying,
    /// There is no connection and no try, until the channel is resumed; messages are queued.
    Paused,
    /// This end has begun to close; nothing can be sent any more.
    Closing,
    /// The connection has ended, or could not be made.
    Closed,
}

/// How far the connection has come.
///
/// That this end wants to close is not told here: its close frame waits in the outbox.
#[derive(Debug, Default)]
pub(crate) enum Lifecycle {
    /// It is being made.
    #[default]
    Connecting,
    /// Messages pass in both directions.
    Open(Opened),
    /// The peer has closed, or the connection fails: nothing can be sent any more.
    Closing(Opened),
    /// It has ended, or could not be made.
    Ended(Box<Ended>),
}

/// A connection that was made.
#[derive(Debug)]
pub(crate) struct Opened {
    /// How long the keepalive's last ping took.
    latency: Option<Duration>,
    details: Option<Box<Details>>,
}

/// What a server's connection mostly has nothing of.
#[derive(Debug, Default)]
struct Details {
    subprotocol: Option<Box<str>>,
    response: Option<Box<Response<()>>>,
    /// How the peer closes, if that came first.
    peer_close: Option<PeerClose>,
}

/// How a channel ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The connection, if it was ever open.
    opened: Option<Opened>,
    info: CloseInfo,
    outcome: Outcome,
}

/// Whether the end is an error to whoever reads.
#[derive(Debug)]
enum Outcome {
    /// It is none.
    Normal,
    /// It is one, and was not read yet.
    Unread(Error),
    /// It is one, and was read.
    Read(Error),
}

impl Lifecycle {
    /// The connection is open.
    pub(crate) fn open(
        &mut self,
        subprotocol: Option<Box<str>>,
        response: Option<Box<Response<()>>>,
    ) {
        let has_details = subprotocol.is_some() || response.is_some();
        let details = has_details.then(|| {
            Box::new(Details {
                subprotocol,
                response,
                peer_close: None,
            })
        });
        *self = Self::Open(Opened {
            latency: None,
            details,
        });
    }

    /// An open connection takes no more messages; whether that is news.
    pub(crate) fn stop_sending(&mut self, peer_close: Option<PeerClose>) -> bool {
        match std::mem::take(self) {
            Self::Open(mut opened) => {
                if peer_close.is_some() {
                    opened.details.get_or_insert_default().peer_close = peer_close;
                }
                *self = Self::Closing(opened);
                true
            }
            other => {
                *self = other;
                false
            }
        }
    }

    /// The connection has ended; only the first end counts.
    pub(crate) fn end(&mut self, info: CloseInfo) {
        let error = (!info.is_normal()).then(|| Error::Closed(info.clone()));
        self.end_with(info, error);
    }

    /// The connection had ended before, and whoever read from it was told how: here it is no error.
    #[cfg(not(browser))]
    pub(crate) fn end_reported(&mut self, info: CloseInfo) {
        self.end_with(info, None);
    }

    /// The connection could not be made, or without an error was closed before it was.
    pub(crate) fn end_unopened(&mut self, error: Option<Error>) {
        self.end_with(unopened(error.as_ref()), error);
    }

    /// The connection is lost, and there is to be another.
    pub(crate) fn lose(&mut self) -> Option<Opened> {
        match std::mem::take(self) {
            Self::Open(opened) | Self::Closing(opened) => Some(opened),
            other => {
                *self = other;
                None
            }
        }
    }

    /// It has ended so, with this error to whoever reads; only the first end counts.
    pub(crate) fn end_with(&mut self, info: CloseInfo, error: Option<Error>) {
        let opened = match std::mem::take(self) {
            Self::Connecting => None,
            Self::Open(opened) | Self::Closing(opened) => Some(opened),
            Self::Ended(ended) => return *self = Self::Ended(ended),
        };
        let outcome = error.map_or(Outcome::Normal, Outcome::Unread);
        *self = Self::Ended(Box::new(Ended {
            opened,
            info,
            outcome,
        }));
    }

    pub(crate) fn set_latency(&mut self, latency: Duration) {
        if let Self::Open(opened) | Self::Closing(opened) = self {
            opened.latency = Some(latency);
        }
    }

    /// The error of the end, to whoever reads, the first time only.
    pub(crate) fn read_error(&mut self) -> Option<Error> {
        let Self::Ended(ended) = self else {
            return None;
        };
        let Outcome::Unread(error) = &ended.outcome else {
            return None;
        };
        let error = error.clone();
        ended.outcome = Outcome::Read(error.clone());
        Some(error)
    }

    pub(crate) fn is_ended(&self) -> bool {
        matches!(self, Self::Ended(_))
    }

    pub(crate) fn close_info(&self) -> Option<&CloseInfo> {
        match self {
            Self::Ended(ended) => Some(&ended.info),
            _ => None,
        }
    }

    /// What went wrong, if something did.
    pub(crate) fn error(&self) -> Option<&Error> {
        let Self::Ended(ended) = self else {
            return None;
        };
        match &ended.outcome {
            Outcome::Normal => None,
            Outcome::Unread(error) | Outcome::Read(error) => Some(error),
        }
    }

    /// How `ready` ends, once it is known.
    pub(crate) fn readiness(&self) -> Option<Result<(), Error>> {
        if self.opened().is_some() {
            return Some(Ok(()));
        }
        let info = self.close_info()?;
        let closed = || Error::Closed(info.clone());
        Some(Err(self.error().cloned().unwrap_or_else(closed)))
    }

    /// How the peer closes, if that came first.
    pub(crate) fn peer_close(&self) -> Option<&PeerClose> {
        self.details()?.peer_close.as_ref()
    }

    pub(crate) fn latency(&self) -> Option<Duration> {
        self.opened()?.latency
    }

    fn details(&self) -> Option<&Details> {
        self.opened()?.details.as_deref()
    }

    /// Whether there was a connection.
    pub(crate) fn was_opened(&self) -> bool {
        self.opened().is_some()
    }

    pub(crate) fn opened(&self) -> Option<&Opened> {
        match self {
            Self::Connecting => None,
            Self::Open(opened) | Self::Closing(opened) => Some(opened),
            Self::Ended(ended) => ended.opened.as_ref(),
        }
    }
}

impl Opened {
    pub(crate) fn subprotocol(&self) -> Option<&str> {
        self.details.as_ref()?.subprotocol.as_deref()
    }

    pub(crate) fn response(&self) -> Option<&Response<()>> {
        self.details.as_ref()?.response.as_deref()
    }
}

/// The end of a connection that could not be made, or without an error was closed before it was.
pub(crate) fn unopened(error: Option<&Error>) -> CloseInfo {
    match error {
        Some(error) => not_opened(error.initiator(), error.to_string()),
        None => not_opened(
            Initiator::Local,
            "this end closed or dropped it before it was open".to_owned(),
        ),
    }
}

/// The end of what was never open.
pub(crate) fn not_opened(initiator: Initiator, what: String) -> CloseInfo {
    let cause = CloseCause::NotOpened(what.into());
    CloseInfo::abnormal(CloseCode::ABNORMAL, initiator, cause)
}

//! What a server tells of itself: `metrics` and `tracing`, where the program has those features.
//!
//! Nothing of it is on the path of a message. No label has an address, a path, a reason or a message in it: each has a
//! closed set, so that there are no more series than are written here.

use std::net::SocketAddr;
#[cfg(any(feature = "metrics", feature = "tracing"))]
use std::sync::atomic::{AtomicBool, Ordering};

use talkback_proto::CloseCode;
use tokio::task::JoinHandle;
#[cfg(any(feature = "metrics", feature = "tracing"))]
use tokio::time::Instant;

use crate::server::refused::Refused;

/// Whose doing the end of a connection was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndedBy {
    Us,
    Peer,
    /// There was no closing handshake, as a deadline came or the connection was dropped.
    Cut,
}

/// A client that has a place, and no connection yet.
#[derive(Debug)]
pub(crate) struct Attempt {
    #[cfg(feature = "metrics")]
    begun: Instant,
    /// What becomes of it if it is dropped now.
    #[cfg(feature = "metrics")]
    outcome: Option<&'static str>,
}

/// A served connection, where somebody is told of it: there is one for each.
#[derive(Debug)]
pub(crate) struct Life(#[cfg(any(feature = "metrics", feature = "tracing"))] Option<Box<Lived>>);

#[cfg(any(feature = "metrics", feature = "tracing"))]
#[derive(Debug)]
struct Lived {
    begun: Instant,
    has_ended: AtomicBool,
    /// Where somebody listens to it, as it is large.
    #[cfg(feature = "tracing")]
    span: Option<Box<tracing::Span>>,
}

/// Tells the recorder what there is; it may be told again.
pub(crate) fn describe() {
    #[cfg(feature = "metrics")]
    told::describe();
}

/// A client was not let in.
pub(crate) fn refused(why: &Refused) {
    let reason = match why {
        Refused::Full => "full",
        Refused::Address => "address",
        Refused::NoPeer => "no_peer",
        Refused::Draining => "draining",
    };
    #[cfg(feature = "metrics")]
    told::refused(reason);
    #[cfg(feature = "tracing")]
    tracing::debug!(target: "talkback", reason, "refused");
    let _ = reason;
}

/// A client did not end its opening handshake in time, and has no place yet.
pub(crate) fn timed_out() {
    #[cfg(feature = "metrics")]
    told::came_to("timeout");
}

/// A drain begins, or is over.
pub(crate) fn draining(is_underway: bool) {
    #[cfg(feature = "metrics")]
    told::draining(is_underway);
    #[cfg(feature = "tracing")]
    tracing::info!(target: "talkback", is_underway, "draining");
    let _ = is_underway;
}

impl Attempt {
    pub(crate) fn begin() -> Self {
        Self {
            #[cfg(feature = "metrics")]
            begun: Instant::now(),
            #[cfg(feature = "metrics")]
            outcome: Some("failed"),
        }
    }

    /// Its time is over.
    pub(crate) fn time_out(&mut self) {
        #[cfg(feature = "metrics")]
        {
            self.outcome = Some("timeout");
        }
    }

    /// It has become a connection.
    pub(crate) fn open(self) {
        #[cfg(feature = "metrics")]
        {
            let mut attempt = self;
            attempt.outcome = Some("open");
            told::handshake(attempt.begun.elapsed());
        }
    }
}

#[cfg(feature = "metrics")]
impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            told::came_to(outcome);
        }
    }
}

impl Life {
    pub(crate) fn begin(id: u64, peer: Option<SocketAddr>) -> Self {
        #[cfg(feature = "metrics")]
        told::connections(1.0);
        let _ = (id, peer);
        #[cfg(feature = "tracing")]
        let span = spans::open(id, peer);
        #[cfg(all(feature = "tracing", not(feature = "metrics")))]
        if span.is_none() {
            return Self(None);
        }
        Self(
            #[cfg(any(feature = "metrics", feature = "tracing"))]
            Some(Box::new(Lived {
                begun: Instant::now(),
                has_ended: AtomicBool::new(false),
                #[cfg(feature = "tracing")]
                span,
            })),
        )
    }

    /// It has ended, which may be told more than once: the first is true.
    pub(crate) fn end(&self, by: EndedBy, code: CloseCode) {
        #[cfg(any(feature = "metrics", feature = "tracing"))]
        if let Some(lived) = &self.0
            && !lived.has_ended.swap(true, Ordering::SeqCst)
        {
            let (by, time) = (by.name(), lived.begun.elapsed());
            #[cfg(feature = "metrics")]
            told::closed(by, code, time);
            #[cfg(feature = "tracing")]
            spans::closed(lived.span.as_deref(), by, code, time);
        }
        let _ = (by, code);
    }

    /// Its place is given back.
    pub(crate) fn leave(&self) {
        self.end(EndedBy::Cut, CloseCode::ABNORMAL);
        #[cfg(feature = "metrics")]
        told::connections(-1.0);
    }

    /// Runs a handler in a task of its own. Its traces stand in the connection's, where somebody listens to that.
    #[track_caller]
    pub(crate) fn spawn<F>(&self, handler: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        #[cfg(feature = "tracing")]
        if let Some(span) = self.0.as_ref().and_then(|lived| lived.span.as_deref()) {
            use tracing::Instrument as _;
            return tokio::spawn(handler.instrument(span.clone()));
        }
        tokio::spawn(handler)
    }
}

#[cfg(any(feature = "metrics", feature = "tracing"))]
impl EndedBy {
    fn name(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Peer => "peer",
            Self::Cut => "cut",
        }
    }
}

#[cfg(feature = "metrics")]
mod told {
    use std::time::Duration;

    use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram};
    use metrics::{gauge, histogram};
    use talkback_proto::CloseCode;

    const CONNECTIONS: &str = "talkback_server_connections";
    const CONNECTIONS_TOTAL: &str = "talkback_server_connections_total";
    const REFUSED: &str = "talkback_server_refused_total";
    const HANDSHAKE: &str = "talkback_server_handshake_seconds";
    const CONNECTION: &str = "talkback_server_connection_seconds";
    const CLOSES: &str = "talkback_server_closes_total";
    const DRAINING: &str = "talkback_server_draining";

    pub(super) fn describe() {
        describe_gauge!(CONNECTIONS, Unit::Count, "Open connections");
        describe_counter!(
            CONNECTIONS_TOTAL,
            Unit::Count,
            "What clients came to: open, failed, timeout, refused"
        );
        describe_counter!(
            REFUSED,
            Unit::Count,
            "Clients that were not let in: full, address, no_peer, draining"
        );
        describe_histogram!(
            HANDSHAKE,
            Unit::Seconds,
            "From a client's place to its open connection"
        );
        describe_histogram!(
            CONNECTION,
            Unit::Seconds,
            "From a connection's opening to its end"
        );
        describe_counter!(
            CLOSES,
            Unit::Count,
            "Connections that have ended, by close code, and by whom: us, peer, cut"
        );
        describe_gauge!(DRAINING, Unit::Count, "Drains that are under way");
    }

    pub(super) fn connections(change: f64) {
        gauge!(CONNECTIONS).increment(change);
    }

    pub(super) fn came_to(outcome: &'static str) {
        counter!(CONNECTIONS_TOTAL, "outcome" => outcome).increment(1);
    }

    pub(super) fn refused(reason: &'static str) {
        came_to("refused");
        counter!(REFUSED, "reason" => reason).increment(1);
    }

    pub(super) fn handshake(time: Duration) {
        histogram!(HANDSHAKE).record(time);
    }

    pub(super) fn closed(by: &'static str, code: CloseCode, time: Duration) {
        counter!(CLOSES, "code" => name(code), "by" => by).increment(1);
        histogram!(CONNECTION).record(time);
    }

    pub(super) fn draining(is_underway: bool) {
        gauge!(DRAINING).increment(if is_underway { 1.0 } else { -1.0 });
    }

    /// A code of RFC 6455 §7.4.1 or the registry that it begins, by its number; what applications and libraries have of their own is `other`.
    fn name(code: CloseCode) -> &'static str {
        match code.number() {
            1000 => "1000",
            1001 => "1001",
            1002 => "1002",
            1003 => "1003",
            1005 => "1005",
            1006 => "1006",
            1007 => "1007",
            1008 => "1008",
            1009 => "1009",
            1010 => "1010",
            1011 => "1011",
            1012 => "1012",
            1013 => "1013",
            1014 => "1014",
            _ => "other",
        }
    }
}

/// A span for each connection, and its events, beside those of a channel that reconnects.
#[cfg(feature = "tracing")]
mod spans {
    use std::net::SocketAddr;
    use std::time::Duration;

    use talkback_proto::CloseCode;
    use tracing::{Span, debug, info, info_span};

    const TARGET: &str = "talkback";

    pub(super) fn open(id: u64, peer: Option<SocketAddr>) -> Option<Box<Span>> {
        let span =
            info_span!(target: TARGET, parent: None, "connection", id, peer = peer.map(display));
        debug!(target: TARGET, parent: &span, "open");
        (!span.is_disabled()).then(|| Box::new(span))
    }

    pub(super) fn closed(span: Option<&Span>, by: &'static str, code: CloseCode, time: Duration) {
        let (code, seconds) = (code.number(), time.as_secs());
        let span = span.and_then(Span::id);
        info!(target: TARGET, parent: span, code, by, seconds, "closed");
    }
}

//! What a server tells of itself: `metrics` and `tracing`, where the program has those features.
//!
//! Nothing of it is on the path of a message. No label has an address, a path, a reason or a message in it: each has a
//! closed set, so that there are no more series than are written here.

#[cfg(any(feature = "metrics", feature = "tracing"))]
use std::sync::atomic::{AtomicU64, Ordering};

use talkback_proto::CloseCode;
use tokio::task::JoinHandle;
#[cfg(any(feature = "metrics", feature = "tracing"))]
use tokio::time::Instant;

use crate::channel::sync::Arc;
use crate::server::address::Unknown;
use crate::server::peer::Peer;
use crate::server::refused::Refused;

/// Whose doing the end of a connection was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndedBy {
    Us,
    Peer,
    /// There was no closing handshake, as a deadline came or the connection was dropped.
    Cut,
}

/// Where what a server counts goes: to the recorder that there was when its [`Connections`](super::Connections) were made.
#[derive(Debug)]
pub(crate) struct Meters {
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    since: Instant,
    #[cfg(feature = "metrics")]
    series: series::Series,
}

/// A client that has a place, and no connection yet.
#[derive(Debug)]
pub(crate) struct Attempt {
    #[cfg(feature = "metrics")]
    meters: Arc<Meters>,
    #[cfg(feature = "metrics")]
    begun: Instant,
    /// What becomes of it if it is dropped now.
    #[cfg(feature = "metrics")]
    outcome: Option<&'static str>,
}

/// A served connection. There is one for each, so it is small.
#[derive(Debug)]
pub(crate) struct Life {
    /// How many nanoseconds after its meters it began; with [`ENDED`] once its end was told.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    begun: AtomicU64,
    /// Where somebody listens to it, as it is large.
    #[cfg(feature = "tracing")]
    span: Option<Box<tracing::Span>>,
}

/// No time has this bit within 292 years.
#[cfg(any(feature = "metrics", feature = "tracing"))]
const ENDED: u64 = 1 << 63;

impl Meters {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            #[cfg(any(feature = "metrics", feature = "tracing"))]
            since: Instant::now(),
            #[cfg(feature = "metrics")]
            series: series::Series::new(),
        })
    }

    /// A client was not let in.
    pub(crate) fn refused(&self, why: &Refused) {
        let reason = match why {
            Refused::Full => "full",
            Refused::Address => "address",
            Refused::NoPeer => "no_peer",
            Refused::Draining => "draining",
        };
        #[cfg(feature = "metrics")]
        self.series.refused(reason);
        #[cfg(feature = "tracing")]
        tracing::debug!(target: "talkback", reason, "refused");
        let _ = reason;
    }

    /// A client did not end its opening handshake in time, and has no place yet.
    pub(crate) fn timed_out(&self) {
        #[cfg(feature = "metrics")]
        self.series.came_to("timeout");
    }

    /// A client's request was refused for what it is, and it has no place yet.
    pub(crate) fn failed(&self) {
        #[cfg(feature = "metrics")]
        self.series.came_to("failed");
    }

    /// A trusted proxy did not tell a client's address.
    pub(crate) fn client_unknown(&self, why: Unknown) {
        let header = match why {
            Unknown::Missing => "missing",
            Unknown::Invalid => "invalid",
        };
        #[cfg(feature = "metrics")]
        self.series.client_unknown(header);
        let _ = header;
    }

    /// A drain begins, or is over.
    pub(crate) fn draining(&self, is_underway: bool) {
        #[cfg(feature = "metrics")]
        self.series.draining(is_underway);
        #[cfg(feature = "tracing")]
        tracing::info!(target: "talkback", is_underway, "draining");
        let _ = is_underway;
    }

    #[cfg(any(feature = "metrics", feature = "tracing"))]
    fn now(&self) -> u64 {
        self.since.elapsed().as_nanos() as u64
    }
}

impl Attempt {
    pub(crate) fn begin(meters: &Arc<Meters>) -> Self {
        let _ = meters;
        Self {
            #[cfg(feature = "metrics")]
            meters: Arc::clone(meters),
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
            let time = attempt.begun.elapsed();
            attempt.meters.series.handshake(time);
        }
    }

    /// It is none for a WebSocket.
    pub(crate) fn forgo(self) {
        #[cfg(feature = "metrics")]
        {
            let mut attempt = self;
            attempt.outcome = None;
        }
    }
}

#[cfg(feature = "metrics")]
impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome {
            self.meters.series.came_to(outcome);
        }
    }
}

impl Life {
    pub(crate) fn begin(meters: &Meters, id: u64, peer: &Peer) -> Self {
        #[cfg(feature = "metrics")]
        meters.series.connections(1.0);
        let _ = (meters, id, peer);
        Self {
            #[cfg(any(feature = "metrics", feature = "tracing"))]
            begun: AtomicU64::new(meters.now()),
            #[cfg(feature = "tracing")]
            span: spans::open(id, peer),
        }
    }

    /// It has ended, which may be told more than once: the first is true.
    pub(crate) fn end(&self, meters: &Meters, by: EndedBy, code: CloseCode) {
        #[cfg(any(feature = "metrics", feature = "tracing"))]
        {
            let begun = self.begun.fetch_or(ENDED, Ordering::SeqCst);
            if begun & ENDED == 0 {
                let time = std::time::Duration::from_nanos(meters.now().saturating_sub(begun));
                #[cfg(feature = "metrics")]
                meters.series.closed(by.name(), code, time);
                #[cfg(feature = "tracing")]
                spans::closed(self.span.as_deref(), by.name(), code, time);
            }
        }
        let _ = (meters, by, code);
    }

    /// It is none of a WebSocket: its end has no code, and how long it took is no matter.
    pub(crate) fn leave_out_end(&self) {
        #[cfg(any(feature = "metrics", feature = "tracing"))]
        self.begun.fetch_or(ENDED, Ordering::SeqCst);
    }

    /// Its place is given back.
    pub(crate) fn leave(&self, meters: &Meters) {
        self.end(meters, EndedBy::Cut, CloseCode::ABNORMAL);
        #[cfg(feature = "metrics")]
        meters.series.connections(-1.0);
    }

    /// Runs a handler in a task of its own. Its traces stand in the connection's, where somebody listens to that.
    #[track_caller]
    pub(crate) fn spawn<F>(&self, handler: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        #[cfg(feature = "tracing")]
        if let Some(span) = self.span.as_deref() {
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
mod series {
    use std::time::Duration;

    use metrics::{Counter, Gauge, Histogram, Unit};
    use metrics::{counter, describe_counter, describe_gauge, describe_histogram};
    use metrics::{gauge, histogram};
    use talkback_proto::CloseCode;

    const CONNECTIONS: &str = "talkback_server_connections";
    const CONNECTIONS_TOTAL: &str = "talkback_server_connections_total";
    const REFUSED: &str = "talkback_server_refused_total";
    const CLIENT_UNKNOWN: &str = "talkback_server_client_unknown_total";
    const HANDSHAKE: &str = "talkback_server_handshake_seconds";
    const CONNECTION: &str = "talkback_server_connection_seconds";
    const CLOSES: &str = "talkback_server_closes_total";
    const DRAINING: &str = "talkback_server_draining";

    /// The labels of the closes.
    const BY: [&str; 3] = ["us", "peer", "cut"];
    const CODES: [&str; 15] = [
        "1000", "1001", "1002", "1003", "1005", "1006", "1007", "1008", "1009", "1010", "1011",
        "1012", "1013", "1014", OTHER,
    ];
    const OTHER: &str = "other";

    /// They are looked up once, and there from then on, also those that stay at 0.
    #[derive(Debug)]
    pub(super) struct Series {
        connections: Gauge,
        came_to: Counters<4>,
        refused: Counters<4>,
        client_unknown: Counters<2>,
        handshake: Histogram,
        connection: Histogram,
        /// For each code, by whom.
        closes: [[Counter; BY.len()]; CODES.len()],
        draining: Gauge,
    }

    /// A counter for each value of a label.
    #[derive(Debug)]
    struct Counters<const N: usize>([(&'static str, Counter); N]);

    impl<const N: usize> Counters<N> {
        fn new(name: &'static str, label: &'static str, values: [&'static str; N]) -> Self {
            Self(values.map(|value| (value, counter!(name, label => value))))
        }

        fn add(&self, value: &'static str) {
            let counter = self.0.iter().find(|(known, _)| *known == value);
            let (_, counter) = counter.expect("all values are known");
            counter.increment(1);
        }
    }

    impl Series {
        pub(super) fn new() -> Self {
            describe();
            Self {
                connections: gauge!(CONNECTIONS),
                came_to: Counters::new(
                    CONNECTIONS_TOTAL,
                    "outcome",
                    ["open", "failed", "timeout", "refused"],
                ),
                refused: Counters::new(
                    REFUSED,
                    "reason",
                    ["full", "address", "no_peer", "draining"],
                ),
                client_unknown: Counters::new(CLIENT_UNKNOWN, "header", ["missing", "invalid"]),
                handshake: histogram!(HANDSHAKE),
                connection: histogram!(CONNECTION),
                closes: CODES.map(|code| BY.map(|by| counter!(CLOSES, "code" => code, "by" => by))),
                draining: gauge!(DRAINING),
            }
        }

        pub(super) fn connections(&self, change: f64) {
            self.connections.increment(change);
        }

        pub(super) fn came_to(&self, outcome: &'static str) {
            self.came_to.add(outcome);
        }

        pub(super) fn refused(&self, reason: &'static str) {
            self.came_to("refused");
            self.refused.add(reason);
        }

        pub(super) fn client_unknown(&self, header: &'static str) {
            self.client_unknown.add(header);
        }

        pub(super) fn handshake(&self, time: Duration) {
            self.handshake.record(time);
        }

        pub(super) fn closed(&self, by: &'static str, code: CloseCode, time: Duration) {
            let index = |all: &[&str], value| all.iter().position(|known| *known == value);
            let code = index(&CODES, name(code)).expect("all values are known");
            let by = index(&BY, by).expect("all values are known");
            self.closes[code][by].increment(1);
            self.connection.record(time);
        }

        pub(super) fn draining(&self, is_underway: bool) {
            self.draining
                .increment(if is_underway { 1.0 } else { -1.0 });
        }
    }

    fn describe() {
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
        describe_counter!(
            CLIENT_UNKNOWN,
            Unit::Count,
            "Clients whose address a trusted proxy did not tell, as its header is missing or invalid"
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
            _ => OTHER,
        }
    }
}

/// A span for each connection, and its events, beside those of a channel that reconnects.
#[cfg(feature = "tracing")]
mod spans {
    use std::time::Duration;

    use talkback_proto::CloseCode;
    use tracing::field::display;
    use tracing::{Span, debug, error, info, info_span};

    use crate::server::metrics::EndedBy;

    use crate::server::peer::Peer;

    const TARGET: &str = "talkback";

    pub(super) fn open(id: u64, peer: &Peer) -> Option<Box<Span>> {
        let (peer, client) = (peer.addr().map(display), peer.proxied().map(display));
        let span = info_span!(target: TARGET, parent: None, "connection", id, peer, client);
        debug!(target: TARGET, parent: &span, "open");
        (!span.is_disabled()).then(|| Box::new(span))
    }

    pub(super) fn closed(span: Option<&Span>, by: &'static str, code: CloseCode, time: Duration) {
        let (code, seconds) = (code.number(), time.as_secs());
        let span = span.and_then(Span::id);
        if by == EndedBy::Us.name() && code == CloseCode::INTERNAL_ERROR.number() {
            error!(target: TARGET, parent: span, code, by, seconds, "closed");
        } else {
            info!(target: TARGET, parent: span, code, by, seconds, "closed");
        }
    }
}

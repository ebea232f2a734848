//! The differences that are meant, each with the section of RFC 6455 that says why ours is so.

use std::fmt;

use talkback_proto::{HEADER_SIZE_MAX, ProtocolError};

use crate::generate::{Case, SIZE_MAX};
use crate::outcome::{End, Event, Outcome};
use crate::peers::Peer;
use crate::talkback;

/// One case, in both eyes.
pub(crate) struct Pair<'a> {
    case: &'a Case,
    peer: Peer,
    ours: &'a Outcome,
    theirs: &'a Outcome,
}

pub(crate) struct Difference {
    peers: &'static [Peer],
    what: &'static str,
    section: &'static str,
    is_it: fn(&Pair<'_>) -> bool,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.peers.iter().map(|peer| peer.name()).collect();
        write!(f, "{}: {} ({})", names.join(", "), self.what, self.section)
    }
}

const TUNGSTENITE: &[Peer] = &[Peer::Tungstenite];
const TOKIO_WEBSOCKETS: &[Peer] = &[Peer::TokioWebSockets];

#[rustfmt::skip]
pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        peers: &Peer::ALL,
        what: "fails when header, frame or message is whole, ours as soon as the bytes show it",
        section: "§5.2, §5.5, §8.1",
        is_it: fails_later,
    },
    Difference {
        peers: TOKIO_WEBSOCKETS,
        what: "holds two bytes of a header against role and message, ours the whole header",
        section: "§5.1, §5.4",
        is_it: fails_before_the_header_is_whole,
    },
    Difference {
        peers: TUNGSTENITE,
        what: "takes a length in more bytes than it needs",
        section: "§5.2: the minimal number of bytes MUST be used",
        is_it: |pair| {
            let ours = pair.ours.error();
            let is_length = matches!(ours, Some(ProtocolError::LengthNotMinimal | ProtocolError::ControlTooLong));
            is_length && pair.theirs.events.starts_with(&pair.ours.events)
        },
    },
    Difference {
        peers: TUNGSTENITE,
        what: "reports a close code that must not be sent as 1002",
        section: "§7.4.1, §7.4.2",
        is_it: |pair| {
            let ours = pair.ours.error();
            matches!(ours, Some(ProtocolError::InvalidCloseCode(_))) && is_reported_as_violation(pair)
        },
    },
    Difference {
        peers: TUNGSTENITE,
        what: "does not know the close code 1014",
        section: "§7.4.2: the registry of IANA",
        is_it: |pair| {
            matches!(pair.ours.end, End::Closed(Some((1014, _)))) && is_reported_as_violation(pair)
        },
    },
    Difference {
        peers: TOKIO_WEBSOCKETS,
        what: "gives out text that ends inside a code point, if its last fragment is empty",
        section: "§8.1",
        is_it: |pair| {
            let is_refused = pair.ours.error() == Some(&ProtocolError::InvalidUtf8);
            let more = pair.theirs.events.strip_prefix(&pair.ours.events[..]);
            is_refused && matches!(more, Some([Event::Text(text), ..]) if std::str::from_utf8(text).is_err())
        },
    },
];

/// What becomes of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Same,
    /// The difference with this place in the table.
    Meant(usize),
    Different,
}

pub(crate) fn judge(case: &Case, ours: &Outcome, peer: Peer) -> Verdict {
    let theirs = &peer.receive(case);
    if ours.is_like(theirs) {
        return Verdict::Same;
    }
    let pair = Pair {
        case,
        peer,
        ours,
        theirs,
    };
    DIFFERENCES
        .iter()
        .position(|difference| difference.peers.contains(&peer) && (difference.is_it)(&pair))
        .map_or(Verdict::Different, Verdict::Meant)
}

/// Theirs has seen no fault yet, but does when the frame in progress goes on.
fn fails_later(pair: &Pair<'_>) -> bool {
    let mut longer = pair.case.clone();
    longer.wire.extend([0; 2 * SIZE_MAX]);
    let is_waiting = pair.theirs.end == End::Open && pair.ours.events == pair.theirs.events;
    is_waiting && pair.ours.is_like(&pair.peer.receive(&longer))
}

/// Ours waits for the rest of a header, and fails when it comes.
fn fails_before_the_header_is_whole(pair: &Pair<'_>) -> bool {
    let mut longer = pair.case.clone();
    longer.wire.extend([0; HEADER_SIZE_MAX]);
    let is_waiting = pair.ours.end == End::Open && pair.ours.events == pair.theirs.events;
    is_waiting && talkback::receive(&longer).is_like(pair.theirs)
}

fn is_reported_as_violation(pair: &Pair<'_>) -> bool {
    let reported = End::Closed(Some((1002, "Protocol violation".into())));
    pair.theirs.end == reported && pair.ours.events == pair.theirs.events
}

//! What a subscriber gets.

use std::fmt;
use std::sync::Arc;

use talkback::{CloseInfo, Compression, Message, Prepared};

use crate::position::Position;
use crate::server::entry::Entry;

/// What [`Subscriber::pump`](crate::Subscriber::pump) tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum TopicEvent {
    /// The peer has sent a message.
    Message(Message),
    /// The subscriber has missed some of a topic's publications, by [`Slow::Skip`](crate::Slow::Skip), or as the
    /// [backplane](crate::Backplane) has lost them: what was sent so far stands before them, and what is sent now comes before those
    /// behind them.
    Gap(Gap),
    /// A topic begins anew, as its [backplane](crate::Backplane) has lost it, or has fallen back to an earlier state: the client's
    /// state is to be fetched anew, and what comes follows.
    Reset(Reset),
    /// The [backplane](crate::Backplane) has not been reached for 5 s: nothing comes meanwhile. It is told first to a subscriber that
    /// begins then.
    Stale,
    /// It is reached again, and all that did not come meanwhile has come, or was told to be missing.
    Live,
    /// The connection has ended in order, be it closed by the peer, by a drain, or as it was too slow.
    Closed(CloseInfo),
}

/// What [`Subscriber::next`](crate::Subscriber::next) gives.
#[derive(Debug)]
#[non_exhaustive]
pub enum Next {
    /// A publication.
    Delivery(Delivery),
    /// The subscriber has missed some of a topic's publications, by [`Slow::Skip`](crate::Slow::Skip), or as the
    /// [backplane](crate::Backplane) has lost them.
    Gap(Gap),
    /// A topic begins anew, as its [backplane](crate::Backplane) has lost it, or has fallen back to an earlier state: the client's
    /// state is to be fetched anew, and what comes follows.
    Reset(Reset),
    /// The [backplane](crate::Backplane) has not been reached for 5 s: nothing comes meanwhile.
    Stale,
    /// It is reached again, and all that did not come meanwhile has come, or was told to be missing.
    Live,
}

/// A publication that a subscriber gets.
pub struct Delivery {
    pub(crate) entry: Arc<Entry>,
    pub(crate) prepared: Prepared,
}

impl Delivery {
    /// The topic's name.
    pub fn topic(&self) -> &str {
        &self.entry.topic
    }

    /// Where it stands in its topic.
    pub fn position(&self) -> Position {
        self.entry.position
    }

    /// What to send: the message that was published, or what the subscriber's [`Form`](crate::Form) made of it; encoded once for
    /// all that get it.
    pub fn message(&self) -> &Prepared {
        &self.prepared
    }

    /// Whether it may be compressed, as its publisher said.
    pub fn compression(&self) -> Compression {
        self.entry.compression
    }
}

/// Shows the size of the message, and nothing of it.
impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("topic", &self.topic())
            .field("position", &self.position())
            .field("message", &self.message())
            .finish()
    }
}

/// Publications of a topic that a subscriber has missed, as it was too slow, or as the backplane has lost them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    pub(crate) topic: Arc<str>,
    pub(crate) from: Position,
    pub(crate) to: Position,
}

impl Gap {
    /// The topic's name.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Where the first of them stands.
    pub fn from(&self) -> Position {
        self.from
    }

    /// Where the last of them stands.
    pub fn to(&self) -> Position {
        self.to
    }

    /// How many they are.
    pub fn missed(&self) -> u64 {
        self.to.offset - self.from.offset + 1
    }
}

/// A topic that begins anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    pub(crate) topic: Arc<str>,
    pub(crate) position: Position,
}

impl Reset {
    /// The topic's name.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// What the subscription goes on behind.
    pub fn position(&self) -> Position {
        self.position
    }
}

//! What a client gets.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use talkback::{CodecError, Json, Message};

use crate::position::Position;

/// What [`TopicChannel::recv`](crate::client::TopicChannel::recv) gives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A publication, in the order of its topic, each once.
    Delivery(Delivery),
    /// A subscription has begun, for the first time: what comes follows its position. A program whose publications are changes of
    /// a state fetches that state now.
    Subscribed(Begun),
    /// What comes of a topic does not continue what came before: the server does not have all of that any more, or has begun the topic
    /// anew. A program fetches its state anew now.
    Reset(Begun),
    /// Some of a topic's publications are missing between what came and what comes.
    Gap(Gap),
    /// A publication of this client's stands in its topic.
    Published(Published),
    /// The server does not get what others publish at the moment, and says [`Live`](Self::Live) once it does.
    Stale,
    /// What the server gets is up to date again.
    Live,
}

/// A publication.
#[derive(Clone)]
pub struct Delivery {
    pub(crate) topic: Arc<str>,
    pub(crate) position: Position,
    pub(crate) message: Message,
}

impl Delivery {
    /// The topic's name.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Where it stands in its topic: what to begin [after](crate::Start::After) another time.
    pub fn position(&self) -> Position {
        self.position
    }

    /// What was published. A text that is JSON has no white space around it.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// What was published, without a copy.
    pub fn into_message(self) -> Message {
        self.message
    }

    /// The value that the message is in JSON.
    ///
    /// # Errors
    /// It is none of this type: which field it was that did not fit.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CodecError> {
        Json.decode(&self.message)
    }
}

/// Shows the size of the message, and nothing of it.
impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("topic", &self.topic)
            .field("position", &self.position)
            .field("message", &self.message)
            .finish()
    }
}

/// Where a subscription begins, or begins anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    pub(crate) topic: Arc<str>,
    pub(crate) position: Option<Position>,
}

impl Begun {
    /// The topic's name.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// What follows is behind this position; `None` if the server has not said.
    pub fn position(&self) -> Option<Position> {
        self.position
    }
}

/// Publications of a topic that are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    pub(crate) topic: Arc<str>,
    pub(crate) after: Position,
    pub(crate) before: Position,
}

impl Gap {
    /// The topic's name.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The position before the first of them.
    pub fn after(&self) -> Position {
        self.after
    }

    /// The position behind the last of them.
    pub fn before(&self) -> Position {
        self.before
    }

    /// How many they are.
    pub fn missed(&self) -> u64 {
        let between = self.before.offset.saturating_sub(self.after.offset);
        between.saturating_sub(1)
    }
}

/// A publication of this client's that stands in its topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub(crate) number: u64,
    pub(crate) topic: Arc<str>,
    pub(crate) position: Position,
}

impl Published {
    /// The number that [`publish`](crate::client::TopicChannel::publish) gave.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The topic's name.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Where it stands: the delivery with this position is this client's own.
    pub fn position(&self) -> Position {
        self.position
    }
}

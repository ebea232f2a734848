//! What comes of a channel that stays connected, in order.

use std::fmt;
use std::time::Duration;

use talkback_proto::Message;

use crate::reconnect::lost::Lost;

/// What comes of a channel that stays connected: its messages, and between them where one connection ends and
/// the next begins.
///
/// The messages of a connection stand between its `Opened` and its `Lost`, so that a gap is seen where it is.
/// Marks that nobody reads fold: of several losses in a row without a message between, the newest `Lost` and the
/// newest `Opened` remain, and the `Lost` counts the messages of all.
///
/// What comes of a typed channel has values in place of messages.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ChannelEvent<M = Message> {
    /// A connection is open.
    Opened(Opened),
    /// A message of the open connection came.
    Message(M),
    /// The open connection was lost.
    Lost(Lost),
}

/// A connection was opened. `Debug` does not show the subprotocol, which may be a secret.
#[derive(Clone)]
pub struct Opened {
    connection: u64,
    subprotocol: Option<Box<str>>,
    after: Option<Duration>,
}

impl Opened {
    pub(crate) fn new(
        connection: u64,
        subprotocol: Option<Box<str>>,
        after: Option<Duration>,
    ) -> Self {
        Self {
            connection,
            subprotocol,
            after,
        }
    }

    /// The connection's number, counted from 1.
    pub fn connection(&self) -> u64 {
        self.connection
    }

    /// The subprotocol that both ends agreed on.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// How long there was no connection since the one before was lost; `None` for the first.
    pub fn after(&self) -> Option<Duration> {
        self.after
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("connection", &self.connection)
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn re123_an_event_shows_neither_subprotocol_nor_payload() {
        let opened = Opened::new(2, Some("hunter2".into()), Some(Duration::from_secs(3)));
        assert_eq!(opened.subprotocol(), Some("hunter2"));
        let events: [ChannelEvent; 2] = [
            ChannelEvent::Opened(opened),
            ChannelEvent::Message("hunter2".into()),
        ];
        for event in events {
            let text = format!("{event:?}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}

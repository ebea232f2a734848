//! What has come in, and what becomes of it.

use std::task::{Context, Waker};

use talkback_proto::{Compression, Message};

use crate::channel::queue::{Queue, QueueLimits};
use crate::channel::watchers::{Callback, Watchers};
use crate::socket::Backlog;

/// The way of received messages to whoever reads them or looks at them.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    reading: Reading,
    latest: Latest,
    /// Those who look at snapshots.
    pub(crate) watchers: Watchers,
    receiver: Option<Waker>,
}

/// What becomes of messages that arrive.
#[derive(Debug)]
pub(crate) enum Reading {
    /// They wait in the queue for the receiver.
    Queue(Queue),
    /// Only the newest is kept, for snapshots.
    Latest,
    /// Nobody wants them.
    Discard,
}

impl Default for Reading {
    fn default() -> Self {
        Self::Queue(Queue::default())
    }
}

/// The newest message, for those who draw it.
#[derive(Debug, Default)]
enum Latest {
    /// None has come.
    #[default]
    None,
    /// It is not kept, as nobody draws it.
    NotKept,
    Kept(Message),
}

impl Inbox {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self {
            reading: Reading::Queue(Queue::new(limits)),
            ..Self::default()
        }
    }

    /// Whether messages may come: there is capacity for them, or nobody waits for them.
    pub(crate) fn has_capacity(&self) -> bool {
        match &self.reading {
            Reading::Queue(queue) => queue.has_capacity(),
            Reading::Latest | Reading::Discard => true,
        }
    }

    /// What waits for the receiver if there is no capacity.
    pub(crate) fn backlog(&self) -> Option<Backlog> {
        match &self.reading {
            Reading::Queue(queue) if !queue.has_capacity() => Some(Backlog {
                messages: queue.len(),
                ahead: queue.ahead(),
            }),
            _ => None,
        }
    }

    /// Takes in a message, capacity or not.
    pub(crate) fn push(&mut self, message: Message) {
        // The last message is kept for those who draw it, and for nobody else.
        let is_drawn = !self.watchers.is_empty() || matches!(self.reading, Reading::Latest);
        self.latest = match is_drawn {
            true => Latest::Kept(message.clone()),
            false => Latest::NotKept,
        };
        if let Reading::Queue(queue) = &mut self.reading {
            queue.push(message, Compression::Auto);
        }
    }

    /// The next message that waits for the receiver.
    pub(crate) fn pop(&mut self) -> Option<Message> {
        match &mut self.reading {
            Reading::Queue(queue) => queue.pop().map(|(message, _)| message),
            Reading::Latest | Reading::Discard => None,
        }
    }

    /// Changes what becomes of messages that arrive; what waits is thrown away. Returns the waker of
    /// whoever read, to be dropped outside of the lock.
    pub(crate) fn set_reading(&mut self, reading: Reading) -> Option<Waker> {
        self.reading = reading;
        self.take_receiver()
    }

    /// Sets who is woken for a message; returns who was before, to be dropped outside of the lock.
    pub(crate) fn set_receiver(&mut self, cx: &Context<'_>) -> Option<Waker> {
        self.receiver.replace(cx.waker().clone())
    }

    pub(crate) fn take_receiver(&mut self) -> Option<Waker> {
        self.receiver.take()
    }

    /// Takes in one who looks at snapshots. The first sees the newest message that is still unread.
    pub(crate) fn add_watcher(&mut self) -> u64 {
        if let (Latest::NotKept, Reading::Queue(queue)) = (&self.latest, &self.reading)
            && let Some(newest) = queue.newest()
        {
            self.latest = Latest::Kept(newest.clone());
        }
        self.watchers.add()
    }

    /// Forgets one; returns its callback, to be dropped outside of the lock.
    pub(crate) fn remove_watcher(&mut self, key: u64) -> Option<Callback> {
        let callback = self.watchers.remove(key);
        if self.watchers.is_empty() && matches!(self.latest, Latest::Kept(_)) {
            self.latest = Latest::NotKept;
        }
        callback
    }

    /// Whether a message ever came.
    pub(crate) fn has_data(&self) -> bool {
        !matches!(self.latest, Latest::None)
    }

    /// The newest message, if it is kept.
    pub(crate) fn latest(&self) -> Option<&Message> {
        match &self.latest {
            Latest::Kept(message) => Some(message),
            Latest::None | Latest::NotKept => None,
        }
    }
}

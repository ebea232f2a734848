//! What has come in, and what becomes of it.

use std::task::{Context, Waker};

use talkback_proto::Message;

use crate::channel::buffers::Messages;
use crate::channel::queue::{Load, Queue, QueueLimits};
use crate::channel::watchers::{Callback, Watchers};

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

    /// How full the queue for the receiver is, if there is one.
    pub(crate) fn load(&self) -> Option<Load> {
        match &self.reading {
            Reading::Queue(queue) => Some(queue.load()),
            Reading::Latest | Reading::Discard => None,
        }
    }

    /// Takes in messages, capacity or not. Those that nobody reads are left, to be dropped outside of the
    /// lock.
    pub(crate) fn append(&mut self, messages: &mut Messages) {
        // The last message is kept for those who draw it, and for nobody else.
        let is_drawn = !self.watchers.is_empty() || matches!(self.reading, Reading::Latest);
        self.latest = match messages.newest() {
            Some(newest) if is_drawn => Latest::Kept(newest.clone()),
            _ => Latest::NotKept,
        };
        if let Reading::Queue(queue) = &mut self.reading {
            queue.append(messages);
        }
    }

    /// The next message that waits for the receiver, and whether those that come had to wait for it.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<(Message, bool)> {
        let Reading::Queue(queue) = &mut self.reading else {
            return None;
        };
        let was_full = !queue.has_capacity();
        let (message, _) = queue.pop()?;
        Some((message, was_full))
    }

    /// Changes what becomes of messages that arrive; what waits is thrown away. Returns the waker of
    /// whoever read, to be dropped outside of the lock.
    pub(crate) fn set_reading(&mut self, reading: Reading) -> Option<Waker> {
        self.reading = reading;
        self.take_receiver()
    }

    /// Sets who is woken for a message; returns who was before, to be dropped outside of the lock.
    pub(crate) fn set_receiver(&mut self, cx: &Context<'_>) -> Option<Waker> {
        match &self.receiver {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            _ => self.receiver.replace(cx.waker().clone()),
        }
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

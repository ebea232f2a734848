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
    /// Whether a message ever came.
    has_data: bool,
    /// How often messages were appended; it may wrap.
    #[cfg(not(browser))]
    appended: u32,
    /// What those who look at snapshots see, if there are any.
    drawn: Option<Box<Drawn>>,
    receiver: Option<Waker>,
}

/// Those who look at snapshots, and what they see.
#[derive(Debug, Default)]
struct Drawn {
    watchers: Watchers,
    /// The newest message.
    latest: Option<Message>,
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
        self.has_data |= !messages.is_empty();
        #[cfg(not(browser))]
        {
            self.appended = self.appended.wrapping_add(1);
        }
        // The last message is kept for those who draw it, and for nobody else.
        if let Some(drawn) = &mut self.drawn {
            drawn.latest = messages.newest().cloned();
        }
        if let Reading::Queue(queue) = &mut self.reading {
            queue.append(messages);
        }
    }

    /// Whether no message waits for the receiver.
    #[cfg(not(browser))]
    pub(crate) fn is_empty(&self) -> bool {
        match &self.reading {
            Reading::Queue(queue) => queue.is_empty(),
            Reading::Latest | Reading::Discard => true,
        }
    }

    /// How often messages came here: whether more have is told by another number.
    #[cfg(not(browser))]
    pub(crate) fn appended(&self) -> u32 {
        self.appended
    }

    /// A message came that did not have to wait here.
    #[cfg(not(browser))]
    pub(crate) fn note_data(&mut self) {
        self.has_data = true;
    }

    /// The next message that waits for the receiver, and whether those that come had to wait for it.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<(Message, bool)> {
        let Reading::Queue(queue) = &mut self.reading else {
            return None;
        };
        let was_full = !queue.has_capacity();
        let message = queue.pop()?;
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
        let drawn = self.drawn.get_or_insert_with(|| {
            let latest = match &self.reading {
                Reading::Queue(queue) => queue.newest().cloned(),
                Reading::Latest | Reading::Discard => None,
            };
            let watchers = Watchers::default();
            Box::new(Drawn { watchers, latest })
        });
        drawn.watchers.add()
    }

    /// Forgets one; returns its callback, to be dropped outside of the lock.
    pub(crate) fn remove_watcher(&mut self, key: u64) -> Option<Callback> {
        let watchers = self.watchers()?;
        let callback = watchers.remove(key);
        if watchers.is_empty() {
            self.drawn = None;
        }
        callback
    }

    /// Whether anybody looks at snapshots.
    #[cfg(not(browser))]
    pub(crate) fn is_drawn(&self) -> bool {
        self.drawn.is_some()
    }

    /// Those who look at snapshots, if there are any.
    pub(crate) fn watchers(&mut self) -> Option<&mut Watchers> {
        Some(&mut self.drawn.as_mut()?.watchers)
    }

    /// The version that one of them has looked at.
    pub(crate) fn seen(&self, key: u64) -> Option<u64> {
        self.drawn.as_ref()?.watchers.seen(key)
    }

    /// Whether a message ever came.
    pub(crate) fn has_data(&self) -> bool {
        self.has_data
    }

    /// The newest message, if it is kept.
    pub(crate) fn latest(&self) -> Option<&Message> {
        self.drawn.as_ref()?.latest.as_ref()
    }
}

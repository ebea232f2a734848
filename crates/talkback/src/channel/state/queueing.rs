//! What is queued to be sent, where some of it may be too old, or go for newer messages.

use crate::channel::lifecycle::Lifecycle;
use crate::channel::outbox::Outgoing;
use crate::channel::state::Locked;
use crate::channel::to_send::ToSend;

impl Locked<'_> {
    /// Takes what the socket is to send next; whether that is something, or makes room.
    #[inline]
    pub(crate) fn take_outgoing(&mut self, capacity: usize, outgoing: &mut Outgoing) -> bool {
        match self.reconnection {
            None => self.outbox.take(capacity, outgoing),
            Some(_) => self.take_what_is_young(capacity, outgoing),
        }
    }

    /// The same, but for what has waited too long.
    #[cold]
    fn take_what_is_young(&mut self, capacity: usize, outgoing: &mut Outgoing) -> bool {
        let is_dropped = self.drop_aged();
        let queued = self.outbox.len();
        let is_taken = self.outbox.take(capacity, outgoing);
        let taken = queued - self.outbox.len();
        if let Some(reconnection) = &mut self.state.reconnection {
            reconnection.waiting.note_gone(taken);
        }
        is_taken || is_dropped
    }

    /// Queues a message, capacity or not.
    #[inline(always)]
    pub(crate) fn push(&mut self, message: ToSend) {
        self.outbox.push(message);
        if self.reconnection.is_none() || self.wakes_the_loop() {
            self.wake_driver();
        }
    }

    /// Notes a message of a channel that reconnects. While there is no connection it waits for one, and so does the
    /// loop.
    #[cold]
    fn wakes_the_loop(&mut self) -> bool {
        if let Some(reconnection) = &mut self.state.reconnection {
            reconnection.note_queued();
        }
        !matches!(self.lifecycle, Lifecycle::Connecting)
    }

    /// Whether there is capacity for one more message, which may never come, or old ones may go for it. What is too old
    /// goes in any case.
    pub(crate) fn may_have_send_capacity(&mut self) -> bool {
        if !self.outbox.has_capacity() && matches!(self.lifecycle, Lifecycle::Connecting) {
            self.drop_aged();
        }
        self.outbox.has_capacity() || self.can_make_room()
    }

    /// Makes room for a message, if old ones may go for it; whether there is some.
    #[cold]
    pub(crate) fn make_room(&mut self) -> bool {
        if matches!(self.lifecycle, Lifecycle::Connecting) {
            self.drop_aged();
        }
        while !self.outbox.has_capacity() && self.can_make_room() {
            self.drop_oldest();
        }
        self.outbox.has_capacity()
    }

    /// Whether the oldest message may go for a new one. A connection that is slow does not lose what is queued for
    /// it: there has to be none.
    #[cold]
    fn can_make_room(&self) -> bool {
        let reconnection = self.reconnection.as_ref();
        reconnection.is_some_and(|state| state.waiting.drops_oldest())
            && matches!(self.lifecycle, Lifecycle::Connecting)
            && self.outbox.has_messages()
    }

    /// Drops the messages that have waited too long; whether there were any.
    fn drop_aged(&mut self) -> bool {
        let mut is_dropped = false;
        while self.outbox.has_messages()
            && let Some(reconnection) = &self.reconnection
            && reconnection.is_oldest_aged()
        {
            self.drop_oldest();
            is_dropped = true;
        }
        is_dropped
    }

    fn drop_oldest(&mut self) {
        let message = self.outbox.drop_oldest();
        // Not under the lock.
        self.wakes.more().messages.extend(message);
        if let Some(reconnection) = &mut self.state.reconnection {
            reconnection.waiting.note_dropped();
        }
        self.wake_senders();
    }
}

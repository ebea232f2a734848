//! A queue of messages with a bound on their number and their bytes.

use std::num::NonZeroU32;

use talkback_proto::{Compression, Message, Prepared};

use crate::channel::buffers::Messages;
use crate::channel::to_send::ToSend;
use crate::socket::Backlog;

/// How many messages the queue of received ones holds by default: enough to keep a reader busy, while
/// the peer waits with the rest.
const RECEIVED_MAX: usize = 64;

/// How many messages the queue of sent ones holds by default. A server that hands a burst of one client
/// on to another fills it before its driver has a turn.
pub(crate) const SENT_MAX: usize = 1024;

/// What a message in a queue takes besides its payload, in bytes, as it counts.
const OVERHEAD: usize = 64;

/// The bounds of one of a channel's queues; by default 1 MiB, and 64 received messages or 1,024 to be
/// sent.
///
/// Below both, there is capacity for one more message, of any size: a queue always holds at least one.
/// Ahead of a full queue of received messages up to 64 KiB more are read, to hear of the end of the
/// connection behind them.
///
/// ```no_run
/// use talkback::QueueLimits;
///
/// // Prices that are old are worth nothing: rather wait with sending them.
/// let channel = talkback::connect("wss://api.example/")
///     .send_queue(QueueLimits::default().messages_max(1))
///     .recv_queue(QueueLimits::default().messages_max(1000).bytes_max(16 << 20))
///     .channel();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// `None` for the queue's own default.
    messages: Option<usize>,
    bytes: usize,
}

impl QueueLimits {
    /// Sets how many messages it holds; 0 is as 1.
    #[must_use]
    pub const fn messages_max(mut self, messages: usize) -> Self {
        self.messages = Some(messages);
        self
    }

    /// Sets how many bytes it holds, unless one message alone is larger. A message counts as its payload
    /// and 64 bytes.
    #[must_use]
    pub const fn bytes_max(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// These limits with so many messages, unless another number was set.
    pub(crate) fn messages_default(self, messages: usize) -> Self {
        let messages = self.messages.or(Some(messages));
        Self { messages, ..self }
    }
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            messages: None,
            bytes: 1024 * 1024,
        }
    }
}

/// How full a queue is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// How many messages it holds within its capacity.
    messages: u32,
    messages_max: NonZeroU32,
    /// What they count in bytes.
    cost: usize,
    cost_max: usize,
    /// How many are ahead of the capacity, behind the others.
    ahead: u32,
    /// What those count in bytes.
    ahead_cost: usize,
}

impl Load {
    /// That of an empty queue, of received messages unless the limits say how many it holds.
    fn new(limits: QueueLimits) -> Self {
        Self {
            messages: 0,
            cost: 0,
            ahead: 0,
            ahead_cost: 0,
            messages_max: saturating(limits.messages.unwrap_or(RECEIVED_MAX)),
            cost_max: limits.bytes,
        }
    }

    /// That of the queue when it is empty.
    fn emptied(self) -> Self {
        Self {
            messages: 0,
            cost: 0,
            ahead: 0,
            ahead_cost: 0,
            ..self
        }
    }

    /// Whether there is capacity for one more message. An empty queue takes one of any size.
    #[inline]
    pub(crate) fn has_capacity(&self) -> bool {
        self.messages == 0 || (self.messages < self.messages_max.get() && self.cost < self.cost_max)
    }

    /// A message of this size is pushed.
    #[inline]
    pub(crate) fn push(&mut self, size: usize) {
        let cost = size + OVERHEAD;
        if self.has_capacity() {
            self.messages += 1;
            self.cost += cost;
        } else {
            self.ahead += 1;
            self.ahead_cost += cost;
        }
    }

    /// The first message, of this size, is popped.
    #[inline]
    fn pop(&mut self, size: usize) {
        self.messages -= 1;
        self.cost -= size + OVERHEAD;
    }

    /// The first message that is ahead, of this size, takes the place of what was popped.
    #[cold]
    fn catch_up(&mut self, size: usize) {
        self.ahead -= 1;
        self.ahead_cost -= size + OVERHEAD;
        self.messages += 1;
        self.cost += size + OVERHEAD;
    }

    fn len(&self) -> usize {
        self.messages as usize + self.ahead as usize
    }

    /// The size of all payloads in bytes.
    fn bytes(&self) -> usize {
        self.cost + self.ahead_cost - self.len() * OVERHEAD
    }

    /// What waits, if there is no capacity.
    #[inline]
    pub(crate) fn backlog(&self) -> Option<Backlog> {
        (!self.has_capacity()).then(|| Backlog {
            messages: self.len(),
            ahead: self.ahead_cost,
        })
    }
}

/// A queue holds one message at least.
fn saturating(messages: usize) -> NonZeroU32 {
    let messages = u32::try_from(messages).unwrap_or(u32::MAX);
    NonZeroU32::new(messages).unwrap_or(NonZeroU32::MIN)
}

/// Messages on their way between a program and its driver.
///
/// Those that are pushed without capacity stand ahead of the queue, until the messages before them are
/// popped.
#[derive(Debug)]
pub(crate) struct Queue {
    messages: Messages,
    load: Load,
}

impl Default for Queue {
    fn default() -> Self {
        Self::new(QueueLimits::default())
    }
}

impl Queue {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self {
            messages: Messages::default(),
            load: Load::new(limits),
        }
    }

    pub(crate) fn load(&self) -> Load {
        self.load
    }

    /// Whether there is capacity for one more message.
    #[inline]
    pub(crate) fn has_capacity(&self) -> bool {
        self.load.has_capacity()
    }

    #[inline]
    pub(crate) fn push(&mut self, message: Message, compression: Compression) {
        self.load.push(message.len());
        self.messages.push(message, compression);
    }

    #[cold]
    pub(crate) fn push_prepared(&mut self, prepared: Prepared) {
        self.load.push(prepared.message().len());
        self.messages.push_prepared(prepared);
    }

    /// Pushes all of these.
    pub(crate) fn append(&mut self, messages: &mut Messages) {
        for message in messages.iter() {
            self.load.push(message.len());
        }
        self.messages.append(messages);
    }

    /// Pops the first message of a queue in which none was prepared.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Message> {
        let (message, _) = self.messages.pop()?;
        self.note_popped(message.len());
        Some(message)
    }

    /// Pops the first message, prepared or not.
    pub(crate) fn pop_any(&mut self) -> Option<ToSend> {
        let size = self.messages.size_of_nth(0);
        let message = self.messages.pop_any()?;
        self.note_popped(size);
        Some(message)
    }

    #[inline]
    fn note_popped(&mut self, size: usize) {
        self.load.pop(size);
        while self.load.ahead > 0 && self.load.has_capacity() {
            let size = self.messages.size_of_nth(self.load.messages as usize);
            self.load.catch_up(size);
        }
    }

    /// Pops as many messages as their receiver has capacity for, which is told in bytes: another one is
    /// popped while any are left. Each takes its payload and `overhead`.
    pub(crate) fn pop_into(
        &mut self,
        messages: &mut Messages,
        capacity: &mut usize,
        overhead: usize,
    ) {
        let all = self.bytes() + self.len() * overhead;
        if messages.is_empty() && all < *capacity {
            *capacity -= all;
            std::mem::swap(&mut self.messages, messages);
            self.load = self.load.emptied();
            return;
        }
        while *capacity > 0 && !self.is_empty() {
            let size = self.messages.size_of_nth(0);
            *capacity = capacity.saturating_sub(size + overhead);
            match self.pop_any() {
                Some(ToSend::Message(message, compression)) => messages.push(message, compression),
                Some(ToSend::Prepared(prepared)) => messages.push_prepared(prepared),
                None => {}
            }
        }
    }

    /// The message that was pushed last, if it was not popped.
    pub(crate) fn newest(&self) -> Option<&Message> {
        self.messages.newest()
    }

    /// Takes all messages out.
    pub(crate) fn take(&mut self) -> Self {
        let load = self.load.emptied();
        let messages = Messages::default();
        std::mem::replace(self, Self { messages, load })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.load.len()
    }

    /// The size of all payloads in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.load.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_64_messages_that_were_received_and_1024_that_are_sent() {
        let limits = QueueLimits::default();
        for (limits, count) in [(limits, 64), (limits.messages_default(SENT_MAX), 1024)] {
            let mut queue = Queue::new(limits);
            while queue.has_capacity() {
                queue.push("x".into(), Compression::Auto);
            }
            assert_eq!(queue.len(), count);
            queue.pop();
            assert!(queue.has_capacity());
        }
    }

    const MIB: usize = 1024 * 1024;

    #[test]
    fn holds_as_much_as_it_is_told_and_at_least_one_message() {
        for (limits, count) in [
            (QueueLimits::default().messages_max(3), 3),
            (QueueLimits::default().bytes_max(4), 1),
            // Of a byte each, with what they take besides.
            (QueueLimits::default().bytes_max(4 * 65), 4),
            (
                QueueLimits::default().messages_max(3).messages_default(9),
                3,
            ),
            (QueueLimits::default().messages_max(0).bytes_max(0), 1),
        ] {
            let mut queue = Queue::new(limits);
            while queue.has_capacity() {
                queue.push("x".into(), Compression::Auto);
            }
            assert_eq!(queue.len(), count, "{limits:?}");
            queue.take();
            while queue.has_capacity() {
                queue.push("x".into(), Compression::Auto);
            }
            assert_eq!(queue.len(), count, "{limits:?}");
        }
    }

    #[test]
    fn pr12_what_was_prepared_keeps_its_place() {
        let mut queue = Queue::default();
        for number in 0..7 {
            let message = Message::from(number.to_string());
            match number % 3 {
                1 => queue.push(message, Compression::Skip),
                _ => queue.push_prepared(Prepared::new(message)),
            }
        }
        assert_eq!(queue.bytes(), 7);
        let dropped = queue.pop_any().map(ToSend::into_message);
        assert_eq!(dropped, Some("0".into()));
        // Two in parts, and then all that are left.
        let (mut messages, mut rest) = (Messages::default(), Messages::default());
        queue.pop_into(&mut messages, &mut 16, 14);
        queue.pop_into(&mut rest, &mut 1000, 14);
        assert!(queue.is_empty() && queue.bytes() == 0);
        messages.append(&mut rest);
        for number in 1..7 {
            let message = messages.pop_any().unwrap();
            match number % 3 {
                1 => assert!(matches!(message, ToSend::Message(_, Compression::Skip))),
                _ => assert!(matches!(message, ToSend::Prepared(_))),
            }
            assert_eq!(message.into_message(), number.to_string().into());
        }
        assert!(messages.is_empty());
        messages.push_prepared(Prepared::new("gone"));
        messages.clear();
        messages.push("behind it".into(), Compression::Auto);
        assert!(!messages.has_prepared());
    }

    #[test]
    fn l7_what_is_ahead_takes_the_place_of_what_was_popped() {
        let mut queue = Queue::new(QueueLimits::default().messages_max(2).bytes_max(80));
        for size in [1, 20, 3, 0, 9, 4] {
            queue.push(vec![0; size].into(), Compression::Auto);
        }
        // Ahead of the capacity are four, then, as each one leaves, fewer.
        let ahead = |queue: &Queue| queue.load().backlog().map_or(0, |backlog| backlog.ahead);
        let mut seen = vec![ahead(&queue)];
        while let Some(message) = queue.pop() {
            seen.push(ahead(&queue));
            assert_eq!(queue.has_capacity(), queue.len() < 2, "{message:?}");
        }
        assert_eq!(
            seen,
            [4 * 64 + 16, 4 * 64 + 16, 2 * 64 + 13, 64 + 4, 0, 0, 0]
        );
        assert_eq!((queue.bytes(), queue.load.ahead_cost), (0, 0));
    }

    #[test]
    fn holds_one_message_of_any_size_and_a_mebibyte_of_several() {
        let mut queue = Queue::default();
        queue.push(vec![0; 3 * MIB].into(), Compression::Auto);
        assert!(!queue.has_capacity());
        queue.pop();
        assert_eq!((queue.bytes(), queue.has_capacity()), (0, true));
        queue.push(vec![0; MIB - OVERHEAD - 1].into(), Compression::Auto);
        assert!(queue.has_capacity());
        assert_eq!(queue.bytes(), MIB - OVERHEAD - 1);
        queue.push("".into(), Compression::Auto);
        assert!(!queue.has_capacity());
    }
}

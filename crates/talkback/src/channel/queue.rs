//! A queue of messages with a bound on their number and their bytes.

use std::collections::VecDeque;

use talkback_proto::{Compression, Message};

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

/// Messages on their way between a program and its driver.
///
/// Those that are pushed without capacity stand ahead of the queue, until the messages before them are
/// popped.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Each with what the caller said about compressing it.
    messages: VecDeque<(Message, Compression)>,
    bytes: usize,
    /// How many of the messages, the last ones, are ahead of the capacity.
    ahead: usize,
    /// The size of their payloads in bytes.
    ahead_bytes: usize,
    limits: QueueLimits,
}

impl Queue {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Whether there is capacity for one more message. An empty queue takes one of any size.
    pub(crate) fn has_capacity(&self) -> bool {
        let count = self.messages.len() - self.ahead;
        let bytes = self.bytes - self.ahead_bytes + count * OVERHEAD;
        let limits = self.limits;
        count == 0 || (count < limits.messages.unwrap_or(RECEIVED_MAX) && bytes < limits.bytes)
    }

    pub(crate) fn push(&mut self, message: Message, compression: Compression) {
        if !self.has_capacity() {
            self.ahead += 1;
            self.ahead_bytes += message.len();
        }
        self.bytes += message.len();
        self.messages.push_back((message, compression));
    }

    pub(crate) fn pop(&mut self) -> Option<(Message, Compression)> {
        let (message, compression) = self.messages.pop_front()?;
        self.bytes -= message.len();
        while self.ahead > 0 && self.has_capacity() {
            let first = self.messages.len() - self.ahead;
            self.ahead -= 1;
            self.ahead_bytes -= self.messages[first].0.len();
        }
        // An idle channel owns no queue.
        if self.messages.is_empty() {
            self.messages = VecDeque::new();
        }
        Some((message, compression))
    }

    /// The message that was pushed last, if it was not popped.
    pub(crate) fn newest(&self) -> Option<&Message> {
        self.messages.back().map(|(message, _)| message)
    }

    /// Takes all messages out.
    pub(crate) fn take(&mut self) -> Self {
        let empty = Self::new(self.limits);
        std::mem::replace(self, empty)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// What the messages ahead of the capacity cost in bytes, empty ones too.
    pub(crate) fn ahead(&self) -> usize {
        self.ahead_bytes + self.ahead * OVERHEAD
    }

    /// The size of all payloads in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
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
            assert_eq!(queue.messages.len(), count);
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
            assert_eq!(queue.limits, limits);
        }
    }

    #[test]
    fn l7_what_is_ahead_takes_the_place_of_what_was_popped() {
        let mut queue = Queue::new(QueueLimits::default().messages_max(2).bytes_max(80));
        for size in [1, 20, 3, 0, 9, 4] {
            queue.push(vec![0; size].into(), Compression::Auto);
        }
        // Ahead of the capacity are four, then, as each one leaves, fewer.
        let mut seen = vec![queue.ahead()];
        while let Some((message, _)) = queue.pop() {
            seen.push(queue.ahead());
            assert_eq!(queue.has_capacity(), queue.len() < 2, "{message:?}");
        }
        assert_eq!(
            seen,
            [4 * 64 + 16, 4 * 64 + 16, 2 * 64 + 13, 64 + 4, 0, 0, 0]
        );
        assert_eq!((queue.bytes, queue.ahead_bytes), (0, 0));
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

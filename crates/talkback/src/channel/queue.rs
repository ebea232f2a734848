//! A queue of messages with a bound on their number and their bytes.

use std::collections::VecDeque;

use talkback_proto::{Compression, Message};

/// The bounds of one of a channel's queues; 64 messages and 1 MiB by default.
///
/// Below both, there is capacity for one more message, of any size: a queue always holds at least one.
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
    messages: usize,
    bytes: usize,
}

impl QueueLimits {
    /// Sets how many messages it holds; 0 is as 1.
    #[must_use]
    pub const fn messages_max(mut self, messages: usize) -> Self {
        self.messages = messages;
        self
    }

    /// Sets how many bytes of payload it holds, unless one message alone is larger.
    #[must_use]
    pub const fn bytes_max(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            messages: 64,
            bytes: 1024 * 1024,
        }
    }
}

/// Messages on their way between a program and its driver.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Each with what the caller said about compressing it.
    messages: VecDeque<(Message, Compression)>,
    bytes: usize,
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
        let limits = self.limits;
        self.messages.is_empty()
            || (self.messages.len() < limits.messages && self.bytes < limits.bytes)
    }

    pub(crate) fn push(&mut self, message: Message, compression: Compression) {
        self.bytes += message.len();
        self.messages.push_back((message, compression));
    }

    pub(crate) fn pop(&mut self) -> Option<(Message, Compression)> {
        let (message, compression) = self.messages.pop_front()?;
        self.bytes -= message.len();
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

    /// The size of all payloads in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_64_messages() {
        let mut queue = Queue::default();
        while queue.has_capacity() {
            queue.push("x".into(), Compression::Auto);
        }
        assert_eq!(queue.messages.len(), 64);
        queue.pop();
        assert!(queue.has_capacity());
    }

    const MIB: usize = 1024 * 1024;

    #[test]
    fn holds_as_much_as_it_is_told_and_at_least_one_message() {
        for (limits, count) in [
            (QueueLimits::default().messages_max(3), 3),
            (QueueLimits::default().bytes_max(4), 4),
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
    fn holds_one_message_of_any_size_and_a_mebibyte_of_several() {
        let mut queue = Queue::default();
        queue.push(vec![0; 3 * MIB].into(), Compression::Auto);
        assert!(!queue.has_capacity());
        queue.pop();
        assert_eq!((queue.bytes(), queue.has_capacity()), (0, true));
        queue.push(vec![0; MIB - 1].into(), Compression::Auto);
        assert!(queue.has_capacity());
    }
}

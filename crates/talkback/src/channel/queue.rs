//! A queue of messages with a bound on their number and their bytes.

use std::collections::VecDeque;

use talkback_proto::{Compression, Message};

/// The most messages in a queue.
const MESSAGES_MAX: usize = 64;

/// The most bytes in a queue, unless one message alone is larger.
const BYTES_MAX: usize = 1024 * 1024;

/// Messages on their way between a program and its driver.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Each with what the caller said about compressing it.
    messages: VecDeque<(Message, Compression)>,
    bytes: usize,
}

impl Queue {
    /// Whether there is capacity for one more message. An empty queue takes one of any size.
    pub(crate) fn has_capacity(&self) -> bool {
        self.messages.is_empty() || (self.messages.len() < MESSAGES_MAX && self.bytes < BYTES_MAX)
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

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
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
        assert_eq!(queue.messages.len(), MESSAGES_MAX);
        queue.pop();
        assert!(queue.has_capacity());
    }

    #[test]
    fn holds_one_message_of_any_size_and_a_mebibyte_of_several() {
        let mut queue = Queue::default();
        queue.push(vec![0; 3 * BYTES_MAX].into(), Compression::Auto);
        assert!(!queue.has_capacity());
        queue.pop();
        assert_eq!((queue.bytes(), queue.has_capacity()), (0, true));
        queue.push(vec![0; BYTES_MAX - 1].into(), Compression::Auto);
        assert!(queue.has_capacity());
    }
}

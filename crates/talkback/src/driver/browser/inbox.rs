//! What the browser's callbacks leave for the task.

use std::collections::VecDeque;
use std::task::Waker;

use talkback_proto::Message;

/// What keeping a message takes beside its payload, at most: its place in the queue, which may have
/// twice the places that are taken, and its allocation.
const KEPT_BYTES: usize = 64;

/// The end of a socket, as the browser tells it.
#[derive(Clone, Debug)]
pub(crate) struct Closed {
    pub(crate) code: u16,
    pub(crate) reason: String,
    pub(crate) was_clean: bool,
    /// Whether the browser has failed the connection (RFC 6455 §7.1.7): it tells so by an error event
    /// before the end, and does not if the transport was lost.
    pub(crate) is_failed: bool,
}

/// Events of one socket that the task has not seen yet.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub(super) is_open: bool,
    pub(super) is_page_left: bool,
    pub(super) is_failed: bool,
    pub(super) closed: Option<Closed>,
    messages: VecDeque<Message>,
    /// The size of the messages, with what keeping them takes.
    bytes: usize,
    pub(super) waker: Option<Waker>,
}

impl Inbox {
    pub(super) fn push(&mut self, message: Message) {
        self.bytes += message.len() + KEPT_BYTES;
        self.messages.push_back(message);
    }

    pub(super) fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.len() + KEPT_BYTES;
        Some(message)
    }

    pub(super) fn clear(&mut self) {
        self.messages.clear();
        self.bytes = 0;
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

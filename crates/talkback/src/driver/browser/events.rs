//! What the browser's callbacks leave for the driver.

use std::collections::VecDeque;
use std::task::Waker;

use talkback_proto::Message;

/// What keeping a message takes beside its payload, at most: its place in the queue, which may have
/// twice the places that are taken, and its allocation.
const KEPT_BYTES: usize = 64;

/// The end of a socket, as the browser tells it.
#[derive(Clone, Debug)]
pub(super) struct Closed {
    pub(super) code: u16,
    pub(super) reason: String,
    pub(super) was_clean: bool,
    /// Whether the browser has failed the connection (RFC 6455 §7.1.7): it tells so by an error event
    /// before the end, and does not if the transport was lost.
    pub(super) is_failed: bool,
}

/// Whether a socket has come to its end, as its events tell.
#[derive(Debug, Default)]
pub(super) enum Phase {
    #[default]
    Alive,
    /// The browser has failed the connection, and will close it.
    Failed,
    Closed(Closed),
}

/// Whether the page is still there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Page {
    #[default]
    Shown,
    Left,
}

/// Events of one socket that the driver has not seen yet.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// Whether it was ever open: its end may have come since.
    pub(super) was_open: bool,
    pub(super) phase: Phase,
    pub(super) page: Page,
    messages: VecDeque<Message>,
    /// The size of the messages, with what keeping them takes.
    bytes: usize,
    pub(super) waker: Option<Waker>,
}

impl Events {
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

//! The half of a channel that receives.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use talkback_proto::Message;

use crate::channel::handle::Handle;
use crate::channel::inbox::Reading;
use crate::channel::methods::{common_methods, receiving_methods};
use crate::error::Error;

/// The receiving half of a channel: the one reader of its messages.
///
/// Dropping it discards what comes, so that the peer does not wait; the channel stays open for its
/// [`Sender`](crate::Sender)s.
pub struct Receiver {
    handle: Handle,
}

impl Receiver {
    common_methods!();
    receiving_methods!();

    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Changes what becomes of messages that arrive; those that wait are thrown away.
    pub(crate) fn set_reading(&self, reading: Reading) {
        self.handle.lock().set_reading(reading);
    }
}

impl Stream for Receiver {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.handle.poll_recv(cx).map(Result::transpose)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(mut state) = self.handle.lock_to_leave() {
            state.set_reading(Reading::Discard);
        }
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

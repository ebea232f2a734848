//! The half of a channel that receives.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use talkback_proto::{CloseInfo, Message};

use crate::channel::handle::Handle;
use crate::channel::inbox::Reading;
use crate::error::Error;

/// The receiving half of a channel: the one reader of its messages.
///
/// Dropping it discards what comes, so that the peer does not wait; the channel stays open for its
/// [`Sender`](crate::Sender)s.
pub struct Receiver {
    pub(crate) handle: Handle,
}

impl Receiver {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// Waits for the next message; `None` after a normal close.
    ///
    /// # Errors
    /// The one error of a channel that ended otherwise, once; then `None`.
    ///
    /// # Cancel safety
    /// A dropped call loses nothing.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.poll_recv(cx)).await.transpose()
    }

    /// The next message, or the end: the error first, once.
    pub(crate) fn poll_recv(&self, cx: &Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        let mut state = self.handle.lock();
        let was_full = !state.inbox.has_capacity();
        if let Some(message) = state.inbox.pop() {
            if was_full {
                state.wake_driver();
            }
            return Poll::Ready(Some(Ok(message)));
        }
        if !state.lifecycle.is_ended() {
            state.inbox.set_receiver(cx);
            return Poll::Pending;
        }
        Poll::Ready(state.lifecycle.read_error().map(Err))
    }

    /// Changes what becomes of messages that arrive; those that wait are thrown away.
    pub(crate) fn set_reading(&self, reading: Reading) {
        let mut state = self.handle.lock();
        state.inbox.set_reading(reading);
        state.wake_driver();
    }

    /// How the channel ended, once it has.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.handle.lock().lifecycle.close_info().cloned()
    }
}

impl Stream for Receiver {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_recv(cx)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.set_reading(Reading::Discard);
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.handle.lock().channel_state();
        f.debug_struct("Receiver")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

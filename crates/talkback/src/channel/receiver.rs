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
        poll_fn(|cx| self.handle.lock().poll_receive(cx))
            .await
            .transpose()
    }

    /// How the channel ended, once it has.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.handle.lock().close_info().cloned()
    }
}

impl Stream for Receiver {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.handle.lock().poll_receive(cx)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.handle.lock().set_reading(Reading::Discard);
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

//! The half of a channel that receives.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use talkback_proto::{CloseInfo, Message};

use crate::channel::state::{Reading, Shared};
use crate::channel::sync::Arc;
use crate::error::Error;

/// The receiving half of a channel: the one reader of its messages.
///
/// Dropping it discards what comes, so that the peer does not wait; the channel stays open for its
/// [`Sender`](crate::Sender)s.
pub struct Receiver {
    pub(crate) shared: Arc<Shared>,
}

impl Receiver {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        shared.lock().add_handle();
        Self { shared }
    }

    /// Waits for the next message; `None` after a normal close.
    ///
    /// # Errors
    /// The one error of a channel that ended otherwise, once; then `None`.
    ///
    /// # Cancel safety
    /// A dropped call loses nothing.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.shared.lock().poll_receive(cx))
            .await
            .transpose()
    }

    /// How the channel ended, once it has.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.shared.lock().close_info().cloned()
    }
}

impl Stream for Receiver {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.shared.lock().poll_receive(cx)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.set_reading(Reading::Discard);
        state.drop_handle();
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock().connection();
        f.debug_struct("Receiver")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

//! The half of a channel that sends.

use std::fmt;
use std::future::poll_fn;
use std::task::Poll;

use talkback_proto::{CloseCode, CloseFrame, CloseInfo, Compression, Message};

use crate::channel::state::{ChannelState, Shared, WaitKey};
use crate::channel::sync::Arc;
use crate::channel::waiting::{Closing, poll_written};
use crate::error::{Error, TrySendError};

/// The sending half of a channel; cheap to clone. Dropping the last of all halves closes.
pub struct Sender {
    pub(crate) shared: Arc<Shared>,
}

impl Sender {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        shared.lock().add_handle();
        Self { shared }
    }

    /// Queues a message, at once or not at all; see [`WebSocketChannel::try_send`](crate::WebSocketChannel::try_send).
    ///
    /// # Errors
    /// A full queue, or a channel that is closing or closed; either hands the message back.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.shared
            .lock()
            .try_send(message.into(), Compression::Auto)
    }

    /// Queues a message, and waits while the queue is full.
    ///
    /// # Errors
    /// A channel that is closing or closed; it hands the message back.
    ///
    /// # Cancel safety
    /// A dropped call has queued the whole message or nothing.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.send_queued(message.into(), Compression::Auto).await
    }

    /// Queues a message, and says whether it may be compressed; see
    /// [`WebSocketChannel::send_with`](crate::WebSocketChannel::send_with).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// As [`send`](Self::send).
    #[cfg(not(browser))]
    pub async fn send_with(
        &self,
        message: impl Into<Message>,
        compression: Compression,
    ) -> Result<(), TrySendError> {
        self.send_queued(message.into(), compression).await
    }

    async fn send_queued(
        &self,
        message: Message,
        compression: Compression,
    ) -> Result<(), TrySendError> {
        let mut waiting = Some(message);
        let mut key = WaitKey::new(Arc::clone(&self.shared));
        poll_fn(|cx| {
            let message = waiting
                .take()
                .expect("a future is not polled after its end");
            let mut state = self.shared.lock();
            match state.try_send(message, compression) {
                Err(TrySendError::Full(message)) => {
                    waiting = Some(message);
                    state.wait_to_send(&mut key, cx);
                    Poll::Pending
                }
                outcome => Poll::Ready(outcome),
            }
        })
        .await
    }

    /// Waits until everything that was queued before the call is written.
    ///
    /// # Errors
    /// A channel that ended before that.
    ///
    /// # Cancel safety
    /// A dropped call loses nothing.
    pub async fn flush(&self) -> Result<(), Error> {
        let mut key = WaitKey::new(Arc::clone(&self.shared));
        let mut target = Some(self.shared.lock().progress().0);
        poll_fn(|cx| poll_written(&self.shared, &mut target, &mut key, cx)).await
    }

    /// Begins to close with an empty close frame; see [`WebSocketChannel::close`](crate::WebSocketChannel::close).
    pub fn close(&self) -> Closing {
        self.shared.lock().close(None);
        self.closed()
    }

    /// Begins to close with a code and a reason; see [`WebSocketChannel::close_with`](crate::WebSocketChannel::close_with).
    ///
    /// # Errors
    /// A code or a reason that may not be sent, as [`CloseFrame::new`] says, comes out of the future;
    /// nothing is closed then.
    pub fn close_with(&self, code: CloseCode, reason: &str) -> Closing {
        match CloseFrame::new(code, reason) {
            Ok(_) if cfg!(browser) && code != CloseCode::NORMAL && code.number() < 3000 => {
                return self.closed().refused(Error::CloseCodeInBrowser(code));
            }
            Ok(frame) => self.shared.lock().close(Some(frame)),
            Err(error) => return self.closed().refused(error.into()),
        }
        self.closed()
    }

    /// Waits until the channel has ended, by whoever's doing.
    pub fn closed(&self) -> Closing {
        Closing::new(Arc::clone(&self.shared))
    }

    /// How far the channel has come.
    pub fn state(&self) -> ChannelState {
        self.shared.lock().connection()
    }

    /// How the channel ended, once it has.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.shared.lock().close_info().cloned()
    }

    /// How many bytes wait to be written.
    pub fn buffered_amount(&self) -> usize {
        self.shared.lock().buffered_amount()
    }
}

impl Clone for Sender {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared))
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.shared.lock().drop_handle();
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

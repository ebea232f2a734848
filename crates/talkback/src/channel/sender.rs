//! The half of a channel that sends.

use std::fmt;
use std::future::poll_fn;
use std::task::Poll;

use talkback_proto::{CloseCode, CloseFrame, CloseInfo, Compression, Message};

use crate::channel::handle::Handle;
use crate::channel::lifecycle::ChannelState;
use crate::channel::state::{Locked, WaitKey};
use crate::channel::sync::Arc;
use crate::channel::wait_list::WaitFor;
use crate::channel::waiting::{Closing, poll_written};
use crate::error::{Error, TrySendError};

/// The sending half of a channel; cheap to clone. Dropping the last of all halves closes.
#[derive(Clone)]
pub struct Sender {
    pub(crate) handle: Handle,
}

impl Sender {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// Queues a message, at once or not at all; see [`WebSocketChannel::try_send`](crate::WebSocketChannel::try_send).
    ///
    /// # Errors
    /// A full queue, or a channel that is closing or closed; either hands the message back.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        let mut state = self.handle.lock();
        try_push(&mut state, message.into(), Compression::Auto)
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
        let mut key = WaitKey::new(Arc::clone(&self.handle));
        poll_fn(|cx| {
            let message = waiting
                .take()
                .expect("a future is not polled after its end");
            let mut state = self.handle.lock();
            match try_push(&mut state, message, compression) {
                Err(TrySendError::Full(message)) => {
                    waiting = Some(message);
                    state.wait(&mut key, WaitFor::Sending, cx);
                    Poll::Pending
                }
                outcome => Poll::Ready(outcome),
            }
        })
        .await
    }

    /// Queues a message, capacity or not, for a sink that has found some before.
    pub(crate) fn push(&self, message: Message) -> Result<(), Error> {
        let mut state = self.handle.lock();
        if state.is_send_refused() {
            return Err(state.send_error());
        }
        state.outbox.push(message, Compression::Auto);
        state.wake_driver();
        Ok(())
    }

    /// Waits until everything that was queued before the call is written.
    ///
    /// # Errors
    /// A channel that ended before that.
    ///
    /// # Cancel safety
    /// A dropped call loses nothing.
    pub async fn flush(&self) -> Result<(), Error> {
        let mut key = WaitKey::new(Arc::clone(&self.handle));
        let mut target = Some(self.handle.lock().outbox.queued());
        poll_fn(|cx| poll_written(&self.handle, &mut target, &mut key, cx)).await
    }

    /// Begins to close with an empty close frame; see [`WebSocketChannel::close`](crate::WebSocketChannel::close).
    pub fn close(&self) -> Closing {
        self.handle.lock().close(None);
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
            Ok(frame) => self.handle.lock().close(Some(frame)),
            Err(error) => return self.closed().refused(error.into()),
        }
        self.closed()
    }

    /// Waits until the channel has ended, by whoever's doing.
    pub fn closed(&self) -> Closing {
        Closing::new(Arc::clone(&self.handle))
    }

    /// How far the channel has come.
    pub fn state(&self) -> ChannelState {
        self.handle.lock().channel_state()
    }

    /// How the channel ended, once it has.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.handle.lock().lifecycle.close_info().cloned()
    }

    /// How many bytes wait to be written.
    pub fn buffered_amount(&self) -> usize {
        self.handle.lock().outbox.buffered_bytes()
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// Queues a message, if the channel takes it.
fn try_push(
    state: &mut Locked<'_>,
    message: Message,
    compression: Compression,
) -> Result<(), TrySendError> {
    if state.is_send_refused() {
        return Err(TrySendError::Closed(message));
    }
    if !state.outbox.has_capacity() {
        return Err(TrySendError::Full(message));
    }
    state.outbox.push(message, compression);
    state.wake_driver();
    Ok(())
}

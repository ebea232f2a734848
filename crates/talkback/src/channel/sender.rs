//! The half of a channel that sends.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink;
use talkback_proto::Message;

use crate::channel::flushing::{Flush, poll_written};
use crate::channel::handle::Handle;
use crate::channel::methods::{common_methods, sending_methods};
use crate::channel::state::WaitKey;
use crate::channel::sync::Arc;
use crate::channel::wait_list::WaitFor;
use crate::channel::waiting::poll_send_capacity;
use crate::error::Error;

/// The sending half of a channel; cheap to clone.
///
/// It does not keep a [`WebSocketChannel`](crate::WebSocketChannel) open: dropping that closes. After
/// [`split`](crate::WebSocketChannel::split) or
/// [`into_snapshots`](crate::WebSocketChannel::into_snapshots), dropping the last of all halves closes.
///
/// It is a [`Sink`] too, so that `receiver.forward(sender)` works; closing that closes the channel.
pub struct Sender {
    handle: Handle,
    /// The sink's place among those who wait, once it has waited.
    key: Option<WaitKey>,
    /// What the sink's flush waits for.
    flush: Option<Flush>,
}

impl Sender {
    common_methods!();
    sending_methods!();

    pub(crate) fn new(handle: Handle) -> Self {
        Self {
            handle,
            key: None,
            flush: None,
        }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

/// The copy is a sink of its own.
impl Clone for Sender {
    fn clone(&self) -> Self {
        Self::new(self.handle.clone())
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

impl Sink<Message> for Sender {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self { handle, key, .. } = self.get_mut();
        let key = key.get_or_insert_with(|| WaitKey::new(Arc::clone(handle)));
        poll_send_capacity(handle, key, cx).map_err(Error::Send)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        // A flush that was given up must not speak for what comes after it.
        self.flush = None;
        Ok(self.handle.push(message)?)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self { handle, key, flush } = self.get_mut();
        let key = key.get_or_insert_with(|| WaitKey::new(Arc::clone(handle)));
        let written = ready!(poll_written(handle, flush, key, cx));
        *flush = None;
        Poll::Ready(Ok(written?))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self { handle, key, .. } = self.get_mut();
        let key = key.get_or_insert_with(|| WaitKey::new(Arc::clone(handle)));
        let mut state = handle.lock();
        state.close(None);
        match state.outcome() {
            Some(outcome) => Poll::Ready(outcome.map(drop)),
            None => {
                state.wait(key, WaitFor::Change, cx);
                Poll::Pending
            }
        }
    }
}

//! Waiting for the next message.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use talkback_proto::Message;

use crate::channel::handle::Handle;
use crate::channel::state::Locked;
use crate::error::Error;

impl Handle {
    /// The next message, or the end: the error first, once.
    #[inline]
    pub(crate) fn poll_recv(&self, cx: &Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        let mut state = self.lock();
        if let Some(message) = pop(&mut state) {
            return Poll::Ready(Ok(Some(message)));
        }
        #[cfg(not(browser))]
        if !state.lifecycle.is_ended() {
            let (first, after) = self.poll_for_reader(state);
            state = after;
            if let Some(message) = first.or_else(|| pop(&mut state)) {
                return Poll::Ready(Ok(Some(message)));
            }
        }
        if !state.lifecycle.is_ended() {
            state.set_receiver(cx);
            return Poll::Pending;
        }
        Poll::Ready(state.lifecycle.read_error().map_or(Ok(None), Err))
    }

    /// Nobody waits for a message any more.
    fn leave_recv(&self) {
        if let Some(mut state) = self.lock_to_leave() {
            state.forget_reader();
        }
    }

    pub(crate) fn try_recv(&self) -> Result<Option<Message>, Error> {
        let mut state = self.lock();
        match pop(&mut state) {
            Some(message) => Ok(Some(message)),
            None => state.lifecycle.read_error().map_or(Ok(None), Err),
        }
    }
}

/// Waits for the next message.
#[derive(Debug)]
pub(crate) struct Recv<'a> {
    handle: &'a Handle,
    /// Whether the channel knows its waker.
    waits: bool,
}

impl<'a> Recv<'a> {
    pub(crate) fn new(handle: &'a Handle) -> Self {
        let waits = false;
        Self { handle, waits }
    }
}

impl Future for Recv<'_> {
    type Output = Result<Option<Message>, Error>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.handle.poll_recv(cx);
        self.waits = polled.is_pending();
        polled
    }
}

impl Drop for Recv<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.waits {
            self.handle.leave_recv();
        }
    }
}

/// Takes the next message; a peer that had to wait for capacity goes on.
#[inline]
fn pop(state: &mut Locked<'_>) -> Option<Message> {
    let (message, was_full) = state.inbox.pop()?;
    if was_full {
        state.wake_driver();
    }
    Some(message)
}

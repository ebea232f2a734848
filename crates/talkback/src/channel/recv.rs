//! Waiting for the next message.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use talkback_proto::Message;

use crate::channel::handle::Handle;
use crate::channel::marks::{Mark, Marks};
use crate::channel::state::Locked;
use crate::error::Error;
use crate::reconnect::event::ChannelEvent;

impl Handle {
    /// The next message, or the end: the error first, once.
    #[inline]
    pub(crate) fn poll_recv(&self, cx: &Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        self.poll_next(pop, Some, cx)
    }

    /// The next message, or what became of the connection before it; or the end, as
    /// [`poll_recv`](Self::poll_recv).
    pub(crate) fn poll_recv_event(
        &self,
        cx: &Context<'_>,
    ) -> Poll<Result<Option<ChannelEvent>, Error>> {
        self.poll_next(
            pop_event,
            |message| Some(ChannelEvent::Message(message)),
            cx,
        )
    }

    /// What `pop` finds, or a message that need not wait, or the end.
    #[inline(always)]
    fn poll_next<T>(
        &self,
        pop: impl Fn(&mut Locked<'_>) -> Option<T>,
        first: impl Fn(Message) -> Option<T>,
        cx: &Context<'_>,
    ) -> Poll<Result<Option<T>, Error>> {
        let mut state = self.lock();
        if let Some(next) = pop(&mut state) {
            return Poll::Ready(Ok(Some(next)));
        }
        #[cfg(not(browser))]
        if !state.lifecycle.is_ended() {
            let (message, after) = self.poll_for_reader(state);
            state = after;
            if let Some(next) = message.and_then(&first).or_else(|| pop(&mut state)) {
                return Poll::Ready(Ok(Some(next)));
            }
        }
        #[cfg(browser)]
        let _ = first;
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
        self.try_next(pop)
    }

    pub(crate) fn try_recv_event(&self) -> Result<Option<ChannelEvent>, Error> {
        self.try_next(pop_event)
    }

    /// What `pop` finds, or the end.
    fn try_next<T>(
        &self,
        pop: impl FnOnce(&mut Locked<'_>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let mut state = self.lock();
        match pop(&mut state) {
            Some(next) => Ok(Some(next)),
            None => state.lifecycle.read_error().map_or(Ok(None), Err),
        }
    }
}

/// Waits for the next message, or for the next [`ChannelEvent`].
#[derive(Debug)]
pub(crate) struct Recv<'a, T = Message> {
    handle: &'a Handle,
    /// Whether the channel knows its waker.
    waits: bool,
    what: PhantomData<fn() -> T>,
}

impl<'a, T> Recv<'a, T> {
    pub(crate) fn new(handle: &'a Handle) -> Self {
        Self {
            handle,
            waits: false,
            what: PhantomData,
        }
    }
}

impl Future for Recv<'_, Message> {
    type Output = Result<Option<Message>, Error>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.handle.poll_recv(cx);
        self.waits = polled.is_pending();
        polled
    }
}

impl Future for Recv<'_, ChannelEvent> {
    type Output = Result<Option<ChannelEvent>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.handle.poll_recv_event(cx);
        self.waits = polled.is_pending();
        polled
    }
}

impl<T> Drop for Recv<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.waits {
            self.handle.leave_recv();
        }
    }
}

/// Takes the next message, or what became of the connection before it.
fn pop_event(state: &mut Locked<'_>) -> Option<ChannelEvent> {
    let marks = state.reconnection.as_mut().map(|state| &mut state.marks);
    match marks.and_then(Marks::next) {
        Some(Mark::Opened(opened)) => Some(ChannelEvent::Opened(opened)),
        Some(Mark::Lost(lost)) => Some(ChannelEvent::Lost(lost)),
        None => pop(state).map(ChannelEvent::Message),
    }
}

/// Takes the next message; a peer that had to wait for capacity goes on.
#[inline]
fn pop(state: &mut Locked<'_>) -> Option<Message> {
    if state.reconnection.is_some() {
        return pop_behind_marks(state);
    }
    pop_message(state)
}

/// The same where what became of the connection before the message is passed over.
#[cold]
fn pop_behind_marks(state: &mut Locked<'_>) -> Option<Message> {
    let message = pop_message(state)?;
    if let Some(reconnection) = &mut state.reconnection {
        reconnection.marks.note_given_out();
    }
    Some(message)
}

#[inline(always)]
fn pop_message(state: &mut Locked<'_>) -> Option<Message> {
    let (message, was_full) = state.inbox.pop()?;
    if was_full {
        state.wake_driver();
    }
    Some(message)
}

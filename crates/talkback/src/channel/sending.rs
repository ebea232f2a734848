//! Queueing what a channel sends.

use std::future::poll_fn;
use std::task::Poll;

use talkback_proto::{Compression, Message};

use crate::channel::handle::Handle;
use crate::channel::state::{Locked, WaitKey};
use crate::channel::sync::Arc;
use crate::channel::to_send::ToSend;
use crate::channel::wait_list::WaitFor;
use crate::channel::waiting::Receipt;
use crate::error::send::{SendError, Unsent};
use crate::error::try_send::TrySendError;
#[cfg(browser)]
use crate::error::why::Why;

/// A message that was not queued.
enum Refused {
    Full(ToSend),
    Closed(ToSend),
}

impl Refused {
    #[cold]
    fn tell(self, state: &Locked<'_>) -> TrySendError {
        match self {
            Self::Full(message) => TrySendError::full(message.into_message()),
            Self::Closed(message) => TrySendError::refused(message.into_message(), state.why()),
        }
    }
}

impl Handle {
    pub(crate) fn try_send(&self, message: ToSend) -> Result<(), TrySendError> {
        let mut state = self.lock();
        try_push(&mut state, message).map_err(|refused| refused.tell(&state))
    }

    /// Queues a message at once, or not at all, and returns what tells its fate.
    pub(crate) fn send_tracked(&self, message: ToSend) -> Result<Receipt, TrySendError> {
        let mut state = self.lock();
        try_push(&mut state, message).map_err(|refused| refused.tell(&state))?;
        let fate = state.outbox.track();
        drop(state);
        Ok(Receipt::new(Arc::clone(self), fate))
    }

    /// Written by hand, as it mostly ends at the first poll.
    #[inline]
    pub(crate) fn send(&self, message: ToSend) -> impl Future<Output = Result<(), SendError>> {
        // One that was prepared goes to many, and has no short way: it always waits for the driver.
        let (mut first, mut later) = match message {
            ToSend::Message(message, compression) => (Some((message, compression)), None),
            prepared => (None, Some(Box::pin(self.send_later(prepared)))),
        };
        poll_fn(move |cx| {
            if let Some((message, compression)) = first.take() {
                #[cfg(browser)]
                if compression == Compression::Skip {
                    let why = Why::NotInBrowser(
                        "a browser decides by itself what it compresses. Use `send`",
                    );
                    return Poll::Ready(Err(SendError::new(Unsent::Message(message), why)));
                }
                match self.send_now(message, compression) {
                    Ok(()) => return Poll::Ready(Ok(())),
                    Err(Refused::Closed(message)) => return Poll::Ready(self.refuse(message)),
                    // In a box, as a program's task has space for all that it may ever await.
                    Err(Refused::Full(message)) => {
                        later = Some(Box::pin(self.send_later(message)));
                    }
                }
            }
            let later = later.as_mut();
            let later = later.expect("a future is not polled after its end");
            later.as_mut().poll(cx)
        })
    }

    /// Queues a message if there is capacity, as there mostly is.
    #[inline]
    fn send_now(&self, message: Message, compression: Compression) -> Result<(), Refused> {
        let mut state = self.lock();
        #[cfg(not(browser))]
        if self.writes_by_itself(&mut state) {
            drop(state);
            let Some(message) = self.write_for_sender(message, compression) else {
                return Ok(());
            };
            return try_push(&mut self.lock(), ToSend::Message(message, compression));
        }
        try_push(&mut state, ToSend::Message(message, compression))
    }

    /// Queues a message once there is capacity.
    async fn send_later(&self, message: ToSend) -> Result<(), SendError> {
        let mut waiting = Some(message);
        let mut key = WaitKey::new(Arc::clone(self));
        poll_fn(|cx| {
            let message = waiting
                .take()
                .expect("a future is not polled after its end");
            let mut state = self.lock();
            match try_push(&mut state, message) {
                Ok(()) => Poll::Ready(Ok(())),
                Err(Refused::Full(message)) => {
                    waiting = Some(message);
                    state.wait(&mut key, WaitFor::Sending, cx);
                    Poll::Pending
                }
                Err(Refused::Closed(message)) => {
                    let what = Unsent::Message(message.into_message());
                    Poll::Ready(Err(SendError::new(what, state.why())))
                }
            }
        })
        .await
    }

    #[cold]
    fn refuse(&self, message: ToSend) -> Result<(), SendError> {
        let what = Unsent::Message(message.into_message());
        Err(SendError::new(what, self.lock().why()))
    }

    /// Queues a message, capacity or not, for a sink that has found some before.
    pub(crate) fn push(&self, message: Message) -> Result<(), SendError> {
        let mut state = self.lock();
        if state.is_send_refused() {
            return Err(SendError::new(Unsent::Message(message), state.why()));
        }
        // Of a sink that was told so, an old message may go for this one.
        state.make_room();
        state.push(ToSend::Message(message, Compression::Auto));
        Ok(())
    }
}

/// Queues a message, if the channel takes it.
#[inline(always)]
fn try_push(state: &mut Locked<'_>, message: ToSend) -> Result<(), Refused> {
    if state.is_send_refused() {
        return Err(Refused::Closed(message));
    }
    if !state.outbox.has_capacity() {
        return push_for_old_ones(state, message);
    }
    state.push(message);
    Ok(())
}

/// The same where the queue is full, and old messages may go for this one.
#[cold]
fn push_for_old_ones(state: &mut Locked<'_>, message: ToSend) -> Result<(), Refused> {
    if !state.make_room() {
        return Err(Refused::Full(message));
    }
    state.push(message);
    Ok(())
}

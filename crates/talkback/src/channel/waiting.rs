//! Waiting for a channel to open or to end, for capacity in its queue, and for what becomes of a message.

use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use talkback_proto::CloseInfo;

#[cfg(not(browser))]
use crate::channel::blocking;
use crate::channel::state::{Shared, WaitKey};
use crate::channel::sync::Arc;
use crate::channel::wait_list::WaitFor;
use crate::error::Error;
use crate::error::send::{SendError, Unsent};
use crate::reconnect::fate::Fate;

/// Waits until a channel is open; see [`WebSocketChannel::ready`](crate::WebSocketChannel::ready).
#[derive(Debug)]
#[must_use = "it says whether the channel is open only when it is awaited"]
pub struct Ready {
    shared: Arc<Shared>,
    key: WaitKey,
    /// How many connections had been open: one that was open for a moment since is not missed.
    opened: u64,
}

impl Ready {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let key = WaitKey::new(Arc::clone(&shared));
        let opened = shared.lock().connections_before();
        Self {
            shared,
            key,
            opened,
        }
    }
}

#[cfg(not(browser))]
impl Ready {
    /// Blocks this thread until the channel is open: for programs without a runtime.
    ///
    /// # Errors
    /// Why it could not be opened.
    ///
    /// # Panics
    /// On a thread that runs tasks of tokio; see [Runtimes](crate::WebSocketChannel#runtimes).
    #[track_caller]
    pub fn wait(self) -> Result<(), Error> {
        blocking::wait(&Arc::clone(&self.shared), self)
    }
}

impl Future for Ready {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ready = self.get_mut();
        let mut state = ready.shared.lock();
        match state.readiness(ready.opened) {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                state.wait(&mut ready.key, WaitFor::Change, cx);
                Poll::Pending
            }
        }
    }
}

/// Waits until a channel has ended; awaiting it is optional.
///
/// # Errors
/// A connection that could not be made ([`Error::Connect`], or [`Error::Closed`] where there is
/// [nothing to drive it](crate::WebSocketChannel#runtimes)), and messages that had been queued and were
/// not written ([`Error::Send`]). However little the peer kept to the closing handshake is none:
/// [`CloseInfo::clean`] tells.
#[derive(Debug)]
pub struct Closing {
    shared: Arc<Shared>,
    key: WaitKey,
}

impl Closing {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let key = WaitKey::new(Arc::clone(&shared));
        Self { shared, key }
    }
}

#[cfg(not(browser))]
impl Closing {
    /// Blocks this thread until the channel has ended: for programs without a runtime, whose last
    /// messages would else be lost when `main` returns.
    ///
    /// # Errors
    /// As when it is awaited.
    ///
    /// # Panics
    /// On a thread that runs tasks of tokio; see [Runtimes](crate::WebSocketChannel#runtimes).
    #[track_caller]
    pub fn wait(self) -> Result<CloseInfo, Error> {
        blocking::wait(&Arc::clone(&self.shared), self)
    }
}

impl Future for Closing {
    type Output = Result<CloseInfo, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let closing = self.get_mut();
        let mut state = closing.shared.lock();
        match state.outcome() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                state.wait(&mut closing.key, WaitFor::Change, cx);
                Poll::Pending
            }
        }
    }
}

/// Tells what became of a message; see [`send_tracked`](crate::WebSocketChannel::send_tracked).
///
/// Dropping it changes nothing about the message.
#[derive(Debug)]
#[must_use = "it tells what became of the message only when it is awaited"]
pub struct Receipt {
    shared: Arc<Shared>,
    key: WaitKey,
    fate: std::sync::Arc<OnceLock<Fate>>,
}

impl Receipt {
    pub(crate) fn new(shared: Arc<Shared>, fate: std::sync::Arc<OnceLock<Fate>>) -> Self {
        let key = WaitKey::new(Arc::clone(&shared));
        Self { shared, key, fate }
    }

    /// What became of the message, if it is known already.
    pub fn fate(&self) -> Option<Fate> {
        self.fate.get().copied()
    }
}

#[cfg(not(browser))]
impl Receipt {
    /// Blocks this thread until it is known what became of the message: for programs without a runtime.
    ///
    /// # Panics
    /// On a thread that runs tasks of tokio; see [Runtimes](crate::WebSocketChannel#runtimes).
    #[track_caller]
    pub fn wait(self) -> Fate {
        blocking::wait(&Arc::clone(&self.shared), self)
    }
}

impl Future for Receipt {
    type Output = Fate;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fate> {
        let receipt = self.get_mut();
        // It is told under the lock.
        let mut state = receipt.shared.lock();
        if let Some(fate) = receipt.fate.get() {
            return Poll::Ready(*fate);
        }
        state.wait(&mut receipt.key, WaitFor::Sending, cx);
        Poll::Pending
    }
}

/// Waits for capacity in the queue of sent messages.
pub(crate) fn poll_send_capacity(
    shared: &Shared,
    key: &mut WaitKey,
    cx: &Context<'_>,
) -> Poll<Result<(), SendError>> {
    let mut state = shared.lock();
    if state.is_send_refused() {
        return Poll::Ready(Err(SendError::new(Unsent::Next, state.why())));
    }
    if state.may_have_send_capacity() {
        return Poll::Ready(Ok(()));
    }
    state.wait(key, WaitFor::Sending, cx);
    Poll::Pending
}

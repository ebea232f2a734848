//! Waiting until what was queued is written.

use std::future::poll_fn;
use std::task::{Context, Poll};

use crate::channel::handle::Handle;
use crate::channel::state::{State, WaitKey};
use crate::channel::sync::Arc;
use crate::channel::wait_list::WaitFor;
use crate::error::send::{SendError, Unsent};
use crate::error::why::Why;

impl Handle {
    pub(crate) async fn flush(&self) -> Result<(), SendError> {
        let mut key = WaitKey::new(Arc::clone(self));
        let mut flush = Some(Flush::of(self, &self.lock()));
        poll_fn(|cx| poll_written(self, &mut flush, &mut key, cx)).await
    }
}

/// What a flush waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flush {
    /// That so many messages are written.
    target: u64,
    /// Of how many messages, lost in flight, it need not tell.
    told: usize,
}

impl Flush {
    /// All that is queued by now.
    pub(crate) fn of(handle: &Handle, state: &State) -> Self {
        Self {
            target: state.outbox.queued(),
            told: handle.told(),
        }
    }
}

/// Waits until what was queued when `flush` was set is written.
pub(crate) fn poll_written(
    handle: &Handle,
    flush: &mut Option<Flush>,
    key: &mut WaitKey,
    cx: &Context<'_>,
) -> Poll<Result<(), SendError>> {
    let mut state = handle.lock();
    let Flush { target, told } = *flush.get_or_insert_with(|| Flush::of(handle, &state));
    let reconnection = state.reconnection.as_ref();
    if let Some(lost) = reconnection.and_then(|state| state.untold_lost(told, target)) {
        handle.set_told(told.wrapping_add(lost));
        let unsent = Unsent::InFlight(lost as u64);
        return Poll::Ready(Err(SendError::new(unsent, Why::Lost)));
    }
    let Some(missing @ 1..) = target.checked_sub(state.outbox.written()) else {
        return Poll::Ready(Ok(()));
    };
    if state.lifecycle.is_ended() {
        return Poll::Ready(Err(SendError::new(Unsent::Queued(missing), state.why())));
    }
    state.wait(key, WaitFor::Sending, cx);
    Poll::Pending
}

//! Waiting until what was queued is written.

use std::future::poll_fn;
use std::task::{Context, Poll};

use crate::channel::handle::Handle;
use crate::channel::state::WaitKey;
use crate::channel::sync::Arc;
use crate::channel::wait_list::WaitFor;
use crate::error::send::{SendError, Unsent};
use crate::error::why::Why;

impl Handle {
    pub(crate) async fn flush(&self) -> Result<(), SendError> {
        let mut key = WaitKey::new(Arc::clone(self));
        let mut target = Some(self.lock().outbox.queued());
        poll_fn(|cx| poll_written(self, &mut target, &mut key, cx)).await
    }
}

/// Waits until as many messages are written as `target` says, or as are queued at the first poll.
pub(crate) fn poll_written(
    handle: &Handle,
    target: &mut Option<u64>,
    key: &mut WaitKey,
    cx: &Context<'_>,
) -> Poll<Result<(), SendError>> {
    let mut state = handle.lock();
    let target = *target.get_or_insert_with(|| state.outbox.queued());
    // Another flush of this handle may have told since the last poll; each reads and notes it under the lock.
    let told = handle.told();
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

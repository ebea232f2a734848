//! Asking the peer for a sign of life, over a channel.

use std::time::Duration;

use bytes::Bytes;

use crate::channel::handle::Handle;
use crate::error::send::{SendError, Unsent};
use crate::error::why::Why;

#[cfg(not(browser))]
mod native {
    use std::future::poll_fn;
    use std::task::Poll;

    use talkback_proto::CONTROL_SIZE_MAX;

    use super::*;
    use crate::channel::state::{Shared, WaitKey};
    use crate::channel::sync::Arc;
    use crate::channel::wait_list::WaitFor;
    use crate::timer::now;

    /// A caller that waits for its pong.
    struct Waiter<'a> {
        shared: &'a Shared,
        key: u64,
    }

    impl Drop for Waiter<'_> {
        fn drop(&mut self) {
            let Some(mut state) = self.shared.lock_to_leave() else {
                return;
            };
            let payload = state.pings.remove(self.key);
            drop(state);
            // Its memory may belong to foreign code, which does not run under the lock.
            drop(payload);
        }
    }

    impl Handle {
        pub(crate) async fn ping(&self, payload: Bytes) -> Result<Duration, SendError> {
            let size = payload.len();
            let refused = |why| SendError::new(Unsent::Ping(size), why);
            if size > CONTROL_SIZE_MAX {
                let error = talkback_proto::SendError::ControlTooLong(size);
                return Err(refused(Why::Invalid(error)));
            }
            let waiter = {
                let mut state = self.lock();
                if state.is_send_refused() {
                    return Err(refused(state.why()));
                }
                let key = state.pings.push(payload, now());
                state.wake_driver();
                Waiter { shared: self, key }
            };
            let mut key = WaitKey::new(Arc::clone(self));
            poll_fn(|cx| {
                let mut state = self.lock();
                if let Some(after) = state.pings.answered_after(waiter.key) {
                    return Poll::Ready(Ok(after));
                }
                if state.pings.is_lost(waiter.key) {
                    return Poll::Ready(Err(refused(Why::Lost)));
                }
                if state.lifecycle.is_ended() {
                    return Poll::Ready(Err(refused(state.why())));
                }
                state.wait(&mut key, WaitFor::Sending, cx);
                Poll::Pending
            })
            .await
        }
    }
}

#[cfg(browser)]
impl Handle {
    #[expect(clippy::unused_async, reason = "it waits on other platforms")]
    pub(crate) async fn ping(&self, payload: Bytes) -> Result<Duration, SendError> {
        let why = Why::NotInBrowser(
            "a browser sends no pings for a page. Send a message, and have the server answer it",
        );
        Err(SendError::new(Unsent::Ping(payload.len()), why))
    }
}

//! What keeps a channel open, and what can be asked of it.

use std::ops::Deref;
use std::time::Duration;

use talkback_proto::{CloseCode, CloseFrame, CloseFrameError, CloseInfo};

use crate::channel::lifecycle::ChannelState;
use crate::channel::link::Wish;
use crate::channel::state::Shared;
use crate::channel::sync::{Arc, AtomicUsize, Ordering};
use crate::channel::waiting::{Closing, Ready};
use crate::panicking;
use crate::reconnect::link::Link;

/// One of the handles that keep a channel open together; when the last is dropped, it closes.
#[derive(Debug)]
pub(crate) struct Handle {
    shared: Arc<Shared>,
    /// Of how many messages, lost in flight, a flush of this handle has told, or they were lost before it was made.
    told: AtomicUsize,
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        shared.add_handle();
        let told = AtomicUsize::new(0);
        Self { shared, told }
    }

    pub(crate) fn told(&self) -> usize {
        self.told.load(Ordering::Relaxed)
    }

    pub(crate) fn set_told(&self, told: usize) {
        self.told.store(told, Ordering::Relaxed);
    }

    pub(crate) fn ready(&self) -> Ready {
        Ready::new(Arc::clone(self))
    }

    pub(crate) fn closed(&self) -> Closing {
        Closing::new(Arc::clone(self))
    }

    pub(crate) fn close(&self) -> Closing {
        self.lock().close(None);
        self.closed()
    }

    pub(crate) fn close_with(
        &self,
        code: CloseCode,
        reason: &str,
    ) -> Result<Closing, CloseFrameError> {
        let frame = CloseFrame::new(code, reason)?;
        if cfg!(browser) && code != CloseCode::NORMAL && code.number() < 3000 {
            return Err(CloseFrameError::CodeInBrowser(code.number()));
        }
        self.lock().close(Some(frame));
        Ok(self.closed())
    }

    pub(crate) fn subprotocol(&self) -> Option<String> {
        self.lock().subprotocol().map(str::to_owned)
    }

    pub(crate) fn response(&self) -> Option<http::Response<()>> {
        self.lock().response().cloned()
    }

    pub(crate) fn link(&self) -> Link {
        self.lock().link()
    }

    pub(crate) fn connection(&self) -> u64 {
        let state = self.lock();
        match &state.reconnection {
            Some(reconnection) => reconnection.marks.connection(),
            None => state.connections(),
        }
    }

    pub(crate) fn wish(&self, wish: Wish) -> bool {
        self.lock().wish(wish)
    }

    pub(crate) fn state(&self) -> ChannelState {
        self.lock().channel_state()
    }

    pub(crate) fn close_info(&self) -> Option<CloseInfo> {
        self.lock().lifecycle.close_info().cloned()
    }

    pub(crate) fn buffered_amount(&self) -> usize {
        self.lock().outbox.buffered_bytes()
    }

    pub(crate) fn latency(&self) -> Option<Duration> {
        self.lock().lifecycle.latency()
    }
}

impl Deref for Handle {
    type Target = Arc<Shared>;

    fn deref(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        let handle = Self::new(Arc::clone(self));
        if let Some(reconnection) = &self.lock().reconnection {
            handle.set_told(reconnection.lost_in_flight());
        }
        handle
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.shared.remove_handle()
            && let Some(mut state) = self.shared.lock_to_leave()
        {
            state.close(panicking::close_frame());
        }
    }
}

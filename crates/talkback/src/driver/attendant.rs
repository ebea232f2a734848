//! native: the task behind an open channel.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::channel::polling::{Attend, PATIENCE};
use crate::channel::pump_slot::{Placed, Polled};
use crate::channel::state::Shared;
use crate::channel::sync::Arc;
use crate::driver::pump::Pump;
use crate::socket::Socket;
use crate::timer::{Timer, poll_timer, timer};

/// Polls a connection whenever the program's own calls do not, until its end.
pub(crate) struct Attendant {
    shared: Arc<Shared>,
    /// The connection, until it is in its place.
    pump: Option<Box<Placed>>,
    /// While it looks after a reader that was woken.
    patience: Option<Timer>,
}

impl Attendant {
    pub(crate) fn new<S>(pump: Pump<S>) -> Self
    where
        S: Socket + Send + Unpin + 'static,
    {
        Self {
            shared: pump.shared(),
            pump: Some(Placed::new(pump)),
            patience: None,
        }
    }

    /// Whether the time is up that a reader was given.
    fn has_looked(&mut self, cx: &mut Context<'_>) -> bool {
        let patience = self.patience.as_mut();
        let has_looked = patience.is_some_and(|timer| poll_timer(timer, cx).is_ready());
        if has_looked {
            self.patience = None;
        }
        has_looked
    }
}

impl Future for Attendant {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(pump) = self.pump.take() {
            self.shared.place_pump(pump);
        }
        loop {
            let has_looked = self.has_looked(cx);
            match self.shared.attend(has_looked, cx) {
                Attend::Poll => break,
                Attend::Rest => return Poll::Pending,
                Attend::Watch if self.patience.is_some() => return Poll::Pending,
                Attend::Watch => self.patience = Some(timer(PATIENCE)),
            }
        }
        match self.shared.poll_for_driver() {
            Polled::Ended => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        self.shared.leave();
    }
}

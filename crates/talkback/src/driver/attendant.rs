//! native: the task behind an open channel.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::channel::polling::PATIENCE;
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
        let mut has_looked = self.has_looked(cx);
        let attend = loop {
            let attend = self.shared.attend(has_looked, cx);
            if !attend.watches || self.patience.is_some() {
                break attend;
            }
            self.patience = Some(timer(PATIENCE));
            // It knows whom to wake once it was polled.
            has_looked = self.has_looked(cx);
        };
        if !attend.polls {
            return Poll::Pending;
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

//! native: the task behind an open channel.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use crate::channel::polling::PATIENCE;
use crate::channel::pump_slot::{Placed, Polled};
use crate::channel::state::Shared;
use crate::channel::sync::Arc;
use crate::driver::pump::{Known, Pump};
use crate::socket::Socket;
use crate::timer::{Timer, poll_timer, timer};

/// Polls a connection whenever the program's own calls do not, until its end.
pub(crate) struct Attendant {
    /// `None` once the connection was taken away.
    shared: Option<Arc<Shared>>,
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
            shared: Some(pump.shared()),
            pump: Some(Placed::new(pump)),
            patience: None,
        }
    }

    /// Takes what is left of the connection away from the channel, which goes on to another; `None` while a call
    /// of the program polls it, which wakes the driver then.
    pub(crate) fn take_rest(&mut self) -> Option<Rest> {
        let placed = match &self.shared {
            Some(shared) => shared.take_pump()?,
            None => None,
        };
        self.shared = None;
        Some(Rest(placed.or_else(|| self.pump.take())))
    }
}

/// Whether the time is up that a reader was given.
fn has_looked(patience: &mut Option<Timer>, cx: &mut Context<'_>) -> bool {
    let timer = patience.as_mut();
    let has_looked = timer.is_some_and(|timer| poll_timer(timer, cx).is_ready());
    if has_looked {
        *patience = None;
    }
    has_looked
}

impl Future for Attendant {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self {
            shared: Some(shared),
            pump,
            patience,
        } = &mut *self
        else {
            return Poll::Ready(());
        };
        if let Some(pump) = pump.take() {
            shared.place_pump(pump);
        }
        let mut looked = has_looked(patience, cx);
        let mut has_given_way = false;
        let attend = loop {
            let attend = shared.attend(looked, cx);
            if attend.gives_way && !mem::replace(&mut has_given_way, true) {
                thread::yield_now();
                looked = false;
                continue;
            }
            if !attend.watches || patience.is_some() {
                break attend;
            }
            *patience = Some(timer(PATIENCE));
            // It knows whom to wake once it was polled.
            looked = has_looked(patience, cx);
        };
        if !attend.polls {
            return Poll::Pending;
        }
        match shared.poll_for_driver() {
            Polled::Ended => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.leave();
        }
    }
}

/// What is left of a connection that the channel has done with: it is ended, within the close timeout.
pub(crate) struct Rest(Option<Box<Placed>>);

impl Rest {
    /// That of a socket which never came to the channel.
    pub(crate) fn of<S>(socket: S, end: Known) -> Self
    where
        S: Socket + Send + Unpin + 'static,
    {
        Self(Some(Placed::new(Pump::rest(socket, end))))
    }

    /// The channel gives it up, though it was open.
    pub(crate) fn give_up(&mut self) {
        if let Some(placed) = &mut self.0 {
            placed.give_up();
        }
    }
}

impl Future for Rest {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(placed) => placed.poll_rest(cx),
            None => Poll::Ready(()),
        }
    }
}

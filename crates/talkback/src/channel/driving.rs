//! Polling the connection of an open channel, by its driver and by the program's own calls.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Wake, Waker};

use talkback_proto::{Compression, Message};
use tokio::runtime::Handle;
use tokio::task::coop::has_budget_remaining;

use crate::channel::polling::{Attend, Polling};
use crate::channel::pump_slot::{Call, First, Home, Placed, Polled};
use crate::channel::state::{Locked, Shared};
use crate::channel::sync::{Arc, Ordering};

/// It is what the transport wakes.
impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // The reader's waker is the program's, and this is the thread that turns the runtime's I/O.
        if catch_unwind(AssertUnwindSafe(|| self.wake_pump())).is_err() {
            let mut state = self.lock();
            state.polling.is_reader_awaited = false;
            state.wake_driver_task();
        }
    }
}

impl Shared {
    /// Something has happened to the connection: has the reader poll it, if one waits at home, else the
    /// driver.
    fn wake_pump(&self) {
        self.is_pump_due.store(true, Ordering::Release);
        let mut state = self.lock();
        let others_wait = state.has_waiters();
        if state.polling.reader_polls && state.wake_reader() && !others_wait {
            let polling = &mut state.polling;
            polling.is_reader_awaited = true;
            polling.was_reader_woken = true;
            if polling.is_watched {
                return;
            }
        }
        state.wake_driver_task();
    }

    /// Whether something has happened to the connection since it was polled.
    #[inline]
    fn is_pump_due(&self) -> bool {
        self.is_pump_due.load(Ordering::Acquire)
    }

    /// Whether so, for whoever polls it now.
    #[inline]
    pub(crate) fn take_pump_due(&self) -> bool {
        self.is_pump_due() && self.is_pump_due.swap(false, Ordering::AcqRel)
    }

    /// Polls the connection, if it can be done here and now.
    #[inline]
    fn poll_pump(&self, call: &mut Call) -> Polled {
        match call {
            Call::Drive => self.pump.poll(call),
            // A panic is the transport's, and not that of the program's call.
            Call::Receive(_) | Call::Send(_) => {
                catch_unwind(AssertUnwindSafe(|| self.pump.poll(call))).unwrap_or(Polled::Ended)
            }
        }
    }

    /// Polls the connection for a reader that found nothing, where that can bring something; returns a message
    /// for it, and the lock that it gave up.
    #[inline(never)]
    pub(crate) fn poll_for_reader<'a>(
        &'a self,
        mut state: Locked<'a>,
    ) -> (Option<Message>, Locked<'a>) {
        state.polling.is_reader_awaited = false;
        if state.inbox.is_drawn() {
            // Callbacks are the driver's to call: the program may hold what they wait for.
            state.polling.reader_polls = false;
            if self.is_pump_due() {
                state.wake_driver_task();
            }
            return (None, state);
        }
        let can_bring = self.is_pump_due() || !self.is_driver_asleep();
        if !state.polling.is_attended || (state.polling.reader_polls && !can_bring) {
            return (None, state);
        }
        // Where connections follow one another, what became of them stands between the messages.
        let appended = match state.reconnection {
            None => Some(state.inbox.appended()),
            Some(_) => None,
        };
        drop(state);
        let mut call = Call::Receive(First {
            appended,
            message: None,
        });
        let polled = self.poll_pump(&mut call);
        let mut state = self.lock();
        match polled {
            Polled::Pending => state.polling.reader_polls = true,
            Polled::Busy => {}
            Polled::Ended | Polled::NotHere => state.polling.reader_polls = false,
        }
        // A waker of an earlier task may have been woken meanwhile.
        if std::mem::take(&mut state.polling.is_reader_awaited) {
            state.wake_driver_task();
        }
        self.leave_pump(&mut state, polled);
        let Call::Receive(First {
            message: Some(message),
            ..
        }) = call
        else {
            return (None, state);
        };
        state.inbox.note_data();
        // No other message has taken its waker out.
        state.forget_reader();
        (Some(message), state)
    }

    /// Whether a program had better write a message by itself: it has waited since it sent the one before, so that
    /// more is not likely to follow at once, and be written with it.
    #[inline]
    pub(crate) fn writes_by_itself(&self, state: &mut Locked<'_>) -> bool {
        state.polling.is_one_of_few() && self.writes_one_of_few(state)
    }

    /// The same for the first and the second message after a wait.
    #[cold]
    fn writes_one_of_few(&self, state: &mut Locked<'_>) -> bool {
        state.polling.sends_alone()
            && self.is_driver_asleep()
            && state.polling.is_attended
            && !state.is_send_refused()
            && state.inbox.is_empty()
            && !state.inbox.is_drawn()
            && !state.outbox.has_messages()
    }

    /// Writes a message; gives it back if that cannot be done here and now.
    #[inline(never)]
    pub(crate) fn write_for_sender(
        &self,
        message: Message,
        compression: Compression,
    ) -> Option<Message> {
        let mut call = Call::Send(Some((message, compression)));
        let polled = self.poll_pump(&mut call);
        self.leave_pump(&mut self.lock(), polled);
        match call {
            Call::Send(Some((message, _))) => Some(message),
            _ => None,
        }
    }

    /// Tells the driver what it has to know after a call of the program has tried to poll.
    #[inline]
    fn leave_pump(&self, state: &mut Locked<'_>, polled: Polled) {
        // A task that has used up what tokio lets it do was told of nothing by the transport.
        let was_polled = polled == Polled::Pending && has_budget_remaining();
        if !was_polled && matches!(polled, Polled::Pending | Polled::Ended) {
            // The driver goes on, or learns of the end when it polls.
            self.is_pump_due.store(true, Ordering::Release);
        }
        let is_left = !was_polled && (self.is_pump_due() || !self.is_driver_asleep());
        let has_missed = std::mem::take(&mut state.polling.has_driver_missed);
        if is_left || has_missed {
            state.wake_driver_task();
        }
        if state.polling.is_driver_gone {
            state.drop_later(self.pump.take());
        }
    }

    /// Puts the pump of an open connection where the program's calls find it. It is the driver that calls
    /// this, where it runs.
    pub(crate) fn place_pump(self: &Arc<Self>, pump: Box<Placed>) {
        let is_background = self.is_background.load(Ordering::Relaxed);
        let home = match Handle::try_current() {
            Ok(handle) if is_background => Home::Background(handle, std::process::id()),
            Ok(handle) => Home::Runtime(handle.id()),
            Err(_) => Home::Anywhere,
        };
        let waker = Waker::from(Arc::clone(self));
        self.is_pump_due.store(true, Ordering::Release);
        self.pump.place(pump, waker, home);
        self.lock().polling.is_attended = true;
    }

    /// What the driver is to do, whose time for the reader is up if it `has_looked`.
    pub(crate) fn attend(&self, has_looked: bool, cx: &Context<'_>) -> Attend {
        let mut state = self.lock();
        state.set_driver(cx);
        let (is_wanted, is_due) = (!self.is_driver_asleep(), self.is_pump_due());
        let attend = state.polling.attend(is_wanted, is_due, has_looked);
        Attend {
            gives_way: attend.gives_way && self.is_background.load(Ordering::Relaxed),
            ..attend
        }
    }

    /// Polls the connection for its driver.
    pub(crate) fn poll_for_driver(&self) -> Polled {
        match self.poll_pump(&mut Call::Drive) {
            Polled::Busy => {}
            polled => return polled,
        }
        // Whoever polls it looks at this afterwards, or has just left it.
        self.lock().polling.has_driver_missed = true;
        self.poll_pump(&mut Call::Drive)
    }

    /// Takes the connection out of the channel's reach, if it is there still; `None` while a call of the program
    /// polls it, which wakes the driver then.
    pub(crate) fn take_pump(&self) -> Option<Option<Box<Placed>>> {
        let taken = self.pump.try_take().or_else(|_| {
            // As in `poll_for_driver`.
            self.lock().polling.has_driver_missed = true;
            self.pump.try_take()
        });
        let pump = taken.ok()?;
        // A reader that was woken for it finds the next one, or waits.
        self.lock().polling = Polling::default();
        Some(pump)
    }

    /// The driver goes, and the connection with it; or with the program's call that polls it just now.
    pub(crate) fn leave(&self) {
        let mut state = self.lock();
        state.polling.is_attended = false;
        state.polling.is_driver_gone = true;
        state.forget_driver();
        drop(state);
        drop(self.pump.take());
    }
}

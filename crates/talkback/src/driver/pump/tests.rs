use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use talkback_proto::{CloseCause, CloseCode, CloseFrame, Compression, Initiator};

use super::*;
use crate::channel::handle::Handle;
use crate::channel::lifecycle::ChannelState;
use crate::channel::pump_slot::First;
use crate::channel::queue::QueueLimits;
use crate::driver::attendant::Attendant;
use crate::error::why::Why;
use crate::socket::{Backlog, SendProgress};

/// A socket without backpressure, as a browser's: it gives up a peer whose messages nobody reads.
#[derive(Default)]
struct Flooded {
    has_given_up: bool,
    sent: Vec<Message>,
}

impl Socket for Flooded {
    fn subprotocol(&self) -> Option<Box<str>> {
        Some("flood".into())
    }

    fn send_capacity(&self) -> usize {
        usize::from(self.sent.is_empty())
    }

    fn start_send(&mut self, message: Message, _: Compression) -> Result<(), Lost> {
        self.sent.push(message);
        Ok(())
    }

    fn start_ping(&mut self, _: bytes::Bytes) {}

    fn start_close(&mut self, _: Option<CloseFrame>) {}

    fn start_close_timeout(&mut self) {}

    fn continue_close_timeout(&mut self, _: Timer) {}

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        Poll::Pending
    }

    fn can_send(&self) -> bool {
        !self.has_given_up
    }

    fn send_progress(&self) -> SendProgress {
        SendProgress {
            end: self.sent.len() as u64,
            written: 0,
            buffered: self.sent.len(),
        }
    }

    fn can_hold_back(&self) -> bool {
        true
    }

    fn poll_received(&mut self, _: &mut Context<'_>) -> Poll<Result<Received, CloseInfo>> {
        Poll::Ready(Ok(Received::Message("more".into())))
    }

    fn poll_ahead(
        &mut self,
        cx: &mut Context<'_>,
        _: Backlog,
    ) -> Poll<Result<Received, CloseInfo>> {
        if self.has_given_up {
            let cause = CloseCause::Overflow;
            return Poll::Ready(Err(CloseInfo::abnormal(
                CloseCode::ABNORMAL,
                Initiator::Local,
                cause,
            )));
        }
        self.has_given_up = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[test]
fn a_peer_that_is_given_up_closes_the_channel_before_it_ends() {
    let shared = Shared::with_defaults();
    for text in ["taken", "queued"] {
        shared
            .lock()
            .outbox
            .push(ToSend::Message(text.into(), Compression::Auto));
    }
    let port = Port::new(Arc::clone(&shared));
    let opening = std::future::ready(Ok(Flooded::default()));
    let mut driving = pin!(drive(opening, port, Duration::ZERO, Attendant::new));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(driving.as_mut().poll(&mut cx).is_pending());
    {
        let state = shared.lock();
        assert_eq!(state.channel_state(), ChannelState::Closing);
        assert_eq!(state.subprotocol(), Some("flood"));
        // What was queued is lost, and does not count as written.
        assert!(!state.outbox.has_messages());
        assert_eq!((state.outbox.queued(), state.outbox.written()), (2, 0));
    }
    assert!(driving.as_mut().poll(&mut cx).is_ready());
    let state = shared.lock();
    assert_eq!(state.channel_state(), ChannelState::Closed);
    assert!(matches!(state.why(), Why::Ended(..)));
    // What was taken is not written either, and whoever waits for the end learns it.
    let outcome = state.outcome().expect("it has ended");
    assert!(outcome.is_err_and(|error| error.to_string().starts_with("2 messages")));
}

/// A socket to which messages come, the last one first, and whose transport may take nothing.
#[derive(Default)]
struct Stub {
    comes: Vec<Message>,
    is_full: bool,
    sent: u64,
    written: u64,
    /// How often it was asked for what came, and to write.
    asked: usize,
    flushes: usize,
    /// A program that sends one more message while the third is sent, and makes room while it is held back.
    program: Option<Handle>,
}

impl Socket for Stub {
    fn subprotocol(&self) -> Option<Box<str>> {
        None
    }

    fn send_capacity(&self) -> usize {
        1024
    }

    fn start_send(&mut self, _: Message, _: Compression) -> Result<(), Lost> {
        self.sent += 1;
        if let Some(program) = &self.program
            && self.sent == 3
        {
            program
                .try_send(ToSend::new("while it runs".into(), Compression::Auto))
                .unwrap();
        }
        Ok(())
    }

    fn start_ping(&mut self, _: bytes::Bytes) {}

    fn start_close(&mut self, _: Option<CloseFrame>) {}

    fn start_close_timeout(&mut self) {}

    fn continue_close_timeout(&mut self, _: Timer) {}

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        self.flushes += 1;
        if self.is_full {
            return Poll::Pending;
        }
        self.written = self.sent;
        Poll::Ready(Ok(()))
    }

    fn can_send(&self) -> bool {
        true
    }

    fn send_progress(&self) -> SendProgress {
        SendProgress {
            end: self.sent,
            written: self.written,
            buffered: (self.sent - self.written) as usize,
        }
    }

    fn can_hold_back(&self) -> bool {
        true
    }

    fn poll_received(&mut self, _: &mut Context<'_>) -> Poll<Result<Received, CloseInfo>> {
        self.asked += 1;
        match self.comes.pop() {
            Some(message) => Poll::Ready(Ok(Received::Message(message))),
            None => Poll::Pending,
        }
    }

    fn poll_ahead(&mut self, _: &mut Context<'_>, _: Backlog) -> Poll<Result<Received, CloseInfo>> {
        if let Some(program) = &self.program {
            assert!(program.try_recv().unwrap().is_some());
        }
        Poll::Pending
    }
}

#[test]
fn a_socket_that_was_held_back_is_asked_as_soon_as_there_is_room() {
    let one = QueueLimits::default().messages_max(1);
    let shared = Shared::new(QueueLimits::default(), one);
    let socket = Stub {
        comes: vec![vec![0; BATCH_SIZE].into()],
        program: Some(Handle::new(Arc::clone(&shared))),
        ..Stub::default()
    };
    let port = Port::new(Arc::clone(&shared));
    port.opened(None, None);
    let mut pump = Pump::new(socket, port);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut pump).poll(&mut cx).is_pending());
    assert_eq!(pump.socket.asked, 2);
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_batch_wakes_its_reader_once_and_leaves_in_one_flush() {
    let shared = Shared::with_defaults();
    let program = Handle::new(Arc::clone(&shared));
    let [reader, driver] = [(); 2].map(|()| std::sync::Arc::<Woken>::default());
    let [reads, drives] = [&reader, &driver].map(|woken| Waker::from(woken.clone()));
    let woken = || [&reader, &driver].map(|woken| woken.0.load(Ordering::Relaxed));
    assert!(program.poll_recv(&Context::from_waker(&reads)).is_pending());
    for _ in 0..3 {
        program
            .try_send(ToSend::new("before".into(), Compression::Auto))
            .unwrap();
    }
    let socket = Stub {
        comes: vec!["came".into(); 10],
        program: Some(program.clone()),
        ..Stub::default()
    };
    let port = Port::new(Arc::clone(&shared));
    port.opened(None, None);
    assert_eq!(woken(), [1, 0], "the channel has opened");
    assert!(program.poll_recv(&Context::from_waker(&reads)).is_pending());
    let mut pump = Pump::new(socket, port);
    let mut cx = Context::from_waker(&drives);
    shared.lock().set_driver(&cx);
    assert!(Pin::new(&mut pump).poll(&mut cx).is_pending());
    assert_eq!(
        woken(),
        [2, 0],
        "what was sent while it ran did not wake it"
    );
    assert_eq!((pump.socket.sent, pump.socket.flushes), (4, 2));
    assert_eq!(shared.lock().outbox.written(), 4);
    let recv = || program.try_recv().unwrap();
    assert_eq!(std::iter::from_fn(recv).count(), 10);
    program
        .try_send(ToSend::new("while it sleeps".into(), Compression::Auto))
        .unwrap();
    program
        .try_send(ToSend::new("while it is awake".into(), Compression::Auto))
        .unwrap();
    assert_eq!(woken(), [2, 1]);
}

#[test]
fn a_driver_that_is_dropped_ends_its_channel() {
    let shared = Shared::with_defaults();
    let port = Port::new(Arc::clone(&shared));
    let opening = std::future::pending();
    drop(drive::<Flooded, _, _>(
        opening,
        port,
        Duration::ZERO,
        Attendant::new,
    ));
    let state = shared.lock();
    let info = state.lifecycle.close_info().expect("it has ended");
    assert_eq!(
        (info.code, info.initiator),
        (CloseCode::ABNORMAL, Initiator::Local)
    );
    assert!(matches!(state.why(), Why::Ended(..)));
}

/// A pump whose channel waits for nothing.
fn idle() -> (Arc<Shared>, Pump<Stub>) {
    let shared = Shared::with_defaults();
    let port = Port::new(Arc::clone(&shared));
    port.opened(None, None);
    let mut pump = Pump::new(Stub::default(), port);
    poll(&mut pump, &mut Call::Drive);
    assert!(shared.is_driver_asleep());
    (shared, pump)
}

fn poll(pump: &mut Pump<Stub>, call: &mut Call) {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pumped::poll(pump, call, &mut cx).is_pending());
}

/// What a call that waits for a message gets when something has come.
fn receive(shared: &Shared, pump: &mut Pump<Stub>) -> Option<Message> {
    shared.is_pump_due.store(true, Ordering::Release);
    let mut call = Call::Receive(First {
        appended: Some(shared.lock().inbox.appended()),
        message: None,
    });
    poll(pump, &mut call);
    let Call::Receive(first) = call else {
        panic!("it is the same call");
    };
    first.message
}

#[test]
fn a_call_that_got_its_message_leaves_a_driver_that_can_be_woken() {
    let (shared, mut pump) = idle();
    for size in [1, BATCH_SIZE] {
        pump.socket.comes = vec![vec![0; size].into()];
        let message = receive(&shared, &mut pump).expect("it came");
        assert_eq!(message.len(), size);
        assert!(shared.is_driver_asleep(), "{size} bytes");
    }
}

#[test]
fn of_several_messages_the_first_goes_to_the_call_and_the_others_to_the_queue() {
    let (shared, mut pump) = idle();
    pump.socket.comes = vec!["third".into(), "second".into(), "first".into()];
    assert_eq!(receive(&shared, &mut pump), Some("first".into()));
    let program = Handle::new(Arc::clone(&shared));
    // More that comes goes behind them, whoever polls.
    pump.socket.comes = vec!["fourth".into()];
    let mut call = Call::Receive(First {
        appended: Some(0),
        message: None,
    });
    shared.is_pump_due.store(true, Ordering::Release);
    poll(&mut pump, &mut call);
    assert!(matches!(call, Call::Receive(First { message: None, .. })));
    let recv = || program.try_recv().unwrap();
    let all: Vec<_> = std::iter::from_fn(recv).collect();
    assert_eq!(all, ["second", "third", "fourth"].map(Message::from));
}

#[test]
fn what_is_written_at_once_tells_of_what_was_in_flight_before() {
    let (shared, mut pump) = idle();
    let program = Handle::new(Arc::clone(&shared));
    program
        .try_send(ToSend::new("large".into(), Compression::Auto))
        .unwrap();
    pump.socket.is_full = true;
    poll(&mut pump, &mut Call::Drive);
    assert_eq!(shared.lock().outbox.written(), 0);
    pump.socket.is_full = false;
    let mut call = Call::Send(Some(("more".into(), Compression::Auto)));
    poll(&mut pump, &mut call);
    assert!(matches!(call, Call::Send(None)));
    assert_eq!(shared.lock().outbox.written(), 2);
}

#[test]
fn after_a_local_close_no_call_gets_a_message() {
    let (shared, mut pump) = idle();
    let _program = Handle::new(Arc::clone(&shared));
    shared.lock().close(None);
    pump.socket.comes = vec!["late".into()];
    assert_eq!(receive(&shared, &mut pump), None);
}

//! The task behind a channel's handles, on every platform: it opens a connection and passes messages
//! both ways until its end.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use talkback_proto::{CloseInfo, Compression, Message};

use crate::channel::outbox::Outgoing;
#[cfg(not(browser))]
use crate::channel::state::Shared;
#[cfg(not(browser))]
use crate::channel::sync::Arc;
use crate::driver::port::{Exchange, Port, Takes, Told, Unopened, Wanted};
use crate::error::Error;
use crate::socket::{Lost, Received, SendProgress, Socket};
use crate::timer::{Timer, timer};

/// The poll budget: how many messages are passed on before other tasks may run.
const POLL_BUDGET: usize = 128;

/// How many bytes of messages are received before they are passed on: about what one read brings.
const BATCH_SIZE: usize = 64 * 1024;

/// Opens a connection and pumps it until its end, as what `attend` makes of it.
///
/// While it opens, messages are queued. If the channel is closed meanwhile with nothing queued, it
/// gives up at once; with messages queued it goes on for the close timeout.
pub(crate) fn drive<S, F, A>(
    opening: F,
    port: Port,
    close_timeout: Duration,
    attend: fn(Pump<S>) -> A,
) -> Driver<S, F, A>
where
    S: Socket + Unpin,
    F: Future<Output = Result<S, Error>>,
    A: Future<Output = ()> + Unpin,
{
    let opening = Opening {
        opening: Box::pin(opening),
        close_timer: None,
        close_timeout,
        port: Some(port),
    };
    Driver::Opening(opening, attend)
}

/// The task behind a channel: written by hand, as an `async fn` would keep space for the socket twice.
pub(crate) enum Driver<S, F, A> {
    Opening(Opening<F>, fn(Pump<S>) -> A),
    Open(A),
}

/// A connection that is being made.
pub(crate) struct Opening<F> {
    /// It takes more memory than pumping, and gives it back at the end.
    opening: Pin<Box<F>>,
    /// Made when the channel is closed before it is open.
    close_timer: Option<Timer>,
    close_timeout: Duration,
    /// `None` once it was handed on.
    port: Option<Port>,
}

impl<S, F, A> Future for Driver<S, F, A>
where
    S: Socket + Unpin,
    F: Future<Output = Result<S, Error>>,
    A: Future<Output = ()> + Unpin,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        if let Self::Opening(opening, attend) = driver {
            match ready!(opening.poll(cx)) {
                Some(pump) => *driver = Self::Open(attend(pump)),
                None => return Poll::Ready(()),
            }
        }
        match driver {
            Self::Open(open) => Pin::new(open).poll(cx),
            Self::Opening(..) => Poll::Pending,
        }
    }
}

impl<F> Opening<F> {
    /// Opens the connection, unless it is given up or fails.
    fn poll<S>(&mut self, cx: &mut Context<'_>) -> Poll<Option<Pump<S>>>
    where
        S: Socket + Unpin,
        F: Future<Output = Result<S, Error>>,
    {
        let Some(port) = &self.port else {
            return Poll::Ready(None);
        };
        let opened = match self.opening.as_mut().poll(cx) {
            Poll::Ready(opened) => Some(opened),
            Poll::Pending => {
                ready!(poll_given_up(
                    port,
                    self.close_timeout,
                    &mut self.close_timer,
                    cx
                ));
                None
            }
        };
        match opened {
            None => port.not_opened(None),
            Some(Err(error)) => port.not_opened(Some(error)),
            Some(Ok(mut socket)) => {
                if let Some(timer) = self.close_timer.take() {
                    socket.continue_close_timeout(timer);
                }
                let response = socket.take_response();
                port.opened(socket.subprotocol(), response);
                let port = self.port.take();
                return Poll::Ready(port.map(|port| Pump::new(socket, port)));
            }
        }
        // Nothing is left to be driven.
        self.port = None;
        Poll::Ready(None)
    }
}

/// Whether a channel that is not open yet is to be given up.
fn poll_given_up(
    port: &Port,
    close_timeout: Duration,
    close_timer: &mut Option<Timer>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    match port.poll_unopened(cx) {
        Unopened::Wanted => Poll::Pending,
        Unopened::GivenUp => Poll::Ready(()),
        Unopened::Closing => {
            let timer = close_timer.get_or_insert_with(|| timer(close_timeout));
            timer.as_mut().poll(cx)
        }
    }
}

/// Pumps a connection of which the channel knows that it is open, until its end.
///
/// The channel ends as soon as it is certain how. What is left to be done, as when a client waits for the
/// server to end TCP (RFC 6455 §7.1.1), is done without it.
pub(crate) struct Pump<S> {
    /// `None` once the channel has ended.
    port: Option<Port>,
    socket: S,
    /// Where the messages that were taken end in the bytes that the socket writes: what it has to say
    /// itself comes behind them.
    end: u64,
    /// What the channel wanted when the driver slept last.
    wanted: Option<Wanted>,
}

impl<S: Socket + Unpin> Future for Pump<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self {
            port,
            socket,
            end,
            wanted,
        } = self.get_mut();
        if let Some(open) = port {
            let info = ready!(poll_pumped(open, socket, end, wanted, cx));
            open.ended(info, progress(socket, *end));
            *port = None;
        }
        socket.poll_released(cx)
    }
}

impl<S: Socket> Pump<S> {
    pub(crate) fn new(socket: S, port: Port) -> Self {
        Self {
            port: Some(port),
            socket,
            end: 0,
            wanted: None,
        }
    }

    /// What its channel's halves share.
    #[cfg(not(browser))]
    pub(crate) fn shared(&self) -> Arc<Shared> {
        let port = self.port.as_ref();
        Arc::clone(port.expect("a pump begins with its port").shared())
    }
}

/// Passes messages both ways, until the end.
///
/// All that one read has brought, and all that the socket has capacity for, cross the channel's lock at
/// once. Where it was the socket that woke the driver, the lock is not crossed before that is received; where it
/// was the channel that wants something sent, the socket is not asked for what cannot have come.
fn poll_pumped<S: Socket>(
    port: &Port,
    socket: &mut S,
    end: &mut u64,
    slept: &mut Option<Wanted>,
    cx: &mut Context<'_>,
) -> Poll<CloseInfo> {
    // Elsewhere it is an `Attendant` that is woken.
    #[cfg(browser)]
    port.set_driver(cx);
    let mut exchange = Exchange::default();
    let is_content = slept.is_some() && port.is_content();
    let mut is_due = port.take_due() || slept.as_ref().is_none_or(Wanted::is_unusual);
    let wanted = slept.get_or_insert_default();
    if !is_content {
        let told = told(socket, *end);
        ready!(port.poll_exchange(&mut exchange, told, wanted, false));
    }
    let mut budget = POLL_BUDGET;
    loop {
        is_due |= exchange.is_unusual() || wanted.is_unusual();
        send(socket, &mut exchange, wanted, end);
        let progress = socket.send_progress();
        if progress.written != progress.end
            && let Poll::Ready(Err(Lost)) = socket.poll_flush(cx)
        {
            exchange.is_lost = true;
        }
        if budget == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut is_pending = true;
        if is_due || exchange.is_lost {
            let received = poll_receive(socket, &mut exchange, wanted, &mut budget, cx);
            is_pending = received.is_pending();
            if let Poll::Ready(Err(info)) = received {
                port.exchange_last(&mut exchange);
                return Poll::Ready(info);
            }
            is_due = !is_pending;
        }
        let told = told(socket, *end);
        let exchanged = port.poll_exchange(&mut exchange, told, wanted, is_pending);
        // What nobody wants is dropped outside of the lock.
        exchange.received.clear();
        ready!(exchanged);
    }
}

/// What the channel is to know of its socket.
#[inline]
fn told<S: Socket>(socket: &S, end: u64) -> Told {
    Told {
        progress: progress(socket, end),
        send_capacity: socket.send_capacity(),
        takes: match socket.can_send() {
            true => Takes::Messages,
            false => Takes::Nothing(socket.peer_close()),
        },
        latency: socket.latency(),
    }
}

/// How far the messages that were taken have got.
#[inline]
fn progress<S: Socket>(socket: &S, end: u64) -> SendProgress {
    SendProgress {
        end,
        ..socket.send_progress()
    }
}

/// Hands to the socket what the channel wants sent.
fn send<S: Socket>(socket: &mut S, exchange: &mut Exchange, wanted: &Wanted, end: &mut u64) {
    if wanted.close {
        // What is queued leaves first, but a peer that does not read gets no more time for it.
        socket.start_close_timeout();
    }
    // It measures the way there and back, and not the queue.
    #[cfg(not(browser))]
    if !exchange.pings.is_empty() {
        for payload in exchange.pings.drain(..) {
            socket.start_ping(payload);
        }
    }
    let Outgoing { messages, close } = &mut exchange.outgoing;
    if !messages.is_empty() {
        while let Some((message, compression)) = messages.pop() {
            // If the peer has closed, the end will be reported.
            exchange.is_lost |= socket.start_send(message, compression).is_err();
        }
        *end = socket.send_progress().end;
    }
    if let Some(frame) = close.take() {
        socket.start_close(frame);
    }
}

/// Receives until nothing more comes, up to the budget, the capacity of the program's queue and the size of
/// a batch; notes in `wanted` how full that queue is then.
fn poll_receive<S: Socket>(
    socket: &mut S,
    exchange: &mut Exchange,
    wanted: &mut Wanted,
    budget: &mut usize,
    cx: &mut Context<'_>,
) -> Poll<Result<(), CloseInfo>> {
    let mut size = 0;
    while *budget > 0 {
        *budget -= 1;
        // Backpressure: the peer has to wait.
        let backlog = wanted.backlog().filter(|_| socket.can_hold_back());
        if backlog.is_none()
            && let Some(message) = socket.next_received()
        {
            size += take_in(message, exchange, wanted);
        } else {
            let received = match backlog {
                Some(backlog) => socket.poll_ahead(cx, backlog),
                None => socket.poll_received(cx),
            };
            match ready!(received)? {
                Received::Message(message) => size += take_in(message, exchange, wanted),
                #[cfg(not(browser))]
                Received::Pong(payload) => {
                    exchange.pong = Some(payload);
                    break;
                }
            }
        }
        if size >= BATCH_SIZE {
            break;
        }
    }
    Poll::Ready(Ok(()))
}

/// Puts a message to those that came; returns its size in bytes.
#[inline]
fn take_in(message: Message, exchange: &mut Exchange, wanted: &mut Wanted) -> usize {
    let size = message.len();
    if let Some(load) = &mut wanted.load {
        load.push(size);
    }
    exchange.received.push(message, Compression::Auto);
    size
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use talkback_proto::{CloseCause, CloseCode, CloseFrame, Compression, Initiator};

    use super::*;
    use crate::channel::handle::Handle;
    use crate::channel::lifecycle::ChannelState;
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
            shared.lock().outbox.push(text.into(), Compression::Auto);
        }
        let port = Port::new(Arc::clone(&shared));
        let opening = std::future::ready(Ok(Flooded::default()));
        let mut driving = pin!(drive(opening, port, Duration::ZERO, Attendant::new));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(driving.as_mut().poll(&mut cx).is_pending());
        {
            let state = shared.lock();
            assert_eq!(state.channel_state(), ChannelState::Closing);
            assert_eq!(state.lifecycle.subprotocol(), Some("flood"));
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

    /// A socket to which some messages have come; a program sends one more while the last is sent.
    struct Scripted {
        received: usize,
        sent: usize,
        written: usize,
        flushes: usize,
        program: Handle,
    }

    impl Socket for Scripted {
        fn subprotocol(&self) -> Option<Box<str>> {
            None
        }

        fn send_capacity(&self) -> usize {
            1024
        }

        fn start_send(&mut self, _: Message, _: Compression) -> Result<(), Lost> {
            self.sent += 1;
            if self.sent == 3 {
                self.program.try_send("while it runs".into()).unwrap();
            }
            Ok(())
        }

        fn start_ping(&mut self, _: bytes::Bytes) {}

        fn start_close(&mut self, _: Option<CloseFrame>) {}

        fn start_close_timeout(&mut self) {}

        fn continue_close_timeout(&mut self, _: Timer) {}

        fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Lost>> {
            self.flushes += 1;
            self.written = self.sent;
            Poll::Ready(Ok(()))
        }

        fn can_send(&self) -> bool {
            true
        }

        fn send_progress(&self) -> SendProgress {
            SendProgress {
                end: self.sent as u64,
                written: self.written as u64,
                buffered: self.sent - self.written,
            }
        }

        fn can_hold_back(&self) -> bool {
            true
        }

        fn poll_received(&mut self, _: &mut Context<'_>) -> Poll<Result<Received, CloseInfo>> {
            match self.received.checked_sub(1) {
                Some(rest) => {
                    self.received = rest;
                    Poll::Ready(Ok(Received::Message("came".into())))
                }
                None => Poll::Pending,
            }
        }

        fn poll_ahead(
            &mut self,
            _: &mut Context<'_>,
            _: Backlog,
        ) -> Poll<Result<Received, CloseInfo>> {
            Poll::Pending
        }
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
            program.try_send("before".into()).unwrap();
        }
        let socket = Scripted {
            received: 10,
            sent: 0,
            written: 0,
            flushes: 0,
            program: program.clone(),
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
        program.try_send("while it sleeps".into()).unwrap();
        program.try_send("while it is awake".into()).unwrap();
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
}

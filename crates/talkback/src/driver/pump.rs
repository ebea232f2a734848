//! The task behind a channel's handles, on every platform: it opens a connection and passes messages
//! both ways until its end.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use talkback_proto::{CloseInfo, Compression, Message};

use crate::channel::buffers::Messages;
#[cfg(not(browser))]
use crate::channel::outbox::Progress;
use crate::channel::outbox::{Outgoing, StartClose};
#[cfg(not(browser))]
use crate::channel::pump_slot::{Call, Pumped};
#[cfg(not(browser))]
use crate::channel::state::Shared;
#[cfg(not(browser))]
use crate::channel::sync::Arc;
use crate::channel::to_send::ToSend;
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
    /// `None` once the channel has done with the connection.
    port: Option<Port>,
    /// Whether it is known how the connection ends.
    has_ended: bool,
    socket: S,
    /// Where the messages that were taken end in the bytes that the socket writes: what it has to say
    /// itself comes behind them.
    end: u64,
    /// What the channel wanted when the driver slept last.
    wanted: Option<Wanted>,
    /// How often messages were passed on; it may wrap.
    appended: u32,
}

impl<S: Socket + Unpin> Future for Pump<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.get_mut().poll_for(None, cx)
    }
}

#[cfg(not(browser))]
impl<S: Socket + Send> Pumped for Pump<S> {
    fn poll(&mut self, call: &mut Call, cx: &mut Context<'_>) -> Poll<()> {
        match call {
            Call::Drive => self.poll_for(None, cx),
            Call::Receive(first) => {
                // If others have come meanwhile, they go first.
                let is_first = first.appended == Some(self.appended);
                self.poll_for(is_first.then_some(&mut first.message), cx)
            }
            Call::Send(message) => {
                if self.write(message, cx) {
                    return Poll::Pending;
                }
                self.poll_for(None, cx)
            }
        }
    }

    fn give_up(&mut self) {
        self.give_up();
    }
}

impl<S: Socket> Pump<S> {
    pub(crate) fn new(socket: S, port: Port) -> Self {
        Self {
            port: Some(port),
            has_ended: false,
            socket,
            end: 0,
            wanted: None,
            appended: 0,
        }
    }

    /// Polls it; for a call that waits for a message, the first one goes there.
    #[inline]
    fn poll_for(&mut self, first: First<'_>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(port) = &self.port {
            let Self {
                socket,
                end,
                wanted,
                appended,
                ..
            } = self;
            let (slept, counts) = (wanted, (end, appended));
            let info = ready!(poll_pumped(port, socket, counts, slept, first, cx));
            port.ended(info, progress(socket, self.end));
            self.has_ended = true;
            self.port = None;
        }
        if !self.has_ended {
            ready!(poll_discarded(&mut self.socket, cx));
            self.has_ended = true;
        }
        self.socket.poll_released(cx)
    }

    #[cfg(browser)]
    pub(crate) fn socket_mut(&mut self) -> &mut S {
        &mut self.socket
    }

    /// What is left of a connection that never came to a channel: it is closed without a code, within the close
    /// timeout, unless it is known how it ends.
    pub(crate) fn rest(mut socket: S, end: Known) -> Self {
        if end == Known::Open {
            socket.start_close(None);
            socket.start_close_timeout();
        }
        Self {
            port: None,
            has_ended: end == Known::Ended,
            socket,
            end: 0,
            wanted: None,
            appended: 0,
        }
    }

    /// The channel gives the connection up, which writes what it holds, and closes without a code, within the
    /// close timeout.
    pub(crate) fn give_up(&mut self) {
        if self.port.take().is_some() {
            self.socket.start_close(None);
            self.socket.start_close_timeout();
        }
    }

    /// Writes a message that is to wait for nothing, if nothing is to go before it; whether all is done.
    #[cfg(not(browser))]
    fn write(
        &mut self,
        message: &mut Option<(Message, Compression)>,
        cx: &mut Context<'_>,
    ) -> bool {
        let (Some(port), Some(wanted)) = (&self.port, &self.wanted) else {
            return false;
        };
        let socket = &mut self.socket;
        let is_free = !wanted.is_unusual()
            && port.is_content()
            && socket.can_send()
            && socket.send_capacity() > 0;
        let Some((message, compression)) = message.take_if(|_| is_free) else {
            return false;
        };
        let before = socket.send_progress();
        let mut sent = Sent {
            port,
            size: message.len(),
            progress: Progress::Unwritten,
        };
        if socket.start_send(message, compression).is_err() {
            sent.progress = Progress::Lost;
            return false;
        }
        self.end = socket.send_progress().end;
        if let Poll::Ready(Ok(())) = socket.poll_flush(cx) {
            sent.progress = Progress::Written;
        }
        // What was in flight before is to be told of, too.
        sent.progress == Progress::Written && before.written == before.end
    }

    /// What its channel's halves share.
    #[cfg(not(browser))]
    pub(crate) fn shared(&self) -> Arc<Shared> {
        let port = self.port.as_ref();
        Arc::clone(port.expect("a pump begins with its port").shared())
    }
}

/// A message that goes to the socket without having waited: counted in any case, also where the transport
/// panics.
#[cfg(not(browser))]
struct Sent<'a> {
    port: &'a Port,
    size: usize,
    progress: Progress,
}

#[cfg(not(browser))]
impl Drop for Sent<'_> {
    fn drop(&mut self) {
        self.port.note_sent(self.size, self.progress);
    }
}

/// What is known of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Open,
    /// It has told how it ends.
    Ended,
}

/// Passes messages both ways, until the end.
///
/// All that one read has brought, and all that the socket has capacity for, cross the channel's lock at
/// once. Where it was the socket that woke the driver, the lock is not crossed before that is received; where it
/// was the channel that wants something sent, the socket is not asked for what cannot have come.
fn poll_pumped<S: Socket>(
    port: &Port,
    socket: &mut S,
    (end, appended): (&mut u64, &mut u32),
    slept: &mut Option<Wanted>,
    mut first: First<'_>,
    cx: &mut Context<'_>,
) -> Poll<CloseInfo> {
    // Elsewhere it is an `Attendant` that is woken.
    #[cfg(browser)]
    port.set_driver(cx);
    let mut exchange = Exchange::default();
    let mut is_content = slept.is_some() && port.is_content();
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
            let received = poll_receive(
                port,
                socket,
                &mut exchange,
                &mut first,
                wanted,
                &mut budget,
                cx,
            );
            is_pending = received.is_pending();
            if is_content && is_pending && tells_nothing(socket, &exchange, &first, progress) {
                return Poll::Pending;
            }
            *appended = appended.wrapping_add(u32::from(!exchange.received.is_empty()));
            if let Poll::Ready(Err(info)) = received {
                port.exchange_last(&mut exchange);
                return Poll::Ready(info);
            }
            // Held back, it has asked for nothing, and is to be asked once there is capacity.
            is_due = !is_pending || wanted.is_unusual();
        }
        let told = told(socket, *end);
        let exchanged = port.poll_exchange(&mut exchange, told, wanted, is_pending);
        // What nobody wants is dropped outside of the lock.
        exchange.received.clear();
        ready!(exchanged);
        // The channel takes the driver for awake now, until another exchange.
        is_content = false;
    }
}

/// Where the first message goes that comes, if a call waits for it.
type First<'a> = Option<&'a mut Option<Message>>;

/// Whether a message for the call that waits was all that came, and the channel need not hear of it.
#[inline]
fn tells_nothing<S: Socket>(
    socket: &S,
    exchange: &Exchange,
    first: &First<'_>,
    before: SendProgress,
) -> bool {
    first.as_ref().is_some_and(|first| first.is_some())
        && exchange.is_empty()
        && before.written == before.end
        && socket.can_send()
}

/// Writes what a socket holds, and reads away what comes, until it is known how it ends.
fn poll_discarded<S: Socket>(socket: &mut S, cx: &mut Context<'_>) -> Poll<()> {
    let mut budget = POLL_BUDGET;
    loop {
        let _ = socket.poll_flush(cx);
        if budget == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        budget -= 1;
        if ready!(socket.poll_received(cx)).is_err() {
            return Poll::Ready(());
        }
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
        if messages.has_prepared() {
            exchange.is_lost |= send_any(socket, messages);
        }
        while let Some((message, compression)) = messages.pop() {
            // If the peer has closed, the end will be reported.
            exchange.is_lost |= socket.start_send(message, compression).is_err();
        }
        *end = socket.send_progress().end;
    }
    match close.take() {
        Some(StartClose::Close(frame)) => socket.start_close(frame),
        #[cfg(all(feature = "server", not(browser)))]
        Some(StartClose::HalfClose(frame)) => socket.start_half_close(*frame),
        None => {}
    }
}

/// Hands messages to the socket of which some were prepared; whether any was lost.
#[cold]
fn send_any<S: Socket>(socket: &mut S, messages: &mut Messages) -> bool {
    let mut is_lost = false;
    while let Some(message) = messages.pop_any() {
        is_lost |= match message {
            ToSend::Message(message, compression) => socket.start_send(message, compression),
            ToSend::Prepared(prepared) => socket.start_send_prepared(&prepared),
        }
        .is_err();
    }
    is_lost
}

/// Receives until nothing more comes, up to the budget, the capacity of the program's queue and the size of
/// a batch; notes in `wanted` how full that queue is then.
fn poll_receive<S: Socket>(
    #[cfg_attr(not(all(feature = "server", not(browser))), expect(unused_variables))] port: &Port,
    socket: &mut S,
    exchange: &mut Exchange,
    first: &mut First<'_>,
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
            size += take_in(message, exchange, first, wanted);
        } else {
            let received = match backlog {
                Some(backlog) => socket.poll_ahead(cx, backlog),
                None => socket.poll_received(cx),
            };
            match ready!(received)? {
                Received::Message(message) => {
                    size += take_in(message, exchange, first, wanted);
                }
                #[cfg(not(browser))]
                Received::Pong(payload) => {
                    exchange.pong = Some(payload);
                    break;
                }
                #[cfg(all(feature = "server", not(browser)))]
                Received::Close(frame) => {
                    port.half_close(frame);
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

/// Puts a message to those that came, or where the first one goes; returns its size in bytes.
#[inline]
fn take_in(
    message: Message,
    exchange: &mut Exchange,
    first: &mut First<'_>,
    wanted: &mut Wanted,
) -> usize {
    let size = message.len();
    if let Some(first) = first
        && first.is_none()
        && !wanted.discard
        && exchange.received.is_empty()
    {
        **first = Some(message);
        return size;
    }
    if let Some(load) = &mut wanted.load {
        load.push(size);
    }
    exchange.received.push(message, Compression::Auto);
    size
}

#[cfg(all(test, not(shuttle)))]
mod tests;

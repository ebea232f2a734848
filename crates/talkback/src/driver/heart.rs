//! Whether the peer of a channel that reconnects is still there, beyond what its socket finds out by itself: the program's
//! own heartbeat, and a look after the machine has slept.

use std::task::{Context, Poll, ready};
use std::time::Duration;

#[cfg(not(browser))]
use bytes::Bytes;
use http::Response;
use talkback_proto::{CloseFrame, CloseInfo, Compression, Message, Prepared};

use crate::driver::port::Port;
use crate::reconnect::heartbeat::Heartbeat;
use crate::reconnect::lost::LostCause;
#[cfg(not(browser))]
use crate::sleep::SleepWatch;
use crate::socket::{Backlog, Lost, PeerClose, Received, SendProgress, Socket};
use crate::timer::{Clock, Timer, poll_timer, timer};

/// How long a peer may take to answer after a sleep: the network takes a while to be there.
#[cfg(not(browser))]
const AFTER_SLEEP: Duration = Duration::from_secs(5);

/// How late a deadline may be noticed at least, whatever the timeout.
const LATE: Duration = Duration::from_secs(1);

/// How many answers are taken in before other tasks may run.
const ANSWERS_MAX: usize = 128;

/// A socket whose peer is given up when the heartbeat says so.
///
/// It is a socket around another one, so that a channel that does not reconnect has nothing of it.
pub(crate) struct Beating<S> {
    socket: S,
    heart: Option<BoxHeart>,
    /// `None` once this end closes, or gives it up.
    #[cfg(not(browser))]
    sleep: Option<SleepWatch>,
    port: Port,
}

/// A heart, if there is one. Nobody but who has a heartbeat names its type: a page without one does not carry it.
#[cfg(not(browser))]
pub(crate) type BoxHeart = Box<dyn Heart + Send>;
#[cfg(browser)]
pub(crate) type BoxHeart = Box<dyn Heart>;

/// A heartbeat that beats.
pub(crate) trait Heart {
    /// A message came; `None` if it was an answer.
    fn take_in(&mut self, message: Message) -> Option<Message>;

    /// Waits until there is something to be done. Everything that came was taken in before.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<Due>;

    /// Has the peer asked now.
    fn ask(&mut self);

    /// What asks the peer ends at this offset of what is sent.
    fn asked_up_to(&mut self, end: u64);

    /// All is written up to this offset: as long as what was sent before it is on its way, a peer that takes it is
    /// there, and has not been asked.
    fn note_written(&mut self, written: u64);

    /// Nothing is received, so silence says nothing.
    fn pause(&mut self);
}

/// What is to be done.
pub(crate) enum Due {
    /// Send this.
    Ask(Message),
    GiveUp,
}

/// How a heart is made.
pub(crate) type MakeHeart = fn(&Heartbeat) -> BoxHeart;

/// Begins with the first silence.
pub(crate) fn heart(heartbeat: &Heartbeat) -> BoxHeart {
    Box::new(Pulse {
        heartbeat: heartbeat.clone(),
        clock: Clock::start(),
        has_heard: false,
        since: Duration::ZERO,
        asked: Asked::No,
        is_second: false,
        ask_end: 0,
        written: 0,
        is_paused: false,
        timer: None,
    })
}

struct Pulse {
    heartbeat: Heartbeat,
    clock: Clock,
    /// Whether something came since the clock was looked at.
    has_heard: bool,
    /// When the peer was last heard, or asked, by the clock.
    since: Duration,
    asked: Asked,
    /// Whether the time of the one before was not waited for, so that this one counts in any case.
    is_second: bool,
    /// Where what asks ends, among the bytes that are sent.
    ask_end: u64,
    written: u64,
    is_paused: bool,
    /// It may be earlier than what is due: that moves back with each message.
    timer: Option<(Duration, Timer)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    No,
    /// It is to be, whatever the time is.
    Now,
    Yes,
    /// It was, and its time is up. What came may still stand behind the timer, and is waited for.
    Late,
}

impl Heart for Pulse {
    fn take_in(&mut self, message: Message) -> Option<Message> {
        self.has_heard = true;
        (!self.heartbeat.is_answer(&message)).then_some(message)
    }

    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        if std::mem::take(&mut self.is_paused) | std::mem::take(&mut self.has_heard) {
            self.since = self.clock.elapsed();
            self.is_second = false;
            if self.asked != Asked::Now {
                self.asked = Asked::No;
            }
        }
        loop {
            let now = self.clock.elapsed();
            let timeout = self.heartbeat.end_after();
            let time = match self.asked {
                Asked::No => self.heartbeat.ask_after(),
                Asked::Now => return Poll::Ready(self.due(now)),
                Asked::Yes => timeout,
                Asked::Late => Duration::ZERO,
            };
            let deadline = self.since.saturating_add(time);
            let (_, timer) = match &mut self.timer {
                Some(set) if set.0 <= deadline => set,
                set => set.insert((deadline, timer(deadline.saturating_sub(now)))),
            };
            ready!(poll_timer(timer, cx));
            self.timer = None;
            let now = self.clock.elapsed();
            let Some(late) = now.checked_sub(deadline) else {
                continue;
            };
            // Else nobody waited for the answer: this program did not run.
            let has_waited = late <= timeout.max(LATE) || self.is_second;
            match self.asked {
                Asked::Yes if has_waited => (self.asked, self.since) = (Asked::Late, now),
                Asked::Late if has_waited => return Poll::Ready(Due::GiveUp),
                asked => {
                    self.is_second = asked != Asked::No;
                    return Poll::Ready(self.due(now));
                }
            }
        }
    }

    fn ask(&mut self) {
        (self.asked, self.is_second) = (Asked::Now, false);
    }

    fn asked_up_to(&mut self, end: u64) {
        self.ask_end = end;
    }

    fn note_written(&mut self, written: u64) {
        if self.written < written && written < self.ask_end {
            self.since = self.clock.elapsed();
            if self.asked == Asked::Late {
                self.asked = Asked::Yes;
            }
        }
        self.written = written;
    }

    fn pause(&mut self) {
        self.is_paused = true;
    }
}

impl Pulse {
    /// The peer is asked.
    fn due(&mut self, now: Duration) -> Due {
        (self.asked, self.since) = (Asked::Yes, now);
        Due::Ask(self.heartbeat.message())
    }
}

impl<S> Beating<S> {
    /// Over a socket that is open; the port is that of its channel.
    pub(crate) fn new(socket: S, heart: Option<BoxHeart>, port: Port) -> Self {
        Self {
            socket,
            heart,
            #[cfg(not(browser))]
            sleep: Some(SleepWatch::start()),
            port,
        }
    }

    /// The peer is not looked after any more.
    fn let_be(&mut self) {
        self.heart = None;
        #[cfg(not(browser))]
        {
            self.sleep = None;
        }
    }

    /// There is a reason to doubt that the peer is there: it is asked.
    pub(crate) fn ask(&mut self) {
        if let Some(heart) = &mut self.heart {
            heart.ask();
        }
    }
}

impl<S: Socket> Beating<S> {
    /// What the program gets of what came: everything but answers.
    fn take_in(&mut self, received: Received) -> Option<Received> {
        match (&mut self.heart, received) {
            (Some(heart), Received::Message(message)) => {
                heart.take_in(message).map(Received::Message)
            }
            (_, received) => Some(received),
        }
    }

    /// Asks, and gives up, the peer from whom nothing comes just now.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.socket.can_send() {
            // How it ends is in others' hands.
            return Poll::Pending;
        }
        let Some(heart) = &mut self.heart else {
            return Poll::Pending;
        };
        if self.socket.is_in_message() {
            heart.pause();
        }
        heart.note_written(self.socket.send_progress().written);
        match ready!(heart.poll_due(cx)) {
            Due::Ask(message) => {
                // If the peer has closed, the end will be reported.
                let _ = self.socket.start_send(message, Compression::Auto);
                heart.asked_up_to(self.socket.send_progress().end);
                Poll::Ready(())
            }
            Due::GiveUp => {
                self.let_be();
                // The loop is woken, and takes it away.
                self.port.lose(LostCause::Heartbeat, None);
                Poll::Pending
            }
        }
    }

    /// Asks the peer at once if the machine has slept meanwhile.
    #[cfg(not(browser))]
    fn look_for_sleep(&mut self) -> bool {
        let has_slept = self.sleep.as_mut().is_some_and(SleepWatch::has_slept);
        if has_slept {
            self.port.note_slept();
            self.socket.ask_peer(AFTER_SLEEP);
            self.ask();
        }
        has_slept
    }

    /// A page's own clock goes on, so that its timers are late.
    #[cfg(browser)]
    fn look_for_sleep(&mut self) -> bool {
        false
    }
}

impl<S: Socket> Socket for Beating<S> {
    fn subprotocol(&self) -> Option<Box<str>> {
        self.socket.subprotocol()
    }

    fn take_response(&mut self) -> Option<Box<Response<()>>> {
        self.socket.take_response()
    }

    fn send_capacity(&self) -> usize {
        self.socket.send_capacity()
    }

    fn start_send(&mut self, message: Message, compression: Compression) -> Result<(), Lost> {
        self.socket.start_send(message, compression)
    }

    fn start_send_prepared(&mut self, prepared: &Prepared) -> Result<(), Lost> {
        self.socket.start_send_prepared(prepared)
    }

    #[cfg(not(browser))]
    fn start_ping(&mut self, payload: Bytes) {
        self.socket.start_ping(payload);
    }

    #[cfg(not(browser))]
    fn ask_peer(&mut self, within: Duration) {
        self.socket.ask_peer(within);
    }

    fn is_in_message(&self) -> bool {
        self.socket.is_in_message()
    }

    fn start_close(&mut self, frame: Option<CloseFrame>) {
        self.let_be();
        self.socket.start_close(frame);
    }

    fn start_close_timeout(&mut self) {
        self.socket.start_close_timeout();
    }

    fn continue_close_timeout(&mut self, timer: Timer) {
        self.socket.continue_close_timeout(timer);
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        self.socket.poll_flush(cx)
    }

    fn can_send(&self) -> bool {
        self.socket.can_send()
    }

    fn peer_close(&self) -> Option<PeerClose> {
        self.socket.peer_close()
    }

    fn send_progress(&self) -> SendProgress {
        self.socket.send_progress()
    }

    fn can_hold_back(&self) -> bool {
        self.socket.can_hold_back()
    }

    #[inline]
    fn next_received(&mut self) -> Option<Message> {
        loop {
            let message = self.socket.next_received()?;
            let message = match &mut self.heart {
                Some(heart) => heart.take_in(message),
                None => Some(message),
            };
            if message.is_some() {
                return message;
            }
        }
    }

    fn poll_received(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, CloseInfo>> {
        for _ in 0..ANSWERS_MAX {
            match self.socket.poll_received(cx) {
                Poll::Ready(Ok(received)) => {
                    if let Some(received) = self.take_in(received) {
                        return Poll::Ready(Ok(received));
                    }
                }
                Poll::Pending => {
                    if !self.look_for_sleep() {
                        ready!(self.poll_silence(cx));
                    }
                }
                Poll::Ready(Err(info)) => {
                    self.look_for_sleep();
                    return Poll::Ready(Err(info));
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_ahead(
        &mut self,
        cx: &mut Context<'_>,
        backlog: Backlog,
    ) -> Poll<Result<Received, CloseInfo>> {
        for _ in 0..ANSWERS_MAX {
            let received = self.socket.poll_ahead(cx, backlog);
            if let (Poll::Pending, Some(heart)) = (&received, &mut self.heart) {
                heart.pause();
            }
            let received = ready!(received)?;
            if let Some(received) = self.take_in(received) {
                return Poll::Ready(Ok(received));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_released(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_released(cx)
    }

    fn latency(&self) -> Option<Duration> {
        self.socket.latency()
    }
}

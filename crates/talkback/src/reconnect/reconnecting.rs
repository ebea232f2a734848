//! A channel that is to stay connected, as a program describes it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::channel::WebSocketChannel;
use crate::channel::link::Reconnection;
use crate::channel::state::Shared;
use crate::channel::waiting_messages::WaitingLimits;
use crate::connect::Connect;
use crate::driver::heart::heart;
use crate::driver::port::Port;
use crate::driver::reconnect::Reconnect;
use crate::reconnect::backoff::Backoff;
use crate::reconnect::connected::Connected;
use crate::reconnect::draw::Draw;
use crate::reconnect::heartbeat::Heartbeat;
use crate::reconnect::hook_error::HookError;
use crate::reconnect::hooks::{Hooks, MaybeSend, MaybeSync, Tried};
use crate::reconnect::lost::Lost;
use crate::reconnect::plan::Plan;
use crate::reconnect::schedule::TryLimits;
use crate::reconnect::verdict::Verdict;

impl Connect {
    /// Has the channel connect again when its connection is lost, or cannot be made.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), talkback::Error> {
    /// let mut channel = talkback::connect("wss://api.example/feed").reconnect().channel();
    /// while let Some(message) = channel.recv().await? {
    ///     println!("{message}"); // across connections, until one ends for good
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # What it does
    /// - **When.** After a failure that can mend (the [table](crate::Verdict)), the first time within 5 s, then
    ///   within 10, 20 and 30 s, each time at random: thousands of clients do not come back at once. See
    ///   [`Backoff`](crate::Backoff).
    /// - **Messages out** wait in the queue, and leave once it is open again. One that a connection took is never
    ///   sent on another: whether the peer got it is not known, and [`flush`](WebSocketChannel::flush) says so.
    /// - **Messages in** are given out in order. [`recv`](WebSocketChannel::recv) goes on across connections;
    ///   [`recv_event`](WebSocketChannel::recv_event) shows where one was lost, and another opened.
    /// - **The end** comes when the program closes, when the peer closes with 1000, or when a failure cannot mend:
    ///   until then [`state`](WebSocketChannel::state) is `Retrying` between tries, and [`link`](WebSocketChannel::link) tells
    ///   how long, and why.
    ///
    /// A page learns neither a status nor an error of TLS: there, a wrong path is tried for ever.
    pub fn reconnect(self) -> Reconnecting {
        Reconnecting {
            plan: Plan {
                connect: self,
                backoff: Backoff::default(),
                limits: TryLimits::default(),
                decide: None,
                hooks: Hooks::new(),
                heartbeat: None,
                draw: Draw::Random(seed()),
                #[cfg(not(browser))]
                failed: Arc::default(),
            },
            waiting: WaitingLimits::default(),
        }
    }
}

/// A channel that is to stay connected: [`channel`](Self::channel) makes it.
///
/// A [`WebSocket`](crate::connect()) is one connection, so that this cannot be awaited.
#[must_use = "nothing is connected until this is made a channel by `channel()`"]
pub struct Reconnecting {
    plan: Plan,
    waiting: WaitingLimits,
}

impl Reconnecting {
    /// Sets how long it waits before each try.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.plan.backoff = backoff;
        self
    }

    /// Gives up after so many tries in a row, with [`Error::GaveUp`](crate::Error::GaveUp). By default there is no
    /// limit.
    pub fn tries_max(mut self, tries: u32) -> Self {
        self.plan.limits.tries_max = Some(tries);
        self
    }

    /// Gives up once the channel was not open for so long, with [`Error::GaveUp`](crate::Error::GaveUp). By default
    /// there is no limit.
    pub fn time_max(mut self, time: Duration) -> Self {
        self.plan.limits.time_max = Some(time);
        self
    }

    /// Has the program decide what comes after each loss, and each try that failed. The second argument is what
    /// would come by default, which knows what was before.
    ///
    /// It is not asked when the program itself closes, pauses, or wants another connection by
    /// [`reconnect_now`](WebSocketChannel::reconnect_now). It must not block.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use talkback::Verdict;
    ///
    /// let channel = talkback::connect("wss://api.example/feed")
    ///     .reconnect()
    ///     .decide(|lost, verdict| match lost.close_info() {
    ///         // This server says 1000 when it restarts.
    ///         Some(info) if info.code == talkback::CloseCode::NORMAL => Verdict::Retry,
    ///         Some(info) if info.code.number() == 4000 => Verdict::RetryAfter(Duration::from_secs(7)),
    ///         _ => verdict,
    ///     })
    ///     .channel();
    /// ```
    pub fn decide(
        mut self,
        decide: impl FnMut(&Lost, Verdict) -> Verdict + MaybeSend + 'static,
    ) -> Self {
        self.plan.decide = Some(Box::new(decide));
        self
    }

    /// Has each try made by the program: a fresh token, another address.
    ///
    /// It gets what was asked for, and gives back what to connect with. One that fails is a failed try; an error
    /// that is [`HookError::stop`] ends the channel. After a 401, or a 407 of the server's, there is one more try, and then the end. It
    /// may take 30 s.
    ///
    /// It runs where the channel is driven, always in a tokio runtime with I/O and time (of talkback's own where the
    /// program has none). It must not block: nothing else of the channel runs meanwhile, and the time cannot end it.
    /// Natively the closure is `Send + Sync` and its future `Send`; in a browser neither need be.
    ///
    /// ```no_run
    /// # async fn token(renew: bool) -> Result<String, std::io::Error> { Ok(String::new()) }
    /// let channel = talkback::connect("wss://api.example/feed")
    ///     .reconnect()
    ///     .before_try(|connect, tried| async move {
    ///         let token = token(tried.is_unauthorized()).await?;
    ///         Ok(connect.set_header("Authorization", format!("Bearer {token}")))
    ///     })
    ///     .channel();
    /// ```
    pub fn before_try<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(Connect, Tried) -> R + MaybeSend + MaybeSync + 'static,
        R: Future<Output = Result<Connect, HookError>> + MaybeSend + 'static,
    {
        let hook = move |(connect, tried)| Box::pin(hook(connect, tried)) as _;
        self.plan.hooks.before_try = Some(Arc::new(hook));
        self
    }

    /// Has the program greet the server on each new connection, before anything that is queued.
    ///
    /// The channel is open once this has returned. What it does not read is the channel's. One that fails closes
    /// the connection, and is a failed try; an error that is [`HookError::stop`] ends the channel. It may take 10 s,
    /// and runs as [`before_try`](Self::before_try) does.
    ///
    /// ```no_run
    /// let channel = talkback::connect("wss://api.example/feed")
    ///     .reconnect()
    ///     .on_connected(|mut connected| async move {
    ///         connected.send(r#"{"subscribe":"prices"}"#).await?;
    ///         Ok(())
    ///     })
    ///     .channel();
    /// ```
    pub fn on_connected<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(Connected) -> R + MaybeSend + MaybeSync + 'static,
        R: Future<Output = Result<(), HookError>> + MaybeSend + 'static,
    {
        let hook = move |connected| Box::pin(hook(connected)) as _;
        self.plan.hooks.on_connected = Some(Arc::new(hook));
        self
    }

    /// Asks a silent peer for a sign of life by a message of the program's own; there is none by default.
    ///
    /// The heartbeat is sent once no message has come for its interval, past what is queued. If none comes within its
    /// timeout, the connection is given up without waiting for its end, as [`LostCause::Heartbeat`](crate::LostCause::Heartbeat), and the
    /// peer is told by a close frame without a code. A time in which this program did not run does not count, once. What was sent before the heartbeat may take its
    /// time, as long as some of it leaves. Natively, with a [`Keepalive`](crate::Keepalive), so may a message that is arriving; in a page
    /// the timeout has to be longer than the largest takes. While the program's queue of received messages is full,
    /// nothing is asked.
    ///
    /// A page asks at once when it is shown again, or its network is said to be gone or back. Natively one on a machine
    /// that has slept asks at its next wake; there the [`Keepalive`](crate::Keepalive) asks as well, with 5 s for the answer.
    ///
    /// ```no_run
    /// use talkback::Heartbeat;
    ///
    /// let channel = talkback::connect("wss://api.example/feed")
    ///     .reconnect()
    ///     .heartbeat(Heartbeat::new(|| "ping".into(), |message| message.as_text() == Some("pong")))
    ///     .channel();
    /// ```
    pub fn heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.plan.heartbeat = Some((heartbeat, heart));
        self
    }

    /// Drops messages that have waited in the queue for longer than this, rather than send them late: orders, or a
    /// person's keys. By default none is too old.
    ///
    /// It is looked at when a message would be sent, and, while there is no connection, when room is needed: until then
    /// its receipt waits.
    /// [`Link::dropped`](crate::Link::dropped) counts them, and [`Fate::Dropped`](crate::Fate::Dropped) tells of each.
    pub fn age_max(mut self, age: Duration) -> Self {
        self.waiting.age_max = Some(age);
        self
    }

    /// While there is no connection, and the queue is full, drops the oldest message for each new one: positions,
    /// or prices. By default `try_send` says that it is full, and `send` waits.
    ///
    /// A connection that is open and slow loses none: then a full queue is as by default.
    pub fn drop_oldest(mut self) -> Self {
        self.waiting.drops_oldest = true;
        self
    }

    /// Sets how long each hook may take.
    pub fn hook_timeout(mut self, timeout: Duration) -> Self {
        self.plan.hooks.timeout = Some(timeout);
        self
    }

    /// Opens a [`WebSocketChannel`], which exists at once and connects in the background, again and again.
    ///
    /// # Panics
    /// In a tokio runtime without I/O or time, as tokio's own calls do.
    #[cfg_attr(not(browser), track_caller)]
    pub fn channel(self) -> WebSocketChannel {
        let (channel, port, driver) = self.parts();
        start(port, driver);
        channel
    }

    /// The channel, and the loop that is to be started for it.
    fn parts(self) -> (WebSocketChannel, Port, impl FnOnce(Port) -> Reconnect) {
        let Self { mut plan, waiting } = self;
        let connect = &mut plan.connect;
        let reconnection = Some(Box::new(Reconnection::new(waiting)));
        let shared = Shared::reconnecting(connect.send_queue, connect.recv_queue, reconnection);
        let channel = WebSocketChannel::new(&shared);
        let close_timeout = connect.limits.time_to_close();
        let driver = move |port| Reconnect::new(port, plan, close_timeout);
        (channel, Port::new(shared), driver)
    }
}

/// Shows nothing of what it connects with: it may be a secret.
impl fmt::Debug for Reconnecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnecting").finish_non_exhaustive()
    }
}

#[cfg(not(browser))]
use crate::driver::native::start_with_io as start;

#[cfg(browser)]
fn start(port: Port, driver: impl FnOnce(Port) -> Reconnect) {
    wasm_bindgen_futures::spawn_local(driver(port));
}

/// What the waits of this channel are drawn by.
#[cfg(not(browser))]
fn seed() -> u64 {
    u64::from_ne_bytes(crate::websocket::keys::random())
}

#[cfg(browser)]
fn seed() -> u64 {
    // 53 bits of it are random.
    (js_sys::Math::random() * 2_f64.powi(53)) as u64
}

#[cfg(all(test, feature = "test-util", not(any(browser, shuttle))))]
mod herd;

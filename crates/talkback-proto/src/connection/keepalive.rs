//! Keepalive: a ping after silence, and how long its answer may take (RFC 6455 §5.5.2).

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use bytes::Bytes;

/// When a silent peer is asked for a sign of life, and when it is given up (RFC 6455 §5.5.2).
///
/// A sign of life is anything that comes, and what the transport takes after it was full. What was sent
/// before the ping may still be on its way, up to 16 MiB of it: the time to answer begins when a peer that
/// reads 64 KiB a second has come to the ping. That is not granted while the transport is full and takes
/// nothing: then the peer is given up after the timeout.
///
/// A program that was stopped, or busy, for longer than the timeout has not waited: what should have ended
/// meanwhile does not end, and the peer is asked again, once.
///
/// Some clients that only receive are given up though they are there: libcurl queues its pong until the
/// program sends. A server for those has no keepalive, or they send something before the timeout.
///
/// ```
/// use std::time::Duration;
/// # use talkback_proto as talkback;
/// use talkback::Keepalive;
///
/// let seconds = Duration::from_secs;
/// assert_eq!(Keepalive::from(seconds(20)), Keepalive::default());
/// let eager = Keepalive::default().interval(seconds(5)).timeout(seconds(2));
/// assert_eq!((eager.ping_after(), eager.end_after()), (seconds(5), seconds(2)));
/// assert!(Keepalive::OFF.is_off());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    interval: Duration,
    timeout: Duration,
}

impl Keepalive {
    /// No pings, and no end for silence.
    pub const OFF: Self = Self {
        interval: Duration::MAX,
        timeout: Duration::MAX,
    };

    /// Sets how long nothing may come before a ping is sent; 20 s by default. With
    /// [`Duration::MAX`] none is sent.
    #[must_use]
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets how long nothing may come after the ping before the connection is given up; 20 s by
    /// default. With [`Duration::MAX`] it never is.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long nothing may come before a ping is sent: [`interval`](Self::interval).
    pub const fn ping_after(self) -> Duration {
        self.interval
    }

    /// How long nothing may come after the ping before the connection is given up:
    /// [`timeout`](Self::timeout).
    pub const fn end_after(self) -> Duration {
        self.timeout
    }

    /// Whether no pings are sent.
    pub fn is_off(self) -> bool {
        self.interval == Duration::MAX
    }
}

impl Default for Keepalive {
    fn default() -> Self {
        Duration::from_secs(20).into()
    }
}

/// A ping after that long a silence, and that long for something to come after it.
impl From<Duration> for Keepalive {
    fn from(time: Duration) -> Self {
        Self {
            interval: time,
            timeout: time,
        }
    }
}

/// What the keepalive wants at a moment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// A ping with this payload.
    Ping(Bytes),
    /// The peer is dead.
    Dead,
}

/// How many bytes a second a peer reads at least, as long as it reads.
const READ_RATE: u64 = 64 * 1024;

/// How late a deadline may be noticed at least, whatever the timeout.
const LATE: Duration = Duration::from_secs(1);

/// How many bytes may be on their way at most: what the buffers of both ends hold.
const ON_THE_WAY_MAX: u64 = 16 * 1024 * 1024;

/// The keepalive of one connection.
///
/// A peer is judged by what it could have done. Its answer stands behind whatever was written before the
/// ping, and what the transport took may lie in buffers still, so the time to answer begins when a peer
/// that reads [`READ_RATE`] has come to the ping. But if the transport is full, and takes nothing for the
/// timeout, no reader empties those buffers.
#[derive(Debug)]
pub(crate) struct Watch {
    options: Keepalive,
    /// When the peer was last heard; `None` while nothing is read from it.
    heard: Option<Instant>,
    /// When the ping was sent whose answer is awaited.
    asked: Option<Instant>,
    /// How long nothing may come after it, in milliseconds, if that is not the keepalive's own timeout.
    within: Option<NonZeroU32>,
    /// Whether the one before it was not waited for, so that this one counts in any case.
    is_second: bool,
    /// Whether that ping still waits behind what was queued before it.
    is_ping_queued: bool,
    /// Whether anything was written since then.
    has_written: bool,
    /// Where in the output's bytes the last ping ends.
    ping_end: u64,
    /// By when the peer has come to that.
    ping_read_by: Instant,
    /// How many bytes of the output are written.
    written: u64,
    /// By when the peer has read them.
    read_by: Instant,
    /// Since when the transport takes nothing, while it is full.
    full: Option<Instant>,
    /// The pings so far; the payload of a ping is its number.
    count: u64,
    latency: Option<Duration>,
}

impl Watch {
    /// One that asks for nothing until it is started.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            options: Keepalive::OFF,
            heard: None,
            asked: None,
            within: None,
            is_second: false,
            is_ping_queued: false,
            has_written: false,
            ping_end: 0,
            ping_read_by: now,
            written: 0,
            read_by: now,
            full: None,
            count: 0,
            latency: None,
        }
    }

    /// Begins, or begins anew, with the first silence.
    pub(crate) fn start(&mut self, options: Keepalive, now: Instant) {
        self.options = options;
        self.latency = None;
        self.ask_anew(now);
    }

    pub(crate) fn options(&self) -> Keepalive {
        self.options
    }

    /// Bytes came, or reading begins again.
    pub(crate) fn hear(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    /// The peer is alive, though its answer may lie among what is not looked at yet: it is asked
    /// anew.
    pub(crate) fn ask_anew(&mut self, now: Instant) {
        self.heard = Some(now);
        self.asked = None;
    }

    /// Nothing is read from the peer, so its silence says nothing.
    pub(crate) fn pause(&mut self) {
        self.heard = None;
        self.asked = None;
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.heard.is_none()
    }

    /// The ping ends there in the output's bytes.
    pub(crate) fn note_queued(&mut self, ping_end: u64) {
        self.ping_end = ping_end;
    }

    /// The output is written up to `written`.
    ///
    /// While the ping waits behind others, a peer that takes those is alive; its time to answer begins when
    /// the ping has left. A peer is alive, too, if bytes are taken once the transport was full: somebody
    /// has made room. Else it says nothing that a transport takes bytes.
    pub(crate) fn note_written(&mut self, written: u64, now: Instant) {
        self.has_written = true;
        if self.is_ping_queued && self.asked.is_some() {
            self.asked = Some(now);
            if written >= self.ping_end {
                self.is_ping_queued = false;
                self.take_written(self.ping_end, now);
                // In whole milliseconds: a few bytes give no time.
                let on_the_way = self.read_by.saturating_duration_since(now).as_millis();
                self.ping_read_by = now + Duration::from_millis(on_the_way as u64);
            }
        }
        self.take_written(written, now);
        if self.full.take().is_some() && !self.is_paused() {
            self.heard = Some(now);
        }
    }

    /// What was written up to there is on its way now.
    fn take_written(&mut self, written: u64, now: Instant) {
        let read_by = self.read_by.max(now) + time_to_read(written - self.written);
        self.read_by = read_by.min(now + time_to_read(ON_THE_WAY_MAX));
        self.written = written;
    }

    /// The transport takes nothing for now.
    pub(crate) fn note_full(&mut self, now: Instant) {
        self.full.get_or_insert(now);
    }

    /// A pong came; one that answers the last ping ends the wait, and tells that all before the ping was
    /// read.
    pub(crate) fn take_pong(&mut self, payload: &[u8], now: Instant) {
        if payload != self.count.to_be_bytes() {
            return;
        }
        if let Some(asked) = self.asked.take() {
            self.latency = Some(now.saturating_duration_since(asked));
        }
        let behind = self.written.saturating_sub(self.ping_end);
        self.read_by = self.read_by.min(now + time_to_read(behind));
    }

    pub(crate) fn has_written(&self) -> bool {
        self.has_written
    }

    pub(crate) fn latency(&self) -> Option<Duration> {
        self.latency
    }

    /// When something is due next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let heard = self.heard?;
        let Some(asked) = self.asked else {
            return heard.checked_add(self.options.interval);
        };
        let possible = self.full.unwrap_or(self.ping_read_by);
        // A peer that is busy sending is alive, though its pong waits behind what it sends.
        let since = asked.max(heard).max(possible);
        let within = self.within.filter(|_| heard <= asked);
        let within = within.map(|within| Duration::from_millis(within.get().into()));
        since.checked_add(within.unwrap_or(self.options.timeout))
    }

    /// Whether the peer is to be given up at `now`: not where nobody waited for its answer, since this program
    /// did not run.
    pub(crate) fn is_dead(&self, now: Instant) -> bool {
        let deadline = self.deadline().filter(|_| self.asked.is_some());
        let late = deadline.and_then(|deadline| now.checked_duration_since(deadline));
        let is_unheard = self.heard <= self.asked;
        late.is_some_and(|late| {
            late <= self.options.timeout.max(LATE) || (self.is_second && is_unheard)
        })
    }

    /// What is due at `now`.
    pub(crate) fn due(&mut self, now: Instant) -> Due {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Due::Nothing;
        }
        match self.is_dead(now) {
            true => Due::Dead,
            false => {
                let is_second = self.asked.is_some();
                let ping = self.ask(None, now);
                self.is_second = is_second;
                Due::Ping(ping)
            }
        }
    }

    /// The payload of a ping, after which something is to come within so long, or the keepalive's own timeout; if
    /// that is for ever, so is this.
    pub(crate) fn ask(&mut self, within: Option<Duration>, now: Instant) -> Bytes {
        let within = within.filter(|_| self.options.timeout < Duration::MAX);
        let within = within.map(|within| u32::try_from(within.as_millis()).unwrap_or(u32::MAX));
        (self.asked, self.within) = (Some(now), within.and_then(NonZeroU32::new));
        (self.is_ping_queued, self.has_written, self.is_second) = (true, false, false);
        self.ping_read_by = now;
        self.count += 1;
        Bytes::copy_from_slice(&self.count.to_be_bytes())
    }
}

/// How long a peer that reads slowly takes for so many bytes, or for as many as can be on their way.
fn time_to_read(bytes: u64) -> Duration {
    const SECOND: u64 = 1_000_000_000;
    Duration::from_nanos(bytes.min(ON_THE_WAY_MAX) * SECOND / READ_RATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn watch(options: Keepalive, start: Instant) -> Watch {
        let mut watch = Watch::new(start);
        watch.start(options, start);
        watch
    }

    #[test]
    fn re131_lateness_excuses_once() {
        let start = Instant::now();
        let mut watch = watch(Keepalive::default(), start);
        assert!(matches!(watch.due(start + seconds(20)), Due::Ping(_)));
        // Nobody looked for the answer in time: the peer is asked again, and then it counts, however late.
        assert!(matches!(watch.due(start + seconds(90)), Due::Ping(_)));
        assert_eq!(watch.due(start + seconds(180)), Due::Dead);
    }

    #[test]
    fn re131_a_peer_that_is_heard_between_is_excused_again() {
        let start = Instant::now();
        let mut watch = watch(Keepalive::default(), start);
        assert!(matches!(watch.due(start + seconds(20)), Due::Ping(_)));
        assert!(matches!(watch.due(start + seconds(90)), Due::Ping(_)));
        watch.hear(start + seconds(91));
        assert!(matches!(watch.due(start + seconds(180)), Due::Ping(_)));
    }

    #[test]
    fn re90_a_peer_that_is_never_given_up_is_not_after_a_sleep() {
        let start = Instant::now();
        let never = Keepalive::default().timeout(Duration::MAX);
        let mut watch = watch(never, start);
        watch.ask(Some(seconds(5)), start + seconds(1));
        assert_eq!(watch.due(start + seconds(500)), Due::Nothing);
    }

    #[test]
    fn v55_a_silent_peer_is_asked_after_20_s_and_given_up_after_20_more() {
        let start = Instant::now();
        let mut watch = watch(Keepalive::default(), start);
        assert_eq!(watch.due(start + seconds(19)), Due::Nothing);
        assert!(matches!(watch.due(start + seconds(20)), Due::Ping(_)));
        assert_eq!(watch.due(start + seconds(39)), Due::Nothing);
        assert_eq!(watch.due(start + seconds(40)), Due::Dead);
    }

    #[test]
    fn an_answer_measures_the_latency_and_a_strange_pong_does_not() {
        let start = Instant::now();
        let mut watch = watch(Keepalive::default(), start);
        let Due::Ping(payload) = watch.due(start + seconds(20)) else {
            panic!("a ping is due");
        };
        watch.hear(start + seconds(21));
        watch.take_pong(b"strange", start + seconds(21));
        assert_eq!(watch.latency(), None);
        watch.hear(start + seconds(23));
        watch.take_pong(&payload, start + seconds(23));
        assert_eq!(watch.latency(), Some(seconds(3)));
        assert_eq!(watch.deadline(), Some(start + seconds(43)));
    }

    #[test]
    fn a_peer_that_is_busy_sending_is_alive() {
        let start = Instant::now();
        let mut watch = watch(Keepalive::default(), start);
        assert!(matches!(watch.due(start + seconds(20)), Due::Ping(_)));
        watch.hear(start + seconds(39));
        assert_eq!(watch.due(start + seconds(58)), Due::Nothing);
        assert_eq!(watch.due(start + seconds(59)), Due::Dead);
    }

    #[test]
    fn a_peer_that_takes_what_is_before_the_ping_is_alive() {
        let start = Instant::now();
        let mut watch = watch(Keepalive::default(), start);
        assert!(matches!(watch.due(start + seconds(20)), Due::Ping(_)));
        watch.note_queued(10);
        watch.note_written(9, start + seconds(39));
        assert_eq!(watch.due(start + seconds(58)), Due::Nothing);
        watch.note_written(10, start + seconds(58));
        // The ping has left: what is written behind it says nothing any more.
        watch.note_written(20, start + seconds(70));
        assert_eq!(watch.due(start + seconds(77)), Due::Nothing);
        assert_eq!(watch.due(start + seconds(78)), Due::Dead);
    }

    #[test]
    fn re89_a_peer_that_is_asked_out_of_turn_has_the_time_that_is_given() {
        let start = Instant::now();
        let mut watch = watch(Keepalive::default(), start);
        watch.ask(Some(seconds(5)), start + seconds(7));
        assert_eq!(watch.due(start + seconds(11)), Due::Nothing);
        assert_eq!(watch.due(start + seconds(12)), Due::Dead);
        // One that says anything else is alive, and answers in its own time.
        watch.hear(start + seconds(8));
        assert_eq!(watch.deadline(), Some(start + seconds(28)));
    }

    #[test]
    fn re131_a_deadline_that_passed_while_nothing_ran_does_not_count() {
        let start = Instant::now();
        let mut watch = watch(Keepalive::default(), start);
        assert!(matches!(watch.due(start + seconds(20)), Due::Ping(_)));
        let woken = start + seconds(61);
        assert!(!watch.is_dead(woken));
        assert!(matches!(watch.due(woken), Due::Ping(_)));
        assert_eq!(watch.due(woken + seconds(19)), Due::Nothing);
        assert_eq!(watch.due(woken + seconds(20)), Due::Dead);
        // A machine that is busy is not one that was stopped.
        assert_eq!(watch.due(woken + seconds(40)), Due::Dead);
    }

    #[test]
    fn an_endless_interval_is_no_deadline() {
        assert_eq!(watch(Keepalive::OFF, Instant::now()).deadline(), None);
    }

    #[test]
    fn a_pause_suspends_the_timeout() {
        let start = Instant::now();
        let mut watch = watch(Keepalive::default(), start);
        assert!(matches!(watch.due(start + seconds(20)), Due::Ping(_)));
        watch.pause();
        assert_eq!(watch.due(start + seconds(500)), Due::Nothing);
        watch.hear(start + seconds(500));
        assert_eq!(watch.deadline(), Some(start + seconds(520)));
    }
}

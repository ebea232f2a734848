//! Keepalive: a ping after silence, and how long its answer may take (RFC 6455 §5.5.2).

use std::time::{Duration, Instant};

use bytes::Bytes;

/// When a silent peer is asked for a sign of life, and when it is given up (RFC 6455 §5.5.2).
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

/// The keepalive of one connection.
#[derive(Debug)]
pub(crate) struct Watch {
    options: Keepalive,
    /// When the peer was last heard; `None` while nothing is read from it.
    heard: Option<Instant>,
    /// When the ping was sent whose answer is awaited.
    asked: Option<Instant>,
    /// Whether that ping still waits behind what was queued before it.
    is_ping_queued: bool,
    /// Whether anything was written since then.
    has_written: bool,
    /// The pings so far; the payload of a ping is its number.
    count: u64,
    latency: Option<Duration>,
}

impl Watch {
    pub(crate) fn new(options: Keepalive, now: Instant) -> Self {
        Self {
            options,
            heard: Some(now),
            asked: None,
            is_ping_queued: false,
            has_written: false,
            count: 0,
            latency: None,
        }
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

    /// Bytes were written. While the ping waits behind others, a peer that takes those is alive; its
    /// time to answer begins when the ping has left.
    pub(crate) fn note_written(&mut self, is_ping_written: bool, now: Instant) {
        self.has_written = true;
        if self.is_ping_queued && self.asked.is_some() {
            self.asked = Some(now);
            self.is_ping_queued = !is_ping_written;
        }
    }

    /// A pong came; one that answers the last ping ends the wait.
    pub(crate) fn take_pong(&mut self, payload: &[u8], now: Instant) {
        if payload == self.count.to_be_bytes()
            && let Some(asked) = self.asked.take()
        {
            self.latency = Some(now.saturating_duration_since(asked));
        }
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
        match self.asked {
            // A peer that is busy sending is alive, though its pong waits behind what it sends.
            Some(asked) => asked.max(heard).checked_add(self.options.timeout),
            None => heard.checked_add(self.options.interval),
        }
    }

    /// Whether the peer is to be given up at `now`.
    pub(crate) fn is_dead(&self, now: Instant) -> bool {
        self.asked.is_some() && self.deadline().is_some_and(|deadline| deadline <= now)
    }

    /// What is due at `now`.
    pub(crate) fn due(&mut self, now: Instant) -> Due {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Due::Nothing;
        }
        if self.asked.is_some() {
            return Due::Dead;
        }
        self.asked = Some(now);
        (self.is_ping_queued, self.has_written) = (true, false);
        self.count += 1;
        Due::Ping(Bytes::copy_from_slice(&self.count.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn v55_a_silent_peer_is_asked_after_20_s_and_given_up_after_20_more() {
        let start = Instant::now();
        let mut watch = Watch::new(Keepalive::default(), start);
        assert_eq!(watch.due(start + seconds(19)), Due::Nothing);
        assert!(matches!(watch.due(start + seconds(20)), Due::Ping(_)));
        assert_eq!(watch.due(start + seconds(39)), Due::Nothing);
        assert_eq!(watch.due(start + seconds(40)), Due::Dead);
    }

    #[test]
    fn an_answer_measures_the_latency_and_a_strange_pong_does_not() {
        let start = Instant::now();
        let mut watch = Watch::new(Keepalive::default(), start);
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
        let mut watch = Watch::new(Keepalive::default(), start);
        assert!(matches!(watch.due(start + seconds(20)), Due::Ping(_)));
        watch.hear(start + seconds(39));
        assert_eq!(watch.due(start + seconds(58)), Due::Nothing);
        assert_eq!(watch.due(start + seconds(59)), Due::Dead);
    }

    #[test]
    fn a_peer_that_takes_what_is_before_the_ping_is_alive() {
        let start = Instant::now();
        let mut watch = Watch::new(Keepalive::default(), start);
        assert!(matches!(watch.due(start + seconds(20)), Due::Ping(_)));
        watch.note_written(false, start + seconds(39));
        assert_eq!(watch.due(start + seconds(58)), Due::Nothing);
        watch.note_written(true, start + seconds(58));
        // The ping has left: what is written behind it says nothing any more.
        watch.note_written(true, start + seconds(70));
        assert_eq!(watch.due(start + seconds(77)), Due::Nothing);
        assert_eq!(watch.due(start + seconds(78)), Due::Dead);
    }

    #[test]
    fn an_endless_interval_is_no_deadline() {
        assert_eq!(Watch::new(Keepalive::OFF, Instant::now()).deadline(), None);
    }

    #[test]
    fn a_pause_suspends_the_timeout() {
        let start = Instant::now();
        let mut watch = Watch::new(Keepalive::default(), start);
        assert!(matches!(watch.due(start + seconds(20)), Due::Ping(_)));
        watch.pause();
        assert_eq!(watch.due(start + seconds(500)), Due::Nothing);
        watch.hear(start + seconds(500));
        assert_eq!(watch.deadline(), Some(start + seconds(520)));
    }
}

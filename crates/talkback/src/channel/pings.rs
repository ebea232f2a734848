//! Pings that wait for their pong (RFC 6455 §5.5.2, §5.5.3).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

/// The pings of a channel whose callers still wait.
#[derive(Debug, Default)]
pub(crate) struct Pings(
    /// Mostly nobody does.
    Option<Box<Asked>>,
);

/// Pings in the order in which they were asked for.
#[derive(Debug, Default)]
struct Asked {
    last_key: u64,
    waiting: VecDeque<Waiting>,
    /// How many of them, the last ones, the socket has not got yet.
    queued: usize,
}

#[derive(Debug)]
struct Waiting {
    key: u64,
    payload: Bytes,
    since: Instant,
    answered_after: Option<Duration>,
    /// Whether it was lost with its connection.
    is_lost: bool,
}

impl Pings {
    /// Queues a ping; returns the key of whoever waits for its pong.
    pub(crate) fn push(&mut self, payload: Bytes, now: Instant) -> u64 {
        self.0.get_or_insert_default().push(payload, now)
    }

    #[inline]
    pub(crate) fn has_queued(&self) -> bool {
        self.0.as_ref().is_some_and(|asked| asked.queued > 0)
    }

    /// Takes the payload of the next ping that the socket is to send.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        self.0.as_mut()?.take()
    }

    /// A pong came; whether it answers somebody. It answers the pings before its own too.
    pub(crate) fn answer(&mut self, pong: &[u8], now: Instant) -> bool {
        let asked = self.0.as_mut();
        asked.is_some_and(|asked| asked.answer(pong, now))
    }

    /// How long the pong took, if it has come.
    pub(crate) fn answered_after(&self, key: u64) -> Option<Duration> {
        self.0.as_ref()?.answered_after(key)
    }

    /// The connection is lost, and with it the pings that were sent.
    pub(crate) fn lose_sent(&mut self) {
        if let Some(asked) = &mut self.0 {
            let sent = asked.waiting.len() - asked.queued;
            for ping in asked.waiting.iter_mut().take(sent) {
                ping.is_lost |= ping.answered_after.is_none();
            }
        }
    }

    /// Whether the ping was lost with its connection.
    pub(crate) fn is_lost(&self, key: u64) -> bool {
        let waiting = self.0.as_ref().map(|asked| &asked.waiting);
        let mut waiting = waiting.into_iter().flatten();
        waiting.any(|ping| ping.key == key && ping.is_lost)
    }

    /// Nobody waits for this one any more: it is not sent if it still can be helped. Returns its
    /// payload, to be dropped outside of the lock.
    pub(crate) fn remove(&mut self, key: u64) -> Option<Bytes> {
        let asked = self.0.as_mut()?;
        let payload = asked.remove(key);
        if asked.waiting.is_empty() {
            self.0 = None;
        }
        payload
    }
}

impl Asked {
    fn push(&mut self, payload: Bytes, now: Instant) -> u64 {
        self.last_key += 1;
        self.waiting.push_back(Waiting {
            key: self.last_key,
            payload,
            since: now,
            answered_after: None,
            is_lost: false,
        });
        self.queued += 1;
        self.last_key
    }

    fn take(&mut self) -> Option<Bytes> {
        let at = self.waiting.len() - self.queued;
        let ping = self.waiting.get(at)?;
        self.queued -= 1;
        Some(ping.payload.clone())
    }

    fn answer(&mut self, pong: &[u8], now: Instant) -> bool {
        let sent = self.waiting.len() - self.queued;
        let mut sent = self.waiting.iter().take(sent);
        let is_own =
            |ping: &Waiting| !ping.is_lost && ping.answered_after.is_none() && ping.payload == pong;
        let Some(last) = sent.position(is_own) else {
            return false;
        };
        for ping in self.waiting.iter_mut().take(last + 1) {
            if ping.is_lost {
                continue;
            }
            let after = now.saturating_duration_since(ping.since);
            ping.answered_after.get_or_insert(after);
        }
        true
    }

    fn answered_after(&self, key: u64) -> Option<Duration> {
        let mut waiting = self.waiting.iter();
        waiting.find(|ping| ping.key == key)?.answered_after
    }

    fn remove(&mut self, key: u64) -> Option<Bytes> {
        let at = self.waiting.iter().position(|ping| ping.key == key)?;
        if at >= self.waiting.len() - self.queued {
            self.queued -= 1;
        }
        Some(self.waiting.remove(at)?.payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(payloads: &[&'static str], now: Instant) -> (Pings, Vec<u64>) {
        let mut pings = Pings::default();
        let keys = payloads
            .iter()
            .map(|&payload| pings.push(payload.into(), now));
        let keys = keys.collect();
        while pings.take().is_some() {}
        (pings, keys)
    }

    #[test]
    fn a_later_pings_pong_answers_the_earlier_ones() {
        let now = Instant::now();
        let (mut pings, keys) = sent(&["a", "b", "c"], now);
        let later = now + Duration::from_secs(2);
        assert!(pings.answer(b"b", later));
        assert!(!pings.answer(b"a", later), "it is answered already");
        let after = keys.iter().map(|&key| pings.answered_after(key));
        let two = Some(Duration::from_secs(2));
        assert_eq!(after.collect::<Vec<_>>(), [two, two, None]);
    }

    #[test]
    fn a_pong_that_nobody_asked_for_answers_nobody() {
        let now = Instant::now();
        let (mut pings, _) = sent(&["a"], now);
        pings.push("not sent yet".into(), now);
        assert!(!pings.answer(b"", now) && !pings.answer(b"not sent yet", now));
    }

    #[test]
    fn the_same_payload_is_answered_once_for_each() {
        let now = Instant::now();
        let (mut pings, keys) = sent(&["", ""], now);
        assert!(pings.answer(b"", now));
        assert_eq!(pings.answered_after(keys[1]), None);
        assert!(pings.answer(b"", now));
        assert!(pings.answered_after(keys[1]).is_some());
    }

    #[test]
    fn one_that_was_given_up_is_not_sent() {
        let now = Instant::now();
        let (mut pings, sent) = sent(&["a", "b"], now);
        let keys = ["c", "d"].map(|payload| pings.push(payload.into(), now));
        pings.remove(sent[0]);
        pings.remove(keys[0]);
        assert_eq!(pings.take().as_deref(), Some(&b"d"[..]));
        assert!(pings.take().is_none() && !pings.has_queued());
        assert!(pings.answer(b"d", now));
        assert!(pings.answered_after(sent[1]).is_some());
    }
}

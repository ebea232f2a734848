//! What waits while a channel is not open, and how long it may.

use std::collections::VecDeque;
use std::time::Duration;

/// What a program wants of messages that wait for a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WaitingLimits {
    pub(crate) age_max: Option<Duration>,
    /// Whether the oldest goes for a new one, where the queue is full.
    pub(crate) drops_oldest: bool,
}

/// The messages in the queue of a channel that reconnects.
#[derive(Debug, Default)]
pub(crate) struct WaitingMessages {
    limits: WaitingLimits,
    /// When each was queued, if that matters.
    since: VecDeque<Duration>,
    /// How many were dropped.
    dropped: u64,
}

impl WaitingMessages {
    pub(crate) fn new(limits: WaitingLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    pub(crate) fn has_age_max(&self) -> bool {
        self.limits.age_max.is_some()
    }

    pub(crate) fn drops_oldest(&self) -> bool {
        self.limits.drops_oldest
    }

    pub(crate) fn note_queued(&mut self, now: Duration) {
        self.since.push_back(now);
    }

    /// So many, the oldest, have left the queue.
    pub(crate) fn note_gone(&mut self, count: usize) {
        self.since.drain(..count.min(self.since.len()));
    }

    pub(crate) fn note_dropped(&mut self) {
        self.note_gone(1);
        self.dropped += 1;
    }

    /// Whether the oldest has waited too long.
    pub(crate) fn is_oldest_aged(&self, now: Duration) -> bool {
        match (self.limits.age_max, self.since.front()) {
            (Some(age_max), Some(since)) => now.saturating_sub(*since) > age_max,
            _ => false,
        }
    }

    /// How many were dropped, since the channel was made.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

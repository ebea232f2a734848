//! The task that closes the connections of a drain one after another, and cuts what is left.

use std::time::Duration;

use talkback_proto::{CloseCode, CloseFrame};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::channel::sync::Arc;
use crate::reconnect::draw::Draw;
use crate::server::drain::{Drain, DrainReport};
use crate::server::registry::{Node, Outcome, Phase, Registry, Underway};
use crate::server::schedule::{Schedule, Spread};
use crate::timer::check_runtime;
use crate::websocket::keys::random;

/// Begins a drain, or tightens the one that was begun, and waits for its end.
pub(crate) async fn drain(registry: &Arc<Registry>, drain: Drain) -> DrainReport {
    check_runtime();
    if begin(registry, drain) {
        registry.advance(Phase::LameDuck);
        tokio::spawn(Draining::new(registry).run());
    } else {
        registry.changed().notify_one();
    }
    loop {
        let advanced = registry.advanced().notified();
        let report = registry.underway().as_ref().and_then(|it| it.report);
        if let Some(report) = report {
            return report;
        }
        advanced.await;
    }
}

/// Whether this is the first one.
fn begin(registry: &Registry, drain: Drain) -> bool {
    let schedule = Schedule::new(&drain, Instant::now());
    let mut underway = registry.underway();
    if let Some(underway) = &mut *underway {
        underway.schedule.tighten(&schedule);
        return false;
    }
    registry.meters().draining(true);
    *underway = Some(Underway {
        schedule,
        frame: Arc::new(drain.frame),
        report: None,
    });
    true
}

struct Draining {
    registry: Arc<Registry>,
    /// Those that were open when closing began, and were not told yet.
    left: Option<Vec<Arc<Node>>>,
    /// How many those were.
    count: usize,
}

impl Draining {
    fn new(registry: &Arc<Registry>) -> Self {
        Self {
            registry: Arc::clone(registry),
            left: None,
            count: 0,
        }
    }

    async fn run(mut self) {
        while let Some(next) = self.step(Instant::now()) {
            let changed = self.registry.changed().notified();
            // Either way there is something to look at.
            let _ = timeout_at(next, changed).await;
        }
    }

    /// Does what is due; when to go on, unless it is over.
    fn step(&mut self, now: Instant) -> Option<Instant> {
        let underway = self.registry.underway();
        let (schedule, frame) = underway
            .as_ref()
            .map(|it| (it.schedule, Arc::clone(&it.frame)))?;
        drop(underway);
        if now < schedule.closing.min(schedule.deadline) {
            return Some(schedule.closing.min(schedule.deadline));
        }
        self.registry.advance(Phase::Closing);
        if self.registry.len() == 0 {
            return self.finish(&schedule, now);
        }
        if now >= schedule.deadline {
            self.cut(&frame);
            return self.finish(&schedule, now);
        }
        Some(
            self.close_due(&schedule, &frame, now)
                .min(schedule.deadline),
        )
    }

    /// Tells those whose turn it is; when it is the next one's.
    fn close_due(&mut self, schedule: &Schedule, frame: &Arc<CloseFrame>, now: Instant) -> Instant {
        let registry = &self.registry;
        let left = self.left.get_or_insert_with(|| shuffled(registry.nodes()));
        self.count = self.count.max(left.len());
        let spread = Spread {
            count: self.count,
            from: schedule.closing,
            over: schedule.closed.saturating_duration_since(schedule.closing),
        };
        let keep = self.count - spread.due(now);
        while left.len() > keep
            && let Some(node) = left.pop()
        {
            node.orders().close_with_notice(frame);
        }
        if !left.is_empty() {
            return spread.next(self.count - left.len(), now);
        }
        if registry.phase() < Phase::Told {
            // Who opens from now on is told at once; here are those who have opened meanwhile.
            registry.advance(Phase::Told);
            for node in registry.nodes() {
                node.orders().close_with_notice(frame);
            }
        }
        schedule.deadline
    }

    /// Cuts all that are left.
    fn cut(&mut self, frame: &Arc<CloseFrame>) {
        self.left = None;
        // Who opens from now on is cut at once.
        self.registry.advance(Phase::Over);
        for node in self.registry.nodes() {
            // Before its socket can tell that it was dropped.
            node.count(Outcome::Cut, CloseCode::ABNORMAL);
            node.orders().cut(Some(frame));
        }
    }

    fn finish(&self, schedule: &Schedule, now: Instant) -> Option<Instant> {
        let report = DrainReport {
            took: now.saturating_duration_since(schedule.start),
            ..self.registry.report()
        };
        if let Some(underway) = &mut *self.registry.underway() {
            underway.report = Some(report);
        }
        self.registry.meters().draining(false);
        self.registry.advance(Phase::Over);
        None
    }
}

/// Closes so many, evenly over a time; how many it were.
pub(crate) async fn rebalance(
    registry: &Registry,
    count: usize,
    over: Duration,
    frame: CloseFrame,
) -> usize {
    let mut left = shuffled(registry.nodes());
    left.retain(|node| !node.orders().is_ending());
    left.truncate(count);
    let frame = Arc::new(frame);
    let spread = Spread {
        count: left.len(),
        from: Instant::now(),
        over,
    };
    let mut closed = 0;
    loop {
        let now = Instant::now();
        let keep = spread.count - spread.due(now);
        for node in left.drain(keep.min(left.len())..) {
            closed += usize::from(node.orders().close_with_notice(&frame));
        }
        if left.is_empty() {
            return closed;
        }
        sleep_until(spread.next(spread.count - left.len(), now)).await;
    }
}

/// In random order (Fisher and Yates).
fn shuffled<T>(mut all: Vec<T>) -> Vec<T> {
    let mut draw = Draw::Random(u64::from_ne_bytes(random()));
    for end in (1..all.len()).rev() {
        all.swap(end, draw.below(end + 1));
    }
    all
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn dr2_any_order_may_come() {
        // One of the 24 is missing once in 10^36 runs.
        let orders = (0..2_000).map(|_| shuffled(vec![1, 2, 3, 4]));
        assert_eq!(orders.collect::<BTreeSet<_>>().len(), 24);
        assert!(shuffled(Vec::<u8>::new()).is_empty());
    }
}

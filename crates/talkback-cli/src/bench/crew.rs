//! What all connections of a run share: the plan, and how far the run is.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use talkback::Connect;
use tokio::sync::{Notify, watch};

use crate::bench::plan::Plan;

/// How far the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Connections wait until all are open.
    Opening,
    /// Messages are sent since then.
    Sending(Instant),
    /// Whoever still waits for an answer is not to wait any longer.
    Cut,
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Crew {
    pub(crate) plan: Plan,
    connecting: Connect,
    phase: watch::Sender<Phase>,
    is_over: AtomicBool,
    /// How many connections are neither open nor failed yet.
    opening: AtomicU32,
    all_opened: Notify,
}

impl Crew {
    pub(crate) fn new(plan: Plan, connecting: Connect) -> Self {
        Self {
            opening: AtomicU32::new(plan.connections),
            plan,
            connecting,
            phase: watch::Sender::new(Phase::Opening),
            is_over: AtomicBool::new(false),
            all_opened: Notify::new(),
        }
    }

    /// How the connection of this number is opened.
    pub(crate) fn connecting(&self, number: u32) -> Connect {
        let turn = number as usize;
        let mut connecting = self.connecting.clone();
        let Plan {
            addresses,
            local_addresses,
            ..
        } = &self.plan;
        if !addresses.is_empty() {
            connecting = connecting.address(addresses[turn % addresses.len()]);
        }
        if !local_addresses.is_empty() {
            // Each address to connect to has all of these.
            let turn = turn / addresses.len().max(1);
            connecting = connecting.local_address(local_addresses[turn % local_addresses.len()]);
        }
        connecting
    }

    /// One more connection is open, or has failed.
    pub(crate) fn handle_opened(&self) {
        if self.opening.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.all_opened.notify_one();
        }
    }

    pub(crate) async fn all_opened(&self) {
        self.all_opened.notified().await;
    }

    /// From now on messages are sent.
    pub(crate) fn begin(&self, at: Instant) {
        self.phase.send_replace(Phase::Sending(at));
    }

    /// Waits until messages are sent; returns since when.
    pub(crate) async fn begun(&self) -> Instant {
        let mut phase = self.phase.subscribe();
        loop {
            if let Phase::Sending(at) = *phase.borrow_and_update() {
                return at;
            }
            // The sender is this one's own, so that it stays.
            let _ = phase.changed().await;
        }
    }

    /// From now on nothing more is sent.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Ends what still waits for answers.
    pub(crate) fn cut(&self) {
        self.end();
        self.phase.send_replace(Phase::Cut);
    }

    /// Waits until nothing is to be waited for any more.
    pub(crate) async fn is_cut(&self) {
        let mut phase = self.phase.subscribe();
        let _ = phase.wait_for(|phase| *phase == Phase::Cut).await;
    }
}

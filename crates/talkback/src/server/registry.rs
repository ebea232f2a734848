//! Who is connected: the places that are taken, and the served connections that are open.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::PoisonError;

use talkback_proto::{CloseCode, CloseFrame};
use tokio::sync::Notify;

use crate::channel::sync::{Arc, AtomicUsize, Mutex, MutexGuard, Ordering};
use crate::server::drain::DrainReport;
use crate::server::metrics::{EndedBy, Life, Meters};
use crate::server::orders::Orders;
use crate::server::peer::Peer;
use crate::server::per_address::AddressPlace;
use crate::server::refused::Refused;
use crate::server::schedule::Schedule;

/// A power of two: how many lists the connections are kept in, each under a lock of its own.
const SHARDS: usize = 16;

/// How far a drain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub(crate) enum Phase {
    Serving,
    /// New ones are still let in.
    LameDuck,
    /// Nobody is let in, and those that are open are closed.
    Closing,
    /// All have been told; who opens now is told at once.
    Told,
    /// Who opens now is cut.
    Over,
}

impl Phase {
    const ALL: [Self; 5] = [
        Self::Serving,
        Self::LameDuck,
        Self::Closing,
        Self::Told,
        Self::Over,
    ];
}

/// How a connection ended during a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Closed,
    ByPeer,
    Cut,
}

impl From<Outcome> for EndedBy {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Closed => Self::Us,
            Outcome::ByPeer => Self::Peer,
            Outcome::Cut => Self::Cut,
        }
    }
}

/// What is counted during a drain.
#[derive(Debug, Default)]
struct Tally {
    closed: AtomicUsize,
    by_peer: AtomicUsize,
    cut: AtomicUsize,
    refused: AtomicUsize,
}

/// A drain that was begun.
#[derive(Debug)]
pub(crate) struct Underway {
    pub(crate) schedule: Schedule,
    pub(crate) frame: Arc<CloseFrame>,
    pub(crate) report: Option<DrainReport>,
}

/// What all handles and connections share.
#[derive(Debug)]
pub(crate) struct Registry {
    taken: AtomicUsize,
    max: AtomicUsize,
    ids: AtomicUsize,
    shards: [Mutex<Vec<Arc<Node>>>; SHARDS],
    phase: AtomicUsize,
    meters: Arc<Meters>,
    tally: Tally,
    underway: Mutex<Option<Underway>>,
    /// Tells whoever drains that the schedule has changed, or that the last place was given back.
    changed: Notify,
    /// Tells all who wait for it that a drain has gone on to its next phase, or is over.
    advanced: Notify,
}

/// A served connection, as others see it.
pub(crate) struct Node {
    id: u64,
    peer: Peer,
    registry: Arc<Registry>,
    orders: Orders,
    life: Life,
}

/// A place that is taken, and given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Taken(Option<Arc<Registry>>);

/// The place of an open connection, in its socket: given back when this is dropped, and the connection forgotten.
pub(crate) struct Held(Arc<Node>);

impl Registry {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            taken: AtomicUsize::new(0),
            max: AtomicUsize::new(usize::MAX),
            ids: AtomicUsize::new(0),
            shards: std::array::from_fn(|_| Mutex::default()),
            phase: AtomicUsize::new(Phase::Serving as usize),
            meters: Meters::new(),
            tally: Tally::default(),
            underway: Mutex::new(None),
            changed: Notify::new(),
            advanced: Notify::new(),
        })
    }

    pub(crate) fn set_max(&self, max: usize) {
        // The greatest number stands for no limit.
        self.max.store(max.min(usize::MAX - 1), Ordering::SeqCst);
    }

    pub(crate) fn meters(&self) -> &Arc<Meters> {
        &self.meters
    }

    /// How many there may be, if that is limited.
    pub(crate) fn max(&self) -> Option<usize> {
        Some(self.max.load(Ordering::SeqCst)).filter(|max| *max < usize::MAX)
    }

    /// How many places are taken.
    pub(crate) fn len(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    /// Takes a place.
    ///
    /// # Errors
    /// There is none, or nobody is let in any more.
    pub(crate) fn take(self: &Arc<Self>) -> Result<Taken, Refused> {
        let max = self.max.load(Ordering::SeqCst);
        let add = |taken: usize| (taken < max).then_some(taken + 1);
        let is_full = self
            .taken
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, add)
            .is_err();
        let taken = (!is_full).then(|| Taken(Some(Arc::clone(self))));
        // Behind the place: a drain that sees none taken is one that this sees.
        if self.phase() >= Phase::Closing {
            self.tally.refused.fetch_add(1, Ordering::SeqCst);
            return Err(Refused::Draining);
        }
        taken.ok_or(Refused::Full)
    }

    fn give_back(&self) {
        if self.taken.fetch_sub(1, Ordering::SeqCst) == 1 {
            // A drain that begins later looks once more than it had to.
            self.changed.notify_one();
        }
    }

    // ── The connections ──────────────────────────────────────────────────────────────────────

    fn shard(&self, id: u64) -> MutexGuard<'_, Vec<Arc<Node>>> {
        lock(&self.shards[id as usize % SHARDS])
    }

    /// All that are open now.
    pub(crate) fn nodes(&self) -> Vec<Arc<Node>> {
        let mut nodes = Vec::with_capacity(self.len());
        for shard in &self.shards {
            nodes.extend_from_slice(&lock(shard));
        }
        nodes
    }

    fn add(&self, node: &Arc<Node>) {
        let mut shard = self.shard(node.id);
        if shard.len() == shard.capacity() {
            // Less than twofold: most of the room that doubling makes is for connections that do not come.
            let room = shard.len() / 4 + 4;
            shard.reserve_exact(room);
        }
        node.orders
            .index
            .store(shard.len() as u32, Ordering::Relaxed);
        shard.push(Arc::clone(node));
    }

    fn remove(&self, node: &Node) {
        let mut shard = self.shard(node.id);
        let index = node.orders.index.load(Ordering::Relaxed);
        let removed = shard.swap_remove(index as usize);
        if let Some(moved) = shard.get(index as usize) {
            moved.orders.index.store(index, Ordering::Relaxed);
        }
        drop(shard);
        drop(removed);
    }

    // ── A drain ──────────────────────────────────────────────────────────────────────────────

    pub(crate) fn phase(&self) -> Phase {
        Phase::ALL[self.phase.load(Ordering::SeqCst)]
    }

    /// Goes on to this phase, unless a later one has begun.
    pub(crate) fn advance(&self, phase: Phase) {
        self.phase.fetch_max(phase as usize, Ordering::SeqCst);
        self.advanced.notify_waiters();
    }

    /// Waits for this phase, or a later one.
    pub(crate) async fn reached(&self, phase: Phase) {
        loop {
            // From here on nothing is missed.
            let advanced = self.advanced.notified();
            if self.phase() >= phase {
                return;
            }
            advanced.await;
        }
    }

    pub(crate) fn underway(&self) -> MutexGuard<'_, Option<Underway>> {
        lock(&self.underway)
    }

    pub(crate) fn changed(&self) -> &Notify {
        &self.changed
    }

    pub(crate) fn advanced(&self) -> &Notify {
        &self.advanced
    }

    /// What was counted so far.
    pub(crate) fn report(&self) -> DrainReport {
        let tally = &self.tally;
        let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        DrainReport {
            closed: count(&tally.closed),
            by_peer: count(&tally.by_peer),
            cut: count(&tally.cut),
            refused: count(&tally.refused),
            took: std::time::Duration::ZERO,
        }
    }
}

impl Node {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.peer.addr()
    }

    pub(crate) fn client_ip(&self) -> Option<IpAddr> {
        self.peer.client_ip()
    }

    pub(crate) fn life(&self) -> &Life {
        &self.life
    }

    pub(crate) fn orders(&self) -> &Orders {
        &self.orders
    }

    /// Counts how it ended, the first time that it is told.
    pub(crate) fn count(&self, outcome: Outcome, code: CloseCode) {
        let registry = &self.registry;
        self.life.end(&registry.meters, outcome.into(), code);
        if registry.phase() == Phase::Serving || !self.orders.is_to_be_counted() {
            return;
        }
        let counter = match outcome {
            Outcome::Closed => &registry.tally.closed,
            Outcome::ByPeer => &registry.tally.by_peer,
            Outcome::Cut => &registry.tally.cut,
        };
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

impl Taken {
    /// Notes an open connection that has this place, and one among those of its client's address.
    pub(crate) fn hold(
        mut self,
        peer: Option<SocketAddr>,
        client: Option<IpAddr>,
        address: Option<AddressPlace>,
    ) -> Held {
        let registry = self.0.take().expect("a place is given back once");
        let id = registry.ids.fetch_add(1, Ordering::SeqCst) as u64;
        let peer = Peer::new(peer, client);
        let life = Life::begin(&registry.meters, id, &peer);
        let node = Arc::new(Node {
            id,
            peer,
            registry,
            orders: Orders::default(),
            life,
        });
        if let Some(address) = address {
            node.orders.keep(address);
        }
        let registry = &node.registry;
        registry.add(&node);
        // Behind the list: who tells all looks at it once it has gone on to the next phase.
        let phase = registry.phase();
        if phase >= Phase::Told {
            let frame = registry.underway().as_ref().map(|it| Arc::clone(&it.frame));
            match frame {
                Some(frame) if phase == Phase::Told => _ = node.orders.close(&frame),
                frame => _ = node.orders.cut(frame.as_ref()),
            }
        }
        Held(node)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(registry) = self.0.take() {
            registry.give_back();
        }
    }
}

impl Held {
    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let node = &*self.0;
        node.registry.remove(node);
        node.orders.end();
        node.life.leave(&node.registry.meters);
        node.registry.give_back();
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("id", &self.id)
            .field("peer", &self.peer())
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code under it panics half way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::collections::BTreeSet;
    use std::thread;

    use super::*;

    #[test]
    fn co8_of_ten_thousand_that_came_and_went_in_eight_threads_nothing_is_left() {
        let registry = Registry::new();
        let frame = Arc::new(CloseFrame::new(4001, "").unwrap());
        thread::scope(|scope| {
            for thread in 0..8 {
                let (registry, frame) = (&registry, &frame);
                scope.spawn(move || {
                    let mut open = Vec::new();
                    for number in 0..1_250 {
                        open.push(registry.take().unwrap().hold(None, None, None));
                        if number % 7 == thread {
                            open.swap_remove(number / 2 % open.len());
                        }
                        if number % 100 == 0 {
                            let nodes = registry.nodes();
                            nodes.iter().for_each(|node| _ = node.orders.close(frame));
                            assert!((open.len()..=10_000).contains(&nodes.len()));
                        }
                    }
                });
            }
        });
        assert_eq!(registry.len(), 0);
        assert!(registry.nodes().is_empty());
        // Each connection holds it, and each order its frame.
        assert_eq!(Arc::strong_count(&registry), 1);
        assert_eq!(Arc::strong_count(&frame), 1);
        let next = registry.take().unwrap().hold(None, None, None);
        assert_eq!(next.node().id(), 10_000);
    }

    #[test]
    fn co8_a_list_has_little_more_room_than_it_needs_and_seldom_moves() {
        let registry = Registry::new();
        let (mut open, mut rooms) = (Vec::new(), BTreeSet::new());
        for _ in 0..SHARDS * 500 {
            open.push(registry.take().unwrap().hold(None, None, None));
            let shard = registry.shard(open.len() as u64 - 1);
            assert!(shard.capacity() <= shard.len() + shard.len() / 4 + 4);
            rooms.insert(shard.capacity());
        }
        assert!(rooms.len() < 40, "{rooms:?}");
    }

    #[test]
    fn a_handle_that_is_kept_keeps_neither_place_nor_listing() {
        let registry = Registry::new();
        let held = registry.take().unwrap().hold(None, None, None);
        let kept = Arc::clone(held.node());
        drop(held);
        assert_eq!((registry.len(), registry.nodes().len()), (0, 0));
        assert!(
            kept.orders
                .close(&Arc::new(CloseFrame::new(4001, "").unwrap()))
        );
    }
}

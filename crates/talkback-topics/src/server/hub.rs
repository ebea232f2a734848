//! The tasks of a hub: one takes what comes, another looks whether anything should have.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, timeout_at};

use crate::position::Position;
use crate::server::backplane::{Backplane, Unavailable};
use crate::server::incoming::{Arrived, Incoming, Reach};
use crate::server::metrics;
use crate::server::plane::{Arrival, Plane};
use crate::server::state::TopicState;
use crate::server::sync::yield_now;
use crate::server::tending::follow;

/// After how long subscribers are told that nothing comes.
const STALE_AFTER: Duration = Duration::from_secs(5);
/// After how long topics are compared of which nothing has come; and how often it is looked for such. So a last publication that was
/// lost is found within 30 s.
const QUIET_AFTER: Duration = Duration::from_secs(25);
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How many are compared at a time.
const BATCH: usize = 512;
/// After how long they are compared again if that has failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How many topics are told before other tasks have their turn.
const TOLD_AT_ONCE: usize = 64;

type Topics = Plane<TopicState>;

/// Begins a hub.
pub(crate) fn begin(engine: Box<dyn Backplane>) -> Arc<Topics> {
    let (incoming, waiting) = Incoming::new();
    let plane = Arc::new(Plane::new(engine, Arc::clone(&incoming)));
    plane.runtime.spawn(take(Arc::downgrade(&plane), waiting));
    let watch = Watch::new(Arc::downgrade(&plane), incoming);
    plane.runtime.spawn(watch.run());
    plane.start();
    plane
}

/// Takes what comes, one after another.
async fn take(plane: Weak<Topics>, mut waiting: Receiver<Arrived<Arrival>>) {
    while let Some(arrived) = waiting.recv().await {
        let Some(plane) = plane.upgrade() else { return };
        match arrived {
            Arrived::One((name, stored)) => {
                if let Some(topic) = plane.topic(&name) {
                    let arrived = topic.arrive(stored);
                    follow(&topic, arrived);
                }
            }
            Arrived::Lost => {}
            Arrived::Over => return,
        }
        if waiting.is_empty() && plane.incoming.has_lost() {
            plane.incoming.changed.notify_one();
        }
    }
}

/// Which topics are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    Quiet,
}

/// Looks whether the engine is reached, and whether all came that should have.
struct Watch {
    plane: Weak<Topics>,
    incoming: Arc<Incoming<Arrival>>,
    /// How often the reach had changed when it was looked at.
    seen: u64,
    is_up: bool,
    /// Since when something may be missing.
    down_since: Option<Instant>,
    /// When all topics are to be compared, if they are.
    compares_at: Option<Instant>,
    /// Those that lack something of what came while the engine was not reached.
    behind: Vec<Weak<TopicState>>,
    quiet_at: Instant,
}

impl Watch {
    fn new(plane: Weak<Topics>, incoming: Arc<Incoming<Arrival>>) -> Self {
        let now = Instant::now();
        Self {
            plane,
            incoming,
            seen: 0,
            is_up: false,
            down_since: Some(now),
            compares_at: None,
            behind: Vec::new(),
            quiet_at: now + LOOK_EVERY,
        }
    }

    async fn run(mut self) {
        let incoming = Arc::clone(&self.incoming);
        loop {
            let changed = incoming.changed.notified();
            let Some(plane) = self.plane.upgrade() else {
                return;
            };
            let next = self.look(&plane).await;
            drop(plane);
            match next {
                Some(at) => drop(timeout_at(at, changed).await),
                None => changed.await,
            }
        }
    }

    /// Does what is due; when to look again.
    async fn look(&mut self, plane: &Arc<Topics>) -> Option<Instant> {
        self.look_at_reach(plane);
        let now = Instant::now();
        if self.stale_at(plane).is_some_and(|at| at <= now) {
            plane.set_stale(true);
            tell_all(plane).await;
        }
        if self.is_up && self.incoming.take_lost() {
            self.compares_at = Some(now);
        }
        if self.is_up && self.compares_at.is_some_and(|at| at <= now) {
            let compared = compare(plane, Which::All).await;
            self.compares_at = match compared {
                Ok(()) => None,
                Err(_) => Some(Instant::now() + PAUSE),
            };
            if self.down_since.is_some() {
                self.behind = plane.topics().iter().map(Arc::downgrade).collect();
            }
        }
        self.look_whether_live(plane).await;
        if self.quiet_at <= Instant::now() {
            if self.is_up {
                // What is not answered is asked again next time.
                let _ = compare(plane, Which::Quiet).await;
            }
            self.quiet_at = Instant::now() + LOOK_EVERY;
        }
        let stale_at = self.stale_at(plane);
        let compares_at = self.compares_at.filter(|_| self.is_up);
        [stale_at, compares_at, Some(self.quiet_at)]
            .into_iter()
            .flatten()
            .min()
    }

    fn set_up(&mut self, is_up: bool) {
        metrics::backplane_up(i8::from(is_up) - i8::from(self.is_up));
        self.is_up = is_up;
    }

    /// When subscribers are to be told that nothing comes, if they are not.
    fn stale_at(&self, plane: &Topics) -> Option<Instant> {
        let stale_at = self.down_since.map(|since| since + STALE_AFTER);
        stale_at.filter(|_| !plane.is_stale())
    }

    fn look_at_reach(&mut self, plane: &Topics) {
        let (seen, reach) = self.incoming.reach();
        if seen == self.seen {
            return;
        }
        self.seen = seen;
        self.set_up(reach == Reach::Up);
        match &reach {
            Reach::Down(why) => plane.trace.down(why),
            Reach::Up => plane.trace.up(),
            Reach::Unknown => {}
        }
        // It may have been lost for a moment.
        let now = Instant::now();
        self.down_since.get_or_insert(now);
        self.compares_at = Some(now);
        self.behind.clear();
    }

    /// Tells all once nothing is missing any more.
    async fn look_whether_live(&mut self, plane: &Arc<Topics>) {
        if !self.is_up || self.compares_at.is_some() || self.down_since.is_none() {
            return;
        }
        let is_behind =
            |topic: &Weak<TopicState>| topic.upgrade().is_some_and(|topic| topic.is_behind());
        // Each that is healed has it look again.
        while self.behind.pop_if(|last| !is_behind(last)).is_some() {}
        if self.behind.is_empty() && self.incoming.reach().0 == self.seen {
            self.down_since = None;
            if plane.is_stale() {
                plane.set_stale(false);
                tell_all(plane).await;
            }
        }
    }
}

/// The hub is gone.
impl Drop for Watch {
    fn drop(&mut self) {
        self.set_up(false);
    }
}

/// Has the subscribers of all topics look.
async fn tell_all(plane: &Arc<Topics>) {
    for (index, topic) in plane.topics().into_iter().enumerate() {
        topic.tell_all();
        if index % TOLD_AT_ONCE == TOLD_AT_ONCE - 1 {
            yield_now().await;
        }
    }
}

/// Compares topics with what the store has.
async fn compare(plane: &Arc<Topics>, which: Which) -> Result<(), Unavailable> {
    let now = Instant::now();
    let is_due = |topic: &Arc<TopicState>| {
        topic.is_on() && (which == Which::All || topic.heard() + QUIET_AFTER <= now)
    };
    let topics = plane.topics();
    let topics: Vec<_> = topics.into_iter().filter(is_due).collect();
    for batch in topics.chunks(BATCH) {
        let asked: Vec<Position> = batch.iter().map(|topic| topic.head()).collect();
        let names = batch.iter().map(|topic| Arc::clone(&topic.name));
        let heads = plane.ask(plane.engine.heads(names.collect())).await?;
        for ((topic, asked), head) in batch.iter().zip(asked).zip(heads) {
            let arrived = topic.compare(asked, head);
            follow(topic, arrived);
        }
    }
    Ok(())
}

//! What carries topics from one process to the others.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use talkback::{Compression, Message};

use crate::position::Position;
use crate::server::incoming::{Incoming, Reach};

/// What [`Topics::over`](crate::Topics::over) stands on: it carries what is published in one process of a service (a hub) to all
/// of them, and gives it its place in its topic.
///
/// A hub delivers what comes back from the backplane, its own publications included. So there is one order for all.
///
/// The publications of a topic count 1, 2, 3 … within an epoch. A hub that misses one asks for it ([`read`](Self::read)); an engine that
/// keeps no history answers that it is gone, and the hub tells its subscribers of the gap. An engine whose store could fall back
/// to an earlier state gives [marks](Position::mark), by which hubs notice.
///
/// No call blocks, and each future may be dropped. Calls take effect in the order in which they are made: a topic that is detached and
/// attached again is listened to. What takes longer than 2 s is taken for [`Unavailable`], or [`Uncertain`](PublishFailure::Uncertain).
///
/// The hub drops the engine once it is not used any more: then its tasks are to end.
pub trait Backplane: Send + Sync + 'static {
    /// Begins, on a runtime of tokio. It is called once, before anything else: from now on the engine tells `inbox` what comes, and
    /// whether it has its connections.
    fn start(&self, inbox: Inbox);

    /// Listens to these topics, and says where each stands, in the order of `topics`: at its last publication, or at offset 0. What is
    /// published behind that comes to the inbox. After a loss of its connections the engine listens again to all that is attached,
    /// before it says [`Inbox::up`].
    fn attach(&self, topics: Vec<Arc<str>>) -> Reply<'_, Vec<Position>>;

    /// Listens to them no more.
    fn detach(&self, topics: Vec<Arc<str>>);

    /// Publishes: where it stands, once the store has it. One with an id that the store has seen is not published again.
    fn publish(&self, topic: Arc<str>, carried: Carried) -> Reply<'_, Placed, PublishFailure>;

    /// Reads at most `limit` publications behind `after`, oldest first, or fewer where they are large. If some of those are gone, it
    /// begins with the oldest that there is; if the topic has another epoch by now, with the oldest of that one.
    fn read(&self, topic: Arc<str>, after: Position, limit: usize) -> Reply<'_, Page>;

    /// Where each of these topics stands, in their order.
    fn heads(&self, topics: Vec<Arc<str>>) -> Reply<'_, Vec<Position>>;

    /// Begins a topic anew if it still has this epoch: where it stands then, be it by this call or by another hub's.
    fn renew(&self, topic: Arc<str>, epoch: u64) -> Reply<'_, Position>;
}

/// What a [`Backplane`] answers, some time later.
pub type Reply<'a, T, E = Unavailable> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// A publication as it is carried.
#[derive(Clone, Debug)]
pub struct Carried {
    /// What was published.
    pub message: Message,
    /// Whether it may be compressed.
    pub compression: Compression,
    /// The id that its publisher gave it.
    pub id: Option<Arc<str>>,
    /// The connection that does not get it: the hub's number, and its number there.
    pub except: Option<(u64, u64)>,
}

/// A publication with its place.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Where it stands.
    pub position: Position,
    /// The mark of the publication before it, if the engine gives marks and there is one.
    pub previous: Option<u16>,
    /// What it is.
    pub carried: Carried,
}

/// What came of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Where it stands.
    pub position: Position,
    /// Whether it was published before, by its id.
    pub is_duplicate: bool,
}

/// Some of a topic's publications.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where the topic stands.
    pub head: Position,
    /// Those that were asked for, oldest first, without holes.
    pub publications: Vec<Stored>,
}

/// Where a [`Backplane`] tells what comes. It waits for nobody, and may be called from any thread.
#[derive(Clone)]
pub struct Inbox {
    incoming: Arc<Incoming<(Arc<str>, Stored)>>,
}

impl Inbox {
    pub(crate) fn new(incoming: Arc<Incoming<(Arc<str>, Stored)>>) -> Self {
        Self { incoming }
    }

    /// A publication came. If 65,536 wait, it is dropped, and the hub compares all topics later.
    pub fn publication(&self, topic: Arc<str>, stored: Stored) {
        self.incoming.push((topic, stored));
    }

    /// What comes may have been lost: the engine had to drop something, and the hub compares all topics.
    pub fn lost(&self) {
        self.incoming.lost();
    }

    /// The engine has its connections, and listens to all that is attached. Also said first of all.
    pub fn up(&self) {
        self.incoming.set_reach(Reach::Up);
    }

    /// The engine has lost a connection, or does not get one, for this reason, which has no secret in it; it goes on trying.
    pub fn down(&self, why: &str) {
        self.incoming.set_reach(Reach::Down(why.into()));
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

/// The backplane cannot be reached at the moment.
#[derive(Clone, Debug)]
pub struct Unavailable {
    why: Arc<str>,
}

impl Unavailable {
    /// With the reason, which has no secret in it.
    pub fn new(why: impl Into<Arc<str>>) -> Self {
        Self { why: why.into() }
    }

    /// The reason.
    pub fn why(&self) -> &str {
        &self.why
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the backplane cannot be reached: {}", self.why)
    }
}

impl Error for Unavailable {}

/// Why a backplane has not published.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PublishFailure {
    /// It was not published.
    Unavailable(Unavailable),
    /// Whether it was published is not known.
    Uncertain(Unavailable),
    /// It is larger than the engine takes, in bytes.
    TooLarge(usize),
}

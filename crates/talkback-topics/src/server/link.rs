//! What a topic over a backplane knows of its place there.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use crate::server::entry::Entry;

/// How many publications are held while those before them are fetched; what is more is fetched as well.
const HELD_MAX: usize = if cfg!(shuttle) { 1 } else { 1024 };

/// What a topic over a backplane knows of its place there; guarded by the lock of its log.
///
/// ```text
///        a subscriber comes             the engine listens
///   Off ───────────────────▶ Attaching ───────────────────▶ On
///    ▲ ◀───────────────────────┘ it does not                │
///    └────────────── Detaching ◀────────────────────────────┘
///      it does not any more       nobody is subscribed for 30 s
/// ```
/// While it is on, it is *behind* as soon as something comes that does not follow on what it has, and holds what comes, until one task has
/// asked the store for what lies between.
pub(crate) struct Link {
    pub(crate) stage: Stage,
    /// Whether a task asks the engine on its behalf: there is one at a time.
    pub(crate) is_tended: bool,
    pub(crate) is_behind: bool,
    /// The epoch that was found to have forked, and is to be ended.
    pub(crate) forked: Option<u64>,
    /// Whether an older part of the ring is to be read from the store.
    pub(crate) is_fill_wanted: bool,
    pub(crate) held: VecDeque<Arc<Entry>>,
    /// Whether some could not be held.
    pub(crate) has_overflown: bool,
    /// How many reads have begun that look for what it lacks, and which of them somebody waits for.
    pub(crate) reads: u64,
    pub(crate) read_wanted: u64,
    /// How often the engine did not answer, and why at last.
    pub(crate) failures: u64,
    pub(crate) why: Arc<str>,
    /// When it last heard of the topic.
    pub(crate) heard: Instant,
    /// What lies before this number is not to be had: the store has it no more, or it would be too much.
    pub(crate) floor: u64,
    /// Behind which number it began in this epoch.
    pub(crate) start: u64,
    /// The epoch before: what comes of it is late.
    pub(crate) former: u64,
    /// What was found since it is behind: whether something had to be fetched, and whether something was gone.
    pub(crate) found: Found,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Off,
    Attaching,
    On,
    Detaching,
}

/// What came of looking for what a topic lacks, in the order of how bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Found {
    Nothing,
    Healed,
    Gone,
}

/// What a topic has the engine asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    Attach,
    /// What lies behind its head, of which it holds so many.
    Read {
        held: usize,
    },
    /// An end to this epoch.
    Renew {
        epoch: u64,
    },
    /// What lies between this number and its ring.
    Fill {
        after: u64,
    },
}

impl Link {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            stage: Stage::Off,
            is_tended: false,
            is_behind: false,
            forked: None,
            is_fill_wanted: false,
            held: VecDeque::new(),
            has_overflown: false,
            reads: 0,
            read_wanted: 0,
            failures: 0,
            why: "".into(),
            heard: now,
            floor: 0,
            start: 0,
            former: 0,
            found: Found::Nothing,
        }
    }

    /// Has the engine asked: whether the caller is to see to that.
    pub(crate) fn begin_tending(&mut self) -> bool {
        !std::mem::replace(&mut self.is_tended, true)
    }

    /// Holds what came, or gives it back.
    pub(crate) fn hold(&mut self, entry: Arc<Entry>) -> Option<Arc<Entry>> {
        if self.held.len() >= HELD_MAX {
            self.has_overflown = true;
            return Some(entry);
        }
        self.held.push_back(entry);
        None
    }

    pub(crate) fn fail(&mut self, why: &str) {
        self.failures += 1;
        self.why = why.into();
    }
}

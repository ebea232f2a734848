//! What the server saw on connections that were to be observed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use talkback_proto::Opcode;
use tokio::sync::Notify;

/// What came on one connection, and how it ended.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) messages: Vec<(Opcode, Vec<u8>)>,
    /// `close 1000 reason` after a close frame, `end` without one.
    pub(super) end: String,
}

/// The notes on connections that have ended, until somebody asks for them.
#[derive(Debug, Default)]
pub(super) struct Notes {
    by_id: Mutex<HashMap<u64, Note>>,
    added: Notify,
    /// How many messages were poured.
    poured: Mutex<HashMap<u64, u32>>,
    /// How many connections are open.
    open: AtomicUsize,
    /// Those that have their turns.
    turns: Mutex<HashMap<u64, Turns>>,
}

/// The connections that behave in turn.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turns {
    /// How many there were.
    pub(super) begun: usize,
    /// How many there are.
    pub(super) open: usize,
}

impl Notes {
    pub(super) fn add(&self, id: u64, note: Note) {
        self.lock().insert(id, note);
        self.added.notify_waiters();
    }

    /// Waits for the note on a connection.
    pub(super) async fn take(&self, id: u64) -> Note {
        loop {
            // Made first: it is told of every note that is added from now on.
            let added = self.added.notified();
            let note = self.lock().remove(&id);
            match note {
                Some(note) => return note,
                None => added.await,
            }
        }
    }

    /// Counts a message that was poured.
    pub(super) fn count(&self, id: u64) {
        let mut poured = self.poured.lock().unwrap_or_else(PoisonError::into_inner);
        *poured.entry(id).or_default() += 1;
    }

    /// How many messages have been poured so far.
    pub(super) fn poured(&self, id: u64) -> u32 {
        let poured = self.poured.lock().unwrap_or_else(PoisonError::into_inner);
        poured.get(&id).copied().unwrap_or_default()
    }

    /// Counts a connection for as long as the value lives.
    pub(super) fn count_open(&self) -> Open<'_> {
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(self)
    }

    /// How many connections are open.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// The number of this connection, from 0, which counts as open for as long as the value lives.
    pub(super) fn take_turn(&self, id: u64) -> (usize, Turn<'_>) {
        let mut all = self.lock_turns();
        let turns = all.entry(id).or_default();
        let number = turns.begun;
        turns.begun += 1;
        turns.open += 1;
        (number, Turn { notes: self, id })
    }

    /// How many there were, and are.
    pub(super) fn turns(&self, id: u64) -> Turns {
        self.lock_turns().get(&id).copied().unwrap_or_default()
    }

    fn lock_turns(&self) -> MutexGuard<'_, HashMap<u64, Turns>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Note>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is open.
pub(super) struct Open<'a>(&'a Notes);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that has its turn.
pub(super) struct Turn<'a> {
    notes: &'a Notes,
    id: u64,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(turns) = self.notes.lock_turns().get_mut(&self.id) {
            turns.open -= 1;
        }
    }
}

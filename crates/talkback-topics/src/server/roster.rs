//! The subscribers of a topic, as those to be woken.

use std::mem;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

use crate::server::mailbox::Mailbox;

/// The subscribers of a topic, each in a slot that it keeps.
#[derive(Default)]
pub(crate) struct Roster {
    slots: Vec<Option<Arc<Mailbox>>>,
    /// Those of the slots that nobody is in.
    free: Vec<Key>,
}

/// A slot: counted from 1, so that none takes no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(NonZeroU32);

impl Key {
    fn of_last(slots: &[Option<Arc<Mailbox>>]) -> Self {
        let number = u32::try_from(slots.len()).ok().and_then(NonZeroU32::new);
        Self(number.expect("so many fit into no memory"))
    }

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl Roster {
    pub(crate) fn insert(&mut self, mailbox: Arc<Mailbox>) -> Key {
        let Some(key) = self.free.pop() else {
            self.slots.push(Some(mailbox));
            return Key::of_last(&self.slots);
        };
        self.slots[key.index()] = Some(mailbox);
        key
    }

    /// Gives back what is to be dropped once no lock is held.
    pub(crate) fn remove(&mut self, key: Key) -> impl Sized + use<> {
        let mailbox = self.slots[key.index()].take();
        self.free.push(key);
        let is_empty = self.free.len() == self.slots.len();
        let all = is_empty.then(|| mem::take(self));
        (mailbox, all)
    }

    /// How many slots there are, free ones included.
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Those in some of the slots, as far as there are so many.
    pub(crate) fn in_slots(&self, range: Range<usize>) -> impl Iterator<Item = &Mailbox> {
        let range = range.start.min(self.slots.len())..range.end.min(self.slots.len());
        self.slots[range].iter().flatten().map(|it| &**it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_used_again_and_all_are_freed_with_the_last() {
        let mut roster = Roster::default();
        let mailboxes: Vec<_> = (0..4).map(|_| Mailbox::new()).collect();
        let keys = [0, 1, 2, 3].map(|n: usize| roster.insert(Arc::clone(&mailboxes[n])));
        assert_eq!(keys.map(Key::index), [0, 1, 2, 3]);
        drop((roster.remove(keys[1]), roster.remove(keys[2])));
        assert_eq!(roster.in_slots(0..64).count(), 2);
        let again = [2, 1, 4].map(|_| roster.insert(Mailbox::new()));
        assert_eq!(again.map(Key::index), [2, 1, 4]);
        for key in [keys[0], keys[3]].into_iter().chain(again) {
            drop(roster.remove(key));
        }
        assert_eq!(roster.slots(), 0);
        assert!(mailboxes.iter().all(|it| Arc::strong_count(it) == 1));
    }
}

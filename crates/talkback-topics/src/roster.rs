//! The subscribers of a topic, as those to be woken.

use std::mem;
use std::ops::Range;
use std::sync::Arc;

use crate::mailbox::Mailbox;

/// The subscribers of a topic, each at an index that it keeps.
#[derive(Default)]
pub(crate) struct Roster {
    slots: Vec<Slot>,
    /// The first of the free slots.
    free: Option<usize>,
    len: usize,
}

enum Slot {
    Taken(Arc<Mailbox>),
    /// With the next free one.
    Free(Option<usize>),
}

impl Roster {
    pub(crate) fn insert(&mut self, mailbox: Arc<Mailbox>) -> usize {
        self.len += 1;
        let Some(index) = self.free else {
            self.slots.push(Slot::Taken(mailbox));
            return self.slots.len() - 1;
        };
        let slot = mem::replace(&mut self.slots[index], Slot::Taken(mailbox));
        self.free = match slot {
            Slot::Free(next) => next,
            Slot::Taken(_) => unreachable!("a free slot is not taken"),
        };
        index
    }

    /// Gives back what is to be dropped once no lock is held.
    pub(crate) fn remove(&mut self, index: usize) -> impl Sized + use<> {
        self.len -= 1;
        let slot = mem::replace(&mut self.slots[index], Slot::Free(self.free));
        self.free = Some(index);
        let all = (self.len == 0).then(|| mem::take(self));
        (slot, all)
    }

    /// How many slots there are, free ones included.
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Those in some of the slots, as far as there are so many.
    pub(crate) fn in_slots(&self, range: Range<usize>) -> impl Iterator<Item = &Mailbox> {
        let range = range.start.min(self.slots.len())..range.end.min(self.slots.len());
        self.slots[range].iter().filter_map(|slot| match slot {
            Slot::Taken(mailbox) => Some(&**mailbox),
            Slot::Free(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_used_again_and_all_are_freed_with_the_last() {
        let mut roster = Roster::default();
        let mailboxes: Vec<_> = (0..4).map(|_| Mailbox::new()).collect();
        let keys: Vec<_> = mailboxes
            .iter()
            .map(|it| roster.insert(Arc::clone(it)))
            .collect();
        assert_eq!(keys, [0, 1, 2, 3]);
        drop((roster.remove(1), roster.remove(2)));
        assert_eq!(roster.in_slots(0..64).count(), 2);
        let again = [2, 1, 4].map(|_| roster.insert(Mailbox::new()));
        assert_eq!(again, [2, 1, 4]);
        for key in 0..5 {
            drop(roster.remove(key));
        }
        assert_eq!(roster.slots(), 0);
        assert!(mailboxes.iter().all(|it| Arc::strong_count(it) == 1));
    }
}

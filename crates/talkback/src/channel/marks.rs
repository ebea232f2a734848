//! What became of a channel's connections, between the messages that were received.

use std::collections::VecDeque;

use crate::reconnect::event::Opened;
use crate::reconnect::lost::Lost;

/// The openings and losses that the reader has not come to yet.
///
/// Between two messages there is one pair at most, the newest: so there are never more than the queue of
/// messages bounds.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    marks: VecDeque<Place>,
    /// How many messages wait behind the last of them.
    behind: usize,
    /// The connection on which the message came that was given out last.
    connection: u64,
}

/// A mark, and how many messages wait between the one before and this one.
#[derive(Debug)]
struct Place {
    before: usize,
    mark: Mark,
}

/// What happened to a connection.
#[derive(Debug)]
pub(crate) enum Mark {
    Opened(Opened),
    Lost(Lost),
}

impl Marks {
    /// Something happened behind all messages that came.
    pub(crate) fn push(&mut self, mut mark: Mark) {
        if self.behind == 0 && self.marks.len() >= 2 {
            let last = self.marks.len() - 1;
            // The one before stays, if it has messages before it: then two are one pair.
            if self.marks[last].before == 0 {
                let passed = self.marks.remove(last - 1);
                self.pass_over(passed, &mut mark);
            }
        }
        let before = std::mem::take(&mut self.behind);
        self.marks.push_back(Place { before, mark });
    }

    /// What nobody has read of a pair goes, but for the messages that it counts, and for its place.
    fn pass_over(&mut self, passed: Option<Place>, by: &mut Mark) {
        let Some(passed) = passed else { return };
        if let Some(next) = self.marks.back_mut() {
            next.before += passed.before;
        }
        if let (Mark::Lost(passed), Mark::Lost(by)) = (passed.mark, by) {
            let unknown = by.unknown() + passed.unknown();
            *by = Lost::new(by.connection(), by.cause().clone(), by.lasted(), unknown);
        }
    }

    /// So many messages were queued.
    #[inline]
    pub(crate) fn note_queued(&mut self, count: usize) {
        self.behind += count;
    }

    /// The messages that were queued are gone, unread.
    pub(crate) fn forget_messages(&mut self) {
        self.behind = 0;
        let mut passed = std::mem::take(&mut self.marks);
        for place in passed.drain(..) {
            self.push(place.mark);
        }
    }

    /// The next message is given out, and what happened before it is passed over.
    #[inline]
    pub(crate) fn note_given_out(&mut self) {
        while self.next().is_some() {}
        match self.marks.front_mut() {
            Some(place) => place.before -= 1,
            None => self.behind = self.behind.saturating_sub(1),
        }
    }

    /// What happened before the next message.
    pub(crate) fn next(&mut self) -> Option<Mark> {
        self.marks.front().filter(|place| place.before == 0)?;
        let mark = self.marks.pop_front()?.mark;
        if let Mark::Opened(opened) = &mark {
            self.connection = opened.connection();
        }
        Some(mark)
    }

    /// The number of the connection on which the message came that was given out last.
    pub(crate) fn connection(&self) -> u64 {
        self.connection
    }
}

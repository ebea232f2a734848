//! What has begun to come and is not whole, which an idle connection has none of.

use std::cell::Cell;

use crate::connection::Connection;
use crate::connection::assembly::Assembly;
use crate::connection::parse_state::FrameReader;

/// The frame and the message that have begun to come, and how messages are to be given out.
#[derive(Default)]
pub(super) struct Incomplete {
    pub(super) frames: FrameReader,
    pub(super) assembly: Assembly,
}

thread_local! {
    /// The thread's spare one, so that what comes whole but not in one frame, or compressed, costs no memory.
    static SPARE: Cell<Option<Box<Incomplete>>> = const { Cell::new(None) };
}

/// Makes sure that there is one.
pub(super) fn begin(incomplete: &mut Option<Box<Incomplete>>) -> &mut Incomplete {
    incomplete.get_or_insert_with(|| {
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        spare.unwrap_or_default()
    })
}

impl Connection {
    pub(super) fn incomplete(&mut self) -> &mut Incomplete {
        begin(&mut self.incomplete)
    }

    /// Whether a frame or a message has begun to come, and has not ended.
    pub fn is_in_message(&self) -> bool {
        let incomplete = self.incomplete.as_ref();
        incomplete.is_some_and(|incomplete| incomplete.frames.is_in_message())
    }

    /// Gives back what is between messages.
    pub(super) fn end_incomplete(&mut self) {
        let is_over = |i: &mut Box<Incomplete>| !i.frames.is_in_message() && i.assembly.is_idle();
        if let Some(incomplete) = self.incomplete.take_if(is_over) {
            // A thread that is ending has nothing to keep.
            let _ = SPARE.try_with(|spare| spare.set(Some(incomplete)));
        }
    }
}

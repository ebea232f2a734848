//! The shortest bytes that still show a difference that is not meant.

use crate::differences::{Verdict, judge};
use crate::generate::Case;
use crate::peers::Peer;
use crate::talkback;

/// Takes out ever smaller pieces as long as the difference stays.
pub(crate) fn shrink(case: &Case, peer: Peer) -> Case {
    let mut shortest = case.clone();
    let mut size = shortest.wire.len();
    while size > 0 {
        let mut start = 0;
        while start < shortest.wire.len() {
            let mut shorter = shortest.clone();
            let end = (start + size).min(shorter.wire.len());
            shorter.wire.drain(start..end);
            if judge(&shorter, &talkback::receive(&shorter), peer) == Verdict::Different {
                shortest = shorter;
            } else {
                start += 1;
            }
        }
        size -= size.div_ceil(8);
    }
    shortest
}

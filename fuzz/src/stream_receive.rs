//! The target `stream_receive`: messages that are read piece by piece, plain and compressed.

use talkback_proto::{Connection, DeflateParameters, Incoming, READ_SIZE};
use talkback_testing::heap;

use crate::deflate;
use crate::outcome::{Outcome, Seen};
use crate::plan::{Path, Plan};
use crate::reader::{self, Keeping, Reader};
use crate::session::{self, Cost, Session};

/// Where this bit of the first byte stands, no compression was negotiated.
const PLAIN: u8 = 0x10;

/// A window, the thread's buffers and a piece; nothing in proportion to what is decompressed.
const PIECES: Cost = Cost {
    base: 160 * 1024,
    ratio: 1,
};

/// Plays a session whose messages are read whole, and the same one with messages read in pieces.
/// The first byte says what was negotiated, the next two what is read and what is abandoned.
pub fn check(input: &[u8]) {
    let [negotiated, habits, circumstances, rest @ ..] = input else {
        return;
    };
    let (role, parameters) = deflate::negotiated(*negotiated);
    let parameters = (negotiated & PLAIN == 0).then_some(parameters);
    let Some(plan) = Plan::read(role, rest) else {
        return;
    };
    let end = || end(&plan, parameters.as_ref());
    let whole = Session::new(&plan, Path::Buffer, end(), Some(Seen::default()));
    let whole = whole.play(&plan, &[usize::MAX]);

    for habits in [
        reader::Plan::all_pieces(),
        reader::Plan::new(*habits, *circumstances),
    ] {
        for sizes in [&[usize::MAX][..], &plan.sizes] {
            let reader = Reader::new(habits, Keeping::Messages, read_size_max(&plan, sizes));
            let session = Session::new(&plan, plan.path, end(), Some(Seen::default()));
            let (pieces, reader) = session.read_by(reader).play_and_return(&plan, sizes);
            let expected = without(whole.clone(), &reader.abandoned);
            assert_eq!(pieces, expected, "{habits:?}, reads of {sizes:?}");
        }
    }
    check_heap(&plan, end);
}

/// Reads in pieces and keeps none of them.
fn check_heap(plan: &Plan, end: impl Fn() -> Connection) {
    let (_, heap) = heap::measure(|| {
        let size_max = read_size_max(plan, &plan.sizes);
        let reader = Reader::new(reader::Plan::all_pieces(), Keeping::Nothing, size_max);
        let session = Session::new(plan, plan.path, end(), None);
        session.read_by(reader).play(plan, &plan.sizes)
    });
    let bound = 2 * plan.wire.len() + PIECES.ratio * plan.wire.len() + PIECES.base;
    assert!(heap.peak <= bound as isize, "{heap:?}, over {bound}");
}

fn end(plan: &Plan, parameters: Option<&DeflateParameters>) -> Connection {
    let connection = session::connection(plan);
    match parameters {
        Some(parameters) => connection.with_deflate(parameters),
        None => connection,
    }
}

fn read_size_max(plan: &Plan, sizes: &[usize]) -> usize {
    let size = sizes.iter().copied().max().unwrap_or(usize::MAX);
    match plan.path {
        Path::Buffer => size,
        Path::Message => size.min(READ_SIZE),
    }
}

/// The outcome without the messages of these numbers, which nobody read to the end.
fn without(mut outcome: Outcome, abandoned: &[usize]) -> Outcome {
    let mut number = 0;
    outcome.seen.incoming.retain(|item| {
        let is_message = matches!(item, Incoming::Message(_));
        let is_kept = !is_message || !abandoned.contains(&number);
        number += usize::from(is_message);
        is_kept
    });
    outcome
}

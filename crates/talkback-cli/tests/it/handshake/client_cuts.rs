//! C28, V17 and V54: a response to `talkback connect` in any pieces, and one that ends anywhere.

use crate::support::scripted::{
    INPUT, ScriptedResponse, assert_failed, assert_passed, frames, play_with, response,
};
use crate::support::wire::{End, in_parallel};

/// A right response with frames behind it, and where its head ends.
fn right(accept: &str) -> (Vec<u8>, usize) {
    let head = response(&[], &[]).replace("{accept}", accept);
    let size = head.len();
    ([head.as_bytes(), &frames()].concat(), size)
}

/// The sizes of the head, and of all: the same for every connection.
fn sizes() -> (usize, usize) {
    let (bytes, head_size) = right(crate::support::wire::SAMPLE_ACCEPT);
    (head_size, bytes.len())
}

#[test]
fn c28_a_response_cut_at_any_byte_passes_and_loses_nothing() {
    let (_, size) = sizes();
    in_parallel(size, |split| {
        let played = play_with(&[], |accept| ScriptedResponse {
            splits: if split == 0 { Vec::new() } else { vec![split] },
            ..ScriptedResponse::whole(right(accept).0)
        });
        assert_passed(&played, &format!("split at {split}"));
    });
}

#[test]
fn c28_a_response_in_writes_of_one_byte_passes_and_loses_nothing() {
    let (_, size) = sizes();
    let played = play_with(&[], |accept| ScriptedResponse {
        splits: (1..size).collect(),
        ..ScriptedResponse::whole(right(accept).0)
    });
    assert_passed(&played, "one byte a write");
}

#[test]
fn v54_a_response_that_ends_at_any_byte_is_never_open_nor_a_message() {
    let (head_size, size) = sizes();
    let message_end = head_size + 2 + "Hello!".len();
    in_parallel(2 * (size + 1), |number| {
        let (cut, end) = match number.checked_sub(size + 1) {
            None => (number, End::Fin),
            Some(cut) => (cut, End::Reset),
        };
        let what = format!("{end:?} after {cut} of {size} bytes");
        let played = play_with(&[], |accept| {
            let (mut bytes, _) = right(accept);
            bytes.truncate(cut);
            ScriptedResponse {
                end,
                ..ScriptedResponse::whole(bytes)
            }
        });
        // A reset may overtake what was sent before it.
        let finished = &played.finished;
        if cut < head_size || (end == End::Reset && finished.code == Some(6)) {
            assert_failed(&played, &what, &["lost during the opening handshake"]);
            return;
        }
        let is_whole = cut >= message_end;
        let expected = if is_whole { "Hello!\n" } else { "" };
        let is_lost = end == End::Reset && finished.stdout.is_empty();
        assert!(
            finished.stdout == expected || is_lost,
            "{what}: {finished:?}"
        );
        match finished.code {
            Some(0) => assert_eq!(cut, size, "{what}: {finished:?}"),
            Some(8) => {
                assert!(cut < size || end == End::Reset, "{what}: {finished:?}");
                assert!(finished.stderr.contains("1006"), "{what}: {finished:?}");
            }
            _ => panic!("{what}: {finished:?}"),
        }
    });
}

#[test]
fn v54_a_server_that_only_ends_gets_no_frame() {
    for end in [End::Fin, End::Reset] {
        let played = play_with(&[], |_| ScriptedResponse {
            end,
            ..ScriptedResponse::whole(Vec::new())
        });
        assert_failed(&played, INPUT, &["lost during the opening handshake"]);
    }
}

//! What a caller does to send messages, as the bytes of an input choose it.

use talkback_proto::{Compression, Fin, MessageKind};

/// The most that one input may do.
const STEPS_MAX: usize = 64;
const SIZE_MAX: usize = 64 * 1024;

/// One call.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Begin(MessageKind, Compression),
    Gather(Vec<u8>),
    Fragment(Vec<u8>, Fin),
    SendText(&'static str),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close,
    /// Some of the output is written, so many bytes.
    Write(usize),
}

/// Reads calls: for each a byte that says which, and for those with a payload the size of a piece,
/// how often it is repeated, and the piece.
pub(crate) fn read(mut rest: &[u8]) -> Vec<Call> {
    let (mut calls, mut capacity) = (Vec::new(), SIZE_MAX);
    while let Some((&which, behind)) = rest.split_first() {
        rest = behind;
        let compression = match which & 0x10 {
            0 => Compression::Auto,
            _ => Compression::Skip,
        };
        let call = match which % 16 {
            0 | 1 => Call::Begin(MessageKind::Text, compression),
            2 | 3 => Call::Begin(MessageKind::Binary, compression),
            4..=6 => Call::Gather(payload(&mut rest, &mut capacity)),
            7 | 8 => Call::Fragment(payload(&mut rest, &mut capacity), Fin::More),
            9 | 10 => Call::Fragment(payload(&mut rest, &mut capacity), Fin::Last),
            11 => Call::SendText("whole"),
            12 => Call::Ping(payload(&mut rest, &mut capacity)),
            13 => Call::Pong(payload(&mut rest, &mut capacity)),
            14 => Call::Write(usize::from(which / 16) * 1000 + 1),
            _ => Call::Close,
        };
        calls.push(call);
        if calls.len() == STEPS_MAX {
            break;
        }
    }
    calls
}

fn payload(rest: &mut &[u8], capacity: &mut usize) -> Vec<u8> {
    let [size, repeats, behind @ ..] = *rest else {
        return Vec::new();
    };
    let (piece, behind) = behind.split_at(behind.len().min(usize::from(*size)));
    *rest = behind;
    // Twice 16 KiB, the size of a gathered fragment, is within reach of a short piece.
    let repeats = match usize::from(*repeats) {
        repeats @ 0..=31 => repeats,
        many => many * many / 8,
    };
    let payload = piece.repeat(repeats.min(*capacity / piece.len().max(1)));
    *capacity -= payload.len();
    payload
}

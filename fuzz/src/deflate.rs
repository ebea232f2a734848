//! The targets `connection_deflate` and `inflate`: compressed messages (RFC 7692).

use talkback_proto::{DeflateParameters, Role, WindowBits};
use talkback_testing::wire::{self, BINARY, CONTINUATION, FIN, RSV1, TEXT};

use crate::plan::{Plan, peer_key};
use crate::session::{self, Cost};

/// A window, and the buffers that the thread keeps; DEFLATE makes at most 1,032 bytes of one, in a
/// buffer that grows to twice what it had.
const COMPRESSED: Cost = Cost {
    base: 128 * 1024,
    ratio: 16 + 2 * 1032,
};

/// Plays what a peer sends where compression was negotiated; the first byte says how.
pub fn check_connection(input: &[u8]) {
    let Some((&first, rest)) = input.split_first() else {
        return;
    };
    let (role, parameters) = negotiated(first);
    let prepare = |connection: talkback_proto::Connection| connection.with_deflate(&parameters);
    session::check(role, rest, prepare, COMPRESSED);
}

/// Decompresses a stream that comes as one message in frames of a few bytes. The first byte says
/// what was negotiated, the second what the message is and how large its frames are.
pub fn check_stream(input: &[u8]) {
    let [first, second, rest @ ..] = input else {
        return;
    };
    let (role, parameters) = negotiated(*first);
    let Some(mut plan) = Plan::read(role, rest) else {
        return;
    };
    let opcode = if second & 1 == 0 { TEXT } else { BINARY };
    plan.wire = frames(role, opcode, &plan.wire, usize::from(second / 2) * 8 + 1);
    plan.action_at = plan.action_at.min(plan.wire.len());
    let prepare = |connection: talkback_proto::Connection| connection.with_deflate(&parameters);
    session::check_plan(&plan, prepare, COMPRESSED);
}

pub(crate) fn negotiated(byte: u8) -> (Role, DeflateParameters) {
    let role = if byte & 1 == 0 {
        Role::Client
    } else {
        Role::Server
    };
    let bits = if byte & 8 == 0 {
        WindowBits::MIN
    } else {
        WindowBits::MAX
    };
    let parameters = DeflateParameters::default()
        .server_no_context_takeover(byte & 2 != 0)
        .client_no_context_takeover(byte & 4 != 0)
        .server_max_window_bits(bits)
        .client_max_window_bits(bits);
    (role, parameters)
}

/// One compressed message in fragments; RSV1 stands on the first only (RFC 7692 §6).
fn frames(role: Role, opcode: u8, payload: &[u8], size: usize) -> Vec<u8> {
    let mut wire = Vec::new();
    let mut first = RSV1 | opcode;
    let mut pieces = payload.chunks(size).peekable();
    while let Some(piece) = pieces.next() {
        let fin = if pieces.peek().is_none() { FIN } else { 0 };
        wire.extend(wire::frame(fin | first, peer_key(role), piece));
        first = CONTINUATION;
    }
    wire
}

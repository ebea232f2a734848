//! Frames as the peer of either role sends them.

use talkback_proto::Role;
pub(crate) use talkback_testing::wire::*;

/// The masking key that the peer of `role` must use.
pub(crate) fn peer_key(role: Role) -> Option<[u8; 4]> {
    match role {
        Role::Server => Some(KEY),
        Role::Client => None,
    }
}

/// A frame as the peer of `role` sends it.
pub(crate) fn peer_frame(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, peer_key(role), payload)
}

/// Only the header of a frame as the peer of `role` sends it.
pub(crate) fn peer_header(role: Role, first: u8, payload_size: u64) -> Vec<u8> {
    header(first, peer_key(role), payload_size)
}

/// A close frame as the peer of `role` sends it.
pub(crate) fn peer_close(role: Role, code: u16, reason: &str) -> Vec<u8> {
    peer_frame(role, FIN | CLOSE, &close_body(code, reason))
}

//! Numbers that nobody else has drawn.

use std::hash::{BuildHasher, RandomState};

/// 64 bits.
pub(crate) fn random() -> u64 {
    // Each has keys of its own, drawn at random for the thread.
    RandomState::new().hash_one(0)
}

//! Masking keys and nonces (RFC 6455 §5.3, §10.3).

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use talkback_proto::MaskingKeys;

/// A generator of one connection's own, seeded by the operating system: ChaCha with 12 rounds.
pub(crate) struct ConnectionKeys(ChaCha12Rng);

impl ConnectionKeys {
    pub(crate) fn new() -> Self {
        Self(ChaCha12Rng::from_seed(random()))
    }
}

impl MaskingKeys for ConnectionKeys {
    fn next_key(&mut self) -> [u8; 4] {
        self.0.next_u32().to_ne_bytes()
    }
}

/// Bytes from the operating system, for a seed or a handshake's nonce.
///
/// # Panics
/// Where the operating system has no randomness, nothing can be masked safely.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has a source of randomness");
    bytes
}

//! Masking keys and nonces (RFC 6455 §5.3, §10.3).

use chacha20::ChaCha12Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};
use talkback_proto::MaskingKeys;

/// A generator of one connection's own, seeded by the operating system: ChaCha with 12 rounds.
///
/// "The masking key needs to be unpredictable" (RFC 6455 §5.3). The operating system's own generator,
/// asked for many keys at once, takes six times as long for a key. A child that was forked seeds
/// the connections that it opens anew.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn keys(count: usize) -> Vec<[u8; 4]> {
        let mut keys = ConnectionKeys::new();
        (0..count).map(|_| keys.next_key()).collect()
    }

    #[test]
    fn f5_keys_of_connections_differ() {
        let all: Vec<_> = (0..16).flat_map(|_| keys(256)).collect();
        let distinct: HashSet<_> = all.iter().collect();
        // Of 4,096 random keys, two are the same in one of 500 runs; ten never.
        let same = all.len() - distinct.len();
        assert!(same < 10, "{same} keys came twice");
    }

    #[test]
    fn f5_every_bit_of_a_key_is_set_in_about_half() {
        let mut set = [0_u32; 32];
        for key in keys(16_384) {
            let key = u32::from_ne_bytes(key);
            (0..32).for_each(|bit| set[bit] += key >> bit & 1);
        }
        // Ten times the standard deviation, which is 64.
        assert!(
            set.iter().all(|count| count.abs_diff(8_192) < 640),
            "{set:?}"
        );
    }
}

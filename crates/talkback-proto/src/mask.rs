//! Masking of payload bytes (RFC 6455 §5.3).

/// How many bytes one step of the wide loop takes; the compiler turns it into vector instructions.
const STEP: usize = 32;

/// Masks or unmasks `bytes` in place with `key` and returns the key for the byte that follows.
///
/// Masking is its own inverse. A payload that arrives in pieces is unmasked piece by piece: hand
/// in the returned key with the next piece (RFC 6455 §5.3).
#[must_use = "the next piece of the same payload needs the rotated key"]
pub fn mask(bytes: &mut [u8], key: [u8; 4]) -> [u8; 4] {
    let mut wide_key = [0; STEP];
    for (slot, byte) in wide_key.iter_mut().zip(key.iter().cycle()) {
        *slot = *byte;
    }
    let (steps, rest) = bytes.as_chunks_mut::<STEP>();
    for step in steps {
        for (byte, key_byte) in step.iter_mut().zip(wide_key) {
            *byte ^= key_byte;
        }
    }
    for (byte, key_byte) in rest.iter_mut().zip(wide_key) {
        *byte ^= key_byte;
    }
    let mut next = key;
    next.rotate_left(bytes.len() % 4);
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn masks_the_example_of_the_rfc() {
        // §5.7: "A single-frame masked text message", contains "Hello".
        let mut bytes = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        let next = mask(&mut bytes, [0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(&bytes, b"Hello");
        assert_eq!(next, [0xfa, 0x21, 0x3d, 0x37]);
    }

    proptest! {
        #[test]
        fn equals_the_definition_in_any_pieces(
            payload in proptest::collection::vec(any::<u8>(), 0..300),
            key in any::<[u8; 4]>(),
            cuts in proptest::collection::vec(0usize..300, 0..6),
        ) {
            let plain: Vec<u8> = payload.iter().enumerate().map(|(i, b)| b ^ key[i % 4]).collect();
            let mut pieces = payload.clone();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(payload.len())).collect();
            cuts.push(payload.len());
            cuts.sort_unstable();
            let (mut start, mut key) = (0, key);
            for cut in cuts {
                key = mask(&mut pieces[start..cut], key);
                start = cut;
            }
            prop_assert_eq!(pieces, plain);
        }
    }
}

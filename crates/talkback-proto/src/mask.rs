//! Masking of payload bytes (RFC 6455 §5.3).

/// How many bytes one step of the wide loop takes: so many vectors that the loop itself costs
/// next to nothing.
const STEP: usize = 2048;

/// How many bytes one step of the loop behind it takes: several vectors of any size.
const STEP_SMALL: usize = 256;

/// From this size in bytes on it pays to ask the processor for its widest vectors.
const WIDE_SIZE_MIN: usize = 512;

/// Masks or unmasks `bytes` in place with `key` and returns the key for the byte that follows.
///
/// Masking is its own inverse. A payload that arrives in pieces is unmasked piece by piece: hand
/// in the returned key with the next piece (RFC 6455 §5.3).
#[inline]
#[must_use = "the next piece of the same payload needs the rotated key"]
pub fn mask(bytes: &mut [u8], key: [u8; 4]) -> [u8; 4] {
    let key = u32::from_le_bytes(key);
    let rotation = 8 * (bytes.len() % 4) as u32;
    if bytes.len() < WIDE_SIZE_MIN {
        xor_narrow(bytes, key);
    } else {
        xor_wide(bytes, key);
    }
    key.rotate_right(rotation).to_le_bytes()
}

/// Apart, so that it costs small payloads nothing.
#[inline(never)]
fn xor_wide(bytes: &mut [u8], key: u32) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[expect(
            unsafe_code,
            reason = "a third of the instructions for a large payload"
        )]
        // SAFETY: calling it asks for nothing but AVX2, which this processor has.
        unsafe {
            xor_steps_avx2(bytes, key);
        }
        return;
    }
    xor_steps(bytes, key);
}

/// The same loop, compiled for wider vectors than every processor of the platform has.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn xor_steps_avx2(bytes: &mut [u8], key: u32) {
    xor_steps(bytes, key);
}

#[inline(always)]
fn xor_steps(bytes: &mut [u8], key: u32) {
    let (steps, rest) = bytes.as_chunks_mut::<STEP>();
    for step in steps {
        xor_words(step.as_chunks_mut().0, key);
    }
    let (steps, rest) = rest.as_chunks_mut::<STEP_SMALL>();
    for step in steps {
        xor_words(step.as_chunks_mut().0, key);
    }
    xor_narrow(rest, key);
}

#[inline(always)]
fn xor_narrow(bytes: &mut [u8], key: u32) {
    let (blocks, rest) = bytes.as_chunks_mut::<16>();
    for block in blocks {
        xor_words(block.as_chunks_mut().0, key);
    }
    let (words, last) = rest.as_chunks_mut();
    xor_words(words, key);
    for (byte, key_byte) in last.iter_mut().zip(key.to_le_bytes()) {
        *byte ^= key_byte;
    }
}

/// The compiler turns it into vector instructions.
#[inline(always)]
fn xor_words(words: &mut [[u8; 4]], key: u32) {
    for word in words {
        *word = (u32::from_le_bytes(*word) ^ key).to_le_bytes();
    }
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

    #[test]
    fn wide_vectors_mask_as_narrow_ones_do() {
        for size in (0..3 * STEP).step_by(7) {
            let payload: Vec<u8> = (0..size).map(|i| i as u8).collect();
            let (mut wide, mut narrow) = (payload.clone(), payload);
            xor_wide(&mut wide, 0x3d21_fa37);
            xor_narrow(&mut narrow, 0x3d21_fa37);
            assert_eq!(wide, narrow, "{size} bytes");
        }
    }

    proptest! {
        #[test]
        fn equals_the_definition_in_any_pieces(
            payload in proptest::collection::vec(any::<u8>(), 0..3000),
            key in any::<[u8; 4]>(),
            cuts in proptest::collection::vec(0usize..3000, 0..6),
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

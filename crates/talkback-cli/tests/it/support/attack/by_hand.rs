//! Payloads that are compressed by hand, with the fixed codes (RFC 1951 §3.2.6).
/// How many zeros are repeated at a time.
const MATCHES: usize = 8;
const MATCH_SIZE: usize = 258;

/// The payload of a compressed message (RFC 7692 §7.2.1) of at least so many zeros: one block with the
/// fixed codes (RFC 1951 §3.2.6), in which everything looks back at the first zero.
pub(crate) fn compressed_zeros(size: usize) -> Vec<u8> {
    // The longest match, 285, at the shortest distance, 0.
    let longest = "11000101".to_owned() + "00000";
    // Not the last block, fixed codes; the literal 0. With one match these are whole bytes.
    let begin = pack(&("010".to_owned() + "00110000" + &longest));
    let again = pack(&longest.repeat(MATCHES));
    // The end of the block, and what remains of an empty stored one.
    let end = pack(&("0000000".to_owned() + "000" + "000000"));
    let count = size.div_ceil(MATCHES * MATCH_SIZE);
    [begin, again.repeat(count), end].concat()
}

/// The payload of a compressed message of at least so many letters: 32,000 by chance, and then the
/// same again and again. They inflate fast, but whoever compresses them finds many places that are
/// almost alike, and looks at all it may.
pub(crate) fn compressed_letters(size: usize) -> Vec<u8> {
    const COUNT: usize = 32_000;
    let mut state = 1_u64;
    let letters = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b"abc"[(state % 3) as usize]
    });
    let literals: String = letters
        .take(COUNT)
        .map(|letter| format!("{:08b}", 0x30 + letter))
        .collect();
    // The longest match, at the distance 24,577 and 13 bits more, the lowest first.
    let more = COUNT - 24_577;
    let more: String = (0..13)
        .map(|bit| if more >> bit & 1 == 1 { '1' } else { '0' })
        .collect();
    let longest = "11000101".to_owned() + "11101" + &more;
    let count = size.saturating_sub(COUNT).div_ceil(MATCH_SIZE);
    let bits = "010".to_owned() + &literals + &longest.repeat(count) + "0000000" + "000";
    pack(&(bits.clone() + &"0".repeat(bits.len().next_multiple_of(8) - bits.len())))
}

/// Bits in the order of the stream: the first is the lowest of its byte (RFC 1951 §3.1.1).
fn pack(bits: &str) -> Vec<u8> {
    assert!(bits.len().is_multiple_of(8));
    let byte = |bits: &[u8]| {
        let bits = bits.iter().rev();
        bits.fold(0, |byte, bit| byte << 1 | (bit & 1))
    };
    bits.as_bytes().chunks(8).map(byte).collect()
}

//! Huffman codes for the symbols of one block (RFC 1951 §3.2.2).

use crate::deflate::bits::Writer;

/// How many symbols an alphabet has at most.
const SYMBOLS_MAX: usize = 288;

/// Each symbol's code, its first bit lowest, and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code<const N: usize> {
    pub(super) bits: [u16; N],
    pub(super) lengths: [u8; N],
}

impl<const N: usize> Code<N> {
    /// The code that takes the fewest bits for symbols that stand so often, none longer than
    /// `length_max`.
    ///
    /// Two symbols have a code even if fewer stand there: some decoders refuse a code that is not
    /// complete.
    pub(super) fn best(frequencies: &[u32; N], length_max: usize) -> Self {
        let mut leaves = [0; SYMBOLS_MAX];
        let count = sorted(frequencies, &mut leaves);
        let leaves = &leaves[..count];
        let mut lengths = [0; N];
        let counts = length_counts(leaves, length_max);
        let mut rarest = leaves.iter();
        for length in (1..=length_max).rev() {
            for leaf in rarest.by_ref().take(counts[length] as usize) {
                lengths[symbol(*leaf)] = length as u8;
            }
        }
        Self::with_lengths(lengths)
    }

    /// The code that has these lengths (§3.2.2).
    pub(super) const fn with_lengths(lengths: [u8; N]) -> Self {
        let mut counts = [0_u16; 16];
        let mut symbol = 0;
        while symbol < N {
            counts[(lengths[symbol] & 15) as usize] += 1;
            symbol += 1;
        }
        counts[0] = 0;
        let mut next = [0_u16; 16];
        let mut length = 1;
        while length < 16 {
            next[length] = (next[length - 1] + counts[length - 1]) << 1;
            length += 1;
        }
        let mut bits = [0; N];
        symbol = 0;
        while symbol < N {
            let length = (lengths[symbol] & 15) as usize;
            if length > 0 {
                bits[symbol] = next[length].reverse_bits() >> (16 - length);
                next[length] += 1;
            }
            symbol += 1;
        }
        Self { bits, lengths }
    }

    #[inline]
    pub(super) fn write(&self, symbol: usize, bits: &mut Writer<'_>) {
        let length = u32::from(self.lengths[symbol]);
        bits.add(u64::from(self.bits[symbol]), length);
    }

    /// How many bits symbols that stand so often take.
    pub(super) fn cost(&self, frequencies: &[u32; N]) -> usize {
        let pairs = frequencies.iter().zip(&self.lengths);
        let costs = pairs.map(|(frequency, length)| frequency * u32::from(*length));
        costs.sum::<u32>() as usize
    }
}

/// A symbol and how often it stands, so that they sort by that.
fn leaf(symbol: usize, frequency: u32) -> u32 {
    frequency << 9 | symbol as u32
}

fn symbol(leaf: u32) -> usize {
    (leaf & 511) as usize
}

fn frequency(leaf: u32) -> u32 {
    leaf >> 9
}

/// Sorts the symbols that stand there, at least two of them, the rarest first, and says how many.
fn sorted<const N: usize>(frequencies: &[u32; N], leaves: &mut [u32; SYMBOLS_MAX]) -> usize {
    let mut count = 0;
    for (symbol, frequency) in frequencies.iter().enumerate() {
        if *frequency > 0 {
            leaves[count] = leaf(symbol, *frequency);
            count += 1;
        }
    }
    for (symbol, frequency) in frequencies.iter().enumerate().take(2) {
        if count < 2 && *frequency == 0 {
            leaves[count] = leaf(symbol, 1);
            count += 1;
        }
    }
    leaves[..count].sort_unstable();
    count
}

/// How many codes have each length.
fn length_counts(leaves: &[u32], length_max: usize) -> [u32; 16] {
    let mut counts = [0; 16];
    let depths = inner_depths(leaves);
    let inner = leaves.len() - 1;
    // A node has two children: those that are not inner nodes themselves are leaves.
    let mut at_depth = [0_u32; SYMBOLS_MAX];
    for depth in &depths[..inner] {
        at_depth[usize::from(*depth)] += 1;
    }
    for depth in 0..inner {
        if at_depth[depth] == 0 {
            break;
        }
        let below = 2 * at_depth[depth] - at_depth.get(depth + 1).copied().unwrap_or(0);
        counts[(depth + 1).min(length_max)] += below;
    }
    // What was too long makes room by lengthening others (Kraft's sum is 1).
    let mut sum: u32 = (1..=length_max)
        .map(|length| counts[length] << (length_max - length))
        .sum();
    while sum > 1 << length_max {
        counts[length_max] -= 1;
        let shorter = (1..length_max).rev().find(|length| counts[*length] > 0);
        let shorter = shorter.expect("a sum above 1 has shorter codes");
        counts[shorter] -= 1;
        counts[shorter + 1] += 2;
        sum -= 1;
    }
    counts
}

/// How deep each inner node of the tree lies, the root being the last one, at 0.
fn inner_depths(leaves: &[u32]) -> [u16; SYMBOLS_MAX] {
    let mut weights = [0_u32; SYMBOLS_MAX];
    let mut parents = [0_u16; SYMBOLS_MAX];
    let inner = leaves.len() - 1;
    let (mut leaf, mut node) = (0, 0);
    // Leaves and inner nodes are each in order: the two lightest of both make the next one.
    for made in 0..inner {
        let mut weight = 0;
        for _ in 0..2 {
            let is_leaf =
                leaf < leaves.len() && (node == made || frequency(leaves[leaf]) <= weights[node]);
            if is_leaf {
                weight += frequency(leaves[leaf]);
                leaf += 1;
            } else {
                weight += weights[node];
                parents[node] = made as u16;
                node += 1;
            }
        }
        weights[made] = weight;
    }
    let mut depths = [0; SYMBOLS_MAX];
    for node in (0..inner - 1).rev() {
        depths[node] = depths[usize::from(parents[node])] + 1;
    }
    depths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kraft<const N: usize>(code: &Code<N>) -> u32 {
        let lengths = code.lengths.iter().filter(|length| **length > 0);
        lengths.map(|length| 1 << (15 - length)).sum()
    }

    #[test]
    fn codes_are_complete_and_within_the_limit() {
        // Frequencies as of Fibonacci make the deepest tree.
        let mut deep = [0; 30];
        let (mut a, mut b) = (1, 1);
        for frequency in &mut deep[..22] {
            *frequency = a;
            (a, b) = (b, a + b);
        }
        let mut one = [0; 30];
        one[7] = 3;
        for frequencies in [deep, one, [0; 30], [5; 30]] {
            for length_max in [7, 15] {
                let code = Code::best(&frequencies, length_max);
                assert_eq!(kraft(&code), 1 << 15, "{frequencies:?}");
                for (symbol, frequency) in frequencies.iter().enumerate() {
                    let length = usize::from(code.lengths[symbol]);
                    assert!(length <= length_max && (length > 0 || *frequency == 0));
                }
            }
        }
    }
}

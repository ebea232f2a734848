//! One block of DEFLATE (RFC 1951 §3.2): what stands in it, and how it is written in the fewest bits.

use std::cell::Cell;

use crate::deflate::bits::{Bits, Writer};
use crate::deflate::huffman::Code;

/// How many literals and matches a block has at most.
const TOKENS_MAX: usize = 16 * 1024;

pub(super) const MATCH_SIZE_MIN: usize = 3;
pub(super) const MATCH_SIZE_MAX: usize = 258;

const LITERALS: usize = 286;
const DISTANCES: usize = 30;
const END_OF_BLOCK: usize = 256;

/// The most bytes that a block holds as they are (§3.2.4).
const STORED_SIZE_MAX: usize = 0xFFFF;

/// The codes that need not be told (§3.2.6).
static FIXED_LITERALS: Code<288> = Code::with_lengths({
    let mut lengths = [8; 288];
    let mut symbol = 144;
    while symbol < 280 {
        lengths[symbol] = if symbol < 256 { 9 } else { 7 };
        symbol += 1;
    }
    lengths
});
static FIXED_DISTANCES: Code<DISTANCES> = Code::with_lengths([5; DISTANCES]);

/// In which order the lengths of the codes for lengths are told (§3.2.7).
const ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// How hard is tried: where matches are looked for, and which blocks may get codes of their own. To
/// find these is most of the work for a small block, and to tell them takes some 60 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// At two places, and codes for a block of over 500 bytes only.
    Least,
    /// At a third place, and codes for each block that may be shorter with them.
    More,
}

impl Effort {
    fn fixed_bits_max(self) -> usize {
        match self {
            Self::Least => 500 * 8,
            Self::More => 50 * 8,
        }
    }
}

/// Literals and matches, and how often each symbol stands.
pub(super) struct Block {
    /// A byte, or a match: [`MATCH`], its size less 3 from bit 16 on, its distance less 1.
    tokens: Vec<u32>,
    literals: [u32; 288],
    distances: [u32; DISTANCES],
    /// How many bits stand behind the symbols.
    extra_bits: usize,
}

const MATCH: u32 = 1 << 31;

thread_local! {
    /// The thread's block, which is empty: of these it uses one at a time.
    static SPARE: Cell<Option<Box<Block>>> = const { Cell::new(None) };
}

/// Lends the thread's block, which is empty.
pub(super) fn with_block<T>(work: impl FnOnce(&mut Block) -> T) -> T {
    let lent = SPARE.try_with(Cell::take);
    let mut block = lent.ok().flatten().unwrap_or_default();
    let output = work(&mut block);
    // A thread that is ending keeps nothing.
    let _ = SPARE.try_with(|spare| spare.set(Some(block)));
    output
}

impl Default for Block {
    fn default() -> Self {
        Self {
            tokens: Vec::new(),
            literals: [0; 288],
            distances: [0; DISTANCES],
            extra_bits: 0,
        }
    }
}

impl Block {
    pub(super) fn is_full(&self) -> bool {
        self.tokens.len() >= TOKENS_MAX
    }

    #[inline]
    pub(super) fn add_literal(&mut self, byte: u8) {
        self.literals[usize::from(byte)] += 1;
        self.tokens.push(u32::from(byte));
    }

    /// `size` from 3 to 258, `distance` from 1 to 32,768.
    #[inline]
    pub(super) fn add_match(&mut self, size: usize, distance: usize) {
        let token = MATCH | ((size - MATCH_SIZE_MIN) as u32) << 16 | (distance - 1) as u32;
        let (size, distance) = (size_symbol(token), distance_symbol(token));
        self.literals[size.symbol] += 1;
        self.distances[distance.symbol] += 1;
        self.extra_bits += (size.extra_count + distance.extra_count) as usize;
        self.tokens.push(token);
    }

    /// Writes the block, which `bytes` are without compression, and empties it; or says that all
    /// would be more than `size_max` bytes.
    #[must_use]
    pub(super) fn write(
        &mut self,
        bytes: &[u8],
        effort: Effort,
        bits: &mut Bits<'_>,
        size_max: usize,
    ) -> bool {
        self.literals[END_OF_BLOCK] = 1;
        let is_written = self.write_shortest(bytes, effort, bits, size_max);
        self.clear();
        is_written
    }

    pub(super) fn clear(&mut self) {
        self.tokens.clear();
        self.literals = [0; 288];
        self.distances = [0; DISTANCES];
        self.extra_bits = 0;
    }

    fn write_shortest(
        &self,
        bytes: &[u8],
        effort: Effort,
        bits: &mut Bits<'_>,
        size_max: usize,
    ) -> bool {
        let fixed = 3
            + FIXED_LITERALS.cost(&self.literals)
            + FIXED_DISTANCES.cost(&self.distances)
            + self.extra_bits;
        // The header, and how many they are, twice; not what fills the byte between them.
        let stored = match bytes.len() {
            0..=STORED_SIZE_MAX => 3 + 32 + 8 * bytes.len(),
            _ => usize::MAX,
        };
        let own = (fixed > effort.fixed_bits_max()).then(|| OwnCodes::new(self));
        let dynamic = own.as_ref().map_or(usize::MAX, |own| own.cost);
        let shortest = fixed.min(stored).min(dynamic);
        if !bits.reserve(shortest, size_max) {
            return false;
        }
        match own {
            _ if shortest == stored => bits.write(|bits| write_stored(bytes, bits)),
            Some(own) if shortest == dynamic => bits.write(|bits| {
                own.write(bits);
                self.write_tokens(&own.literals, &own.distances, bits);
            }),
            _ => bits.write(|bits| {
                bits.add(0b010, 3);
                self.write_tokens(&FIXED_LITERALS, &FIXED_DISTANCES, bits);
            }),
        }
        true
    }

    fn write_tokens(
        &self,
        literals: &Code<288>,
        distances: &Code<DISTANCES>,
        bits: &mut Writer<'_>,
    ) {
        for token in &self.tokens {
            if token & MATCH == 0 {
                bits.pass_before(15);
                literals.write((token & 0xFF) as usize, bits);
            } else {
                bits.pass_before(48);
                let size = size_symbol(*token);
                literals.write(size.symbol, bits);
                bits.add(size.extra, size.extra_count);
                let distance = distance_symbol(*token);
                distances.write(distance.symbol, bits);
                bits.add(distance.extra, distance.extra_count);
            }
        }
        bits.pass_before(15);
        literals.write(END_OF_BLOCK, bits);
    }
}

fn write_stored(bytes: &[u8], bits: &mut Writer<'_>) {
    bits.add(0b000, 3);
    bits.align();
    let size = bytes.len() as u16;
    bits.add_bytes(&size.to_le_bytes());
    bits.add_bytes(&(!size).to_le_bytes());
    bits.add_bytes(bytes);
}

/// A symbol, and the bits behind it.
struct Symbol {
    symbol: usize,
    extra: u64,
    extra_count: u32,
}

/// The symbol for a match's size (§3.2.5).
#[inline]
fn size_symbol(token: u32) -> Symbol {
    let size = (token >> 16 & 0xFF) as usize;
    let place = SIZES.symbols[size];
    let extra_count = SIZES.extra_counts[usize::from(place)];
    Symbol {
        symbol: 257 + usize::from(place),
        extra: size as u64 & ((1 << extra_count) - 1),
        extra_count: u32::from(extra_count),
    }
}

/// The symbol for a match's distance (§3.2.5).
#[inline]
fn distance_symbol(token: u32) -> Symbol {
    let distance = (token & 0x7FFF) as usize;
    // From 256 on, symbols begin at multiples of 128.
    let place = match distance {
        0..256 => distance,
        _ => 256 + (distance >> 7),
    };
    let symbol = DISTANCE_SYMBOLS.symbols[place];
    let extra_count = DISTANCE_SYMBOLS.extra_counts[usize::from(symbol)];
    Symbol {
        symbol: usize::from(symbol),
        extra: distance as u64 & ((1 << extra_count) - 1),
        extra_count: u32::from(extra_count),
    }
}

/// The symbol for each number, and how many bits stand behind each symbol.
///
/// Each power of two has the same count of symbols, and what is below them all one each: so the bits
/// behind a symbol are the number's last ones.
struct Symbols<const N: usize> {
    symbols: [u8; N],
    extra_counts: [u8; 256],
}

static SIZES: Symbols<256> = {
    let mut sizes = Symbols::new(4, 0);
    sizes.symbols[255] = 28;
    sizes.extra_counts[28] = 0;
    sizes
};
static DISTANCE_SYMBOLS: Symbols<512> = Symbols::new(2, 7);

impl<const N: usize> Symbols<N> {
    /// From 256 on, places stand for numbers shifted by `shift`.
    const fn new(each: usize, shift: u32) -> Self {
        let (mut symbols, mut extra_counts) = ([0; N], [0; 256]);
        let mut place = 0;
        while place < N {
            let number = match place {
                0..256 => place,
                _ => (place - 256) << shift,
            };
            let mut extra_count = 0;
            while number >> extra_count >= 2 * each {
                extra_count += 1;
            }
            let symbol = extra_count * each + (number >> extra_count);
            symbols[place] = symbol as u8;
            extra_counts[symbol] = extra_count as u8;
            place += 1;
        }
        Self {
            symbols,
            extra_counts,
        }
    }
}

/// Codes for one block, and how they are told (§3.2.7).
struct OwnCodes {
    literals: Code<288>,
    distances: Code<DISTANCES>,
    literals_count: usize,
    distances_count: usize,
    /// The lengths of both codes, with their runs shortened, and what stands behind each.
    lengths: Lengths,
    lengths_code: Code<19>,
    lengths_count: usize,
    /// How many bits the whole block takes.
    cost: usize,
}

impl OwnCodes {
    fn new(block: &Block) -> Self {
        let literals = Code::best(&block.literals, 15);
        let distances = Code::best(&block.distances, 15);
        let used = |lengths: &[u8]| lengths.iter().rposition(|length| *length > 0).unwrap_or(0) + 1;
        let literals_count = used(&literals.lengths[..LITERALS]).max(257);
        let distances_count = used(&distances.lengths);
        let mut lengths = Lengths::default();
        lengths.add(&literals.lengths[..literals_count]);
        lengths.add(&distances.lengths[..distances_count]);
        let lengths_code = Code::best(&lengths.frequencies, 7);
        let last = ORDER
            .iter()
            .rposition(|symbol| lengths_code.lengths[*symbol] > 0);
        let lengths_count = last.unwrap_or(0).max(3) + 1;
        let cost = 3
            + 14
            + 3 * lengths_count
            + lengths_code.cost(&lengths.frequencies)
            + lengths.extra_bits()
            + literals.cost(&block.literals)
            + distances.cost(&block.distances)
            + block.extra_bits;
        Self {
            literals,
            distances,
            literals_count,
            distances_count,
            lengths,
            lengths_code,
            lengths_count,
            cost,
        }
    }

    fn write(&self, bits: &mut Writer<'_>) {
        bits.pass();
        bits.add(0b100, 3);
        bits.add((self.literals_count - 257) as u64, 5);
        bits.add((self.distances_count - 1) as u64, 5);
        bits.add((self.lengths_count - 4) as u64, 4);
        for symbol in &ORDER[..self.lengths_count] {
            bits.pass_before(3);
            bits.add(u64::from(self.lengths_code.lengths[*symbol]), 3);
        }
        for (symbol, extra) in self.lengths.runs() {
            bits.pass_before(14);
            self.lengths_code.write(symbol, bits);
            bits.add(u64::from(extra), run_bits(symbol));
        }
    }
}

/// How many bits stand behind the symbol of a run.
fn run_bits(symbol: usize) -> u32 {
    match symbol {
        16 => 2,
        17 => 3,
        18 => 7,
        _ => 0,
    }
}

/// The lengths of codes, with their runs shortened.
struct Lengths {
    /// Each symbol, and what stands behind it.
    runs: [(u8, u8); LITERALS + DISTANCES],
    count: usize,
    frequencies: [u32; 19],
}

impl Default for Lengths {
    fn default() -> Self {
        Self {
            runs: [(0, 0); LITERALS + DISTANCES],
            count: 0,
            frequencies: [0; 19],
        }
    }
}

impl Lengths {
    fn add(&mut self, mut lengths: &[u8]) {
        while let Some(length) = lengths.first() {
            let run = lengths.iter().take_while(|other| *other == length).count();
            lengths = &lengths[run..];
            if *length == 0 {
                self.add_zeros(run);
            } else {
                self.add_run(*length, run);
            }
        }
    }

    fn add_zeros(&mut self, mut run: usize) {
        while run >= 3 {
            let size = run.min(138);
            match size {
                3..=10 => self.push(17, size - 3),
                _ => self.push(18, size - 11),
            }
            run -= size;
        }
        for _ in 0..run {
            self.push(0, 0);
        }
    }

    fn add_run(&mut self, length: u8, mut run: usize) {
        self.push(length, 0);
        run -= 1;
        while run >= 3 {
            let size = run.min(6);
            self.push(16, size - 3);
            run -= size;
        }
        for _ in 0..run {
            self.push(length, 0);
        }
    }

    fn push(&mut self, symbol: u8, extra: usize) {
        self.runs[self.count] = (symbol, extra as u8);
        self.count += 1;
        self.frequencies[usize::from(symbol)] += 1;
    }

    fn runs(&self) -> impl Iterator<Item = (usize, u8)> {
        let runs = &self.runs[..self.count];
        runs.iter()
            .map(|(symbol, extra)| (usize::from(*symbol), *extra))
    }

    fn extra_bits(&self) -> usize {
        let bits = |symbol: usize| self.frequencies[symbol] * run_bits(symbol);
        (bits(16) + bits(17) + bits(18)) as usize
    }
}

//! DEFLATE (RFC 1951) read a second time, bit by bit, with an eye on distances and kinds of blocks.

/// The extra bits and the base of the length codes 257 to 285 (RFC 1951 §3.2.5).
const LENGTHS: [(u32, usize); 29] = [
    (0, 3),
    (0, 4),
    (0, 5),
    (0, 6),
    (0, 7),
    (0, 8),
    (0, 9),
    (0, 10),
    (1, 11),
    (1, 13),
    (1, 15),
    (1, 17),
    (2, 19),
    (2, 23),
    (2, 27),
    (2, 31),
    (3, 35),
    (3, 43),
    (3, 51),
    (3, 59),
    (4, 67),
    (4, 83),
    (4, 99),
    (4, 115),
    (5, 131),
    (5, 163),
    (5, 195),
    (5, 227),
    (0, 258),
];

/// The order of the code lengths of the code length code (RFC 1951 §3.2.7).
const ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// The peer's decompressor, whose context is taken over from message to message.
#[derive(Debug, Default)]
pub struct Reference {
    /// All that ever came out.
    history: Vec<u8>,
    /// The largest distance that was ever looked back.
    pub distance_max: usize,
    /// How many blocks there were: stored, fixed and dynamic.
    pub blocks: [usize; 3],
}

/// Bits, the lowest of a byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> usize {
        (0..count).fold(0, |value, place| value | self.bit() << place)
    }

    fn bit(&mut self) -> usize {
        let bit = self.bytes[self.at / 8] >> (self.at % 8) & 1;
        self.at += 1;
        usize::from(bit)
    }

    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len() * 8
    }
}

/// A Huffman code by its lengths: how many codes there are of each, and the symbols in order.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[usize]) -> Self {
        let mut counts = [0; 16];
        for length in lengths.iter().filter(|length| **length > 0) {
            counts[*length] += 1;
        }
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|s| lengths[*s] > 0).collect();
        symbols.sort_by_key(|symbol| (lengths[*symbol], *symbol));
        Self { counts, symbols }
    }

    fn read(&self, bits: &mut Bits<'_>) -> usize {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code |= bits.bit();
            if code < first + count {
                return self.symbols[index + code - first];
            }
            index += count;
            first = (first + count) * 2;
            code *= 2;
        }
        panic!("a code that no symbol has");
    }
}

impl Reference {
    /// Decompresses a message's payload, or panics at the first thing that is wrong with it.
    pub fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        let start = self.history.len();
        let bytes = [payload, &[0x00, 0x00, 0xFF, 0xFF]].concat();
        let mut bits = Bits {
            bytes: &bytes,
            at: 0,
        };
        while !bits.is_at_end() {
            let is_final = bits.bit() == 1;
            self.block(&mut bits);
            if is_final {
                bits.align();
            }
        }
        self.history[start..].to_vec()
    }

    /// Forgets what came before.
    pub fn reset(&mut self) {
        self.history.clear();
    }

    fn block(&mut self, bits: &mut Bits<'_>) {
        let kind = bits.take(2);
        self.blocks[kind] += 1;
        let (literals, distances) = match kind {
            0 => return self.stored(bits),
            1 => {
                let mut lengths = [8; 288];
                lengths[144..256].fill(9);
                lengths[256..280].fill(7);
                (Code::new(&lengths), Code::new(&[5; 30]))
            }
            _ => dynamic_codes(bits),
        };
        loop {
            match literals.read(bits) {
                256 => return,
                literal @ 0..256 => self.history.push(literal as u8),
                symbol => {
                    let (extra, base) = LENGTHS[symbol - 257];
                    let length = base + bits.take(extra);
                    let distance = read_distance(&distances, bits);
                    self.copy(distance, length);
                }
            }
        }
    }

    fn stored(&mut self, bits: &mut Bits<'_>) {
        bits.align();
        let size = bits.take(16);
        assert_eq!(bits.take(16), !size & 0xFFFF);
        for _ in 0..size {
            let byte = bits.take(8) as u8;
            self.history.push(byte);
        }
    }

    fn copy(&mut self, distance: usize, length: usize) {
        assert!(distance <= self.history.len(), "beyond the first byte");
        self.distance_max = self.distance_max.max(distance);
        for _ in 0..length {
            self.history
                .push(self.history[self.history.len() - distance]);
        }
    }
}

fn read_distance(code: &Code, bits: &mut Bits<'_>) -> usize {
    let symbol = code.read(bits);
    if symbol < 4 {
        return symbol + 1;
    }
    let extra = symbol / 2 - 1;
    ((2 + symbol % 2) << extra) + 1 + bits.take(extra as u32)
}

fn dynamic_codes(bits: &mut Bits<'_>) -> (Code, Code) {
    let (literals, distances) = (bits.take(5) + 257, bits.take(5) + 1);
    let count = bits.take(4) + 4;
    let mut lengths = [0; 19];
    for place in &ORDER[..count] {
        lengths[*place] = bits.take(3);
    }
    let code = Code::new(&lengths);
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (length, times) = match code.read(bits) {
            16 => (
                *lengths.last().expect("something to repeat"),
                3 + bits.take(2),
            ),
            17 => (0, 3 + bits.take(3)),
            18 => (0, 11 + bits.take(7)),
            length => (length, 1),
        };
        lengths.extend(std::iter::repeat_n(length, times));
    }
    assert_eq!(lengths.len(), literals + distances);
    (
        Code::new(&lengths[..literals]),
        Code::new(&lengths[literals..]),
    )
}

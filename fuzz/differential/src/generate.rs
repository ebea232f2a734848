//! Random streams: frames that are mostly right, and then perhaps changed at random.

use fastrand::Rng;
use talkback_proto::Role;

/// The limit of the decoders on frames and messages, in bytes.
pub(crate) const SIZE_MAX: usize = 1000;

/// How many of the texts end where a code point does.
const RIGHT_TEXTS: usize = 4;

const TEXTS: [&[u8]; 9] = [
    b"",
    b"Hello",
    "안녕하세요".as_bytes(),
    "é한😀".as_bytes(),
    b"\xed\x95",
    b"\x9c and on",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xff",
];

const CODES: [u16; 16] = [
    0, 999, 1000, 1001, 1003, 1004, 1005, 1006, 1011, 1014, 1015, 1016, 2999, 3000, 4999, 5000,
];

/// What the peer of an end in `role` sends.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) role: Role,
    pub(crate) wire: Vec<u8>,
}

/// Whether the sender keeps to the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Right,
    Wild,
}

struct Sender {
    rng: Rng,
    role: Role,
    style: Style,
    is_in_message: bool,
    wire: Vec<u8>,
}

impl Case {
    pub(crate) fn generate(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut sender = Sender {
            role: if rng.bool() {
                Role::Client
            } else {
                Role::Server
            },
            style: if rng.bool() {
                Style::Right
            } else {
                Style::Wild
            },
            is_in_message: false,
            wire: Vec::new(),
            rng,
        };
        for _ in 0..sender.rng.usize(1..12) {
            sender.frame();
        }
        if sender.is_wild(2) {
            for _ in 0..sender.rng.usize(1..4) {
                mutate(&mut sender.rng, &mut sender.wire);
            }
        }
        Self {
            seed,
            role: sender.role,
            wire: sender.wire,
        }
    }
}

impl Sender {
    /// Whether a rule is to be broken, which a wild sender does once in `times`.
    fn is_wild(&mut self, times: u8) -> bool {
        self.style == Style::Wild && self.rng.u8(..times) == 0
    }

    fn frame(&mut self) {
        let (first, payload) = match self.rng.u8(..24) {
            0..=2 => (0x89, self.text(2)),
            3..=4 => (0x8A, self.text(2)),
            5 => (0x88, self.close()),
            6 if self.is_wild(2) => (self.rng.u8(..), self.text(3)),
            _ => {
                let fin = if self.rng.bool() { 0x80 } else { 0 };
                let opcode = if self.is_in_message {
                    0
                } else {
                    self.rng.u8(1..=2)
                };
                self.is_in_message = fin == 0;
                (fin | opcode, self.data())
            }
        };
        let is_masked = (self.role == Role::Server) != self.is_wild(30);
        let key = is_masked.then(|| [self.rng.u8(..), 0, self.rng.u8(..), 0]);
        self.encode(first, key, &payload);
    }

    /// Data up to the limit, or over it.
    fn data(&mut self) -> Vec<u8> {
        match self.rng.u8(..12) {
            0 => vec![b'x'; self.rng.usize(120..130)],
            1 if self.is_wild(2) => vec![b'y'; self.rng.usize(SIZE_MAX - 3..SIZE_MAX + 3)],
            2 => vec![b'z'; self.rng.usize(..SIZE_MAX / 3)],
            _ => self.text(4),
        }
    }

    /// Pieces of text.
    fn text(&mut self, pieces_max: usize) -> Vec<u8> {
        let mut text = Vec::new();
        for _ in 0..self.rng.usize(..=pieces_max) {
            let known = if self.is_wild(4) {
                TEXTS.len()
            } else {
                RIGHT_TEXTS
            };
            text.extend_from_slice(TEXTS[self.rng.usize(..known)]);
        }
        text
    }

    fn close(&mut self) -> Vec<u8> {
        match self.rng.u8(..8) {
            0 => Vec::new(),
            1 if self.is_wild(1) => vec![self.rng.u8(..)],
            2 if self.is_wild(1) => vec![b'c'; self.rng.usize(123..128)],
            _ => {
                let any = self.rng.u16(..);
                let listed = CODES[self.rng.usize(..CODES.len())];
                let code = match self.style {
                    Style::Right => self.rng.u16(3000..5000),
                    Style::Wild if self.rng.bool() => any,
                    Style::Wild => listed,
                };
                [&code.to_be_bytes()[..], &self.text(2)].concat()
            }
        }
    }

    /// Adds a frame. A wild sender may write its length in more bytes than it needs.
    fn encode(&mut self, first: u8, key: Option<[u8; 4]>, payload: &[u8]) {
        let mask_bit = if key.is_some() { 0x80 } else { 0 };
        let size = payload.len();
        let longer = if self.is_wild(20) {
            self.rng.u8(..3)
        } else {
            0
        };
        self.wire.push(first);
        match (size, longer) {
            (..=125, 0) => self.wire.push(mask_bit | size as u8),
            (..=0xFFFF, ..=1) => {
                self.wire.push(mask_bit | 126);
                self.wire.extend((size as u16).to_be_bytes());
            }
            _ => {
                self.wire.push(mask_bit | 127);
                self.wire.extend((size as u64).to_be_bytes());
            }
        }
        self.wire.extend(key.into_iter().flatten());
        let key = key.unwrap_or_default();
        let masked = payload.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k);
        self.wire.extend(masked);
    }
}

fn mutate(rng: &mut Rng, wire: &mut Vec<u8>) {
    let place = rng.usize(..=wire.len());
    match rng.u8(..5) {
        0 => wire.truncate(place),
        1 => wire.insert(place, rng.u8(..)),
        2 if place < wire.len() => drop(wire.remove(place)),
        3 if place < wire.len() => wire[place] = rng.u8(..),
        _ if place < wire.len() => wire[place] ^= 1 << rng.u8(..8),
        _ => {}
    }
}

//! What the first bytes of an input choose for a connection, and the bytes that its peer sends.

use talkback_proto::{Limits, READ_SIZE, Role};
use talkback_testing::wire;

/// The first bytes: flags, three sizes, what the caller does, and where.
const PREFIX_SIZE: usize = 6;

/// The most bytes that a short input may stand for, unless it is to fill more than a read buffer.
const WIRE_SIZE_MAX: usize = 3 * 1024;
const LARGE_WIRE_SIZE_MAX: usize = 80 * 1024;

/// The most reads of a session, by and large: what is long is not read byte by byte.
const READS_MAX: usize = 512;

const SMALL_LIMITS: u8 = 0x01;
const LATE_WRITES: u8 = 0x02;
const FRAMES: u8 = 0x04;
const INTO_MESSAGE: u8 = 0x08;
const LARGE: u8 = 0x30;

/// What the caller does in the middle of what the peer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Nothing,
    Close,
    CloseWithReason,
    HalfClose,
    Send,
    Ping,
}

impl Action {
    /// Whether the caller's own close frame goes out.
    pub(crate) fn is_close(self) -> bool {
        matches!(self, Self::Close | Self::CloseWithReason | Self::HalfClose)
    }
}

/// When the output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    AtOnce,
    AtEnd,
}

/// Where arriving bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Always to the read buffer.
    Buffer,
    /// To the message itself where the connection offers space.
    Message,
}

/// One session: what the peer sends, and how it is received.
#[derive(Clone, Debug)]
pub struct Plan {
    pub role: Role,
    pub limits: Limits,
    pub writes: Writes,
    pub path: Path,
    /// The sizes of the reads, over and over.
    pub sizes: [usize; 3],
    pub action: Action,
    /// How many bytes come before the action.
    pub action_at: usize,
    pub wire: Vec<u8>,
}

impl Plan {
    /// Reads a plan from an input; `None` if it is too short for one.
    pub fn read(role: Role, input: &[u8]) -> Option<Self> {
        let (prefix, rest) = input.split_first_chunk::<PREFIX_SIZE>()?;
        let [flags, first, second, third, action, action_at] = *prefix;
        let size_max = if flags & LARGE == LARGE {
            LARGE_WIRE_SIZE_MAX
        } else {
            WIRE_SIZE_MAX
        };
        let wire = if flags & FRAMES == 0 {
            rest.to_vec()
        } else {
            frames(role, rest, size_max)
        };
        let limits = if flags & SMALL_LIMITS == 0 {
            Limits::default()
        } else {
            Limits::default().message_size_max(1000).fragments_max(5)
        };
        Some(Self {
            role,
            limits,
            writes: if flags & LATE_WRITES == 0 {
                Writes::AtOnce
            } else {
                Writes::AtEnd
            },
            path: if flags & INTO_MESSAGE == 0 {
                Path::Buffer
            } else {
                Path::Message
            },
            sizes: [first, second, third].map(|byte| size(byte).max(wire.len() / READS_MAX)),
            action: match action % 8 {
                0 => Action::Close,
                1 => Action::CloseWithReason,
                2 => Action::Send,
                3 => Action::Ping,
                4 => Action::HalfClose,
                _ => Action::Nothing,
            },
            action_at: wire.len() * usize::from(action_at) / 255,
            wire,
        })
    }
}

/// Sizes of reads: small ones as they are, then ever larger.
fn size(byte: u8) -> usize {
    match byte {
        0..=127 => usize::from(byte) + 1,
        128..=254 => usize::from(byte - 127) * 1024,
        255 => READ_SIZE * 4,
    }
}

/// Frames with a right length and mask, so that the fuzzer need not find those: for each a first
/// byte, the size of a piece of payload, how often it is repeated, and the piece.
fn frames(role: Role, mut rest: &[u8], size_max: usize) -> Vec<u8> {
    let (mut wire, key) = (Vec::new(), peer_key(role));
    while let [first, size, repeats, behind @ ..] = rest {
        let (piece, behind) = behind.split_at(behind.len().min(usize::from(*size)));
        rest = behind;
        let repeats = match usize::from(*repeats) {
            repeats @ 0..=31 => repeats,
            many => (many - 30) * (many - 30) / 8,
        };
        let capacity = size_max - wire.len();
        let count = repeats.min(capacity / piece.len().max(1));
        wire.extend(wire::frame(*first, key, &piece.repeat(count)));
        if wire.len() >= size_max {
            wire.truncate(size_max);
            break;
        }
    }
    wire
}

/// The masking key of the frames that come to an end in `role` (RFC 6455 §5.1).
pub(crate) fn peer_key(role: Role) -> Option<[u8; 4]> {
    match role {
        Role::Server => Some(wire::KEY),
        Role::Client => None,
    }
}

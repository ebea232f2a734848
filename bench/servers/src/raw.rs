//! The least that an echo server has to do: frames are turned round where they lie, without a library.
//!
//! It holds a client to no rule but those that it needs to find the next frame.

use std::ops::Range;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Where a read goes in the buffer: what is before it takes the beginning of a header that was cut.
pub const RESERVE: usize = 16;

const READ_SIZE: usize = 512 << 10;
const KEY_HEADER: &[u8] = b"sec-websocket-key:";
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const OPCODE: u8 = 0x0f;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A buffer that all connections read into.
#[must_use]
pub fn space() -> Vec<u8> {
    vec![0; RESERVE + READ_SIZE]
}

/// What a connection remembers between two reads.
#[derive(Debug, Default)]
pub struct Echo {
    is_open: bool,
    /// A close frame came.
    pub is_closed: bool,
    /// The beginning of a header.
    head: [u8; RESERVE],
    head_size: usize,
    /// How much of the payload is to come, and the key at its place.
    remaining: usize,
    key: [u8; 4],
}

impl Echo {
    /// The handshake was answered.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// What has come ends where a frame does.
    #[must_use]
    pub fn is_between_frames(&self) -> bool {
        self.head_size == 0 && self.remaining == 0
    }

    /// Turns `size` bytes that were read to [`RESERVE`] into what is sent back; returns where that
    /// lies. The whole of a request comes with one read.
    pub fn turn(&mut self, buffer: &mut [u8], size: usize) -> Range<usize> {
        let end = RESERVE + size;
        if !self.is_open {
            self.is_open = true;
            let answer = answer(&buffer[RESERVE..end]);
            buffer[RESERVE..][..answer.len()].copy_from_slice(answer.as_bytes());
            return RESERVE..RESERVE + answer.len();
        }
        let mut at = RESERVE - self.head_size;
        buffer[at..RESERVE].copy_from_slice(&self.head[..self.head_size]);
        self.head_size = 0;
        let (mut begin, mut to) = (at, at);
        if self.remaining > 0 {
            at = self.payload(buffer, at, to, end);
            to = at;
        }
        while at < end {
            let bytes = &buffer[at..end];
            let Some(Header {
                first,
                size,
                payload,
                key,
            }) = Header::parse(bytes)
            else {
                self.head_size = bytes.len();
                self.head[..bytes.len()].copy_from_slice(bytes);
                break;
            };
            // A server's header lacks the key.
            let size_out = size - 4;
            if to == begin {
                // The first payload stays where it is.
                begin = at + 4;
                to = begin;
            }
            buffer.copy_within(at + 1..at + size_out, to + 1);
            buffer[to] = match first & OPCODE {
                PING => first & !OPCODE | PONG,
                _ => first,
            };
            buffer[to + 1] &= 0x7f;
            self.is_closed |= first & OPCODE == CLOSE;
            (self.remaining, self.key) = (payload, key);
            at += size;
            to += size_out;
            let after = self.payload(buffer, at, to, end);
            to += after - at;
            at = after;
        }
        begin..to
    }

    /// Unmasks what is there of the payload and moves it; returns where it ended.
    fn payload(&mut self, buffer: &mut [u8], from: usize, to: usize, end: usize) -> usize {
        let size = self.remaining.min(end - from);
        self.remaining -= size;
        if size < 64 {
            unmask_small(buffer, from, to, size, self.key);
        } else {
            if from != to {
                buffer.copy_within(from..from + size, to);
            }
            unmask(&mut buffer[to..to + size], self.key);
        }
        self.key.rotate_left(size % 4);
        from + size
    }
}

struct Header {
    first: u8,
    size: usize,
    payload: usize,
    key: [u8; 4],
}

impl Header {
    #[inline]
    fn parse(bytes: &[u8]) -> Option<Self> {
        let &[first, second, ..] = bytes else {
            return None;
        };
        let (size, payload) = match second & 0x7f {
            126 => (
                8,
                usize::from(u16::from_be_bytes(*bytes[2..].first_chunk()?)),
            ),
            127 => (14, u64::from_be_bytes(*bytes[2..].first_chunk()?) as usize),
            short => (6, usize::from(short)),
        };
        let key = *bytes.get(size - 4..size)?.first_chunk()?;
        Some(Self {
            first,
            size,
            payload,
            key,
        })
    }
}

fn unmask(bytes: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for chunk in words {
        *chunk = (u64::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

/// Unmasks a few bytes on their way to an earlier place: a word is read before its place is written.
#[inline]
fn unmask_small(buffer: &mut [u8], from: usize, to: usize, size: usize, key: [u8; 4]) {
    let bytes = &mut buffer[to..from + size];
    let gap = from - to;
    let [a, b, c, d] = key;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut at = 0;
    while at + 8 <= size {
        let read = *bytes[gap + at..]
            .first_chunk()
            .expect("it is in the payload");
        let unmasked = u64::from_ne_bytes(read) ^ word;
        bytes[at..at + 8].copy_from_slice(&unmasked.to_ne_bytes());
        at += 8;
    }
    while at < size {
        bytes[at] = bytes[gap + at] ^ key[at % 4];
        at += 1;
    }
}

/// The 101 to a request.
fn answer(request: &[u8]) -> String {
    let lines = request.split(|byte| *byte == b'\n');
    let mut keys = lines.filter_map(|line| line.split_at_checked(KEY_HEADER.len()));
    let key = keys.find(|(name, _)| name.eq_ignore_ascii_case(KEY_HEADER));
    let key = key.map_or(&b""[..], |(_, value)| value.trim_ascii());
    let mut digest = sha1_smol::Sha1::from(key);
    digest.update(GUID.as_bytes());
    let accept = BASE64_STANDARD.encode(digest.digest().bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-accept: {accept}\r\n\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A binary frame as a client sends it, and as it comes back.
    fn frame(size: usize, key: [u8; 4]) -> (Vec<u8>, Vec<u8>) {
        let header = match size {
            0..126 => vec![0x82, size as u8],
            126..65536 => [&[0x82, 126][..], &(size as u16).to_be_bytes()].concat(),
            _ => [&[0x82, 127][..], &(size as u64).to_be_bytes()].concat(),
        };
        let payload: Vec<u8> = (0..size).map(|index| index as u8).collect();
        let masked = payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key);
        let mut sent = header.clone();
        sent[1] |= 0x80;
        sent.extend(key);
        sent.extend(masked);
        (sent, [header, payload].concat())
    }

    /// However the bytes are cut into reads, the same comes back.
    #[test]
    fn every_cut_echoes_the_same() {
        let sizes = [20, 0, 1, 63, 64, 125, 126, 300, 70_000, 7];
        let frames = sizes.map(|size| frame(size, [1, size as u8, 3, 4]));
        let sent: Vec<u8> = frames.iter().flat_map(|(sent, _)| sent.clone()).collect();
        let expected: Vec<u8> = frames.iter().flat_map(|(_, back)| back.clone()).collect();
        for cut in [1, 2, 3, 5, 13, 14, 15, 64, 1000, sent.len()] {
            let mut echo = Echo {
                is_open: true,
                ..Echo::default()
            };
            let mut buffer = space();
            let mut back = Vec::new();
            for piece in sent.chunks(cut) {
                buffer[RESERVE..][..piece.len()].copy_from_slice(piece);
                let range = echo.turn(&mut buffer, piece.len());
                back.extend_from_slice(&buffer[range]);
            }
            assert!(back == expected, "cut every {cut} bytes");
            assert!(echo.is_between_frames(), "cut every {cut} bytes");
        }
    }

    /// The example of RFC 6455 §1.3.
    #[test]
    fn the_key_is_accepted() {
        let answer =
            answer(b"GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        assert!(answer.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    }
}

//! The rows of the table: which messages, which way, and how many of them at once.

use std::hint::black_box;

use flate2::{Compress, Compression, FlushCompress};

/// What the columns that compress have agreed on: neither end keeps a context.
pub(crate) const EXTENSION: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// The key of all frames that are decoded.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// As a server: masked frames in, messages out.
    Decode,
    /// As a client: payloads in, masked frames out.
    Encode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Binary,
    /// Binary, by permessage-deflate without context takeover.
    Compressed,
}

/// What is done with a decoded message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Bytes,
    /// It is read as a `&str`.
    Str,
}

#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) direction: Direction,
    pub(crate) kind: Kind,
    /// The payload is this, over and over, up to `size` bytes.
    pattern: &'static str,
    pub(crate) size: usize,
    /// How many frames one read brings at most, or one flush writes.
    pub(crate) batch: usize,
    /// How many messages make a good count; a multiple of `batch`.
    pub(crate) count: usize,
    pub(crate) used: Use,
}

const JSON: &str = r#"{"id":4711,"symbol":"KRW-BTC","price":143250000.5,"size":0.0125},"#;
/// One byte in three code points; a size that is a multiple of 64 ends with a whole one.
const MIXED: &str = "안녕하세요, 여러분! 오늘은 날씨가 좋습니다.~";

const fn decode(name: &'static str, about: &'static str, size: usize) -> Case {
    Case {
        name,
        about,
        direction: Direction::Decode,
        kind: Kind::Binary,
        pattern: JSON,
        size,
        batch: 1,
        count: 1000,
        used: Use::Bytes,
    }
}

const fn text(case: Case, pattern: &'static str, used: Use) -> Case {
    Case {
        kind: Kind::Text,
        pattern,
        used,
        count: 200,
        ..case
    }
}

const fn batch(case: Case, batch: usize) -> Case {
    Case {
        batch,
        count: 16 * batch,
        ..case
    }
}

const fn few(case: Case) -> Case {
    Case { count: 24, ..case }
}

const fn compressed(case: Case) -> Case {
    Case {
        kind: Kind::Compressed,
        count: 200,
        ..case
    }
}

const fn encode(case: Case) -> Case {
    Case {
        direction: Direction::Encode,
        ..case
    }
}

const K16: usize = 16 * 1024;
const M1: usize = 1024 * 1024;

#[rustfmt::skip]
pub(crate) const CASES: &[Case] = &[
    batch(decode("decode-64-many", "decode 64 B binary, 1024 frames behind one another", 64), 1024),
    decode("decode-64-one", "decode 64 B binary, one frame a read", 64),
    text(decode("decode-16k-ascii", "decode 16 KiB of ASCII text", K16), JSON, Use::Bytes),
    text(decode("decode-16k-ascii-str", "… and read it as `&str`", K16), JSON, Use::Str),
    text(decode("decode-16k-mixed", "decode 16 KiB of Korean text", K16), MIXED, Use::Bytes),
    text(decode("decode-16k-mixed-str", "… and read it as `&str`", K16), MIXED, Use::Str),
    few(decode("decode-1m", "decode 1 MiB binary", M1)),
    compressed(decode("decode-1k-deflate", "decode 1 KiB JSON, compressed", 1024)),
    batch(encode(decode("encode-64-many", "encode 64 B binary, 64 frames a flush", 64)), 64),
    encode(decode("encode-64-one", "encode 64 B binary, each flushed", 64)),
    encode(text(decode("encode-16k-ascii", "encode 16 KiB of ASCII text", K16), JSON, Use::Bytes)),
    few(encode(decode("encode-1m", "encode 1 MiB binary", M1))),
    compressed(encode(decode("encode-1k-deflate", "encode 1 KiB JSON, compressed", 1024))),
];

impl Case {
    pub(crate) fn payload(&self) -> String {
        let mut payload = String::with_capacity(self.size);
        let mut chars = self.pattern.chars().cycle();
        while let Some(next) = chars.next()
            && payload.len() + next.len_utf8() <= self.size
        {
            payload.push(next);
        }
        // What is left is less than a code point.
        while payload.len() < self.size {
            payload.push('.');
        }
        payload
    }

    /// What the peer sends: `batch` masked frames.
    pub(crate) fn wire(&self) -> Vec<u8> {
        let payload = self.payload().into_bytes();
        let (first, payload) = match self.kind {
            Kind::Text => (0x81, payload),
            Kind::Binary => (0x82, payload),
            Kind::Compressed => (0xC2, deflate(&payload)),
        };
        let mut frame = vec![first];
        match payload.len() {
            size @ 0..126 => frame.push(0x80 | size as u8),
            size @ 126..0x1_0000 => {
                frame.push(0x80 | 126);
                frame.extend((size as u16).to_be_bytes());
            }
            size => {
                frame.push(0x80 | 127);
                frame.extend((size as u64).to_be_bytes());
            }
        }
        frame.extend(KEY);
        let keys = KEY.iter().cycle();
        frame.extend(payload.iter().zip(keys).map(|(byte, key)| byte ^ key));
        frame.repeat(self.batch)
    }

    /// How many bytes a frame of this case has on the wire.
    pub(crate) fn frame_size(&self) -> usize {
        self.wire().len() / self.batch
    }

    /// Takes a decoded message.
    pub(crate) fn take(&self, payload: &[u8]) {
        assert_eq!(
            payload.len(),
            self.size,
            "a message came out with another size"
        );
        black_box(payload);
    }

    /// Takes the first decoded message, whose bytes are looked at.
    pub(crate) fn compare(&self, payload: &[u8]) {
        assert!(
            payload == self.payload().as_bytes(),
            "a message came out differently"
        );
    }
}

/// As RFC 7692 §7.2.1 says: flushed, and without the last four bytes.
fn deflate(payload: &[u8]) -> Vec<u8> {
    let mut deflated = Vec::with_capacity(payload.len() + 64);
    Compress::new(Compression::default(), false)
        .compress_vec(payload, &mut deflated, FlushCompress::Sync)
        .expect("the buffer has capacity");
    let tail = deflated.split_off(deflated.len() - 4);
    assert_eq!(tail, [0, 0, 0xFF, 0xFF], "a flush ends with an empty block");
    deflated
}

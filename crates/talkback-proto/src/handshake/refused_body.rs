//! The beginning of the body of a response that refuses the handshake.

use std::fmt;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use http::{Response, StatusCode};

use super::grammar::{Occurrence, single};

/// How many bytes of the body are kept.
const BODY_SIZE_MAX: usize = 4096;

/// How many bytes are read for them: a transfer coding can make a small body endless.
const READ_SIZE_MAX: usize = 16 * 1024;

/// Collects the beginning of a refused response's body, at most 4,096 bytes, from bytes as they
/// arrive (RFC 7230 §3.3.3).
///
/// ```
/// use talkback_proto::handshake::{HandshakeError, HeadLimits, HeadReader, RefusedBody};
///
/// let bytes = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\ngo away";
/// let mut reader = HeadReader::new(HeadLimits::default());
/// let head_size = reader.handle(bytes)?.expect("the head is complete");
/// let response = reader.response()?;
/// let mut body = RefusedBody::new(&response);
/// assert!(body.handle(&bytes[head_size..]), "nothing more is needed");
/// let error = HandshakeError::refused(&response, body.finish());
/// # Ok::<(), HandshakeError>(())
/// ```
#[derive(Clone)]
pub struct RefusedBody {
    framing: Framing,
    body: Vec<u8>,
    read_size: usize,
}

/// Shows the body's size only, as [`Refused`](super::Refused) does.
impl fmt::Debug for RefusedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefusedBody")
            .field("framing", &self.framing)
            .field("body_size", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// Nothing more belongs to the body, or is wanted of it.
    Done,
    /// So many bytes are left.
    Length(u64),
    UntilEof,
    Chunked(Chunk),
}

/// ```text
/// Size ──► Extension ──► Data ──► DataEnd ──► Size …
///   └───────── size 0: Framing::Done
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    /// In the digits of the size, of which there was at least one or none.
    Size { size: Option<u64> },
    /// Behind the digits, up to the line's end.
    Extension { size: u64 },
    /// In the data, of which so many bytes are left.
    Data { left: u64 },
    /// In the CR LF behind the data.
    DataEnd,
}

impl RefusedBody {
    /// Reads from the head where the body ends: its chunked coding, its `Content-Length`, or else
    /// the end of the connection.
    #[must_use]
    pub fn new<T>(response: &Response<T>) -> RefusedBody {
        let status = response.status();
        // These have no body, whatever their headers say.
        let has_no_body = status.is_informational()
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED;
        let framing = if has_no_body {
            Framing::Done
        } else {
            framing(response.headers())
        };
        RefusedBody {
            framing,
            body: Vec::new(),
            read_size: 0,
        }
    }

    /// Takes the next bytes behind the head; says whether the body is complete, or as much of it
    /// as is kept.
    ///
    /// With no bytes at all it only says so. When the connection ends, the body does too.
    pub fn handle(&mut self, mut bytes: &[u8]) -> bool {
        while self.framing != Framing::Done && !bytes.is_empty() {
            let space = READ_SIZE_MAX - self.read_size;
            bytes = &bytes[..bytes.len().min(space)];
            let taken = self.step(bytes);
            self.read_size += taken;
            bytes = &bytes[taken..];
            if self.body.len() >= BODY_SIZE_MAX || self.read_size >= READ_SIZE_MAX {
                self.framing = Framing::Done;
            }
        }
        self.framing == Framing::Done
    }

    /// Gives what was kept, at most 4,096 bytes, without its transfer coding.
    #[must_use]
    pub fn finish(self) -> Bytes {
        Bytes::from(self.body)
    }

    /// Takes at least one of `bytes`, which are not empty, and says how many.
    fn step(&mut self, bytes: &[u8]) -> usize {
        match self.framing {
            Framing::Done => bytes.len(),
            Framing::UntilEof => self.keep(bytes, u64::MAX),
            Framing::Length(left) => {
                let taken = self.keep(bytes, left);
                self.framing = match left - taken as u64 {
                    0 => Framing::Done,
                    left => Framing::Length(left),
                };
                taken
            }
            Framing::Chunked(Chunk::Data { left }) => {
                let taken = self.keep(bytes, left);
                self.framing = Framing::Chunked(match left - taken as u64 {
                    0 => Chunk::DataEnd,
                    left => Chunk::Data { left },
                });
                taken
            }
            Framing::Chunked(chunk) => {
                self.framing = step_chunk(chunk, bytes[0]);
                1
            }
        }
    }

    /// Keeps what of `bytes` belongs to the next `left` bytes of the body and is wanted; says how
    /// many.
    fn keep(&mut self, bytes: &[u8], left: u64) -> usize {
        let space = BODY_SIZE_MAX - self.body.len();
        let wanted = bytes.len().min(space) as u64;
        let size = usize::try_from(wanted.min(left)).expect("no more than a slice holds");
        self.body.extend_from_slice(&bytes[..size]);
        size
    }
}

fn framing(headers: &HeaderMap) -> Framing {
    let codings = headers.get_all(TRANSFER_ENCODING);
    if let Some(last) = codings.iter().next_back() {
        return if is_chunked(last.as_bytes()) {
            Framing::Chunked(Chunk::Size { size: None })
        } else {
            Framing::UntilEof
        };
    }
    let length = match single(headers, &CONTENT_LENGTH) {
        Occurrence::Once(digits) => parse_length(digits),
        Occurrence::Absent | Occurrence::Repeated => None,
    };
    match length {
        Some(0) => Framing::Done,
        Some(length) => Framing::Length(length),
        None => Framing::UntilEof,
    }
}

/// Says whether the last of the transfer codings is `chunked`.
fn is_chunked(codings: &[u8]) -> bool {
    let last = codings.rsplit(|&byte| byte == b',').next();
    last.is_some_and(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

fn parse_length(digits: &[u8]) -> Option<u64> {
    let is_number = digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok()?;
    text.parse().ok().filter(|_| is_number)
}

/// One byte of what stands around the chunks' data (RFC 7230 §4.1).
fn step_chunk(chunk: Chunk, byte: u8) -> Framing {
    match (chunk, byte) {
        (Chunk::Size { size: Some(size) } | Chunk::Extension { size }, b'\n') => match size {
            0 => Framing::Done,
            left => Framing::Chunked(Chunk::Data { left }),
        },
        (Chunk::Size { size }, digit) if digit.is_ascii_hexdigit() => {
            match add_digit(size.unwrap_or(0), digit) {
                Some(size) => Framing::Chunked(Chunk::Size { size: Some(size) }),
                None => Framing::Done,
            }
        }
        (Chunk::Size { size: Some(size) }, b';' | b' ' | b'\t' | b'\r')
        | (Chunk::Extension { size }, _) => Framing::Chunked(Chunk::Extension { size }),
        (Chunk::DataEnd, b'\r') => Framing::Chunked(Chunk::DataEnd),
        (Chunk::DataEnd, b'\n') => Framing::Chunked(Chunk::Size { size: None }),
        // What is malformed is the body's end: the beginning is all that an error shows.
        (Chunk::Size { .. } | Chunk::DataEnd | Chunk::Data { .. }, _) => Framing::Done,
    }
}

fn add_digit(size: u64, digit: u8) -> Option<u64> {
    let value = char::from(digit).to_digit(16)?;
    size.checked_mul(16)?.checked_add(u64::from(value))
}

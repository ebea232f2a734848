//! Reading the head of an HTTP message in pieces.

use talkback_proto::handshake::{HeadError, HeadLimits, HeadReader};

use crate::cut;

/// The first bytes of an input: flags, and two sizes of reads.
const PREFIX_SIZE: usize = 3;

/// What a head and the types made of it may take: the head, its lines, and a map of them.
const HEAP_BASE: usize = 64 * 1024;
const HEAP_FACTOR: usize = 8;

/// What the peer sends, and how it is read.
pub(crate) struct Plan<'a> {
    pub(crate) limits: HeadLimits,
    pub(crate) sizes: [usize; 2],
    pub(crate) wire: &'a [u8],
}

impl<'a> Plan<'a> {
    /// Reads a plan from an input; `None` if it is too short for one.
    pub(crate) fn read(input: &'a [u8]) -> Option<Self> {
        let (prefix, wire) = input.split_first_chunk::<PREFIX_SIZE>()?;
        let limits = if prefix[0] & 1 == 0 {
            HeadLimits::default()
        } else {
            HeadLimits::default().size_max(300).headers_max(8)
        };
        Some(Self {
            limits,
            sizes: [prefix[1], prefix[2]].map(|size| usize::from(size) + 1),
            wire,
        })
    }

    /// The most bytes of heap that may be used at a moment.
    pub(crate) fn heap_bound(&self) -> isize {
        (HEAP_BASE + HEAP_FACTOR * self.wire.len()) as isize
    }

    /// Hands the bytes to `outcome` whole, in pieces, and byte by byte: it must always be the same.
    pub(crate) fn replay<T: PartialEq + std::fmt::Debug>(
        &self,
        outcome: impl Fn(&[usize]) -> T,
    ) -> T {
        let whole = outcome(&[usize::MAX]);
        for sizes in [&self.sizes[..], &[1]] {
            assert_eq!(outcome(sizes), whole, "{sizes:?}");
        }
        whole
    }

    /// Reads the head; gives its reader and the pieces behind it, or what is wrong.
    pub(crate) fn read_head(
        &self,
        sizes: &[usize],
    ) -> (HeadReader, Result<Vec<&'a [u8]>, HeadError>) {
        let mut reader = HeadReader::new(self.limits);
        let mut behind = Vec::new();
        for piece in cut(self.wire, sizes) {
            match reader.handle(piece) {
                Ok(Some(size)) => behind.push(&piece[size..]),
                Ok(None) => assert!(behind.is_empty(), "a complete head takes no more"),
                Err(error) => {
                    let more = reader.handle(b"GET / HTTP/1.1\r\n\r\n");
                    assert_eq!(more, Err(error), "it stays failed");
                    assert_eq!(reader.request().err(), Some(error));
                    assert_eq!(reader.response().err(), Some(error));
                    return (reader, Err(error));
                }
            }
        }
        (reader, Ok(behind))
    }
}

/// The bytes are one whole response with this status.
pub(crate) fn check_response(bytes: &[u8], status: u16) {
    let rest = read_response(bytes, status);
    assert_eq!(rest, 0, "all of the body is sent, and nothing else");
}

/// As [`check_response`], of a response to HEAD: the size of the body is told, and nothing of it sent.
pub(crate) fn check_response_to_head(bytes: &[u8], status: u16) {
    let rest = read_response(bytes, status);
    assert!(
        rest > 0 && bytes.ends_with(b"\r\n\r\n"),
        "{rest} bytes are left out"
    );
}

/// How many bytes of the body are not there.
fn read_response(bytes: &[u8], status: u16) -> usize {
    let mut reader = HeadReader::new(HeadLimits::default().size_max(64 * 1024));
    let size = reader.handle(bytes).expect("a head of ours is well-formed");
    let size = size.expect("a head of ours is whole");
    let response = reader.response().expect("an answer of ours is a response");
    assert_eq!(response.status(), status);
    let body_size = response.headers().get("content-length");
    let body_size = body_size.map_or(0, |size| {
        let size = size.to_str().ok().and_then(|size| size.parse().ok());
        size.expect("a length of ours is a number")
    });
    let sent_size = bytes.len() - size;
    assert!(sent_size <= body_size, "nothing else is sent");
    body_size - sent_size
}

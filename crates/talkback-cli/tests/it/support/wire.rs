//! Frames and streams by hand.

use std::io::{ErrorKind, Read, Write as _};
use std::net::TcpStream;

use super::LIMIT;

/// The key of RFC 6455 §1.3, and the only right answer to it.
pub(crate) const SAMPLE_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const SAMPLE_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

// The first bytes of frames: FIN and the opcode.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

/// The body of a close frame with 1000.
pub(crate) const NORMAL: [u8; 2] = [0x03, 0xe8];
/// The body of a close frame with 1002.
pub(crate) const PROTOCOL_ERROR: [u8; 2] = [0x03, 0xea];

/// A frame as a server sends it, of at most 125 bytes.
pub(crate) fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    let size = u8::try_from(payload.len()).unwrap();
    [&[first, size], payload].concat()
}

/// A frame as a client sends it, of at most 125 bytes.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let size = u8::try_from(payload.len()).unwrap();
    let mut frame = vec![first, 0x80 | size];
    frame.extend(key);
    frame.extend(unmasked(payload, key));
    frame
}

fn unmasked(payload: &[u8], key: [u8; 4]) -> impl Iterator<Item = u8> {
    let keys = key.into_iter().cycle();
    payload.iter().zip(keys).map(|(byte, key)| byte ^ key)
}

/// A frame that came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) key: Option<[u8; 4]>,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Reads a frame of at most 125 bytes; `None` at the end between two frames.
    pub(crate) fn read(stream: &mut impl Read) -> Option<Self> {
        let [first] = read_or_end(stream)?;
        let [size] = read_or_end(stream).unwrap();
        let key = (size & 0x80 != 0).then(|| read_or_end(stream).unwrap());
        assert!(size & 0x7f <= 125, "a longer frame than these tests have");
        let mut payload = vec![0; usize::from(size & 0x7f)];
        stream.read_exact(&mut payload).unwrap();
        if let Some(key) = key {
            payload = unmasked(&payload, key).collect();
        }
        Some(Self {
            first,
            key,
            payload,
        })
    }

    /// All frames in these bytes, which hold whole frames only.
    pub(crate) fn all(mut bytes: &[u8]) -> Vec<Self> {
        std::iter::from_fn(|| Self::read(&mut bytes)).collect()
    }

    /// What a test expects of a frame, without its key.
    pub(crate) fn content(&self) -> (u8, &[u8]) {
        (self.first, &self.payload)
    }
}

fn read_or_end<const SIZE: usize>(stream: &mut impl Read) -> Option<[u8; SIZE]> {
    let mut bytes = [0; SIZE];
    match stream.read_exact(&mut bytes) {
        Ok(()) => Some(bytes),
        Err(error) if is_end(error.kind()) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Whether the peer has gone; a reset behind its bytes is as good as their end.
fn is_end(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}

/// Each write is a segment, and no read waits for ever.
pub(crate) fn prepare(stream: &TcpStream) {
    stream.set_nonblocking(false).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
}

/// Writes as much as the peer takes before it goes.
pub(crate) fn write(stream: &mut TcpStream, bytes: &[u8]) {
    match stream.write_all(bytes) {
        Ok(()) => {}
        Err(error) if is_end(error.kind()) => {}
        Err(error) => panic!("{error}"),
    }
}

/// Reads to the end; a peer that says nothing for the limit has hung.
pub(crate) fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if is_end(error.kind()) => {}
        Err(error) => panic!("no end: {error}, after {:?}", bytes.escape_ascii()),
    }
    bytes
}

/// Reads up to and with the empty line; what came behind is left in the stream.
pub(crate) fn read_head(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Some([byte]) = read_or_end(stream) else {
            panic!("ended in the head: {:?}", head.escape_ascii());
        };
        head.push(byte);
    }
    head
}

/// Ends the connection with a RST.
pub(crate) fn reset(stream: TcpStream) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let _context = runtime.enter();
    stream.set_nonblocking(true).unwrap();
    let stream = tokio::net::TcpStream::from_std(stream).unwrap();
    stream.set_zero_linger().unwrap();
}

/// How the peer of the program under test ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Fin,
    Reset,
}

/// Does `work` with each number below `count`, in four threads.
pub(crate) fn in_parallel(count: usize, work: impl Fn(usize) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    work(number);
                }
            });
        }
    });
}

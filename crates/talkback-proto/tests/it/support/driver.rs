//! A driver that reads as one over a transport would, and counts its calls.

use std::ops::Range;
use std::time::Instant;

use bytes::{Buf, BufMut, BytesMut};
use talkback_proto::{Connection, Incoming, Limits, Message, READ_SIZE, Role, SMALL_BUFFER_SIZE};

use super::wire::{CLOSE, FIN, parse};
use super::{connection, drain};

/// A connection, read by a driver that counts.
pub(crate) struct Driver {
    pub(crate) connection: Connection,
    /// The one read buffer; made before the heap is counted.
    input: BytesMut,
    pub(crate) now: Instant,
    /// How often the core was called.
    pub(crate) calls: usize,
}

impl Driver {
    pub(crate) fn new(role: Role, limits: &Limits) -> Self {
        Self::on(connection(role, limits))
    }

    /// A driver of a connection that the caller made.
    pub(crate) fn on(connection: Connection) -> Self {
        Self {
            connection,
            input: BytesMut::with_capacity(READ_SIZE + SMALL_BUFFER_SIZE),
            now: Instant::now(),
            calls: 0,
        }
    }

    /// Takes one read of at most [`READ_SIZE`] bytes and hands over what it brings.
    pub(crate) fn read(&mut self, bytes: &[u8], mut take: impl FnMut(&mut Connection, Incoming)) {
        self.input.clear();
        self.input.extend_from_slice(bytes);
        loop {
            self.calls += 1;
            let now = self.now;
            let Some(incoming) = self.connection.receive(&mut self.input, || now) else {
                return;
            };
            take(&mut self.connection, incoming);
        }
    }

    /// Reads into the message itself and says where the bytes lie now.
    pub(crate) fn read_space(
        &mut self,
        bytes: &mut &[u8],
    ) -> Option<(Range<usize>, Option<Message>)> {
        let mut space = self.connection.space()?;
        let size = space.remaining_mut().min(bytes.len());
        let start = space.chunk_mut().as_mut_ptr() as usize;
        space.put_slice(&bytes[..size]);
        bytes.advance(size);
        self.calls += 1;
        let message = match self.connection.receive(&mut BytesMut::new(), || self.now) {
            Some(Incoming::Message(message)) => Some(message),
            other => {
                assert_eq!(other, None, "only a message comes of its own bytes");
                None
            }
        };
        Some((start..start + size, message))
    }

    /// What the peer is told when it is failed.
    pub(crate) fn close_code(&mut self) -> u16 {
        let frames = parse(&drain(&mut self.connection));
        let [frame] = &frames[..] else {
            panic!("one close frame, not {frames:?}");
        };
        assert_eq!(frame.first, FIN | CLOSE);
        u16::from_be_bytes([frame.payload[0], frame.payload[1]])
    }
}

//! talkback-proto alone, driven as `WebSocket<T>` drives it.

use std::hint::black_box;
use std::io::IoSlice;
use std::time::Instant;

use bytes::{Buf, BufMut, BytesMut};
use talkback_proto::{
    CompressionLevel, Connection, DeflateParameters, DeflateTuning, Incoming, Limits, Message,
    Outgoing, READ_SIZE,
};

use crate::case::{Case, Kind, Use};
use crate::transport::Memory;

pub(super) fn decode(case: &Case, count: usize) {
    let mut receiver = Receiver {
        memory: Memory::new(case.wire()),
        connection: with_deflate(Connection::server(Limits::default()), case),
        input: BytesMut::new(),
        now: Instant::now(),
    };
    case.compare(receiver.receive().as_bytes());
    for _ in 0..count {
        let message = receiver.receive();
        case.take(message.as_bytes());
        if case.used == Use::Str {
            black_box(message.as_text());
        }
    }
}

fn with_deflate(connection: Connection, case: &Case) -> Connection {
    match deflate(case) {
        Some(parameters) => connection.with_deflate(&parameters),
        None => connection,
    }
}

/// As talkback's ends agree by default; the level is every zlib's default.
pub(super) fn deflate(case: &Case) -> Option<DeflateParameters> {
    (case.kind == Kind::Compressed).then(|| {
        DeflateParameters::default()
            .server_no_context_takeover(true)
            .client_no_context_takeover(true)
            // That of yawc's column.
            .tuning(DeflateTuning::default().level(CompressionLevel::new(6).expect("it is")))
    })
}

struct Receiver {
    memory: Memory,
    connection: Connection,
    input: BytesMut,
    now: Instant,
}

impl Receiver {
    fn receive(&mut self) -> Message {
        loop {
            let incoming = self.connection.receive(&mut self.input, || self.now);
            if let Some(Incoming::Message(message)) = incoming {
                return message;
            }
            self.read();
        }
    }

    fn read(&mut self) {
        if let Some(mut space) = self.connection.space() {
            let bytes = self.memory.bring(space.remaining_mut());
            space.put_slice(bytes);
            return;
        }
        self.input.reserve(READ_SIZE);
        let bytes = self.memory.bring(self.input.capacity());
        self.input.extend_from_slice(bytes);
    }
}

pub(super) fn encode(case: &Case, count: usize) -> usize {
    let payload = case.payload();
    let mut memory = Memory::default();
    // The other columns pay for strong keys; this one shows what the engine alone costs.
    let connection = Connection::client(Limits::default(), || black_box([1, 2, 3, 4]));
    let mut connection = with_deflate(connection, case);
    for _ in 0..count / case.batch {
        for _ in 0..case.batch {
            let message = match case.kind {
                Kind::Text => Outgoing::from(&payload),
                _ => Outgoing::from(payload.as_bytes()),
            };
            connection.send(message).expect("it is open");
        }
        let output = connection.output();
        while output.has_remaining() {
            let whole = output.chunk();
            if whole.len() == output.remaining() {
                let size = whole.len();
                memory.put(whole);
                output.advance(size);
                continue;
            }
            let mut slices = [IoSlice::new(&[]); 64];
            let filled = output.chunks_vectored(&mut slices);
            let mut size = 0;
            for slice in &slices[..filled] {
                memory.put(slice);
                size += slice.len();
            }
            output.advance(size);
        }
    }
    memory.meter().get()
}

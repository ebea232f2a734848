//! yawc, with its check of UTF-8 turned on.

use std::hint::black_box;

use bytes::Bytes;
use futures_util::SinkExt;
use yawc::{CompressionLevel, Frame, Options, Role, WebSocket};

use crate::case::{Case, EXTENSION, Kind, Use};
use crate::transport::{Memory, run};

/// The largest message that is taken, as with the others.
const SIZE_MAX: usize = 64 << 20;

pub(super) fn decode(case: &Case, count: usize) {
    let mut socket = socket(case, Memory::new(case.wire()), Role::Server);
    run(async {
        case.compare(receive(&mut socket).await.payload());
        for _ in 0..count {
            let frame = receive(&mut socket).await;
            case.take(frame.payload());
            if case.used == Use::Str {
                black_box(frame.as_str());
            }
        }
    });
}

pub(super) fn encode(case: &Case, count: usize) -> usize {
    let payload = case.payload();
    let memory = Memory::default();
    let written = memory.meter();
    let mut socket = socket(case, memory, Role::Client);
    run(async {
        for _ in 0..count / case.batch {
            for _ in 0..case.batch {
                let payload = Bytes::copy_from_slice(payload.as_bytes());
                let frame = match case.kind {
                    Kind::Text => Frame::text(payload),
                    _ => Frame::binary(payload),
                };
                socket.feed(frame).await.expect("it is open");
            }
            socket.flush().await.expect("the transport takes all");
        }
    });
    written.get()
}

fn socket(case: &Case, memory: Memory, role: Role) -> WebSocket<Memory> {
    let options = Options::default()
        .with_utf8()
        .with_limits(SIZE_MAX, 2 * SIZE_MAX);
    let (extension, options) = match case.kind {
        Kind::Compressed => (
            Some(EXTENSION),
            options.with_compression_level(CompressionLevel::default()),
        ),
        _ => (None, options),
    };
    WebSocket::from_stream_with_extensions(memory, role, extension, options)
        .expect("the extension is known")
}

async fn receive(socket: &mut WebSocket<Memory>) -> Frame {
    socket.next_frame().await.expect("the peer is polite")
}

//! fastwebsockets' `FragmentCollector`, which gives whole messages. Each frame is a write.

use std::hint::black_box;

use fastwebsockets::{FragmentCollector, Frame, Payload, Role, WebSocket};

use crate::case::{Case, Kind, Use};
use crate::transport::{Memory, run};

pub(super) fn decode(case: &Case, count: usize) {
    let mut socket = socket(Memory::new(case.wire()), Role::Server);
    run(async {
        case.compare(&receive(&mut socket).await.payload);
        for _ in 0..count {
            let frame = receive(&mut socket).await;
            case.take(&frame.payload);
            if case.used == Use::Str {
                // It has no such function, so the program validates.
                let _ = black_box(simdutf8::basic::from_utf8(&frame.payload));
            }
        }
    });
}

pub(super) fn encode(case: &Case, count: usize) -> usize {
    let payload = case.payload();
    let memory = Memory::default();
    let written = memory.meter();
    let mut socket = socket(memory, Role::Client);
    run(async {
        for _ in 0..count {
            // It copies what is borrowed when it masks.
            let payload = Payload::Borrowed(payload.as_bytes());
            let frame = match case.kind {
                Kind::Text => Frame::text(payload),
                _ => Frame::binary(payload),
            };
            socket.write_frame(frame).await.expect("it is open");
        }
    });
    written.get()
}

fn socket(memory: Memory, role: Role) -> FragmentCollector<Memory> {
    FragmentCollector::new(WebSocket::after_handshake(memory, role))
}

async fn receive<'f>(socket: &mut FragmentCollector<Memory>) -> Frame<'f> {
    socket.read_frame().await.expect("the peer is polite")
}

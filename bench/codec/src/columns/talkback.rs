//! talkback's `WebSocket<T>`.

use std::hint::black_box;

use talkback::{Message, Outgoing, Role, WebSocket};

use super::engine::deflate;
use crate::case::{Case, Kind, Use};
use crate::transport::{Memory, run};

pub(super) fn decode(case: &Case, count: usize) {
    let mut socket = socket(case, Memory::new(case.wire()), Role::Server);
    run(async {
        case.compare(receive(&mut socket).await.as_bytes());
        for _ in 0..count {
            let message = receive(&mut socket).await;
            case.take(message.as_bytes());
            if case.used == Use::Str {
                black_box(message.as_text());
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
                let message = match case.kind {
                    Kind::Text => Outgoing::from(&payload),
                    _ => Outgoing::from(payload.as_bytes()),
                };
                socket.feed(message).await.expect("it is open");
            }
            socket.flush().await.expect("the transport takes all");
        }
    });
    written.get()
}

fn socket(case: &Case, memory: Memory, role: Role) -> WebSocket<Memory> {
    let deflate = deflate(case);
    WebSocket::from_upgraded(memory, role).with_deflate(deflate.as_ref())
}

async fn receive(socket: &mut WebSocket<Memory>) -> Message {
    let message = socket.recv().await.expect("the peer is polite");
    message.expect("the wire has no end")
}

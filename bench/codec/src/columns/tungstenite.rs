//! tungstenite, in its default configuration.

use std::hint::black_box;

use bytes::Bytes;
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use crate::case::{Case, Kind, Use};
use crate::transport::Memory;

pub(super) fn decode(case: &Case, count: usize) {
    let mut socket = socket(Memory::new(case.wire()), Role::Server);
    case.compare(&receive(&mut socket).into_data());
    for _ in 0..count {
        match receive(&mut socket) {
            Message::Text(text) => {
                case.take(text.as_ref());
                if case.used == Use::Str {
                    black_box(text.as_str());
                }
            }
            message => case.take(&message.into_data()),
        }
    }
}

pub(super) fn encode(case: &Case, count: usize) -> usize {
    let payload = case.payload();
    let memory = Memory::default();
    let written = memory.meter();
    let mut socket = socket(memory, Role::Client);
    for _ in 0..count / case.batch {
        for _ in 0..case.batch {
            let message = match case.kind {
                Kind::Text => Message::text(payload.as_str()),
                _ => Message::Binary(Bytes::copy_from_slice(payload.as_bytes())),
            };
            socket.write(message).expect("it is open");
        }
        socket.flush().expect("the transport takes all");
    }
    written.get()
}

fn socket(memory: Memory, role: Role) -> WebSocket<Memory> {
    WebSocket::from_raw_socket(memory, role, None)
}

fn receive(socket: &mut WebSocket<Memory>) -> Message {
    socket.read().expect("the peer is polite")
}

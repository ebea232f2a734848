//! tokio-websockets, in its default configuration.

use std::hint::black_box;

use bytes::BytesMut;
use futures_util::{SinkExt, StreamExt};
use tokio_websockets::{ClientBuilder, Message, Payload, ServerBuilder, WebSocketStream};

use crate::case::{Case, Kind, Use};
use crate::transport::{Memory, run};

pub(super) fn decode(case: &Case, count: usize) {
    let mut socket = ServerBuilder::new().serve(Memory::new(case.wire()));
    run(async {
        case.compare(receive(&mut socket).await.as_payload());
        for _ in 0..count {
            let message = receive(&mut socket).await;
            case.take(message.as_payload());
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
    let mut socket = ClientBuilder::new().take_over(memory);
    run(async {
        for _ in 0..count / case.batch {
            for _ in 0..case.batch {
                let message = match case.kind {
                    Kind::Text => Message::text(payload.clone()),
                    // A buffer that it can mask in place.
                    _ => Message::binary(Payload::from(BytesMut::from(payload.as_bytes()))),
                };
                socket.feed(message).await.expect("it is open");
            }
            socket.flush().await.expect("the transport takes all");
        }
    });
    written.get()
}

async fn receive(socket: &mut WebSocketStream<Memory>) -> Message {
    let message = socket.next().await.expect("the wire has no end");
    message.expect("the peer is polite")
}

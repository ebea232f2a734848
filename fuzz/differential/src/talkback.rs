//! Our decoder.

use std::time::Instant;

use bytes::{Buf, BytesMut};
use talkback_proto::{
    CloseCause, CloseCode, Connection, Incoming, Limits, Message, READ_SIZE, Role,
};

use crate::generate::{Case, SIZE_MAX};
use crate::outcome::{End, Event, Failure, Outcome};
use crate::stream::Stream;

pub(crate) fn receive(case: &Case) -> Outcome {
    let limits = Limits::default().message_size_max(SIZE_MAX as u64);
    let mut connection = match case.role {
        Role::Client => Connection::client(limits, || [1, 2, 3, 4]),
        Role::Server => Connection::server(limits),
    };
    let mut input = BytesMut::new();
    let (mut stream, mut events, now) = (Stream::new(case), Vec::new(), Instant::now());
    loop {
        let piece = stream.piece(READ_SIZE);
        if piece.is_empty() {
            break;
        }
        input.extend_from_slice(piece);
        while let Some(incoming) = connection.receive(&mut input, || now) {
            events.push(event(incoming));
        }
        let size = connection.output().remaining();
        connection.output().advance(size);
    }
    connection.handle_shutdown();
    connection.handle_end("the bytes ran out");
    let end = end(&connection);
    Outcome { events, end }
}

fn event(incoming: Incoming) -> Event {
    match incoming {
        Incoming::Message(Message::Text(text)) => Event::Text(text.as_bytes().to_vec()),
        Incoming::Message(Message::Binary(bytes)) => Event::Binary(bytes.to_vec()),
        Incoming::Ping(payload) => Event::Ping(payload.to_vec()),
        Incoming::Pong(payload) => Event::Pong(payload.to_vec()),
        other => unreachable!("messages are asked for whole, not {other:?}"),
    }
}

fn end(connection: &Connection) -> End {
    let info = connection.close_info().expect("the transport has ended");
    match (&info.cause, info.code) {
        (CloseCause::Protocol(error), _) => End::Failed(Failure::Ours(error.clone())),
        (_, CloseCode::ABNORMAL) => End::Open,
        (_, CloseCode::NO_CODE) => End::Closed(None),
        (_, code) => End::Closed(Some((code.number(), info.reason.clone()))),
    }
}

//! tungstenite, over a blocking transport.

use talkback_proto::Role;
use tungstenite::error::ProtocolError;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, WebSocket, protocol};

use crate::generate::{Case, SIZE_MAX};
use crate::outcome::{End, Event, Failure, Outcome};
use crate::stream::Stream;

pub(super) fn receive(case: &Case) -> Outcome {
    let role = match case.role {
        Role::Client => protocol::Role::Client,
        Role::Server => protocol::Role::Server,
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .max_message_size(Some(SIZE_MAX))
        .max_frame_size(Some(SIZE_MAX));
    let mut socket = WebSocket::from_raw_socket(Stream::new(case), role, Some(config));
    let mut events = Vec::new();
    let end = loop {
        match socket.read() {
            Ok(Message::Text(text)) => events.push(Event::Text(text.as_bytes().to_vec())),
            Ok(Message::Binary(bytes)) => events.push(Event::Binary(bytes.to_vec())),
            Ok(Message::Ping(payload)) => events.push(Event::Ping(payload.to_vec())),
            Ok(Message::Pong(payload)) => events.push(Event::Pong(payload.to_vec())),
            Ok(Message::Close(frame)) => {
                let frame = frame.map(|f| (f.code.into(), f.reason.to_string()));
                break End::Closed(frame);
            }
            Ok(Message::Frame(_)) => unreachable!("it is only ever sent"),
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => break End::Open,
            Err(error) => break End::Failed(Failure::Theirs(error.to_string())),
        }
    };
    Outcome { events, end }
}

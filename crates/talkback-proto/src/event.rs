//! What a connection makes of the bytes that arrive.

use bytes::Bytes;

use crate::message::Message;
use crate::receive::Payload;

/// Something that the peer sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A piece of a data message's payload; it lies in the bytes that were handed in.
    Payload(Payload),
    /// A whole message that came compressed (RFC 7692). Its pieces bring no event.
    Message(Message),
    /// A ping. Its answer comes with the next [`output`](crate::Connection::output).
    Ping(Bytes),
    /// A pong, asked for or not (RFC 6455 §5.5.3).
    Pong(Bytes),
}

/// How far [`Connection::handle_bytes`](crate::Connection::handle_bytes) came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many bytes were used, an event's payload included. Hand in the rest next.
    pub consumed: usize,
    /// What they brought, if anything.
    pub event: Option<Event>,
}

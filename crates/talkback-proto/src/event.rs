//! What a connection makes of the bytes that arrive.

use bytes::Bytes;

use crate::connection::receiving::Payload;
use crate::message::{Message, MessageKind};

/// Something that the peer sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A piece of a data message's payload; it lies in the bytes that were handed in.
    Payload(Payload),
    /// A whole message that came compressed (RFC 7692). Its pieces bring no event.
    Message(Message),
    /// A piece of a message that came compressed, with [`Delivery::Pieces`].
    Piece(Piece),
    /// A ping. Its answer comes with the next [`output`](crate::Connection::output).
    Ping(Bytes),
    /// A pong, asked for or not (RFC 6455 §5.5.3).
    Pong(Bytes),
}

/// How messages are given out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Each when all of it is there.
    #[default]
    Whole,
    /// In pieces, as they come.
    Pieces,
}

/// A piece of a message's payload, as the sender gave it to be sent: decompressed, and validated
/// if it is text, though it may be cut inside a code point.
///
/// Its bounds mean nothing: they are not those of fragments. Only a message's last piece may be
/// empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What the message is made of.
    pub kind: MessageKind,
    /// The bytes.
    pub bytes: Bytes,
    /// Whether the message begins with this piece.
    pub first: bool,
    /// Whether the message ends with this piece.
    pub last: bool,
}

/// How far [`Connection::handle_bytes`](crate::Connection::handle_bytes) came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many bytes were used, an event's payload included. Hand in the rest next.
    pub consumed: usize,
    /// What they brought, if anything.
    pub event: Option<Event>,
}

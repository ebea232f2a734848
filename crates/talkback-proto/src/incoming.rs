//! What a connection gives out of the bytes that arrive.

use std::fmt;

use bytes::Bytes;

use crate::message::{Message, MessageKind};

/// Something that the peer sent.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incoming {
    /// A message (RFC 6455 §5.6).
    Message(Message),
    /// A piece of a message, with [`Delivery::Pieces`].
    Piece(Piece),
    /// A ping (RFC 6455 §5.5.2). Its answer comes with the next
    /// [`output`](crate::Connection::output).
    Ping(Bytes),
    /// A pong, asked for or not (RFC 6455 §5.5.3).
    Pong(Bytes),
}

/// Shows sizes and no payload: it may be a secret.
impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(message) => f.debug_tuple("Message").field(message).finish(),
            Self::Piece(piece) => piece.fmt(f),
            Self::Ping(payload) => write!(f, "Ping({} bytes)", payload.len()),
            Self::Pong(payload) => write!(f, "Pong({} bytes)", payload.len()),
        }
    }
}

/// How messages are given out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
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
#[derive(Clone, PartialEq, Eq)]
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

/// Shows the size and no payload: it may be a secret.
impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Piece")
            .field("kind", &self.kind)
            .field("size", &self.bytes.len())
            .field("first", &self.first)
            .field("last", &self.last)
            .finish()
    }
}

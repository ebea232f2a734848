//! The WebSocket protocol (RFC 6455, RFC 7692) without I/O: bytes, time and randomness are handed in.
//!
//! This is the core of the `talkback` crate. A program wants that crate; this one is for those
//! who bring a transport or an event loop of their own.
//!
//! [`Connection`] is the state machine of an open connection, for both roles. Hand it the bytes
//! that arrive ([`Connection::receive`]), which gives out messages; write what it has to say
//! ([`Connection::output`]), wake it at [`Connection::poll_timeout`]. [`handshake`] has the opening
//! handshake.
//!
//! ```
//! use std::time::Instant;
//! use bytes::{Buf, BytesMut};
//! use talkback_proto::{Connection, Incoming, Limits, Message};
//!
//! let now = Instant::now();
//! let mut client = Connection::client(Limits::default(), || [0x37, 0xfa, 0x21, 0x3d]);
//! let mut server = Connection::server(Limits::default());
//!
//! client.send("Hello")?;
//! let size = client.output().remaining();
//! let mut wire = BytesMut::from(&client.output().copy_to_bytes(size)[..]);
//!
//! let incoming = server.receive(&mut wire, || now);
//! assert_eq!(incoming, Some(Incoming::Message(Message::from("Hello"))));
//! # Ok::<(), talkback_proto::SendError>(())
//! ```

mod binary;
mod close;
mod close_code;
mod connection;
mod deflate;
mod error;
mod frame;
pub mod handshake;
mod incoming;
mod large_buffers;
mod limits;
mod mask;
mod message;
mod outgoing;
mod output;
mod prepared;
mod role;
mod small_bytes;
mod text;
mod utf8;

pub use binary::Binary;
pub use close::{CloseCause, CloseFrame, CloseFrameError, CloseInfo, Initiator};
pub use close_code::CloseCode;
pub use connection::Connection;
pub use connection::keepalive::Keepalive;
pub use connection::read_buffer::{READ_SIZE, SMALL_BUFFER_SIZE};
pub use deflate::parameters::{
    Compression, CompressionLevel, DeflateParameters, DeflateTuning, MemoryLevel, WindowBits,
};
pub use error::{ProtocolError, SendError};
pub use frame::{CONTROL_SIZE_MAX, EncodedHeader, Fin, HEADER_SIZE_MAX, Header, Opcode};
pub use incoming::{Delivery, Incoming, Piece};
pub use limits::Limits;
pub use mask::mask;
pub use message::{Message, MessageKind};
pub use outgoing::Outgoing;
pub use output::{MaskingKeys, Output};
pub use prepared::Prepared;
pub use role::Role;
pub use text::Text;

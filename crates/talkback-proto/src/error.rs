//! What can go wrong in the protocol, by whose fault.

use std::error::Error;
use std::fmt;

use crate::close_code::CloseCode;
use crate::role::Role;

/// The peer broke the protocol or a limit; the connection has failed (RFC 6455 §7.1.7).
///
/// Each variant maps to exactly one close code, the one that the peer is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// What begins as a request or a response of HTTP does, where a frame belongs (§5.2).
    Http,
    /// A reserved bit was set that no negotiated extension gives a meaning (§5.2).
    ReservedBits,
    /// The opcode is one of the reserved ones (§5.2).
    ReservedOpcode(u8),
    /// A control frame without FIN (§5.5).
    FragmentedControl,
    /// A control frame with more than 125 bytes (§5.5).
    ControlTooLong,
    /// A length in more bytes than it needs (§5.2).
    LengthNotMinimal,
    /// A 64-bit length of 2^63 or more (§5.2).
    LengthTopBit,
    /// A client's frame without a masking key (§5.1).
    NotMasked,
    /// A server's frame with a masking key (§5.1).
    Masked,
    /// A continuation frame while no message was in progress (§5.4).
    UnexpectedContinuation,
    /// A new message before the one in progress ended (§5.4).
    InterleavedMessage,
    /// A text message that is not UTF-8 (§8.1).
    InvalidUtf8,
    /// A close frame with a body of one byte (§5.5.1).
    CloseBodyTooShort,
    /// A close code that must not be sent (§7.4).
    InvalidCloseCode(u16),
    /// A close reason that is not UTF-8 (§5.5.1).
    InvalidCloseReason,
    /// A compressed message that is not a DEFLATE stream cut at its end as it must be (RFC 7692
    /// §7.2.1).
    MalformedDeflate,
    /// A compressed message that does not decompress, after others that did, where it was agreed that
    /// each can be decompressed alone: some peers agree, and take their context over nonetheless
    /// (RFC 7692 §7.1.1).
    ContextTakenOver {
        /// The peer's role.
        sender: Role,
    },
    /// A message over the limit, by what its headers declare or by what it decompresses to; sizes
    /// in bytes.
    MessageTooBig {
        /// What the headers so far declare, or one byte more than the limit.
        size: u64,
        /// The limit, [`Limits::message_size_max`](crate::Limits::message_size_max).
        size_max: u64,
    },
    /// A message in more frames than the limit.
    TooManyFragments(u32),
}

impl ProtocolError {
    /// The one close code that the peer is told (RFC 6455 §7.4.1).
    pub fn close_code(&self) -> CloseCode {
        match self {
            Self::InvalidUtf8 | Self::InvalidCloseReason => CloseCode::INVALID_PAYLOAD,
            Self::MessageTooBig { .. } => CloseCode::MESSAGE_TOO_BIG,
            Self::TooManyFragments(_) => CloseCode::POLICY_VIOLATION,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http => write!(
                f,
                "the peer sent what begins as HTTP does in place of a frame (RFC 6455 §5.2): something there takes the connection for HTTP still, such as a framework that answers once its handler returns, a second handler of the same request, or a proxy"
            ),
            Self::ReservedBits => write!(
                f,
                "the peer set a reserved bit that no extension was negotiated for (RFC 6455 §5.2)"
            ),
            Self::ReservedOpcode(opcode) => write!(
                f,
                "the peer sent a frame with the reserved opcode {opcode:#x} (RFC 6455 §5.2)"
            ),
            Self::FragmentedControl => {
                write!(f, "the peer fragmented a control frame (RFC 6455 §5.5)")
            }
            Self::ControlTooLong => write!(
                f,
                "the peer sent a control frame of more than 125 bytes (RFC 6455 §5.5)"
            ),
            Self::LengthNotMinimal => write!(
                f,
                "the peer encoded a length in more bytes than it needs (RFC 6455 §5.2)"
            ),
            Self::LengthTopBit => write!(
                f,
                "the peer sent a length of 2^63 bytes or more (RFC 6455 §5.2)"
            ),
            Self::NotMasked => write!(
                f,
                "the client sent a frame that is not masked (RFC 6455 §5.1)"
            ),
            Self::Masked => write!(f, "the server sent a masked frame (RFC 6455 §5.1)"),
            Self::UnexpectedContinuation => write!(
                f,
                "the peer continued a message that it had not begun (RFC 6455 §5.4)"
            ),
            Self::InterleavedMessage => write!(
                f,
                "the peer began a message inside another one (RFC 6455 §5.4)"
            ),
            Self::InvalidUtf8 => write!(
                f,
                "the peer sent text that is not valid UTF-8 (RFC 6455 §8.1)"
            ),
            Self::CloseBodyTooShort => write!(
                f,
                "the peer sent a close frame with a body of one byte (RFC 6455 §5.5.1)"
            ),
            Self::InvalidCloseCode(code) => on_close_code(*code, f),
            Self::InvalidCloseReason => write!(
                f,
                "the peer closed with a reason that is not valid UTF-8 (RFC 6455 §5.5.1)"
            ),
            Self::MalformedDeflate => write!(
                f,
                "the peer sent a compressed message that does not decompress (RFC 7692 §7.2)"
            ),
            Self::ContextTakenOver { sender } => f.write_str(context_taken_over(*sender)),
            Self::MessageTooBig { size, size_max } => write!(
                f,
                "the peer's message of at least {size} bytes is over this end's limit of {size_max} bytes: raise Limits::message_size_max, or have the peer send less"
            ),
            Self::TooManyFragments(fragments_max) => write!(
                f,
                "the peer's message has more than {fragments_max} fragments, which is this end's limit: raise Limits::fragments_max, or have the peer send fewer"
            ),
        }
    }
}

fn context_taken_over(sender: Role) -> &'static str {
    match sender {
        Role::Client => {
            "the client's compressed message does not decompress, though an earlier one did (RFC 7692 §7.2): it may look back at that, against the client_no_context_takeover that was agreed on; keep its context with DeflatePolicy::client_no_context_takeover(false)"
        }
        Role::Server => {
            "the server's compressed message does not decompress, though an earlier one did (RFC 7692 §7.2): it may look back at that, against the server_no_context_takeover that was agreed on; connect without compression"
        }
    }
}

/// A close code that must not be sent, with what it comes of where that shows.
fn on_close_code(code: u16, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "the peer closed with the code {code}, which must not be sent (RFC 6455 §7.4)"
    )?;
    let bytes = code.to_be_bytes();
    if code == CloseCode::NO_CODE.number() {
        write!(
            f,
            "; some peers answer a close without a code so: close with one, such as 1000"
        )
    } else if bytes.iter().all(u8::is_ascii_graphic) {
        let text = bytes.map(char::from).iter().collect::<String>();
        write!(
            f,
            ": its bytes are the text {text:?}, where a number of two bytes belongs"
        )
    } else {
        Ok(())
    }
}

impl Error for ProtocolError {}

/// The caller asked for something that may not be sent; nothing was queued.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The closing handshake has begun or the connection has ended (RFC 6455 §5.5.1).
    Closed,
    /// A ping or pong payload over 125 bytes (RFC 6455 §5.5).
    ControlTooLong(usize),
    /// A message inside of one that is sent in fragments (RFC 6455 §5.4).
    MessageUnfinished,
    /// A fragment of no message.
    NoMessage,
    /// Text in fragments that is not UTF-8 (RFC 6455 §8.1).
    InvalidUtf8,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(
                f,
                "nothing can be sent: the connection is closing or closed"
            ),
            Self::ControlTooLong(size) => write!(
                f,
                "a ping or pong carries at most 125 bytes, this one has {size}: send a message instead"
            ),
            Self::MessageUnfinished => write!(
                f,
                "a message is being sent in fragments: finish it before the next one"
            ),
            Self::NoMessage => write!(f, "no message is being sent in fragments: begin one first"),
            Self::InvalidUtf8 => write!(
                f,
                "the text is not valid UTF-8: send it as binary, or mend it"
            ),
        }
    }
}

impl Error for SendError {}

//! Data messages: text, or bytes (RFC 6455 §5.6).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::binary::Binary;
use crate::frame::Opcode;
use crate::small_bytes::SmallBytes;
use crate::text::Text;
use crate::utf8::{Utf8Error, Utf8Validator};

/// What a data message is made of (RFC 6455 §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// Text in UTF-8 (§8.1).
    Text,
    /// Any bytes.
    Binary,
}

impl MessageKind {
    /// The opcode of a message's first frame (RFC 6455 §5.2).
    pub(crate) fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }

    /// Holds the next piece of a message to its kind: text is UTF-8 (§8.1), as far as it has come.
    ///
    /// # Errors
    /// [`Utf8Error`] as soon as no continuation could make the text valid.
    pub(crate) fn validate(self, utf8: &mut Utf8Validator, piece: &[u8]) -> Result<(), Utf8Error> {
        match self {
            Self::Text => utf8.feed(piece),
            Self::Binary => Ok(()),
        }
    }
}

/// A data message (RFC 6455 §5.6).
///
/// It is made of whatever is at hand: what is a `str` becomes text, bytes become binary. `Display`
/// shows the text, or the size of binary data.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// Text in UTF-8.
    Text(Text),
    /// Any bytes.
    Binary(Binary),
}

impl Message {
    /// A message whose text is known to be UTF-8.
    #[inline]
    pub(crate) fn from_validated(kind: MessageKind, bytes: SmallBytes) -> Self {
        match kind {
            MessageKind::Text => Self::Text(Text::from_validated(bytes)),
            MessageKind::Binary => Self::Binary(Binary::new(bytes)),
        }
    }

    /// A text message.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// A binary message.
    pub fn binary(bytes: impl Into<Binary>) -> Self {
        Self::Binary(bytes.into())
    }

    /// The payload, text or not.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The payload, text or not, without a copy if it has more than 23 bytes.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes.into_bytes(),
        }
    }

    /// The text, or `None` for binary data.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// The text, or `None` for binary data.
    pub fn into_text(self) -> Option<Text> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// What the message is made of.
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// Whether the message is text.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// The payload's size in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty; an empty message is a message.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            Self::Binary(bytes) => write!(f, "[binary, {} bytes]", bytes.len()),
        }
    }
}

/// Shows the size and no payload: it may be a secret.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({} bytes)", self.kind(), self.len())
    }
}

/// Makes a message of what is text.
macro_rules! from_text {
    ($($type:ty),*) => {$(
        impl From<$type> for Message {
            fn from(text: $type) -> Self {
                Self::Text(text.into())
            }
        }
    )*};
}

/// Makes a message of what is bytes.
macro_rules! from_bytes {
    ($($type:ty),*) => {$(
        impl From<$type> for Message {
            fn from(bytes: $type) -> Self {
                Self::Binary(bytes.into())
            }
        }
    )*};
}

from_text!(
    Text,
    &str,
    &String,
    String,
    Box<str>,
    Cow<'_, str>,
    Arc<str>
);

from_bytes!(Binary, &[u8], Bytes, Vec<u8>, Box<[u8]>, Cow<'_, [u8]>);

impl<const N: usize> From<&[u8; N]> for Message {
    fn from(bytes: &[u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_text_and_the_size_of_binary() {
        assert_eq!(Message::from("안녕하세요").to_string(), "안녕하세요");
        assert_eq!(Message::from(vec![0, 1]).to_string(), "[binary, 2 bytes]");
        assert_eq!(format!("{:?}", Message::from("가")), "Text(3 bytes)");
    }

    #[test]
    fn a_message_is_text_or_binary_by_what_it_is_made_of() {
        let text = Message::text("안녕");
        assert!(text.is_text() && text == Message::from("안녕"));
        assert_eq!(text.as_text(), Some("안녕"));
        assert_eq!(text.into_text(), Some(Text::from("안녕")));
        let binary = Message::binary("안녕");
        assert!(!binary.is_text() && binary == Message::from("안녕".as_bytes()));
        assert!(binary.as_text().is_none() && binary.into_text().is_none());
    }
}

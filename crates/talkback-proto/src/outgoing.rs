//! What a caller gives to be sent.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::binary::Binary;
use crate::message::{Message, MessageKind};
use crate::prepared::Prepared;
use crate::small_bytes::SmallBytes;
use crate::text::Text;

/// What is to be sent: a message, or text or bytes that somebody else holds.
///
/// It is made of whatever is at hand: what is a `str` is sent as text, bytes as binary. Small
/// payloads are copied behind their header anyway, so a borrowed one costs one copy and no
/// allocation; a large one that is owned rides along uncopied.
///
/// ```
/// use std::borrow::Cow;
/// # use talkback_proto as talkback;
/// use talkback::{MessageKind, Outgoing};
///
/// let text: [Outgoing<'_>; 3] = ["a".into(), String::from("a").into(), Cow::from("a").into()];
/// let binary: [Outgoing<'_>; 3] = [b"a".into(), vec![0].into(), bytes::Bytes::new().into()];
/// assert!(text.iter().all(|text| text.kind() == MessageKind::Text));
/// assert!(binary.iter().all(|bytes| bytes.kind() == MessageKind::Binary));
/// ```
#[derive(Clone)]
pub struct Outgoing<'a> {
    /// Of text, the payload is known to be UTF-8: it was a `str` or a [`Text`].
    kind: MessageKind,
    pub(crate) payload: Payload<'a>,
}

/// Whose the payload is.
#[derive(Clone)]
pub(crate) enum Payload<'a> {
    /// Its own.
    Owned(SmallBytes),
    /// Somebody else's, and can be kept by counting one more of its holders.
    Shared(&'a Bytes),
    /// Borrowed; of a message that was prepared, and then of that one.
    Borrowed(&'a [u8], Option<&'a Prepared>),
}

impl<'a> Outgoing<'a> {
    /// What the message is made of.
    #[inline]
    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The payload, text or not.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.payload {
            Payload::Owned(bytes) => bytes,
            Payload::Shared(bytes) => bytes,
            Payload::Borrowed(bytes, _) => bytes,
        }
    }

    /// The message that was prepared, if it was.
    #[doc(hidden)]
    #[inline]
    pub fn prepared(&self) -> Option<&'a Prepared> {
        match self.payload {
            Payload::Borrowed(_, prepared) => prepared,
            _ => None,
        }
    }

    /// The message, with a copy of what is borrowed.
    #[inline]
    pub fn into_message(self) -> Message {
        let bytes = match self.payload {
            Payload::Owned(bytes) => bytes,
            Payload::Shared(bytes) => SmallBytes::Shared(bytes.clone()),
            Payload::Borrowed(bytes, prepared) => return copied(self.kind, bytes, prepared),
        };
        Message::from_validated(self.kind, bytes)
    }

    fn text(payload: Payload<'a>) -> Self {
        let kind = MessageKind::Text;
        Self { kind, payload }
    }

    fn binary(payload: Payload<'a>) -> Self {
        let kind = MessageKind::Binary;
        Self { kind, payload }
    }
}

/// Apart, so that what is owned becomes a message by a few instructions.
#[inline(never)]
fn copied(kind: MessageKind, bytes: &[u8], prepared: Option<&Prepared>) -> Message {
    match prepared {
        Some(prepared) => prepared.message().clone(),
        None => Message::from_validated(kind, SmallBytes::copy(bytes)),
    }
}

/// Shows the size and no payload: it may be a secret.
impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({} bytes)", self.kind(), self.as_bytes().len())
    }
}

impl From<Message> for Outgoing<'_> {
    #[inline]
    fn from(message: Message) -> Self {
        match message {
            Message::Text(text) => text.into(),
            Message::Binary(bytes) => bytes.into(),
        }
    }
}

impl From<Text> for Outgoing<'_> {
    #[inline]
    fn from(text: Text) -> Self {
        Self::text(Payload::Owned(text.into_small_bytes()))
    }
}

impl From<Binary> for Outgoing<'_> {
    #[inline]
    fn from(bytes: Binary) -> Self {
        Self::binary(Payload::Owned(bytes.into_small_bytes()))
    }
}

/// Sends what belongs to the caller no more.
macro_rules! from_owned {
    ($whole:ty: $($type:ty),*) => {$(
        impl From<$type> for Outgoing<'_> {
            fn from(payload: $type) -> Self {
                <$whole>::from(payload).into()
            }
        }
    )*};
}

/// Sends what stays the caller's.
macro_rules! from_borrowed {
    ($($type:ty: $payload:ident => $outgoing:expr),* $(,)?) => {$(
        impl<'a> From<&'a $type> for Outgoing<'a> {
            fn from($payload: &'a $type) -> Self {
                $outgoing
            }
        }
    )*};
}

from_owned!(Text: String, Box<str>, Arc<str>);
from_owned!(Binary: Bytes, Vec<u8>, Box<[u8]>);

from_borrowed! {
    str: text => Self::text(Payload::Borrowed(text.as_bytes(), None)),
    String: text => text.as_str().into(),
    [u8]: bytes => Self::binary(Payload::Borrowed(bytes, None)),
    Vec<u8>: bytes => bytes.as_slice().into(),
    Bytes: bytes => Self::binary(Payload::Shared(bytes)),
    Binary: bytes => Self::binary(match bytes.shared() {
        Some(bytes) => Payload::Shared(bytes),
        None => Payload::Borrowed(bytes, None),
    }),
    Text: text => Self::text(match text.shared() {
        Some(bytes) => Payload::Shared(bytes),
        None => Payload::Borrowed(text.as_bytes(), None),
    }),
}

impl<'a> From<&'a Message> for Outgoing<'a> {
    fn from(message: &'a Message) -> Self {
        match message {
            Message::Text(text) => text.into(),
            Message::Binary(bytes) => bytes.into(),
        }
    }
}

impl<'a> From<&'a Prepared> for Outgoing<'a> {
    #[inline]
    fn from(prepared: &'a Prepared) -> Self {
        let message = prepared.message();
        Self {
            kind: message.kind(),
            payload: Payload::Borrowed(message.as_bytes(), Some(prepared)),
        }
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Outgoing<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        bytes.as_slice().into()
    }
}

impl<'a> From<Cow<'a, str>> for Outgoing<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl<'a> From<Cow<'a, [u8]>> for Outgoing<'a> {
    fn from(bytes: Cow<'a, [u8]>) -> Self {
        match bytes {
            Cow::Borrowed(bytes) => bytes.into(),
            Cow::Owned(bytes) => bytes.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<'a>(text: &'a String, shared: &'a Text, prepared: &'a Prepared) -> Vec<Outgoing<'a>> {
        vec![
            prepared.into(),
            text.as_str().into(),
            text.into(),
            text.clone().into(),
            Box::<str>::from(text.as_str()).into(),
            Arc::<str>::from(text.as_str()).into(),
            Cow::Borrowed(text.as_str()).into(),
            Cow::<'_, str>::Owned(text.clone()).into(),
            shared.into(),
            shared.clone().into(),
        ]
    }

    fn binaries<'a>(bytes: &'a [u8; 2], vec: &'a Vec<u8>, shared: &'a Bytes) -> Vec<Outgoing<'a>> {
        vec![
            bytes.into(),
            bytes[..].into(),
            vec.into(),
            vec.clone().into(),
            vec.clone().into_boxed_slice().into(),
            Cow::Borrowed(&bytes[..]).into(),
            Cow::<'_, [u8]>::Owned(vec.clone()).into(),
            shared.into(),
            shared.clone().into(),
        ]
    }

    #[test]
    fn what_is_sent_is_made_of_whatever_is_at_hand() {
        let (text, shared) = (String::from("ab"), Text::from("ab"));
        let (vec, bytes) = (b"ab".to_vec(), Bytes::from_static(b"ab"));
        let messages = [Message::text("ab"), Message::binary("ab")];
        let prepared = Prepared::new("ab");
        let mut outgoing = texts(&text, &shared, &prepared);
        outgoing.push((&messages[0]).into());
        outgoing.push(messages[0].clone().into());
        let text_count = outgoing.len();
        outgoing.extend(binaries(b"ab", &vec, &bytes));
        outgoing.push((&messages[1]).into());
        outgoing.push(messages[1].clone().into());
        for (index, outgoing) in outgoing.into_iter().enumerate() {
            let kind = [MessageKind::Binary, MessageKind::Text][usize::from(index < text_count)];
            assert_eq!((outgoing.kind(), outgoing.as_bytes()), (kind, &b"ab"[..]));
            let message = outgoing.into_message();
            assert_eq!((message.kind(), message.as_bytes()), (kind, &b"ab"[..]));
        }
    }

    #[test]
    fn shows_no_payload() {
        assert_eq!(format!("{:?}", Outgoing::from("s3cret")), "Text(6 bytes)");
    }
}

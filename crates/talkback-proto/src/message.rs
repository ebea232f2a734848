//! Messages: text that is known to be UTF-8, or bytes.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use yoke::Yoke;

use crate::utf8::{Utf8Error, Utf8Validator};

/// Bytes that are known to be UTF-8; cheap to clone.
#[derive(Clone)]
pub struct Text(Proof);

/// How it is known.
#[derive(Clone)]
enum Proof {
    /// They were a `str`, of which this is a copy.
    Copied(ByteString),
    /// They are a `str`, which is borrowed from the bytes beside it.
    Checked(Yoke<&'static str, Arc<Bytes>>),
    /// They were validated piece by piece as they arrived.
    Streamed(Bytes),
}

impl Text {
    /// Text out of bytes.
    ///
    /// # Errors
    /// The standard library's error if the bytes are not UTF-8.
    pub fn from_utf8(bytes: Bytes) -> Result<Self, std::str::Utf8Error> {
        Yoke::try_attach_to_cart(Arc::new(bytes), |bytes| std::str::from_utf8(bytes))
            .map(|checked| Self(Proof::Checked(checked)))
    }

    /// Text out of bytes that arrived at once, as [`from_utf8`](Self::from_utf8).
    pub(crate) fn from_arrived(bytes: Bytes) -> Result<Self, Utf8Error> {
        Yoke::try_attach_to_cart(Arc::new(bytes), |bytes| simdutf8::basic::from_utf8(bytes))
            .map(|checked| Self(Proof::Checked(checked)))
            .map_err(|_| Utf8Error)
    }

    /// A copy of bytes that arrived at once, as [`from_utf8`](Self::from_utf8).
    pub(crate) fn copy_arrived(bytes: &[u8]) -> Result<Self, Utf8Error> {
        let text = simdutf8::basic::from_utf8(bytes);
        text.map(Self::from).map_err(|_| Utf8Error)
    }

    /// Text that was validated piece by piece as it arrived.
    fn from_validated(bytes: Bytes) -> Self {
        debug_assert!(std::str::from_utf8(&bytes).is_ok());
        Self(Proof::Streamed(bytes))
    }

    /// The text as a string slice.
    ///
    /// It costs nothing, unless the text came compressed, in fragments, or was too large for one
    /// read: then it is checked once more, at the speed of reading it.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Proof::Copied(text) => text,
            Proof::Checked(text) => text.get(),
            Proof::Streamed(bytes) => {
                simdutf8::basic::from_utf8(bytes).expect("a Text is made of valid UTF-8 only")
            }
        }
    }

    /// The text's size in bytes, which costs no check.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the text is empty, which costs no check.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text's bytes, which cost no check.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Proof::Copied(text) => text.as_bytes(),
            Proof::Checked(text) => text.get().as_bytes(),
            Proof::Streamed(bytes) => bytes,
        }
    }

    /// The text's bytes, without a copy.
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Proof::Copied(text) => text.into_bytes(),
            Proof::Checked(text) => Arc::unwrap_or_clone(text.into_backing_cart()),
            Proof::Streamed(bytes) => bytes,
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self(Proof::Copied(ByteString::new()))
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Proof::Copied(text.into()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Proof::Copied(text.into()))
    }
}

/// What a data message is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// Text in UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

impl MessageKind {
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
/// It is made of whatever is at hand: `&str` and `String` become text, `Bytes`, `Vec<u8>` and
/// `&[u8]` become binary. `Display` shows the text, or the size of binary data.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// Text in UTF-8.
    Text(Text),
    /// Any bytes.
    Binary(Bytes),
}

impl Message {
    /// A message whose text was validated piece by piece as it arrived.
    pub(crate) fn from_validated(kind: MessageKind, bytes: Bytes) -> Self {
        match kind {
            MessageKind::Text => Self::Text(Text::from_validated(bytes)),
            MessageKind::Binary => Self::Binary(bytes),
        }
    }

    /// The payload, text or not.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The payload, text or not, without a copy.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The text, or `None` for binary data.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
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

/// Long payloads are shown by their beginning and size, so that a log line stays a line.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 64;
        match self {
            Self::Text(text) if text.chars().count() > SHOWN => {
                let beginning: String = text.chars().take(SHOWN).collect();
                write!(f, "Text({beginning:?}… {} bytes)", text.as_bytes().len())
            }
            Self::Text(text) => write!(f, "Text({text:?})"),
            Self::Binary(bytes) if bytes.len() > SHOWN => {
                let beginning = bytes.slice(..SHOWN);
                write!(f, "Binary({beginning:?}… {} bytes)", bytes.len())
            }
            Self::Binary(bytes) => write!(f, "Binary({bytes:?})"),
        }
    }
}

impl From<Text> for Message {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

impl<const N: usize> From<&[u8; N]> for Message {
    fn from(bytes: &[u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

/// What is to be sent: a message, or text or bytes that somebody else holds.
///
/// Small payloads are copied behind their header anyway, so a borrowed one costs one copy and no
/// allocation; a large one that is owned rides along uncopied.
#[derive(Clone, Debug)]
pub enum Outgoing<'a> {
    /// A message of its own.
    Message(Message),
    /// Borrowed text.
    Text(&'a str),
    /// Borrowed bytes.
    Binary(&'a [u8]),
}

impl Outgoing<'_> {
    /// What the message is made of.
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Message(Message::Text(_)) | Self::Text(_) => MessageKind::Text,
            Self::Message(Message::Binary(_)) | Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// The payload, text or not.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Message(message) => message.as_bytes(),
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl<'a> From<&'a str> for Outgoing<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Outgoing<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Outgoing<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Binary(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Outgoing<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Message> for Outgoing<'_> {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}

impl From<Text> for Outgoing<'_> {
    fn from(text: Text) -> Self {
        Self::Message(text.into())
    }
}

impl From<String> for Outgoing<'_> {
    fn from(text: String) -> Self {
        Self::Message(text.into())
    }
}

impl From<Bytes> for Outgoing<'_> {
    fn from(bytes: Bytes) -> Self {
        Self::Message(bytes.into())
    }
}

impl From<Vec<u8>> for Outgoing<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Message(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f12_text_is_only_made_of_utf8() {
        assert!(Text::from_utf8(Bytes::from_static(b"\xff")).is_err());
        let text = Text::from_utf8(Bytes::from_static("안녕".as_bytes())).unwrap();
        assert_eq!(text, "안녕");
    }

    #[test]
    fn shows_text_and_the_size_of_binary() {
        assert_eq!(Message::from("안녕하세요").to_string(), "안녕하세요");
        assert_eq!(Message::from(vec![0, 1]).to_string(), "[binary, 2 bytes]");
        let long = format!("{:?}", Message::from("가".repeat(1000)));
        assert!(
            long.ends_with("… 3000 bytes)") && long.len() < 300,
            "{long}"
        );
    }

    #[test]
    fn a_text_is_its_bytes_however_they_are_known_to_be_text() {
        let bytes = || Bytes::from_static("안녕".as_bytes());
        let texts = [
            Text::from("안녕"),
            Text::from(String::from("안녕")),
            Text::from_utf8(bytes()).unwrap(),
            Text::from_arrived(bytes()).unwrap(),
            Text::from_validated(bytes()),
        ];
        let (less, more) = (Text::default(), Text::from("안녕!"));
        assert!(less.is_empty() && !more.is_empty());
        for text in &texts {
            assert_eq!((text, text.as_str(), text.len()), (&texts[0], "안녕", 6));
            assert_eq!(text.clone().into_bytes(), bytes());
            assert!(less < *text && *text < more && text.as_ref() == "안녕");
            assert_eq!(text.clone().partial_cmp(&texts[0]), Some(Ordering::Equal));
        }
        assert_eq!(std::collections::HashSet::from(texts).len(), 1);
        assert!(Text::from_arrived(Bytes::from_static(b"\xff")).is_err());
    }

    #[test]
    fn what_is_sent_is_made_of_whatever_is_at_hand() {
        let (text, bytes) = (String::from("ab"), Bytes::from_static(b"ab"));
        let texts: [Outgoing<'_>; 4] = [
            "ab".into(),
            (&text).into(),
            text.clone().into(),
            Text::from("ab").into(),
        ];
        let binaries: [Outgoing<'_>; 5] = [
            b"ab".into(),
            b"ab"[..].into(),
            bytes.clone().into(),
            bytes.to_vec().into(),
            Message::from(bytes.clone()).into(),
        ];
        for (outgoing, kind) in [
            (&texts[..], MessageKind::Text),
            (&binaries[..], MessageKind::Binary),
        ] {
            assert!(
                outgoing
                    .iter()
                    .all(|o| o.kind() == kind && o.as_bytes() == b"ab")
            );
        }
    }
}

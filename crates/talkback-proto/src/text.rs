//! Text that is known to be UTF-8.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;

use crate::small_bytes::SmallBytes;

/// Bytes that are known to be UTF-8; cheap to clone.
///
/// It is a `str` in constant time, however it came: what arrives is validated once, on arrival. Up to 23
/// bytes lie in place, without memory of their own.
#[derive(Clone, Default)]
pub struct Text(
    /// Valid UTF-8: each constructor has a `str`, or has validated the bytes.
    SmallBytes,
);

impl Text {
    /// Text out of bytes.
    ///
    /// # Errors
    /// The standard library's error if the bytes are not UTF-8.
    pub fn from_utf8(bytes: Bytes) -> Result<Self, std::str::Utf8Error> {
        std::str::from_utf8(&bytes)?;
        Ok(Self(SmallBytes::Shared(bytes)))
    }

    /// Text that is part of the program, which costs no copy.
    pub const fn from_static(text: &'static str) -> Self {
        Self(SmallBytes::Shared(Bytes::from_static(text.as_bytes())))
    }

    /// Text that was validated as it arrived, at once or piece by piece, or is a `str`.
    #[inline]
    pub(crate) fn from_validated(bytes: SmallBytes) -> Self {
        debug_assert!(std::str::from_utf8(&bytes).is_ok());
        Self(bytes)
    }

    /// The text as a string slice, in constant time.
    #[inline]
    pub fn as_str(&self) -> &str {
        // SAFETY: the bytes are valid UTF-8, which every way to make a `Text` has seen to. The
        // constructors take a `str` (`From`, `from_static`) or validate all of the bytes
        // (`from_utf8`); the bytes of `from_validated` have passed `utf8::validate`, or
        // `Utf8Validator` up to `finish`, which the property tests hold against the standard
        // library, or were a `str` or a `Text` (`Outgoing`, `Prepared`). The bytes cannot be changed, and the field is private to this file.
        #[expect(
            unsafe_code,
            reason = "validating again costs as much as reading the text"
        )]
        unsafe {
            std::str::from_utf8_unchecked(&self.0)
        }
    }

    /// The text's size in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text's bytes, to be shared, if they do not lie in place.
    pub(crate) fn shared(&self) -> Option<&Bytes> {
        self.0.shared()
    }

    #[inline]
    pub(crate) fn into_small_bytes(self) -> SmallBytes {
        self.0
    }

    /// The text's bytes, without a copy if there are more than 23.
    pub fn into_bytes(self) -> Bytes {
        self.0.into_bytes()
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
        self.as_str().hash(state);
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

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// Equal texts are ordered and hashed as their `str`s are.
impl std::borrow::Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// Shows the size and no text: it may be a secret. `Display` is the text.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.len())
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(SmallBytes::copy(text.as_bytes()))
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(SmallBytes::Shared(text.into()))
    }
}

impl From<Box<str>> for Text {
    fn from(text: Box<str>) -> Self {
        Self(SmallBytes::Shared(text.into_boxed_bytes().into()))
    }
}

impl From<Cow<'_, str>> for Text {
    fn from(text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

/// Shared, not copied.
impl From<Arc<str>> for Text {
    fn from(text: Arc<str>) -> Self {
        /// As bytes.
        struct Shared(Arc<str>);

        impl AsRef<[u8]> for Shared {
            fn as_ref(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        Self(SmallBytes::Shared(Bytes::from_owner(Shared(text))))
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        Self::from_utf8(text.into_bytes().into()).expect("a Text is made of valid UTF-8 only")
    }
}

impl From<Text> for Bytes {
    fn from(text: Text) -> Self {
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::utf8::{Utf8Validator, validate};

    #[test]
    fn f12_text_is_only_made_of_utf8() {
        assert!(Text::from_utf8(Bytes::from_static(b"\xff")).is_err());
        let text = Text::from_utf8(Bytes::from_static("안녕".as_bytes())).unwrap();
        assert_eq!(text, "안녕");
    }

    #[test]
    fn a_text_is_its_bytes_however_they_are_known_to_be_text() {
        let bytes = || Bytes::from_static("안녕".as_bytes());
        let texts = [
            Text::from("안녕"),
            Text::from_static("안녕"),
            Text::from(String::from("안녕")),
            Text::from(&String::from("안녕")),
            Text::from(Box::<str>::from("안녕")),
            Text::from(Cow::Borrowed("안녕")),
            Text::from(Cow::Owned(String::from("안녕"))),
            Text::from(Arc::<str>::from("안녕")),
            Text::from_utf8(bytes()).unwrap(),
            Text::from_validated(SmallBytes::copy(&bytes())),
            Text::from_validated(SmallBytes::Shared(bytes())),
        ];
        let (less, more) = (Text::default(), Text::from("안녕!"));
        assert!(less.is_empty() && !more.is_empty());
        for text in &texts {
            assert_eq!((text, text.as_str(), text.len()), (&texts[0], "안녕", 6));
            assert_eq!(text.clone().into_bytes(), bytes());
            assert_eq!(String::from(text.clone()), "안녕");
            assert!(less < *text && *text < more);
            assert_eq!(text.clone().partial_cmp(&texts[0]), Some(Ordering::Equal));
        }
        let set = std::collections::HashSet::from(texts);
        assert!(set.len() == 1 && set.contains("안녕"));
    }

    /// What each way in takes, as a `str` by the unchecked line and by its safe twin.
    fn holds(text: &Text) {
        let checked = std::str::from_utf8(text.as_bytes());
        assert_eq!(checked, Ok(text.as_str()));
    }

    proptest! {
        #[test]
        fn every_text_is_what_the_checked_twin_gives(
            bytes in prop::collection::vec(any::<u8>(), 0..48), cut in any::<prop::sample::Index>(),
        ) {
            let is_text = std::str::from_utf8(&bytes).is_ok();
            let shared = Bytes::from(bytes.clone());
            let ways = [
                Text::from_utf8(shared.clone()).ok(),
                validate(&bytes).ok().map(|()| Text::from_validated(SmallBytes::copy(&bytes))),
            ];
            for way in ways {
                prop_assert_eq!(way.is_some(), is_text);
                way.iter().for_each(holds);
            }
            // As it arrives in pieces, cut anywhere.
            let (first, rest) = bytes.split_at(cut.index(bytes.len() + 1));
            let mut utf8 = Utf8Validator::default();
            let validated = utf8.feed(first).and_then(|()| utf8.feed(rest)).and_then(|()| utf8.finish());
            prop_assert_eq!(validated.is_ok(), is_text);
            if validated.is_ok() {
                holds(&Text::from_validated(SmallBytes::Shared(shared)));
            }
        }

        #[test]
        fn every_string_is_a_text(text in any::<String>(), cut in any::<prop::sample::Index>()) {
            let bytes = Bytes::from(text.clone());
            let (first, rest) = bytes.split_at(cut.index(bytes.len() + 1));
            let mut utf8 = Utf8Validator::default();
            prop_assert!(utf8.feed(first).and_then(|()| utf8.feed(rest)).and_then(|()| utf8.finish()).is_ok());
            for made in [Text::from(&text), Text::from_validated(SmallBytes::copy(&bytes)), text.clone().into()] {
                holds(&made);
                prop_assert_eq!(made.as_str(), &text);
            }
        }
    }
}

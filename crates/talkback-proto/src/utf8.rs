//! Streaming validation of UTF-8 (RFC 6455 §8.1): bad text fails as it arrives, not at its end.

use simdutf8::compat::from_utf8;

/// The text seen so far cannot become valid UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Utf8Error;

/// Up to this size in bytes, to see that a text is ASCII costs less than to ask what the processor can do.
const SHORT_SIZE_MAX: usize = 128;

/// Validates a text that is here at once.
///
/// # Errors
/// [`Utf8Error`] if it is no UTF-8.
#[inline]
pub(crate) fn validate(text: &[u8]) -> Result<(), Utf8Error> {
    if text.len() <= SHORT_SIZE_MAX && is_ascii(text) {
        return Ok(());
    }
    let validated = simdutf8::basic::from_utf8(text);
    validated.map(drop).map_err(|_| Utf8Error)
}

#[inline]
fn is_ascii(text: &[u8]) -> bool {
    const NOT_ASCII: u64 = u64::from_ne_bytes([0x80; 8]);
    let (words, rest) = text.as_chunks();
    let words = words
        .iter()
        .fold(0, |seen, word| seen | u64::from_ne_bytes(*word));
    let rest = rest.iter().fold(0, |seen, byte| seen | byte);
    words & NOT_ASCII == 0 && rest.is_ascii()
}

/// A validator that takes text in pieces cut anywhere, inside a code point too.
///
/// It holds at most the three bytes of a code point that is not complete yet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Utf8Validator {
    carried: [u8; 4],
    carried_len: u8,
}

impl Utf8Validator {
    /// Takes the next piece of the text.
    ///
    /// # Errors
    /// [`Utf8Error`] as soon as no continuation could make the text valid.
    pub(crate) fn feed(&mut self, chunk: &[u8]) -> Result<(), Utf8Error> {
        let rest = self.complete_carried(chunk)?;
        match from_utf8(rest) {
            Ok(_) => Ok(()),
            // Only a beginning of a code point may be left over, never something wrong.
            Err(error) if error.error_len().is_none() => {
                let begun = &rest[error.valid_up_to()..];
                self.carried[..begun.len()].copy_from_slice(begun);
                self.carried_len = begun.len() as u8;
                Ok(())
            }
            Err(_) => Err(Utf8Error),
        }
    }

    /// Ends the text and makes the validator ready for the next one.
    ///
    /// # Errors
    /// [`Utf8Error`] if the text ends inside a code point.
    pub(crate) fn finish(&mut self) -> Result<(), Utf8Error> {
        match std::mem::take(&mut self.carried_len) {
            0 => Ok(()),
            _ => Err(Utf8Error),
        }
    }

    /// Adds bytes of `chunk` to the carried code point until it is complete; returns the rest.
    fn complete_carried<'a>(&mut self, mut chunk: &'a [u8]) -> Result<&'a [u8], Utf8Error> {
        while self.carried_len > 0 {
            let Some((&byte, rest)) = chunk.split_first() else {
                break;
            };
            self.carried[usize::from(self.carried_len)] = byte;
            self.carried_len += 1;
            chunk = rest;
            match std::str::from_utf8(&self.carried[..usize::from(self.carried_len)]) {
                Ok(_) => self.carried_len = 0,
                // A prefix of a code point is at most three bytes, so one more fits.
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(Utf8Error),
            }
        }
        Ok(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn validate_pieces(pieces: &[&[u8]]) -> Result<(), Utf8Error> {
        let mut validator = Utf8Validator::default();
        for piece in pieces {
            validator.feed(piece)?;
        }
        validator.finish()
    }

    #[test]
    fn accepts_a_code_point_cut_at_every_byte() {
        let text = "κόσμε 안녕하세요 😀".as_bytes();
        for cut in 0..=text.len() {
            assert_eq!(
                validate_pieces(&[&text[..cut], &text[cut..]]),
                Ok(()),
                "cut at {cut}"
            );
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(validate_pieces(&single), Ok(()));
    }

    #[test]
    fn fails_before_the_code_point_ends() {
        // F4 90 would be above U+10FFFF whatever follows (Autobahn 6.4.1).
        let mut validator = Utf8Validator::default();
        validator.feed(b"\xce\xba\xf4").unwrap();
        assert_eq!(validator.feed(b"\x90"), Err(Utf8Error));
    }

    #[test]
    fn fails_at_an_end_inside_a_code_point() {
        assert_eq!(validate_pieces(&[b"\xed\x95"]), Err(Utf8Error));
    }

    /// Bytes that are mostly pieces of valid text, so that errors come late.
    fn nearly_text() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            4 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
            2 => "[a-z]{0,90}".prop_map(String::into_bytes),
            1 => proptest::collection::vec(any::<u8>(), 0..3),
        ];
        proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        #[test]
        fn streaming_equals_std(bytes in nearly_text(), cuts in proptest::collection::vec(0usize..400, 0..5)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            let is_text = std::str::from_utf8(&bytes).is_ok();
            prop_assert_eq!(validate_pieces(&pieces).is_ok(), is_text);
            prop_assert_eq!(validate(&bytes).is_ok(), is_text);
        }
    }
}

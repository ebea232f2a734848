//! Where in a topic a publication stands.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

/// Crockford's base 32, in which no two digits look alike.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Of an epoch of 64 bits.
const EPOCH_DIGITS: usize = 13;
/// Of a mark of 16 bits.
const MARK_DIGITS: usize = 4;

/// Where in a topic a publication stands: what a client holds to go on from there.
///
/// It is printed, and parsed, as a text that means something to its server alone, such as `1q8zk7c2m4v0p-121`: an epoch, which is
/// drawn anew when a topic is begun anew, and the number of the publication in it. Over a [`Backplane`](crate::Backplane) that gives marks
/// a mark follows, as in `1q8zk7c2m4v0p-121-0k3f`. Its length is at most 48 bytes.
///
/// ```
/// use talkback_topics::Position;
///
/// let position: Position = "1q8zk7c2m4v0p-121".parse()?;
/// assert_eq!(position.to_string(), "1q8zk7c2m4v0p-121");
/// # Ok::<(), talkback_topics::PositionError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    pub(crate) epoch: u64,
    pub(crate) offset: u64,
    /// What tells it from another publication that was given the same number, by a store that had fallen back.
    pub(crate) mark: Option<u16>,
}

impl Position {
    /// The place of a publication in an epoch of its topic: by the engine of a [`Backplane`](crate::Backplane).
    #[must_use]
    pub fn new(epoch: u64, offset: u64, mark: Option<u16>) -> Self {
        Self {
            epoch,
            offset,
            mark,
        }
    }

    /// The topic's life that it is of: 64 bits drawn at random.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Its number in that life, from 1; 0 stands before the first.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What tells it from another that was given the same number, by a store that had fallen back to an earlier state.
    pub fn mark(&self) -> Option<u16> {
        self.mark
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", Digits::<EPOCH_DIGITS>(self.epoch), self.offset)?;
        match self.mark {
            Some(mark) => write!(f, "-{}", Digits::<MARK_DIGITS>(mark.into())),
            None => Ok(()),
        }
    }
}

/// A number in so many digits.
struct Digits<const N: usize>(u64);

impl<const N: usize> fmt::Display for Digits<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; N];
        for (index, digit) in digits.iter_mut().rev().enumerate() {
            *digit = DIGITS[(self.0 >> (5 * index)) as usize % DIGITS.len()];
        }
        f.write_str(str::from_utf8(&digits).expect("the digits are ASCII"))
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Position({self})")
    }
}

/// Takes what [`Display`](fmt::Display) gives, and nothing else.
impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        parse(text).ok_or(PositionError(()))
    }
}

fn parse(text: &str) -> Option<Position> {
    let (epoch, rest) = text.split_once('-')?;
    let (offset, mark) = match rest.split_once('-') {
        Some((offset, mark)) => (offset, Some(parse_digits::<MARK_DIGITS>(mark)?)),
        None => (rest, None),
    };
    Some(Position {
        epoch: parse_digits::<EPOCH_DIGITS>(epoch)?,
        offset: parse_offset(offset)?,
        mark: mark.map(u16::try_from).transpose().ok()?,
    })
}

fn parse_digits<const N: usize>(text: &str) -> Option<u64> {
    if text.len() != N {
        return None;
    }
    text.bytes().try_fold(0_u64, |number, digit| {
        let digit = DIGITS.iter().position(|it| *it == digit)?;
        Some(number.checked_mul(32)? | digit as u64)
    })
}

fn parse_offset(text: &str) -> Option<u64> {
    let is_canonical = text == "0" || !text.starts_with(['0', '+']);
    is_canonical.then(|| text.parse().ok()).flatten()
}

/// A text is no position.
#[derive(Clone, PartialEq, Eq)]
pub struct PositionError(());

impl fmt::Display for PositionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this is no position of a topic: that is a text such as `1q8zk7c2m4v0p-121`, as the server gave it",
        )
    }
}

/// As [`Display`](fmt::Display): it is what a `main` prints that returns it.
impl fmt::Debug for PositionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for PositionError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_is_printed() {
        for (epoch, offset) in [
            (0, 0),
            (1, 1),
            (u64::MAX, u64::MAX),
            (0x0123_4567_89ab_cdef, 121),
        ] {
            for mark in [None, Some(0), Some(0x1234), Some(u16::MAX)] {
                let position = Position::new(epoch, offset, mark);
                assert_eq!(position.to_string().parse(), Ok(position));
                assert!(position.to_string().len() <= 48);
            }
        }
        let last = Position::new(u64::MAX, 7, None);
        assert_eq!(last.to_string(), "fzzzzzzzzzzzz-7");
        let marked = Position::new(u64::MAX, 7, Some(u16::MAX));
        assert_eq!(marked.to_string(), "fzzzzzzzzzzzz-7-1zzz");
    }

    #[test]
    fn rv5_garbage_is_no_position() {
        let epoch = "1q8zk7c2m4v0p";
        let garbage = [
            "",
            "-",
            "-1",
            "1",
            epoch,
            "1q8zk7c2m4v0p-",
            "1q8zk7c2m4v0-1",
            "1q8zk7c2m4v0pp-1",
            "1q8zk7c2m4v0P-1",
            "1q8zk7c2m4v0u-1",
            "gzzzzzzzzzzzz-1",
            "1q8zk7c2m4v0p-01",
            "1q8zk7c2m4v0p-+1",
            "1q8zk7c2m4v0p--1",
            "1q8zk7c2m4v0p-1-2",
            "1q8zk7c2m4v0p-1-",
            "1q8zk7c2m4v0p-1-2000",
            "1q8zk7c2m4v0p-1-00000",
            "1q8zk7c2m4v0p-1-0000-",
            "1q8zk7c2m4v0p-18446744073709551616",
            " 1q8zk7c2m4v0p-1",
            "1q8zk7c2m4v0p-1 ",
            "안녕-1",
        ];
        for text in garbage {
            assert_eq!(text.parse::<Position>(), Err(PositionError(())), "{text:?}");
        }
    }
}

//! Where in a topic a publication stands.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

/// Crockford's base 32, in which no two digits look alike.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Of an epoch of 64 bits.
const EPOCH_DIGITS: usize = 13;

/// Where in a topic a publication stands: what a client holds to go on from there.
///
/// It is printed, and parsed, as a text that means something to its server alone, such as `1q8zk7c2m4v0p-121`: an epoch, which is
/// drawn anew when a topic is begun anew, and the number of the publication in it. Its length is at most 48 bytes.
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
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut epoch = [0; EPOCH_DIGITS];
        for (index, digit) in epoch.iter_mut().rev().enumerate() {
            *digit = DIGITS[(self.epoch >> (5 * index)) as usize % DIGITS.len()];
        }
        let epoch = str::from_utf8(&epoch).expect("the digits are ASCII");
        write!(f, "{epoch}-{}", self.offset)
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
        let (epoch, offset) = text.split_once('-').ok_or(PositionError(()))?;
        Ok(Self {
            epoch: parse_epoch(epoch).ok_or(PositionError(()))?,
            offset: parse_offset(offset).ok_or(PositionError(()))?,
        })
    }
}

fn parse_epoch(text: &str) -> Option<u64> {
    if text.len() != EPOCH_DIGITS {
        return None;
    }
    text.bytes().try_fold(0_u64, |epoch, digit| {
        let digit = DIGITS.iter().position(|it| *it == digit)?;
        Some(epoch.checked_mul(32)? | digit as u64)
    })
}

fn parse_offset(text: &str) -> Option<u64> {
    let is_canonical = text == "0" || !text.starts_with(['0', '+']);
    is_canonical.then(|| text.parse().ok()).flatten()
}

/// A text is no position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionError(());

impl fmt::Display for PositionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this is no position of a topic: that is a text such as `1q8zk7c2m4v0p-121`, as the server gave it",
        )
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
            let position = Position { epoch, offset };
            assert_eq!(position.to_string().parse(), Ok(position));
            assert!(position.to_string().len() <= 48);
        }
        let last = Position {
            epoch: u64::MAX,
            offset: 7,
        };
        assert_eq!(last.to_string(), "fzzzzzzzzzzzz-7");
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

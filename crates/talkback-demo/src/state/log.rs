//! The last messages both ways.

use std::collections::VecDeque;
use std::time::Duration;

use talkback::Message;

use super::words::{beginning, escaped};

/// How many messages are kept.
pub const LOG_LENGTH: usize = 200;
/// How many characters of a message are kept.
const TEXT_LENGTH: usize = 200;

/// Where a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the server.
    Sent,
    /// From the server.
    Received,
}

/// A message as the log shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it went.
    pub direction: Direction,
    /// When, since the page was opened.
    pub time: Duration,
    /// How many bytes its payload has.
    pub size: usize,
    /// Its beginning, in one line.
    pub text: String,
}

impl Entry {
    /// The time, the direction and the size in words: `0:07.250  sent  6 bytes`.
    pub fn heading(&self) -> String {
        let (seconds, millis) = (self.time.as_secs(), self.time.subsec_millis());
        let (minutes, seconds) = (seconds / 60, seconds % 60);
        let direction = match self.direction {
            Direction::Sent => "sent",
            Direction::Received => "received",
        };
        let unit = if self.size == 1 { "byte" } else { "bytes" };
        let size = self.size;
        format!("{minutes}:{seconds:02}.{millis:03}  {direction}  {size} {unit}")
    }
}

/// The last [`LOG_LENGTH`] messages, oldest first.
#[derive(Debug, Default)]
pub struct Log {
    entries: VecDeque<Entry>,
    count: u64,
}

impl Log {
    pub(super) fn push(&mut self, direction: Direction, message: &Message, time: Duration) {
        if self.entries.len() == LOG_LENGTH {
            self.entries.pop_front();
        }
        self.count += 1;
        self.entries.push_back(Entry {
            direction,
            time,
            size: message.len(),
            text: escaped(&beginning(message, TEXT_LENGTH)),
        });
    }

    /// The entries, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.entries.iter()
    }

    /// How many messages there have been; a view learns from it how many are new.
    pub fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room() {
        let mut log = Log::default();
        for number in 0..=LOG_LENGTH {
            log.push(Direction::Sent, &number.to_string().into(), Duration::ZERO);
        }
        assert_eq!(log.iter().len(), LOG_LENGTH);
        assert_eq!(log.count(), LOG_LENGTH as u64 + 1);
        assert_eq!(log.iter().next().unwrap().text, "1");
    }

    #[test]
    fn an_entry_has_its_time_and_its_size_in_bytes() {
        let mut log = Log::default();
        let time = Duration::from_millis(67_250);
        log.push(Direction::Received, &"안녕\n".into(), time);
        let entry = log.iter().next().unwrap();
        assert_eq!(entry.heading(), "1:07.250  received  7 bytes");
        assert_eq!(entry.text, "안녕\\n");
        log.push(Direction::Sent, &vec![0xca].into(), time);
        let entry = log.iter().next_back().unwrap();
        assert_eq!(entry.heading(), "1:07.250  sent  1 byte");
    }

    #[test]
    fn a_long_message_is_cut() {
        let mut log = Log::default();
        let long = "가".repeat(1_000_000);
        log.push(Direction::Received, &long.into(), Duration::ZERO);
        let entry = log.iter().next().unwrap();
        assert_eq!((entry.size, entry.text.chars().count()), (3_000_000, 201));
    }
}

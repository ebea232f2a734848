//! The lines that a person types or a pipe brings.

use std::io::{self, BufRead};
use std::task::{Context, Poll};
use std::thread;

use tokio::sync::mpsc;

/// How many lines of a pipe are read ahead.
const LINES_AHEAD: usize = 64;

/// Lines that a thread of their own reads, because reading them blocks.
///
/// Nothing waits for that thread: a program whose input never ends can end.
#[derive(Debug)]
pub struct Lines {
    lines: mpsc::Receiver<io::Result<String>>,
    /// Whether they were polled before the messages the last time.
    went_first: bool,
}

/// Where lines that have been read are put.
#[derive(Clone, Debug)]
pub struct LineSender {
    lines: mpsc::Sender<io::Result<String>>,
}

impl LineSender {
    /// Hands a line on; waits while as many as the capacity have not been taken.
    ///
    /// Returns whether anybody still wants lines.
    ///
    /// # Cancel safety
    /// A dropped call loses the line.
    pub async fn send(&self, line: io::Result<String>) -> bool {
        self.lines.send(line).await.is_ok()
    }

    /// As [`send`](Self::send), for a thread without tasks.
    fn blocking_send(&self, line: io::Result<String>) -> bool {
        self.lines.blocking_send(line).is_ok()
    }
}

impl Lines {
    /// The lines of standard input.
    ///
    /// # Errors
    /// The operating system's, if no thread can be started.
    pub fn stdin() -> io::Result<Self> {
        Self::read(io::BufReader::new(io::stdin()))
    }

    /// The lines of a reader, without their line ends (LF or CR LF).
    ///
    /// A line that is not UTF-8 is an error, after which nothing more is read.
    ///
    /// # Errors
    /// The operating system's, if no thread can be started.
    pub fn read(reader: impl BufRead + Send + 'static) -> io::Result<Self> {
        let (sender, lines) = Self::channel(LINES_AHEAD);
        thread::Builder::new()
            .name("input".to_owned())
            .spawn(move || {
                let mut reader = reader;
                let mut number = 0;
                while let Some(line) = read_line(&mut reader, &mut number).transpose() {
                    let is_last = line.is_err();
                    if !sender.blocking_send(line) || is_last {
                        return;
                    }
                }
            })?;
        Ok(lines)
    }

    /// Lines that the program reads in its own way; `capacity` of them may wait to be taken.
    pub fn channel(capacity: usize) -> (LineSender, Self) {
        let (sender, receiver) = mpsc::channel(capacity);
        let lines = Self {
            lines: receiver,
            went_first: false,
        };
        (LineSender { lines: sender }, lines)
    }

    /// Whether the lines go first this time: every other time.
    pub(crate) fn goes_first(&mut self) -> bool {
        self.went_first = !self.went_first;
        self.went_first
    }

    /// Polls for the next line; `None` at the end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<String>>> {
        self.lines.poll_recv(cx)
    }
}

/// The next line; `number` counts them.
fn read_line(reader: &mut impl BufRead, number: &mut u64) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if reader.read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    *number += 1;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    match String::from_utf8(bytes) {
        Ok(line) => Ok(Some(line)),
        Err(_) => {
            let what = format!(
                "line {number} of the input is not UTF-8, as text has to be: convert it, or send something else"
            );
            Err(io::Error::new(io::ErrorKind::InvalidData, what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(input: &'static [u8]) -> Vec<Result<String, String>> {
        let mut lines = Lines::read(input).unwrap();
        std::iter::from_fn(|| lines.lines.blocking_recv())
            .map(|line| line.map_err(|error| error.to_string()))
            .collect()
    }

    #[test]
    fn line_ends_are_not_part_of_lines() {
        let lines = lines_of("a\r\n\n안녕\n \nlast".as_bytes());
        let expected = ["a", "", "안녕", " ", "last"].map(|line| Ok(line.to_owned()));
        assert_eq!(lines, expected);
        assert_eq!(lines_of(b""), []);
    }

    #[test]
    fn a_line_that_is_not_utf8_is_the_last_one_and_is_named() {
        let lines = lines_of(b"good\n\xff\nmore\n");
        assert_eq!(lines.len(), 2);
        assert!(lines[1].as_ref().unwrap_err().starts_with("line 2 "));
    }
}

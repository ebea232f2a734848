//! The messages that a person types or a pipe brings.

use std::fmt;
use std::future::Future as _;
use std::io::{self, BufRead as _, BufReader, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::thread;
use std::vec;

use talkback::Message;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// How many batches of a pipe's messages are read ahead. A batch is what one read has brought.
const BATCHES_AHEAD: usize = 1;

/// Of what is larger nothing is read ahead: it would be held beside the one that waits.
const AHEAD_SIZE_MAX: usize = 1 << 20;

/// The largest message that is read unless the program says otherwise.
const SIZE_MAX: usize = 16 * 1024 * 1024;

/// Lines that a thread of their own reads, because reading them blocks.
///
/// Nothing waits for that thread: a program whose input never ends can end.
pub struct Lines {
    batches: mpsc::Receiver<io::Result<Vec<Message>>>,
    /// What is left of the last one.
    batch: vec::IntoIter<Message>,
    /// Whether they were polled before the messages the last time.
    went_first: bool,
    has_ended: bool,
    /// What ends them at once, with others waiting.
    interrupt: Option<oneshot::Receiver<io::Error>>,
}

/// Shows how many lines wait: they may be secrets.
impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines")
            .field("waiting", &self.batch.len())
            .finish_non_exhaustive()
    }
}

/// Where lines that have been read are put.
#[derive(Clone, Debug)]
pub struct LineSender {
    batches: mpsc::Sender<io::Result<Vec<Message>>>,
}

impl LineSender {
    /// Hands a line on; waits while as many as the capacity have not been taken.
    ///
    /// Returns whether anybody still wants lines.
    ///
    /// # Cancel safety
    /// A dropped call loses the line.
    pub async fn send(&self, line: io::Result<Message>) -> bool {
        let batch = line.map(|line| vec![line]);
        self.batches.send(batch).await.is_ok()
    }

    /// Hands all of these lines on at once, and leaves none of them; waits while others have not been taken.
    ///
    /// Returns whether anybody still wants lines.
    ///
    /// # Cancel safety
    /// A dropped call loses no line.
    pub(crate) async fn send_all(&self, lines: &mut Vec<Message>) -> bool {
        let Ok(permit) = self.batches.reserve().await else {
            return false;
        };
        permit.send(Ok(std::mem::take(lines)));
        true
    }

    /// As [`send`](Self::send), for a thread without tasks.
    fn blocking_send(&self, batch: io::Result<Vec<Message>>) -> bool {
        self.batches.blocking_send(batch).is_ok()
    }
}

/// Where input is cut into messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// At each of these bytes, of which there is one at least; a line feed takes a carriage return before it
    /// along.
    At(Vec<u8>),
    /// After as many bytes, at least one.
    Size(usize),
    /// Nowhere.
    Whole,
}

type Make = Box<dyn FnMut(Vec<u8>) -> Result<Message, String> + Send>;

/// How input becomes messages.
pub struct Reading {
    cut: Cut,
    size_max: usize,
    /// What is wrong with a larger piece.
    too_large: String,
    make: Make,
}

impl Reading {
    /// Cuts input so, and makes a message of each piece, or says what is wrong with it, as in "is not
    /// UTF-8".
    pub fn new(
        cut: Cut,
        make: impl FnMut(Vec<u8>) -> Result<Message, String> + Send + 'static,
    ) -> Self {
        Self {
            cut,
            size_max: SIZE_MAX,
            too_large: format!("is longer than the limit of {SIZE_MAX} bytes: send less at once"),
            make: Box::new(make),
        }
    }

    /// Each line is a text, without its line end (LF or CR LF).
    pub fn lines() -> Self {
        Self::new(Cut::At(b"\n".to_vec()), text)
    }

    /// Sets the largest piece, in bytes, and what is wrong with a larger one, as in "is longer than 1 MiB: cut it";
    /// 16 MiB by default.
    #[must_use]
    pub fn size_max(mut self, size_max: usize, too_large: impl Into<String>) -> Self {
        self.size_max = size_max;
        self.too_large = too_large.into();
        self
    }

    /// What is wrong with a piece.
    fn complaint(&self, number: u64, what: &str) -> io::Error {
        let which = match &self.cut {
            Cut::At(separator) if separator == b"\n" => format!("line {number} of the input"),
            Cut::At(_) | Cut::Size(_) => format!("message {number} of the input"),
            Cut::Whole => "the input".to_owned(),
        };
        io::Error::new(io::ErrorKind::InvalidData, format!("{which} {what}"))
    }

    /// A piece, unless it is too large.
    fn checked(&self, piece: Vec<u8>, number: u64) -> io::Result<Option<Vec<u8>>> {
        match piece.len() > self.size_max {
            true => Err(self.complaint(number, &self.too_large)),
            false => Ok(Some(piece)),
        }
    }

    /// The next piece, of which no more is held than the limit.
    fn read(&self, reader: &mut BufReader<impl Read>, number: u64) -> io::Result<Option<Vec<u8>>> {
        let mut piece = Vec::new();
        loop {
            let bytes = match reader.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if bytes.is_empty() {
                return match piece.is_empty() {
                    true => Ok(None),
                    false => self.checked(piece, number),
                };
            }
            let size = match &self.cut {
                Cut::At(separator) => position_of_end(separator, bytes).unwrap_or(bytes.len()),
                Cut::Size(size) => bytes.len().min(size - piece.len()),
                Cut::Whole => bytes.len(),
            };
            piece.extend_from_slice(&bytes[..size]);
            reader.consume(size);
            match &self.cut {
                Cut::At(separator) if piece.ends_with(separator) => {
                    piece.truncate(piece.len() - separator.len());
                    if separator == b"\n" && piece.last() == Some(&b'\r') {
                        piece.pop();
                    }
                    return self.checked(piece, number);
                }
                Cut::Size(size) if piece.len() == *size => return self.checked(piece, number),
                // The separator may be there in part.
                Cut::At(separator)
                    if piece.len() <= self.size_max.saturating_add(separator.len()) => {}
                Cut::Size(_) | Cut::Whole if piece.len() <= self.size_max => {}
                _ => return self.checked(piece, number),
            }
        }
    }

    /// Whether one more piece has been read already, so that it need not be waited for.
    fn is_ahead(&self, bytes: &[u8]) -> bool {
        match &self.cut {
            Cut::At(separator) => {
                let mut windows = bytes.windows(separator.len());
                windows.any(|window| window == separator)
            }
            Cut::Size(size) => bytes.len() >= *size,
            Cut::Whole => false,
        }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("cut", &self.cut)
            .field("size_max", &self.size_max)
            .finish_non_exhaustive()
    }
}

/// Behind the first byte with which a separator may end.
fn position_of_end(separator: &[u8], bytes: &[u8]) -> Option<usize> {
    let last = separator.last()?;
    let position = bytes.iter().position(|byte| byte == last)?;
    Some(position + 1)
}

fn text(bytes: Vec<u8>) -> Result<Message, String> {
    let text = String::from_utf8(bytes);
    text.map(Message::from).map_err(|_| {
        "is not UTF-8, as text has to be: convert it, or send something else".to_owned()
    })
}

impl Lines {
    /// The messages of standard input.
    ///
    /// # Errors
    /// The operating system's, if no thread can be started.
    pub fn stdin(reading: Reading) -> io::Result<Self> {
        Self::read(io::stdin(), reading)
    }

    /// The messages of a reader.
    ///
    /// Behind one that is not what it has to be, or too large, nothing more is read.
    ///
    /// # Errors
    /// The operating system's, if no thread can be started.
    pub fn read(reader: impl Read + Send + 'static, mut reading: Reading) -> io::Result<Self> {
        let (sender, lines) = Self::channel(BATCHES_AHEAD);
        let runtime = Handle::try_current().ok();
        thread::Builder::new()
            .name("input".to_owned())
            .spawn(move || {
                let mut reader = BufReader::new(reader);
                let mut number = 0;
                loop {
                    let mut batch = Vec::new();
                    let end = read_batch(&mut reader, &mut reading, &mut number, &mut batch);
                    let is_large = batch.iter().any(|it| it.len() > AHEAD_SIZE_MAX);
                    if !batch.is_empty() && !sender.blocking_send(Ok(batch)) {
                        return;
                    }
                    if is_large && let Some(runtime) = &runtime {
                        // That nobody takes it is told by the next one.
                        let _ = runtime.block_on(sender.batches.reserve());
                    }
                    match end {
                        Ok(More::Perhaps) => {}
                        Ok(More::Nothing) => return,
                        Err(error) => {
                            sender.blocking_send(Err(error));
                            return;
                        }
                    }
                }
            })?;
        Ok(lines)
    }

    /// Lines that the program reads in its own way; `capacity` of them may wait to be taken.
    pub fn channel(capacity: usize) -> (LineSender, Self) {
        let (sender, receiver) = mpsc::channel(capacity);
        let lines = Self {
            batches: receiver,
            batch: Vec::new().into_iter(),
            went_first: false,
            has_ended: false,
            interrupt: None,
        };
        (LineSender { batches: sender }, lines)
    }

    /// Lines that can be ended before those that wait are taken.
    pub(crate) fn interruptible() -> (LineSender, oneshot::Sender<io::Error>, Self) {
        let (sender, mut lines) = Self::channel(BATCHES_AHEAD);
        let (interrupt, interrupted) = oneshot::channel();
        lines.interrupt = Some(interrupted);
        (sender, interrupt, lines)
    }

    /// Polls for what ends them at once.
    pub(crate) fn poll_interrupt(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let Some(interrupt) = &mut self.interrupt else {
            return Poll::Pending;
        };
        let interrupted = ready!(Pin::new(interrupt).poll(cx));
        self.interrupt = None;
        match interrupted {
            Ok(error) => Poll::Ready(error),
            Err(_) => Poll::Pending,
        }
    }

    /// Whether more has been read than was taken.
    pub fn has_waiting(&self) -> bool {
        self.batch.len() > 0 || !self.batches.is_empty()
    }

    /// Whether the lines go first this time: every other time.
    pub(crate) fn goes_first(&mut self) -> bool {
        self.went_first = !self.went_first;
        self.went_first
    }

    /// Polls for the next line; `None` at the end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Message>>> {
        let waiting = ready!(self.poll_waiting(cx));
        Poll::Ready(match waiting {
            Some(Ok(())) => self.take().map(Ok),
            Some(Err(error)) => Some(Err(error)),
            None => None,
        })
    }

    /// Takes the line that waits.
    pub(crate) fn take(&mut self) -> Option<Message> {
        self.batch.next()
    }

    /// As [`poll_next`](Self::poll_next), but leaves a line where it is.
    pub(crate) fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<()>>> {
        loop {
            if self.batch.len() > 0 {
                return Poll::Ready(Some(Ok(())));
            }
            if self.has_ended {
                return Poll::Ready(None);
            }
            match ready!(self.batches.poll_recv(cx)) {
                Some(Ok(batch)) => self.batch = batch.into_iter(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.has_ended = true,
            }
        }
    }
}

enum More {
    Perhaps,
    Nothing,
}

/// Reads messages until more would have to be waited for; what was read before an error is in the batch.
fn read_batch(
    reader: &mut BufReader<impl Read>,
    reading: &mut Reading,
    number: &mut u64,
    batch: &mut Vec<Message>,
) -> io::Result<More> {
    loop {
        *number += 1;
        let Some(piece) = reading.read(reader, *number)? else {
            return Ok(More::Nothing);
        };
        let message = (reading.make)(piece);
        batch.push(message.map_err(|what| reading.complaint(*number, &what))?);
        if !reading.is_ahead(reader.buffer()) {
            return Ok(More::Perhaps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(input: &'static [u8], reading: Reading) -> Vec<Result<Message, String>> {
        let mut lines = Lines::read(input, reading).unwrap();
        let mut all = Vec::new();
        while let Some(batch) = lines.batches.blocking_recv() {
            match batch {
                Ok(batch) => all.extend(batch.into_iter().map(Ok)),
                Err(error) => all.push(Err(error.to_string())),
            }
        }
        all
    }

    fn binary(bytes: Vec<u8>) -> Result<Message, String> {
        Ok(bytes.into())
    }

    #[test]
    fn line_ends_are_not_part_of_lines() {
        let lines = messages("a\r\n\n안녕\n \nlast".as_bytes(), Reading::lines());
        let expected = ["a", "", "안녕", " ", "last"].map(|line| Ok(Message::from(line)));
        assert_eq!(lines, expected);
        assert_eq!(messages(b"", Reading::lines()), []);
    }

    #[test]
    fn a_line_that_is_not_utf8_is_the_last_one_and_is_named() {
        let lines = messages(b"good\n\xff\nmore\n", Reading::lines());
        assert_eq!(lines.len(), 2);
        let error = lines[1].as_ref().unwrap_err();
        assert!(
            error.starts_with("line 2 of the input is not UTF-8"),
            "{error}"
        );
    }

    #[test]
    fn input_is_cut_at_any_separator_after_a_size_or_nowhere() {
        let at = |separator: &str| Cut::At(separator.into());
        for (cut, input, expected) in [
            (at("\0"), "a\r\n\0b\0", &["a\r\n", "b"][..]),
            (at("--"), "a-b----c-", &["a-b", "", "c-"]),
            (Cut::Size(2), "abcde", &["ab", "cd", "e"]),
            (Cut::Whole, "a\nb\n", &["a\nb\n"]),
            (Cut::Whole, "", &[]),
        ] {
            let found = messages(input.as_bytes(), Reading::new(cut.clone(), binary));
            let expected = expected
                .iter()
                .map(|piece| Ok(piece.as_bytes().to_vec().into()));
            assert_eq!(found, expected.collect::<Vec<_>>(), "{cut:?}");
        }
    }

    #[test]
    fn no_more_is_held_than_the_limit() {
        let lines = || Reading::new(Cut::At(b"\n".into()), binary).size_max(3, "is long: cut it");
        let pieces = |size| Reading::new(Cut::Size(size), binary).size_max(3, "is long: cut it");
        let abc = || Ok(Message::from(b"abc".to_vec()));
        let long = |which: &str| Err(format!("{which} of the input is long: cut it"));
        for (input, reading, expected) in [
            (
                &b"abc\r\nabcd\nx\n"[..],
                lines(),
                vec![abc(), long("line 2")],
            ),
            (b"abc\nabcd", lines(), vec![abc(), long("line 2")]),
            (b"abcabc", pieces(3), vec![abc(), abc()]),
            (b"abcd", pieces(4), vec![long("message 1")]),
        ] {
            assert_eq!(messages(input, reading), expected, "{input:?}");
        }
        let endless = Reading::lines().size_max(usize::MAX, "is long");
        let expected = ["a", "b"].map(|line| Ok(Message::from(line)));
        assert_eq!(messages(b"a\nb", endless), expected);
        for cut in [Cut::At(b"\n".into()), Cut::Whole] {
            let reading = Reading::new(cut, binary).size_max(1 << 20, "is over 1 MiB");
            let mut endless = Lines::read(io::repeat(0), reading).unwrap();
            let first = endless.batches.blocking_recv().unwrap();
            let what = first.unwrap_err().to_string();
            assert!(what.ends_with("is over 1 MiB"), "{what}");
        }
    }
}

//! Prints lines in a thread of its own, because a pipe that nobody reads blocks.

use std::io;
use std::sync::Arc;
use std::thread;

use talkback::Message;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::screen::Output;
use crate::show;

/// How many bytes may wait to be printed, besides what is being printed. What is longer waits alone.
const BYTES_AHEAD: u32 = 1 << 20;

/// What the place of one more line costs, in bytes.
const LINE_COST: usize = 64;

/// Lines on their way to a pipe.
///
/// Nothing waits for the thread unless it is closed: a program whose output is never read can end.
#[derive(Debug)]
pub(crate) struct Printer {
    lines: mpsc::UnboundedSender<Waiting>,
    room: Arc<Semaphore>,
    /// What went wrong, after which nothing more is printed; nothing if all was printed. None once it
    /// has been told.
    ended: Option<oneshot::Receiver<io::Result<()>>>,
}

/// A line that waits to be printed.
#[derive(Debug)]
struct Waiting {
    output: Output,
    line: Line,
    _room: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub(crate) enum Line {
    Text(String),
    /// To be escaped when it is printed, as that may make it six times as long.
    Message(Message),
}

impl Line {
    fn size(&self) -> usize {
        match self {
            Self::Text(line) => line.len(),
            Self::Message(message) => message.len(),
        }
    }

    fn print(&self, output: Output) -> io::Result<()> {
        let write = |part: &str| output.write(part.as_bytes());
        match self {
            Self::Text(line) => write(line)?,
            Self::Message(message) => show::parts(message).try_for_each(|part| write(&part))?,
        }
        output.write(b"\n")?;
        output.flush()
    }
}

impl Printer {
    pub(crate) fn start() -> io::Result<Self> {
        let (lines, mut waiting) = mpsc::unbounded_channel::<Waiting>();
        let (end, ended) = oneshot::channel();
        let mut print = move || {
            while let Some(Waiting {
                output,
                line,
                _room,
            }) = waiting.blocking_recv()
            {
                // What is being printed leaves its place to the next.
                drop(_room);
                line.print(output)?;
            }
            Ok(())
        };
        thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || {
                let outcome = print();
                // Before it is told, so that nobody waits for room for ever.
                drop(print);
                // Nobody may be left to hear it.
                let _ = end.send(outcome);
            })?;
        Ok(Self {
            lines,
            room: Arc::new(Semaphore::new(BYTES_AHEAD as usize)),
            ended: Some(ended),
        })
    }

    /// Hands a line on; waits while there is no room for it.
    pub(crate) async fn print(&mut self, output: Output, line: Line) -> io::Result<()> {
        let size = u32::try_from(line.size() + LINE_COST).unwrap_or(BYTES_AHEAD);
        let room = Arc::clone(&self.room).acquire_many_owned(size.min(BYTES_AHEAD));
        let waiting = Waiting {
            output,
            line,
            _room: room.await.expect("it is never closed"),
        };
        if self.lines.send(waiting).is_ok() {
            return Ok(());
        }
        // Once it has told what went wrong, nobody reads.
        let closed = || io::ErrorKind::BrokenPipe.into();
        outcome(self.ended.take()).await.and(Err(closed()))
    }

    /// Waits until everything is printed.
    ///
    /// # Errors
    /// Why not all of it was, unless `print` has told that.
    pub(crate) async fn close(self) -> io::Result<()> {
        // The thread ends with the last line.
        drop(self.lines);
        outcome(self.ended).await
    }
}

/// What went wrong, unless that has been told.
async fn outcome(ended: Option<oneshot::Receiver<io::Result<()>>>) -> io::Result<()> {
    match ended {
        Some(ended) => ended.await.unwrap_or(Ok(())),
        None => Ok(()),
    }
}

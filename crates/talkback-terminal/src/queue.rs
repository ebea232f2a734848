//! Lines that wait to be printed, bounded by their bytes.

use std::io;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::output::{Output, Print};

/// How many bytes may wait to be printed, besides what is being printed. What is longer waits alone, and has nothing
/// wait behind it while it is printed.
const BYTES_AHEAD: u32 = 1 << 20;

/// What the place of one more line costs, in bytes.
const LINE_COST: usize = 64;

/// A line that waits to be printed.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) output: Output,
    line: Box<dyn Print>,
    permit: OwnedSemaphorePermit,
}

impl Waiting {
    /// Prints it, with this line end.
    ///
    /// # Errors
    /// Those of standard output. Standard error has remarks only: if nobody reads them, there is nobody
    /// to tell, and what is on standard output goes on.
    pub(crate) fn print(self, end: &str) -> io::Result<()> {
        // What is being printed leaves its place to the next; but of what is large, one is enough to be held.
        let _place =
            Some(self.permit).filter(|permit| permit.num_permits() == BYTES_AHEAD as usize);
        let mut to = self.output.writer();
        let written = self.line.print(&mut to, end).and_then(|()| to.flush());
        match self.output {
            Output::Stdout => written,
            Output::Stderr => Ok(()),
        }
    }
}

/// The end of the queue at which lines are put.
#[derive(Debug)]
pub(crate) struct Queue {
    lines: mpsc::UnboundedSender<Waiting>,
    capacity: Arc<Semaphore>,
}

impl Queue {
    /// A queue, and where its lines come out; dropping that frees the capacity, so that nobody waits for ever.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Waiting>) {
        let (lines, waiting) = mpsc::unbounded_channel();
        let capacity = Arc::new(Semaphore::new(BYTES_AHEAD as usize));
        (Self { lines, capacity }, waiting)
    }

    /// Hands a line on; waits while there is no capacity for it, and of what is large until it is printed: who
    /// waits holds no other one meanwhile.
    ///
    /// # Errors
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) if nothing is printed any more.
    pub(crate) async fn put(&self, output: Output, line: Box<dyn Print>) -> io::Result<()> {
        let size = u32::try_from(line.size() + LINE_COST).unwrap_or(BYTES_AHEAD);
        let size = size.min(BYTES_AHEAD);
        let permit = Arc::clone(&self.capacity).acquire_many_owned(size);
        let waiting = Waiting {
            output,
            line,
            permit: permit.await.expect("it is never closed"),
        };
        let put = self.lines.send(waiting);
        put.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        if size == BYTES_AHEAD {
            let _ = self.capacity.acquire().await;
        }
        Ok(())
    }
}

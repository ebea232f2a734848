//! Prints lines in a thread of its own, because a pipe that nobody reads blocks.

use std::io;
use std::thread;

use tokio::sync::oneshot;

use crate::output::{Output, Print};
use crate::queue::Queue;

/// Lines on their way to a pipe.
///
/// Nothing waits for the thread unless it is closed: a program whose output is never read can end.
#[derive(Debug)]
pub(crate) struct Printer {
    queue: Queue,
    /// What went wrong, after which nothing more is printed; nothing if all was printed. None once it
    /// has been told.
    ended: Option<oneshot::Receiver<io::Result<()>>>,
}

impl Printer {
    pub(crate) fn start() -> io::Result<Self> {
        let (queue, mut lines) = Queue::new();
        let (end, ended) = oneshot::channel();
        let mut print = move || {
            while let Some(line) = lines.blocking_recv() {
                line.print("\n")?;
            }
            Ok(())
        };
        thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || {
                let outcome = print();
                // Before it is told, so that nobody waits for capacity for ever.
                drop(print);
                // Nobody may be left to hear it.
                let _ = end.send(outcome);
            })?;
        Ok(Self {
            queue,
            ended: Some(ended),
        })
    }

    /// Hands a line on; waits while there is no capacity for it.
    pub(crate) async fn print(&mut self, output: Output, line: Box<dyn Print>) -> io::Result<()> {
        let put = self.queue.put(output, line).await;
        match put {
            Ok(()) => Ok(()),
            // Once it has told what went wrong, nobody reads.
            Err(closed) => outcome(self.ended.take()).await.and(Err(closed)),
        }
    }

    /// Waits until everything is printed.
    ///
    /// # Errors
    /// Why not all of it was, unless `print` has told that.
    pub(crate) async fn close(self) -> io::Result<()> {
        // The thread ends with the last line.
        drop(self.queue);
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

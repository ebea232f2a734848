//! Prints lines in a thread of its own, because a pipe that nobody reads blocks.

use std::io;
use std::thread;

use tokio::sync::{mpsc, oneshot};

use crate::screen::Output;

/// How many lines may wait to be printed.
const LINES_AHEAD: usize = 64;

/// Lines on their way to a pipe.
///
/// Nothing waits for the thread unless it is closed: a program whose output is never read can end.
#[derive(Debug)]
pub(crate) struct Printer {
    lines: mpsc::Sender<(Output, String)>,
    /// What went wrong, after which nothing more is printed; nothing if all was printed.
    ended: oneshot::Receiver<io::Result<()>>,
}

impl Printer {
    pub(crate) fn start() -> io::Result<Self> {
        let (lines, mut waiting) = mpsc::channel::<(Output, String)>(LINES_AHEAD);
        let (end, ended) = oneshot::channel();
        let mut print = move || {
            while let Some((output, line)) = waiting.blocking_recv() {
                print(output, line)?;
            }
            Ok(())
        };
        thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || {
                let outcome = print();
                // Nobody may be left to hear it.
                let _ = end.send(outcome);
            })?;
        Ok(Self { lines, ended })
    }

    /// Hands a line on; waits while as many as the capacity have not been printed.
    pub(crate) async fn print(&mut self, output: Output, line: String) -> io::Result<()> {
        if self.lines.send((output, line)).await.is_ok() {
            return Ok(());
        }
        match (&mut self.ended).await {
            Ok(Err(error)) => Err(error),
            // It has told before what went wrong.
            Ok(Ok(())) | Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Waits until everything is printed.
    pub(crate) async fn close(self) {
        drop(self.lines);
        // What could not be printed has no reader.
        let _ = self.ended.await;
    }
}

fn print(output: Output, mut line: String) -> io::Result<()> {
    line.push('\n');
    output.write(line.as_bytes())?;
    output.flush()
}

//! A prompt that stays intact while lines appear above it.

mod editor;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;

use crossterm::event::{Event, EventStream};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode, size};
use futures_core::Stream as _;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use self::editor::{Editor, Entered};
use crate::input::{LineSender, Lines};
use crate::output::{Output, Print};
use crate::queue::{Queue, Waiting};

/// How many lines may be typed or pasted ahead. The prompt must not wait for the session to take
/// them, as the session waits for the prompt to print; nobody pastes more than this.
const LINES_AHEAD: usize = 65_536;

/// How wide a terminal is that does not say.
const COLUMNS: u16 = 80;

/// The prompt, which a task of its own keeps.
#[derive(Debug)]
pub(crate) struct Prompt {
    prints: Queue,
    close: oneshot::Sender<()>,
    /// What went wrong, after which nothing more is printed. None once it has been told.
    task: Option<JoinHandle<io::Result<()>>>,
}

impl Prompt {
    /// Shows the prompt `text` on `output`, which is a terminal.
    pub(crate) fn open(text: &'static str, output: Output) -> io::Result<(Self, Lines)> {
        let (sender, lines) = Lines::channel(LINES_AHEAD);
        let (prints, printed) = Queue::new();
        let (close, closed) = oneshot::channel();
        let keeper = Keeper {
            _raw_mode: RawMode::enter()?,
            editor: Editor::new(text),
            output,
            prints: printed,
            lines: Some(sender),
        };
        let prompt = Self {
            prints,
            close,
            task: Some(tokio::spawn(keeper.run(closed))),
        };
        Ok((prompt, lines))
    }

    /// Prints a line above the prompt; waits while there is no capacity for it.
    pub(crate) async fn print(&mut self, output: Output, line: Box<dyn Print>) -> io::Result<()> {
        let put = self.prints.put(output, line).await;
        match put {
            Ok(()) => Ok(()),
            // Once it has told what went wrong, nobody reads.
            Err(closed) => outcome(self.task.take()).await.and(Err(closed)),
        }
    }

    /// Prints what is left, takes the prompt away and leaves the terminal as it was.
    ///
    /// # Errors
    /// Why not all was printed, unless `print` has told that.
    pub(crate) async fn close(self) -> io::Result<()> {
        let _ = self.close.send(());
        outcome(self.task).await
    }
}

/// What went wrong, unless that has been told.
async fn outcome(task: Option<JoinHandle<io::Result<()>>>) -> io::Result<()> {
    match task {
        Some(task) => task.await.unwrap_or(Ok(())),
        None => Ok(()),
    }
}

/// The terminal's mode in which keys come one by one; dropping it restores the other one.
struct RawMode;

impl RawMode {
    fn enter() -> io::Result<Self> {
        enable_raw_mode()?;
        Ok(Self)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let _ = disable_raw_mode();
    }
}

struct Keeper {
    _raw_mode: RawMode,
    editor: Editor,
    /// Where the prompt is.
    output: Output,
    prints: mpsc::UnboundedReceiver<Waiting>,
    /// `None` once nothing more is typed.
    lines: Option<LineSender>,
}

impl Keeper {
    async fn run(mut self, mut closed: oneshot::Receiver<()>) -> io::Result<()> {
        let mut keys = EventStream::new();
        loop {
            if self.lines.is_some() {
                self.draw()?;
            }
            tokio::select! {
                key = next_key(&mut keys), if self.lines.is_some() => match key {
                    Ok(key) => self.handle_key(&key).await?,
                    Err(error) => self.finish(Some(error)).await,
                },
                Some(print) = self.prints.recv() => self.print(print)?,
                _ = &mut closed => break,
            }
        }
        while let Ok(print) = self.prints.try_recv() {
            self.print(print)?;
        }
        self.erase()
    }

    async fn handle_key(&mut self, key: &Event) -> io::Result<()> {
        match self.editor.handle(key) {
            Some(Entered::Line(line)) => {
                self.erase()?;
                let entered = format!("{}\r\n", self.editor.entered(&line));
                self.write(entered.as_bytes())?;
                if let Some(lines) = &self.lines {
                    lines.send(Ok(line.into())).await;
                }
            }
            Some(Entered::End) => self.finish(None).await,
            Some(Entered::Interrupt) => {
                self.finish(Some(io::ErrorKind::Interrupted.into())).await;
            }
            None => {}
        }
        Ok(())
    }

    /// Ends the input, with an error or without.
    async fn finish(&mut self, error: Option<io::Error>) {
        if let (Some(lines), Some(error)) = (self.lines.take(), error) {
            lines.send(Err(error)).await;
        }
    }

    fn draw(&self) -> io::Result<()> {
        let columns = size().map_or(COLUMNS, |(columns, _)| columns);
        let mut row = Vec::new();
        self.editor.draw(&mut row, columns)?;
        self.write(&row)
    }

    fn erase(&self) -> io::Result<()> {
        let mut row = Vec::new();
        editor::erase(&mut row)?;
        self.write(&row)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut to = self.output.writer();
        to.write_all(bytes)?;
        to.flush()
    }

    /// Prints a line in the place of the prompt. A raw terminal wants both characters of a line end.
    fn print(&self, print: Waiting) -> io::Result<()> {
        self.erase()?;
        let end = if print.output.is_terminal() {
            "\r\n"
        } else {
            "\n"
        };
        print.print(end)
    }
}

/// Waits for a key, or another event of the terminal such as a new size.
async fn next_key(keys: &mut EventStream) -> io::Result<Event> {
    let key = poll_fn(|cx| Pin::new(&mut *keys).poll_next(cx)).await;
    key.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))
}

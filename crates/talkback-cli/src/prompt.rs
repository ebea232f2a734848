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
use crate::screen::Output;

/// How many lines may be typed or pasted ahead. The prompt must not wait for the session to take
/// them, as the session waits for the prompt to print; nobody pastes more than this.
const LINES_AHEAD: usize = 65_536;

/// How many lines may wait to be printed.
const PRINTS_AHEAD: usize = 64;

/// How wide a terminal is that does not say.
const COLUMNS: u16 = 80;

/// The prompt, which a task of its own keeps.
#[derive(Debug)]
pub(crate) struct Prompt {
    prints: mpsc::Sender<Print>,
    close: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

/// A line to be printed.
#[derive(Debug)]
struct Print {
    output: Output,
    line: String,
}

impl Prompt {
    /// Shows the prompt `text` on `output`, which is a terminal.
    pub(crate) fn open(text: &'static str, output: Output) -> io::Result<(Self, Lines)> {
        let (sender, lines) = Lines::channel(LINES_AHEAD);
        let (prints, printed) = mpsc::channel(PRINTS_AHEAD);
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
            task: tokio::spawn(keeper.run(closed)),
        };
        Ok((prompt, lines))
    }

    /// Prints a line above the prompt.
    pub(crate) async fn print(&self, output: Output, line: String) -> io::Result<()> {
        let printed = self.prints.send(Print { output, line }).await;
        printed.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Prints what is left, takes the prompt away and leaves the terminal as it was.
    pub(crate) async fn close(self) {
        let _ = self.close.send(());
        // It fails if the terminal is gone, and then there is nothing to tidy.
        let _ = self.task.await;
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
    prints: mpsc::Receiver<Print>,
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
                Some(print) = self.prints.recv() => self.print(&print)?,
                _ = &mut closed => break,
            }
        }
        while let Ok(print) = self.prints.try_recv() {
            self.print(&print)?;
        }
        self.erase()
    }

    async fn handle_key(&mut self, key: &Event) -> io::Result<()> {
        match self.editor.handle(key) {
            Some(Entered::Line(line)) => {
                let entered = Print {
                    output: self.output,
                    line: self.editor.entered(&line),
                };
                self.print(&entered)?;
                if let Some(lines) = &self.lines {
                    lines.send(Ok(line)).await;
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
        self.output.write(&row)?;
        self.output.flush()
    }

    fn erase(&self) -> io::Result<()> {
        let mut row = Vec::new();
        editor::erase(&mut row)?;
        self.output.write(&row)?;
        self.output.flush()
    }

    /// Prints a line in the place of the prompt. A raw terminal wants both characters of a line end.
    fn print(&self, print: &Print) -> io::Result<()> {
        self.erase()?;
        let end = if print.output.is_terminal() {
            "\r\n"
        } else {
            "\n"
        };
        let line = format!("{}{end}", print.line);
        print.output.write(line.as_bytes())
    }
}

/// Waits for a key, or another event of the terminal such as a new size.
async fn next_key(keys: &mut EventStream) -> io::Result<Event> {
    let key = poll_fn(|cx| Pin::new(&mut *keys).poll_next(cx)).await;
    key.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))
}

//! A prompt that stays intact while messages appear above it.

use std::future::poll_fn;
use std::io::{self, Stdout, Write as _};
use std::pin::Pin;

use crossterm::event::{Event, EventStream};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode, size};
use futures_core::Stream as _;
use talkback_cli::input::{LineSender, Lines};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::editor::{self, Editor, Entered};

/// How many lines may be typed or pasted ahead. The prompt must not wait for the session to take
/// them, as the session waits for the prompt to print; nobody pastes more than this.
const LINES_AHEAD: usize = 65_536;

/// How many messages may wait to be printed.
const MESSAGES_AHEAD: usize = 64;

/// How wide a terminal is that does not say.
const COLUMNS: u16 = 80;

/// The prompt, which a task of its own keeps.
pub(crate) struct Prompt {
    messages: mpsc::Sender<String>,
    close: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl Prompt {
    /// Shows the prompt.
    pub(crate) fn open() -> io::Result<(Self, Lines)> {
        let (sender, lines) = Lines::channel(LINES_AHEAD);
        let (messages, printed) = mpsc::channel(MESSAGES_AHEAD);
        let (close, closed) = oneshot::channel();
        let keeper = Keeper {
            _raw_mode: RawMode::enter()?,
            editor: Editor::default(),
            stdout: io::stdout(),
            messages: printed,
            lines: Some(sender),
        };
        let prompt = Self {
            messages,
            close,
            task: tokio::spawn(keeper.run(closed)),
        };
        Ok((prompt, lines))
    }

    /// Prints a line above the prompt.
    pub(crate) async fn print(&self, line: String) -> io::Result<()> {
        let printed = self.messages.send(line).await;
        printed.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Prints what is left, takes the prompt away and leaves the terminal as it was.
    pub(crate) async fn close(self) {
        let _ = self.close.send(());
        // It fails if standard output is gone, and then there is nothing to tidy.
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
    stdout: Stdout,
    messages: mpsc::Receiver<String>,
    /// `None` once nothing more is typed.
    lines: Option<LineSender>,
}

impl Keeper {
    async fn run(mut self, mut closed: oneshot::Receiver<()>) -> io::Result<()> {
        let mut keys = EventStream::new();
        loop {
            if self.lines.is_some() {
                let columns = size().map_or(COLUMNS, |(columns, _)| columns);
                self.editor.draw(&mut self.stdout, columns)?;
                self.stdout.flush()?;
            }
            tokio::select! {
                key = next_key(&mut keys), if self.lines.is_some() => match key {
                    Ok(key) => self.handle_key(&key).await?,
                    Err(error) => self.finish(Some(error)).await,
                },
                Some(message) = self.messages.recv() => self.print(&message)?,
                _ = &mut closed => break,
            }
        }
        while let Ok(message) = self.messages.try_recv() {
            self.print(&message)?;
        }
        editor::erase(&mut self.stdout)?;
        self.stdout.flush()
    }

    async fn handle_key(&mut self, key: &Event) -> io::Result<()> {
        match self.editor.handle(key) {
            Some(Entered::Line(line)) => {
                self.print(&editor::entered(&line))?;
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

    /// Prints a line in the place of the prompt. A raw terminal wants both characters of a line end.
    fn print(&mut self, line: &str) -> io::Result<()> {
        editor::erase(&mut self.stdout)?;
        write!(self.stdout, "{line}\r\n")
    }
}

/// Waits for a key, or another event of the terminal such as a new size.
async fn next_key(keys: &mut EventStream) -> io::Result<Event> {
    let key = poll_fn(|cx| Pin::new(&mut *keys).poll_next(cx)).await;
    key.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))
}

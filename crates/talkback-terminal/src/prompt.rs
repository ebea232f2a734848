//! A prompt that stays intact while lines appear above it.

mod editor;
mod history;
mod keyboard;
mod keys;
mod line;

use std::io;
use std::path::PathBuf;

use crossterm::cursor::MoveTo;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{Clear, ClearType, disable_raw_mode, enable_raw_mode, size};
use crossterm::{Command, queue};
use talkback::Message;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, yield_now};

use self::editor::{Editor, Entered};
use self::history::History;
use self::keyboard::Keyboard;
use self::keys::Key;
use crate::input::{LineSender, Lines};
use crate::output::{Output, Print};
use crate::queue::{Queue, Waiting};

/// How many bytes of lines may be typed or pasted ahead. The prompt must not wait for the session to take
/// them, as the session waits for the prompt to print: what is more is not sent, and that is told.
const BYTES_AHEAD: usize = 4 << 20;

/// What the place of one more line costs, in bytes.
const LINE_COST: usize = 64;

/// How wide a terminal is that does not say.
const COLUMNS: u16 = 80;

/// What a prompt is like.
#[derive(Clone, Debug, Default)]
pub struct PromptOptions {
    /// What stands before the line.
    pub text: &'static str,
    /// What Tab completes at the beginning of a line; elsewhere a Tab is a Tab.
    pub words: &'static [&'static str],
    /// The file that keeps lines from one run to the next: 1,000 of them and 1 MiB at most, none that begins
    /// with a blank. Without one they are kept in memory alone.
    pub history: Option<PathBuf>,
}

/// The prompt, which a task of its own keeps.
#[derive(Debug)]
pub(crate) struct Prompt {
    prints: Queue,
    close: oneshot::Sender<()>,
    /// What went wrong, after which nothing more is printed. None once it has been told.
    task: Option<JoinHandle<io::Result<()>>>,
}

impl Prompt {
    /// Shows a prompt on `output`, which is a terminal.
    pub(crate) fn open(options: PromptOptions, output: Output) -> io::Result<(Self, Lines)> {
        let (sender, interrupt, lines) = Lines::interruptible();
        let (prints, printed) = Queue::new();
        let (close, closed) = oneshot::channel();
        let history = match &options.history {
            Some(path) => History::open(path),
            None => Ok(History::default()),
        };
        let (history, remark) = match (history, &options.history) {
            (Err(error), Some(path)) => {
                let what = format!("no history is kept in {}: {error}", path.display());
                let what = crate::explain::without_numbers(&what);
                (History::default(), Some(crate::show::escaped(&what)))
            }
            (history, _) => (history.unwrap_or_default(), None),
        };
        let mut keeper = Keeper {
            _raw_mode: RawMode::enter(output)?,
            editor: Editor::new(options.text, options.words, history),
            output,
            prints: printed,
            lines: Some(sender),
            interrupt: Some(interrupt),
            ahead: Vec::new(),
            bytes_ahead: 0,
            is_typing: true,
        };
        let keyboard = Keyboard::open()?;
        if let Some(remark) = remark {
            keeper.tell(&remark)?;
        }
        let prompt = Self {
            prints,
            close,
            task: Some(tokio::spawn(keeper.run(keyboard, closed))),
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

/// The terminal's mode in which keys come one by one, and what is pasted is marked; dropping it restores the
/// other one.
struct RawMode(Output);

impl RawMode {
    fn enter(output: Output) -> io::Result<Self> {
        enter(output)?;
        Ok(Self(output))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        leave(self.0);
    }
}

fn enter(output: Output) -> io::Result<()> {
    enable_raw_mode()?;
    mark_pastes(output, EnableBracketedPaste)
}

fn leave(output: Output) {
    // A terminal that is gone has no mode.
    let _ = mark_pastes(output, DisableBracketedPaste);
    let _ = disable_raw_mode();
}

/// A console of Windows has no marks among its events; some take Control for pressed, once they are asked for them.
fn mark_pastes(output: Output, how: impl Command) -> io::Result<()> {
    if cfg!(windows) {
        return Ok(());
    }
    let mut to = output.writer();
    queue!(to, how)?;
    to.flush()
}

struct Keeper {
    _raw_mode: RawMode,
    editor: Editor,
    /// Where the prompt is.
    output: Output,
    prints: mpsc::UnboundedReceiver<Waiting>,
    /// `None` once nothing more is sent.
    lines: Option<LineSender>,
    /// As long as keys are waited for.
    interrupt: Option<oneshot::Sender<io::Error>>,
    /// Lines that the session has not taken.
    ahead: Vec<Message>,
    bytes_ahead: usize,
    /// Whether a line is typed, which Ctrl-D ends.
    is_typing: bool,
}

impl Keeper {
    async fn run(
        mut self,
        mut keyboard: Keyboard,
        mut closed: oneshot::Receiver<()>,
    ) -> io::Result<()> {
        loop {
            if self.is_typing {
                self.draw()?;
            } else if self.ahead.is_empty() {
                // The lines have an end.
                self.lines = None;
            }
            tokio::select! {
                keys = keyboard.next(), if self.interrupt.is_some() => match keys {
                    Ok(keys) => {
                        self.handle_keys(keys)?;
                        // A paste without an end must not keep the session from its turn.
                        yield_now().await;
                    }
                    Err(error) => self.fail(error),
                },
                is_sent = send(self.lines.as_ref(), &mut self.ahead), if !self.ahead.is_empty() => {
                    self.bytes_ahead = 0;
                    if !is_sent {
                        self.ahead.clear();
                    }
                }
                Some(print) = self.prints.recv() => self.print(print)?,
                _ = &mut closed => break,
            }
        }
        while let Ok(print) = self.prints.try_recv() {
            self.print(print)?;
        }
        self.erase()
    }

    fn handle_keys(&mut self, keys: Vec<Key>) -> io::Result<()> {
        for key in keys {
            match key {
                key if self.is_typing => self.handle_key(key)?,
                // The terminal sends no signals, and the server may take its time with what was typed.
                Key::Control('c') => self.fail(io::ErrorKind::Interrupted.into()),
                Key::Control('z') if self.interrupt.is_some() => self.suspend()?,
                _ => {}
            }
        }
        Ok(())
    }

    fn handle_key(&mut self, key: Key) -> io::Result<()> {
        match self.editor.handle(key) {
            Some(Entered::Line(line)) => {
                let entered = self.editor.entered(&line);
                self.tell(&entered)?;
                self.put(line)?;
            }
            Some(Entered::Remark(remark)) => self.tell(&remark)?,
            Some(Entered::End) => self.is_typing = false,
            Some(Entered::Interrupt) => self.fail(io::ErrorKind::Interrupted.into()),
            Some(Entered::Suspend) => self.suspend()?,
            Some(Entered::Clear) => {
                let mut to = self.output.writer();
                queue!(to, Clear(ClearType::All), MoveTo(0, 0))?;
                to.flush()?;
            }
            None => {}
        }
        Ok(())
    }

    /// Hands a line on, unless too much waits.
    fn put(&mut self, line: String) -> io::Result<()> {
        let size = line.len() + LINE_COST;
        if self.bytes_ahead + size > BYTES_AHEAD {
            return self.tell("not sent: the server has not taken what was entered before");
        }
        self.bytes_ahead += size;
        self.ahead.push(line.into());
        Ok(())
    }

    /// Ends the input with an error, whatever waits to be sent.
    fn fail(&mut self, error: io::Error) {
        if let Some(interrupt) = self.interrupt.take() {
            // Nobody may wait for lines any more.
            let _ = interrupt.send(error);
        }
        self.is_typing = false;
        self.ahead.clear();
    }

    /// Gives the terminal back to the shell until it continues this.
    fn suspend(&mut self) -> io::Result<()> {
        #[cfg(unix)]
        {
            self.erase()?;
            leave(self.output);
            // It returns once it is continued.
            signal_hook::low_level::raise(signal_hook::consts::SIGTSTP)?;
            enter(self.output)?;
        }
        Ok(())
    }

    fn draw(&mut self) -> io::Result<()> {
        let mut row = Vec::new();
        self.editor.draw(&mut row, columns())?;
        self.write(&row)
    }

    fn erase(&mut self) -> io::Result<()> {
        let mut row = Vec::new();
        self.editor.erase(&mut row, columns())?;
        self.write(&row)
    }

    /// Prints a line of the prompt's own above it.
    fn tell(&mut self, line: &str) -> io::Result<()> {
        self.erase()?;
        self.write(format!("{line}\r\n").as_bytes())
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut to = self.output.writer();
        to.write_all(bytes)?;
        to.flush()
    }

    /// Prints a line in the place of the prompt. A raw terminal wants both characters of a line end.
    fn print(&mut self, print: Waiting) -> io::Result<()> {
        self.erase()?;
        let end = if print.output.is_terminal() {
            "\r\n"
        } else {
            "\n"
        };
        print.print(end)
    }
}

/// Hands on all that waits; returns whether anybody wants it.
async fn send(lines: Option<&LineSender>, ahead: &mut Vec<Message>) -> bool {
    match lines {
        Some(lines) => lines.send_all(ahead).await,
        None => false,
    }
}

fn columns() -> u16 {
    let columns = size().map_or(0, |(columns, _)| columns);
    match columns {
        0 => COLUMNS,
        columns => columns,
    }
}

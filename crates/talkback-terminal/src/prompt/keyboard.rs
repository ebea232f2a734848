//! Keys, as they come from the terminal that is standard input.

#[cfg(unix)]
pub(crate) use self::unix::Keyboard;

#[cfg(not(unix))]
pub(crate) use self::console::Keyboard;

/// On Unix a terminal is a file. It is read here, and not by crossterm, whose events lose the rest of what is
/// longer than 1,024 bytes until another key comes, and which blocks a task on half of a sequence.
#[cfg(unix)]
mod unix {
    use std::io;
    use std::time::Duration;

    use rustix::io::{Errno, ioctl_fionread, read};
    use tokio::io::unix::AsyncFd;
    use tokio::signal::unix::{Signal, SignalKind, signal};
    use tokio::time::timeout;

    use crate::prompt::keys::{Key, Parser};
    use crate::prompt::line::LINE_MAX;

    /// How much is read at once, in bytes.
    const READ_MAX: u64 = 64 << 10;

    /// How long the rest of a key may take after its first byte, which is that of Escape.
    const ESCAPE_TIMEOUT: Duration = Duration::from_millis(50);

    pub(crate) struct Keyboard {
        stdin: AsyncFd<io::Stdin>,
        parser: Parser,
        resizes: Signal,
    }

    impl Keyboard {
        pub(crate) fn open() -> io::Result<Self> {
            let interest = tokio::io::Interest::READABLE;
            #[allow(
                deprecated,
                reason = "what replaces it is unsafe, and standard input stays what it is"
            )]
            let stdin = AsyncFd::with_interest(io::stdin(), interest)?;
            Ok(Self {
                stdin,
                parser: Parser::new(LINE_MAX),
                resizes: signal(SignalKind::window_change())?,
            })
        }

        /// Waits for keys; none at all mean half of one, or that the terminal has another size.
        ///
        /// # Cancel safety
        /// A dropped call loses no key.
        pub(crate) async fn next(&mut self) -> io::Result<Vec<Key>> {
            tokio::select! {
                _ = self.resizes.recv() => Ok(Vec::new()),
                keys = read_keys(&self.stdin, &mut self.parser) => keys,
            }
        }
    }

    async fn read_keys(stdin: &AsyncFd<io::Stdin>, parser: &mut Parser) -> io::Result<Vec<Key>> {
        loop {
            let readable = stdin.readable();
            let mut ready = match parser.is_undecided() {
                true => match timeout(ESCAPE_TIMEOUT, readable).await {
                    Ok(ready) => ready?,
                    Err(_) => return Ok(parser.decide()),
                },
                false => readable.await?,
            };
            // Reading blocks if there is nothing, as the file is shared with the shell and others write to it:
            // it cannot be set to do otherwise.
            let size = ioctl_fionread(stdin.get_ref())?;
            if size == 0 {
                if ready.ready().is_read_closed() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                ready.clear_ready();
                continue;
            }
            let mut bytes = vec![0; usize::try_from(size.min(READ_MAX)).unwrap_or(1)];
            match read(stdin.get_ref(), &mut *bytes) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(size) => return Ok(parser.feed(&bytes[..size])),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Elsewhere a console has events.
#[cfg(not(unix))]
mod console {
    use std::future::poll_fn;
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
    use futures_core::Stream as _;

    use crate::prompt::keys::Key;

    /// How many keys are taken at once: what is pasted comes key by key, and each time the line is drawn.
    const KEYS_MAX: usize = 16 << 10;

    pub(crate) struct Keyboard(EventStream);

    impl Keyboard {
        pub(crate) fn open() -> io::Result<Self> {
            Ok(Self(EventStream::new()))
        }

        /// Waits for keys; none at all mean another event of the console, such as a new size.
        ///
        /// # Cancel safety
        /// A dropped call loses no key.
        pub(crate) async fn next(&mut self) -> io::Result<Vec<Key>> {
            poll_fn(|cx| self.poll_keys(cx)).await
        }

        fn poll_keys(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<Key>>> {
            let mut keys = Vec::new();
            let mut has_come = false;
            while keys.len() < KEYS_MAX {
                let Poll::Ready(event) = Pin::new(&mut self.0).poll_next(cx) else {
                    break;
                };
                has_come = true;
                match event {
                    Some(Ok(Event::Key(event))) if event.kind != KeyEventKind::Release => {
                        keys.extend(key(&event));
                    }
                    Some(Ok(_)) => {}
                    // It is there the next time, too.
                    Some(Err(_)) | None if !keys.is_empty() => break,
                    Some(Err(error)) => return Poll::Ready(Err(error)),
                    None => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                }
            }
            match has_come {
                true => Poll::Ready(Ok(keys)),
                false => Poll::Pending,
            }
        }
    }

    fn key(event: &KeyEvent) -> Option<Key> {
        let is_by_words = event
            .modifiers
            .intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        Some(match (event.code, event.modifiers) {
            (KeyCode::Char(character), KeyModifiers::CONTROL) => Key::Control(character),
            (KeyCode::Char(character), KeyModifiers::ALT) => Key::Alt(character),
            (KeyCode::Char(character), _) => Key::Text(character.to_string()),
            (KeyCode::Enter, KeyModifiers::ALT) => Key::Alt('\r'),
            (KeyCode::Backspace, KeyModifiers::ALT) => Key::Alt('\u{7f}'),
            (KeyCode::Enter, _) => Key::Enter,
            (KeyCode::Tab, _) => Key::Tab,
            (KeyCode::Esc, _) => Key::Escape,
            (KeyCode::Backspace, _) => Key::Backspace,
            (KeyCode::Delete, _) => Key::Delete,
            (KeyCode::Left, _) if is_by_words => Key::WordLeft,
            (KeyCode::Right, _) if is_by_words => Key::WordRight,
            (KeyCode::Left, _) => Key::Left,
            (KeyCode::Right, _) => Key::Right,
            (KeyCode::Home, _) => Key::Home,
            (KeyCode::End, _) => Key::End,
            (KeyCode::Up, _) => Key::Up,
            (KeyCode::Down, _) => Key::Down,
            _ => return None,
        })
    }
}

//! A terminal with `talkback connect` in it, and a person at it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::LIMIT;
use super::attack::Usage;
use super::held::limited;
use super::server::{open, server};

/// A terminal that a program has for its own; the program is killed when this is dropped.
pub(crate) struct Terminal {
    program: Child,
    terminal: File,
    keys: Sender<Vec<u8>>,
    screen: Arc<Mutex<Vec<u8>>>,
    /// What has been looked at.
    seen: usize,
}

/// A folder that is removed when it is dropped.
pub(crate) struct Folder(pub(crate) std::path::PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("talkback-prompt-{}-{name}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Terminal {
    /// `talkback connect`, in a terminal of 80 columns, with its history in a folder.
    pub(crate) fn connect(folder: &Folder, arguments: &[&str]) -> Self {
        let binary = env!("CARGO_BIN_EXE_talkback");
        let arguments = [&[binary, "connect"], arguments].concat();
        let mut terminal = Self::start(folder, &arguments, &[]);
        terminal.shows("> ");
        terminal
    }

    /// As [`connect`](Self::connect), under the limits of [`held`](super::held), and what it uses.
    pub(crate) fn measured(folder: &Folder, arguments: &[&str]) -> (Self, Usage) {
        let arguments = [&["connect"], arguments].concat();
        let command = limited("echo process $$;", &arguments);
        let arguments = command
            .get_args()
            .map(|argument| argument.to_str().unwrap());
        let command: Vec<&str> = std::iter::once("sh").chain(arguments).collect();
        let mut terminal = Self::start(folder, &command, &[]);
        terminal.shows("process ");
        let process = terminal.shows("\r\n").parse().unwrap();
        (terminal, Usage::of(process))
    }

    pub(crate) fn start(folder: &Folder, command: &[&str], environment: &[(&str, &str)]) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let mut options = File::options();
        let face = options.read(true).write(true);
        let face = face.open(name.to_str().unwrap()).unwrap();
        resize(&terminal, 80);
        // It makes the terminal the program's own, so that signals come from it.
        let mut program = Command::new("setsid");
        program.arg("--ctty").arg("--wait").args(command);
        program.env_remove("RUST_LOG").env_remove("NO_COLOR");
        program
            .env("TERM", "xterm")
            .env("XDG_STATE_HOME", &folder.0);
        program.envs(environment.iter().copied());
        program.stdin(face.try_clone().unwrap());
        program.stdout(face.try_clone().unwrap()).stderr(face);
        let program = program.spawn().unwrap();
        let terminal = File::from(terminal);
        let screen = Arc::default();
        collect(terminal.try_clone().unwrap(), Arc::clone(&screen));
        let (keys, pressed) = channel::<Vec<u8>>();
        let mut to = terminal.try_clone().unwrap();
        thread::spawn(move || {
            // A program that has ended takes nothing more.
            while let Ok(keys) = pressed.recv() {
                let _ = to.write_all(&keys);
            }
        });
        Self {
            program,
            terminal,
            keys,
            screen,
            seen: 0,
        }
    }

    /// Presses keys, in one piece; what does not go at once goes while others are waited for.
    pub(crate) fn press(&self, keys: &str) {
        self.press_bytes(keys.as_bytes());
    }

    pub(crate) fn press_bytes(&self, keys: &[u8]) {
        self.keys.send(keys.to_vec()).unwrap();
    }

    /// Pastes as a terminal does that was asked to mark it.
    pub(crate) fn paste(&self, text: &str) {
        self.press(&format!("\x1b[200~{text}\x1b[201~"));
    }

    pub(crate) fn resize(&self, columns: u16) {
        resize(&self.terminal, columns);
    }

    /// Waits until this comes onto the screen after what was waited for before; returns what came before it.
    #[track_caller]
    pub(crate) fn shows(&mut self, what: &str) -> String {
        let begin = Instant::now();
        loop {
            let screen = self.screen.lock().unwrap();
            let new = &screen[self.seen..];
            let mut windows = new.windows(what.len());
            if let Some(position) = windows.position(|window| window == what.as_bytes()) {
                let before = String::from_utf8_lossy(&new[..position]).into_owned();
                drop(screen);
                self.seen += position + what.len();
                return before;
            }
            if begin.elapsed() > LIMIT {
                let start = new.len().saturating_sub(2000);
                let end = String::from_utf8_lossy(&new[start..]).into_owned();
                drop(screen);
                panic!("{what:?} does not come: {end:?}");
            }
            drop(screen);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the program has ended.
    #[track_caller]
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.program.try_wait().unwrap() {
                return status.code();
            }
            assert!(begin.elapsed() < LIMIT, "still runs");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn resize(terminal: &impl std::os::fd::AsFd, columns: u16) {
    let size = Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).unwrap();
}

fn collect(mut from: File, to: Arc<Mutex<Vec<u8>>>) {
    thread::spawn(move || {
        let mut bytes = vec![0; 65_536];
        while let Ok(size @ 1..) = from.read(&mut bytes) {
            to.lock().unwrap().extend_from_slice(&bytes[..size]);
        }
    });
}

/// A server that answers each message with what it has of it: a number, the kind, bytes, lines, and the end.
pub(crate) fn counting() -> String {
    server(|stream| async {
        let mut socket = open(stream).await;
        let mut number = 0;
        while let Ok(Some(message)) = socket.recv().await {
            number += 1;
            let text = String::from_utf8_lossy(message.as_bytes()).into_owned();
            let kind = if message.is_text() { "text" } else { "binary" };
            let lines = text.split('\n').count();
            let end: String = text.chars().rev().take(3).collect();
            let end: String = end.chars().rev().collect();
            let size = message.len();
            let answer = format!("#{number} {kind} {size} bytes {lines} lines {end}.");
            let _ = socket.send(answer).await;
        }
    })
}

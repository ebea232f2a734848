//! A terminal with the command in it, and a person at it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::LIMIT;

/// A terminal that a program has; the program is killed when this is dropped.
pub(crate) struct Pty {
    program: Child,
    terminal: File,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Pty {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let mut options = File::options();
        let face = options.read(true).write(true);
        let face = face.open(name.to_str().unwrap()).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_talkback"));
        program.args(arguments).env_remove("RUST_LOG");
        program.stdin(face.try_clone().unwrap());
        program.stdout(face.try_clone().unwrap()).stderr(face);
        let program = program.spawn().unwrap();
        let terminal = File::from(terminal);
        let shown = Arc::default();
        collect(terminal.try_clone().unwrap(), Arc::clone(&shown));
        Self {
            program,
            terminal,
            shown,
        }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).unwrap();
    }

    /// All that it has shown, once this is in it.
    #[track_caller]
    pub(crate) fn shows(&self, what: &str) -> String {
        let begin = Instant::now();
        loop {
            let shown = String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned();
            if shown.contains(what) {
                return shown;
            }
            assert!(begin.elapsed() < LIMIT, "{what:?} does not come: {shown:?}");
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

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn collect(mut from: File, to: Arc<Mutex<Vec<u8>>>) {
    thread::spawn(move || {
        let mut bytes = vec![0; 4096];
        while let Ok(size @ 1..) = from.read(&mut bytes) {
            to.lock().unwrap().extend_from_slice(&bytes[..size]);
        }
    });
}

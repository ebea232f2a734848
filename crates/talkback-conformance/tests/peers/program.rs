//! Programs of others, started and stopped.

use std::fmt::Display;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take to listen, or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    /// What it prints, if that is kept.
    log: Option<PathBuf>,
}

impl Program {
    /// Starts a program.
    ///
    /// # Panics
    ///
    /// Panics if it is not installed, and says so.
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        Self { child, log: None }
    }

    /// Starts a program, and keeps what it prints for [`log`](Self::log).
    pub(crate) fn start_logged(command: &mut Command) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}.log", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let file = File::create(&path).expect("the target folder can be written to");
        let copy = file.try_clone().expect("a file can be had twice");
        let mut program = Self::start(command.stdout(file).stderr(copy));
        program.log = Some(path);
        program
    }

    /// Starts a program, and waits until it listens at this port of 127.0.0.1.
    pub(crate) fn serve(command: &mut Command, port: u16) -> Self {
        Self::start(command).listening(command, port)
    }

    /// As [`serve`](Self::serve), and keeps what it prints.
    pub(crate) fn serve_logged(command: &mut Command, port: u16) -> Self {
        Self::start_logged(command).listening(command, port)
    }

    fn listening(mut self, command: &Command, port: u16) -> Self {
        let begin = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                let log = self.log();
                panic!("{command:?} ended before it listened: {status}\n{log}");
            }
            assert!(begin.elapsed() < PATIENCE, "{command:?} does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        self
    }

    /// What it has printed, if that is kept.
    pub(crate) fn log(&self) -> String {
        let bytes = self.log.as_ref().map(std::fs::read);
        let bytes = bytes.map(|read| read.expect("the log is there"));
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    }

    /// The end of the log, as much as a person reads.
    fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Waits until it has printed this.
    ///
    /// # Panics
    ///
    /// Panics if it does not.
    pub(crate) fn says(&self, text: &str) {
        let begin = Instant::now();
        while !self.log().contains(text) {
            let is_early = begin.elapsed() < PATIENCE;
            assert!(is_early, "no {text:?} in {}", self.last_words());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The number that the system knows it by.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, with SIGTERM.
    pub(crate) fn terminate(&self) {
        let is_told = signal("TERM", self.id()).status();
        assert!(is_told.expect("a shell is there").success(), "it runs");
    }

    /// Ends it at once, with SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        // One that has ended is none to be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until a program has ended by itself.
    ///
    /// # Panics
    ///
    /// Panics if it does not within `limit`.
    pub(crate) fn status(&mut self, limit: Duration) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            let is_early = begin.elapsed() < limit;
            assert!(is_early, "it does not end: {}", self.last_words());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
        if let Some(log) = &self.log {
            // Nobody asks for it any more.
            let _ = std::fs::remove_file(log);
        }
    }
}

/// What sends a signal to a process. The shell does, as a bare machine has no program of that name.
pub(crate) fn signal(name: &str, process: impl Display) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("kill -{name} {process}")]);
    command
}

/// Our scripts in Python, run by the Python that has their packages: `TALKBACK_PYTHON` says which.
pub(crate) fn python(script: &str) -> Command {
    let python = std::env::var_os("TALKBACK_PYTHON").unwrap_or_else(|| "python3".into());
    let mut command = Command::new(python);
    command.arg(beside(script));
    // Nothing is written beside the sources.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Our scripts for Node, which finds its packages by `NODE_PATH`.
pub(crate) fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg("--test-reporter=tap").arg(beside(script));
    command
}

/// A file beside this one.
pub(crate) fn beside(name: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
    here.join(name)
}

/// A port of 127.0.0.1 that was free a moment ago, and is given out once.
///
/// It is none of those that the system gives to whoever asks for any, so that no connection of another
/// test takes it before the program listens.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Each process begins at a place of its own, as a runner may give each test one.
    let begin = std::process::id().wrapping_mul(16);
    let place = || begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
    let port = || u16::try_from(10_000 + place()).expect("below 30,000");
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let mut ports = std::iter::repeat_with(port).take(1_000);
    ports.find(is_free).expect("a port is free")
}

/// A folder for what one test writes, made anew.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    // There may be none yet.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("the target folder can be written to");
    folder
}

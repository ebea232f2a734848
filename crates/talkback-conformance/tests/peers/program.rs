//! Programs of others, started and stopped.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take to listen, or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
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
        Self { child }
    }

    /// Starts a program, and waits until it listens at this port of 127.0.0.1.
    pub(crate) fn serve(command: &mut Command, port: u16) -> Self {
        let mut program = Self::start(command);
        let begin = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = program.child.try_wait().expect("it is our child") {
                panic!("{command:?} ended before it listened: {status}");
            }
            assert!(begin.elapsed() < PATIENCE, "{command:?} does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        program
    }

    /// The number that the system knows it by.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a program that ends by itself, and for what it printed, if that was piped.
    pub(crate) fn end(mut self) -> (bool, String) {
        let mut output = String::new();
        if let Some(mut stdout) = self.child.stdout.take() {
            // It ends with the program.
            let _ = stdout.read_to_string(&mut output);
        }
        let status = self.child.wait().expect("it is our child");
        (status.success(), output)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended is none to be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of 127.0.0.1 that was free a moment ago, and is given out once.
///
/// It is none of those that the system gives to whoever asks for any, so that no connection of another
/// test takes it before the program listens.
pub(crate) fn free_port() -> u16 {
    use std::sync::atomic::{AtomicU32, Ordering};
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

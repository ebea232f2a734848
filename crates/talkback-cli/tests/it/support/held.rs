//! A program that may hold so much and no more.

use std::io::{ErrorKind, Write as _};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::attack::{MIB, Peer, Usage};

/// What it may have resident, beside the largest message and its own code, of which a debug build has some 14 MiB there.
const RESIDENT_MAX: u64 = 50 * MIB;

/// How many addresses it has, in KiB: most of them are of stacks, of code, and of what nobody has touched.
const ADDRESSES_KIB: u32 = 400_000;

/// For how long nothing happens where something is waited for.
const STILL: Duration = Duration::from_millis(300);

/// How long that is waited for.
const REST: Duration = Duration::from_secs(6);

/// The command, under a limit of its addresses; `prefix` is done by the shell before it.
pub(crate) fn limited(prefix: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let lines = format!("{prefix} ulimit -v {ADDRESSES_KIB}; exec \"$0\" \"$@\"");
    command.args(["-c", &lines, env!("CARGO_BIN_EXE_talkback")]);
    // Of threads it has as many as a small machine gives it.
    command.args(arguments).env("TOKIO_WORKER_THREADS", "2");
    command.env_remove("RUST_LOG");
    command
}

/// It runs, and nobody reads what it prints; killed when dropped.
pub(crate) struct Held {
    child: Child,
    pub(crate) stdout: Option<ChildStdout>,
    pub(crate) stderr: Option<ChildStderr>,
    pub(crate) usage: Usage,
}

impl Held {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = limited("", arguments);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Self {
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            usage: Usage::of(child.id()),
            child,
        }
    }

    /// Has this as its input, again and again, until it has ended.
    pub(crate) fn feed(&mut self, input: Vec<u8>) {
        let mut stdin = self.child.stdin.take().unwrap();
        thread::spawn(move || while stdin.write_all(&input).is_ok() {});
    }

    /// Waits until it does nothing any more, as neither input nor the peer is read; or for so long, as small messages
    /// take their time to fill what is between them.
    pub(crate) fn rests(&self) {
        let (begin, mut still) = (Instant::now(), 0);
        // On a machine that is busy it may have no turn for a while.
        while still < 3 && begin.elapsed() < REST {
            let before = self.usage.ticks();
            thread::sleep(STILL);
            still = match self.usage.ticks() == before {
                true => still + 1,
                false => 0,
            };
        }
    }

    /// Holds that it runs, and has never had more resident than that, beside a message of this size.
    #[track_caller]
    pub(crate) fn is_bounded(&mut self, what: &str, size_max: u64) {
        let peak = self.usage.peak().saturating_sub(self.usage.of_files());
        let ended = self.child.try_wait().unwrap();
        println!("{what}: {} MiB", peak / MIB);
        assert!(ended.is_none(), "{what}: {ended:?}");
        assert!(
            peak > 0 && peak <= RESIDENT_MAX + size_max,
            "{what}: {peak}"
        );
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Holds the memory of a process that a test has started in another way.
#[track_caller]
pub(crate) fn is_bounded(what: &str, usage: Usage) {
    let peak = usage.peak().saturating_sub(usage.of_files());
    println!("{what}: {} MiB", peak / MIB);
    assert!(peak > 0 && peak <= RESIDENT_MAX, "{what}: {peak}");
}

/// Sends this again and again, until nobody takes it any more, or for so long; what was sent last may be sent in part.
pub(crate) fn flood(peer: &mut Peer, bytes: &[u8], time: Duration) {
    peer.stream.set_write_timeout(Some(STILL)).unwrap();
    let (begin, mut at, mut blocked) = (Instant::now(), 0, 0);
    while begin.elapsed() < time && blocked < 3 {
        match peer.stream.write(&bytes[at..]) {
            Ok(size) => (at, blocked) = ((at + size) % bytes.len(), 0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => blocked += 1,
            Err(_) => return,
        }
    }
}

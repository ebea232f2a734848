//! Running other programs so that nothing waits for ever and nothing is left behind.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::Result;

/// How often something that is waited for is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// How long output may still come after its program has ended or was killed.
const OUTPUT_GRACE: Duration = Duration::from_secs(2);

/// What a program reads from its standard input.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    Nothing,
    /// This text, then the end.
    Text(&'a str),
    /// No byte and no end, as from a person who is not typing.
    Silence,
}

/// Where a program's standard error goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stderr {
    Kept,
    /// Straight to the person who watches.
    Shown,
}

/// A program that has ended, or was ended because its time was up.
#[derive(Debug)]
pub(crate) struct Finished {
    /// `None`: it ran out of time and was killed.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    pub(crate) fn success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// Whether it failed as a program should: nothing on standard output, one line beside it.
    pub(crate) fn is_one_line_failure(&self) -> bool {
        let failed = self.status.is_some_and(|status| !status.success());
        failed && self.stdout.is_empty() && self.stderr.lines().count() == 1
    }

    /// How it ended, in words: `exit status: 1`, `ran out of time`.
    pub(crate) fn ending(&self) -> String {
        self.status
            .map_or("ran out of time".into(), |status| status.to_string())
    }

    /// An error that tells all of it, unless it is `as_wanted`.
    pub(crate) fn expect(&self, what: &str, as_wanted: impl FnOnce(&Self) -> bool) -> Result<()> {
        if as_wanted(self) {
            return Ok(());
        }
        let (ending, stdout, stderr) = (
            self.ending(),
            self.stdout.trim_end(),
            self.stderr.trim_end(),
        );
        let told = format!("{ending}\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
        Err(format!("{what}, but: {}", told.replace('\n', "\n      ")).into())
    }
}

/// Runs a program to its end, for at most `limit`.
pub(crate) fn run(
    command: &mut Command,
    input: Input<'_>,
    stderr: Stderr,
    limit: Duration,
) -> Result<Finished> {
    command
        .stdin(match input {
            Input::Nothing => Stdio::null(),
            Input::Text(_) | Input::Silence => Stdio::piped(),
        })
        .stdout(Stdio::piped())
        .stderr(match stderr {
            Stderr::Kept => Stdio::piped(),
            Stderr::Shown => Stdio::inherit(),
        });
    let mut running = Running::start(command)?;
    if let Input::Text(text) = input {
        running.feed(text.to_owned());
    }
    let status = running.wait(limit)?;
    if status.is_none() {
        running.kill();
    }
    Ok(Finished {
        status,
        stdout: running.stdout.whole(),
        stderr: running.stderr.whole(),
    })
}

/// A program that runs, and is killed with all that it started when this value is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    stdout: Capture,
    stderr: Capture,
}

impl Running {
    /// Starts a program. Whatever of its output is piped is kept.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let program = Path::new(command.get_program()).display().to_string();
        let mut child = command
            .spawn()
            .map_err(|error| format!("cannot start {program}: {error}"))?;
        let stdout = Capture::of(child.stdout.take());
        let stderr = Capture::of(child.stderr.take());
        Ok(Self {
            child,
            stdout,
            stderr,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    pub(crate) fn output(&self) -> String {
        self.stdout.so_far()
    }

    /// What it has complained of so far.
    pub(crate) fn complaints(&self) -> String {
        self.stderr.so_far()
    }

    /// Waits for its end; `None` if it still runs after `limit`.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let child = &mut self.child;
        let mut status = None;
        wait_until(limit, || match child.try_wait() {
            Ok(found) => {
                status = found.map(Ok);
                status.is_some()
            }
            Err(error) => {
                status = Some(Err(error));
                true
            }
        });
        Ok(status.transpose()?)
    }

    /// Writes to its standard input and ends that.
    fn feed(&mut self, text: String) {
        if let Some(mut pipe) = self.child.stdin.take() {
            // A program may end without reading all of its input: that shows in what it prints.
            std::thread::spawn(move || drop(pipe.write_all(text.as_bytes())));
        }
    }

    fn kill(&mut self) {
        kill_descendants(self.child.id());
        // It may have ended by itself in the meantime, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until `done` says so; `false` if it has not within `limit`.
pub(crate) fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// What a program prints, gathered by a thread so that the program never waits for a reader.
#[derive(Debug)]
struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Capture {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let gathered = Arc::clone(&bytes);
        let reader = pipe.map(|mut pipe| {
            std::thread::spawn(move || {
                let mut chunk = [0; 8192];
                while let Ok(count @ 1..) = pipe.read(&mut chunk) {
                    let mut bytes = gathered.lock().unwrap_or_else(PoisonError::into_inner);
                    bytes.extend_from_slice(&chunk[..count]);
                }
            })
        });
        Self { bytes, reader }
    }

    fn so_far(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// All of it. A descendant that outlived the program may hold the pipe: it is not waited for.
    fn whole(&self) -> String {
        let ended = || self.reader.as_ref().is_none_or(JoinHandle::is_finished);
        wait_until(OUTPUT_GRACE, ended);
        self.so_far()
    }
}

/// Kills what a program has started, as far as the system tells: Linux does.
fn kill_descendants(parent: u32) {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    for child in children.unwrap_or_default().split_whitespace() {
        let Ok(child) = child.parse() else { continue };
        kill_descendants(child);
        // One that ended first is not there to be killed, and `kill` says so to nobody.
        let _ = Command::new("kill")
            .args(["-KILL", &child.to_string()])
            .stderr(Stdio::null())
            .status();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn shell(script: &str, input: Input<'_>, limit: Duration) -> Finished {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(&mut command, input, Stderr::Kept, limit).expect("a shell is there")
    }

    #[test]
    fn input_goes_in_and_both_outputs_come_out() {
        let finished = shell("cat; echo no >&2; exit 3", Input::Text("안녕\n"), LONG);
        assert_eq!(finished.status.and_then(|status| status.code()), Some(3));
        assert_eq!(
            (finished.stdout.as_str(), finished.stderr.as_str()),
            ("안녕\n", "no\n")
        );
        assert!(!finished.success() && !finished.is_one_line_failure());
    }

    #[test]
    fn more_output_than_a_pipe_holds_is_kept() {
        let finished = shell("head -c 300000 /dev/zero", Input::Nothing, LONG);
        assert_eq!(finished.stdout.len(), 300_000);
    }

    #[test]
    fn silence_is_not_the_end_of_input() {
        let finished = shell("cat", Input::Silence, Duration::from_millis(200));
        assert_eq!(finished.ending(), "ran out of time");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_runs_out_of_time_is_killed_with_its_children() {
        let limit = Duration::from_millis(500);
        let finished = shell("sleep 60 & echo $!; wait", Input::Nothing, limit);
        assert!(finished.status.is_none());
        let child = Path::new("/proc")
            .join(finished.stdout.trim())
            .join("cmdline");
        // A killed process whose parent has died may wait for `init` to notice: it runs nothing.
        let gone = || std::fs::read(&child).unwrap_or_default().is_empty();
        assert!(wait_until(LONG, gone), "{} still runs", child.display());
    }
}

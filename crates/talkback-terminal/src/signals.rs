//! The ways in which a person or a service manager ends a program.

use std::io;
#[cfg(unix)]
use std::time::Duration;

/// What ended the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// Ctrl-C, or SIGINT.
    Interrupt,
    /// SIGTERM; on Windows Ctrl-Break, the window that is closed, or the machine that shuts down.
    Terminate,
}

impl Stop {
    /// The exit code that shells expect: 128 and the signal's number.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// Ctrl-C, SIGINT and SIGTERM, which from now on no longer end the program by themselves.
///
/// Each SIGINT counts: a person presses Ctrl-C once more who does not want to wait. A SIGTERM within a second of the first
/// does not: a program may get it twice at once, as `timeout` sends it to the program and to its group.
#[cfg(unix)]
#[derive(Debug)]
pub struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// When the first one came.
    terminated: Option<tokio::time::Instant>,
}

/// How long after the first SIGTERM another is the same one.
#[cfg(unix)]
const TWICE: Duration = Duration::from_secs(1);

#[cfg(unix)]
impl Signals {
    /// Takes the signals over; within a tokio runtime.
    ///
    /// # Errors
    /// The operating system's.
    pub fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            terminated: None,
        })
    }

    /// Waits for the next one.
    ///
    /// # Cancel safety
    /// A dropped call loses no signal.
    pub async fn next(&mut self) -> Stop {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return Stop::Interrupt,
                _ = self.terminate.recv() => {
                    if self.terminated.is_none_or(|first| first.elapsed() >= TWICE) {
                        self.terminated.get_or_insert_with(tokio::time::Instant::now);
                        return Stop::Terminate;
                    }
                }
            }
        }
    }
}

/// Ctrl-C and Ctrl-Break, the console's window that is closed and the machine that shuts down, none of which from now
/// on ends the program by itself. Once one has closed the window, Windows gives the program 5 s to end.
#[cfg(windows)]
#[derive(Debug)]
pub struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    // What a service manager can send.
    terminate: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    /// Takes them over; within a tokio runtime.
    ///
    /// # Errors
    /// The operating system's.
    pub fn new() -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
        Ok(Self {
            interrupt: ctrl_c()?,
            terminate: ctrl_break()?,
            close: ctrl_close()?,
            shutdown: ctrl_shutdown()?,
        })
    }

    /// Waits for the next one.
    ///
    /// # Cancel safety
    /// A dropped call loses none.
    pub async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.interrupt.recv() => Stop::Interrupt,
            _ = self.terminate.recv() => Stop::Terminate,
            _ = self.close.recv() => Stop::Terminate,
            _ = self.shutdown.recv() => Stop::Terminate,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::future::{Future as _, poll_fn};
    use std::pin::pin;
    use std::process::Command;
    use std::task::Poll;

    use tokio::signal::unix::{SignalKind, signal};

    use super::*;

    fn send(name: &str) {
        let id = std::process::id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_termination_counts_after_a_second_and_a_second_interrupt_at_once() {
        let mut signals = Signals::new().unwrap();
        let mut witness = signal(SignalKind::terminate()).unwrap();
        send("TERM");
        assert_eq!(signals.next().await, Stop::Terminate);
        witness.recv().await;
        tokio::time::advance(TWICE - Duration::from_millis(1)).await;
        send("TERM");
        witness.recv().await;
        let polled = poll_fn(|cx| Poll::Ready(pin!(signals.next()).poll(cx))).await;
        assert_eq!(polled, Poll::Pending);
        tokio::time::advance(Duration::from_millis(1)).await;
        send("TERM");
        assert_eq!(signals.next().await, Stop::Terminate);
        for _ in 0..2 {
            send("INT");
            assert_eq!(signals.next().await, Stop::Interrupt);
        }
    }
}

#[cfg(all(test, windows))]
mod tests {
    use std::os::windows::process::CommandExt as _;
    use std::process::Command;
    use std::time::Duration;

    use tokio::signal::windows::{ctrl_break, ctrl_c};
    use tokio::time::timeout;
    use windows_sys::Win32::System::Console::{
        CTRL_BREAK_EVENT, CTRL_C_EVENT, GenerateConsoleCtrlEvent,
    };

    use super::*;

    /// Set for the program that sends them to itself.
    const CHILD: &str = "TALKBACK_SIGNALS";
    const LIMIT: Duration = Duration::from_secs(20);
    /// For `CreateProcess`: a console that nobody sees.
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;

    #[test]
    fn ctrl_c_before_it_is_waited_for_is_told() {
        let name = "ctrl_c_before_it_is_waited_for_is_told";
        is_told(name, CTRL_C_EVENT, Stop::Interrupt);
    }

    #[test]
    fn ctrl_break_before_it_is_waited_for_is_told() {
        let name = "ctrl_break_before_it_is_waited_for_is_told";
        is_told(name, CTRL_BREAK_EVENT, Stop::Terminate);
    }

    /// Runs this test once more, with a console of its own: whatever has the same one is sent the event, too.
    fn is_told(name: &str, event: u32, stop: Stop) {
        if std::env::var_os(CHILD).is_some() {
            return sends_to_itself(event, stop);
        }
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", &format!("signals::tests::{name}"), "--nocapture"]);
        child.env(CHILD, "1").creation_flags(CREATE_NO_WINDOW);
        let output = child.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let report = String::from_utf8_lossy(&output.stdout);
        assert!(report.contains("1 passed"), "{report}");
    }

    #[tokio::main(flavor = "current_thread")]
    async fn sends_to_itself(event: u32, stop: Stop) {
        let mut signals = Signals::new().unwrap();
        let (mut interrupt, mut terminate) = (ctrl_c().unwrap(), ctrl_break().unwrap());
        send(event);
        let sent = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        timeout(LIMIT, sent).await.unwrap();
        assert_eq!(timeout(LIMIT, signals.next()).await, Ok(stop));
    }

    fn send(event: u32) {
        // SAFETY: it takes two numbers.
        #[allow(unsafe_code)]
        let is_sent = unsafe { GenerateConsoleCtrlEvent(event, 0) };
        assert_ne!(is_sent, 0, "{}", io::Error::last_os_error());
    }
}

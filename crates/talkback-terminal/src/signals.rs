//! The ways in which a person or a service manager ends a program.

use std::io;

/// What ended the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// Ctrl-C, or SIGINT.
    Interrupt,
    /// SIGTERM.
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
/// Each SIGINT counts: a person presses Ctrl-C once more who does not want to wait. Of SIGTERM only the first does:
/// a program may get it twice at once, as `timeout` sends it to the program and to its group.
#[cfg(unix)]
#[derive(Debug)]
pub struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    is_terminated: bool,
}

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
            is_terminated: false,
        })
    }

    /// Waits for the next one.
    ///
    /// # Cancel safety
    /// A dropped call loses no signal.
    pub async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.interrupt.recv() => Stop::Interrupt,
            _ = self.terminate.recv(), if !self.is_terminated => {
                self.is_terminated = true;
                Stop::Terminate
            }
        }
    }
}

/// Ctrl-C, which from now on no longer ends the program by itself.
#[cfg(not(unix))]
#[derive(Debug)]
pub struct Signals(());

#[cfg(not(unix))]
impl Signals {
    /// Takes Ctrl-C over; within a tokio runtime.
    ///
    /// # Errors
    /// None on this platform.
    pub fn new() -> io::Result<Self> {
        Ok(Self(()))
    }

    /// Waits for the next one.
    ///
    /// # Cancel safety
    /// A dropped call may lose one.
    pub async fn next(&mut self) -> Stop {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Stop::Interrupt,
            Err(_) => std::future::pending().await,
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

    #[tokio::test]
    async fn the_second_of_two_terminations_is_none_and_that_of_two_interrupts_is_one() {
        let mut signals = Signals::new().unwrap();
        let mut witness = signal(SignalKind::terminate()).unwrap();
        send("TERM");
        assert_eq!(signals.next().await, Stop::Terminate);
        witness.recv().await;
        send("TERM");
        witness.recv().await;
        let polled = poll_fn(|cx| Poll::Ready(pin!(signals.next()).poll(cx))).await;
        assert_eq!(polled, Poll::Pending);
        for _ in 0..2 {
            send("INT");
            assert_eq!(signals.next().await, Stop::Interrupt);
        }
    }
}

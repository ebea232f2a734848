//! When a session ends by itself: how long it waits once the input has ended, and for how many messages.

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::args::EndArgs;
use crate::exit::{self, Failure};
use crate::values::Wait;

/// How long no message may come, after the input has ended and all of it is written, before this end closes.
pub(crate) const WAIT: Duration = Duration::from_secs(1);

/// What a session waits for before it ends by itself.
#[derive(Debug)]
pub(crate) struct End {
    /// How long no message may come; `None` if that is no matter.
    wait: Option<Duration>,
    /// How many messages are still to come, if that is a matter.
    missing: Option<u64>,
    /// Whether nothing more is to be sent.
    is_input_over: bool,
    deadline: Option<Instant>,
}

impl End {
    pub(crate) fn new(args: &EndArgs) -> Self {
        let missing = args.messages();
        let wait = match args.wait {
            Some(Wait::For(time)) => Some(time),
            Some(Wait::Forever) => None,
            // Who counts messages, or listens, waits until they come.
            None if missing.is_some() || args.listen_only => None,
            None => Some(WAIT),
        };
        Self {
            wait,
            missing,
            is_input_over: false,
            deadline: None,
        }
    }

    /// The input has ended, and all of it is written.
    pub(crate) fn handle_input_end(&mut self) {
        self.is_input_over = true;
        self.restart();
    }

    /// The input has failed: nobody waits for ever for answers to what was not sent, nor at all if nothing was.
    pub(crate) fn handle_input_failure(&mut self, has_sent: bool) {
        let wait = match has_sent {
            true => WAIT,
            false => Duration::ZERO,
        };
        self.wait.get_or_insert(wait);
        self.handle_input_end();
    }

    /// A message has come. Returns whether it was the last one that was to come.
    pub(crate) fn handle_message(&mut self) -> bool {
        if let Some(missing) = &mut self.missing {
            *missing = missing.saturating_sub(1);
        }
        self.restart();
        self.missing == Some(0)
    }

    fn restart(&mut self) {
        if self.is_input_over {
            // One too far away is none.
            self.deadline = self.wait.and_then(|wait| Instant::now().checked_add(wait));
        }
    }

    /// What an end without a failure is worth: whether all came that was to come.
    pub(crate) fn outcome(&self) -> Result<ExitCode, Failure> {
        match self.missing {
            None | Some(0) => Ok(ExitCode::from(exit::NORMAL)),
            Some(missing) => {
                let message = format!(
                    "{missing} of the messages that --messages or -1 asked for did not come: raise --wait, or see what the other end sends"
                );
                Err(Failure::new(exit::MISSING, message))
            }
        }
    }

    /// Waits until no message has come for long enough.
    pub(crate) async fn quiet(&self) {
        match self.deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_wait_begins_with_the_end_of_the_input_and_anew_with_each_message() {
        let args = EndArgs::default();
        let mut end = End::new(&args);
        let begin = Instant::now();
        assert!(!end.handle_message());
        assert_eq!(end.deadline, None);
        end.handle_input_end();
        tokio::time::advance(WAIT / 2).await;
        assert!(!end.handle_message());
        end.quiet().await;
        assert_eq!(begin.elapsed(), WAIT / 2 + WAIT);
    }

    #[test]
    fn an_input_that_failed_is_not_waited_for_for_ever() {
        let counting = EndArgs {
            messages: Some(2),
            ..EndArgs::default()
        };
        for (has_sent, expected) in [(true, WAIT), (false, Duration::ZERO)] {
            let mut end = End::new(&counting);
            end.handle_input_failure(has_sent);
            assert_eq!(end.wait, Some(expected));
        }
    }

    #[test]
    fn who_counts_or_listens_waits_until_it_is_told_otherwise() {
        let wait = |args: EndArgs| End::new(&args).wait;
        let counting = || EndArgs {
            messages: Some(2),
            ..EndArgs::default()
        };
        let listening = || EndArgs {
            listen_only: true,
            ..EndArgs::default()
        };
        assert_eq!(wait(counting()), None);
        assert_eq!(wait(listening()), None);
        let time = Duration::from_secs(3);
        for mut args in [counting(), listening(), EndArgs::default()] {
            args.wait = Some(Wait::For(time));
            assert_eq!(wait(args), Some(time));
        }
        let mut end = End::new(&counting());
        assert_eq!((end.handle_message(), end.missing), (false, Some(1)));
        assert_eq!((end.handle_message(), end.missing), (true, Some(0)));
    }
}

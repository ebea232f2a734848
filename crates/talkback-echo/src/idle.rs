//! A client that says nothing any more.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// When a client's last message came.
pub(crate) struct Heard(Mutex<Instant>);

impl Heard {
    /// As if one had come now.
    pub(crate) fn now() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// One has come.
    pub(crate) fn note(&self) {
        *self.lock() = Instant::now();
    }

    /// Waits until none has come for so long; for ever, without such a time.
    pub(crate) async fn silence(&self, time: Option<Duration>) {
        // One too far away is none.
        let end = |time| self.lock().checked_add(time);
        while let Some(end) = time.and_then(end) {
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
        std::future::pending::<()>().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::time::{advance, sleep, timeout};

    use super::*;

    const TIME: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn each_message_puts_the_end_off() {
        let heard = Heard::now();
        let begin = Instant::now();
        let mut silence = pin!(heard.silence(Some(TIME)));
        for _ in 0..3 {
            tokio::select! {
                () = sleep(TIME / 2) => heard.note(),
                () = &mut silence => panic!("too soon"),
            }
        }
        silence.await;
        assert_eq!(begin.elapsed(), 3 * TIME / 2 + TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_time_it_never_ends() {
        let heard = Heard::now();
        advance(TIME).await;
        for time in [None, Some(Duration::MAX)] {
            assert!(timeout(TIME, heard.silence(time)).await.is_err());
        }
    }
}

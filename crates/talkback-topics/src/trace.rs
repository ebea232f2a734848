//! What a hub tells `tracing`, where the program has that feature: one line a second at most, with how many were left out since
//! the last. No topic and no message is in it.

use std::time::Duration;

use tokio::time::Instant;

use crate::sync::{Mutex, lock};

/// How often there is a line at most.
const EVERY: Duration = Duration::from_secs(1);

/// What is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Line<'a> {
    /// The backplane is not reached, for this reason.
    Down(&'a str),
    Up,
    /// So many publications did not come, and are gone.
    Gone(u64),
    /// A topic has begun anew.
    Reset,
}

/// When the last line was told, and how many were not since.
#[derive(Default)]
pub(crate) struct Trace(Mutex<Option<(Instant, u64)>>);

impl Trace {
    pub(crate) fn line(&self, line: Line<'_>) {
        if cfg!(not(feature = "tracing")) {
            return;
        }
        let now = Instant::now();
        let mut told = lock(&self.0);
        let left_out = match &mut *told {
            Some((at, left_out)) if now < *at + EVERY => {
                *left_out += 1;
                return;
            }
            told => told.replace((now, 0)).map_or(0, |(_, left_out)| left_out),
        };
        drop(told);
        tell(line, left_out);
    }
}

#[cfg(feature = "tracing")]
fn tell(line: Line<'_>, left_out: u64) {
    const TARGET: &str = "talkback";
    match line {
        Line::Down(why) => {
            tracing::warn!(target: TARGET, why, left_out, "the backplane is not reached");
        }
        Line::Up => tracing::info!(target: TARGET, left_out, "the backplane is reached"),
        Line::Gone(missed) => {
            tracing::warn!(target: TARGET, missed, left_out, "publications are gone");
        }
        Line::Reset => tracing::warn!(target: TARGET, left_out, "a topic has begun anew"),
    }
}

#[cfg(not(feature = "tracing"))]
fn tell(_: Line<'_>, _: u64) {}

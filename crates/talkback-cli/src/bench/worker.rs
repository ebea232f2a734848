//! The threads that send: each runs its share of the connections.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use crate::bench::crew::Crew;
use crate::bench::peer::Peer;
use crate::bench::tally::{Cause, Tally};
use crate::exit::{self, Failure};

/// How many connections a thread opens at the same time: were more to wait to be accepted than a server's queue
/// has space for, they would come late.
const OPENING_MAX: usize = 32;

/// How long a pacemaker sleeps at most, so that it sees the end.
const NAP_MAX: Duration = Duration::from_millis(50);

/// A thread that sends.
#[derive(Debug)]
pub(crate) struct Worker {
    thread: JoinHandle<()>,
    pub(crate) tally: Arc<Tally>,
}

impl Worker {
    /// Starts the thread for every `threads`th connection from this one on.
    pub(crate) fn start(crew: Arc<Crew>, first: u16) -> Result<Self, Failure> {
        let failed = |error| {
            Failure::new(
                exit::OTHER,
                format!("could not start a thread: {error}. Give fewer --threads"),
            )
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let tally = Arc::new(Tally::new());
        let share = Share {
            crew,
            tally: Arc::clone(&tally),
            gate: Arc::new(Semaphore::new(OPENING_MAX)),
        };
        let work = move || {
            runtime.block_on(share.run(first));
            // A lookup that hangs must not keep the program.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().spawn(work).map_err(failed)?;
        Ok(Self { thread, tally })
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    pub(crate) fn join(self) {
        // A panic was told where it was.
        let _ = self.thread.join();
    }
}

/// The connections of one thread.
#[derive(Clone)]
struct Share {
    crew: Arc<Crew>,
    tally: Arc<Tally>,
    gate: Arc<Semaphore>,
}

impl Share {
    async fn run(self, first: u16) {
        let (begin, mut connections) = (Instant::now(), JoinSet::new());
        let (plan, mut paced) = (&self.crew.plan, Vec::new());
        for number in (u32::from(first)..plan.connections).step_by(usize::from(plan.threads)) {
            let wake = Arc::new(Notify::new());
            paced.push((number, Arc::clone(&wake)));
            let opens = begin + plan.opens_after(number);
            connections.spawn(self.clone().connection(number, opens, wake));
        }
        if let Some(period) = plan.period() {
            // It stays to the end of the run, also if no connection does.
            tokio::spawn(pace(Arc::clone(&self.crew), period, paced));
        }
        let all_ended = async { while connections.join_next().await.is_some() {} };
        tokio::select! {
            () = all_ended => {}
            () = self.crew.is_cut() => {}
        }
    }

    async fn connection(self, number: u32, opens: Instant, wake: Arc<Notify>) {
        let outcome = self.try_connection(number, opens, &wake).await;
        if let Err(cause) = outcome {
            self.tally.recent().handle_error(cause, 1);
        }
    }

    async fn try_connection(
        &self,
        number: u32,
        opens: Instant,
        wake: &Notify,
    ) -> Result<(), Cause> {
        let (crew, plan) = (&self.crew, &self.crew.plan);
        tokio::time::sleep_until(opens.into()).await;
        let opened = {
            let _turn = self.gate.acquire().await;
            Peer::open(Arc::clone(crew), Arc::clone(&self.tally), number).await
        };
        crew.handle_opened();
        let mut peer = opened?;
        let begun = crew.begun().await;
        match plan.period() {
            None => peer.run_closed().await?,
            Some(period) => {
                let first = begun + plan.offset(period, number);
                let due = not_before(first, period, Instant::now(), plan.ramp);
                peer.run_paced(wake, due, period).await?;
            }
        }
        peer.close().await;
        Ok(())
    }
}

/// When the first message of a connection is due: with a ramp no earlier than it was opened, in step with all.
fn not_before(first: Instant, period: Duration, now: Instant, ramp: Duration) -> Instant {
    let late = now.saturating_duration_since(first);
    if ramp.is_zero() || late.is_zero() {
        return first;
    }
    first + period.mul_f64((late.as_secs_f64() / period.as_secs_f64()).ceil())
}

/// Wakes each connection when its messages are due. The runtime's own timers are a millisecond late.
async fn pace(crew: Arc<Crew>, period: Duration, paced: Vec<(u32, Arc<Notify>)>) {
    let begun = crew.begun().await;
    let beat = move || {
        let mut round = begun;
        while !crew.is_over() {
            for (number, wake) in &paced {
                sleep_until(&crew, round + crew.plan.offset(period, *number));
                wake.notify_one();
            }
            round += period;
        }
        // Whoever waits for its turn sees that there is none.
        paced.iter().for_each(|(_, wake)| wake.notify_one());
    };
    let _ = tokio::task::spawn_blocking(beat).await;
}

fn sleep_until(crew: &Crew, due: Instant) {
    while !crew.is_over() {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        thread::sleep(left.min(NAP_MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_opened_late_keeps_step() {
        let (first, period) = (Instant::now(), Duration::from_millis(10));
        let ramp = Duration::from_secs(1);
        let late = first + Duration::from_millis(25);
        let due = not_before(first, period, late, ramp);
        assert_eq!(due - first, Duration::from_millis(30));
        assert_eq!(not_before(first, period, first, ramp), first);
        assert_eq!(not_before(first, period, late, Duration::ZERO), first);
    }
}

//! `talkback bench`: loads a server, and reports.

mod crew;
mod ledger;
mod limits;
mod page;
mod peer;
mod plan;
mod plots;
mod report;
mod tally;
mod text;
mod worker;

use std::io::{self, Write as _};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use talkback::Keepalive;
use talkback_terminal::signals::{Signals, Stop};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until};

use self::crew::Crew;
use self::ledger::Ledger;
use self::plan::Plan;
use self::report::{Measured, Report};
use self::worker::Worker;
use crate::args::{BenchArgs, ReportArgs};
use crate::exit::{self, Failure};
use crate::files;
use crate::target::Target;
use crate::way;

/// How often counts are collected, and the progress is shown.
const TICK: Duration = Duration::from_millis(200);

/// Loads the server, and tells what came of it.
pub(crate) fn run(mut args: BenchArgs) -> Result<ExitCode, Failure> {
    let target = Target::parse(&args.way.url)?;
    let plan = Plan::new(&args.load, &args.way, target.url.port())?;
    limits::prepare(&plan, &args.way)?;
    // Each connection has one of them, where `connect` races all.
    args.way.addresses.clear();
    // A server that is silent shows by what it does not answer.
    let connecting = way::connection(&args.way, &target)?.keepalive(Keepalive::OFF);
    if let Some(path) = &args.report.html {
        // Before the run rather than after it.
        files::write("--html", path, "")?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(exit::OTHER, format!("could not start: {error}")))?;
    let crew = Arc::new(Crew::new(plan, connecting));
    let (measured, stop) = runtime.block_on(measure(&args, &crew))?;
    let report = Report::new(&args, &target.url, &crew.plan, &measured);
    tell(&report, &args.report)?;
    match stop {
        Some(stop) => Ok(ExitCode::from(stop.exit_code())),
        None => report.outcome().map(|()| ExitCode::from(exit::NORMAL)),
    }
}

fn tell(report: &Report, args: &ReportArgs) -> Result<(), Failure> {
    if let Some(path) = &args.html {
        files::write("--html", path, &page::page(report))?;
    }
    let text = match args.json {
        true => serde_json::to_string_pretty(report).map_err(io::Error::from),
        false => Ok(text::text(report)),
    };
    let written = text.and_then(|text| writeln!(io::stdout(), "{text}"));
    match written {
        // A reader that has seen enough, such as `head`, is no error.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
            exit::OTHER,
            format!("could not write to standard output: {error}"),
        )),
        _ => Ok(()),
    }
}

/// How a part of the run was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passed {
    /// As it was to be.
    Done,
    /// Every connection has ended.
    Ended,
    Stopped(Stop),
}

impl Passed {
    fn stop(self) -> Option<Stop> {
        match self {
            Self::Stopped(stop) => Some(stop),
            Self::Done | Self::Ended => None,
        }
    }
}

async fn measure(args: &BenchArgs, crew: &Arc<Crew>) -> Result<(Measured, Option<Stop>), Failure> {
    let signals = Signals::new()
        .map_err(|error| Failure::new(exit::OTHER, format!("could not handle signals: {error}")))?;
    let start = (Instant::now(), limits::processor_time());
    let threads = 0..crew.plan.threads;
    let workers = threads.map(|first| Worker::start(Arc::clone(crew), first));
    let workers = workers.collect::<Result<Vec<_>, _>>()?;
    let tallies = workers.iter().map(|worker| Arc::clone(&worker.tally));
    let time = args.load.duration + crew.plan.ramp;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut run = Run {
        ledger: Ledger::new(tallies.collect(), time),
        workers,
        signals,
        ticks,
        bar: bar(args, time),
    };
    let has_ramp = !crew.plan.ramp.is_zero();
    if has_ramp {
        crew.begin(start.0);
    }
    let mut passed = run.pass("opening", crew.all_opened()).await;
    let opened_after = start.0.elapsed();
    if !has_ramp {
        run.ledger.begin(Instant::now());
    }
    let is_open = passed == Passed::Done;
    let (begin, processor) = match has_ramp && !is_open {
        // What was sent until it was stopped is all that there is.
        true => start,
        false => {
            run.ledger.measure();
            (Instant::now(), limits::processor_time())
        }
    };
    if is_open {
        if !has_ramp {
            crew.begin(begin);
        }
        let end = sleep_until((begin + args.load.duration).into());
        passed = run.pass("sending", end).await;
    }
    crew.end();
    let took = begin.elapsed();
    run.ledger.end();
    let processor = limits::processor_time().zip(processor);
    let mut stop = passed.stop();
    if (is_open || has_ramp) && passed != Passed::Ended {
        let end = sleep_until((Instant::now() + args.load.wait).into());
        let passed = run.pass("waiting for the last answers", end).await;
        stop = stop.or(passed.stop());
    }
    crew.cut();
    run.bar.finish_and_clear();
    let ledger = run.finish();
    let measured = Measured {
        opened_after,
        is_open,
        took,
        processor: processor.map(|(after, before)| after.saturating_sub(before)),
        ledger,
    };
    Ok((measured, stop))
}

/// What goes on while messages are sent.
struct Run {
    workers: Vec<Worker>,
    ledger: Ledger,
    signals: Signals,
    ticks: Interval,
    bar: ProgressBar,
}

impl Run {
    /// Counts until this is over.
    async fn pass(&mut self, what: &str, until: impl Future<Output = ()>) -> Passed {
        let mut until = pin!(until);
        loop {
            tokio::select! {
                biased;
                stop = self.signals.next() => return Passed::Stopped(stop),
                () = &mut until => return Passed::Done,
                _ = self.ticks.tick() => {}
            }
            self.ledger.collect(Instant::now());
            self.show(what);
            if self.workers.iter().all(Worker::is_finished) {
                return Passed::Ended;
            }
        }
    }

    fn show(&self, what: &str) {
        let message = match self.ledger.latest() {
            Some(point) => format!(
                "{what}: {:.0} answers a second, p99 {:.3} ms",
                point.per_second, point.p99
            ),
            None => what.to_owned(),
        };
        let errors: u64 = self.ledger.sum.errors.values().sum();
        let errors = match errors {
            0 => String::new(),
            number => format!(", {number} errors"),
        };
        self.bar.set_message(message + &errors);
        let elapsed = self.bar.elapsed().as_millis();
        self.bar
            .set_position(u64::try_from(elapsed).unwrap_or(u64::MAX));
    }

    /// Waits until nobody counts any more.
    fn finish(mut self) -> Ledger {
        for worker in self.workers {
            worker.join();
        }
        self.ledger.collect(Instant::now());
        self.ledger
    }
}

/// A bar on standard error, if that is a terminal.
fn bar(args: &BenchArgs, time: Duration) -> ProgressBar {
    let target = match args.report.quiet {
        true => ProgressDrawTarget::hidden(),
        false => ProgressDrawTarget::stderr(),
    };
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let style = ProgressStyle::with_template("{bar:30} {percent}% {msg}");
    ProgressBar::with_draw_target(Some(millis), target)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

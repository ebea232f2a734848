//! What is seen of the way to a connection and of its frames: `-v`, `-vv` and `--timing`.

mod certificate;
mod frames;
mod heads;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use talkback::http::Request;
use talkback::{Connect, Progress};
use talkback_terminal::show::escaped;
use tokio::sync::Notify;

use self::frames::Frames;

/// How many lines may wait to be told. Beyond that they are counted: what nobody reads must not hold up a
/// connection.
const LINES_AHEAD: usize = 4096;

/// How much is to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sight {
    /// Nothing.
    Nothing,
    /// How long each step takes.
    Times,
    /// The steps, and both heads.
    Steps,
    /// The frames as well.
    Frames,
}

/// What is seen, until it is told.
#[derive(Clone, Debug)]
pub(crate) struct Watch(Option<Arc<Seen>>);

#[derive(Debug)]
struct Seen {
    sight: Sight,
    log: Mutex<Log>,
    news: Notify,
}

#[derive(Debug)]
struct Log {
    lines: VecDeque<String>,
    /// How many lines there was no space for.
    skipped: u64,
    begin: Instant,
    times: Times,
    sent: Frames,
    received: Frames,
}

/// When each step was over, since the try began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    resolved: Option<Duration>,
    connected: Option<Duration>,
    secured: Option<Duration>,
    answered: Option<Duration>,
}

impl Times {
    /// The steps that there were, in one line: how long each took.
    pub(crate) fn line(self) -> String {
        let mut before = Duration::ZERO;
        let steps = [
            ("DNS", self.resolved),
            ("TCP", self.connected),
            ("TLS", self.secured),
            ("handshake", self.answered),
        ];
        let steps: Vec<String> = steps
            .into_iter()
            .filter_map(|(name, end)| {
                let end = end?;
                let took = milliseconds(end.saturating_sub(before));
                before = end;
                Some(format!("{name} {took}"))
            })
            .collect();
        format!(
            "timing: {}; open after {}",
            steps.join(", "),
            milliseconds(before)
        )
    }
}

impl Watch {
    pub(crate) fn new(sight: Sight) -> Self {
        if sight == Sight::Nothing {
            return Self(None);
        }
        Self(Some(Arc::new(Seen {
            sight,
            log: Mutex::new(Log {
                lines: VecDeque::new(),
                skipped: 0,
                begin: Instant::now(),
                times: Times::default(),
                sent: Frames::default(),
                received: Frames::default(),
            }),
            news: Notify::new(),
        })))
    }

    /// Has the connection tell what is to be seen.
    pub(crate) fn over(&self, connecting: Connect) -> Connect {
        match &self.0 {
            None => connecting,
            Some(seen) => {
                let seen = Arc::clone(seen);
                connecting.on_progress(move |progress| seen.handle(&progress))
            }
        }
    }

    /// A try begins.
    pub(crate) fn begin(&self) {
        if let Some(seen) = &self.0 {
            let mut log = seen.log();
            log.begin = Instant::now();
            log.times = Times::default();
        }
    }

    pub(crate) fn since_begin(&self) -> Option<Duration> {
        let seen = self.0.as_ref()?;
        Some(seen.log().begin.elapsed())
    }

    pub(crate) fn times(&self) -> Times {
        let times = self.0.as_ref().map(|seen| seen.log().times);
        times.unwrap_or_default()
    }

    /// The next line to be told, if there is one.
    pub(crate) fn take(&self) -> Option<String> {
        let mut log = self.0.as_ref()?.log();
        if let Some(line) = log.lines.pop_front() {
            return Some(line);
        }
        let skipped = std::mem::take(&mut log.skipped);
        (skipped > 0).then(|| format!("* {skipped} lines more, which came too fast to be shown"))
    }

    /// Waits for the next line to be told.
    ///
    /// # Cancel safety
    /// A dropped call loses nothing.
    pub(crate) async fn next(&self) -> String {
        let Some(seen) = &self.0 else {
            return std::future::pending().await;
        };
        loop {
            if let Some(line) = self.take() {
                return line;
            }
            seen.news.notified().await;
        }
    }
}

impl Seen {
    /// What is told of is whole, whoever panicked meanwhile.
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, progress: &Progress<'_>) {
        let mut log = self.log();
        let now = Some(log.begin.elapsed());
        match progress {
            Progress::Resolved(_) => log.times.resolved = now,
            Progress::Connected { .. } => log.times.connected = now,
            Progress::Secured { .. } => log.times.secured = now,
            Progress::Answered(_) => {
                log.times.answered = now;
                // Those of a connection before it.
                log.sent = Frames::default();
                log.received = Frames::default();
            }
            _ => {}
        }
        let log = &mut *log;
        let lines = match (self.sight, progress) {
            (Sight::Frames, Progress::Sent(bytes)) => log.sent.handle(bytes, '>'),
            (Sight::Frames, Progress::Received(bytes)) => log.received.handle(bytes, '<'),
            (Sight::Steps | Sight::Frames, progress) => lines_of(progress),
            _ => Vec::new(),
        };
        for line in lines {
            match log.lines.len() < LINES_AHEAD {
                true => log.lines.push_back(line),
                false => log.skipped += 1,
            }
        }
        self.news.notify_one();
    }
}

/// What a step is told as.
fn lines_of(progress: &Progress<'_>) -> Vec<String> {
    match progress {
        Progress::Resolved(addresses) => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            vec![format!("* DNS: {}", addresses.join(", "))]
        }
        Progress::Connected {
            peer: Some(peer),
            local: Some(local),
        } => vec![format!("* TCP: connected to {peer} from {local}")],
        Progress::Connected { .. } => vec!["* connected".to_owned()],
        Progress::Secured {
            version,
            cipher,
            certificates,
        } => {
            let mut lines = vec![format!("* {version}, {cipher}")];
            for (number, der) in certificates.iter().enumerate() {
                lines.push(format!(
                    "* certificate {number}: {}",
                    certificate::line(der)
                ));
            }
            lines
        }
        Progress::Requested(request) => heads::of_request(request, '>'),
        Progress::Answered(response) => heads::of_response(response),
        _ => Vec::new(),
    }
    .into_iter()
    .map(|line| escaped(&line))
    .collect()
}

/// A request that a server got, in lines.
pub(crate) fn received_request(request: &Request<()>) -> Vec<String> {
    let lines = heads::of_request(request, '<');
    lines.iter().map(|line| escaped(line)).collect()
}

/// A time as a person reads it.
pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_each_step() {
        let after = |time| Some(Duration::from_millis(time));
        let times = Times {
            resolved: None,
            connected: after(2),
            secured: after(5),
            answered: after(9),
        };
        let line = "timing: TCP 2.0 ms, TLS 3.0 ms, handshake 4.0 ms; open after 9.0 ms";
        assert_eq!(times.line(), line);
    }

    #[test]
    fn what_nobody_reads_is_counted() {
        let watch = Watch::new(Sight::Frames);
        let seen = watch.0.as_ref().unwrap();
        for _ in 0..LINES_AHEAD + 2 {
            seen.handle(&Progress::Received(b"\x81\x02hi"));
        }
        for _ in 0..LINES_AHEAD {
            assert_eq!(watch.take().unwrap(), "< text, 2 bytes: hi");
        }
        assert!(watch.take().unwrap().starts_with("* 2 lines more"));
        assert_eq!(watch.take(), None);
    }
}

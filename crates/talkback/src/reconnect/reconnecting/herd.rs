//! Many channels of one server, in virtual time: their loops, with the seeds 0, 1, 2…
//!
//! Each test prints when the tries came: `cargo test -p talkback --features test-util --lib herd -- --nocapture`.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;
use std::time::Duration;

use talkback_proto::CloseCode;
use tokio::time::{Instant, sleep_until};

use super::*;
use crate::test_util::{Peer, ScriptedServer, Try};

const HERD: usize = 10_000;

const SECOND: Duration = Duration::from_secs(1);

/// The seconds in which most of them wait in the first window of 5 s, and in the next ones of 10 and 20 s.
///
/// The first wait is as short as RFC 6455 §7.2.3 has it, so that more tries come in these than in the mean of an
/// hour: each is held to a mean of its own.
const GROWING: [Range<usize>; 3] = [0..5, 5..15, 15..35];

/// By then all wait in the longest window.
const AT_THE_LONGEST: usize = 35;

/// How many tries a second come of each client then: its waits are half a second to thirty.
const RATE: Range<f64> = 0.060..0.075;

/// Many channels, and their server.
struct Herd {
    server: ScriptedServer,
    channels: Vec<WebSocketChannel>,
    peers: Vec<Peer>,
    /// How often any of the loops was polled.
    polls: Arc<AtomicUsize>,
}

impl Herd {
    /// All of them are open.
    async fn open(size: usize) -> Self {
        let mut server = ScriptedServer::new();
        let connect = crate::connect("ws://server.example/").connector(server.connector());
        let polls = Arc::<AtomicUsize>::default();
        let channel = |seed| {
            let mut reconnecting = connect.clone().reconnect();
            reconnecting.plan.draw = Draw::Random(seed);
            let (channel, port, driver) = reconnecting.parts();
            let polls = Arc::clone(&polls);
            tokio::spawn(async move {
                let mut driver = pin!(driver(port));
                let counted = |cx: &mut Context<'_>| {
                    polls.fetch_add(1, Ordering::Relaxed);
                    driver.as_mut().poll(cx)
                };
                poll_fn(counted).await;
            });
            channel
        };
        let channels: Vec<_> = (0..size as u64).map(channel).collect();
        let mut peers = Vec::with_capacity(size);
        for _ in 0..size {
            peers.push(server.next_try().await.accept().await.unwrap());
        }
        for channel in &channels {
            channel.ready().await.unwrap();
        }
        Self {
            server,
            channels,
            peers,
            polls,
        }
    }

    /// The server dies: all connections end, without a close frame.
    fn die(&mut self) -> Tries {
        self.peers.iter().for_each(Peer::cut);
        self.peers.clear();
        Tries::since_now()
    }

    /// The server closes all connections with this code.
    fn close_with(&mut self, code: CloseCode) -> Tries {
        for peer in self.peers.drain(..) {
            peer.send_close(code, "").unwrap();
        }
        Tries::since_now()
    }

    /// When they come back to a server that is there from this moment on, until all are open.
    async fn come_back(&mut self, tries: &mut Tries, back: Duration) {
        while self.peers.len() < self.channels.len() {
            let attempt = self.server.next_try().await;
            if tries.note() < back {
                attempt.fail(io::ErrorKind::ConnectionRefused);
            } else {
                self.peers.push(attempt.accept().await.unwrap());
            }
        }
    }

    /// When they come to a server that accepts each and closes at once, for so long.
    async fn are_closed_at_once(&mut self, tries: &mut Tries, time: Duration) {
        let end = sleep_until(tries.since + time);
        tokio::pin!(end);
        loop {
            tokio::select! {
                biased;
                attempt = self.server.next_try() => {
                    tries.note();
                    accept_and_close(attempt).await;
                }
                () = &mut end => break,
            }
        }
    }
}

async fn accept_and_close(attempt: Try) {
    let peer = attempt.accept().await.unwrap();
    peer.send_close(CloseCode::new(1011), "").unwrap();
}

/// How many tries came in each tenth of a second.
struct Tries {
    since: Instant,
    tenths: Vec<u32>,
}

impl Tries {
    fn since_now() -> Self {
        Self {
            since: Instant::now(),
            tenths: Vec::new(),
        }
    }

    /// One comes now.
    fn note(&mut self) -> Duration {
        let at = self.since.elapsed();
        // A timer's time is a whole millisecond, the next one.
        let tenth = at.as_millis().saturating_sub(1) as usize / 100;
        if self.tenths.len() <= tenth {
            self.tenths.resize(tenth + 1, 0);
        }
        self.tenths[tenth] += 1;
        at
    }

    fn seconds(&self) -> Vec<u32> {
        let seconds = self.tenths.chunks(10);
        seconds.map(|tenths| tenths.iter().sum()).collect()
    }

    /// In which seconds they came.
    fn span(&self) -> Range<usize> {
        let seconds = self.seconds();
        let first = seconds.iter().position(|count| *count > 0);
        first.unwrap_or(0)..seconds.len()
    }

    /// No second has more than twice the mean of its time, from the first on.
    fn assert_spread(&self, size: usize, seconds: usize) {
        for growing in GROWING {
            self.assert_even(growing);
        }
        self.assert_even(AT_THE_LONGEST..seconds);
        let rate = mean(&self.seconds()[AT_THE_LONGEST..seconds]) / size as f64;
        assert!(RATE.contains(&rate), "{rate}");
    }

    /// No second has more than twice the mean of them.
    fn assert_even(&self, seconds: Range<usize>) {
        let counts = &self.seconds()[seconds];
        let most = highest(counts);
        assert!(
            f64::from(most) <= 2.0 * mean(counts),
            "{most} of {}: {counts:?}",
            mean(counts)
        );
    }
}

/// A bar for each second, or for as many as there are to one of forty.
impl fmt::Display for Tries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds();
        let a_bar = seconds.len().div_ceil(40).max(1);
        let means: Vec<f64> = seconds.chunks(a_bar).map(mean).collect();
        let longest = means.iter().fold(1.0, |most: f64, mean| most.max(*mean));
        for (index, (counts, mean)) in seconds.chunks(a_bar).zip(means).enumerate() {
            let bar = "#".repeat((50.0 * mean / longest).round() as usize);
            let (begin, most) = (index * a_bar, highest(counts));
            writeln!(
                f,
                "{begin:>5} s {mean:>6.0} a second, at most {most:>4} {bar}"
            )?;
        }
        let all: u32 = seconds.iter().sum();
        let tenth = highest(&self.tenths);
        write!(f, "{all} tries, at most {tenth} in a tenth of a second")
    }
}

fn mean(counts: &[u32]) -> f64 {
    f64::from(counts.iter().sum::<u32>()) / counts.len() as f64
}

fn highest(counts: &[u32]) -> u32 {
    counts.iter().copied().max().unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn v57_re5_the_clients_of_a_server_that_dies_come_back_evenly_in_five_seconds() {
    let mut herd = Herd::open(HERD).await;
    let mut tries = herd.die();
    herd.come_back(&mut tries, Duration::ZERO).await;
    println!("the server of 10,000 dies, and is back at once:\n{tries}");
    assert_eq!((tries.span(), tries.tenths.len()), (0..5, 50));
    tries.assert_even(0..5);
    let counts = &tries.tenths;
    assert!(highest(counts) <= 300, "{counts:?}");
    // With 49 degrees of freedom one of a thousand even ones is above 85.4.
    let expected = mean(counts);
    let squares = counts
        .iter()
        .map(|count| (f64::from(*count) - expected).powi(2));
    let chi_squared = squares.sum::<f64>() / expected;
    assert!(chi_squared < 85.4, "{chi_squared}: {counts:?}");
}

#[tokio::test(start_paused = true)]
async fn re6_the_clients_of_a_server_that_is_down_for_long_stay_spread() {
    const BACK: usize = 120;
    let mut herd = Herd::open(HERD).await;
    let mut tries = herd.die();
    herd.come_back(&mut tries, SECOND * BACK as u32).await;
    println!("the server of 10,000 dies, and is back after {BACK} s:\n{tries}");
    let at_the_longest = &tries.tenths[10 * AT_THE_LONGEST..];
    assert!(highest(at_the_longest) <= 120, "{at_the_longest:?}");
    tries.assert_spread(HERD, BACK);
    assert!(tries.tenths.len() <= 1_500);
}

#[tokio::test(start_paused = true)]
async fn re7_dr15_after_a_restart_all_wait_five_to_thirty_seconds() {
    let mut herd = Herd::open(HERD).await;
    let mut tries = herd.close_with(CloseCode::SERVICE_RESTART);
    herd.come_back(&mut tries, Duration::ZERO).await;
    println!("the server of 10,000 restarts, with 1012:\n{tries}");
    assert_eq!(tries.span(), 5..30);
    tries.assert_even(5..30);
    assert!(highest(&tries.tenths) <= 90, "{:?}", tries.tenths);
}

#[tokio::test(start_paused = true)]
async fn re8_re124_after_an_overload_all_wait_fifteen_to_thirty_seconds_and_nothing_runs() {
    let mut herd = Herd::open(HERD).await;
    let mut tries = herd.close_with(CloseCode::TRY_AGAIN_LATER);
    // Whatever is to be done about the loss is done.
    sleep_until(tries.since + SECOND).await;
    let polls = herd.polls.load(Ordering::Relaxed);
    sleep_until(tries.since + 15 * SECOND).await;
    assert_eq!(herd.polls.load(Ordering::Relaxed), polls);
    herd.come_back(&mut tries, Duration::ZERO).await;
    println!("the server of 10,000 is overloaded, and says 1013:\n{tries}");
    assert_eq!(tries.span(), 15..30);
    tries.assert_even(15..30);
    assert!(highest(&tries.tenths) <= 120, "{:?}", tries.tenths);
}

#[tokio::test(start_paused = true)]
async fn re10_a_server_that_accepts_and_closes_at_once_is_left_alone_by_all() {
    // 2,400,000 handshakes are for `cargo xtask soak herd`.
    let (size, seconds) = match std::env::var_os("TALKBACK_SOAK") {
        Some(_) => (HERD, 3_600),
        None => (HERD / 10, 300),
    };
    let mut herd = Herd::open(size).await;
    let mut tries = herd.die();
    let time = SECOND * seconds as u32;
    herd.are_closed_at_once(&mut tries, time).await;
    println!("the server of {size} accepts and closes at once, for {seconds} s:\n{tries}");
    tries.assert_spread(size, seconds);
}

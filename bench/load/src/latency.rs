//! How long an echo takes when messages are due at a fixed rate, whether or not the server keeps up: what it holds up
//! counts from when it was due (no coordinated omission).

use std::collections::VecDeque;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use rustix::event::Timespec;
use rustix::net::{SendFlags, send};

use crate::check::{Check as _, Exact};
use crate::connection::connect;
use crate::echoes::{Events, receive};
use crate::frames::{Round, rounds};
use crate::options::{Options, Until};
use crate::report::Report;
use crate::rows::Content;
use crate::server::{Spending, Spent};

const READ_BUFFER: usize = 64 << 10;
const NOW: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

pub(crate) fn run(options: &Options) -> Result<String> {
    let measured = match options.until {
        Until::Messages(number) => number,
        Until::Time(time) => (time.as_secs_f64() * options.rate) as u64,
    };
    let rounds = rounds(options.row, Content::Binary);
    let mut open_loop = OpenLoop::new(options, &rounds)?;
    let (mut events, mut buffer) = (Events::new()?, Vec::with_capacity(READ_BUFFER));
    for (index, peer) in open_loop.peers.iter().enumerate() {
        events.add(&peer.stream, index)?;
    }
    let mut before = None;
    while open_loop.echoed < options.warmup + measured {
        while open_loop.begun < options.warmup + measured && open_loop.is_due() {
            if open_loop.begun >= options.warmup && before.is_none() {
                before = Some(Spent::of(options.pid)?);
            }
            open_loop.send()?;
        }
        // It never sleeps, as it would have to be woken.
        for at in 0..events.within(NOW)? {
            open_loop.read(events.get(at).0, &mut buffer)?;
        }
    }
    let before = before.context("nothing was measured")?;
    let spending = Spending {
        messages: measured,
        before,
        now: Spent::of(options.pid)?,
    };
    let mut report = Report::new(options);
    report.add("rate", options.rate);
    let quantiles = [
        ("p50_ns", 0.5),
        ("p90_ns", 0.9),
        ("p99_ns", 0.99),
        ("p99_9_ns", 0.999),
    ];
    for (name, quantile) in quantiles {
        report.add(name, open_loop.histogram.value_at_quantile(quantile));
    }
    report.add("max_ns", open_loop.histogram.max());
    report.add_spent(options, &spending);
    Ok(report.end())
}

struct Peer {
    stream: TcpStream,
    /// How many messages were sent, and which of all have not been echoed.
    sent: usize,
    waiting: VecDeque<u64>,
}

struct OpenLoop<'a> {
    options: &'a Options,
    rounds: &'a [Round],
    check: Exact<'a>,
    peers: Vec<Peer>,
    start: Instant,
    begun: u64,
    echoed: u64,
    histogram: Histogram<u64>,
}

impl<'a> OpenLoop<'a> {
    fn new(options: &'a Options, rounds: &'a [Round]) -> Result<Self> {
        let mut peers = Vec::with_capacity(options.connections);
        for _ in 0..options.connections {
            let (stream, _) = connect(options.address, options.offer.as_deref())?;
            peers.push(Peer {
                stream,
                sent: 0,
                waiting: VecDeque::new(),
            });
        }
        Ok(Self {
            options,
            rounds,
            check: Exact::new(rounds, peers.len()),
            peers,
            start: Instant::now(),
            begun: 0,
            echoed: 0,
            histogram: Histogram::new(3)?,
        })
    }

    fn due(&self, message: u64) -> Instant {
        self.start + Duration::from_secs_f64(message as f64 / self.options.rate)
    }

    fn is_due(&self) -> bool {
        self.due(self.begun) <= Instant::now()
    }

    /// Sends the next message, each on the next connection, whether or not the last was echoed there.
    fn send(&mut self) -> Result<()> {
        let index = self.begun as usize % self.peers.len();
        let peer = &mut self.peers[index];
        let write = &self.rounds[peer.sent % self.rounds.len()].write;
        let sent = send(
            &peer.stream,
            write,
            SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
        );
        if sent.context("sending: the server does not keep up")? < write.len() {
            bail!("the server does not keep up");
        }
        peer.sent += 1;
        peer.waiting.push_back(self.begun);
        self.begun += 1;
        Ok(())
    }

    fn read(&mut self, index: usize, buffer: &mut Vec<u8>) -> Result<()> {
        while receive(&self.peers[index].stream, buffer)? {
            let now = Instant::now();
            let mut came = &buffer[..];
            while !came.is_empty() {
                let peer = &self.peers[index];
                let round = (peer.sent - peer.waiting.len()) % self.rounds.len();
                let (rest, is_whole) = self.check.take(index, round, came)?;
                came = rest;
                if is_whole {
                    let message = self.peers[index].waiting.pop_front();
                    let message = message.context("an echo of nothing")?;
                    self.echoed += 1;
                    if message >= self.options.warmup {
                        let late = now - self.due(message);
                        self.histogram.record(late.as_nanos() as u64)?;
                    }
                }
            }
            if buffer.len() < READ_BUFFER {
                break;
            }
        }
        Ok(())
    }
}

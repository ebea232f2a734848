//! Many topics: each connection subscribes to some, by a message of a 0 and their numbers, which the server sends back;
//! then one of them publishes to one topic after another, at random, by messages of a 1, the number, and bytes.
//!
//! What each connection is to get is counted where it lies, as in `broadcasts`; in a first and a last round, which are not
//! measured, it is verified. No order is promised between topics.

use std::io::Write;
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use rustix::net::RecvFlags;

use crate::broadcasts::{BUFFER, connect_all, receive};
use crate::frames::{BINARY, header, push_masked};
use crate::options::{Options, Until};
use crate::report::Report;
use crate::server::{Spending, Spent};

const TOPICS: usize = 100_000;
/// How many topics each connection is subscribed to.
const EACH: usize = 10;
/// How many rounds there are, which come again and again.
const ROUNDS: usize = 8;

/// What is published by one write, and which connections get what of it, as the payloads of frames.
struct Round {
    write: Vec<u8>,
    payloads: Vec<Vec<u8>>,
    /// Each connection that gets some, with which.
    getting: Vec<(usize, Vec<usize>)>,
    deliveries: u64,
}

pub(crate) fn run(options: &Options) -> Result<String> {
    let (streams, _) = connect_all(options, None)?;
    let mut buffer = vec![0; BUFFER];
    let subscribers = subscribe(&streams, &mut buffer)?;
    let rounds: Vec<_> = (0..ROUNDS)
        .map(|_| Round::new(options.row.frames, options.row.size, &subscribers))
        .collect();
    rounds[0].run(&streams, &mut buffer, Round::verify)?;
    rounds[1].run(&streams, &mut buffer, Round::count)?;
    let before = Spent::of(options.pid)?;
    let mut messages = 0;
    for round in rounds.iter().cycle() {
        let is_over = match options.until {
            Until::Messages(number) => messages >= number,
            Until::Time(time) => before.at.elapsed() >= time,
        };
        if is_over {
            break;
        }
        round.run(&streams, &mut buffer, Round::count)?;
        messages += round.deliveries;
    }
    let now = Spent::of(options.pid)?;
    rounds[2].run(&streams, &mut buffer, Round::verify)?;
    let mut report = Report::new(options);
    report.add_spent(
        options,
        &Spending {
            messages,
            before,
            now,
        },
    );
    Ok(report.end())
}

/// Subscribes all: which connections each topic has.
fn subscribe(streams: &[TcpStream], buffer: &mut [u8]) -> Result<Vec<Vec<usize>>> {
    let mut subscribers = vec![Vec::new(); TOPICS];
    for (index, mut stream) in streams.iter().enumerate() {
        let (mut message, mut frame) = (vec![0], Vec::new());
        for number in fastrand::choose_multiple(0..TOPICS, EACH) {
            message.extend_from_slice(&(number as u32).to_le_bytes());
            subscribers[number].push(index);
        }
        push_masked(&mut frame, BINARY, &message);
        stream.write_all(&frame).context("subscribing")?;
        let back = take(stream, 2 + message.len(), buffer)?;
        ensure!(back[2..] == message, "what subscribes does not come back");
    }
    Ok(subscribers)
}

/// Receives so many bytes.
fn take(stream: &TcpStream, size: usize, buffer: &mut [u8]) -> Result<Vec<u8>> {
    let mut came = Vec::new();
    while came.len() < size {
        let most = buffer.len().min(size - came.len());
        let size = receive(stream, &mut buffer[..most], RecvFlags::empty())?;
        came.extend_from_slice(&buffer[..size]);
    }
    Ok(came)
}

impl Round {
    fn new(count: usize, size: usize, subscribers: &[Vec<usize>]) -> Self {
        let (mut write, mut payloads) = (Vec::new(), Vec::new());
        let mut getting =
            vec![Vec::new(); subscribers.iter().flatten().max().map_or(0, |max| max + 1)];
        let mut deliveries = 0;
        for index in 0..count {
            let number = fastrand::usize(..TOPICS);
            let mut payload = vec![1];
            payload.extend_from_slice(&(number as u32).to_le_bytes());
            payload.resize_with(size, || fastrand::u8(..));
            push_masked(&mut write, BINARY, &payload);
            payloads.push(payload);
            for connection in &subscribers[number] {
                getting[*connection].push(index);
                deliveries += 1;
            }
        }
        let getting = getting.into_iter().enumerate();
        Self {
            write,
            payloads,
            getting: getting.filter(|(_, these)| !these.is_empty()).collect(),
            deliveries,
        }
    }

    fn run(
        &self,
        streams: &[TcpStream],
        buffer: &mut [u8],
        look: impl Fn(&Self, &TcpStream, &[usize], &mut [u8]) -> Result<()>,
    ) -> Result<()> {
        (&streams[0]).write_all(&self.write).context("publishing")?;
        let mut getting = self.getting.iter();
        getting.try_for_each(|(connection, these)| look(self, &streams[*connection], these, buffer))
    }

    fn size(&self, these: &[usize]) -> usize {
        let sizes = these.iter().map(|index| self.payloads[*index].len());
        sizes.map(|size| 2 + size).sum()
    }

    fn count(&self, stream: &TcpStream, these: &[usize], buffer: &mut [u8]) -> Result<()> {
        let mut expected = self.size(these);
        while expected > 0 {
            let most = expected.min(buffer.len());
            expected -= receive(stream, &mut buffer[..most], RecvFlags::TRUNC)?;
        }
        Ok(())
    }

    fn verify(&self, stream: &TcpStream, these: &[usize], buffer: &mut [u8]) -> Result<()> {
        let came = take(stream, self.size(these), buffer)?;
        let (mut rest, mut got) = (&came[..], Vec::new());
        while let Some((_, payload)) = header(rest) {
            got.push(rest.get(payload.clone()).context("a frame is cut")?);
            rest = &rest[payload.end..];
        }
        let mut wanted: Vec<_> = these
            .iter()
            .map(|index| &self.payloads[*index][..])
            .collect();
        got.sort_unstable();
        wanted.sort_unstable();
        ensure!(
            got == wanted,
            "what has come was not published to its topics"
        );
        Ok(())
    }
}

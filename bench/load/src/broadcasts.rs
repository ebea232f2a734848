//! The server sends one message to all connections, or a burst of them, again and again: each time that one of them sends it.
//!
//! Receivers are to cost little, and what they cost is not to be the server's. Nobody waits for what comes, as on one
//! machine it is the sender that wakes whoever waits: time and again all are looked at, in turn. Bytes are counted
//! where they lie. What the first connection gets is verified in every round, and in the first and the last one all
//! others are to get the same bytes.

use std::io::Write;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::check::{Check, Exact};
use crate::compressed::{Inflating, compressing, messages};
use crate::connection::connect;
use crate::frames::{TEXT, push_masked, rounds};
use crate::options::{Options, Until};
use crate::report::Report;
use crate::rows::Content;
use crate::server::{Spending, Spent};

/// How much of a message one read takes.
pub(crate) const BUFFER: usize = 64 << 10;
/// How long the server is left alone when nothing has come.
const PAUSE: Duration = Duration::from_micros(500);
/// How long it may be silent.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn run(options: &Options) -> Result<String> {
    let (streams, _) = connect_all(options, options.offer.as_deref())?;
    let rounds = rounds(options.row, Content::Binary);
    let writes = rounds.iter().map(|round| round.write.clone()).collect();
    let (spent, _) = measure(options, streams, writes, Exact::new(&rounds, 1))?;
    let mut report = Report::new(options);
    report.add_spent(options, &spent);
    Ok(report.end())
}

pub(crate) fn run_compressed(options: &Options) -> Result<String> {
    let offer = options.offer.as_deref().unwrap_or("permessage-deflate");
    let (streams, extension) = connect_all(options, Some(offer))?;
    let extension = compressing(extension)?;
    let messages = messages(options.row.size);
    let frame = |message: &Vec<u8>| {
        let mut frame = Vec::new();
        push_masked(&mut frame, TEXT, message);
        frame
    };
    let writes = messages.iter().map(frame).collect();
    let check = Inflating::new(messages, 1, &extension);
    let (spent, check) = measure(options, streams, writes, check)?;
    let mut report = Report::new(options);
    report.add("extension", format_args!("{extension:?}"));
    report.add("bytes_out_each", check.bytes_each());
    report.add_spent(options, &spent);
    Ok(report.end())
}

/// All connections, and what the first has agreed on.
pub(crate) fn connect_all(
    options: &Options,
    offer: Option<&str>,
) -> Result<(Vec<TcpStream>, String)> {
    let connected = (0..options.connections).map(|_| connect(options.address, offer));
    let (streams, mut extensions): (Vec<_>, Vec<_>) =
        connected.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    ensure!(!streams.is_empty(), "there is nobody to send it to");
    Ok((streams, extensions.swap_remove(0)))
}

/// Runs the warm-up, which a first round precedes, the measured part, and a last round.
fn measure<C: Check>(
    options: &Options,
    streams: Vec<TcpStream>,
    writes: Vec<Vec<u8>>,
    check: C,
) -> Result<(Spending, C)> {
    let mut all = Broadcasts {
        streams,
        writes,
        check,
        frames: options.row.frames,
        round: 0,
        came: Vec::new(),
        buffer: vec![0; BUFFER],
    };
    all.round(Others::AreCompared)?;
    all.until(options.warmup, || false)?;
    let before = Spent::of(options.pid)?;
    let messages = match options.until {
        Until::Messages(number) => all.until(number, || false)?,
        Until::Time(time) => all.until(u64::MAX, || before.at.elapsed() >= time)?,
    };
    let now = Spent::of(options.pid)?;
    all.round(Others::AreCompared)?;
    let spending = Spending {
        messages,
        before,
        now,
    };
    Ok((spending, all.check))
}

/// What is done with that which others get than the first.
#[derive(Clone, Copy)]
enum Others {
    AreCompared,
    AreCounted,
}

struct Broadcasts<C> {
    /// The first is the one that sends.
    streams: Vec<TcpStream>,
    writes: Vec<Vec<u8>>,
    check: C,
    /// How many messages one write has.
    frames: usize,
    /// How many rounds there were.
    round: usize,
    /// What the first connection got in this one.
    came: Vec<u8>,
    buffer: Vec<u8>,
}

impl<C: Check> Broadcasts<C> {
    /// Goes on until so many messages have come in all, or time is up; how many that were.
    fn until(&mut self, most: u64, is_over: impl Fn() -> bool) -> Result<u64> {
        let mut messages = 0;
        while messages < most && !is_over() {
            self.round(Others::AreCounted)?;
            messages += (self.streams.len() * self.frames) as u64;
        }
        Ok(messages)
    }

    fn round(&mut self, others: Others) -> Result<()> {
        let index = self.round % self.writes.len();
        self.round += 1;
        (&self.streams[0])
            .write_all(&self.writes[index])
            .context("sending")?;
        self.receive_first(index)?;
        let Self { came, buffer, .. } = self;
        for stream in &self.streams[1..] {
            match others {
                Others::AreCompared => compare(stream, came, buffer)?,
                Others::AreCounted => count(stream, came.len(), buffer)?,
            }
        }
        Ok(())
    }

    /// Receives what the first connection gets, to the end of its message.
    fn receive_first(&mut self, index: usize) -> Result<()> {
        self.came.clear();
        let mut is_whole = false;
        while !is_whole {
            let size = receive(&self.streams[0], &mut self.buffer, RecvFlags::empty())?;
            let mut rest = &self.buffer[..size];
            self.came.extend_from_slice(rest);
            while !rest.is_empty() {
                ensure!(!is_whole, "more has come than was sent");
                (rest, is_whole) = self.check.take(0, index, rest)?;
            }
        }
        Ok(())
    }
}

/// Receives as much as was expected, which is to be the same.
fn compare(stream: &TcpStream, mut expected: &[u8], buffer: &mut [u8]) -> Result<()> {
    while !expected.is_empty() {
        let len = expected.len().min(buffer.len());
        let size = receive(stream, &mut buffer[..len], RecvFlags::empty())?;
        let (now, later) = expected.split_at(size);
        ensure!(
            buffer[..size] == *now,
            "not all connections have got the same"
        );
        expected = later;
    }
    Ok(())
}

/// Discards as much as was expected.
fn count(stream: &TcpStream, mut expected: usize, buffer: &mut [u8]) -> Result<()> {
    while expected > 0 {
        let len = expected.min(buffer.len());
        expected -= receive(stream, &mut buffer[..len], RecvFlags::TRUNC)?;
    }
    Ok(())
}

/// Waits until something has come, and takes it; returns its size.
pub(crate) fn receive(stream: &TcpStream, buffer: &mut [u8], flags: RecvFlags) -> Result<usize> {
    let mut since = None;
    loop {
        match recv(stream, &mut *buffer, flags | RecvFlags::DONTWAIT) {
            Ok((_, 0)) => bail!("the server ended the connection"),
            Ok((_, size)) => return Ok(size),
            Err(Errno::AGAIN) => {
                if since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                    bail!("nothing has come for {} s", PATIENCE.as_secs());
                }
                sleep(PAUSE);
            }
            Err(error) => return Err(error).context("receiving"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// What a connection has got, and a buffer that is smaller.
    fn got(bytes: &[u8]) -> (TcpStream, [u8; 4]) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        listener.accept().unwrap().0.write_all(bytes).unwrap();
        (stream, [0; 4])
    }

    #[test]
    fn a_byte_that_differs_or_lacks_is_an_error() {
        let compared = |bytes: &[u8]| {
            let (stream, mut buffer) = got(bytes);
            compare(&stream, b"\x82\x04abcd", &mut buffer)
        };
        compared(b"\x82\x04abcd").unwrap();
        compared(b"\x82\x04abcx").unwrap_err();
        compared(b"\x82\x04abc").unwrap_err();
    }

    #[test]
    fn bytes_are_counted_to_the_last() {
        let (stream, mut buffer) = got(b"\x82\x04abcd");
        count(&stream, 6, &mut buffer).unwrap();
        assert_eq!(buffer, [0; 4], "none is copied");
        count(&stream, 1, &mut buffer).unwrap_err();
    }
}

//! What is to be done: the messages, their right answers, and when they are due.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

use talkback::{Binary, Message};

use crate::args::{LoadArgs, WayArgs};
use crate::exit::{self, Failure};

/// How many messages differ from each other, unless they are large.
const EXCHANGES_MAX: u64 = 16;

/// How many bytes the messages may take together, if there are more than two.
const PAYLOADS_SIZE: u64 = 16 << 20;

/// The words that texts are made of: they compress as what people and programs write does.
const WORDS: [&str; 16] = [
    "time", "price", "name", "true", "false", "null", "user", "state", "open", "close", "message",
    "value", "count", "{\"id\":", "},", "2026",
];

/// What one is to do, for all connections.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) connections: u32,
    pub(crate) threads: u16,
    pub(crate) pipeline: usize,
    /// How many messages are due each second, over all connections.
    pub(crate) rate: Option<f64>,
    pub(crate) ramp: Duration,
    pub(crate) exchanges: Vec<Exchange>,
    /// The addresses to connect to and from, in turn; if there are none, those of the URL and the system.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) local_addresses: Vec<IpAddr>,
}

/// A message, and its right answer; none if any is right.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) message: Message,
    pub(crate) answer: Option<Message>,
}

impl Plan {
    pub(crate) fn new(load: &LoadArgs, way: &WayArgs, port: u16) -> Result<Self, Failure> {
        let cores = available_parallelism().map_or(1, NonZero::get);
        let threads = load.threads.map_or(cores / 2, usize::from);
        let threads = threads.clamp(1, load.connections as usize);
        let addresses = way.addresses.iter();
        Ok(Self {
            connections: load.connections,
            threads: u16::try_from(threads).unwrap_or(u16::MAX),
            pipeline: usize::from(load.pipeline),
            rate: load.rate,
            ramp: load.ramp.unwrap_or_default(),
            exchanges: exchanges(load, way.max_message)?,
            addresses: addresses.map(|address| address.with_port(port)).collect(),
            local_addresses: load.local_addresses.clone(),
        })
    }

    /// How long after one message of a connection the next is due, if that is fixed.
    pub(crate) fn period(&self) -> Option<Duration> {
        let rate = self.rate?;
        Some(Duration::from_secs_f64(f64::from(self.connections) / rate))
    }

    /// How long after the begin a connection's first message is due: those of all are spread evenly.
    pub(crate) fn offset(&self, period: Duration, number: u32) -> Duration {
        period.mul_f64(f64::from(number) / f64::from(self.connections))
    }

    /// How long after the begin a connection is to be opened.
    pub(crate) fn opens_after(&self, number: u32) -> Duration {
        self.offset(self.ramp, number)
    }
}

fn exchanges(load: &LoadArgs, size_max: u64) -> Result<Vec<Exchange>, Failure> {
    let wrong = |message: &str| Err(Failure::new(exit::USAGE, message));
    let message = |text: &String| match load.binary {
        true => Message::Binary(Binary::from(text.as_bytes().to_vec())),
        false => Message::from(text.clone()),
    };
    let messages: Vec<Message> = match load.send.is_empty() {
        true if load.size > size_max => {
            return wrong("--size is more than --max-message: give both, or less");
        }
        true => payloads(load.size, load.binary),
        false => load.send.iter().map(message).collect(),
    };
    if messages
        .iter()
        .any(|message| message.len() as u64 > size_max)
    {
        return wrong("what --send gives is more than --max-message: give both, or less");
    }
    let answers: Vec<Message> = load.expect.iter().map(message).collect();
    if answers.len() > 1 && answers.len() != messages.len() {
        return wrong(
            "there are not as many of --expect as of --send: give one for all, or one for each",
        );
    }
    let exchange = |(number, message): (usize, Message)| {
        let expected = answers.get(number).or(answers.first());
        let answer = expected.unwrap_or(&message).clone();
        Exchange {
            message,
            answer: (!load.expect_any).then_some(answer),
        }
    };
    Ok(messages.into_iter().enumerate().map(exchange).collect())
}

/// Messages of a size that differ from each other; the same in every run.
fn payloads(size: u64, is_binary: bool) -> Vec<Message> {
    let number = (PAYLOADS_SIZE / size).clamp(2, EXCHANGES_MAX);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    // Xorshift: nothing hangs on how random it is.
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let payload = |_| {
        let mut bytes = Vec::with_capacity(size + 8);
        while bytes.len() < size {
            match is_binary {
                true => bytes.extend_from_slice(&next().to_le_bytes()),
                false => {
                    bytes.extend_from_slice(WORDS[(next() >> 60) as usize].as_bytes());
                    bytes.push(b' ');
                }
            }
        }
        bytes.truncate(size);
        match is_binary {
            true => Message::Binary(Binary::from(bytes)),
            false => Message::from(String::from_utf8_lossy(&bytes).into_owned()),
        }
    };
    (0..number).map(payload).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_have_the_size_and_differ() {
        for is_binary in [false, true] {
            let messages = payloads(64, is_binary);
            assert_eq!(messages.len(), 16);
            assert!(messages.iter().all(|message| message.len() == 64));
            for (number, message) in messages.iter().enumerate() {
                assert!(!messages[..number].contains(message), "{number}");
            }
        }
        assert_eq!(payloads(16 << 20, true).len(), 2);
        assert_eq!(payloads(1, false)[0].len(), 1);
    }
}

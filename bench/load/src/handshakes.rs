//! Connecting, the opening handshake, and a reset: again and again.

use std::io::Write;
use std::net::TcpStream;

use anyhow::Result;

use crate::connection::{dial, extensions, request};
use crate::echoes::{Events, receive};
use crate::options::{Options, Until};
use crate::report::Report;
use crate::server::{Spending, Spent};

struct Handshakes {
    request: String,
    events: Events,
    buffer: Vec<u8>,
    streams: Vec<Option<(TcpStream, Vec<u8>)>>,
    begun: u64,
    done: u64,
}

pub(crate) fn run(options: &Options) -> Result<String> {
    let mut handshakes = Handshakes {
        request: request(options.address, options.offer.as_deref()),
        events: Events::new()?,
        buffer: Vec::with_capacity(4096),
        streams: (0..options.connections).map(|_| None).collect(),
        begun: 0,
        done: 0,
    };
    handshakes.until(options, options.warmup, || false)?;
    let before = Spent::of(options.pid)?;
    let warmup = handshakes.done;
    match options.until {
        Until::Messages(number) => handshakes.until(options, warmup + number, || false)?,
        Until::Time(time) => handshakes.until(options, u64::MAX, || before.at.elapsed() >= time)?,
    }
    let now = Spent::of(options.pid)?;
    let mut report = Report::new(options);
    report.add_spent(
        options,
        &Spending {
            messages: handshakes.done - warmup,
            before,
            now,
        },
    );
    Ok(report.end())
}

impl Handshakes {
    /// Goes on until so many are done, or time is up.
    fn until(&mut self, options: &Options, most: u64, is_over: impl Fn() -> bool) -> Result<()> {
        while self.done < most && !is_over() {
            for index in 0..self.streams.len() {
                if self.streams[index].is_none() && self.begun < most {
                    self.begin(options, index)?;
                }
            }
            for at in 0..self.events.wait()? {
                self.read(self.events.get(at).0)?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, options: &Options, index: usize) -> Result<()> {
        self.begun += 1;
        let mut stream = dial(options.address)?;
        stream.write_all(self.request.as_bytes())?;
        self.events.add(&stream, index)?;
        self.streams[index] = Some((stream, Vec::new()));
        Ok(())
    }

    fn read(&mut self, index: usize) -> Result<()> {
        let slot = &mut self.streams[index];
        // An event may be of the connection before.
        let Some((stream, head)) = slot else {
            return Ok(());
        };
        // That it can be written to is told, too.
        if !receive(stream, &mut self.buffer)? {
            return Ok(());
        }
        head.extend_from_slice(&self.buffer);
        if head.ends_with(b"\r\n\r\n") {
            extensions(head)?;
            // Dropped, it is reset.
            *slot = None;
            self.done += 1;
        }
        Ok(())
    }
}

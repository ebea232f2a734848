//! Each connection sends its next round of messages once all of the last were echoed.

use std::os::fd::OwnedFd;

use anyhow::{Context, Result, bail};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::connection::{connect, request};
use crate::frames::{Round, ping_or_pong, rounds};
use crate::options::{Options, Until};
use crate::report::Report;
use crate::rows::Content;
use crate::server::Spent;

/// Large, as a large message is to come in few reads.
const READ_BUFFER: usize = 512 << 10;
/// How long a server may be silent.
const PATIENCE: Timespec = Timespec {
    tv_sec: 20,
    tv_nsec: 0,
};

struct Connection {
    socket: OwnedFd,
    /// Which of the rounds is under way.
    round: usize,
    /// How much of it was written, and how much of the echoes has come.
    written: usize,
    echoed: usize,
}

pub(crate) fn run(options: &Options, content: Content) -> Result<String> {
    let rounds = rounds(options.row, content);
    let request = request(options.address, None);
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut connections = Vec::with_capacity(options.connections);
    for index in 0..options.connections {
        let (socket, _) = connect(options.address, &request)?;
        // Edges: whoever could not write all is told when there is room, with no call to ask for it.
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        epoll::add(&epoll, &socket, EventData::new_u64(index as u64), flags)?;
        let round = index % rounds.len();
        connections.push(Connection {
            socket,
            round,
            written: 0,
            echoed: 0,
        });
    }
    let (messages, before, now) = Pump::new(options, &rounds, connections).run(&epoll)?;
    let mut report = Report::new(options);
    report.add_spent(options, messages, before, now);
    Ok(report.end())
}

struct Pump<'a> {
    options: &'a Options,
    rounds: &'a [Round],
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    /// How many messages have been begun, how many were echoed, and how many may be begun.
    begun: u64,
    echoed: u64,
    most: u64,
}

impl<'a> Pump<'a> {
    fn new(options: &'a Options, rounds: &'a [Round], connections: Vec<Connection>) -> Self {
        Self {
            options,
            rounds,
            connections,
            buffer: Vec::with_capacity(READ_BUFFER),
            begun: 0,
            echoed: 0,
            most: options.warmup,
        }
    }

    /// Runs the warm-up, then the measured part: how many messages that had, and what was spent before and after it.
    fn run(mut self, epoll: &OwnedFd) -> Result<(u64, Spent, Spent)> {
        let options = self.options;
        for index in 0..self.connections.len() {
            self.begin(index)?;
        }
        let mut events = Vec::with_capacity(1024);
        while self.echoed < options.warmup {
            self.turn(epoll, &mut events)?;
        }
        // Between the two, the server has nothing to do.
        let before = Spent::of(options.pid)?;
        let warmup = self.echoed;
        self.most = match options.until {
            Until::Messages(number) => self.begun + number,
            Until::Time(_) => u64::MAX,
        };
        for index in 0..self.connections.len() {
            self.begin(index)?;
        }
        while match options.until {
            Until::Messages(_) => self.echoed < self.most,
            Until::Time(time) => before.at.elapsed() < time,
        } {
            self.turn(epoll, &mut events)?;
        }
        Ok((self.echoed - warmup, before, Spent::of(options.pid)?))
    }

    /// Begins a connection's next round, unless enough were begun.
    fn begin(&mut self, index: usize) -> Result<()> {
        if self.begun < self.most {
            let connection = &mut self.connections[index];
            connection.round = (connection.round + 1) % self.rounds.len();
            (connection.written, connection.echoed) = (0, 0);
            self.begun += self.options.row.frames as u64;
            self.write(index)?;
        }
        Ok(())
    }

    fn write(&mut self, index: usize) -> Result<()> {
        let connection = &mut self.connections[index];
        let rest = &self.rounds[connection.round].write[connection.written..];
        if !rest.is_empty() {
            match send(&connection.socket, rest, SendFlags::NOSIGNAL) {
                Ok(written) => connection.written += written,
                Err(Errno::AGAIN) => {}
                Err(error) => return Err(error).context("sending"),
            }
        }
        Ok(())
    }

    fn turn(&mut self, epoll: &OwnedFd, events: &mut Vec<epoll::Event>) -> Result<()> {
        events.clear();
        if epoll::wait(epoll, spare_capacity(events), Some(&PATIENCE))? == 0 {
            bail!("nothing was echoed for {} s", PATIENCE.tv_sec);
        }
        for event in events.iter() {
            // Its fields are packed, and cannot be borrowed.
            let (index, flags) = (event.data.u64() as usize, event.flags);
            if flags.contains(EventFlags::OUT) {
                self.write(index)?;
            }
            if flags.contains(EventFlags::IN) {
                self.read(index)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, index: usize) -> Result<()> {
        loop {
            self.buffer.clear();
            let socket = &self.connections[index].socket;
            match recv(socket, spare_capacity(&mut self.buffer), RecvFlags::empty()) {
                Ok(_) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error).context("receiving"),
            }
            if self.buffer.is_empty() {
                bail!("the server ended the connection");
            }
            let connection = &mut self.connections[index];
            let round = &self.rounds[connection.round];
            verify(round, &mut connection.echoed, &self.buffer)?;
            if connection.echoed == round.echoes.len() {
                self.echoed += self.options.row.frames as u64;
                self.begin(index)?;
            }
            if self.buffer.len() < READ_BUFFER {
                return Ok(());
            }
        }
    }
}

/// Holds what came against what is to come, between the frames of which a ping may stand, or a pong. Nobody answers
/// the ping: a server that minds is patient enough for a run.
fn verify(round: &Round, echoed: &mut usize, mut came: &[u8]) -> Result<()> {
    while !came.is_empty() {
        let expected = &round.echoes[*echoed..];
        let len = came.len().min(expected.len());
        if len > 0 && came[..len] == expected[..len] {
            *echoed += len;
            came = &came[len..];
            continue;
        }
        let same = came
            .iter()
            .zip(expected)
            .take_while(|(a, b)| a == b)
            .count();
        *echoed += same;
        match ping_or_pong(&came[same..]) {
            Some(len) if *echoed % round.echo_len == 0 => came = &came[same + len..],
            _ => bail!(
                "the echo differs at byte {} of {}: {:02x?}",
                *echoed,
                round.echoes.len(),
                &came[same..came.len().min(same + 16)]
            ),
        }
    }
    Ok(())
}

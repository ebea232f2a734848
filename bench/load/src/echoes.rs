//! Each connection sends its next round of messages once all of the last were echoed.

use std::net::TcpStream;
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, bail};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::check::{Check, Exact};
use crate::connection::connect;
use crate::frames::rounds;
use crate::options::{Options, Until};
use crate::report::Report;
use crate::rows::Content;
use crate::server::{Spending, Spent};

/// Large, as a large message is to come in few reads.
const READ_BUFFER: usize = 512 << 10;
/// How long a server may be silent.
const PATIENCE: Timespec = Timespec {
    tv_sec: 20,
    tv_nsec: 0,
};

pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    /// Which of the rounds is under way, and how much of it was written.
    round: usize,
    written: usize,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, round: usize) -> Self {
        Self {
            stream,
            round,
            written: 0,
        }
    }
}

/// What happens on the connections.
pub(crate) struct Events {
    pub(crate) epoll: OwnedFd,
    events: Vec<Event>,
}

impl Events {
    pub(crate) fn new() -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let events = Vec::with_capacity(1024);
        Ok(Self { epoll, events })
    }

    pub(crate) fn add(&self, stream: &TcpStream, index: usize) -> Result<()> {
        // Edges: whoever could not write all is told when there is room, with no call to ask for it.
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        let data = EventData::new_u64(index as u64);
        Ok(epoll::add(&self.epoll, stream, data, flags)?)
    }

    /// Waits for what happens: how many events there are.
    pub(crate) fn wait(&mut self) -> Result<usize> {
        let number = self.within(PATIENCE)?;
        if number == 0 {
            bail!("nothing was echoed for {} s", PATIENCE.tv_sec);
        }
        Ok(number)
    }

    pub(crate) fn within(&mut self, time: Timespec) -> Result<usize> {
        self.events.clear();
        epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&time)).context("epoll")
    }

    /// The connection that an event is of, and the event.
    pub(crate) fn get(&self, at: usize) -> (usize, EventFlags) {
        let event = self.events[at];
        (event.data.u64() as usize, event.flags)
    }
}

/// Reads what has come; false if nothing has.
pub(crate) fn receive(stream: &TcpStream, buffer: &mut Vec<u8>) -> Result<bool> {
    buffer.clear();
    match recv(stream, spare_capacity(buffer), RecvFlags::DONTWAIT) {
        Ok(_) if buffer.is_empty() => bail!("the server ended the connection"),
        Ok(_) => Ok(true),
        Err(Errno::AGAIN) => Ok(false),
        Err(error) => Err(error).context("receiving"),
    }
}

pub(crate) fn run(options: &Options, content: Content) -> Result<String> {
    let rounds = rounds(options.row, content);
    let writes: Vec<&[u8]> = rounds.iter().map(|round| &round.write[..]).collect();
    let mut connections = Vec::with_capacity(options.connections);
    for index in 0..options.connections {
        let (stream, _) = connect(options.address, options.offer.as_deref())?;
        connections.push(Connection::new(stream, index % rounds.len()));
    }
    let mut check = Exact::new(&rounds, connections.len());
    let spent = measure(options, &writes, connections, &mut check)?;
    let mut report = Report::new(options);
    report.add_spent(options, &spent);
    Ok(report.end())
}

/// Runs the warm-up, then the measured part.
pub(crate) fn measure(
    options: &Options,
    writes: &[&[u8]],
    connections: Vec<Connection>,
    check: &mut impl Check,
) -> Result<Spending> {
    let events = Events::new()?;
    for (index, connection) in connections.iter().enumerate() {
        events.add(&connection.stream, index)?;
    }
    let buffer = Vec::with_capacity(READ_BUFFER);
    let frames = options.row.frames as u64;
    let mut pump = Pump {
        writes,
        connections,
        check,
        events,
        buffer,
        frames,
        begun: 0,
        echoed: 0,
        most: 0,
    };
    pump.until(options.warmup, || false)?;
    // Between the two, the server has nothing to do.
    let before = Spent::of(options.pid)?;
    let warmup = pump.echoed;
    match options.until {
        Until::Messages(number) => pump.until(warmup + number, || false)?,
        Until::Time(time) => pump.until(u64::MAX, || before.at.elapsed() >= time)?,
    }
    let messages = pump.echoed - warmup;
    Ok(Spending {
        messages,
        before,
        now: Spent::of(options.pid)?,
    })
}

struct Pump<'a, C> {
    writes: &'a [&'a [u8]],
    connections: Vec<Connection>,
    check: &'a mut C,
    events: Events,
    buffer: Vec<u8>,
    /// How many messages are in a round.
    frames: u64,
    /// How many messages have been begun, how many were echoed, and how many may be begun.
    begun: u64,
    echoed: u64,
    most: u64,
}

impl<C: Check> Pump<'_, C> {
    /// Goes on until so many messages were echoed in all, or time is up.
    fn until(&mut self, most: u64, is_over: impl Fn() -> bool) -> Result<()> {
        self.most = most;
        for index in 0..self.connections.len() {
            self.begin(index)?;
        }
        while self.echoed < most && !is_over() {
            for at in 0..self.events.wait()? {
                let (index, flags) = self.events.get(at);
                if flags.contains(EventFlags::OUT) {
                    self.write(index)?;
                }
                if flags.contains(EventFlags::IN) {
                    self.read(index)?;
                }
            }
        }
        Ok(())
    }

    /// Begins a connection's next round, unless enough were begun.
    fn begin(&mut self, index: usize) -> Result<()> {
        if self.begun < self.most {
            let connection = &mut self.connections[index];
            connection.round = (connection.round + 1) % self.writes.len();
            connection.written = 0;
            self.begun += self.frames;
            self.write(index)?;
        }
        Ok(())
    }

    fn write(&mut self, index: usize) -> Result<()> {
        let connection = &mut self.connections[index];
        let rest = &self.writes[connection.round][connection.written..];
        if !rest.is_empty() {
            match send(
                &connection.stream,
                rest,
                SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
            ) {
                Ok(written) => connection.written += written,
                Err(Errno::AGAIN) => {}
                Err(error) => return Err(error).context("sending"),
            }
        }
        Ok(())
    }

    fn read(&mut self, index: usize) -> Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        while receive(&self.connections[index].stream, &mut buffer)? {
            let mut came = &buffer[..];
            while !came.is_empty() {
                let (rest, is_whole) =
                    self.check
                        .take(index, self.connections[index].round, came)?;
                came = rest;
                if is_whole {
                    self.echoed += self.frames;
                    self.begin(index)?;
                }
            }
            if buffer.len() < READ_BUFFER {
                break;
            }
        }
        self.buffer = buffer;
        Ok(())
    }
}

//! The floor: epoll, one receive and one send for each readiness, and no library.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send, sockopt};
use servers::{Echo, Options, RESERVE, space};

const LISTENER: u64 = u64::MAX;

struct Connection {
    socket: OwnedFd,
    echo: Echo,
    /// What the kernel did not take, and how much of that it has taken since; nothing is read meanwhile.
    unsent: Vec<u8>,
    taken: usize,
}

fn main() -> io::Result<()> {
    let listener = Options::parse().plain().listen()?;
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(
        &poll,
        &listener,
        EventData::new_u64(LISTENER),
        EventFlags::IN,
    )?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut events = Vec::with_capacity(256);
    let mut buffer = space();
    loop {
        events.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in &events {
            let number = event.data.u64();
            if number == LISTENER {
                accept(&poll, &listener, &mut connections)?;
                continue;
            }
            let place = &mut connections[number as usize];
            let Some(connection) = place else { continue };
            if connection.handle_ready(&poll, &mut buffer).is_err() {
                *place = None;
            }
        }
    }
}

/// Accepts all that wait; each is found by its descriptor.
fn accept(
    poll: &OwnedFd,
    listener: &TcpListener,
    connections: &mut Vec<Option<Connection>>,
) -> io::Result<()> {
    loop {
        let socket = match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
            Err(Errno::AGAIN) => return Ok(()),
            // It was reset before it was accepted.
            Err(Errno::CONNABORTED) => continue,
            socket => socket?,
        };
        sockopt::set_tcp_nodelay(&socket, true)?;
        let number = socket.as_raw_fd() as usize;
        epoll::add(
            poll,
            &socket,
            EventData::new_u64(number as u64),
            EventFlags::IN,
        )?;
        if connections.len() <= number {
            connections.resize_with(number + 1, || None);
        }
        connections[number] = Some(Connection {
            socket,
            echo: Echo::default(),
            unsent: Vec::new(),
            taken: 0,
        });
    }
}

impl Connection {
    /// Reads once and sends back what came, or sends what had to wait; an error ends the connection.
    fn handle_ready(&mut self, poll: &OwnedFd, buffer: &mut [u8]) -> rustix::io::Result<()> {
        if self.unsent.is_empty() {
            let (_, size) = match recv(&self.socket, &mut buffer[RESERVE..], RecvFlags::empty()) {
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Ok((_, 0)) => return Err(Errno::CONNRESET),
                received => received?,
            };
            let range = self.echo.turn(buffer, size);
            let answer = &buffer[range];
            let sent = if answer.is_empty() {
                0
            } else {
                self.send(answer)?
            };
            if sent < answer.len() {
                self.unsent.extend_from_slice(&answer[sent..]);
                self.wait_for(poll, EventFlags::OUT)?;
            }
        } else {
            self.taken += self.send(&self.unsent[self.taken..])?;
            if self.taken == self.unsent.len() {
                self.unsent.clear();
                self.taken = 0;
                self.wait_for(poll, EventFlags::IN)?;
            }
        }
        if self.echo.is_closed && self.unsent.is_empty() {
            return Err(Errno::SHUTDOWN);
        }
        Ok(())
    }

    fn send(&self, bytes: &[u8]) -> rustix::io::Result<usize> {
        match send(&self.socket, bytes, SendFlags::NOSIGNAL) {
            Err(Errno::AGAIN) => Ok(0),
            sent => sent,
        }
    }

    fn wait_for(&self, poll: &OwnedFd, what: EventFlags) -> rustix::io::Result<()> {
        let number = EventData::new_u64(self.socket.as_raw_fd() as u64);
        epoll::modify(poll, self.socket.as_fd(), number, what)
    }
}

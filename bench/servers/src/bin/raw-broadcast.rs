//! The floor of a broadcast: each message becomes one frame, which is written to every descriptor.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send, sockopt};
use servers::{Echo, Options, RESERVE, space};

const LISTENER: u64 = u64::MAX;

struct Client {
    socket: OwnedFd,
    echo: Echo,
    /// Its message as far as it has come, as a frame of the server's.
    frame: Vec<u8>,
}

fn main() -> io::Result<()> {
    let listener = Options::parse().plain().listen()?;
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    add(&poll, &listener, LISTENER)?;
    let mut clients: Vec<Option<Client>> = Vec::new();
    let mut events = Vec::with_capacity(256);
    let mut buffer = space();
    loop {
        events.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in &events {
            let number = event.data.u64();
            if number == LISTENER {
                accept(&poll, &listener, &mut clients)?;
            } else if let Some(frame) = receive(&mut clients[number as usize], &mut buffer) {
                send_to_all(&mut clients, &frame);
            }
        }
    }
}

fn add(poll: &OwnedFd, socket: impl std::os::fd::AsFd, number: u64) -> io::Result<()> {
    Ok(epoll::add(
        poll,
        socket,
        EventData::new_u64(number),
        EventFlags::IN,
    )?)
}

/// Accepts all that wait; each is found by its descriptor.
fn accept(
    poll: &OwnedFd,
    listener: &TcpListener,
    clients: &mut Vec<Option<Client>>,
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
        add(poll, &socket, number as u64)?;
        if clients.len() <= number {
            clients.resize_with(number + 1, || None);
        }
        clients[number] = Some(Client {
            socket,
            echo: Echo::default(),
            frame: Vec::new(),
        });
    }
}

/// Reads once: the frame of a message that is whole now. Whoever has gone is no client any more.
fn receive(place: &mut Option<Client>, buffer: &mut [u8]) -> Option<Vec<u8>> {
    let client = place.as_mut()?;
    let size = match recv(&client.socket, &mut buffer[RESERVE..], RecvFlags::empty()) {
        Err(Errno::AGAIN | Errno::INTR) => return None,
        Ok((_, size)) if size > 0 => size,
        _ => {
            *place = None;
            return None;
        }
    };
    let is_request = !client.echo.is_open();
    let range = client.echo.turn(buffer, size);
    if is_request {
        let _ = send(&client.socket, &buffer[range], SendFlags::NOSIGNAL);
        return None;
    }
    client.frame.extend_from_slice(&buffer[range]);
    let is_whole = client.echo.is_between_frames();
    is_whole.then(|| std::mem::take(&mut client.frame))
}

/// Whoever does not take all of it at once has to go.
fn send_to_all(clients: &mut [Option<Client>], frame: &[u8]) {
    for place in clients {
        if let Some(client) = place
            && client.echo.is_open()
            && send(&client.socket, frame, SendFlags::NOSIGNAL) != Ok(frame.len())
        {
            *place = None;
        }
    }
}

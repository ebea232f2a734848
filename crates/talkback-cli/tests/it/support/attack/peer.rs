//! A peer that sends what it likes, byte by byte.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::LIMIT;

/// A request with nothing to object to; its key is that of the example in RFC 6455 §1.3.
pub(crate) const REQUEST: &str = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The line that offers compression, and the beginning of the one that agrees to it.
pub(crate) const COMPRESSION: &str = "Sec-WebSocket-Extensions: permessage-deflate";

/// A head with another line, before its empty line.
pub(crate) fn with_line(head: &str, line: &str) -> String {
    format!("{}{line}\r\n\r\n", head.strip_suffix("\r\n").unwrap())
}

/// A client that knows no rule.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
}

impl Peer {
    /// Connects, and says nothing.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::on(TcpStream::connect(address).unwrap())
    }

    /// On a stream that stands.
    pub(crate) fn on(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        Self { stream }
    }

    /// Opens a WebSocket.
    pub(crate) fn open(address: SocketAddr) -> Self {
        let mut peer = Self::connect(address);
        peer.send(REQUEST.as_bytes());
        let head = peer.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        peer
    }

    /// Opens a WebSocket with compression.
    pub(crate) fn open_compressed(address: SocketAddr) -> Self {
        let mut peer = Self::connect(address);
        peer.send(with_line(REQUEST, COMPRESSION).as_bytes());
        let head = peer.head();
        assert!(head.contains(COMPRESSION), "{head}");
        peer
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends as far as the other end takes it; whether it took all.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends each byte in a write of its own; how many were taken.
    pub(crate) fn drip(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.iter().take_while(|byte| self.try_send(&[**byte]));
        taken.count()
    }

    /// Reads a head with its empty line.
    pub(crate) fn head(&mut self) -> String {
        read_head(&mut self.stream)
    }

    /// Reads exactly so many bytes.
    pub(crate) fn take(&mut self, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Reads to the end, be it a reset.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Err(error) = self.stream.read_to_end(&mut bytes) {
            let is_end =
                [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&error.kind());
            assert!(is_end, "{error}");
        }
        bytes
    }

    /// Ends this direction, and reads to the end of the other.
    #[track_caller]
    pub(crate) fn end(mut self) -> Vec<u8> {
        let _ = self.stream.shutdown(Shutdown::Write);
        self.rest()
    }

    /// The status of the answer to this request, after which the connection ends.
    pub(crate) fn status(address: SocketAddr, request: &[u8]) -> u16 {
        let mut peer = Self::connect(address);
        // It may be refused before it is complete.
        let _ = peer.try_send(request);
        let head = peer.head();
        head.get(9..12).map_or(0, |code| code.parse().unwrap())
    }
}

/// A server that knows no rule.
pub(crate) struct Attacker {
    listener: TcpListener,
    pub(crate) url: String,
}

impl Attacker {
    pub(crate) fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        Self { listener, url }
    }

    /// The next client, of which nothing is read.
    pub(crate) fn accept(&self) -> Peer {
        let begin = Instant::now();
        loop {
            if let Ok((stream, _)) = self.listener.accept() {
                stream.set_nonblocking(false).unwrap();
                return Peer::on(stream);
            }
            assert!(begin.elapsed() < LIMIT, "nobody comes");
            thread::sleep(Duration::from_micros(200));
        }
    }

    /// The next client, and its request.
    pub(crate) fn asked(&self) -> (Peer, String) {
        let mut peer = self.accept();
        let request = peer.head();
        (peer, request)
    }

    /// The next client, with an open WebSocket.
    pub(crate) fn open(&self) -> Peer {
        let (mut peer, request) = self.asked();
        peer.send(accept_head(&request).as_bytes());
        peer
    }

    /// The next client, with an open WebSocket that has compression.
    pub(crate) fn open_compressed(&self) -> Peer {
        let (mut peer, request) = self.asked();
        assert!(request.contains(COMPRESSION), "{request}");
        peer.send(with_line(&accept_head(&request), COMPRESSION).as_bytes());
        peer
    }

    /// Holds that nobody waits to be accepted.
    #[track_caller]
    pub(crate) fn assert_nobody_came(&self) {
        let accepted = self.listener.accept();
        assert_eq!(accepted.unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}

/// Reads a head with its empty line, or what came of it before the end.
pub(crate) fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|size| size > 0) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// The head that opens a WebSocket, for this request.
pub(crate) fn accept_head(request: &str) -> String {
    let mut lines = request.lines();
    let key = lines.find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = talkback::accept_key(key.unwrap_or_default());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// The header of a client's frame that declares so many bytes, with the key that masks nothing.
pub(crate) fn header(first: u8, size: u64) -> Vec<u8> {
    let mut bytes = plain_header(first, size);
    bytes[1] |= 0x80;
    bytes.extend_from_slice(&[0; 4]);
    bytes
}

/// A client's frame.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [&header(first, payload.len() as u64), payload].concat()
}

/// A server's frame.
pub(crate) fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    [&plain_header(first, payload.len() as u64), payload].concat()
}

/// The header of a server's frame that declares so many bytes, in the shortest form (RFC 6455 §5.2).
pub(crate) fn plain_header(first: u8, size: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match (u8::try_from(size), u16::try_from(size)) {
        (Ok(size @ 0..=125), _) => bytes.push(size),
        (_, Ok(size)) => {
            bytes.push(126);
            bytes.extend_from_slice(&size.to_be_bytes());
        }
        _ => {
            bytes.push(127);
            bytes.extend_from_slice(&size.to_be_bytes());
        }
    }
    bytes
}

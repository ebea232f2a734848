//! linux: an address that swallows packets.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// A listener whose queue of connections is full: it swallows the next one's SYN.
pub(crate) struct FullQueue {
    pub(crate) address: SocketAddr,
    _listener: TcpListener,
    _streams: Vec<TcpStream>,
}

impl FullQueue {
    pub(crate) fn new() -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap().into_std().unwrap();
        let address = listener.local_addr().unwrap();
        let wait = Duration::from_millis(200);
        let mut streams = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, wait) {
            streams.push(stream);
            assert!(streams.len() < 64, "the queue does not fill");
        }
        Self {
            address,
            _listener: listener,
            _streams: streams,
        }
    }
}

//! Connecting, and the opening handshake.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::net::sockopt::set_socket_linger;

/// The key and its answer in RFC 6455, §1.3: a server is not to know that it is always the same.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub(crate) fn request(address: SocketAddr, offer: Option<&str>) -> String {
    let offer = offer.map_or_else(String::new, |offer| {
        format!("Sec-WebSocket-Extensions: {offer}\r\n")
    });
    format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n"
    )
}

pub(crate) fn dial(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).context("connecting")?;
    stream.set_nodelay(true)?;
    // It ends by a reset, which leaves no port waiting.
    set_socket_linger(&stream, Some(Duration::ZERO))?;
    Ok(stream)
}

/// Connects, and returns the connection with the extension that the server took.
pub(crate) fn connect(address: SocketAddr, offer: Option<&str>) -> Result<(TcpStream, String)> {
    let mut stream = dial(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(request(address, offer).as_bytes())?;
    let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
    while !head.ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut buffer).context("the opening handshake")?;
        if read == 0 {
            bail!("the server ended instead of answering");
        }
        head.extend_from_slice(&buffer[..read]);
    }
    let extensions = extensions(&head)?;
    Ok((stream, extensions))
}

/// The extensions that a server's answer takes; an error unless it is the right one.
pub(crate) fn extensions(head: &[u8]) -> Result<String> {
    let head = std::str::from_utf8(head).context("the server's answer")?;
    if !head.starts_with("HTTP/1.1 101 ") || !head.contains(ACCEPT) {
        bail!("the server refused: {head}");
    }
    let is_it = |line: &&str| {
        let name = line.split(':').next().unwrap_or("");
        name.eq_ignore_ascii_case("sec-websocket-extensions")
    };
    let line = head.lines().find(is_it).unwrap_or("");
    Ok(line
        .split_once(':')
        .map_or("", |(_, value)| value.trim())
        .to_owned())
}

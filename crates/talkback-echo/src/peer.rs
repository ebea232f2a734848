//! A client's address in the log.

use std::fmt;
use std::net::SocketAddr;

/// Shows an address as it shows itself. Two lines of the log have it for each client, and the standard
/// library takes an address of IPv4 through the formatter number by number.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SocketAddr::V4(address) = self.0 else {
            return self.0.fmt(f);
        };
        let mut text = Text {
            bytes: *b"255.255.255.255:65535",
            start: 21,
        };
        text.put_number(address.port());
        let mut divider = b':';
        for octet in address.ip().octets().into_iter().rev() {
            text.put(divider);
            text.put_number(octet.into());
            divider = b'.';
        }
        let text = &text.bytes[text.start..];
        f.write_str(std::str::from_utf8(text).map_err(|_| fmt::Error)?)
    }
}

/// A text that is written from its end on.
struct Text {
    bytes: [u8; 21],
    start: usize,
}

impl Text {
    fn put(&mut self, byte: u8) {
        self.start -= 1;
        self.bytes[self.start] = byte;
    }

    fn put_number(&mut self, mut number: u16) {
        loop {
            self.put(b'0' + (number % 10) as u8);
            number /= 10;
            if number == 0 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_as_it_shows_itself() {
        for text in [
            "0.0.0.0:0",
            "127.0.0.1:9001",
            "192.168.100.7:80",
            "255.255.255.255:65535",
            "[::1]:9001",
            "[fe80::1%3]:65535",
        ] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(Peer(address).to_string(), text);
        }
    }
}

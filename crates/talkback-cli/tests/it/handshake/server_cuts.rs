//! S21, V17 and V54: a request to `talkback echo` in any pieces, and one that ends anywhere.

use std::net::Shutdown;
use std::time::Duration;

use crate::support::raw_client::{dial, echoed, exchange, frames, opens, request, response, same};
use crate::support::wire::{End, in_parallel, read_to_end, reset, write};
use crate::support::{Running, echo};

/// A right request with frames behind it, and how many of these bytes are the request.
fn right() -> (Vec<u8>, usize) {
    let request = request(&[], &[]);
    let size = request.len();
    ([request.as_bytes(), &frames()].concat(), size)
}

fn answered() -> Vec<u8> {
    [response(&[]).as_bytes(), &echoed()].concat()
}

#[track_caller]
fn is_well(server: &Running, url: &str) {
    opens(url, &request(&[], &[]), &[]);
    let log = server.stderr();
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn s21_a_request_cut_at_any_byte_passes_and_loses_nothing() {
    let (server, url) = echo(&[]);
    let (bytes, _) = right();
    in_parallel(bytes.len(), |split| {
        let mut stream = dial(&url);
        let (first, second) = bytes.split_at(split);
        write(&mut stream, first);
        // So that the server reads the piece before; nothing depends on it.
        std::thread::sleep(Duration::from_micros(200));
        write(&mut stream, second);
        let what = format!("split at {split}");
        same(&read_to_end(&mut stream), &answered(), &what);
    });
    is_well(&server, &url);
}

#[test]
fn s21_a_request_in_writes_of_one_byte_passes_and_loses_nothing() {
    let (server, url) = echo(&[]);
    let mut stream = dial(&url);
    for byte in right().0 {
        write(&mut stream, &[byte]);
        std::thread::sleep(Duration::from_micros(200));
    }
    same(&read_to_end(&mut stream), &answered(), "one byte a write");
    is_well(&server, &url);
}

#[test]
fn v54_a_request_that_ends_at_any_byte_is_never_open_nor_a_message() {
    let (server, url) = echo(&[]);
    let (bytes, head_size) = right();
    let message_end = head_size + 6 + "Hello!".len();
    let message_echo = echoed().len() - 4;
    in_parallel(bytes.len() + 1, |cut| {
        let came = exchange(&url, &bytes[..cut], Some(Shutdown::Write));
        let all = answered();
        let size = match cut {
            _ if cut < head_size => 0,
            _ if cut < message_end => response(&[]).len(),
            _ if cut < bytes.len() => response(&[]).len() + message_echo,
            _ => all.len(),
        };
        same(&came, &all[..size], &format!("ended after {cut} bytes"));
    });
    is_well(&server, &url);
}

#[test]
fn v54_a_request_that_is_reset_at_any_byte_leaves_the_server_well() {
    let (server, url) = echo(&[]);
    let (bytes, _) = right();
    in_parallel(bytes.len() + 1, |cut| {
        let mut stream = dial(&url);
        write(&mut stream, &bytes[..cut]);
        reset(stream);
    });
    is_well(&server, &url);
}

#[test]
fn v54_each_end_of_a_request_is_logged_as_one() {
    let (server, url) = echo(&[]);
    let (bytes, head_size) = right();
    let cuts = [(0, End::Fin), (head_size - 1, End::Fin), (20, End::Reset)];
    for (cut, end) in cuts {
        let mut stream = dial(&url);
        write(&mut stream, &bytes[..cut]);
        match end {
            End::Fin => drop(stream),
            End::Reset => reset(stream),
        }
    }
    server.until("each is logged", |server| {
        let log = server.stderr();
        log.matches("lost during the opening handshake").count() == cuts.len()
    });
}

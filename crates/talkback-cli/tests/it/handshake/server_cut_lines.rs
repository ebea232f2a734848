//! S1 to S23 once more, with the request cut at every byte and in 1-byte writes: what `talkback echo`
//! answers is the same, byte for byte. What it answers is held by the tests of the same names.

use std::time::Duration;

use crate::support::echo;
use crate::support::raw_client::{answer, dial, frames, request, same};
use crate::support::server::{echo_all, echo_of_the_library, server};
use crate::support::wire::{SAMPLE_KEY, in_parallel, read_to_end, write};

/// So that the server reads the piece before; nothing depends on it.
const PAUSE: Duration = Duration::from_micros(200);

/// What a server answers to these pieces, each in a write of its own.
fn answer_to<'a>(url: &str, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut stream = dial(url);
    for piece in pieces {
        write(&mut stream, piece);
        std::thread::sleep(PAUSE);
    }
    read_to_end(&mut stream)
}

/// Holds that the answer to this request, with frames behind it, has this status however it is cut.
#[track_caller]
fn is_same_at(url: &str, request: &str, status: u16) {
    let whole = answer(url, request);
    let head = format!("HTTP/1.1 {status} ");
    assert!(whole.starts_with(head.as_bytes()), "{whole:?}");
    let bytes = [request.as_bytes(), &frames()].concat();
    in_parallel(bytes.len() - 1, |index| {
        let (first, second) = bytes.split_at(1 + index);
        let what = format!("{request:?} split at {}", first.len());
        same(&answer_to(url, [first, second]), &whole, &what);
    });
    let came = answer_to(url, bytes.chunks(1));
    same(&came, &whole, &format!("{request:?}, one byte a write"));
}

/// As [`is_same_at`], for `talkback echo` with these arguments.
#[track_caller]
fn is_same(arguments: &[&str], request: &str, status: u16) {
    let (server, url) = echo(arguments);
    is_same_at(&url, request, status);
    let log = server.stderr();
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn s01_another_method_in_pieces() {
    is_same(&[], &request(&[], &[]).replace("GET", "POST"), 405);
}

#[test]
fn s02_another_version_of_http_in_pieces() {
    is_same(&[], &request(&[], &[]).replace("HTTP/1.1", "HTTP/1.0"), 505);
}

#[test]
fn s03_a_host_missing_or_twice_in_pieces() {
    is_same(&[], &request(&["Host"], &[]), 400);
    is_same(&[], &request(&[], &["Host: other.example"]), 400);
}

#[test]
fn s04_another_upgrade_or_none_in_pieces() {
    is_same(&[], &request(&["Upgrade"], &[]), 426);
    is_same(&[], &request(&["Upgrade"], &["Upgrade: h2c"]), 426);
}

#[test]
fn s05_a_connection_without_or_with_the_token_in_pieces() {
    let lines = ["Connection: keep-alive"];
    is_same(&[], &request(&["Connection"], &lines), 400);
    let lines = ["Connection: keep-alive, Upgrade"];
    is_same(&[], &request(&["Connection"], &lines), 101);
}

#[test]
fn s06_a_key_missing_in_pieces() {
    is_same(&[], &request(&["Sec-WebSocket-Key"], &[]), 400);
}

#[test]
fn s07_a_key_of_another_size_in_pieces() {
    let line = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=";
    is_same(&[], &request(&["Sec-WebSocket-Key"], &[line]), 400);
}

#[test]
fn s08_a_key_twice_in_pieces() {
    let line = format!("Sec-WebSocket-Key: {SAMPLE_KEY}");
    is_same(&[], &request(&[], &[&line]), 400);
}

#[test]
fn s09_a_version_missing_in_pieces() {
    is_same(&[], &request(&["Sec-WebSocket-Version"], &[]), 400);
}

#[test]
fn s10_a_version_other_than_13_in_pieces() {
    let line = "Sec-WebSocket-Version: 8";
    is_same(&[], &request(&["Sec-WebSocket-Version"], &[line]), 426);
}

#[test]
fn s11_a_version_twice_in_pieces() {
    is_same(&[], &request(&[], &["Sec-WebSocket-Version: 13"]), 400);
    let list = ["Sec-WebSocket-Version: 13, 8"];
    is_same(&[], &request(&["Sec-WebSocket-Version"], &list), 426);
}

#[test]
fn s12_lines_against_the_grammar_in_pieces() {
    is_same(&[], &request(&[], &[]).replace("GET ", "GET  "), 400);
    for line in [
        "X-Space : a",
        "X-Fold: a\r\n b",
        "X-Nul: a\0b",
        "X-Lf: a\nb",
    ] {
        is_same(&[], &request(&[], &[line]), 400);
    }
}

#[test]
fn s13_a_foreign_origin_and_the_same_in_pieces() {
    let arguments = ["--origin", "http://localhost:8080"];
    let foreign = request(&[], &["Origin: http://evil.example"]);
    is_same(&arguments, &foreign, 403);
    let default = echo_of_the_library();
    is_same_at(&default, &foreign, 403);
    let same = request(&[], &["Origin: http://server.example.com"]);
    is_same_at(&default, &same, 101);
}

/// `talkback echo` has a WebSocket at every path.
#[test]
fn s14_an_unknown_resource_in_pieces() {
    let url = server(|stream| async {
        let accepting =
            talkback::accept(stream).check(async |_| Err::<(), _>(talkback::Refusal::not_found()));
        if let Ok(socket) = accepting.await {
            echo_all(socket).await;
        }
    });
    is_same_at(&url, &request(&[], &[]), 404);
}

/// The accept value, the headers of the 101, and the frames behind the request.
#[test]
fn s15_s20_s21_a_right_request_in_pieces() {
    is_same(&[], &request(&[], &[]), 101);
}

#[test]
fn s16_s17_subprotocols_over_several_lines_in_pieces() {
    let arguments = ["--subprotocol", "chat", "--subprotocol", "superchat"];
    let lines = [
        "Sec-WebSocket-Protocol: mqtt",
        "Sec-WebSocket-Protocol: superchat, chat",
    ];
    is_same(&arguments, &request(&[], &lines), 101);
    is_same(&arguments, &request(&[], &[lines[1], lines[1]]), 400);
}

#[test]
fn s18_s19_extensions_over_several_lines_in_pieces() {
    let lines = [
        "Sec-WebSocket-Extensions: foo; a",
        "Sec-WebSocket-Extensions: permessage-deflate, bar",
        "Sec-WebSocket-Extensions: foo; a=",
    ];
    is_same(&[], &request(&[], &lines[..2]), 101);
    is_same(&[], &request(&[], &lines), 400);
}

#[test]
fn s22_s23_a_body_and_what_follows_in_pieces() {
    for lines in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        let request = request(&[], &[lines]) + "Hello";
        is_same(&[], &request, 400);
    }
}

//! Raw requests to `talkback echo`.

use std::net::{Shutdown, TcpStream};

use super::wire::{CLOSE, NORMAL, SAMPLE_ACCEPT, SAMPLE_KEY, TEXT};
use super::wire::{masked, plain, prepare, read_to_end, write};

/// A right request, without these headers and with these lines more.
pub(crate) fn request(without: &[&str], with: &[&str]) -> String {
    let key = format!("Sec-WebSocket-Key: {SAMPLE_KEY}");
    let right = [
        "Host: server.example.com",
        "Upgrade: websocket",
        "Connection: Upgrade",
        &key,
        "Sec-WebSocket-Version: 13",
    ];
    let is_kept = |line: &&str| !without.contains(&line.split(':').next().unwrap());
    let lines = right
        .into_iter()
        .filter(is_kept)
        .chain(with.iter().copied());
    let lines: String = lines.map(|line| format!("{line}\r\n")).collect();
    format!("GET /chat HTTP/1.1\r\n{lines}\r\n")
}

/// The 101 for it, with these lines more.
pub(crate) fn response(with: &[&str]) -> String {
    let lines: String = with.iter().map(|line| format!("{line}\r\n")).collect();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {SAMPLE_ACCEPT}\r\n{lines}\r\n"
    )
}

/// A refusal, byte for byte; the lines come first.
pub(crate) fn refusal(status: &str, with: &[&str], reason: &str) -> String {
    let connection = match with.iter().any(|line| line.starts_with("Connection: ")) {
        true => "",
        false => "Connection: close\r\n",
    };
    let lines: String = with.iter().map(|line| format!("{line}\r\n")).collect();
    let size = reason.len() + 1;
    format!(
        "HTTP/1.1 {status}\r\n{lines}Content-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {size}\r\n{connection}\r\n{reason}\n"
    )
}

pub(crate) fn bad_request(reason: &str) -> String {
    refusal("400 Bad Request", &[], reason)
}

/// The lines of a 426.
pub(crate) const UPGRADE_REQUIRED: [&str; 3] = [
    "Sec-WebSocket-Version: 13",
    "Upgrade: websocket",
    "Connection: Upgrade, close",
];

/// What a client sends right behind its request: a message and a close frame.
pub(crate) fn frames() -> Vec<u8> {
    [masked(TEXT, b"Hello!"), masked(CLOSE, &NORMAL)].concat()
}

/// What the server answers to them.
pub(crate) fn echoed() -> Vec<u8> {
    [plain(TEXT, b"Hello!"), plain(CLOSE, &NORMAL)].concat()
}

/// A connection to a server at a `ws://` URL.
pub(crate) fn dial(url: &str) -> TcpStream {
    let host = url.trim_start_matches("ws://").trim_end_matches('/');
    let stream = TcpStream::connect(host).unwrap();
    prepare(&stream);
    stream
}

/// Sends these bytes, ends this side if asked to, and reads until the server ends.
pub(crate) fn exchange(url: &str, bytes: &[u8], shutdown: Option<Shutdown>) -> Vec<u8> {
    let mut stream = dial(url);
    write(&mut stream, bytes);
    if let Some(shutdown) = shutdown {
        // A server that has seen enough may have gone.
        let _ = stream.shutdown(shutdown);
    }
    read_to_end(&mut stream)
}

/// All that the server answers to a request with frames right behind it.
pub(crate) fn answer(url: &str, request: &str) -> Vec<u8> {
    exchange(url, &[request.as_bytes(), &frames()].concat(), None)
}

/// The server opens and echoes.
#[track_caller]
pub(crate) fn opens(url: &str, request: &str, lines: &[&str]) {
    let expected = [response(lines).as_bytes(), &echoed()].concat();
    same(&answer(url, request), &expected, request);
}

/// The server refuses with exactly these bytes, and reads nothing behind the request as frames
/// (S23).
#[track_caller]
pub(crate) fn refuses(url: &str, request: &str, refusal: &str) {
    same(&answer(url, request), refusal.as_bytes(), request);
}

/// Compares bytes in a form that can be read.
#[track_caller]
pub(crate) fn same(actual: &[u8], expected: &[u8], what: &str) {
    assert!(
        actual == expected,
        "to {what:?}\n     came {:?}\n expected {:?}",
        actual.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
}

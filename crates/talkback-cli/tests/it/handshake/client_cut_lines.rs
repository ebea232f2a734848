//! C18 to C27 and C29 once more, with the response cut at every byte and in 1-byte writes: what
//! `talkback connect` makes of it is the same. C28 holds that for the right response; what C1 to C16
//! hold is what the client sends.

use crate::support::scripted::{
    Played, ScriptedResponse, assert_failed, assert_passed, frames, play_with, response,
};
use crate::support::wire::{SAMPLE_ACCEPT, in_parallel};

/// The response with the accept value put in, or that value in another case.
fn filled(head: &str, accept: &str) -> String {
    head.replace("{accept}", accept)
        .replace("{accept in lower case}", &accept.to_ascii_lowercase())
        .replace("{ACCEPT IN UPPER CASE}", &accept.to_ascii_uppercase())
}

/// What a client makes of this response, with frames behind it, written in pieces.
fn played(arguments: &[&str], head: &str, splits: Vec<usize>) -> Played {
    play_with(arguments, |accept| {
        let head = filled(head, accept);
        ScriptedResponse {
            splits,
            ..ScriptedResponse::whole([head.as_bytes(), &frames()].concat())
        }
    })
}

/// Holds this for every way to cut the response.
fn in_pieces(arguments: &[&str], head: &str, holds: impl Fn(&Played, &str) + Sync) {
    let size = filled(head, SAMPLE_ACCEPT).len();
    in_parallel(size, |index| {
        let split = 1 + index;
        let what = format!("{head:?} split at {split}");
        holds(&played(arguments, head, vec![split]), &what);
    });
    let single = played(arguments, head, (1..size).collect());
    holds(&single, &format!("{head:?}, one byte a write"));
}

/// The client fails by the response as it does if the response comes whole.
#[track_caller]
fn fails(arguments: &[&str], head: &str, words: &[&str]) {
    let told = |played: &Played| played.finished.stderr.replace(&played.url, "URL");
    let whole = told(&played(arguments, head, Vec::new()));
    in_pieces(arguments, head, |played, what| {
        assert_failed(played, what, words);
        assert_eq!(told(played), whole, "{what}");
    });
}

#[test]
fn c18_another_status_in_pieces() {
    let lines = ["X-Why: because", "Content-Length: 7"];
    let right = response(&[], &lines);
    let head = right.replace("101 Switching Protocols", "404 Not Found");
    fails(
        &[],
        &format!("{head}go away, and more"),
        &["404", "go away"],
    );
    for status in [
        "200 OK",
        "204 No Content",
        "302 Found",
        "401 Unauthorized",
        "426 Upgrade Required",
    ] {
        let head = right.replace("101 Switching Protocols", status);
        fails(&[], &format!("{head}go away"), &[status]);
    }
    let chunked = response(&[], &["Transfer-Encoding: chunked"]);
    let head = chunked.replace("101 Switching Protocols", "403 Forbidden");
    let body = "3\r\ngo \r\n4\r\naway\r\n0\r\n\r\n";
    fails(&[], &format!("{head}{body}"), &["403", "go away"]);
}

#[test]
fn c18_an_interim_response_in_pieces() {
    let right = response(&[], &[]);
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n";
    in_pieces(&[], &format!("{interim}{right}"), assert_passed);
}

#[test]
fn c19_another_upgrade_or_none_in_pieces() {
    fails(&[], &response(&["Upgrade"], &[]), &["Upgrade"]);
    fails(
        &[],
        &response(&["Upgrade"], &["Upgrade: h2c"]),
        &["Upgrade"],
    );
}

#[test]
fn c20_a_connection_without_or_with_the_token_in_pieces() {
    let without = response(&["Connection"], &["Connection: keep-alive"]);
    fails(&[], &without, &["Connection"]);
    let with = response(&["Connection"], &["Connection: keep-alive, Upgrade"]);
    in_pieces(&[], &with, assert_passed);
}

#[test]
fn c21_an_accept_that_does_not_answer_the_key_in_pieces() {
    for value in [
        SAMPLE_ACCEPT,
        "{accept in lower case}",
        "{ACCEPT IN UPPER CASE}",
    ] {
        let line = format!("Sec-WebSocket-Accept: {value}");
        let head = response(&["Sec-WebSocket-Accept"], &[&line]);
        fails(&[], &head, &["does not answer the key"]);
    }
    let missing = response(&["Sec-WebSocket-Accept"], &[]);
    fails(&[], &missing, &["does not answer the key"]);
    let spaced = ["Sec-WebSocket-Accept: \t {accept} \t "];
    let head = response(&["Sec-WebSocket-Accept"], &spaced);
    in_pieces(&[], &head, assert_passed);
}

#[test]
fn c22_an_extension_not_offered_in_pieces() {
    let head = response(&[], &["Sec-WebSocket-Extensions: x-foo; a=b"]);
    fails(&[], &head, &["extension", "not offered"]);
}

#[test]
fn c23_a_malformed_extension_list_in_pieces() {
    let head = response(&[], &["Sec-WebSocket-Extensions: permessage-deflate;"]);
    fails(&[], &head, &["Sec-WebSocket-Extensions", "malformed"]);
}

#[test]
fn c24_a_subprotocol_not_offered_in_pieces() {
    let head = response(&[], &["Sec-WebSocket-Protocol: chat2"]);
    fails(
        &["--subprotocol", "chat"],
        &head,
        &["5 bytes", "not offered"],
    );
    fails(&[], &head, &["5 bytes", "not offered"]);
}

#[test]
fn c25_accept_twice_in_pieces() {
    let head = response(&[], &["Sec-WebSocket-Accept: {accept}"]);
    fails(&[], &head, &["Sec-WebSocket-Accept", "more than once"]);
}

#[test]
fn c26_protocol_or_extensions_twice_in_pieces() {
    let line = "Sec-WebSocket-Extensions: permessage-deflate";
    let words = ["Sec-WebSocket-Extensions", "more than once"];
    fails(&[], &response(&[], &[line, line]), &words);
    let line = "Sec-WebSocket-Protocol: chat";
    let head = response(&[], &[line, line]);
    let words = ["Sec-WebSocket-Protocol", "more than once"];
    fails(&["--subprotocol", "chat"], &head, &words);
}

#[test]
fn c27_http_1_0_and_a_garbage_status_line_in_pieces() {
    let right = response(&[], &[]);
    let old = right.replace("HTTP/1.1", "HTTP/1.0");
    fails(&[], &old, &["speak HTTP/1.1"]);
    let garbage = right.replace(" 101 ", " 1o1 ");
    fails(&[], &garbage, &["status line"]);
}

#[test]
fn c29_lines_against_their_grammar_in_pieces() {
    let spaced = response(&[], &["X-Space : a"]);
    fails(&[], &spaced, &["header line"]);
    let beyond = response(&["Upgrade"], &["Upgrade: websocket\u{e9}"]);
    fails(&[], &beyond, &["Upgrade"]);
}

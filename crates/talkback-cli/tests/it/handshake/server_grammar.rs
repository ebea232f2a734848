//! S12 and S15 to S21: the grammar of a request to `talkback echo`, and what its 101 says.

use crate::support::echo;
use crate::support::raw_client::{
    answer, bad_request, echoed, opens, refuses, request, response, same,
};
use crate::support::wire::SAMPLE_ACCEPT;

const LINE_END: &str =
    "a line of the HTTP message does not end with CR LF, the only line end of HTTP";
const CONTROL: &str =
    "the head of the HTTP message contains a control character, which HTTP forbids";
const REQUEST_LINE: &str = "the request line is not of the form: GET /path HTTP/1.1";
const NOT_HTTP: &str = "the first line is not a request of HTTP: connect with a WebSocket client";
const HEADER: &str =
    "a header line is not of the form `Name: value` (no space before the colon, no folded lines)";
const NO_PATH: &str = "the request target is not a path: send the URL's path and query";

#[test]
fn s12_refuses_request_lines_against_the_grammar() {
    let (_server, url) = echo(&[]);
    for (line, reason) in [
        ("GET  /chat HTTP/1.1", REQUEST_LINE),
        ("GET /chat  HTTP/1.1", REQUEST_LINE),
        ("GET /chat HTTP/1.1 ", REQUEST_LINE),
        ("GET /chat HTTP/1.1 x", REQUEST_LINE),
        ("GET\t/chat HTTP/1.1", REQUEST_LINE),
        ("G(T /chat HTTP/1.1", REQUEST_LINE),
        ("GET /chat HTTP/11", REQUEST_LINE),
        ("GET /chat HTTP/1.1.1", REQUEST_LINE),
        ("GET /chat#fragment HTTP/1.1", REQUEST_LINE),
        ("GET /ch\u{e9}t HTTP/1.1", REQUEST_LINE),
        ("/chat HTTP/1.1", NOT_HTTP),
        ("GET chat HTTP/1.1", NO_PATH),
        ("GET * HTTP/1.1", NO_PATH),
        ("GET server.example.com:80 HTTP/1.1", NO_PATH),
        ("GET /chat", NOT_HTTP),
        (" GET /chat HTTP/1.1", NOT_HTTP),
        ("GET /ch\0t HTTP/1.1", CONTROL),
        ("GET /chat\u{7f} HTTP/1.1", CONTROL),
        ("GET /chat\rHTTP/1.1", LINE_END),
        ("GET /chat\nHTTP/1.1", LINE_END),
    ] {
        let request = request(&[], &[]).replace("GET /chat HTTP/1.1", line);
        refuses(&url, &request, &bad_request(reason));
    }
    for target in ["http://server.example.com/chat", "/", "/?a=b", "//chat"] {
        let request = request(&[], &[]).replace("/chat", target);
        opens(&url, &request, &[]);
    }
}

#[test]
fn s12_refuses_header_lines_against_the_grammar() {
    let (_server, url) = echo(&[]);
    for (line, reason) in [
        ("X-Space : a", HEADER),
        ("X-Tab\t: a", HEADER),
        (" X-Fold: a", HEADER),
        ("X-Fold: a\r\n b", HEADER),
        ("X-Fold: a\r\n\tb", HEADER),
        (": a", HEADER),
        ("X-NoColon", HEADER),
        ("X Space: a", HEADER),
        ("X-Nam\u{e9}: a", HEADER),
        ("\"X-Quoted\": a", HEADER),
        ("X-Nul: a\0b", CONTROL),
        ("X-\0Nul: a", CONTROL),
        ("X-Control: a\u{1}b", CONTROL),
        ("X-Delete: a\u{7f}b", CONTROL),
        ("X-Cr: a\rb", LINE_END),
        ("X-Lf: a\nX-Smuggled: b", LINE_END),
    ] {
        refuses(&url, &request(&[], &[line]), &bad_request(reason));
        let first = request(&[], &[]).replace("Host: ", &format!("{line}\r\nHost: "));
        refuses(&url, &first, &bad_request(reason));
    }
    for line in [
        "X-Empty:",
        "X-Tab: a\tb",
        "X-Obs-Text: \u{e9}",
        "!#$%&'*+-.^_`|~: a",
        "X-Colon: a:b",
    ] {
        opens(&url, &request(&[], &[line]), &[]);
    }
    let bare = request(&[], &[]).replace("\r\n", "\n");
    refuses(&url, &bare, &bad_request(LINE_END));
}

#[test]
fn s15_gives_the_accept_value_of_the_rfcs_example() {
    let (_server, url) = echo(&[]);
    let answer = answer(&url, &request(&[], &[]));
    let line = format!("\r\nSec-WebSocket-Accept: {SAMPLE_ACCEPT}\r\n");
    assert!(String::from_utf8_lossy(&answer).contains(&line));
}

#[test]
fn s16_chooses_one_of_the_clients_subprotocols_or_none() {
    let (_server, url) = echo(&["--subprotocol", "chat", "--subprotocol", "superchat"]);
    for (offer, chosen) in [
        ("chat", "chat"),
        ("chat, superchat", "chat"),
        ("superchat,chat", "superchat"),
        ("mqtt, superchat", "superchat"),
        ("Chat, superchat", "superchat"),
    ] {
        let line = format!("Sec-WebSocket-Protocol: {offer}");
        let chosen = format!("Sec-WebSocket-Protocol: {chosen}");
        opens(&url, &request(&[], &[&line]), &[&chosen]);
    }
    for offer in ["mqtt", "Chat", "chat2"] {
        let line = format!("Sec-WebSocket-Protocol: {offer}");
        opens(&url, &request(&[], &[&line]), &[]);
    }
    opens(&url, &request(&[], &[]), &[]);
    let malformed = "the Sec-WebSocket-Protocol header is not a list of unique tokens: divide names by commas, and leave the header out where there are none";
    for offer in ["", ",", "chat chat", "\"chat\"", "chat, chat", "ch\u{e4}t"] {
        let line = format!("Sec-WebSocket-Protocol: {offer}");
        refuses(&url, &request(&[], &[&line]), &bad_request(malformed));
    }
}

#[test]
fn s17_joins_a_subprotocol_list_over_several_lines() {
    let (_server, url) = echo(&["--subprotocol", "chat", "--subprotocol", "superchat"]);
    let lines = [
        "Sec-WebSocket-Protocol: mqtt",
        "Sec-WebSocket-Protocol: superchat, amqp",
        "sec-websocket-protocol: chat",
    ];
    let chosen = ["Sec-WebSocket-Protocol: superchat"];
    opens(&url, &request(&[], &lines), &chosen);
    let twice = request(&[], &[lines[1], "Sec-WebSocket-Protocol: superchat"]);
    let malformed = "the Sec-WebSocket-Protocol header is not a list of unique tokens: divide names by commas, and leave the header out where there are none";
    refuses(&url, &twice, &bad_request(malformed));
}

/// The names in the 101's `Sec-WebSocket-Extensions`.
fn answered(url: &str, offer: &str) -> Vec<String> {
    let line = format!("Sec-WebSocket-Extensions: {offer}");
    let answer = answer(url, &request(&[], &[&line]));
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 101 "), "{offer}: {answer}");
    let lines = answer.lines();
    let lists = lines.filter_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    let names = lists.flat_map(|list| list.split(", "));
    names
        .map(|name| name.split(';').next().unwrap().to_owned())
        .collect()
}

#[test]
fn s18_answers_no_extension_that_was_not_offered() {
    let (_server, url) = echo(&[]);
    for offer in [
        "foo",
        "x-webkit-deflate-frame",
        "foo; a; b=c, bar",
        "bar; a=\"b\"",
    ] {
        assert_eq!(answered(&url, offer), [""; 0], "{offer}");
    }
    let names = answered(&url, "foo, permessage-deflate, permessage-deflate");
    assert!(names.len() <= 1, "{names:?}");
    assert!(names.iter().all(|name| name == "permessage-deflate"));
}

#[test]
fn s19_joins_extension_lists_and_refuses_malformed_ones() {
    let (_server, url) = echo(&[]);
    let joined = [
        "Sec-WebSocket-Extensions: foo; a",
        "Sec-WebSocket-Extensions: bar",
    ];
    opens(&url, &request(&[], &joined), &[]);
    let malformed = bad_request(
        "the Sec-WebSocket-Extensions header is malformed: send `name; parameter=value` with commas between, and leave the header out where there are none",
    );
    for value in [
        "",
        ",",
        ";",
        "foo;",
        "foo; a=",
        "foo; a=\"b c\"",
        "foo; a=\"b",
        "foo bar",
        "foo; a=b c",
        "\"foo\"",
        "foo; a=\"\"",
        "fo\u{f6}",
    ] {
        let line = format!("Sec-WebSocket-Extensions: {value}");
        refuses(&url, &request(&[], &[&line]), &malformed);
    }
    for value in ["", "foo;", "foo bar"] {
        let second = format!("Sec-WebSocket-Extensions: {value}");
        let request = request(&[], &[joined[0], &second]);
        // An empty line of a list that is joined is an empty element (RFC 7230 §7).
        match value {
            "" => opens(&url, &request, &[]),
            _ => refuses(&url, &request, &malformed),
        }
    }
}

#[test]
fn s20_has_each_header_of_the_101_once() {
    let (_server, url) = echo(&[]);
    let answer = answer(&url, &request(&[], &["Connection: keep-alive"]));
    let head = String::from_utf8_lossy(&answer);
    for name in ["Upgrade: ", "Connection: ", "Sec-WebSocket-Accept: "] {
        let count = head.lines().filter(|line| line.starts_with(name)).count();
        assert_eq!(count, 1, "{name}");
    }
}

#[test]
fn s21_sends_nothing_before_the_101_and_keeps_the_frames_behind_the_request() {
    let (_server, url) = echo(&[]);
    let expected = [response(&[]).as_bytes(), &echoed()].concat();
    same(&answer(&url, &request(&[], &[])), &expected, "at once");
}

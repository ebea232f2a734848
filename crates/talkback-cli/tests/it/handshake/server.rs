//! S1 to S11: what `talkback echo` refuses, byte for byte.
//!
//! Behind every request stand a message and a close frame: a refusal is all that comes back (S23).

use crate::support::echo;
use crate::support::raw_client::{
    UPGRADE_REQUIRED, answer, bad_request, opens, refusal, refuses, request,
};
use crate::support::server::echo_of_the_library;
use crate::support::wire::SAMPLE_KEY;

const NO_WEBSOCKET: &str = "this is a WebSocket server: connect with a WebSocket client (the header Upgrade: websocket is missing or malformed)";
const NO_TOKEN: &str = "the header Connection: Upgrade is missing or malformed: have a proxy before this server pass it on (nginx: `proxy_set_header Upgrade $http_upgrade;` and `proxy_set_header Connection \"upgrade\";`, Apache: `ProxyPass … upgrade=websocket`)";
const TAKEN_AWAY: &str = "a proxy before this server took the header Upgrade away, which a request for a WebSocket has: have it pass Upgrade and Connection on (nginx: `proxy_set_header Upgrade $http_upgrade;` and `proxy_set_header Connection \"upgrade\";`, Apache: `ProxyPass … upgrade=websocket`)";
const NOT_ONE_HOST: &str =
    "the request does not have exactly one Host header with a host and an optional port: send one";
const NOT_ONE_KEY: &str =
    "the request does not have exactly one Sec-WebSocket-Key header: send one";
const NOT_ONE_VERSION: &str =
    "the request does not have exactly one Sec-WebSocket-Version header: send 13";
const OTHER_VERSION: &str =
    "this server speaks version 13 of the WebSocket protocol: send Sec-WebSocket-Version: 13";

fn upgrade_required(reason: &str) -> String {
    refusal("426 Upgrade Required", &UPGRADE_REQUIRED, reason)
}

#[test]
fn s01_refuses_a_method_other_than_get() {
    let (_server, url) = echo(&[]);
    let reason = "a WebSocket is opened with the method GET: use GET";
    let refused = refusal("405 Method Not Allowed", &["Allow: GET"], reason);
    for method in ["POST", "PUT", "OPTIONS", "get", "GETT"] {
        let request = request(&[], &[]).replace("GET", method);
        refuses(&url, &request, &refused);
    }
    // RFC 9110 §9.3.2: the answer to HEAD is that to another method without the content.
    let head = refused.strip_suffix(&format!("{reason}\n")).unwrap();
    refuses(&url, &request(&[], &[]).replace("GET", "HEAD"), head);
    let refused = refusal(
        "505 HTTP Version Not Supported",
        &[],
        "a WebSocket is opened over HTTP/1.1, and this request came as HTTP/1.0: have a proxy before this server speak HTTP/1.1 (nginx: `proxy_http_version 1.1;`)",
    );
    let (head, _) = refused.split_once("\r\n\r\n").unwrap();
    let request = request(&[], &[]).replace("GET", "HEAD");
    let request = request.replace("HTTP/1.1", "HTTP/1.0");
    refuses(&url, &request, &format!("{head}\r\n\r\n"));
    // Nor has that to a HEAD which asks for a page.
    let refused = bad_request("the request has no Host header, or several: send one");
    let (head, _) = refused.split_once("\r\n\r\n").unwrap();
    let head = format!("{head}\r\n\r\n");
    refuses(&url, "HEAD / HTTP/1.1\r\n\r\n", &head);
    // Nor that to one whose head is no head, or too long, or of another version.
    let many = "X: a\r\n".repeat(101);
    for (rest, status) in [
        ("/ HTTP/1.1\r\nBad Header\r\n\r\n", 400),
        ("/ HTTP/2.0\r\n\r\n", 505),
        (&format!("/ HTTP/1.1\r\n{many}\r\n"), 431),
        (&format!("/{} HTTP/1.1\r\n\r\n", "x".repeat(20_000)), 431),
    ] {
        let came = String::from_utf8(answer(&url, &format!("HEAD {rest}"))).unwrap();
        assert!(came.starts_with(&format!("HTTP/1.1 {status} ")), "{came}");
        assert!(came.ends_with("\r\n\r\n"), "{came}");
        let came = String::from_utf8(answer(&url, &format!("GET {rest}"))).unwrap();
        assert!(!came.ends_with("\r\n\r\n"), "{came}");
    }
}

#[test]
fn s02_refuses_versions_other_than_http_1_1() {
    let (_server, url) = echo(&[]);
    let status = "505 HTTP Version Not Supported";
    for (version, reason) in [
        (
            "HTTP/1.0",
            "a WebSocket is opened over HTTP/1.1, and this request came as HTTP/1.0: have a proxy before this server speak HTTP/1.1 (nginx: `proxy_http_version 1.1;`)",
        ),
        (
            "HTTP/2.0",
            "a WebSocket is opened over HTTP/1.1, and this request is of another version: use HTTP/1.1",
        ),
        (
            "HTTP/0.9",
            "a WebSocket is opened over HTTP/1.1, and this request is of another version: use HTTP/1.1",
        ),
    ] {
        let request = request(&[], &[]).replace("HTTP/1.1", version);
        refuses(&url, &request, &refusal(status, &[], reason));
    }
}

#[test]
fn s03_refuses_a_host_missing_twice_or_malformed() {
    let (_server, url) = echo(&[]);
    for lines in [
        &[][..],
        &["Host: server.example.com", "Host: server.example.com"],
        &["Host: server.example.com", "Host: other.example"],
        &["Host:"],
        &["Host: a, b"],
        &["Host: user@a"],
        &["Host: a:port"],
        &["Host: a:65536"],
        &["Host: [::1"],
        &["Host: a/b"],
        &["Host: h\u{f6}st"],
    ] {
        refuses(&url, &request(&["Host"], lines), &bad_request(NOT_ONE_HOST));
    }
    for line in ["host: a:8080", "HOST: [::1]:8080", "Host:a"] {
        opens(&url, &request(&["Host"], &[line]), &[]);
    }
}

/// RFC 9112 §3.2 holds for every request.
#[test]
fn s03_refuses_a_host_missing_twice_or_malformed_to_who_wants_a_page() {
    let (_server, url) = echo(&[]);
    let status = |lines: &str| {
        let came = answer(
            &url,
            &format!("GET /health {lines}\r\nConnection: close\r\n\r\n"),
        );
        String::from_utf8(came[9..12].to_vec()).unwrap()
    };
    for host in [
        "",
        "\r\nHost: a\r\nHost: a",
        "\r\nHost: a/b",
        "\r\nHost: a, b",
        "\r\nHost: user@a",
        "\r\nHost: [::1",
        "\r\nHost: a:port",
        "\r\nHost: a:1:2",
        "\r\nHost: h\u{f6}st",
    ] {
        assert_eq!(status(&format!("HTTP/1.1{host}")), "400", "{host}");
    }
    for host in ["a", "a:8080", "[::1]:8080", "127.0.0.1:", "a.b!c", ""] {
        assert_eq!(
            status(&format!("HTTP/1.1\r\nHost: {host}")),
            "200",
            "{host}"
        );
    }
    assert_eq!(status("HTTP/1.0"), "200");
    assert_eq!(status("HTTP/1.0\r\nHost: a/b"), "400");
}

#[test]
fn s04_refuses_an_upgrade_missing_or_other() {
    let (_server, url) = echo(&[]);
    for lines in [
        &["Upgrade: h2c"][..],
        &["Upgrade:"],
        &["Upgrade: websocket2"],
        &["Upgrade: websocket/13"],
        &["Upgrade: websocket h2c"],
        &["Upgrade: \"websocket\""],
        &["Upgrade: websocket, a//b"],
    ] {
        let request = request(&["Upgrade"], lines);
        refuses(&url, &request, &upgrade_required(NO_WEBSOCKET));
    }
    for lines in [
        &["upgrade: WebSocket"][..],
        &["Upgrade: h2c, websocket"],
        &["Upgrade: h2c", "Upgrade: websocket"],
    ] {
        opens(&url, &request(&["Upgrade"], lines), &[]);
    }
    // Missing from what is an opening handshake otherwise, at a path with a page and at one without.
    for path in ["/", "/chat"] {
        let request = request(&["Upgrade"], &[]);
        let (_, rest) = request.split_once(" HTTP/1.1").unwrap();
        let request = format!("GET {path} HTTP/1.1{rest}");
        refuses(&url, &request, &upgrade_required(TAKEN_AWAY));
    }
    // Without a key it is an ordinary request, which this program answers with a page.
    let page = answer(&url, &request(&["Upgrade", "Sec-WebSocket-Key"], &[]));
    let page = String::from_utf8(page).unwrap();
    assert!(page.starts_with("HTTP/1.1 404 Not Found\r\n"), "{page}");
    // The frames that stood behind it are not answered (S23).
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    let size = format!("\r\ncontent-length: {}", body.len());
    assert!(head.to_lowercase().contains(&size), "{page}");
}

/// The library alone, which serves no pages, refuses that request, too.
#[test]
fn s04_refuses_an_upgrade_missing_where_there_are_no_pages() {
    let url = echo_of_the_library();
    let request = request(&["Upgrade"], &[]);
    refuses(&url, &request, &upgrade_required(TAKEN_AWAY));
}

#[test]
fn s05_refuses_a_connection_without_the_token() {
    let (_server, url) = echo(&[]);
    for lines in [
        &[][..],
        &["Connection: keep-alive"],
        &["Connection: Upgraded"],
        &["Connection: keep-alive Upgrade"],
        &["Connection: Upgrade; x"],
        &["Connection:"],
    ] {
        let request = request(&["Connection"], lines);
        refuses(&url, &request, &bad_request(NO_TOKEN));
    }
    for lines in [
        &["Connection: keep-alive, Upgrade"][..],
        &["connection: uPGRADE"],
        &["Connection: keep-alive", "Connection: Upgrade"],
        &["Connection: ,Upgrade, "],
    ] {
        opens(&url, &request(&["Connection"], lines), &[]);
    }
}

#[test]
fn s06_refuses_a_key_missing() {
    let (_server, url) = echo(&[]);
    let request = request(&["Sec-WebSocket-Key"], &[]);
    refuses(&url, &request, &bad_request(NOT_ONE_KEY));
}

#[test]
fn s07_refuses_a_key_that_is_not_base64_of_16_bytes() {
    let (_server, url) = echo(&[]);
    for key in [
        "",
        "AAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAAA===",
        "AAAAAAAAAAAAAAAAAAAA-_==",
        "AAAAAAAAAAA AAAAAAAAAAA==",
        "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZ\u{e9}==",
    ] {
        let line = format!("Sec-WebSocket-Key: {key}");
        let request = request(&["Sec-WebSocket-Key"], &[&line]);
        let reason = "the Sec-WebSocket-Key is not the base64 of 16 bytes: send that of 16 that are drawn at random";
        refuses(&url, &request, &bad_request(reason));
    }
    let spaced = format!("sec-websocket-key:\t{SAMPLE_KEY} ");
    opens(&url, &request(&["Sec-WebSocket-Key"], &[&spaced]), &[]);
}

#[test]
fn s08_refuses_a_key_twice() {
    let (_server, url) = echo(&[]);
    let again = format!("Sec-WebSocket-Key: {SAMPLE_KEY}");
    for line in [
        &*again,
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "sec-websocket-key:",
    ] {
        refuses(&url, &request(&[], &[line]), &bad_request(NOT_ONE_KEY));
    }
}

#[test]
fn s09_refuses_a_version_missing() {
    let (_server, url) = echo(&[]);
    let request = request(&["Sec-WebSocket-Version"], &[]);
    refuses(&url, &request, &bad_request(NOT_ONE_VERSION));
}

#[test]
fn s10_refuses_a_version_other_than_13_and_tells_it() {
    let (_server, url) = echo(&[]);
    for version in [
        "8", "7", "0", "14", "013", "+13", "13.0", "1 3", "", "x", "\u{e9}",
    ] {
        let line = format!("Sec-WebSocket-Version: {version}");
        let request = request(&["Sec-WebSocket-Version"], &[&line]);
        refuses(&url, &request, &upgrade_required(OTHER_VERSION));
    }
}

#[test]
fn s11_refuses_a_version_twice_or_a_list() {
    let (_server, url) = echo(&[]);
    for line in ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"] {
        let twice = request(&[], &[line]);
        refuses(&url, &twice, &bad_request(NOT_ONE_VERSION));
    }
    for list in ["13, 8", "13,13", "8, 13"] {
        let line = format!("Sec-WebSocket-Version: {list}");
        let request = request(&["Sec-WebSocket-Version"], &[&line]);
        refuses(&url, &request, &upgrade_required(OTHER_VERSION));
    }
}

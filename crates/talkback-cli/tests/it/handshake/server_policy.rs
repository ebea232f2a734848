//! S13, S14, S22 and S23: whom `talkback echo` refuses though the request is right, and what it never
//! reads.

use std::net::Shutdown;

use crate::support::raw_client::{bad_request, exchange, opens, refusal, refuses, request, same};
use crate::support::server::{echo_all, echo_of_the_library, server};
use crate::support::{Running, echo};

fn forbidden(origin: &str) -> String {
    let reason = format!(
        "{origin} may not connect: open the page from this server, or have its operator allow the origin"
    );
    refusal("403 Forbidden", &[], &reason)
}

#[test]
fn s13_refuses_an_origin_that_is_not_allowed() {
    let (_listed, listed) = echo(&["--origin", "http://localhost:8080"]);
    let default = echo_of_the_library();
    for origin in [
        "http://evil.example",
        "null",
        "http://server.example.com.evil.example",
        "http://evil.example/server.example.com",
        "http://server.example.com@evil.example",
        "http://server.example.com:8080",
        "http://xserver.example.com",
        "http://localhost:80800",
        "server.example.com",
    ] {
        let request = request(&[], &[&format!("Origin: {origin}")]);
        let refused = forbidden(&format!("the Origin {origin:?}"));
        refuses(&listed, &request, &refused);
        refuses(&default, &request, &refused);
    }
    let twice = "Origin: http://server.example.com";
    let several = forbidden("a request with several Origin headers, or one beyond ASCII,");
    for url in [&listed, &default] {
        refuses(url, &request(&[], &[twice, twice]), &several);
        refuses(url, &request(&[], &["Origin: http://\u{e9}"]), &several);
        opens(url, &request(&[], &[]), &[]);
        opens(url, &request(&[], &[twice]), &[]);
    }
    let allowed = request(&[], &["Origin: http://LOCALHOST:8080"]);
    opens(&listed, &allowed, &[]);
    refuses(
        &default,
        &allowed,
        &forbidden("the Origin \"http://LOCALHOST:8080\""),
    );
    let (_every, every) = echo(&[]);
    opens(&every, &request(&[], &["Origin: http://evil.example"]), &[]);
}

/// `talkback echo` has a WebSocket at every path; which paths there are is a program's own check.
#[test]
fn s14_refuses_a_resource_that_it_does_not_have() {
    let url = server(|stream| async {
        let accepting =
            talkback::accept(stream).check(async |request| match request.uri().path() {
                "/chat" => Ok(()),
                _ => Err(talkback::Refusal::not_found()),
            });
        if let Ok(socket) = accepting.await {
            echo_all(socket).await;
        }
    });
    opens(&url, &request(&[], &[]), &[]);
    let reason = "there is no WebSocket at this path: check the path of the URL";
    let refused = refusal("404 Not Found", &[], reason);
    for path in ["/", "/chat/", "/CHAT", "/chat2?/chat"] {
        let request = request(&[], &[]).replace("/chat", path);
        refuses(&url, &request, &refused);
    }
}

#[test]
fn s22_refuses_a_body() {
    let (_server, url) = echo(&[]);
    let reason =
        "an opening handshake has no body: send no Content-Length and no Transfer-Encoding";
    for lines in [
        &["Content-Length: 5"][..],
        &["Content-Length: 5", "Content-Length: 5"],
        &["Content-Length: x"],
        &["Transfer-Encoding: chunked"],
        &["Transfer-Encoding: identity"],
        &["Content-Length: 5", "Transfer-Encoding: chunked"],
    ] {
        let request = request(&[], lines);
        refuses(&url, &format!("{request}Hello"), &bad_request(reason));
    }
    opens(&url, &request(&[], &["Content-Length: 0"]), &[]);
}

#[test]
fn s23_nothing_behind_a_refusal_is_read() {
    let (server, url) = echo(&["--verbose"]);
    let refused =
        bad_request("the request does not have exactly one Sec-WebSocket-Key header: send one");
    let bad = request(&["Sec-WebSocket-Key"], &[]);
    // Neither a second request, a right one, nor frames, nor any amount of bytes.
    for behind in [request(&[], &[]), "x".repeat(1 << 20)] {
        refuses(&url, &format!("{bad}{behind}"), &refused);
    }
    let ended = exchange(&url, bad.as_bytes(), Some(Shutdown::Write));
    same(&ended, refused.as_bytes(), "a client that ends");
    still_serves(&server, &url);
}

fn still_serves(server: &Running, url: &str) {
    opens(url, &request(&[], &[]), &[]);
    let log = server.stderr();
    assert!(!log.contains("panicked"), "{log}");
}

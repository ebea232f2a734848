//! `connect` over real sockets: addresses, stages, and what an answer leads to.

use std::future::IntoFuture;
use std::io::ErrorKind;
use std::time::Duration;

use talkback::{Connect, ConnectError, HandshakeError, Stage, accept, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::answers::{
    answer, assert_nobody_came, failure, failure_with, listen, read_request, refused,
};
#[cfg(target_os = "linux")]
use crate::support::full_queue::FullQueue;

// ── Addresses ────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_name_is_looked_up_and_its_addresses_are_tried() {
    let (listener, address) = listen().await;
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        accept(stream).await
    };
    // Where the name has an IPv6 address too, nobody listens there.
    let url = format!("ws://localhost:{}/", address.port());
    let (client, server) = tokio::join!(connect(url), server);
    assert_eq!(
        client.unwrap().transport().unwrap().peer_addr().unwrap(),
        address
    );
    server.unwrap();
}

#[tokio::test]
async fn c9_an_ipv6_address_stands_in_brackets() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        // A machine without IPv6.
        return;
    };
    let address = listener.local_addr().unwrap();
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        answer(stream, "HTTP/1.1 404 Not Found\r\n\r\n").await
    };
    let connecting = connect(format!("ws://[::1]:{}/", address.port()));
    let (error, request) = tokio::join!(failure(connecting), server);
    assert!(
        request.contains(&format!("\r\nHost: {address}\r\n")),
        "{request}"
    );
    assert_eq!(refused(error).status, 404);
}

#[tokio::test]
async fn c2_in_turn_the_second_waits_until_the_first_is_open_or_has_failed() {
    let (listener, address) = listen().await;
    // The same address under two names.
    let urls = [
        format!("ws://{address}/"),
        format!("ws://localhost:{}/", address.port()),
    ];
    for is_refused in [false, true] {
        let [first, second] = urls.each_ref().map(|url| {
            let connecting = connect(url.as_str()).in_turn();
            tokio::spawn(async move { connecting.await.is_ok() })
        });
        let (stream, _) = listener.accept().await.unwrap();
        // Who is not in turn does not wait for who is.
        let third = tokio::spawn(connect(urls[0].as_str()).into_future());
        let (other, _) = listener.accept().await.unwrap();
        accept(other).await.unwrap();
        third.await.unwrap().unwrap();
        let pause = std::time::Duration::from_millis(50);
        let nobody = tokio::time::timeout(pause, listener.accept()).await;
        assert!(nobody.is_err(), "it did not wait");
        if is_refused {
            drop(stream);
        } else {
            accept(stream).await.unwrap();
        }
        let (stream, _) = listener.accept().await.unwrap();
        accept(stream).await.unwrap();
        let outcomes = [first.await.unwrap(), second.await.unwrap()];
        // Which of the two was the first is chance.
        assert_eq!(
            outcomes.iter().filter(|is_open| !**is_open).count(),
            usize::from(is_refused)
        );
    }
}

#[tokio::test]
async fn c3_a_port_that_refuses_is_named() {
    let (listener, address) = listen().await;
    drop(listener);
    let error = failure(connect(format!("ws://{address}/path"))).await;
    let message = error.to_string();
    assert!(
        matches!(&error, ConnectError::Tcp { error, .. } if error.kind() == ErrorKind::ConnectionRefused),
        "{message}"
    );
    let begin = format!("could not connect to ws://{address}/path: ");
    assert!(message.starts_with(&begin), "{message}");
    assert!(
        message.ends_with("Check the port, and that the server is running"),
        "{message}"
    );
}

#[tokio::test]
async fn a_name_without_an_address_is_named() {
    // RFC 6761 §6.4: "The domain "invalid" … can be assumed that there is no such name".
    let error = failure(connect("ws://nonexistent.invalid/path?token=hunter2")).await;
    let message = error.to_string();
    assert!(matches!(error, ConnectError::Resolve { .. }), "{message}");
    assert!(
        message.starts_with("could not find the address of \"nonexistent.invalid\": "),
        "{message}"
    );
    assert!(
        message.ends_with("Check the name and the network"),
        "{message}"
    );
}

// ── Time ─────────────────────────────────────────────────────────────────────────────────────

/// Holds that time ran out at a stage.
fn assert_timeout(error: &ConnectError, expected: Stage, says: &str) {
    let message = error.to_string();
    assert!(
        matches!(error, ConnectError::Timeout { stage, .. } if *stage == expected),
        "{message}"
    );
    assert!(message.contains(" within 10s: "), "{message}");
    assert!(message.contains(says), "{message}");
    assert!(message.ends_with(", or raise `timeout`"), "{message}");
}

/// The error of a connect to a server that stalls behind the first 100 bytes.
async fn failure_with_stalled(listener: TcpListener, connecting: Connect) -> ConnectError {
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 100]).await.unwrap();
        tokio::time::pause();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        error = failure(connecting) => error,
        () = server => unreachable!("it stalls"),
    }
}

#[tokio::test]
async fn v15_a_server_that_never_answers_costs_the_timeout() {
    let (listener, address) = listen().await;
    let connecting = connect(format!("ws://{address}/"));
    let error = failure_with_stalled(listener, connecting).await;
    let says = "time ran out while waiting for the answer to the opening handshake";
    assert_timeout(&error, Stage::Handshake, says);
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn v15_a_server_that_stalls_in_tls_costs_the_timeout() {
    let (listener, address) = listen().await;
    let connecting = connect(format!("wss://{address}/")).danger_accept_any_certificate();
    let error = failure_with_stalled(listener, connecting).await;
    let says = "time ran out while waiting for the TLS handshake";
    assert_timeout(&error, Stage::Tls, says);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_address_that_is_silent_costs_the_timeout() {
    let full = FullQueue::new();
    let address = full.address;
    tokio::time::pause();
    let error = failure(connect(format!("ws://{address}/"))).await;
    assert_timeout(&error, Stage::Tcp, "time ran out while connecting");
}

// ── Answers ──────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn c18_a_404_carries_status_headers_and_the_beginning_of_its_body() {
    let body = "x".repeat(100_000);
    let response =
        format!("HTTP/1.1 404 Not Found\r\nX-Id: 7\r\nContent-Length: 100000\r\n\r\n{body}");
    let error = failure_with(|connect| connect, |stream| answer(stream, response)).await;
    let message = error.to_string();
    assert!(
        message.contains("; it has nothing at this path: check the path; its answer: xxx"),
        "{message}"
    );
    let refused = refused(error);
    assert_eq!(
        (refused.status.as_u16(), &refused.headers["x-id"]),
        (404, &"7".parse().unwrap())
    );
    assert_eq!(refused.body, body[..4096]);
}

#[tokio::test]
async fn c18_what_came_of_a_body_by_the_timeout_is_kept() {
    for head in [
        "",
        "Content-Length: 100\r\n",
        "Transfer-Encoding: chunked\r\n",
    ] {
        let body = if head.starts_with('T') {
            "4\r\nbusy\r\n"
        } else {
            "busy"
        };
        let response = format!("HTTP/1.1 503 Busy\r\nRetry-After: 5\r\n{head}\r\n{body}");
        let error = failure_with(
            // Less than the body would be waited for.
            |connect| connect.timeout(Duration::from_millis(500)),
            |mut stream| async move {
                read_request(&mut stream).await;
                stream.write_all(response.as_bytes()).await.unwrap();
                // Until the client has gone.
                stream.read_to_end(&mut Vec::new()).await.unwrap();
            },
        );
        let refused = refused(error.await);
        assert_eq!(
            (refused.status.as_u16(), &refused.body[..]),
            (503, &b"busy"[..])
        );
        assert_eq!(refused.headers["retry-after"], "5");
    }
}

#[tokio::test]
async fn an_answer_that_comes_before_the_request_is_read_is_kept() {
    let error = failure_with(
        |connect| connect,
        |mut stream| async move {
            let busy = b"HTTP/1.1 503 Service Unavailable\r\n\r\nlater";
            stream.write_all(busy).await.unwrap();
            stream.shutdown().await.unwrap();
            stream.read_to_end(&mut Vec::new()).await.unwrap();
        },
    );
    let refused = refused(error.await);
    assert_eq!(
        (refused.status.as_u16(), &refused.body[..]),
        (503, &b"later"[..])
    );
}

#[tokio::test]
async fn v11_a_redirect_is_not_followed() {
    let (other, address) = listen().await;
    let response =
        format!("HTTP/1.1 302 Found\r\nLocation: ws://{address}/\r\nContent-Length: 0\r\n\r\n");
    let error = failure_with(|connect| connect, |stream| answer(stream, response)).await;
    let message = error.to_string();
    assert!(
        message.ends_with(&format!("it redirects: connect to ws://{address}/")),
        "{message}"
    );
    let refused = refused(error);
    assert_eq!(refused.headers["location"], format!("ws://{address}/"));
    assert_nobody_came(other);
}

/// A 101 for the request, with another header.
fn response_to(request: &str, header: &str) -> String {
    let mut lines = request.lines();
    let key = lines.find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = talkback::accept_key(key.unwrap());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{header}\r\n\r\n"
    )
}

#[tokio::test]
async fn c24_a_subprotocol_that_was_not_offered_fails() {
    let offers: [fn(Connect) -> Connect; 2] =
        [|connect| connect, |connect| connect.subprotocol("mqtt")];
    for offer in offers {
        let error = failure_with(offer, |mut stream| async move {
            let request = read_request(&mut stream).await;
            let response = response_to(&request, "Sec-WebSocket-Protocol: chat");
            stream.write_all(response.as_bytes()).await.unwrap();
            stream.read_to_end(&mut Vec::new()).await.unwrap()
        })
        .await;
        let message = error.to_string();
        assert!(
            matches!(
                error,
                ConnectError::Handshake {
                    error: HandshakeError::SubprotocolNotOffered { .. },
                    ..
                }
            ),
            "{message}"
        );
        assert!(
            message.contains("chose a subprotocol of 4 bytes, which was not offered"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_server_that_ends_the_connection_or_speaks_no_http_is_named() {
    let error = failure_with(|connect| connect, |stream| answer(stream, "")).await;
    let message = error.to_string();
    assert!(matches!(error, ConnectError::Lost { .. }), "{message}");
    assert!(
        message.contains("Check that the port is that of a WebSocket server"),
        "{message}"
    );

    let ssh = "SSH-2.0-OpenSSH_9.6\r\n";
    let error = failure_with(|connect| connect, |stream| answer(stream, ssh)).await;
    let message = error.to_string();
    assert!(
        message.contains("the server's answer is not HTTP: check that host and port"),
        "{message}"
    );
}

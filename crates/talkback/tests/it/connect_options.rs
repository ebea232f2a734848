//! What a caller asks `connect` for: mistakes are named before a byte is written, secrets never shown.

use talkback::{Connect, ConnectError, UrlError, WebSocketChannel, accept, connect};

use crate::support::answers::{answer, assert_nobody_came, failure, listen};

// ── The caller's mistakes ────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn c1_a_url_that_names_no_websocket_server_says_what_to_write() {
    for (url, expected, says) in [
        (
            "https://a.example/",
            UrlError::HttpScheme,
            "wss:// instead of https://",
        ),
        (
            "http://a.example/",
            UrlError::HttpScheme,
            "ws:// instead of http://",
        ),
        (
            "a.example",
            UrlError::Scheme,
            "start it with ws:// or wss://",
        ),
        ("ws://a.example/#top", UrlError::Fragment, "write it as %23"),
        (
            "ws://a.example:http/",
            UrlError::Port,
            "not a number from 1 to 65535",
        ),
        (
            "ws://a.example:65536/",
            UrlError::Port,
            "not a number from 1 to 65535",
        ),
        ("ws:///path", UrlError::Host, "correct it"),
        (
            "ws://bücher.example/",
            UrlError::HostNotAscii,
            "begins with xn--",
        ),
    ] {
        let error = failure(connect(url)).await;
        let message = error.to_string();
        assert!(
            matches!(error, ConnectError::Url(error) if error == expected),
            "{url}: {message}"
        );
        assert!(message.contains(says), "{url}: {message}");
    }
}

#[tokio::test]
async fn v7_line_ends_and_nul_are_refused_before_a_byte_is_written() {
    let (listener, address) = listen().await;
    let url = format!("ws://{address}/");
    for bad in ["\r\nX-Evil: 1", "\n", "\r", "\0"] {
        let value = format!("a{bad}b");
        let port = address.port();
        let cases = [
            (connect(&url).header("X-Good", &value), "X-Good"),
            (connect(&url).header(&value, "good"), "header"),
            (connect(&url).header("Cookie", &value), "Cookie"),
            (connect(&url).origin(&value), "Origin"),
            (connect(&url).subprotocol(&value), "subprotocol"),
            (connect(format!("{url}{value}")), "control character"),
            (connect(format!("{url}?{value}")), "control character"),
            (
                connect(format!("ws://{value}@127.0.0.1:{port}/")),
                "control character",
            ),
            (
                connect(format!("ws://127.0.0.1{bad}:{port}/")),
                "control character",
            ),
            (
                connect(format!("ws://a%0D%0A:b@127.0.0.1:{port}/")),
                "user name",
            ),
        ];
        for (connecting, says) in cases {
            let message = failure(connecting).await.to_string();
            assert!(message.contains(says), "{bad:?}: {message}");
        }
    }
    assert_nobody_came(listener);
}

/// The request that a server sees of a connect.
async fn request_of(change: impl FnOnce(Connect) -> Connect) -> String {
    let (listener, address) = listen().await;
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        answer(stream, "HTTP/1.1 404 \r\n\r\n").await
    };
    let connecting = change(connect(format!("ws://{address}/")));
    tokio::join!(failure(connecting), server).1
}

#[tokio::test]
async fn headers_add_up_until_one_is_set() {
    let request = request_of(|connecting| connecting.header("X-A", "1").header("X-A", "2")).await;
    assert!(request.contains("\r\nX-A: 1\r\nX-A: 2\r\n"), "{request}");

    let request = request_of(|connecting| {
        let added = connecting.header("X-A", "1").header("X-A", "2");
        added.header("X-B", "4").set_header("x-a", "3")
    })
    .await;
    assert!(request.contains("\r\nX-A: 3\r\n"), "{request}");
    assert!(request.contains("\r\nX-B: 4\r\n"), "{request}");
    assert_eq!(request.matches("X-A").count(), 1, "{request}");
}

#[tokio::test]
async fn cookies_make_one_line() {
    let request = request_of(|connecting| {
        let cookies = connecting.header("Cookie", "a=1").header("X-A", "1");
        cookies.header("cookie", "b=2; c=3").header("Cookie", "d=4")
    })
    .await;
    assert!(
        request.contains("\r\nCookie: a=1; b=2; c=3; d=4\r\n"),
        "{request}"
    );
    assert_eq!(request.matches("ookie").count(), 1, "{request}");
}

#[tokio::test]
async fn headers_of_the_handshake_are_refused() {
    for name in ["Host", "Connection", "Sec-WebSocket-Key", "Content-Length"] {
        let error = failure(connect("ws://127.0.0.1:1/").header(name, "1")).await;
        let message = error.to_string();
        let says = format!("the header {name} belongs to the opening");
        assert!(message.contains(&says), "{message}");
    }
}

// ── Secrets ──────────────────────────────────────────────────────────────────────────────────

const SECRET: &str = "hunter2";

/// A connect with secrets in every place that may hold one.
fn with_secrets(scheme: &str, address: &str) -> Connect {
    let url = format!("{scheme}://user:{SECRET}@{address}/path?token={SECRET}");
    connect(url)
        .header("Cookie", SECRET)
        .header("X-Api-Key", SECRET)
}

fn assert_no_secret(what: &dyn std::fmt::Debug) {
    for text in [format!("{what:?}"), format!("{what:#?}")] {
        // The credentials are sent in base64.
        for secret in [SECRET, "dXNlcjpodW50ZXIy"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

/// Neither an error nor what caused it shows a secret.
fn assert_error_has_no_secret(error: &ConnectError) {
    assert_no_secret(error);
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        assert!(!error.to_string().contains(SECRET), "{error}");
        assert_no_secret(&error);
        cause = error.source();
    }
}

#[tokio::test]
async fn v12_the_user_information_becomes_an_authorization_header() {
    let (listener, address) = listen().await;
    for (given, expected) in [
        (None, "Basic dXNlcjpodW50ZXIy"),
        (Some("Bearer 7"), "Bearer 7"),
    ] {
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            answer(stream, "HTTP/1.1 401 Unauthorized\r\n\r\n").await
        };
        let mut connecting = with_secrets("ws", &address.to_string());
        if let Some(given) = given {
            connecting = connecting.header("Authorization", given);
        }
        let (error, request) = tokio::join!(failure(connecting), server);
        assert!(
            request.starts_with("GET /path?token=hunter2 HTTP/1.1\r\n"),
            "{request}"
        );
        assert!(
            request.contains(&format!("\r\nAuthorization: {expected}\r\n")),
            "{request}"
        );
        assert_eq!(request.matches("Authorization").count(), 1, "{request}");
        assert_error_has_no_secret(&error);
    }
}

#[tokio::test]
async fn v12_no_error_shows_a_secret() {
    let (listener, address) = listen().await;
    let address = address.to_string();
    let secret_of_server =
        format!("HTTP/1.1 403 Forbidden\r\nSet-Cookie: {SECRET}\r\nContent-Length: 0\r\n\r\n");
    for response in [
        "",
        "SSH-2.0\r\n",
        "HTTP/1.1 101 \r\n\r\n",
        &secret_of_server,
    ] {
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            answer(stream, response).await
        };
        let (error, _) = tokio::join!(failure(with_secrets("ws", &address)), server);
        assert_error_has_no_secret(&error);
    }
    let mut errors = vec![
        failure(with_secrets("ws", "nonexistent.invalid")).await,
        failure(with_secrets("https", &address)).await,
        failure(with_secrets("ws", "127.0.0.1:http")).await,
        failure(with_secrets("ws", &format!("x@{address}"))).await,
        failure(connect(format!("ws://{address}/#{SECRET}"))).await,
        failure(with_secrets("ws", &address).header("X-Key", format!("{SECRET}\n"))).await,
        failure(with_secrets("ws", &address).subprotocol("a b")).await,
        failure(with_secrets("ws", &address).header("Host", SECRET)).await,
    ];
    let timeout = std::time::Duration::ZERO;
    errors.push(failure(with_secrets("ws", &address).timeout(timeout)).await);
    drop(listener);
    errors.push(failure(with_secrets("ws", &address)).await);
    errors.push(failure(with_secrets("wss", &address)).await);
    for error in &errors {
        assert_error_has_no_secret(error);
    }
}

#[tokio::test]
async fn v12_neither_the_builder_nor_what_it_opens_shows_a_secret() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        for _ in 0..2 {
            let (stream, _) = listener.accept().await.unwrap();
            let socket = accept(stream).await.unwrap();
            assert_no_secret(&socket);
        }
    });
    let connecting = with_secrets("ws", &address.to_string());
    assert_no_secret(&connecting);
    let socket = connecting.await.unwrap();
    assert_no_secret(&socket);
    let channel: WebSocketChannel = with_secrets("ws", &address.to_string()).channel();
    assert_no_secret(&channel);
    server.await.unwrap();
    assert_no_secret(&channel);
}

//! What a client sends, C7 to C15: C1 is in the tests of URLs, and C2 to C6 and C17, which need a
//! network, belong to the connector.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Version};

use super::super::encode_request;
use super::*;

fn sent(client: &ClientHandshake) -> String {
    String::from_utf8(encode_request(&client.request())).unwrap()
}

fn sent_to(url: &str) -> String {
    sent(&client_with(url, ClientOptions::default()).unwrap())
}

fn options_with_header(name: &'static str, value: &'static str) -> ClientOptions {
    let mut options = ClientOptions::default();
    options.headers.append(
        HeaderName::from_static(name),
        HeaderValue::from_static(value),
    );
    options
}

#[test]
fn c7_sends_get_over_http_1_1() {
    let request = sample_client().request();
    assert_eq!(request.method(), Method::GET);
    assert_eq!(request.version(), Version::HTTP_11);
    assert!(sent(&sample_client()).starts_with("GET /chat HTTP/1.1\r\n"));
}

#[test]
fn c8_request_target_is_path_and_query() {
    for (url, line) in [
        ("ws://a", "GET / HTTP/1.1\r\n"),
        ("ws://a/", "GET / HTTP/1.1\r\n"),
        ("ws://a?q=1", "GET /?q=1 HTTP/1.1\r\n"),
        ("wss://a/b/c?q=/?", "GET /b/c?q=/? HTTP/1.1\r\n"),
        ("ws://a//b", "GET //b HTTP/1.1\r\n"),
        ("ws://a/é", "GET /%C3%A9 HTTP/1.1\r\n"),
    ] {
        let sent = sent_to(url);
        assert!(sent.starts_with(line), "{url}: {sent}");
    }
}

#[test]
fn c9_host_has_the_port_when_it_is_not_the_default() {
    for (url, host) in [
        ("ws://a", "a"),
        ("ws://a:80", "a"),
        ("ws://a:443", "a:443"),
        ("wss://a:443", "a"),
        ("wss://a:80", "a:80"),
        ("ws://A.Example:8080", "a.example:8080"),
        ("ws://[::1]", "[::1]"),
        ("ws://[::1]:9001", "[::1]:9001"),
        ("ws://127.0.0.1:9001", "127.0.0.1:9001"),
    ] {
        let sent = sent_to(url);
        assert!(
            sent.contains(&format!("\r\nHost: {host}\r\n")),
            "{url}: {sent}"
        );
        assert_eq!(sent.matches("Host: ").count(), 1);
    }
}

#[test]
fn c10_sends_the_upgrade_and_connection_tokens() {
    let sent = sent(&sample_client());
    assert!(sent.contains("\r\nUpgrade: websocket\r\n"), "{sent}");
    assert!(sent.contains("\r\nConnection: Upgrade\r\n"), "{sent}");
}

#[test]
fn c11_key_is_the_base64_of_the_nonce() {
    let key = |nonce| {
        let url = WsUrl::parse("ws://a").unwrap();
        let client = ClientHandshake::new(&url, ClientOptions::default(), nonce).unwrap();
        client.request().headers()["sec-websocket-key"].clone()
    };
    assert_eq!(key(SAMPLE_NONCE), SAMPLE_KEY);
    assert_eq!(key([0; 16]), "AAAAAAAAAAAAAAAAAAAAAA==");
    assert_eq!(key([255; 16]), "/////////////////////w==");
}

#[test]
fn c12_origin_can_be_set() {
    let options = ClientOptions {
        origin: Some(HeaderValue::from_static("https://app.example")),
        ..ClientOptions::default()
    };
    let sent = sent(&client_with("ws://a", options).unwrap());
    assert!(
        sent.contains("\r\nOrigin: https://app.example\r\n"),
        "{sent}"
    );
    assert!(!sent_to("ws://a").contains("Origin"));
}

#[test]
fn c13_version_is_13_and_stands_once() {
    let sent = sent(&sample_client());
    assert_eq!(sent.matches("Sec-WebSocket-Version: ").count(), 1);
    assert!(sent.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{sent}");
}

#[test]
fn c14_offers_subprotocols_that_are_unique_tokens() {
    assert!(sent(&sample_client()).contains("\r\nSec-WebSocket-Protocol: chat, superchat\r\n"));
    assert!(!sent_to("ws://a").contains("Sec-WebSocket-Protocol"));
    for name in [
        "",
        "a b",
        "a,b",
        "a/b",
        "\"a\"",
        "é",
        "a\r\nX: y",
        "a\0",
        "a;b",
        "(a)",
        "a\t",
    ] {
        let error = client_with("ws://a", options_with_subprotocols(&["ok", name]));
        let subprotocol = name.to_owned();
        assert_eq!(
            error.unwrap_err(),
            HandshakeError::InvalidSubprotocol { subprotocol }
        );
    }
    let error = client_with("ws://a", options_with_subprotocols(&["a", "b", "a"])).unwrap_err();
    let subprotocol = "a".to_owned();
    assert_eq!(error, HandshakeError::DuplicateSubprotocol { subprotocol });
    // Subprotocols are compared with their case.
    assert!(client_with("ws://a", options_with_subprotocols(&["a", "A"])).is_ok());
}

#[test]
fn c15_offers_extensions_by_the_grammar() {
    let offer = |value: &'static str| {
        let options = ClientOptions {
            extensions: Some(HeaderValue::from_static(value)),
            ..ClientOptions::default()
        };
        client_with("ws://a", options)
    };
    let sent = sent(&offer("foo, bar; baz=2").unwrap());
    assert!(
        sent.contains("\r\nSec-WebSocket-Extensions: foo, bar; baz=2\r\n"),
        "{sent}"
    );
    for malformed in [
        "",
        ",",
        "foo;",
        "foo bar",
        "foo; a=",
        "foo; =b",
        "foo; a=\"b",
        "foo; a=\"\"",
    ] {
        assert_eq!(
            offer(malformed).unwrap_err(),
            HandshakeError::InvalidExtensions,
            "{malformed:?}"
        );
    }
}

#[test]
fn refuses_headers_that_are_the_handshakes_own() {
    for name in [
        "host",
        "upgrade",
        "connection",
        "origin",
        "content-length",
        "transfer-encoding",
        "sec-websocket-key",
        "sec-websocket-version",
        "sec-websocket-protocol",
        "sec-websocket-extensions",
        "sec-websocket-accept",
        "sec-websocket-unheard-of",
    ] {
        let error = client_with("ws://a", options_with_header(name, "x")).unwrap_err();
        let text = error.to_string();
        assert!(text.to_lowercase().contains(name), "{text}");
        // What is not sent anyway is not said to be.
        let is_sent = [
            "upgrade",
            "connection",
            "sec-websocket-key",
            "sec-websocket-version",
        ];
        assert_eq!(
            text.contains("is sent anyway"),
            is_sent.contains(&name),
            "{text}"
        );
        let name = HeaderName::from_static(name);
        assert_eq!(error, HandshakeError::ReservedHeader { name });
    }
}

#[test]
fn sends_the_callers_headers() {
    let mut options = options_with_header("cookie", "a=1");
    options
        .headers
        .append("x-twice", HeaderValue::from_static("1"));
    options
        .headers
        .append("x-twice", HeaderValue::from_static("2"));
    let client = client_with("ws://a", options).unwrap();
    let sent = sent(&client);
    assert!(sent.contains("\r\nCookie: a=1\r\n"), "{sent}");
    assert!(sent.contains("\r\nX-Twice: 1\r\nX-Twice: 2\r\n"), "{sent}");
    assert!(client.request().headers()["cookie"].is_sensitive());
}

#[test]
fn headers_beyond_what_a_message_holds_are_an_error() {
    let mut headers = HeaderMap::new();
    while headers
        .try_append("x-many", HeaderValue::from_static(""))
        .is_ok()
        && headers.len() < 24_570
    {}
    for index in 0..24_576 {
        let name = HeaderName::try_from(format!("x-{index}")).unwrap();
        if headers
            .try_insert(name, HeaderValue::from_static(""))
            .is_err()
        {
            break;
        }
    }
    let options = ClientOptions {
        headers,
        ..ClientOptions::default()
    };
    assert_eq!(
        client_with("ws://a", options).unwrap_err(),
        HandshakeError::TooManyHeaders
    );
}

#[test]
fn v12_user_info_becomes_authorization_unless_the_caller_sets_it() {
    let sent_header = |options| {
        let client = client_with("ws://user:secret@a/", options).unwrap();
        let headers = client.request().headers().clone();
        assert_eq!(headers.get_all("authorization").iter().count(), 1);
        assert!(headers["authorization"].is_sensitive());
        headers["authorization"].clone()
    };
    assert_eq!(
        sent_header(ClientOptions::default()),
        "Basic dXNlcjpzZWNyZXQ="
    );
    let bearer = options_with_header("authorization", "Bearer abc");
    assert_eq!(sent_header(bearer), "Bearer abc");
}

#[test]
fn v12_debug_shows_no_secrets() {
    let options = options_with_header("authorization", "Bearer t0ken");
    let shown = format!("{options:?}");
    assert!(shown.contains("authorization"), "{shown}");
    let client = client_with("ws://user:secret@host/p?token=t0ken", options).unwrap();
    let shown = format!("{shown} {client:?} {:?}", client.request().headers());
    for secret in ["user", "secret", "t0ken"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("ws://host/p?…"), "{shown}");
}

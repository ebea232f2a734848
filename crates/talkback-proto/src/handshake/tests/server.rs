//! S1 to S23, as far as they need no network; S13 is in the tests of origins. Of S21 and S23 the
//! driver holds the order of writes; here stands that bytes are kept, and that a refusal ends all.

use http::header::{HeaderName, HeaderValue};
use http::{Method, StatusCode, Version};

use super::super::{ExtensionOffer, accept_key, encode_refusal, encode_response};
use super::*;

fn refusal_text(bytes: &[u8]) -> String {
    let refusal = serve(bytes).expect_err("the request is refused");
    String::from_utf8(encode_refusal(&refusal)).unwrap()
}

#[test]
fn accepts_the_request_of_the_rfc() {
    let handshake = served(&request(&[], &[]));
    assert_eq!(handshake.subprotocols(), ["chat", "superchat"]);
    assert_eq!(handshake.origin(), Some("http://server.example.com"));
    assert_eq!(handshake.extensions()[0].name, "permessage-deflate");
}

#[test]
fn s1_rejects_method_other_than_get() {
    for method in ["POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "get", "GETT"] {
        let bytes = replace(&request(&[], &[]), "GET", method.as_bytes());
        let text = refusal_text(&bytes);
        assert!(
            text.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"),
            "{text}"
        );
        assert!(text.contains("\r\nAllow: GET\r\n"), "{text}");
    }
}

#[test]
fn s2_rejects_versions_other_than_http_1_1() {
    for version in ["HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "HTTP/1.2"] {
        let bytes = replace(&request(&[], &[]), "HTTP/1.1", version.as_bytes());
        assert_eq!(refused_status(&bytes), 505, "{version}");
    }
    let mut request = parse_request(&request(&[], &[])).unwrap();
    *request.version_mut() = Version::HTTP_2;
    assert_eq!(ServerHandshake::read(&request).unwrap_err().status(), 505);
}

#[test]
fn s3_rejects_host_missing_twice_or_malformed() {
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
        assert_eq!(refused_status(&request(&["Host"], lines)), 400, "{lines:?}");
    }
    for line in [
        "Host: a",
        "Host: a:8080",
        "Host: [::1]:8080",
        "Host: 127.1",
        "Host: a_b:",
    ] {
        served(&request(&["Host"], &[line]));
    }
}

#[test]
fn s4_rejects_upgrade_missing_or_other() {
    for lines in [
        &[][..],
        &["Upgrade: h2c"],
        &["Upgrade:"],
        &["Upgrade: websocket2"],
        &["Upgrade: websocket/13"],
        &["Upgrade: websocket h2c"],
        &["Upgrade: \"websocket\""],
        &["Upgrade: websocket, a//b"],
    ] {
        let text = refusal_text(&request(&["Upgrade"], lines));
        assert!(
            text.starts_with("HTTP/1.1 426 Upgrade Required\r\n"),
            "{lines:?}: {text}"
        );
        assert!(text.contains("\r\nUpgrade: websocket\r\n"), "{text}");
        assert!(
            text.contains("\r\nConnection: Upgrade, close\r\n"),
            "{text}"
        );
    }
    for lines in [
        &["upgrade: WebSocket"][..],
        &["Upgrade: h2c, websocket"],
        &["Upgrade: HTTP/2.0,websocket"],
        &["Upgrade: h2c", "Upgrade: websocket"],
    ] {
        served(&request(&["Upgrade"], lines));
    }
}

#[test]
fn s5_rejects_connection_without_the_token() {
    for lines in [
        &[][..],
        &["Connection: keep-alive"],
        &["Connection: Upgraded"],
        &["Connection: keep-alive Upgrade"],
        &["Connection: Upgrade; x"],
        &["Connection:"],
    ] {
        assert_eq!(
            refused_status(&request(&["Connection"], lines)),
            400,
            "{lines:?}"
        );
    }
    for lines in [
        &["Connection: keep-alive, Upgrade"][..],
        &["Connection: uPGRADE"],
        &["Connection: keep-alive", "Connection: Upgrade"],
        &["Connection: ,Upgrade, "],
    ] {
        served(&request(&["Connection"], lines));
    }
}

#[test]
fn s6_rejects_key_missing() {
    assert_eq!(refused_status(&request(&["Sec-WebSocket-Key"], &[])), 400);
}

#[test]
fn s7_rejects_key_that_is_not_base64_of_16_bytes() {
    for key in [
        "",
        "AAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAA===",
        "AAAAAAAAAAAAAAAAAAAA-_==",
        "AAAAAAAAAAA AAAAAAAAAAA==",
        "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZ\u{e9}==",
    ] {
        let line = format!("Sec-WebSocket-Key: {key}");
        let bytes = request(&["Sec-WebSocket-Key"], &[&line]);
        assert_eq!(refused_status(&bytes), 400, "{key}");
    }
    for key in [
        "AAAAAAAAAAAAAAAAAAAAAA==",
        "/+/+/+/+/+/+/+/+/+/+/w==",
        "abcdefghijklmnopqrstuv==",
    ] {
        let line = format!("Sec-WebSocket-Key:\t{key} ");
        served(&request(&["Sec-WebSocket-Key"], &[&line]));
    }
}

#[test]
fn s8_rejects_key_twice() {
    let again = format!("Sec-WebSocket-Key: {SAMPLE_KEY}");
    for line in [
        again.as_str(),
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Key:",
    ] {
        assert_eq!(refused_status(&request(&[], &[line])), 400);
    }
}

#[test]
fn s9_rejects_version_missing() {
    assert_eq!(
        refused_status(&request(&["Sec-WebSocket-Version"], &[])),
        400
    );
}

#[test]
fn s10_rejects_version_other_than_13() {
    for version in [
        "8", "7", "0", "14", "013", "+13", "13.0", "1 3", "", "x", "\u{e9}",
    ] {
        let line = format!("Sec-WebSocket-Version: {version}");
        let text = refusal_text(&request(&["Sec-WebSocket-Version"], &[&line]));
        assert!(
            text.starts_with("HTTP/1.1 426 Upgrade Required\r\n"),
            "{version}: {text}"
        );
        assert!(text.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{text}");
    }
}

#[test]
fn s11_rejects_version_twice_or_a_list() {
    let twice = request(&[], &["Sec-WebSocket-Version: 13"]);
    assert_eq!(refused_status(&twice), 400);
    let list = request(
        &["Sec-WebSocket-Version"],
        &["Sec-WebSocket-Version: 13, 8"],
    );
    assert_eq!(refused_status(&list), 426);
}

#[test]
fn s12_rejects_request_lines_against_the_grammar() {
    for line in [
        "GET /chat",
        "GET  /chat HTTP/1.1",
        "GET /chat  HTTP/1.1",
        "GET /chat HTTP/1.1 ",
        "GET /chat HTTP/1.1 x",
        "GET\t/chat HTTP/1.1",
        " GET /chat HTTP/1.1",
        "G(T /chat HTTP/1.1",
        "GET /chat HTTP/11",
        "GET /chat HTTP/1.1.1",
        "GET chat HTTP/1.1",
        "GET * HTTP/1.1",
        "GET server.example.com:80 HTTP/1.1",
        "GET /chat#fragment HTTP/1.1",
        "GET /ch\u{e9}t HTTP/1.1",
        "GET /ch\0t HTTP/1.1",
        "GET /chat\rHTTP/1.1",
        "GET /chat\nHTTP/1.1",
        "/chat HTTP/1.1",
    ] {
        let bytes = replace(&request(&[], &[]), "GET /chat HTTP/1.1", line.as_bytes());
        assert_eq!(refused_status(&bytes), 400, "{line:?}");
    }
}

#[test]
fn s12_rejects_header_lines_against_the_grammar() {
    for line in [
        "X-Space : a",
        "X-Tab\t: a",
        " X-Fold: a",
        "X-Fold: a\r\n b",
        "X-Fold: a\r\n\tb",
        "X-Nul: a\0b",
        "X-\0Nul: a",
        "X-Control: a\x01b",
        "X-Delete: a\x7fb",
        "X-Cr: a\rb",
        "X-Lf: a\nX-Smuggled: b",
        ": a",
        "X-NoColon",
        "X Space: a",
        "X-Nam\u{e9}: a",
        "\"X-Quoted\": a",
    ] {
        assert_eq!(refused_status(&request(&[], &[line])), 400, "{line:?}");
        let first = replace(
            &request(&[], &[]),
            "Host: ",
            format!("{line}\r\nHost: ").as_bytes(),
        );
        assert_eq!(refused_status(&first), 400, "{line:?} first");
    }
    for line in [
        "X-Empty:",
        "X-Tab: a\tb",
        "X-Obs-Text: \u{e9}",
        "!#$%&'*+-.^_`|~: a",
        "X-Colon: a:b",
    ] {
        served(&request(&[], &[line]));
    }
}

#[test]
fn s12_rejects_bare_line_feeds() {
    let text = String::from_utf8(request(&[], &[])).unwrap();
    for bare in [
        text.replace("\r\n", "\n"),
        text.replacen("\r\n", "\n", 3),
        text.replace("\r\n", "\r"),
    ] {
        assert_eq!(refused_status(bare.as_bytes()), 400, "{bare:?}");
    }
}

#[test]
fn s14_unknown_resource_is_404() {
    let refusal = Refusal::not_found();
    assert_eq!(refusal.status(), 404);
    let text = String::from_utf8(encode_refusal(&refusal)).unwrap();
    assert!(text.starts_with("HTTP/1.1 404 Not Found\r\n"), "{text}");
}

#[test]
fn s15_accept_value_of_the_rfcs_example() {
    assert_eq!(accept_key(SAMPLE_KEY), SAMPLE_ACCEPT);
    let response = served(&request(&[], &[])).accept(None, None).unwrap();
    assert_eq!(response.headers()["sec-websocket-accept"], SAMPLE_ACCEPT);
}

#[test]
fn s16_chosen_subprotocol_is_one_of_the_clients() {
    let handshake = served(&request(&[], &[]));
    for name in ["chat", "superchat"] {
        let response = handshake.accept(Some(name), None).unwrap();
        let values: Vec<_> = response
            .headers()
            .get_all("sec-websocket-protocol")
            .iter()
            .collect();
        assert_eq!(values, [name]);
    }
    for name in ["", "Chat", "foo", "chat, superchat", "chat\r\nX: y"] {
        let subprotocol = name.to_owned();
        assert_eq!(
            handshake.accept(Some(name), None).unwrap_err(),
            HandshakeError::ChosenSubprotocol { subprotocol }
        );
    }
    let response = handshake.accept(None, None).unwrap();
    assert!(!response.headers().contains_key("sec-websocket-protocol"));
}

#[test]
fn s17_subprotocol_list_over_several_lines_counts_as_joined() {
    let lines = [
        "Sec-WebSocket-Protocol: a,b",
        "Sec-WebSocket-Protocol: ",
        "sec-websocket-protocol:\tc , ,d",
    ];
    let handshake = served(&request(&["Sec-WebSocket-Protocol"], &lines));
    assert_eq!(handshake.subprotocols(), ["a", "b", "c", "d"]);
    let none = served(&request(&["Sec-WebSocket-Protocol"], &[]));
    assert!(none.subprotocols().is_empty());
}

#[test]
fn s17_rejects_malformed_subprotocol_lists() {
    for lines in [
        &["Sec-WebSocket-Protocol:"][..],
        &["Sec-WebSocket-Protocol: ,"],
        &["Sec-WebSocket-Protocol: a b"],
        &["Sec-WebSocket-Protocol: a/b"],
        &["Sec-WebSocket-Protocol: \"a\""],
        &["Sec-WebSocket-Protocol: \u{e9}"],
        &["Sec-WebSocket-Protocol: a, a"],
        &["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: a"],
        &["Sec-WebSocket-Protocol: a;b"],
    ] {
        let bytes = request(&["Sec-WebSocket-Protocol"], lines);
        assert_eq!(refused_status(&bytes), 400, "{lines:?}");
    }
}

#[test]
fn s18_extensions_answered_are_a_subset_of_those_offered() {
    let line = "Sec-WebSocket-Extensions: a, b; x=1";
    let handshake = served(&request(&["Sec-WebSocket-Extensions"], &[line]));
    let accept =
        |value: &'static str| handshake.accept(None, Some(HeaderValue::from_static(value)));
    for value in ["a", "b; x=2", "b, a"] {
        let response = accept(value).unwrap();
        assert_eq!(response.headers()["sec-websocket-extensions"], value);
    }
    for value in ["c", "a, c", "A", "a, a"] {
        let error = accept(value).unwrap_err();
        assert!(
            matches!(error, HandshakeError::ChosenExtension { .. }),
            "{value}: {error}"
        );
    }
    for value in ["", ",", "a;", "a b"] {
        assert_eq!(
            accept(value).unwrap_err(),
            HandshakeError::InvalidExtensions
        );
    }
}

#[test]
fn s19_extension_lists_over_several_lines_count_as_joined() {
    let lines = [
        "Sec-WebSocket-Extensions: a; x",
        "Sec-WebSocket-Extensions: b; y=\"1\\2\", a",
    ];
    let handshake = served(&request(&["Sec-WebSocket-Extensions"], &lines));
    let offer = |name: &str, param: Option<(&str, Option<&str>)>| ExtensionOffer {
        name: name.to_owned(),
        params: param
            .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)))
            .into_iter()
            .collect(),
    };
    assert_eq!(
        handshake.extensions(),
        [
            offer("a", Some(("x", None))),
            offer("b", Some(("y", Some("12")))),
            offer("a", None)
        ]
    );
}

#[test]
fn s19_rejects_malformed_extension_lists() {
    for value in [
        "",
        ",",
        ";",
        "a;",
        "a;;b",
        "a; b=",
        "a; b=\"c d\"",
        "a; b=\"",
        "a b",
        "a; b c",
        "a=b",
        "\u{e9}",
    ] {
        let line = format!("Sec-WebSocket-Extensions: {value}");
        let bytes = request(&["Sec-WebSocket-Extensions"], &[&line]);
        assert_eq!(refused_status(&bytes), 400, "{value}");
    }
    let later = request(&[], &["Sec-WebSocket-Extensions: a;"]);
    assert_eq!(refused_status(&later), 400);
}

#[test]
fn s20_exactly_one_upgrade_connection_and_accept_in_the_101() {
    let handshake = served(&request(&[], &[]));
    let deflate = HeaderValue::from_static("permessage-deflate");
    let response = handshake.accept(Some("chat"), Some(deflate)).unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let text = String::from_utf8(encode_response(&response)).unwrap();
    assert_eq!(
        text,
        "HTTP/1.1 101 Switching Protocols\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
         Sec-WebSocket-Protocol: chat\r\n\
         Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    );
}

#[test]
fn s21_frames_right_behind_the_request_are_kept() {
    let bytes = [request(&[], &[]).as_slice(), FRAMES].concat();
    let (_, rest) = serve(&bytes).unwrap();
    assert_eq!(rest, FRAMES);
}

#[test]
fn s22_rejects_a_body() {
    for lines in [
        &["Content-Length: 5"][..],
        &["Content-Length: x"],
        &["Content-Length: "],
        &["Content-Length: 0, 5"],
        &["Content-Length: 0", "Content-Length: 0"],
        &["Transfer-Encoding: chunked"],
        &["Transfer-Encoding: identity"],
        &["Content-Length: 0", "Transfer-Encoding: chunked"],
    ] {
        assert_eq!(refused_status(&request(&[], lines)), 400, "{lines:?}");
    }
    // A stated absence is no body.
    served(&request(&[], &["Content-Length: 0"]));
}

#[test]
fn s23_a_refusal_closes_the_connection_and_a_failed_reader_takes_nothing() {
    let refusal = serve(&request(&["Sec-WebSocket-Key"], &[])).unwrap_err();
    let text = String::from_utf8(encode_refusal(&refusal)).unwrap();
    assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
    let mut reader = HeadReader::new(HeadLimits::default());
    assert_eq!(reader.handle(b"\x00"), Err(HeadError::NotHttp));
    assert_eq!(reader.handle(&request(&[], &[])), Err(HeadError::NotHttp));
    assert_eq!(reader.request().unwrap_err(), HeadError::NotHttp);
}

#[test]
fn target_in_absolute_form_names_the_host() {
    let absolute = b"GET http://other.example:8080/chat?q HTTP/1.1";
    let bytes = replace(
        &request(&["Origin"], &["Origin: http://other.example:8080"]),
        "GET /chat HTTP/1.1",
        absolute,
    );
    assert!(served(&bytes).asker().is_same_origin());
    assert_eq!(parse_request(&bytes).unwrap().uri().path(), "/chat");
    let without_host = replace(&request(&["Host"], &[]), "GET /chat HTTP/1.1", absolute);
    assert_eq!(refused_status(&without_host), 400);
    // It does not count, but has to be one (RFC 9112 §3.2).
    let malformed = replace(
        &request(&["Host"], &["Host: a/b"]),
        "GET /chat HTTP/1.1",
        absolute,
    );
    assert_eq!(refused_status(&malformed), 400);
}

#[test]
fn refusals_are_whole_responses() {
    let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "log in first")
        .with_header(
            HeaderName::from_static("www-authenticate"),
            HeaderValue::from_static("Basic"),
        )
        .with_header(
            HeaderName::from_static("content-length"),
            HeaderValue::from_static("9999"),
        )
        .with_header(
            HeaderName::from_static("transfer-encoding"),
            HeaderValue::from_static("chunked"),
        );
    let bytes = encode_refusal(&refusal);
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.contains("\r\nWWW-Authenticate: Basic\r\n"), "{text}");
    let HandshakeError::Status(refused) = connect_error(&bytes) else {
        panic!("{text}");
    };
    assert_eq!(refused.status, 401);
    assert_eq!(refused.body, "log in first\n");
    assert_eq!(refused.headers["content-length"], "13");
    assert!(!refused.headers.contains_key("transfer-encoding"));
}

#[test]
fn refusals_never_have_a_status_below_200() {
    for status in [100, 101, 103] {
        let refusal = Refusal::new(StatusCode::from_u16(status).unwrap(), "");
        assert_eq!(refusal.status(), 500);
    }
    assert_eq!(Refusal::new(StatusCode::OK, "healthy").status(), 200);
}

#[test]
fn head_errors_become_refusals() {
    for (error, status) in [
        (HeadError::TooLarge { size_max: 1 }, 431),
        (HeadError::TooManyHeaders { headers_max: 1 }, 431),
        (HeadError::Version, 505),
        (HeadError::Tls, 400),
        (HeadError::LineEnd, 400),
        (HeadError::Header, 400),
    ] {
        let refusal = Refusal::from(error);
        assert_eq!(refusal.status(), status, "{refusal}");
    }
}

#[test]
fn client_and_server_agree() {
    let client = sample_client();
    let bytes = super::super::encode_request(&client.request());
    let handshake = served(&bytes);
    let deflate = HeaderValue::from_static("permessage-deflate");
    let answer = handshake.accept(Some("superchat"), Some(deflate)).unwrap();
    let bytes = [encode_response(&answer).as_slice(), FRAMES].concat();
    let (negotiated, rest) = connect(&client, &bytes).unwrap();
    assert_eq!(negotiated.subprotocol.as_deref(), Some("superchat"));
    assert_eq!(negotiated.extensions[0].to_string(), "permessage-deflate");
    assert_eq!(rest, FRAMES);
    assert_eq!(client.request().method(), Method::GET);
}

//! What a client accepts, C16 to C29, without C17, which belongs to the connector.

use http::Version;
use http::header::{HeaderName, HeaderValue};

use super::super::{ExtensionOffer, Negotiated};
use super::*;

#[test]
fn c16_nothing_is_negotiated_before_the_head_is_complete() {
    let bytes = response(&[], &[]);
    for size in 0..bytes.len() {
        let (reader, _) = read_head(&[&bytes[..size]]).unwrap();
        assert_eq!(reader.response().unwrap_err(), HeadError::Incomplete);
    }
    assert!(parse_response(&bytes).is_ok());
}

#[test]
fn c18_rejects_status_other_than_101() {
    for status in [
        "200 OK",
        "204 No Content",
        "302 Found",
        "401 Unauthorized",
        "426 Upgrade Required",
    ] {
        let right = response(&[], &["X-Why: because", "Content-Length: 7"]);
        let head = replace(&right, "101 Switching Protocols", status.as_bytes());
        let error = connect_error(&[&head, b"go away, and more".as_slice()].concat());
        let HandshakeError::Status(refused) = &error else {
            panic!("{status}: {error}");
        };
        assert_eq!(refused.status.to_string(), status);
        assert_eq!(refused.headers["x-why"], "because");
        let body: &[u8] = if status.starts_with("204") {
            b""
        } else {
            b"go away"
        };
        assert_eq!(refused.body, body);
        assert!(error.to_string().contains(status), "{error}");
        assert!(matches!(
            sample_client().validate(&parse_response(&head).unwrap()),
            Err(HandshakeError::Status(refused)) if refused.body.is_empty()
        ));
    }
}

#[test]
fn c18_rejects_every_status_other_than_101_in_http_types() {
    let right = parse_response(&response(&[], &[])).unwrap();
    for status in 100..=999 {
        let mut response = right.clone();
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
        assert_eq!(
            sample_client().validate(&response).is_ok(),
            status == 101,
            "{status}"
        );
    }
}

#[test]
fn c19_rejects_upgrade_missing_or_other() {
    for lines in [
        &[][..],
        &["Upgrade: h2c"],
        &["Upgrade: websocket2"],
        &["Upgrade:"],
        &["Upgrade: websocket, h2c"],
        &["Upgrade: websocket/13"],
        &["Upgrade: websocket", "Upgrade: h2c"],
    ] {
        let error = connect_error(&response(&["Upgrade"], lines));
        assert_eq!(error, HandshakeError::Upgrade, "{lines:?}");
    }
    let name = http::header::UPGRADE;
    for lines in [
        &["Upgrade: websocket", "Upgrade: websocket"][..],
        &["Upgrade: websocket", "Upgrade: WebSocket"],
        &["Upgrade: websocket, websocket"],
    ] {
        let error = connect_error(&response(&["Upgrade"], lines));
        let name = name.clone();
        assert_eq!(error, HandshakeError::Repeated { name }, "{lines:?}");
    }
    let any_case = response(&["Upgrade"], &["upgrade: WebSocket"]);
    assert!(connect(&sample_client(), &any_case).is_ok());
}

/// "A user agent that receives an obs-fold in a response message […] MUST replace each received obs-fold
/// with one or more SP octets" (RFC 9112 §5.2).
#[test]
fn l21_a_folded_header_is_one_line() {
    let right = response(
        &["Connection", "Upgrade", "Sec-WebSocket-Protocol"],
        &[
            "Connection: keep-alive,\r\n\tUpgrade",
            "Upgrade:\r\n  websocket",
            "Sec-WebSocket-Protocol: chat\r\n ",
            "X-Fold: a\r\n b \r\n \t c",
        ],
    );
    let (negotiated, rest) = connect(&sample_client(), &right).unwrap();
    assert_eq!(negotiated.subprotocol.as_deref(), Some("chat"));
    assert!(rest.is_empty());
    let parsed = parse_response(&right).unwrap();
    assert_eq!(parsed.headers()["x-fold"], "a b c");
    assert_eq!(parsed.headers()["upgrade"], "websocket");
    // What stands right behind the status line folds nothing.
    let first = replace(&right, "Protocols\r\n", b"Protocols\r\n X: a\r\n");
    assert_eq!(parse_response(&first).unwrap_err(), HeadError::Header);
    // A fold is a line, and counts as one.
    let folds = format!("X-Fold: a{}", "\r\n b".repeat(100));
    let error = connect_error(&response(&[], &[&folds]));
    assert!(matches!(
        error,
        HandshakeError::Head(HeadError::TooManyHeaders { headers_max: 100 })
    ));
}

#[test]
fn c20_rejects_connection_without_the_token() {
    for lines in [
        &[][..],
        &["Connection: keep-alive"],
        &["Connection: Upgraded"],
        &["Connection: \"Upgrade\""],
        &["Connection: keep-alive Upgrade"],
        &["Connection:"],
    ] {
        let error = connect_error(&response(&["Connection"], lines));
        assert_eq!(error, HandshakeError::Connection, "{lines:?}");
    }
    for lines in [
        &["Connection: keep-alive, Upgrade"][..],
        &["Connection: UPGRADE,keep-alive"],
        &["Connection: keep-alive", "Connection: upgrade"],
        &["Connection: , ,upgrade,"],
    ] {
        let bytes = response(&["Connection"], lines);
        assert!(connect(&sample_client(), &bytes).is_ok(), "{lines:?}");
    }
}

#[test]
fn c21_rejects_accept_that_does_not_answer_the_key() {
    let swapped_case: String = SAMPLE_ACCEPT
        .chars()
        .map(|c| {
            if c.is_lowercase() {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect();
    for value in [
        "",
        SAMPLE_KEY,
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo==",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, x",
        &SAMPLE_ACCEPT.to_lowercase(),
        &SAMPLE_ACCEPT.to_uppercase(),
        &swapped_case,
    ] {
        let line = format!("Sec-WebSocket-Accept: {value}");
        let error = connect_error(&response(&["Sec-WebSocket-Accept"], &[&line]));
        assert_eq!(error, HandshakeError::Accept, "{value}");
    }
    let error = connect_error(&response(&["Sec-WebSocket-Accept"], &[]));
    assert_eq!(error, HandshakeError::Accept);
}

#[test]
fn c21_accept_may_have_white_space_around_it() {
    for line in [
        format!("Sec-WebSocket-Accept:{SAMPLE_ACCEPT}"),
        format!("Sec-WebSocket-Accept: \t {SAMPLE_ACCEPT} \t "),
    ] {
        let bytes = response(&["Sec-WebSocket-Accept"], &[&line]);
        assert!(connect(&sample_client(), &bytes).is_ok(), "{line:?}");
    }
    // An HTTP library may hand the value on untrimmed.
    let mut response = parse_response(&response(&[], &[])).unwrap();
    let untrimmed = HeaderValue::try_from(format!(" {SAMPLE_ACCEPT}\t")).unwrap();
    response
        .headers_mut()
        .insert("sec-websocket-accept", untrimmed);
    assert!(sample_client().validate(&response).is_ok());
}

#[test]
fn c22_rejects_extension_not_offered() {
    for value in [
        "foo",
        "permessage-deflate, foo",
        "Permessage-Deflate",
        "permessage-deflate, permessage-deflate",
    ] {
        let line = format!("Sec-WebSocket-Extensions: {value}");
        let error = connect_error(&response(&[], &[&line]));
        assert!(
            matches!(error, HandshakeError::ExtensionNotOffered { .. }),
            "{value}: {error}"
        );
    }
    let line = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=\"12\"";
    let (negotiated, _) = connect(&sample_client(), &response(&[], &[line])).unwrap();
    let deflate = ExtensionOffer {
        name: "permessage-deflate".to_owned(),
        params: vec![("client_max_window_bits".to_owned(), Some("12".to_owned()))],
    };
    assert_eq!(negotiated.extensions, [deflate]);
}

#[test]
fn c22_rejects_any_extension_when_none_was_offered() {
    let client = client_with("ws://a", options_with_subprotocols(&["chat"])).unwrap();
    let bytes = response(&[], &["Sec-WebSocket-Extensions: permessage-deflate"]);
    let error = connect(&client, &bytes).unwrap_err();
    let extension = "permessage-deflate".to_owned();
    assert_eq!(error, HandshakeError::ExtensionNotOffered { extension });
}

#[test]
fn c23_rejects_malformed_extension_list() {
    for value in [
        "",
        ",",
        ";",
        "permessage-deflate;",
        "permessage-deflate; a=",
        "permessage-deflate; a=\"b c\"",
        "permessage-deflate; a=\"b",
        "permessage-deflate foo",
        "permessage-deflate; a=b c",
        "\"permessage-deflate\"",
    ] {
        let line = format!("Sec-WebSocket-Extensions: {value}");
        let error = connect_error(&response(&[], &[&line]));
        let name = HeaderName::from_static("sec-websocket-extensions");
        assert_eq!(error, HandshakeError::Malformed { name }, "{value}");
    }
}

#[test]
fn c24_rejects_subprotocol_not_offered() {
    for name in ["foo", "Chat", "chat2"] {
        let line = format!("Sec-WebSocket-Protocol: {name}");
        let error = connect_error(&response(&["Sec-WebSocket-Protocol"], &[&line]));
        let subprotocol = name.to_owned();
        assert_eq!(error, HandshakeError::SubprotocolNotOffered { subprotocol });
    }
    let (negotiated, _) = connect(&sample_client(), &response(&[], &[])).unwrap();
    assert_eq!(negotiated.subprotocol.as_deref(), Some("chat"));
    let none = response(&["Sec-WebSocket-Protocol"], &[]);
    let (negotiated, _) = connect(&sample_client(), &none).unwrap();
    assert_eq!(negotiated.subprotocol, None);
}

#[test]
fn c24_rejects_any_subprotocol_when_none_was_offered() {
    let client = client_with("ws://a", ClientOptions::default()).unwrap();
    let error = connect(&client, &response(&[], &[])).unwrap_err();
    let subprotocol = "chat".to_owned();
    assert_eq!(error, HandshakeError::SubprotocolNotOffered { subprotocol });
}

#[test]
fn c25_rejects_accept_twice() {
    let again = format!("Sec-WebSocket-Accept: {SAMPLE_ACCEPT}");
    for line in [
        again.as_str(),
        "Sec-WebSocket-Accept: other",
        "Sec-WebSocket-Accept:",
    ] {
        let name = HeaderName::from_static("sec-websocket-accept");
        let error = connect_error(&response(&[], &[line]));
        assert_eq!(error, HandshakeError::Repeated { name });
    }
}

#[test]
fn c26_rejects_extensions_or_protocol_twice() {
    for (first, second, name) in [
        (
            "Sec-WebSocket-Protocol: chat",
            "Sec-WebSocket-Protocol: chat",
            "sec-websocket-protocol",
        ),
        (
            "Sec-WebSocket-Extensions: permessage-deflate",
            "Sec-WebSocket-Extensions: permessage-deflate",
            "sec-websocket-extensions",
        ),
    ] {
        let bytes = response(&["Sec-WebSocket-Protocol"], &[first, second]);
        let name = HeaderName::from_static(name);
        assert_eq!(connect_error(&bytes), HandshakeError::Repeated { name });
        let once = response(&["Sec-WebSocket-Protocol"], &[first]);
        assert!(connect(&sample_client(), &once).is_ok());
    }
}

#[test]
fn c27_rejects_http_1_0() {
    let bytes = replace(&response(&[], &[]), "HTTP/1.1", b"HTTP/1.0");
    let version = Version::HTTP_10;
    assert_eq!(connect_error(&bytes), HandshakeError::Version { version });
}

#[test]
fn c27_rejects_garbage_status_lines() {
    for (line, error) in [
        ("HTTP/2.0 101 Switching Protocols", HeadError::Version),
        ("HTTP/1.11 101 Switching Protocols", HeadError::StatusLine),
        ("http/1.1 101 Switching Protocols", HeadError::NotHttp),
        ("SSH-2.0-OpenSSH_9.9", HeadError::NotHttp),
        ("220 smtp.example ESMTP", HeadError::NotHttp),
        ("HTTP/1.1 1o1 Switching Protocols", HeadError::StatusLine),
        ("HTTP/1.1 1010 Switching Protocols", HeadError::StatusLine),
        ("HTTP/1.1 10 Switching Protocols", HeadError::StatusLine),
        ("HTTP/1.1 099 Switching Protocols", HeadError::StatusLine),
        ("HTTP/1.1  101 Switching Protocols", HeadError::StatusLine),
        ("HTTP/1.1\t101 Switching Protocols", HeadError::StatusLine),
        ("HTTP/1.1", HeadError::Version),
        ("GET / HTTP/1.1", HeadError::StatusLine),
        (" HTTP/1.1 101 Switching Protocols", HeadError::NotHttp),
    ] {
        let bytes = replace(
            &response(&[], &[]),
            "HTTP/1.1 101 Switching Protocols",
            line.as_bytes(),
        );
        assert_eq!(connect_error(&bytes), HandshakeError::Head(error), "{line}");
    }
}

#[test]
fn c28_response_cut_at_any_byte_passes_and_loses_nothing() {
    let bytes = [response(&[], &[]).as_slice(), FRAMES].concat();
    let (negotiated, rest) = connect(&sample_client(), &bytes).unwrap();
    let expected = Negotiated {
        subprotocol: Some("chat".to_owned()),
        extensions: Vec::new(),
        deflate: None,
    };
    assert_eq!(negotiated, expected);
    assert_eq!(rest, FRAMES);
}

#[test]
fn c29_rejects_header_values_against_their_grammar() {
    for (line, name) in [
        ("Sec-WebSocket-Protocol:", "sec-websocket-protocol"),
        (
            "Sec-WebSocket-Protocol: chat, superchat",
            "sec-websocket-protocol",
        ),
        ("Sec-WebSocket-Protocol: \"chat\"", "sec-websocket-protocol"),
        (
            "Sec-WebSocket-Protocol: ch\u{e4}t",
            "sec-websocket-protocol",
        ),
        (
            "Sec-WebSocket-Extensions: permessage-deflat\u{e9}",
            "sec-websocket-extensions",
        ),
    ] {
        let error = connect_error(&response(&["Sec-WebSocket-Protocol"], &[line]));
        let name = HeaderName::from_static(name);
        assert_eq!(error, HandshakeError::Malformed { name }, "{line}");
    }
    for (line, error) in [
        ("Upgrade: websocket\u{e9}", HandshakeError::Upgrade),
        ("Connection: Upgrade, \u{e9}", HandshakeError::Connection),
        ("Sec-WebSocket-Accept: \u{e9}", HandshakeError::Accept),
    ] {
        let name = line.split(':').next().unwrap();
        assert_eq!(connect_error(&response(&[name], &[line])), error, "{line}");
    }
}

#[test]
fn v12_cookies_of_a_refusal_are_not_shown() {
    let bytes = b"HTTP/1.1 401 Unauthorized\r\nSet-Cookie: id=s3cret\r\nContent-Length: 0\r\n\r\n";
    let error = connect_error(bytes);
    assert!(!format!("{error:?} {error}").contains("s3cret"));
    let HandshakeError::Status(refused) = error else {
        panic!("{error}");
    };
    assert_eq!(refused.headers["set-cookie"], "id=s3cret");
}

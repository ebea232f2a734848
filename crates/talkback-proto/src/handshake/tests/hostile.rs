//! V4, V5 and V7: bytes that are not what they should be, in every place of both roles.

use http::header::{HeaderName, HeaderValue};

use super::super::{encode_request, encode_response};
use super::*;

/// Puts every byte at every place of `message`, and calls `check` with each result that differs:
/// the place, the byte, and the message.
fn with_every_byte(message: &[u8], mut check: impl FnMut(usize, u8, &[u8])) {
    let mut changed = message.to_vec();
    for place in 0..message.len() {
        for byte in (0..=255).filter(|&byte| byte != message[place]) {
            changed[place] = byte;
            check(place, byte, &changed);
        }
        changed[place] = message[place];
    }
}

/// The name of the header line that `place` stands in; empty in the first line.
fn line_name(message: &[u8], place: usize) -> String {
    let start = message[..place]
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |end| end + 1);
    let line = String::from_utf8_lossy(&message[start..]);
    line.split(':')
        .next()
        .filter(|_| start > 0)
        .unwrap_or_default()
        .to_owned()
}

fn is_never_in_a_head(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

#[test]
fn v4_every_byte_at_every_place_of_a_request() {
    let right = request(&[], &[]);
    let mut accepted = 0;
    with_every_byte(&right, |place, byte, bytes| {
        let served = parse_request(bytes)
            .map_err(Refusal::from)
            .and_then(|request| ServerHandshake::read(&request));
        let Ok(handshake) = served else {
            return;
        };
        accepted += 1;
        assert!(!is_never_in_a_head(byte), "{byte:#x} at {place}");
        if byte >= 0x80 {
            assert_eq!(line_name(&right, place), "Origin", "{byte:#x} at {place}");
            assert_eq!(handshake.origin(), None);
        }
    });
    assert!(accepted > 100, "some changes are harmless: {accepted}");
}

#[test]
fn v4_every_byte_at_every_place_of_a_response() {
    let right = response(
        &[],
        &["Sec-WebSocket-Extensions: permessage-deflate; a=\"b\""],
    );
    let client = sample_client();
    let mut accepted = 0;
    with_every_byte(&right, |place, byte, bytes| {
        let Ok(response) = parse_response(bytes) else {
            return;
        };
        if client.validate(&response).is_err() {
            return;
        }
        accepted += 1;
        assert!(!is_never_in_a_head(byte), "{byte:#x} at {place}");
        // Of what is read only the reason phrase may have bytes beyond ASCII.
        assert!(
            byte < 0x80 || line_name(&right, place).is_empty(),
            "{byte:#x} at {place}"
        );
    });
    assert!(accepted > 100, "some changes are harmless: {accepted}");
}

/// Every byte that an HTTP library lets through in a value, alone and at both ends of it.
fn with_every_value(right: &HeaderValue, mut check: impl FnMut(u8, HeaderValue)) {
    for byte in 0..=255 {
        let right = right.as_bytes();
        for value in [
            vec![byte],
            [&[byte], right].concat(),
            [right, &[byte]].concat(),
        ] {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                check(byte, value);
            }
        }
    }
}

#[test]
fn v4_every_byte_in_the_headers_of_an_http_library() {
    let request = parse_request(&request(&[], &[])).unwrap();
    let response = parse_response(&response(
        &[],
        &["Sec-WebSocket-Extensions: permessage-deflate"],
    ))
    .unwrap();
    let (mut requests, mut responses) = (0, 0);
    for (name, right) in request.headers() {
        with_every_value(right, |byte, value| {
            let mut changed = request.clone();
            changed.headers_mut().insert(name, value);
            requests += 1;
            let is_read = ServerHandshake::read(&changed).is_ok();
            assert!(
                byte < 0x80 || !is_read || name == "origin",
                "{byte:#x} in {name}"
            );
        });
    }
    for (name, right) in response.headers() {
        with_every_value(right, |byte, value| {
            let mut changed = response.clone();
            changed.headers_mut().insert(name, value);
            responses += 1;
            let is_valid = sample_client().validate(&changed).is_ok();
            assert!(byte < 0x80 || !is_valid, "{byte:#x} in {name}");
        });
    }
    assert!(
        requests > 5000 && responses > 3000,
        "{requests} and {responses}"
    );
}

#[test]
fn v5_upgrade_with_a_body_is_400_and_the_body_no_frames() {
    for (lines, body) in [
        (&["Content-Length: 4"][..], &b"\x81\x02Hi"[..]),
        (
            &["Transfer-Encoding: chunked"],
            b"4\r\n\x81\x02Hi\r\n0\r\n\r\n",
        ),
        (
            &["Content-Length: 4", "Transfer-Encoding: chunked"],
            b"0\r\n\r\n",
        ),
        (&["Content-Length: 4", "Content-Length: 0"], b"\x81\x02Hi"),
    ] {
        let bytes = [request(&[], lines).as_slice(), body].concat();
        // A refusal carries no bytes: there is nothing that could become frames.
        assert_eq!(refused_status(&bytes), 400, "{lines:?}");
    }
}

#[test]
fn v7_no_control_character_leaves_in_a_caller_s_header_or_subprotocol() {
    for byte in [b'\r', b'\n', 0] {
        assert!(HeaderValue::from_bytes(&[b'a', byte]).is_err());
        assert!(HeaderName::from_bytes(&[b'a', byte]).is_err());
        let subprotocols = vec![format!("a{}b", char::from(byte))];
        let options = ClientOptions {
            subprotocols,
            ..ClientOptions::default()
        };
        assert!(matches!(
            client_with("ws://a", options),
            Err(HandshakeError::InvalidSubprotocol { .. })
        ));
        let chosen = format!("chat{}", char::from(byte));
        assert!(
            served(&request(&[], &[]))
                .accept(Some(&chosen), None)
                .is_err()
        );
    }
}

#[test]
fn v7_what_is_sent_has_one_line_for_each_header() {
    let request = sample_client().request();
    let response = served(&super::request(&[], &[]))
        .accept(Some("chat"), None)
        .unwrap();
    for (bytes, headers) in [
        (encode_request(&request), request.headers().len()),
        (encode_response(&response), response.headers().len()),
    ] {
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches('\n').count(), headers + 2);
        assert_eq!(text.matches('\r').count(), headers + 2);
    }
}

//! Heads as bytes: limits, strictness and spelling. V1, V2 and V17.

use super::super::{encode_request, encode_response};
use super::*;

#[test]
fn v1_head_of_20_mb_in_1_byte_writes_is_refused_at_the_limit() {
    for piece in ["a", "X: y\r\n"] {
        let mut reader = HeadReader::new(HeadLimits::default().headers_max(usize::MAX));
        assert_eq!(reader.handle(b"GET / HTTP/1.1\r\nX-Long: \r\n"), Ok(None));
        let mut errors = 0;
        for byte in piece.as_bytes().iter().cycle().take(20 << 20) {
            if reader.handle(&[*byte]).is_err() {
                errors += 1;
            }
        }
        assert_eq!(errors, (20 << 20) - 16 * 1024 + 26);
        assert_eq!(
            reader.work,
            16 * 1024 + 1,
            "each byte up to the limit is looked at once"
        );
        let size_max = 16 * 1024;
        assert_eq!(reader.handle(b""), Err(HeadError::TooLarge { size_max }));
        assert_eq!(
            Refusal::from(HeadError::TooLarge { size_max }).status(),
            431
        );
    }
}

#[test]
fn v1_work_is_linear_however_the_head_is_cut() {
    let bytes = request(&[], &["X-Long: yes"; 80]);
    for size in [1, 2, 7, bytes.len()] {
        let mut reader = HeadReader::new(HeadLimits::default());
        for piece in bytes.chunks(size) {
            reader.handle(piece).unwrap();
        }
        assert_eq!(reader.work, bytes.len());
    }
}

#[test]
fn head_of_exactly_the_limit_passes() {
    let bytes = request(&[], &[]);
    let limits = |size_max| HeadLimits::default().size_max(size_max);
    let outcome = |size_max| {
        replay(&bytes, |pieces| {
            let mut reader = HeadReader::new(limits(size_max));
            for piece in pieces {
                if reader.handle(piece)?.is_some() {
                    return Ok(reader.request().is_ok());
                }
            }
            Err(HeadError::Incomplete)
        })
    };
    assert_eq!(outcome(bytes.len()), Ok(true));
    let size_max = bytes.len() - 1;
    assert_eq!(outcome(size_max), Err(HeadError::TooLarge { size_max }));
    assert_eq!(outcome(0), Err(HeadError::TooLarge { size_max: 0 }));
}

#[test]
fn v2_one_header_more_than_the_limit_with_upgrade_last() {
    // Seven lines of the sample stay, and Upgrade comes last.
    let filled = |count: usize| {
        let mut lines = vec!["X-Fill: 1"; count - 8];
        lines.push("Upgrade: websocket");
        request(&["Upgrade"], &lines)
    };
    served(&filled(100));
    assert_eq!(refused_status(&filled(101)), 431);
    let error = parse_response(&filled(101)).unwrap_err();
    assert_eq!(error, HeadError::TooManyHeaders { headers_max: 100 });
}

#[test]
fn v17_bytes_behind_the_head_are_the_callers() {
    for rest in [
        &b""[..],
        b"\r\n",
        b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        FRAMES,
        b"\0\n\r",
    ] {
        let bytes = [request(&[], &[]).as_slice(), rest].concat();
        assert_eq!(serve(&bytes).unwrap().1, rest);
        let bytes = [response(&[], &[]).as_slice(), rest].concat();
        assert_eq!(connect(&sample_client(), &bytes).unwrap().1, rest);
    }
}

#[test]
fn complete_head_takes_nothing_more() {
    let (mut reader, _) = read_head(&[&request(&[], &[])]).unwrap();
    assert_eq!(reader.handle(FRAMES), Ok(Some(0)));
    assert!(reader.request().is_ok());
    assert_eq!(reader.head(), request(&[], &[]));
}

#[test]
fn tells_at_the_first_byte_that_a_peer_does_not_speak_http() {
    let first = |byte: u8| HeadReader::new(HeadLimits::default()).handle(&[byte]);
    assert_eq!(first(0x16), Err(HeadError::Tls));
    assert_eq!(first(0x15), Err(HeadError::Tls));
    for byte in [0, b'\r', b'\n', b' ', b':', 0x7f, 0x80, 0xff] {
        assert_eq!(first(byte), Err(HeadError::NotHttp), "{byte}");
    }
    for byte in *b"GHP" {
        assert_eq!(first(byte), Ok(None));
    }
    let client_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    assert_eq!(refused_status(client_hello), 400);
}

#[test]
fn tells_at_the_end_of_the_first_line_that_a_peer_does_not_speak_http() {
    let mut reader = HeadReader::new(HeadLimits::default());
    assert_eq!(reader.handle(b"SSH-2.0-OpenSSH_9.9\r"), Ok(None));
    assert_eq!(reader.handle(b"\n"), Err(HeadError::NotHttp));
}

#[test]
fn bodies_of_the_types_are_what_the_bytes_say() {
    let request = parse_request(&request(&[], &["X-Two: 1", "x-two: 2"])).unwrap();
    assert_eq!(request.uri(), "/chat");
    let values: Vec<_> = request.headers().get_all("x-two").iter().collect();
    assert_eq!(values, ["1", "2"]);
    assert_eq!(request.headers().len(), 10);
    let response = parse_response(b"HTTP/1.1 101\r\nA:b\r\n\r\n").unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["a"]),
        (101, &"b".parse().unwrap())
    );
}

#[test]
fn names_are_spelled_as_in_the_rfcs() {
    let text = String::from_utf8(encode_request(&sample_client().request())).unwrap();
    assert_eq!(
        text,
        "GET /chat HTTP/1.1\r\n\
         Host: server.example.com\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: chat, superchat\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
    );
    let response = Response::builder()
        .status(404)
        .header("www-authenticate", "x")
        .header("x-y--z", "x")
        .header("-a-", "x")
        .body(())
        .unwrap();
    let text = String::from_utf8(encode_response(&response)).unwrap();
    assert_eq!(
        text,
        "HTTP/1.1 404 Not Found\r\nWWW-Authenticate: x\r\nX-Y--Z: x\r\n-A-: x\r\n\r\n"
    );
}

#[test]
fn s12_fails_at_the_first_byte_that_no_head_has() {
    for (bytes, error) in [
        (&b"GET / HTTP/1.1\n"[..], HeadError::LineEnd),
        (b"GET / HTTP/1.1\rX", HeadError::LineEnd),
        (b"GET / HTTP/1.1\r\r", HeadError::LineEnd),
        (b"GET / HTTP/1.1\r\nX: y\n", HeadError::LineEnd),
        (b"GET / HTTP/1.1\r\nX: \0", HeadError::ControlCharacter),
        (b"GET / HTTP/1.1\r\nX: \x1b", HeadError::ControlCharacter),
        (b"GET / HTTP/1.1\r\nX: \x7f", HeadError::ControlCharacter),
    ] {
        let (last, before) = bytes.split_last().unwrap();
        let mut reader = HeadReader::new(HeadLimits::default());
        assert_eq!(reader.handle(before), Ok(None), "{}", bytes.escape_ascii());
        assert_eq!(
            reader.handle(&[*last]),
            Err(error),
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn s12_a_line_of_white_space_does_not_end_the_head() {
    for space in ["\t", " ", "\t\t", " \t"] {
        let mut reader = HeadReader::new(HeadLimits::default());
        let head = format!("GET / HTTP/1.1\r\n{space}\r\n");
        assert_eq!(reader.handle(head.as_bytes()), Ok(None), "{space:?}");
        assert_eq!(reader.handle(b"\r\n"), Ok(Some(2)));
        assert_eq!(reader.request().unwrap_err(), HeadError::Header);
    }
}

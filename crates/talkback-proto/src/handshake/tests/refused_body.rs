//! The beginning of a refusal's body (C18), in each of its framings.

use super::*;

/// What is kept of `body` behind a head with the header `line`, and whether that was its end.
#[track_caller]
fn collect(line: &str, body: &[u8]) -> (Vec<u8>, bool) {
    let head = message("HTTP/1.1 403 Forbidden", &[], &[], &[line]);
    let response = parse_response(&head).unwrap();
    replay(body, |pieces| {
        let mut collector = RefusedBody::new(&response);
        for piece in pieces {
            collector.handle(piece);
        }
        let is_done = collector.handle(b"");
        (collector.finish().to_vec(), is_done)
    })
}

#[test]
fn c18_body_of_a_stated_length() {
    assert_eq!(
        collect("Content-Length: 3", b"abcdef"),
        (b"abc".to_vec(), true)
    );
    assert_eq!(collect("Content-Length: 3", b"ab"), (b"ab".to_vec(), false));
    assert_eq!(collect("Content-Length: 0", b"ab"), (b"".to_vec(), true));
    assert_eq!(
        collect("Content-Length: 18446744073709551615", b"ab"),
        (b"ab".to_vec(), false)
    );
}

#[test]
fn c18_body_until_the_end_of_the_connection() {
    for line in [
        "X: y",
        "Content-Length: x",
        "Content-Length: +2",
        "Content-Length: ",
        "Content-Length: 18446744073709551616",
        "Content-Length: 1\r\nContent-Length: 2",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
    ] {
        assert_eq!(collect(line, b"abc"), (b"abc".to_vec(), false), "{line}");
    }
}

#[test]
fn c18_body_in_chunks() {
    let line = "Transfer-Encoding: gzip, Chunked";
    for (body, expected, is_done) in [
        (
            &b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"[..],
            &b"abcde"[..],
            true,
        ),
        (b"0A \r\n0123456789\r\n", b"0123456789", false),
        (b"3\r\nabc\r\n0;last\r\nTrailer: x\r\n\r\n", b"abc", true),
        (b"ff\r\nabc", b"abc", false),
        (b"ffffffffffffffff\r\nabc", b"abc", false),
        (b"10000000000000000\r\nabc", b"", true),
        (b"x\r\nabc", b"", true),
        (b"\r\nabc", b"", true),
        (b"-1\r\nabc", b"", true),
        (b"3\r\nabcd\r\n", b"abc", true),
    ] {
        let kept = collect(line, body);
        assert_eq!(
            kept,
            (expected.to_vec(), is_done),
            "{}",
            body.escape_ascii()
        );
    }
    let both = "Transfer-Encoding: chunked\r\nContent-Length: 1";
    assert_eq!(collect(both, b"2\r\nab\r\n0\r\n"), (b"ab".to_vec(), true));
}

#[test]
fn c18_keeps_at_most_4096_bytes() {
    let body = vec![b'x'; 5000];
    for line in ["X: y", "Content-Length: 5000"] {
        let (kept, is_done) = collect(line, &body);
        assert_eq!((kept.len(), is_done), (4096, true));
    }
    let chunked = [b"1388\r\n".as_slice(), &body].concat();
    let (kept, is_done) = collect("Transfer-Encoding: chunked", &chunked);
    assert_eq!((kept.len(), is_done), (4096, true));
}

#[test]
fn c18_endless_chunk_headers_end_the_body() {
    let head = message(
        "HTTP/1.1 403 Forbidden",
        &[],
        &[],
        &["Transfer-Encoding: chunked"],
    );
    let response = parse_response(&head).unwrap();
    for piece in [&b"1\r\na\r\n"[..], b"1;", b"0"] {
        let mut collector = RefusedBody::new(&response);
        let mut sent = 0;
        while !collector.handle(piece) {
            sent += piece.len();
            assert!(sent <= 16 * 1024);
        }
    }
}

#[test]
fn c18_what_is_read_ends_at_the_same_byte_however_it_is_cut() {
    let line = "Transfer-Encoding: chunked";
    let head = message("HTTP/1.1 403 Forbidden", &[], &[], &[line]);
    let response = parse_response(&head).unwrap();
    // The size of a chunk, padded so that one byte of its data is within what is read.
    let body = format!("3;{}\nabc", "x".repeat(16 * 1024 - 4));
    for size in [1, body.len()] {
        let mut collector = RefusedBody::new(&response);
        let mut pieces = body.as_bytes().chunks(size);
        assert!(pieces.any(|piece| collector.handle(piece)));
        assert_eq!(collector.finish(), "a", "in pieces of {size}");
    }
}

#[test]
fn c18_statuses_without_a_body() {
    for status in [
        "100 Continue",
        "103 Early Hints",
        "204 No Content",
        "304 Not Modified",
    ] {
        let head = message(
            &format!("HTTP/1.1 {status}"),
            &[],
            &[],
            &["Content-Length: 3"],
        );
        let mut collector = RefusedBody::new(&parse_response(&head).unwrap());
        assert!(collector.handle(b"abc"));
        assert!(collector.finish().is_empty());
    }
}

#[test]
fn c18_empty_body_is_complete_before_any_byte() {
    let head = message("HTTP/1.1 403 Forbidden", &[], &[], &["Content-Length: 0"]);
    let mut collector = RefusedBody::new(&parse_response(&head).unwrap());
    assert!(collector.handle(b""));
    assert!(collector.finish().is_empty());
}

//! What errors of the opening handshake tell a person: what happened, and what to do.

use http::StatusCode;

use super::*;

fn refused(status: u16, body: &'static str) -> HandshakeError {
    let response = Response::builder().status(status).body(()).unwrap();
    HandshakeError::refused(&response, body.into())
}

#[test]
fn v12_the_body_of_a_refusal_is_shown_by_its_size_only() {
    let HandshakeError::Status(refused) = refused(403, "s3cret page") else {
        panic!("it is a refusal");
    };
    let shown = format!("{refused:?}");
    assert!(shown.contains("403") && shown.contains("11"), "{shown}");
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn v12_what_is_being_read_is_shown_by_its_size_only() {
    let head = b"HTTP/1.1 403 Forbidden\r\nSet-Cookie: s3cret\r\n\r\n";
    let mut reader = HeadReader::new(HeadLimits::default());
    reader.handle(head).unwrap();
    let mut body = RefusedBody::new(&reader.response().unwrap());
    body.handle(b"s3cret");
    let shown = format!("{reader:?} {body:?}");
    // As text, or as the numbers of its bytes.
    for secret in ["s3cret".to_owned(), "115, 51, 99".to_owned()] {
        assert!(!shown.contains(&secret), "{shown}");
    }
    assert!(
        shown.contains("size: 46") && shown.contains("body_size: 6"),
        "{shown}"
    );
}

#[test]
fn v12_only_what_may_be_a_secret_is_marked_as_one() {
    let response = Response::builder()
        .status(302)
        .header("location", "/?token=s3cret")
        .header("set-cookie", "id=s3cret")
        .header("server", "example")
        .body(())
        .unwrap();
    let HandshakeError::Status(refused) = HandshakeError::refused(&response, "".into()) else {
        panic!("it is a refusal");
    };
    for (name, is_secret) in [("location", true), ("set-cookie", true), ("server", false)] {
        assert_eq!(refused.headers[name].is_sensitive(), is_secret, "{name}");
    }
    let shown = format!("{refused:?}");
    assert!(
        shown.contains("server") && !shown.contains("example") && !shown.contains("s3cret"),
        "{shown}"
    );
}

#[test]
fn a_refusal_gives_its_headers_back() {
    let name = http::header::RETRY_AFTER;
    let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "full")
        .with_header(name.clone(), "1".parse().unwrap())
        .with_header(name.clone(), "9".parse().unwrap());
    assert_eq!(refusal.headers().len(), 1, "the later takes the place");
    assert_eq!(refusal.headers()[name], "9");
}

#[test]
fn a_refusal_says_its_status_and_its_reason() {
    let refusal = Refusal::new(StatusCode::FORBIDDEN, "log in first");
    assert_eq!(
        refusal.to_string(),
        "the opening handshake was refused with 403 Forbidden: log in first"
    );
    let refusal = Refusal::not_found();
    let text = refusal.to_string();
    assert!(text.contains("404 Not Found") && text.contains(refusal.reason()));
    assert!(refusal.reason().contains("path"), "{text}");
}

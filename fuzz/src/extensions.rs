//! The target `extension_header`: the grammar of `Sec-WebSocket-Extensions` (RFC 6455 §9.1), which
//! both handshakes read. The lines of an input are lines of the header.

use http::header::{HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_EXTENSIONS};
use talkback_proto::handshake::{
    ClientHandshake, ClientOptions, ExtensionOffer, HandshakeError, Refusal, ServerHandshake, WsUrl,
};
use talkback_testing::heap;

/// What a request and the answer to it take besides the extensions.
const HEAP_BASE: usize = 16 * 1024;

/// What an extension may take for each byte of the header: a name and a list for `a,`.
const HEAP_FACTOR: usize = 128;

/// Holds that the list is understood alike in one line or several, by both ends, and when it is
/// written again.
pub fn check(input: &[u8]) {
    let lines = input.split(|&byte| byte == b'\n');
    let Ok(lines) = lines
        .map(HeaderValue::from_bytes)
        .collect::<Result<Vec<_>, _>>()
    else {
        return;
    };
    let (offers, heap) = heap::measure(|| offers(&lines));
    let bound = HEAP_BASE + HEAP_FACTOR * input.len();
    assert!(heap.peak <= bound as isize, "{heap:?}, over {bound}");
    let joined: Vec<&[u8]> = lines.iter().map(HeaderValue::as_bytes).collect();
    let joined = HeaderValue::from_bytes(&joined.join(&b", "[..])).expect("lines may be joined");
    let from_joined = self::offers(std::slice::from_ref(&joined));
    assert_eq!(
        from_joined, offers,
        "several lines count as joined (RFC 7230 §3.2.2)"
    );
    assert_eq!(is_client_content(joined), offers.is_ok());
    match offers {
        Ok(offers) => check_offers(&offers),
        Err(refusal) => assert_eq!(refusal.status(), 400),
    }
}

fn check_offers(offers: &[ExtensionOffer]) {
    assert!(!offers.is_empty());
    for offer in offers {
        check_token(&offer.name);
        for (name, value) in &offer.params {
            check_token(name);
            value.iter().for_each(|value| check_token(value));
        }
    }
    let written: Vec<String> = offers.iter().map(ToString::to_string).collect();
    let written = HeaderValue::try_from(written.join(",")).expect("tokens are visible ASCII");
    assert_eq!(self::offers(&[written]).as_deref(), Ok(offers));
}

/// The standard library of tokens is that of header names (RFC 7230 §3.2.6).
fn check_token(text: &str) {
    assert!(HeaderName::from_bytes(text.as_bytes()).is_ok(), "{text:?}");
}

/// What a server reads in these header lines.
fn offers(lines: &[HeaderValue]) -> Result<Vec<ExtensionOffer>, Refusal> {
    let mut request = http::Request::new(());
    let headers: &mut HeaderMap = request.headers_mut();
    for (name, value) in [
        ("host", "server.example.com"),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for line in lines {
        headers.append(SEC_WEBSOCKET_EXTENSIONS, line.clone());
    }
    Ok(ServerHandshake::read(&request)?.extensions().to_vec())
}

/// Whether a client would send this header.
fn is_client_content(value: HeaderValue) -> bool {
    let url = WsUrl::parse("ws://server.example.com/").expect("a URL");
    let mut options = ClientOptions::default();
    options.extensions = Some(value);
    match ClientHandshake::new(&url, options, *b"the sample nonce") {
        Ok(_) => true,
        Err(HandshakeError::InvalidExtensions) => false,
        Err(other) => panic!("{other}"),
    }
}

//! The case of header names.

use http::HeaderName;

/// Spells a header name as the RFCs do: `Sec-WebSocket-Key`, `WWW-Authenticate`.
pub(super) fn conventional_case(name: &HeaderName) -> String {
    let mut text = Vec::new();
    push_conventional_case(&mut text, name);
    String::from_utf8(text).expect("a header's name is ASCII")
}

/// Appends a header name, [spelled so](conventional_case).
pub(super) fn push_conventional_case(text: &mut Vec<u8>, name: &HeaderName) {
    let begin = text.len();
    text.extend_from_slice(name.as_str().as_bytes());
    for word in text[begin..].split_mut(|&byte| byte == b'-') {
        match &*word {
            b"websocket" => word.copy_from_slice(b"WebSocket"),
            b"www" => word.make_ascii_uppercase(),
            _ => {
                let size = word.len().min(1);
                word[..size].make_ascii_uppercase();
            }
        }
    }
}

//! The case of header names.

use http::HeaderName;

/// Spells a header name as the RFCs do: `Sec-WebSocket-Key`, `WWW-Authenticate`.
pub(super) fn conventional_case(name: &HeaderName) -> String {
    let words: Vec<String> = name.as_str().split('-').map(capitalize).collect();
    words.join("-")
}

fn capitalize(word: &str) -> String {
    match word {
        "websocket" => "WebSocket".to_owned(),
        "www" => "WWW".to_owned(),
        _ => {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_ascii_uppercase() + rest
        }
    }
}

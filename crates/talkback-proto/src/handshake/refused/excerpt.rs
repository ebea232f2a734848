//! What of a refusal's body is shown to a person.

use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};

use super::asked::Asked;

/// How many characters are shown.
const SHOWN_MAX: usize = 200;

/// The beginning of a body of text in one line, or a web page's title; without what the request held
/// and may be secret, as many servers repeat what was asked for.
///
/// What a terminal would take for an order, or would turn the direction of, is escaped.
pub(super) fn of(
    headers: &HeaderMap,
    status: StatusCode,
    body: &[u8],
    asked: Asked<'_>,
) -> Option<String> {
    let is_identity = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(is_identity) {
        return None;
    }
    let text = whole_characters(body)?;
    let text = match is_page(headers, text) {
        true => title(text)?,
        false => text,
    };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = asked.without_secrets(&line);
    // "404 Not Found", or the one or the other.
    let is_status = status.to_string().contains(&shown);
    if shown.is_empty() || is_status || shown.contains('\0') {
        return None;
    }
    let (shown, cut) = match shown.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => (&shown[..end], "…"),
        None => (&shown[..], ""),
    };
    let escaped = shown.escape_debug().to_string();
    // Quotes do no harm.
    let escaped = escaped.replace("\\\"", "\"").replace("\\'", "'");
    Some(escaped + cut)
}

/// The body as UTF-8, whose end may be cut within a character.
fn whole_characters(body: &[u8]) -> Option<&str> {
    match std::str::from_utf8(body) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&body[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

fn is_page(headers: &HeaderMap, text: &str) -> bool {
    let kind = headers.get(CONTENT_TYPE);
    let is_html = kind.is_some_and(|kind| {
        let kind = kind.as_bytes().to_ascii_lowercase();
        kind.starts_with(b"text/html") || kind.starts_with(b"application/xhtml")
    });
    is_html || text.trim_start().starts_with('<')
}

fn title(page: &str) -> Option<&str> {
    // ASCII alone changes, so that the places are the same.
    let lower = page.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower[start..].find('>')? + 1;
    let size = lower[start..].find("</title")?;
    Some(&page[start..start + size])
}

//! Where a `Location` leads (RFC 9110 §10.2.2).

use http::header::{HeaderMap, HeaderValue, LOCATION};

use super::url::WsUrl;

/// Why a response says no place.
pub(super) enum NoLocation {
    Missing,
    /// It stands there more than once, and not the same.
    Several,
}

/// The `Location` of a response.
pub(super) fn of(headers: &HeaderMap) -> Result<&HeaderValue, NoLocation> {
    let mut locations = headers.get_all(LOCATION).iter();
    let location = locations.next().ok_or(NoLocation::Missing)?;
    match locations.all(|other| other == location) {
        true => Ok(location),
        false => Err(NoLocation::Several),
    }
}

/// The WebSocket that a `Location` stands for: a URL of HTTP or WebSocket, or a reference that the
/// request's URL completes (RFC 3986 §5.2).
pub(super) fn resolve(location: &str, base: &WsUrl) -> Option<WsUrl> {
    let reference = location.split('#').next()?;
    let text = match reference.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => {
            let scheme = match scheme.to_ascii_lowercase().as_str() {
                "http" | "ws" => "ws",
                "https" | "wss" => "wss",
                _ => return None,
            };
            format!("{scheme}://{rest}")
        }
        _ => complete(reference, base)?,
    };
    WsUrl::parse(&text).ok()
}

/// Whether a `Location` has a user name or a password, or room for them.
pub(super) fn has_user_info(location: &str) -> bool {
    let reference = location.split('#').next().unwrap_or_default();
    let rest = match reference.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => Some(rest),
        _ => reference.strip_prefix("//"),
    };
    let authority = rest.and_then(|rest| rest.split(['/', '?']).next());
    authority.is_some_and(|authority| authority.contains('@'))
}

fn is_scheme(text: &str) -> bool {
    let is_scheme_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    !text.is_empty() && text.bytes().all(is_scheme_byte)
}

fn complete(reference: &str, base: &WsUrl) -> Option<String> {
    let scheme = if base.is_secure() { "wss" } else { "ws" };
    if reference.starts_with("//") {
        return Some(format!("{scheme}:{reference}"));
    }
    let (path, query) = reference.split_at(reference.find('?').unwrap_or(reference.len()));
    let base_path = base.request_target().split('?').next()?;
    let path = match path {
        // "if defined(R.query) then T.query = R.query; else T.query = Base.query" (RFC 3986 §5.2.2).
        "" if query.is_empty() => base.request_target().to_owned(),
        "" => base_path.to_owned(),
        path if path.starts_with('/') => without_dots(path),
        // Another scheme: `mailto:`, `about:`.
        path if path.split('/').next()?.contains(':') => return None,
        path => {
            let (folder, _) = base_path.rsplit_once('/')?;
            without_dots(&format!("{folder}/{path}"))
        }
    };
    Some(format!("{scheme}://{}{path}{query}", base.host_header()))
}

/// RFC 3986 §5.2.4.
fn without_dots(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let mut rest = path.split('/').skip(1).peekable();
    while let Some(segment) = rest.next() {
        let is_last = rest.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    segments.pop();
                }
                if is_last {
                    segments.push("");
                }
            }
            segment => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

//! The request and the response of the opening handshake, as lines.

use talkback::http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, LOCATION, ORIGIN,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, SET_COOKIE, UPGRADE,
    USER_AGENT,
};
use talkback::http::{Request, Response};

/// The headers of a request that hold no secret; any other may.
const SHOWN: [HeaderName; 9] = [
    CONNECTION,
    CONTENT_LENGTH,
    HOST,
    ORIGIN,
    SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION,
    UPGRADE,
    USER_AGENT,
];

/// Without the query, and without the values of headers that may be secrets.
pub(super) fn of_request(request: &Request<()>, mark: char) -> Vec<String> {
    let uri = request.uri();
    let query = match uri.query() {
        Some(_) => "?…",
        None => "",
    };
    let (method, path) = (request.method(), uri.path());
    let first = format!("{mark} {method} {path}{query} HTTP/1.1");
    with_headers(first, mark, request.headers(), |name| SHOWN.contains(name))
}

/// Without cookies, and of where it leads without what may be secrets.
pub(super) fn of_response(response: &Response<()>) -> Vec<String> {
    let first = format!("< {:?} {}", response.version(), response.status());
    with_headers(first, '<', response.headers(), |name| name != SET_COOKIE)
}

fn with_headers(
    first: String,
    mark: char,
    headers: &HeaderMap,
    is_shown: impl Fn(&HeaderName) -> bool,
) -> Vec<String> {
    let mut lines = vec![first];
    lines.extend(headers.iter().map(|(name, value)| {
        let value = match is_shown(name) {
            true => String::from_utf8_lossy(value.as_bytes()),
            false => "…".into(),
        };
        let value = match name == LOCATION {
            true => place(&value).into(),
            false => value,
        };
        format!("{mark} {name}: {value}")
    }));
    lines
}

/// Of a URL, or a part of one, the scheme, the host, the port and the path: what is left may be secrets.
fn place(url: &str) -> String {
    let (shown, rest) = url.split_at(url.find(['?', '#']).unwrap_or(url.len()));
    let rest = match rest.get(..1) {
        Some(mark) => format!("{mark}…"),
        None => String::new(),
    };
    let is_slash = ['/', '\\'];
    let colon = shown.find(':');
    let colon = colon.filter(|colon| !shown[..*colon].contains(is_slash));
    let (scheme, after) = shown.split_at(colon.map_or(0, |colon| colon + 1));
    let slashes = after.len() - after.trim_start_matches(is_slash).len();
    let (slashes, after) = after.split_at(slashes);
    let (authority, path) = after.split_at(after.find(is_slash).unwrap_or(after.len()));
    match authority.rsplit_once('@') {
        // Behind a scheme a browser takes other numbers of slashes for the two before the host.
        Some((_, host)) if !scheme.is_empty() || slashes.len() > 1 => {
            format!("{scheme}{slashes}…@{host}{path}{rest}")
        }
        _ => format!("{shown}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v12_heads_show_no_secret() {
        let request = Request::builder()
            .uri("/a?token=hunter2")
            .header("Host", "a.example")
            .header("Authorization", "hunter2")
            .header("X-Api-Key", "hunter2")
            .header("Sec-WebSocket-Protocol", "hunter2")
            .body(());
        assert_eq!(
            of_request(&request.unwrap(), '>'),
            [
                "> GET /a?… HTTP/1.1",
                "> host: a.example",
                "> authorization: …",
                "> x-api-key: …",
                "> sec-websocket-protocol: …",
            ]
        );
        let response = Response::builder()
            .status(101)
            .header("Set-Cookie", "hunter2")
            .header("Location", "/b?token=hunter2")
            .header("Server", "x?y");
        assert_eq!(
            of_response(&response.body(()).unwrap()),
            [
                "< HTTP/1.1 101 Switching Protocols",
                "< set-cookie: …",
                "< location: /b?…",
                "< server: x?y"
            ]
        );
    }

    #[test]
    fn v12_where_a_redirect_leads_is_shown_without_secrets() {
        for (url, shown) in [
            ("/@b", "/@b"),
            ("b@c:/", "b@c:/"),
            ("/b?token=hunter2#x", "/b?…"),
            ("/b#token=hunter2?x", "/b#…"),
            ("//a:80/@b", "//a:80/@b"),
            ("//u:hunter2@a:80/@b", "//…@a:80/@b"),
            ("https://u:hunter2@a/b?hunter2", "https://…@a/b?…"),
            ("https://u@hunter2@[::1]:80", "https://…@[::1]:80"),
            ("https:/u:hunter2@a", "https:/…@a"),
            ("https:u:hunter2@a", "https:…@a"),
            ("\\\\u:hunter2@a\\b", "\\\\…@a\\b"),
            ("", ""),
        ] {
            assert_eq!(place(url), shown, "{url}");
        }
    }
}

//! `upgrade`: what is told to the client of an HTTP server, and to the program. What the server does with the
//! response and the connection is in the tests of `upgrade`.

use http::{HeaderMap, Request, Version};
use talkback::{AcceptError, upgrade};

/// A request that nobody has read from a connection, with these headers changed; no value takes one away.
fn request(version: Version, headers: &[(&'static str, &str)]) -> Request<()> {
    let mut map = HeaderMap::new();
    for (name, value) in [
        ("host", "a.example"),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
    ] {
        map.insert(name, value.parse().unwrap());
    }
    for (name, value) in headers {
        match value.is_empty() {
            true => drop(map.remove(*name)),
            false => drop(map.insert(*name, value.parse().unwrap())),
        }
    }
    let mut request = Request::new(());
    *request.version_mut() = version;
    *request.headers_mut() = map;
    request
}

#[tokio::test]
async fn l10_l11_l12_each_refusal_of_an_upgrade_tells_what_to_do() {
    type Headers = &'static [(&'static str, &'static str)];
    let table: [(Version, Headers, u16, &str); 7] = [
        (
            Version::HTTP_10,
            &[("upgrade", ""), ("connection", "close")],
            505,
            "took the header Upgrade away: have it speak HTTP/1.1 (nginx: `proxy_http_version 1.1;`) and pass Upgrade and Connection on (nginx: `proxy_set_header Upgrade $http_upgrade;` and `proxy_set_header Connection \"upgrade\";`, Apache: `ProxyPass … upgrade=websocket`)",
        ),
        (
            Version::HTTP_2,
            &[],
            505,
            "a WebSocket is opened over HTTP/1.1, and this request came as HTTP/2.0: have the client, or a proxy before this server, use HTTP/1.1",
        ),
        (
            Version::HTTP_11,
            &[("upgrade", ""), ("connection", "close")],
            426,
            "have it pass Upgrade and Connection on (nginx: `proxy_set_header Upgrade $http_upgrade;` and `proxy_set_header Connection \"upgrade\";`, Apache: `ProxyPass … upgrade=websocket`)",
        ),
        (
            Version::HTTP_11,
            &[("connection", "close")],
            400,
            "have a proxy before this server pass it on (nginx: `proxy_set_header Upgrade $http_upgrade;` and `proxy_set_header Connection \"upgrade\";`, Apache: `ProxyPass … upgrade=websocket`)",
        ),
        (
            Version::HTTP_11,
            &[
                ("host", "127.0.0.1:3000"),
                ("origin", "https://app.example"),
            ],
            403,
            "The Host that it was compared with is \"127.0.0.1:3000\": if the page is of this server, have a proxy before it pass the Host on (nginx: `proxy_set_header Host $http_host;`), else allow the origin with `origin_policy`",
        ),
        (
            Version::HTTP_11,
            &[
                ("upgrade", ""),
                ("connection", ""),
                ("sec-websocket-key", ""),
                ("sec-websocket-version", ""),
            ],
            426,
            "connect with a WebSocket client (the header Upgrade: websocket is missing or malformed)",
        ),
        (
            Version::HTTP_11,
            &[],
            500,
            "this HTTP server does not hand over its connections: serve them with hyper 1, and call `upgrade` once for a request",
        ),
    ];
    for (version, headers, status, end) in table {
        let (response, upgrading) = upgrade(&mut request(version, headers)).answer();
        assert_eq!(response.status(), status, "{headers:?}");
        let error = upgrading.await.map(drop).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, AcceptError::Refused(_)), "{text}");
        assert!(text.ends_with(end) && !text.contains('\n'), "{text}");
    }
}

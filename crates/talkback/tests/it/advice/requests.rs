//! Requests that a server refuses: what its client is told, and what whoever runs it is.

use std::fmt::Write as _;
use std::time::Duration;

use talkback::{Accept, AcceptError, Approval, HeadLimits, OriginPolicy, Refusal, accept};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// One request, and what is said to it.
struct Case {
    cause: &'static str,
    change: fn(Accept<DuplexStream>) -> Accept<DuplexStream>,
    request: &'static str,
    /// The status, and the body's line.
    told: &'static str,
    /// What whoever runs the server is told beside that.
    hint: &'static str,
}

const CASES: &[Case] = &[
    Case {
        cause: "nginx as it is by default",
        change: |it| it,
        request: "GET / HTTP/1.0\r\nHost: backend\r\nConnection: close\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        told: "505 HTTP Version Not Supported: a WebSocket is opened over HTTP/1.1, and a proxy before this server passed the request on as HTTP/1.0 and took the header Upgrade away: have it speak HTTP/1.1 (nginx: `proxy_http_version 1.1;`) and pass Upgrade and Connection on (nginx: `proxy_set_header Upgrade $http_upgrade;` and `proxy_set_header Connection \"upgrade\";`, Apache: `ProxyPass … upgrade=websocket`)",
        hint: "",
    },
    Case {
        cause: "a proxy of HTTP/1.0 that passes the headers on",
        change: |it| it,
        request: "GET / HTTP/1.0\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        told: "505 HTTP Version Not Supported: a WebSocket is opened over HTTP/1.1, and this request came as HTTP/1.0: have a proxy before this server speak HTTP/1.1 (nginx: `proxy_http_version 1.1;`)",
        hint: "",
    },
    Case {
        cause: "a proxy that takes Upgrade away",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        told: "426 Upgrade Required: a proxy before this server took the header Upgrade away, which a request for a WebSocket has: have it pass Upgrade and Connection on (nginx: `proxy_set_header Upgrade $http_upgrade;` and `proxy_set_header Connection \"upgrade\";`, Apache: `ProxyPass … upgrade=websocket`)",
        hint: "",
    },
    Case {
        cause: "a proxy that takes Connection away",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: close\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        told: "400 Bad Request: the header Connection: Upgrade is missing or malformed: have a proxy before this server pass it on (nginx: `proxy_set_header Upgrade $http_upgrade;` and `proxy_set_header Connection \"upgrade\";`, Apache: `ProxyPass … upgrade=websocket`)",
        hint: "",
    },
    Case {
        cause: "a browser's address bar",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        told: "426 Upgrade Required: this is a WebSocket server: connect with a WebSocket client (the header Upgrade: websocket is missing or malformed)",
        hint: "",
    },
    Case {
        cause: "another protocol",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        told: "426 Upgrade Required: this is a WebSocket server: connect with a WebSocket client (the header Upgrade: websocket is missing or malformed)",
        hint: "",
    },
    Case {
        cause: "a page whose Host a proxy rewrote",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nOrigin: https://app.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        told: "403 Forbidden: the Origin \"https://app.example\" may not connect: open the page from this server, or have its operator allow the origin",
        hint: ". The Host that it was compared with is \"127.0.0.1:9001\": if the page is of this server, have a proxy before it pass the Host on (nginx: `proxy_set_header Host $http_host;`), else allow the origin with `origin_policy`",
    },
    Case {
        cause: "a page whose Host a proxy rewrote, and says so",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nHost: [::1]\r\nX-Forwarded-Host: app.example\r\nOrigin: https://app.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        told: "403 Forbidden: the Origin \"https://app.example\" may not connect: open the page from this server, or have its operator allow the origin",
        hint: ". The Host that it was compared with is \"[::1]\", and X-Forwarded-Host is \"app.example\": if the page is of this server, have a proxy before it pass the Host on (nginx: `proxy_set_header Host $http_host;`), else allow the origin with `origin_policy`",
    },
    Case {
        cause: "a page that is none of those listed",
        change: |it| it.origin_policy(OriginPolicy::List(vec!["https://b.example".to_owned()])),
        request: "GET / HTTP/1.1\r\nHost: a.example\r\nOrigin: null\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        told: "403 Forbidden: the Origin \"null\" may not connect: open the page from this server, or have its operator allow the origin",
        hint: ". It can be allowed with `origin_policy`",
    },
    Case {
        cause: "two origins",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nHost: a.example\r\nOrigin: https://a.example\r\nOrigin: https://b.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        told: "403 Forbidden: a request with several Origin headers, or one beyond ASCII, may not connect: open the page from this server, or have its operator allow the origin",
        hint: "",
    },
    Case {
        cause: "another method",
        change: |it| it,
        request: "POST / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        told: "405 Method Not Allowed: a WebSocket is opened with the method GET: use GET",
        hint: "",
    },
    Case {
        cause: "no host",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        told: "400 Bad Request: the request does not have exactly one Host header with a host and an optional port: send one",
        hint: "",
    },
    Case {
        cause: "a body",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nContent-Length: 1\r\n\r\n",
        told: "400 Bad Request: an opening handshake has no body: send no Content-Length and no Transfer-Encoding",
        hint: "",
    },
    Case {
        cause: "a target that is no path",
        change: |it| it,
        request: "GET * HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        told: "400 Bad Request: the request target is not a path: send the URL's path and query",
        hint: "",
    },
    Case {
        cause: "an old version of the protocol",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n",
        told: "426 Upgrade Required: this server speaks version 13 of the WebSocket protocol: send Sec-WebSocket-Version: 13",
        hint: "",
    },
    Case {
        cause: "no version of the protocol",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        told: "400 Bad Request: the request does not have exactly one Sec-WebSocket-Version header: send 13",
        hint: "",
    },
    Case {
        cause: "no key",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
        told: "400 Bad Request: the request does not have exactly one Sec-WebSocket-Key header: send one",
        hint: "",
    },
    Case {
        cause: "a key that is none",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n\r\n",
        told: "400 Bad Request: the Sec-WebSocket-Key is not the base64 of 16 bytes: send that of 16 that are drawn at random",
        hint: "",
    },
    Case {
        cause: "subprotocols that are no list",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: a b\r\n\r\n",
        told: "400 Bad Request: the Sec-WebSocket-Protocol header is not a list of unique tokens: divide names by commas, and leave the header out where there are none",
        hint: "",
    },
    Case {
        cause: "a header of subprotocols without any",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol:\r\n\r\n",
        told: "400 Bad Request: the Sec-WebSocket-Protocol header is not a list of unique tokens: divide names by commas, and leave the header out where there are none",
        hint: "",
    },
    Case {
        cause: "extensions that are no list",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: a=\r\n\r\n",
        told: "400 Bad Request: the Sec-WebSocket-Extensions header is malformed: send `name; parameter=value` with commas between, and leave the header out where there are none",
        hint: "",
    },
    Case {
        cause: "a header of extensions without any",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions:\r\n\r\n",
        told: "400 Bad Request: the Sec-WebSocket-Extensions header is malformed: send `name; parameter=value` with commas between, and leave the header out where there are none",
        hint: "",
    },
    Case {
        cause: "TLS at a port of plain HTTP",
        change: |it| it,
        request: "\u{16}\u{3}\u{1}",
        told: "400 Bad Request: the client speaks TLS to a port of plain HTTP: connect with ws://, or have TLS ended before this server",
        hint: "",
    },
    Case {
        cause: "another protocol altogether",
        change: |it| it,
        request: "\u{1}\u{2}",
        told: "400 Bad Request: the first line is not a request of HTTP: connect with a WebSocket client",
        hint: "",
    },
    Case {
        cause: "a request line that is none",
        change: |it| it,
        request: "GET  / HTTP/1.1\r\n\r\n",
        told: "400 Bad Request: the request line is not of the form: GET /path HTTP/1.1",
        hint: "",
    },
    Case {
        cause: "another version of HTTP",
        change: |it| it,
        request: "GET / HTTP/2.0\r\n\r\n",
        told: "505 HTTP Version Not Supported: a WebSocket is opened over HTTP/1.1, and this request is of another version: use HTTP/1.1",
        hint: "",
    },
    Case {
        cause: "a line end that is none",
        change: |it| it,
        request: "GET / HTTP/1.1\n",
        told: "400 Bad Request: a line of the HTTP message does not end with CR LF, the only line end of HTTP",
        hint: "",
    },
    Case {
        cause: "a control character",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nX: a\u{1}",
        told: "400 Bad Request: the head of the HTTP message contains a control character, which HTTP forbids",
        hint: "",
    },
    Case {
        cause: "a header line that is none",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nX y: a\r\n\r\n",
        told: "400 Bad Request: a header line is not of the form `Name: value` (no space before the colon, no folded lines)",
        hint: "",
    },
    Case {
        cause: "a folded header",
        change: |it| it,
        request: "GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
        told: "400 Bad Request: a header line is not of the form `Name: value` (no space before the colon, no folded lines)",
        hint: "",
    },
    Case {
        cause: "a head over the limit",
        change: |it| it.head_limits(HeadLimits::default().size_max(64)),
        request: "GET / HTTP/1.1\r\nX: 0123456789012345678901234567890123456789012345678901234567890123\r\n\r\n",
        told: "431 Request Header Fields Too Large: the head of the request is larger than 64 bytes: send fewer or shorter headers (cookies, mostly)",
        hint: ". This server takes more if HeadLimits::size_max is raised with `head_limits`",
    },
    Case {
        cause: "header lines over the limit",
        change: |it| it.head_limits(HeadLimits::default().headers_max(1)),
        request: "GET / HTTP/1.1\r\nX: a\r\nX: b\r\n\r\n",
        told: "431 Request Header Fields Too Large: the request has more than 1 header lines: send fewer",
        hint: ". This server takes more if HeadLimits::headers_max is raised with `head_limits`",
    },
    Case {
        cause: "a path that the program does not know",
        change: |it| it.check(async |_| Err::<(), _>(Refusal::not_found())),
        request: "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        told: "404 Not Found: there is no WebSocket at this path: check the path of the URL",
        hint: "",
    },
];

/// What comes of a request: the answer's status and line, and the server's error.
async fn outcome(
    change: impl FnOnce(Accept<DuplexStream>) -> Accept<DuplexStream>,
    request: &str,
) -> (String, AcceptError) {
    let (mut client, near) = duplex(64 * 1024);
    let accepting = change(accept(near));
    let asking = async {
        client.write_all(request.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let (accepted, answer) = tokio::join!(async { accepting.await }, asking);
    let error = accepted.map(drop).unwrap_err();
    let status = answer.strip_prefix("HTTP/1.1 ").unwrap_or_default();
    let status = status.lines().next().unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (format!("{status}: {}", body.trim_end()), error)
}

#[tokio::test]
async fn l10_l11_l12_each_refusal_tells_both_ends_what_to_do() {
    let mut wrong = String::new();
    for case in CASES {
        let (told, error) = outcome(case.change, case.request).await;
        let AcceptError::Refused(refusal) = &error else {
            panic!("{}: {error}", case.cause);
        };
        assert!(told.ends_with(refusal.reason()), "{told}");
        let text = error.to_string();
        assert!(!text.contains('\n'), "{text}");
        let rest = text.strip_prefix(&format!("the opening handshake was refused with {told}"));
        let hint = rest.unwrap_or_else(|| panic!("{text}"));
        if (told.as_str(), hint) != (case.told, case.hint) {
            let _ = writeln!(wrong, "{}\n  told: {told}\n  hint: {hint}", case.cause);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Behind a proxy, the Host may be a name of the inside.
#[tokio::test]
async fn l12_the_client_is_not_told_the_host() {
    let request = "GET / HTTP/1.1\r\nHost: inside.internal\r\nOrigin: https://app.example\r\n\
        Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let (told, error) = outcome(|it| it, request).await;
    assert!(!told.contains("inside"), "{told}");
    assert!(error.to_string().contains("\"inside.internal\""), "{error}");
}

#[tokio::test]
async fn a_program_that_chooses_what_was_not_offered_is_told() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let choosing =
        |it: Accept<DuplexStream>| it.check(async |_| Ok(Approval::default().subprotocol("chat")));
    let (told, error) = outcome(choosing, request).await;
    assert!(
        told.starts_with("500 Internal Server Error: the client did not offer"),
        "{told}"
    );
    let text = error.to_string();
    assert!(text.ends_with("choose one of its list, or none"), "{text}");
}

#[tokio::test]
async fn an_ordinary_request_that_was_answered_is_no_fault() {
    let page = |it: Accept<DuplexStream>| it.otherwise(|_| http::Response::new("page".into()));
    let (told, error) = outcome(page, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(told, "200 OK: page");
    assert_eq!(
        error.to_string(),
        "an ordinary HTTP request was answered with 200 OK"
    );
}

#[tokio::test]
async fn a_client_that_goes_is_no_fault_of_the_server() {
    let (_, error) = outcome(|it| it, "GET / HTTP/1.1\r\n").await;
    assert_eq!(
        error.to_string(),
        "the connection was lost during the opening handshake: the peer ended the connection. It is the client's doing, or the network's: accept the next one"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_slow_is_told_by_the_option() {
    let (_client, near) = duplex(64);
    let error = accept(near).timeout(Duration::from_secs(3)).await;
    assert_eq!(
        error.map(drop).unwrap_err().to_string(),
        "the client did not finish the opening handshake within 3s: if clients are as slow as that, raise `timeout`"
    );
}

//! What errors of the opening handshake tell a person: what happened, and what to do.

use http::StatusCode;
use http::header::HeaderName;

use super::super::Refused;
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
    let by_proxy = Refused::by_proxy(&Request::new(()), &response, "".into());
    for (name, is_secret) in [("location", true), ("set-cookie", true), ("server", false)] {
        assert_eq!(refused.headers[name].is_sensitive(), is_secret, "{name}");
        assert_eq!(by_proxy.headers[name].is_sensitive(), is_secret, "{name}");
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

/// What a client of this URL is told of a refusal with this status and these lines of headers.
fn told(url: &str, options: ClientOptions, status: u16, lines: &[(&str, &[u8])]) -> String {
    let client = client_with(url, options).unwrap();
    let mut response = Response::builder().status(status);
    for (name, value) in lines {
        response = response.header(*name, *value);
    }
    let text = client.refused(&response.body(()).unwrap(), "".into());
    let text = text.to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

fn redirected(url: &str, location: &str) -> String {
    let lines: &[(&str, &[u8])] = &[("location", location.as_bytes())];
    let text = told(url, ClientOptions::default(), 302, lines);
    let (_, advice) = text.split_once("; it redirects").unwrap();
    advice.to_owned()
}

#[test]
fn l9_a_redirect_is_resolved_as_urls_are() {
    let base = "wss://a.example:8443/b/c/d?q";
    // The examples of RFC 3986 §5.4, as far as they have no parameters.
    for (location, path) in [
        ("g", "/b/c/g"),
        ("./g", "/b/c/g"),
        ("g/", "/b/c/g/"),
        ("/g", "/g"),
        ("?y", "/b/c/d?…"),
        ("g?y", "/b/c/g?…"),
        ("g#s", "/b/c/g"),
        (".", "/b/c/"),
        ("./", "/b/c/"),
        ("..", "/b/"),
        ("../g", "/b/g"),
        ("../..", "/"),
        ("../../g", "/g"),
        ("../../../g", "/g"),
        ("/./g", "/g"),
        ("/../g", "/g"),
        ("g.", "/b/c/g."),
        ("..g", "/b/c/..g"),
        ("./g/.", "/b/c/g/"),
        ("g/../h", "/b/c/h"),
        ("g?y/../x", "/b/c/g?…"),
        ("/한", "/%ED%95%9C"),
        (" /g ", "/g"),
    ] {
        let advice = redirected(base, location);
        let url = format!(": connect to wss://a.example:8443{path}");
        let expected = match path.contains('?') {
            true => format!("{url} (the query is in its header Location)"),
            false => url,
        };
        assert_eq!(advice, expected, "{location}");
    }
    // These have the query as well.
    for location in ["#s", ""] {
        let advice = redirected(base, location);
        assert!(advice.starts_with(" to this very URL: "), "{advice}");
    }
}

#[test]
fn l9_a_redirect_elsewhere_is_told_without_what_may_be_secret() {
    let base = "wss://a.example:8443/b/c/d?q";
    let long = format!("/{}", "x".repeat(10_000));
    let advice = redirected(base, &long);
    let url = format!("wss://a.example:8443/{}", "x".repeat(200 - 21));
    assert_eq!(
        advice,
        format!(": connect to {url}… (all of it is in its header Location)")
    );
    for (location, url) in [
        ("//b.example", "wss://b.example/"),
        ("https://b.example", "wss://b.example/"),
        ("HTTPS://B.example:443/x", "wss://b.example/x"),
        ("wss://me:secret@b.example:1/x", "wss://b.example:1/x"),
    ] {
        assert_eq!(redirected(base, location), format!(": connect to {url}"));
    }
    for location in [
        "mailto:a",
        "ftp://a/",
        "https://a b/",
        "https://",
        "https://a:x/",
        "data:,x",
    ] {
        let advice = redirected(base, location);
        assert!(advice.starts_with(" to what is no address"), "{location}");
    }
    for location in [&b"/\xff"[..], b"/\xed\x95"] {
        let text = told(
            base,
            ClientOptions::default(),
            307,
            &[("location", location)],
        );
        assert!(text.contains("to what is no address"), "{text}");
    }
}

#[test]
fn l9_a_redirect_leads_to_no_worse() {
    let leaves_tls = redirected("wss://a.example/x", "http://a.example/x");
    assert_eq!(
        leaves_tls,
        " to ws://a.example/x, which has no TLS: ask its operator for a wss:// address"
    );
    let same = redirected("wss://a.example/x?y", "https://a.example:443/x?y");
    assert!(same.starts_with(" to this very URL: "), "{same}");
    // Neither a slash at the end nor another host makes a page of it.
    for location in ["/login/", "//b.example/login", "/login?x"] {
        let advice = redirected("wss://a.example/login", location);
        assert!(advice.starts_with(": connect to "), "{location}: {advice}");
    }
    for location in [
        "/login",
        "/a/sign-in",
        "/oauth2/start",
        "/SSO/saml",
        "/Sign_In/x",
    ] {
        let advice = redirected("wss://a.example/x", location);
        assert!(
            advice.starts_with(" to the page https://a.example/"),
            "{location}: {advice}"
        );
    }
    for location in ["/author", "/x/relogin", "/authors/sso-like"] {
        let advice = redirected("wss://a.example/x", location);
        assert!(advice.starts_with(": connect to "), "{location}: {advice}");
    }
}

#[test]
fn l9_challenges_are_read_as_a_list() {
    for (lines, told_of) in [
        (
            &["Basic realm=\"a, b\", charset=\"UTF-8\""][..],
            "(Basic \"a, b\")",
        ),
        (&["Basic"], "(Basic)"),
        (&["Basic realm=a", "Bearer"], "(Basic \"a\", Bearer)"),
        (
            &["Basic realm=a, Bearer error=\"x\""],
            "(Basic \"a\", Bearer \"x\")",
        ),
        (
            &["Negotiate abc==, Basic realm=a"],
            "(Negotiate, Basic \"a\")",
        ),
        (
            &["Newauth realm=\"apps\", type=1, Basic"],
            "(Newauth \"apps\", Basic)",
        ),
        (&["a, b, c, d, e, f"], "(a, b, c, d)"),
        (&["Basic REALM=\"\""], "(Basic)"),
        (&[", ,Basic"], "(Basic)"),
    ] {
        let lines: Vec<(&str, &[u8])> = lines
            .iter()
            .map(|line| ("www-authenticate", line.as_bytes()))
            .collect();
        let text = told("ws://a/", ClientOptions::default(), 401, &lines);
        assert!(
            text.contains(&format!("it wants credentials {told_of}: ")),
            "{text}"
        );
    }
    for line in [&b"\xff"[..], b"", b"\"", b"=", b"(,)"] {
        let lines = [("www-authenticate", line)];
        let text = told("ws://a/", ClientOptions::default(), 401, &lines);
        assert!(text.contains("it wants credentials: send"), "{text}");
    }
    // What a server says is shown, however long and strange, in a few characters.
    let long = format!("Basic realm=\"\u{202e}{}\"", "x".repeat(10_000));
    let lines = [("www-authenticate", long.as_bytes())];
    let text = told("ws://a/", ClientOptions::default(), 401, &lines);
    assert!(text.len() < 300, "{text}");
}

#[test]
fn l9_when_to_try_again_is_seconds_or_a_date() {
    for (value, again) in [
        ("30", "after 30 s"),
        (" 0 ", "after 0 s"),
        (
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "after Sun, 06 Nov 1994 08:49:37 GMT",
        ),
        ("", "later"),
        ("-1", "later"),
        ("soon", "later"),
        ("1994 GMT", "later"),
        ("99999999999999999999999999999999999999", "later"),
    ] {
        for status in [408, 425, 429, 500, 502, 503, 504, 511] {
            let lines = [("retry-after", value.as_bytes())];
            let text = told("ws://a/", ClientOptions::default(), status, &lines);
            assert!(text.ends_with(&format!("try again {again}")), "{text}");
        }
    }
}

/// Whoever makes the error without the request shows nothing that may repeat it.
#[test]
fn v12_without_the_request_neither_body_nor_location_is_shown() {
    let response = Response::builder()
        .status(302)
        .header("location", "wss://a.example/s3cret")
        .body(())
        .unwrap();
    let text = HandshakeError::refused(&response, "s3cret".into()).to_string();
    assert!(
        text.ends_with("connect to the address in its header Location"),
        "{text}"
    );
}

#[test]
fn v12_what_the_request_held_is_not_shown_where_an_answer_repeats_it() {
    let mut options = options_with_subprotocols(&["chat", "bearer.t0ken"]);
    let headers = [
        ("cookie", "a=c00kie1; b=\"c00kie2\""),
        ("authorization", "Bearer aut4"),
        ("proxy-authorization", "Basic cHIweHk6cHIweHlwYXNz"),
        ("x-api-key", "k3y-1234"),
    ];
    for (name, value) in headers {
        let name = HeaderName::from_static(name);
        options.headers.insert(name, value.parse().unwrap());
    }
    let url = "ws://us3r:p%40ss@a.example/x?t=s3cr%20et&u=s3cr=et2";
    let client = client_with(url, options).unwrap();
    let request = client.request();
    let mut repeated: Vec<String> = request
        .headers()
        .iter()
        .filter(|(name, _)| !["host", "upgrade", "connection"].contains(&name.as_str()))
        .map(|(_, value)| value.to_str().unwrap().to_owned())
        .collect();
    let parts = [
        "c00kie1",
        "c00kie2",
        "aut4",
        "pr0xy",
        "pr0xypass",
        "k3y-1234",
        "bearer.t0ken",
        "s3cr et",
        "s3cr%20et",
        "s3cr=et2",
        "t=s3cr%20et&u=s3cr=et2",
    ];
    repeated.extend(parts.map(str::to_owned));
    for part in &repeated {
        let response = Response::builder().status(404).body(()).unwrap();
        let body = format!("<<{part}>> is what came");
        let text = client
            .refused(&response, body.replace('<', "(").into())
            .to_string();
        // The key and the versions are everybody's.
        let is_public = ["dGhl", "13"].iter().any(|public| part.starts_with(public));
        assert!(is_public || !text.contains(part.as_str()), "{part}: {text}");
        assert!(text.contains("is what came"), "{text}");
    }
}

/// What a client that sent this is told of a 404 with this body, of which `secret` must not be shown.
fn expect_left_out(url: &str, name: &'static str, value: &str, body: &str, secret: &str) {
    let mut options = ClientOptions::default();
    let name = HeaderName::from_static(name);
    options.headers.insert(name, value.parse().unwrap());
    let client = client_with(url, options).unwrap();
    let response = Response::builder().status(404).body(()).unwrap();
    let mut kept = RefusedBody::new(&response);
    kept.handle(body.as_bytes());
    let text = client.refused(&response, kept.finish()).to_string();
    assert!(text.contains("its answer: no"), "{text}");
    assert!(
        text.contains('…') && !text.contains(secret),
        "{secret}: {text}"
    );
}

/// Servers repeat as much of what came as they like, and of that 4 KiB are kept.
#[test]
fn v12_l9_of_what_the_request_held_no_beginning_is_shown() {
    let token: String = (0..1000).map(|n| format!("{n:05}.")).collect();
    let (bearer, answer) = (format!("Bearer {token}"), format!("no {token}"));
    expect_left_out("ws://a/", "authorization", &bearer, &answer, "00001.");
    let (key, answer) = ("0123456789abcdef", "no 0123456789a...");
    expect_left_out("ws://a/", "x-key", key, answer, "01234567");
    let key = "k3y-".repeat(40);
    let answer = format!("no{}{key}", " ".repeat(4000));
    expect_left_out("ws://a/", "x-key", &key, &answer, "k3y-");
}

/// They repeat it in a spelling of their own, too.
#[test]
fn v12_l9_what_the_request_held_is_not_shown_in_another_spelling() {
    for (value, body, secret) in [
        ("AbCdEf01", "no abcdef01", "abcdef"),
        ("s3c/ret\"x", r#"no {"": "s3c\/ret\"x"}"#, "ret"),
        ("s3c/ret\"x", r#"no {"": "s3c/ret\"x"}"#, "ret"),
        // White space is shown as one space.
        ("s3cr  et \t one", "no s3cr  et \t one", "s3cr"),
        ("s3cret,t0ken", "no t0ken", "t0ken"),
    ] {
        expect_left_out("ws://a/", "x-key", value, body, secret);
    }
    let doubled = "Bearer  s3cret";
    expect_left_out("ws://a/", "authorization", doubled, "no (s3cret)", "s3cret");
    for (url, body, secret) in [
        // As a form has it, and with the digits of percent-encoding in another case.
        ("ws://a/?p=cor+rect+staple", "no cor rect staple", "staple"),
        ("ws://a/?p=s3cr%2fet", "no s3cr%2Fet", "s3cr"),
        // Only the first colon divides user name and password.
        ("ws://me:s3:cr:et@a/", "no s3:cr:et", "cr:et"),
    ] {
        expect_left_out(url, "x-key", "", body, secret);
    }
}

/// Nor in what a server says beside the body.
#[test]
fn v12_l9_what_the_request_held_is_not_shown_in_words_of_headers() {
    let url = "ws://a.example/?t=s3cr-et";
    for (status, name, value) in [
        (401, "www-authenticate", "Bearer realm=\"/?t=s3cr-et\""),
        (401, "www-authenticate", "Bearer error=\"no s3cr-et\""),
        (407, "proxy-authenticate", "s3cr-et"),
        (426, "upgrade", "s3cr-et"),
        (426, "sec-websocket-version", "s3cr-et"),
    ] {
        let lines = [(name, value.as_bytes())];
        let text = told(url, ClientOptions::default(), status, &lines);
        assert!(
            text.contains('…') && !text.contains("s3cr"),
            "{name}: {text}"
        );
    }
}

#[test]
fn what_is_shown_of_an_answer_is_one_line_of_text_or_a_title() {
    let shown = |kind: &str, body: &[u8]| {
        let client = client_with("ws://a.example/x", ClientOptions::default()).unwrap();
        let response = Response::builder().status(404).header("content-type", kind);
        let body = body.to_vec().into();
        let text = client
            .refused(&response.body(()).unwrap(), body)
            .to_string();
        text.split_once("; its answer: ")
            .map(|(_, answer)| answer.to_owned())
    };
    let text = |body: &[u8]| shown("text/plain", body);
    assert_eq!(
        text(b"\r\n no\n\n such\troom \r\n").as_deref(),
        Some("no such room")
    );
    assert_eq!(
        text(b"say \"it's\" \\o/").as_deref(),
        Some(r#"say "it's" \\o/"#)
    );
    assert_eq!(
        text("a\u{7}\u{9b}\u{202e}\u{2066}b".as_bytes()).as_deref(),
        Some(r"a\u{7}\u{9b}\u{202e}\u{2066}b")
    );
    for nothing in [
        &b""[..],
        b" \n",
        b"404 Not Found\n",
        b"Not Found",
        b"\x1f\x8b\xff",
        b"a\0b",
    ] {
        assert_eq!(text(nothing), None, "{nothing:?}");
    }
    // The end may be cut within a character.
    assert_eq!(text(b"ab \xed\x95").as_deref(), Some("ab"));
    let long = "가".repeat(201);
    assert_eq!(
        text(long.as_bytes()),
        Some(format!("{}…", "가".repeat(200)))
    );
    assert_eq!(text("가".repeat(200).as_bytes()), Some("가".repeat(200)));
    let page = b"<!DOCTYPE html><HTML><head><Title lang=en>\nNo such\nroom</TITLE><body>...";
    for kind in [
        "text/html; charset=utf-8",
        "Text/HTML",
        "application/xhtml+xml",
        "text/plain",
        "",
    ] {
        assert_eq!(shown(kind, page).as_deref(), Some("No such room"), "{kind}");
    }
    for page in [
        &b"<html><body>x"[..],
        b"<title>x",
        b"<title",
        b"<html><title>404 Not Found</title>",
    ] {
        assert_eq!(shown("text/html", page), None);
    }
    assert_eq!(shown("text/html", b"no tags"), None);
    assert_eq!(
        shown("application/json", b"{\"a\": 1}").as_deref(),
        Some("{\"a\": 1}")
    );
}

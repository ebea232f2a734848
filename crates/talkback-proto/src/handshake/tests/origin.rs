//! S13 and V8: which web pages may connect.

use super::super::OriginPolicy;
use super::*;

fn check(policy: &OriginPolicy, host: &str, origins: &[&str]) -> Result<(), u16> {
    let host = format!("Host: {host}");
    let lines: Vec<String> = origins
        .iter()
        .map(|origin| format!("Origin: {origin}"))
        .collect();
    let mut with = vec![host.as_str()];
    with.extend(lines.iter().map(String::as_str));
    let handshake = served(&request(&["Host", "Origin"], &with));
    policy
        .check(&handshake)
        .map_err(|refusal| refusal.status().as_u16())
}

#[test]
fn s13_default_allows_the_same_origin_and_no_origin() {
    let policy = OriginPolicy::default();
    assert_eq!(policy, OriginPolicy::SameOrigin);
    for (host, origin) in [
        ("a.example", "http://a.example"),
        ("a.example", "https://a.example"),
        ("A.Example", "HTTPS://a.EXAMPLE"),
        ("a.example:80", "http://a.example"),
        ("a.example", "http://a.example:80"),
        ("a.example:443", "https://a.example"),
        ("a.example", "https://a.example:443"),
        ("a.example:8080", "http://a.example:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("[0:0::1]", "http://[::1]"),
        ("127.0.0.1:9001", "http://127.0.0.1:9001"),
    ] {
        assert_eq!(check(&policy, host, &[origin]), Ok(()), "{host} {origin}");
    }
    assert_eq!(check(&policy, "a.example", &[]), Ok(()));
    let without = served(&request(&["Origin"], &[]));
    assert!(
        !without.asker().is_same_origin(),
        "there is no origin to be the same"
    );
    assert_eq!(without.origin(), None);
}

#[test]
fn v8_foreign_null_look_alike_and_doubled_origins_are_403() {
    let policy = OriginPolicy::default();
    for origins in [
        &["http://evil.example"][..],
        &["null"],
        &[""],
        &["http://a.example.evil.example"],
        &["http://evil-a.example"],
        &["http://evil.example/a.example"],
        &["http://evil.example#a.example"],
        &["http://evil.example?a.example"],
        &["http://a.example@evil.example"],
        &["http://evil.example@a.example"],
        &["http://a.example."],
        &["http://a.example/"],
        &["http://a.example:8080"],
        &["https://a.example:80"],
        &["http://a.example:443"],
        &["http://sub.a.example"],
        &["http://example"],
        &["http://\u{430}.example"],
        &["a.example"],
        &["//a.example"],
        &["ws://a.example"],
        &["file://a.example"],
        &["chrome-extension://a.example"],
        &["http:a.example"],
        &["http://a.example http://a.example"],
        &["http://a.example, http://a.example"],
        &["http://a.example:http"],
        &["http://a.example:99999"],
        &["http://a.example", "http://a.example"],
        &["http://a.example", "http://evil.example"],
        &["http://evil.example", "http://a.example"],
        &["http://a.example", ""],
    ] {
        assert_eq!(
            check(&policy, "a.example", origins),
            Err(403),
            "{origins:?}"
        );
        assert_eq!(check(&OriginPolicy::Any, "a.example", origins), Ok(()));
        let list = OriginPolicy::List(vec!["http://a.example".to_owned()]);
        let list_allows = check(&list, "a.example", origins);
        assert_eq!(list_allows, Err(403), "{origins:?}");
    }
}

#[test]
fn s13_list_allows_the_origins_listed() {
    let list = [
        "https://app.example",
        "http://localhost:8080",
        "HTTP://B.example:80",
        "null",
        "tauri://localhost",
    ];
    let policy = OriginPolicy::List(list.iter().map(ToString::to_string).collect());
    for origin in [
        "https://app.example",
        "https://app.example:443",
        "https://APP.example",
        "http://localhost:8080",
        "http://b.example",
        "null",
        "tauri://localhost",
    ] {
        assert_eq!(check(&policy, "a.example", &[origin]), Ok(()), "{origin}");
    }
    for origin in [
        "http://app.example",
        "https://app.example:80",
        "http://app.example:443",
        "https://x.app.example",
        "http://localhost",
        "https://localhost:8080",
        "http://a.example:81",
        "tauri://localhost2",
    ] {
        assert_eq!(check(&policy, "a.example", &[origin]), Err(403), "{origin}");
    }
    assert_eq!(check(&policy, "a.example", &["null", "null"]), Err(403));
    assert_eq!(check(&policy, "a.example", &[]), Ok(()));
    // The server's own pages are welcome whatever the list says.
    for policy in [policy, OriginPolicy::List(Vec::new())] {
        let own = check(&policy, "a.example", &["http://a.example"]);
        assert_eq!(own, Ok(()));
    }
}

#[test]
fn v8_origin_beyond_ascii_is_no_origin() {
    let handshake = served(&request(&["Origin"], &["Origin: http://\u{e9}.example"]));
    assert_eq!(handshake.origin(), None);
    let list = OriginPolicy::List(vec!["http://\u{e9}.example".to_owned()]);
    assert!(list.check(&handshake).is_err());
}

#[test]
fn v8_a_request_that_is_no_opening_handshake_is_held_to_the_same() {
    let post = |host: &[&str], origin: Option<&str>| {
        let mut request = http::Request::post("/t/a").header("Content-Length", "2");
        for host in host {
            request = request.header("Host", *host);
        }
        if let Some(origin) = origin {
            request = request.header("Origin", origin);
        }
        let request = request.body("hi").unwrap();
        let policy = OriginPolicy::List(vec!["https://app.example".to_owned()]);
        policy
            .check_request(&request)
            .map_err(|refusal| refusal.status().as_u16())
    };
    for origin in [
        None,
        Some("http://localhost:9001"),
        Some("https://app.example"),
    ] {
        assert_eq!(post(&["localhost:9001"], origin), Ok(()), "{origin:?}");
    }
    for origin in ["http://localhost:9002", "null", "http://evil.example"] {
        assert_eq!(
            post(&["localhost:9001"], Some(origin)),
            Err(403),
            "{origin}"
        );
    }
    assert_eq!(post(&[], None), Err(400));
    assert_eq!(post(&["a", "a"], None), Err(400));
}

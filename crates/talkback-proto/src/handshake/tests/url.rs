//! C1, V7 and V12, as they concern URLs.

use super::super::{UrlError, WsUrl};

#[track_caller]
fn parse(text: &str) -> WsUrl {
    WsUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[track_caller]
fn assert_error(text: &str, expected: UrlError) {
    assert_eq!(WsUrl::parse(text), Err(expected), "{text}");
}

#[test]
fn c1_rejects_schemes_other_than_ws_and_wss() {
    for text in ["http://a", "https://a", "HTTP://a/"] {
        assert_error(text, UrlError::HttpScheme);
    }
    let message = UrlError::HttpScheme.to_string();
    assert!(
        message.contains("ws://") && message.contains("wss://"),
        "{message}"
    );
    for text in [
        "",
        "a",
        "a.example/path",
        "ftp://a",
        "//a",
        "ws:a",
        "ws:/a",
        "wss//a",
        "wsx://a",
        "://a",
        "a:80",
    ] {
        assert_error(text, UrlError::Scheme);
    }
}

#[test]
fn c1_scheme_in_any_case() {
    assert!(!parse("WS://a").is_secure());
    assert!(parse("WsS://a").is_secure());
    assert_eq!((parse("ws://a").port(), parse("wss://a").port()), (80, 443));
}

#[test]
fn c1_rejects_fragments() {
    for text in ["ws://a/#f", "ws://a#f", "ws://a/?q#f", "ws://a/#"] {
        assert_error(text, UrlError::Fragment);
    }
    assert_eq!(parse("ws://a/%23f").request_target(), "/%23f");
}

#[test]
fn c1_rejects_invalid_hosts() {
    let long_label = format!("ws://{}.example", "a".repeat(64));
    let long_name = format!("ws://{}example", "a.".repeat(128));
    for text in [
        "ws://",
        "ws:///path",
        "ws://?q",
        "ws://:80",
        "ws://a..b",
        "ws://.a",
        "ws://.",
        "ws://a\\b",
        "ws://a%41",
        "ws://a,b",
        "ws://a<b",
        "ws://[::1",
        "ws://::1",
        "ws://[::1]x",
        "ws://[]",
        "ws://[1.2.3.4]",
        "ws://[fe80::1%25eth0]",
        "ws://[fe80::1%eth0]",
        "ws://[v1.a]",
        "ws://a]",
        "ws://256.1.1.1",
        "ws://1.2.3",
        "ws://127.1",
        "ws://2130706433",
        "ws://0x7f000001",
        "ws://0x7f.1",
        "ws://01.2.3.4",
        "ws://1.2.3.4.5",
        "ws://1.2.3.4.",
        &long_label,
        &long_name,
    ] {
        let error = WsUrl::parse(text).expect_err(text);
        assert!(
            matches!(error, UrlError::Host | UrlError::Port),
            "{text}: {error:?}"
        );
    }
}

#[test]
fn c1_accepts_names_and_addresses() {
    for (text, host) in [
        ("ws://LOCALHOST", "localhost"),
        ("ws://a.example.", "a.example."),
        ("ws://my_host-1.example", "my_host-1.example"),
        ("ws://xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("ws://1.2.3.4", "1.2.3.4"),
        ("ws://1.2.3.4a", "1.2.3.4a"),
        ("ws://1a", "1a"),
        ("ws://[::1]", "::1"),
        ("ws://[2001:DB8:0:0::1]:80", "2001:db8::1"),
        ("ws://[::ffff:1.2.3.4]", "::ffff:1.2.3.4"),
    ] {
        assert_eq!(parse(text).host(), host);
    }
}

#[test]
fn c1_host_beyond_ascii_is_told_to_use_punycode() {
    for text in ["ws://bücher.example/", "ws://例え.jp", "ws://a\u{ff0e}b"] {
        assert_error(text, UrlError::HostNotAscii);
    }
    assert!(UrlError::HostNotAscii.to_string().contains("xn--"));
}

#[test]
fn c1_rejects_invalid_ports() {
    for port in [
        "0",
        "00",
        "65536",
        "99999999999999999999",
        "http",
        "-1",
        "+80",
        "8o",
        "80:80",
        "0x50",
    ] {
        assert_error(&format!("ws://a:{port}/"), UrlError::Port);
        assert_error(&format!("ws://[::1]:{port}"), UrlError::Port);
    }
    assert_eq!(parse("ws://a:65535").port(), 65535);
    assert_eq!(parse("ws://a:1").port(), 1);
    assert_eq!(parse("wss://a:/").port(), 443);
    assert_eq!(parse("ws://a:0080/").host_header(), "a");
}

#[test]
fn v7_rejects_controls_and_spaces_anywhere() {
    for byte in (0..=0x20).chain([0x7f]) {
        let byte = char::from(byte);
        for (text, position) in [
            (format!("{byte}ws://a/"), 0),
            (format!("ws://a{byte}b/"), 6),
            (format!("ws://u{byte}:p@a/"), 6),
            (format!("ws://a:8{byte}0/"), 8),
            (format!("ws://a/b{byte}c"), 8),
            (format!("ws://a/?q{byte}"), 9),
        ] {
            assert_error(&text, UrlError::ForbiddenCharacter { position });
        }
    }
}

#[test]
fn percent_encodes_what_a_target_may_not_have() {
    for (text, target) in [
        ("ws://a/é?ü", "/%C3%A9?%C3%BC"),
        ("ws://a/\u{85}\u{a0}", "/%C2%85%C2%A0"),
        (
            "ws://a/\"<>\\^`{|}?\"<>\\^`{|}",
            "/%22%3C%3E%5C%5E%60%7B%7C%7D?%22%3C%3E%5C%5E%60%7B%7C%7D",
        ),
        ("ws://a/%20%zz%?%", "/%20%zz%?%"),
        (
            "ws://a/~!$&'()*+,;=:@-._?/?~!$&'()*+,;=:@-._",
            "/~!$&'()*+,;=:@-._?/?~!$&'()*+,;=:@-._",
        ),
        ("ws://a/[b]?[c]", "/[b]?[c]"),
    ] {
        assert_eq!(parse(text).request_target(), target);
    }
}

#[test]
fn rejects_targets_too_long_for_a_request_line() {
    assert_error(&format!("ws://a/{}", "b".repeat(65_535)), UrlError::TooLong);
    assert_eq!(
        parse(&format!("ws://a/{}", "b".repeat(60_000)))
            .request_target()
            .len(),
        60_001
    );
}

#[test]
fn v12_user_info_becomes_basic_auth() {
    for (user_info, value) in [
        ("user:secret", "Basic dXNlcjpzZWNyZXQ="),
        ("user", "Basic dXNlcjo="),
        ("user:", "Basic dXNlcjo="),
        (":secret", "Basic OnNlY3JldA=="),
        (
            "Aladdin:open%20sesame",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        ("a%40b:c:d%2F", "Basic YUBiOmM6ZC8="),
        ("test:123%C2%A3", "Basic dGVzdDoxMjPCow=="),
        ("test:123£", "Basic dGVzdDoxMjPCow=="),
    ] {
        let url = parse(&format!("ws://{user_info}@a/"));
        let auth = url.basic_auth().unwrap();
        assert_eq!(auth, value);
        assert!(auth.is_sensitive());
        assert_eq!(url.host(), "a");
    }
    assert_eq!(parse("ws://a/").basic_auth(), None);
    assert_eq!(parse("ws://@a/").basic_auth(), None);
    assert_eq!(parse("ws://a/@b").basic_auth(), None);
}

#[test]
fn v12_rejects_user_info_that_cannot_be_sent() {
    for user_info in [
        "a\\",
        "a:b\\c",
        "a%3Ab:c",
        "a%0D%0A:b",
        "a:%00",
        "a:b%7F",
        "a@b",
        "a:b@c",
        "%0a",
    ] {
        assert_error(&format!("ws://{user_info}@host/"), UrlError::UserInfo);
    }
}

#[test]
fn v12_display_and_debug_show_no_secrets() {
    let url = parse("ws://user:secret@host/?token=t0ken");
    assert_eq!(url.to_string(), "ws://host/?…");
    assert_eq!(format!("{url:?}"), "WsUrl(ws://host/?…)");
    assert_eq!(
        parse("wss://[::1]:8080/a").to_string(),
        "wss://[::1]:8080/a"
    );
    assert_eq!(parse("ws://a?").to_string(), "ws://a/?…");
}

#[test]
fn v12_errors_show_no_secrets() {
    for text in [
        "ws://user:s3cr/et@host/",
        "ws://user:s3cr?et@host/",
        "ws://user:s3cr#et@host/",
        "ws://user:s3cr et@host/",
        "ws://s3cr@s3cr@host",
        "http://user:s3cr@host",
        "ws://s3cr\u{e9}",
        "user:s3cr@host",
    ] {
        let error = WsUrl::parse(text).expect_err(text);
        assert!(!format!("{error} {error:?}").contains("s3cr"), "{error}");
    }
}

#[test]
fn c1_another_host_is_checked_as_the_first_one() {
    let url = parse("wss://user:pass@a.example:8443/x?y");
    for (host, shown) in [
        ("B.example", "wss://b.example/x?…"),
        ("b.example:443", "wss://b.example/x?…"),
        ("b.example:80", "wss://b.example:80/x?…"),
        ("192.0.2.1:1", "wss://192.0.2.1:1/x?…"),
        ("[2001:DB8::1]:1", "wss://[2001:db8::1]:1/x?…"),
    ] {
        let other = url.with_host(host).unwrap();
        assert_eq!(other.to_string(), shown);
        assert_eq!(other.request_target(), url.request_target());
        assert_eq!(other.basic_auth(), url.basic_auth());
    }
    for (host, error) in [
        ("", UrlError::Host),
        ("b.example/x", UrlError::Host),
        ("me@b.example", UrlError::Host),
        ("b example", UrlError::Host),
        ("b.example\r\nX: y", UrlError::Host),
        ("2001:db8::1", UrlError::Port),
        ("b.example:0", UrlError::Port),
        ("b.example:http", UrlError::Port),
        ("b\u{fc}cher.example", UrlError::HostNotAscii),
    ] {
        assert_eq!(url.with_host(host), Err(error), "{host}");
    }
}

#[test]
fn an_origin_is_scheme_host_and_port() {
    let url = parse("wss://a.example/x");
    for same in [
        "wss://a.example:443/y?z",
        "WSS://A.example",
        "wss://me:pass@a.example/",
    ] {
        assert!(url.is_same_origin(&parse(same)), "{same}");
    }
    for other in [
        "ws://a.example:443/",
        "wss://a.example:444/",
        "wss://b.a.example/",
        "wss://a.example./",
    ] {
        assert!(!url.is_same_origin(&parse(other)), "{other}");
    }
}

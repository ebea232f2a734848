//! The grammar of header values; C15 and V3.

use http::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_PROTOCOL};

use super::super::ExtensionOffer;
use super::super::grammar::{Malformed, WORK, extension_list, is_token, token_list, trim_ows};

fn extensions(text: &str) -> Result<Vec<ExtensionOffer>, Malformed> {
    extension_list([&HeaderValue::from_bytes(text.as_bytes()).unwrap()])
}

fn written(text: &str) -> String {
    let extensions = extensions(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    let texts: Vec<String> = extensions.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

#[test]
fn c15_extension_grammar() {
    for (text, expected) in [
        ("a", "a"),
        ("a,b", "a, b"),
        (" a ,\tb ", "a, b"),
        (",,a,,b,,", "a, b"),
        ("a;b;c=d", "a; b; c=d"),
        ("a ; b = c , d", "a; b=c, d"),
        ("a; b=\"c\"", "a; b=c"),
        ("a; b=\"c\" ; d", "a; b=c; d"),
        ("a; b=\"\\c\\d\"", "a; b=cd"),
        ("a; b; b", "a; b; b"),
        ("a, a; b", "a, a; b"),
    ] {
        assert_eq!(written(text), expected);
    }
    for text in [
        "",
        " ",
        ",",
        ";",
        "=",
        "\"",
        "a;",
        "a; ;b",
        "a; =b",
        "a; b=",
        "a; b=;c",
        "a; b=,",
        "a b",
        "a; b c",
        "a; b=c d",
        "a; b=\"c\"d",
        "a; b=\"\"",
        "a; b=\"c,d\"",
        "a; b=\"c;d\"",
        "a; b=\"c d\"",
        "a; b=\"\\\"\"",
        "a; b=\"\\",
        "a; b=\"c\\\"",
        "a; b=\"c",
        "\"a\"",
        "a/b",
        "é",
        "a; b=\"é\"",
        "a; \"b\"=c",
    ] {
        assert_eq!(extensions(text), Err(Malformed), "{text:?}");
    }
}

#[test]
fn token_characters_are_those_of_the_rfc() {
    let tchars: Vec<u8> = (0..=255).filter(|&byte| is_token(&[byte])).collect();
    let expected = b"!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~";
    assert_eq!(tchars, expected);
    assert!(!is_token(b""));
    assert!(!is_token(b"a b"));
}

#[test]
fn white_space_is_trimmed_at_both_ends_only() {
    assert_eq!(trim_ows(b" \ta \tb\t "), b"a \tb");
    assert_eq!(trim_ows(b" \t "), b"");
    assert_eq!(trim_ows(b"\x0ba"), b"\x0ba");
}

/// How many bytes were looked at while `parse` ran.
fn work(parse: impl FnOnce()) -> usize {
    WORK.set(0);
    parse();
    WORK.get()
}

#[test]
fn v3_extension_list_takes_linear_time() {
    let escapes = |size: usize| format!("a; b=\"{}", "\\c".repeat(size / 2));
    let closed = |size: usize| format!("a; b=\"{}\"", "\\c".repeat(size / 2));
    let unquoted = |size: usize| format!("a; b={}", "c".repeat(size));
    let spaces = |size: usize| format!("a{}b", " ".repeat(size));
    let commas = |size: usize| ",".repeat(size);
    let params = |size: usize| format!("a{}", ";b".repeat(size / 2));
    let inputs: [&dyn Fn(usize) -> String; 6] =
        [&escapes, &closed, &unquoted, &spaces, &commas, &params];
    for input in inputs {
        let measure = |size| {
            let text = input(size);
            work(|| drop(extensions(&text)))
        };
        let (small, large) = (measure(50_000), measure(100_000));
        assert!(large >= 50_000, "the parser counts its work: {large}");
        assert!(large <= 2 * small + 16, "{small}, then {large}");
        assert!(large <= 6 * 100_000, "{large}");
    }
}

#[test]
fn v3_protocol_list_takes_linear_time() {
    let measure = |text: String| {
        let mut headers = HeaderMap::new();
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::try_from(text).unwrap());
        work(|| drop(token_list(&headers, &SEC_WEBSOCKET_PROTOCOL)))
    };
    for input in [
        |size| format!("a{}b", " ".repeat(size)),
        |size| format!("a,{}b", " ".repeat(size)),
        |size| format!("{}a", " ,".repeat(size / 2)),
        |size| "a,".repeat(size / 2),
    ] {
        let (small, large) = (measure(input(25_000)), measure(input(50_000)));
        assert!(large >= 50_000, "the parser counts its work: {large}");
        assert!(large <= 2 * small + 16, "{small}, then {large}");
        assert!(large <= 6 * 50_000, "{large}");
    }
}

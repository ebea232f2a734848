//! What each error tells a person: what happened, as far as the other side said it, and a next step that
//! exists and is not the one already taken.
//!
//! Each row of the tables is a cause, made for real, and the whole text of the error.

mod caller;
mod machine;
mod refused;
mod requests;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "upgrade")]
mod upgrade;

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::path::Path;

use talkback::{Connect, ConnectError, HandshakeError, Limits, accept, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use self::caller::{HEADS, MINE, SWITCHING};
use self::refused::REFUSED;

/// One cause of an error of `connect`.
struct Case {
    cause: &'static str,
    url: &'static str,
    change: fn(Connect) -> Connect,
    /// What the server answers; `{accept}` is the right answer to the key.
    answer: &'static str,
    /// The whole text; behind "could not open URL: ", if it begins so.
    text: &'static str,
}

impl Case {
    /// The error of a connect over a stream whose other end answers so and ends the connection.
    async fn error(&self) -> ConnectError {
        let (near, mut far) = duplex(64 * 1024);
        let connecting = (self.change)(connect(self.url)).over(near);
        let serving = async {
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") {
                let Ok(byte) = far.read_u8().await else {
                    return;
                };
                request.push(char::from(byte));
            }
            let mut lines = request.lines();
            let key = lines.find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
            let accept = talkback::accept_key(key.unwrap());
            let answer = self.answer.replace("{accept}", &accept);
            far.write_all(answer.as_bytes()).await.unwrap();
            drop(far);
        };
        let (outcome, ()) = tokio::join!(connecting, serving);
        outcome.map(drop).unwrap_err()
    }
}

/// Holds that each cause of a table has its text.
async fn assert_told(cases: &[Case]) {
    let mut wrong = String::new();
    for case in cases {
        let error = case.error().await;
        let told = error.to_string();
        assert!(!told.contains('\n'), "{told:?}");
        // What is marked so in the tables: queries, credentials, cookies, values of headers.
        assert!(!told.contains("s3cret"), "{told}");
        if error.refused().is_some() {
            // Nobody is sent to try in vain, and nobody is left who could.
            let is_retryable = told.contains("try again");
            assert_eq!(is_retryable, error.is_retryable(), "{told}");
        }
        let text = match told.strip_prefix("could not open ") {
            Some(rest) => rest.split_once(": ").unwrap().1,
            None => &told,
        };
        if text != case.text {
            let _ = writeln!(wrong, "{}\n  told: {text}", case.cause);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test]
async fn l9_l10_l11_each_refusal_tells_what_to_do() {
    assert_told(REFUSED).await;
}

#[tokio::test]
async fn l14_each_answer_that_is_none_tells_whose_fault_it_is() {
    assert_told(HEADS).await;
}

#[tokio::test]
async fn l22_each_101_that_is_wrong_tells_what_is_wrong() {
    assert_told(SWITCHING).await;
}

#[tokio::test]
async fn l15_l16_each_mistake_of_the_program_tells_where_it_stands() {
    assert_told(MINE).await;
}

#[tokio::test]
async fn a_subprotocol_that_cannot_be_agreed_on_is_told() {
    let long = format!("ws://a.example/{}", "x".repeat(65_535));
    let offers: [(Connect, &str); 4] = [
        (
            connect("ws://a.example/").subprotocol("a b"),
            "is not a token",
        ),
        (
            connect("ws://a.example/").subprotocol("a").subprotocol("a"),
            "offer it once",
        ),
        (connect(long), "send the data in a message instead"),
        (
            connect("wss://a.example/").tls_roots("x"),
            "Give certificates in PEM",
        ),
    ];
    for (connecting, words) in offers {
        let text = connecting.await.map(drop).unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
    }
}

#[tokio::test]
async fn l18_a_message_over_the_limit_names_the_limit_and_whose_it_is() {
    let (near, far) = duplex(1024);
    let limits = Limits::default().message_size_max(10);
    let connecting = connect("ws://a.example/").limits(limits).over(near);
    let (client, server) = tokio::join!(connecting, async { accept(far).await });
    let (mut client, mut server) = (client.unwrap(), server.unwrap());
    server.send("eleven byte").await.unwrap();
    let (here, there) = tokio::join!(client.recv(), server.recv());
    assert_eq!(
        here.unwrap_err().to_string(),
        "failed: the peer's message of at least 11 bytes is over this end's limit of 10 bytes: raise Limits::message_size_max, or have the peer send less, code 1006 (abnormal)"
    );
    assert_eq!(
        there.unwrap_err().to_string(),
        "closed by the peer, code 1009 (message too big): a message from this end is over the peer's limit"
    );
}

#[test]
fn tls_within_tls_is_not_told_to_use_tls() {
    let text = ConnectError::Handshake {
        url: "wss://a.example/".to_owned(),
        error: HandshakeError::Head(talkback::HeadError::Tls),
    }
    .to_string();
    assert_eq!(
        text,
        "could not open wss://a.example/: the server speaks TLS within TLS: have it, or the proxy before it, do so once"
    );
}

/// What no row of the tables here leads to, and where it is told.
const ELSEWHERE: &[(&str, &str)] = &[
    ("ConnectError::Tls", "tls.rs"),
    ("ConnectError::Resolve", "machine.rs"),
    ("ConnectError::Tcp", "machine.rs"),
    ("ConnectError::UnixSocket", "machine.rs"),
    ("ConnectError::Timeout", "machine.rs"),
    ("ConnectError::Proxy", "proxy.rs"),
    ("ConnectError::TlsOption", "below"),
    ("ConnectError::NoTls", "only in a build without TLS"),
    ("ConnectError::NotInBrowser", "only in a browser"),
    ("ConnectError::BrowserRefused", "only in a browser"),
    ("ConnectError::Browser", "only in a browser"),
    ("HandshakeError::InvalidSubprotocol", "above"),
    ("HandshakeError::DuplicateSubprotocol", "above"),
    ("HandshakeError::SubprotocolNotOffered", "connect.rs"),
    ("HandshakeError::ChosenSubprotocol", "requests.rs"),
    ("HandshakeError::ChosenExtension", "only in talkback-proto"),
    (
        "HandshakeError::InvalidExtensions",
        "only in talkback-proto",
    ),
    ("HandshakeError::TooManyHeaders", "only in talkback-proto"),
    ("HeadError::RequestLine", "requests.rs"),
    ("HeadError::Incomplete", "only in talkback-proto"),
    ("UrlError::TooLong", "above"),
];

/// What stands before the first brace or parenthesis of an enum's `Debug`.
fn variant(of: &str, error: &dyn Debug) -> String {
    let shown = format!("{error:?}");
    let end = shown.find(|letter: char| !letter.is_alphanumeric());
    format!("{of}::{}", &shown[..end.unwrap_or(shown.len())])
}

/// Whose `Debug` may be the sentence.
fn variant_of_handshake(error: &HandshakeError) -> String {
    use HandshakeError as E;
    let name = match error {
        E::ReservedHeader { .. } => "ReservedHeader",
        E::Head(_) => "Head",
        E::Status(_) => "Status",
        E::Version { .. } => "Version",
        E::Upgrade => "Upgrade",
        E::Connection => "Connection",
        E::Accept => "Accept",
        E::Repeated { .. } => "Repeated",
        E::Malformed { .. } => "Malformed",
        E::ExtensionNotOffered { .. } => "ExtensionNotOffered",
        E::Deflate(_) => "Deflate",
        other => panic!("not looked for: {other}"),
    };
    format!("HandshakeError::{name}")
}

fn variants(error: &ConnectError) -> Vec<String> {
    match error {
        ConnectError::Url(error) => vec!["ConnectError::Url".into(), variant("UrlError", error)],
        ConnectError::Header { .. } => vec!["ConnectError::Header".into()],
        ConnectError::Lost { .. } => vec!["ConnectError::Lost".into()],
        ConnectError::Option { .. } => vec!["ConnectError::Option".into()],
        ConnectError::Handshake { error, .. } => {
            let within = match error {
                HandshakeError::Head(error) => Some(variant("HeadError", error)),
                HandshakeError::Deflate(error) => Some(variant("DeflateError", error)),
                _ => None,
            };
            let named = [
                "ConnectError::Handshake".into(),
                variant_of_handshake(error),
            ];
            named.into_iter().chain(within).collect()
        }
        other => panic!("not looked for: {other}"),
    }
}

/// By the lists of public names.
#[tokio::test]
async fn no_error_is_missing_in_the_tables() {
    let mut told = BTreeSet::new();
    for case in [REFUSED, HEADS, SWITCHING, MINE].into_iter().flatten() {
        told.extend(variants(&case.error().await));
    }
    let elsewhere = ELSEWHERE.iter().map(|(name, _)| (*name).to_owned());
    for name in elsewhere {
        assert!(told.insert(name.clone()), "{name} is in a table");
    }
    let mut public = BTreeSet::new();
    for file in ["talkback.txt", "talkback-proto.txt"] {
        let names = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api");
        let names = std::fs::read_to_string(names.join(file)).unwrap();
        for line in names.lines().filter_map(|line| line.strip_prefix("pub ")) {
            let path: Vec<&str> = line.split("::").collect();
            let of = path.iter().position(|part| {
                [
                    "ConnectError",
                    "HandshakeError",
                    "HeadError",
                    "DeflateError",
                    "UrlError",
                ]
                .contains(part)
            });
            // A variant's fields are a part longer.
            if let Some(at) = of
                && path.len() > at + 1
                && path[0].starts_with("talkback")
            {
                let name = path[at + 1];
                let end = name.find(|letter: char| !letter.is_alphanumeric());
                let name = &name[..end.unwrap_or(name.len())];
                public.insert(format!("{}::{name}", path[at]));
            }
        }
    }
    assert_eq!(told, public);
}

//! What a person reads: the words of errors.

use std::collections::HashSet;
use std::error::Error;
use std::fmt::Display;

use bytes::Bytes;
use http::header::UPGRADE;
use http::{Response, Version};
use talkback_proto::handshake::{DeflateError, HandshakeError, HeadError, UrlError};
use talkback_proto::{CloseFrameError, ProtocolError, Role, SendError};

/// What the peer does against the protocol of an open connection.
fn protocol_errors() -> [ProtocolError; 22] {
    use {ProtocolError as E, Role::*};
    let (size, size_max) = (7, 6);
    [
        E::Http,
        E::ReservedBits,
        E::ReservedOpcode(11),
        E::FragmentedControl,
        E::ControlTooLong,
        E::LengthNotMinimal,
        E::LengthTopBit,
        E::NotMasked,
        E::Masked,
        E::UnexpectedContinuation,
        E::InterleavedMessage,
        E::InvalidUtf8,
        E::CloseBodyTooShort,
        E::InvalidCloseCode(1005),
        E::InvalidCloseCode(1006),
        E::InvalidCloseCode(0x3130),
        E::InvalidCloseReason,
        E::MalformedDeflate,
        E::ContextTakenOver { sender: Client },
        E::ContextTakenOver { sender: Server },
        E::MessageTooBig { size, size_max },
        E::TooManyFragments(4),
    ]
}

fn url_errors() -> [UrlError; 9] {
    use UrlError as E;
    let position = 5;
    [
        E::Scheme,
        E::HttpScheme,
        E::Fragment,
        E::ForbiddenCharacter { position },
        E::UserInfo,
        E::Host,
        E::HostNotAscii,
        E::Port,
        E::TooLong,
    ]
}

fn head_errors() -> [HeadError; 11] {
    use HeadError as E;
    let (size_max, headers_max) = (9, 8);
    [
        E::Tls,
        E::NotHttp,
        E::TooLarge { size_max },
        E::TooManyHeaders { headers_max },
        E::LineEnd,
        E::ControlCharacter,
        E::RequestLine,
        E::StatusLine,
        E::Version,
        E::Header,
        E::Incomplete,
    ]
}

fn deflate_errors() -> [DeflateError; 6] {
    use DeflateError as E;
    let name = || "x\ny".to_owned();
    [
        E::UnknownParameter { name: name() },
        E::RepeatedParameter {
            name: "x".to_owned(),
        },
        E::Value { name: "x" },
        E::ServerContextTakeover,
        E::ServerWindow,
        E::ClientWindowNotOffered,
    ]
}

/// What goes wrong in the opening handshake, what `HandshakeError` holds included.
fn handshake_errors() -> Vec<HandshakeError> {
    use HandshakeError as E;
    let (name, foreign) = (UPGRADE, || "x\ny".to_owned());
    let not_found = Response::builder().status(404).body(()).unwrap();
    let mut errors = vec![
        E::InvalidSubprotocol {
            subprotocol: foreign(),
        },
        E::DuplicateSubprotocol {
            subprotocol: foreign(),
        },
        E::ReservedHeader { name: name.clone() },
        E::TooManyHeaders,
        E::InvalidExtensions,
        E::ChosenSubprotocol {
            subprotocol: foreign(),
        },
        E::ChosenExtension {
            extension: foreign(),
        },
        E::refused(&not_found, Bytes::new()),
        E::Version {
            version: Version::HTTP_10,
        },
        E::Upgrade,
        E::Connection,
        E::Accept,
        E::Repeated { name: name.clone() },
        E::Malformed { name },
        E::SubprotocolNotOffered {
            subprotocol: foreign(),
        },
        E::ExtensionNotOffered {
            extension: foreign(),
        },
    ];
    errors.extend(head_errors().map(E::from));
    errors.extend(deflate_errors().map(E::from));
    errors
}

#[test]
fn each_error_has_words_of_its_own_in_one_line() {
    use {CloseFrameError as C, SendError as S};
    let closing = [
        C::Code(1005),
        C::CodeInBrowser(1001),
        C::ReasonTooLong(124),
        C::ReasonLineEnd,
    ];
    let sending = [
        S::Closed,
        S::ControlTooLong(126),
        S::MessageUnfinished,
        S::NoMessage,
        S::InvalidUtf8,
    ];
    let errors = boxed(protocol_errors())
        .chain(boxed(url_errors()))
        .chain(boxed(handshake_errors()));
    let mut told = HashSet::new();
    for error in errors.chain(boxed(closing)).chain(boxed(sending)) {
        let words = error.to_string();
        // What a stranger wrote forges no line.
        assert!(!words.contains('\n') && !words.ends_with('.'), "{words}");
        assert!(error.source().is_none(), "{words}: would be told twice");
        assert!(told.insert(words), "{error:?} has another's words");
    }
}

fn boxed<E: Error + 'static>(
    errors: impl IntoIterator<Item = E>,
) -> impl Iterator<Item = Box<dyn Error>> {
    errors.into_iter().map(Into::into)
}

#[test]
fn the_words_of_an_error_show_what_it_holds() {
    let (size, size_max, headers_max, position) = (7, 6, 8, 5);
    let (name, version) = ("a\nb".to_owned(), Version::HTTP_10);
    let (subprotocol, extension) = (name.clone(), name.clone());
    let errors: [(&dyn Display, &str); 15] = [
        (&ProtocolError::ReservedOpcode(11), "opcode 0xb (RFC"),
        (&ProtocolError::InvalidCloseCode(1005), "code 1005,"),
        (
            &ProtocolError::MessageTooBig { size, size_max },
            "7 bytes is over this end's limit of 6 bytes: raise Limits::message_size_max",
        ),
        (&SendError::ControlTooLong(126), "has 126: send"),
        (&CloseFrameError::Code(1005), "code 1005 may not"),
        (&CloseFrameError::CodeInBrowser(1001), "with 1001:"),
        (&CloseFrameError::ReasonTooLong(124), "has 124"),
        (&UrlError::ForbiddenCharacter { position }, "at byte 5:"),
        (&HeadError::TooLarge { size_max: 9 }, "than 9 bytes"),
        (
            &HeadError::TooManyHeaders { headers_max },
            "than 8 header lines",
        ),
        (&HandshakeError::Version { version }, "101 is in HTTP/1.0,"),
        (
            &HandshakeError::ReservedHeader { name: UPGRADE },
            "header Upgrade belongs",
        ),
        (
            &HandshakeError::SubprotocolNotOffered { subprotocol },
            "a subprotocol of 3 bytes,",
        ),
        (
            &HandshakeError::ExtensionNotOffered { extension },
            r#"extension "a\nb","#,
        ),
        (
            &DeflateError::UnknownParameter { name },
            r#"parameter "a\nb":"#,
        ),
    ];
    for (error, words) in errors {
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_close_code_that_must_not_be_sent_is_told_with_what_it_comes_of() {
    const RULE: &str = "which must not be sent (RFC 6455 §7.4)";
    for code in [
        0,
        999,
        1004,
        1006,
        1015,
        2999,
        5000,
        0x2031,
        0x3120,
        0x7f31,
        u16::MAX,
    ] {
        let words = ProtocolError::InvalidCloseCode(code).to_string();
        assert!(words.ends_with(RULE), "{words}");
    }
    // NATS and ws4py answer so.
    let words = ProtocolError::InvalidCloseCode(1005).to_string();
    let advice = "some peers answer a close without a code so: close with one, such as 1000";
    assert!(words.ends_with(&format!("{RULE}; {advice}")), "{words}");
    // The codes that lighttpd's mod_wstunnel and gevent-websocket send.
    for (code, digits) in [
        (0x3130, "\"10\""),
        (0x6227, "\"b'\""),
        (0x2122, "\"!\\\"\""),
    ] {
        let words = ProtocolError::InvalidCloseCode(code).to_string();
        let end =
            format!("{RULE}: its bytes are the text {digits}, where a number of two bytes belongs");
        assert!(words.ends_with(&end), "{words}");
    }
}

#[test]
fn an_error_within_another_speaks_for_itself() {
    for head in head_errors() {
        // A client is told whose head it is.
        let words = HandshakeError::from(head).to_string();
        assert!(!words.contains("the peer"), "{words}");
    }
    for deflate in deflate_errors() {
        let words = deflate.to_string();
        assert_eq!(HandshakeError::from(deflate).to_string(), words);
    }
}

#[test]
fn l3_a_subprotocol_that_is_no_token_is_told_without_repeating_it() {
    for (subprotocol, words) in [
        (
            "Bearer s3cret",
            "of 13 bytes is not a token: after 6 bytes comes a space,",
        ),
        (
            "s3cret==",
            "of 8 bytes is not a token: after 6 bytes comes '=',",
        ),
        ("s3\"cret", "after 2 bytes comes '\"',"),
        ("s3cret\n", "after 6 bytes comes a control character,"),
        ("s3크ret", "after 2 bytes comes a character beyond ASCII,"),
        ("", "a subprotocol is empty:"),
    ] {
        let error = HandshakeError::InvalidSubprotocol {
            subprotocol: subprotocol.to_owned(),
        };
        let told = error.to_string();
        assert!(told.contains(words), "{told}");
        assert_eq!(format!("{error:?}"), told);
    }
}

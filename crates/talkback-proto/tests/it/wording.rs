//! What a person reads: the words of codes, ends, refusals and messages.

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use talkback_proto::handshake::Refusal;
use talkback_proto::{
    CloseCause, CloseCode, CloseInfo, Initiator, Limits, Message, Outgoing, ProtocolError, Text,
};

use crate::support::{ROLES, connection};

#[test]
fn the_words_of_an_end_say_who_how_and_why() {
    let end = |code, initiator, cause| CloseInfo::abnormal(code, initiator, cause);
    let transport = || CloseCause::Transport("connection reset".into());
    let (local, remote) = (Initiator::Local, Initiator::Remote);
    let mut by_peer = end(CloseCode::GOING_AWAY, remote, CloseCause::ClosingHandshake);
    by_peer.reason = "restart".to_owned();
    let too_big = ProtocolError::TooManyFragments(5);
    let ends = [
        (
            end(CloseCode::NORMAL, local, CloseCause::ClosingHandshake),
            "closed by this end, code 1000 (normal)",
        ),
        (
            end(CloseCode::NO_CODE, remote, CloseCause::ClosingHandshake),
            "closed by the peer, without a code",
        ),
        (
            by_peer,
            "closed by the peer, code 1001 (going away), reason \"restart\"",
        ),
        (
            end(CloseCode::ABNORMAL, local, CloseCause::Protocol(too_big)),
            "failed: the peer's message has more than 5 fragments, which is this end's limit: raise \
             Limits::fragments_max, or have the peer send fewer, code 1006 (abnormal)",
        ),
        (
            end(
                CloseCode::MESSAGE_TOO_BIG,
                remote,
                CloseCause::ClosingHandshake,
            ),
            "closed by the peer, code 1009 (message too big): a message from this end is over the \
             peer's limit",
        ),
        (
            end(CloseCode::ABNORMAL, remote, transport()),
            "connection lost without a close frame: connection reset, code 1006 (abnormal)",
        ),
        (
            end(CloseCode::NORMAL, remote, transport()),
            "closed by the peer, which did not take the answer: connection reset, \
             code 1000 (normal)",
        ),
        (
            end(
                CloseCode::ABNORMAL,
                local,
                CloseCause::NotOpened("no such host".into()),
            ),
            "not open: no such host",
        ),
    ];
    for (info, words) in ends {
        assert_eq!(info.to_string(), words);
    }
}

#[test]
fn the_words_of_a_cause_are_its_own() {
    let causes = [
        (CloseCause::ClosingHandshake, "closing handshake"),
        (
            CloseCause::Protocol(ProtocolError::InvalidUtf8),
            "(RFC 6455 §8.1)",
        ),
        (
            CloseCause::Transport("connection reset".into()),
            "connection reset",
        ),
        (CloseCause::NotOpened("no such host".into()), "no such host"),
        (CloseCause::Overflow, "more came than the program took"),
        (
            CloseCause::KeepaliveTimeout,
            "did not answer a ping in time",
        ),
        (
            CloseCause::CloseTimeout,
            "did not finish the closing handshake in time",
        ),
    ];
    for (cause, words) in causes {
        assert!(cause.to_string().contains(words), "{cause}");
    }
}

#[test]
fn a_refusal_by_us_tells_its_status_and_reason_and_becomes_a_response() {
    let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "one connection each")
        .with_header(LOCATION, HeaderValue::from_static("/other"));
    assert_eq!(
        refusal.to_string(),
        "the opening handshake was refused with 429 Too Many Requests: one connection each"
    );
    assert_eq!(refusal.reason(), "one connection each");
    let response = refusal.response();
    assert_eq!(response.status(), refusal.status());
    assert_eq!(response.body(), "one connection each\n");
    assert_eq!(response.headers()[LOCATION], refusal.headers()[LOCATION]);
    assert_eq!(
        response.headers()["content-type"],
        "text/plain; charset=utf-8"
    );
}

#[test]
fn debug_shows_the_kind_and_the_size_in_bytes() {
    assert_eq!(format!("{:?}", Message::from("가가")), "Text(6 bytes)");
    assert_eq!(
        format!("{:?}", Message::from(vec![7; 65])),
        "Binary(65 bytes)"
    );
    assert_eq!(format!("{:?}", Text::from("가")), "Text(3 bytes)");
    assert_eq!(Text::from("가").to_string(), "가");
    // What may be sent is shown alike.
    assert_eq!(format!("{:?}", Outgoing::from("가")), "Text(3 bytes)");
}

#[test]
fn debug_of_a_connection_shows_where_it_stands_and_no_payload() {
    for role in ROLES {
        let mut connection = connection(role, &Limits::default());
        connection.send("secret").unwrap();
        let shown = format!("{connection:?}");
        let size = connection.buffered();
        for part in [
            format!("{role:?}"),
            "Open".to_owned(),
            format!("buffered: {size}"),
        ] {
            assert!(shown.contains(&part), "{shown}");
        }
        assert!(!shown.contains("secret"));
    }
}

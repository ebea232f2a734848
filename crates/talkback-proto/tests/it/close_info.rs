//! How close codes and the end of a connection are told to a person.

use talkback_proto::{CloseCause, CloseCode, CloseInfo, Initiator, ProtocolError};

/// An end with this code and reason.
fn info(code: u16, reason: &str, initiator: Initiator, cause: CloseCause) -> CloseInfo {
    let mut info = CloseInfo::abnormal(CloseCode::new(code), initiator, cause);
    info.reason = reason.to_owned();
    info
}

#[test]
fn every_registered_code_has_its_name() {
    let names = [
        (1000, "normal"),
        (1001, "going away"),
        (1002, "protocol error"),
        (1003, "unsupported data"),
        (1005, "no code"),
        (1006, "abnormal"),
        (1007, "invalid payload"),
        (1008, "policy violation"),
        (1009, "message too big"),
        (1010, "mandatory extension"),
        (1011, "internal error"),
        (1012, "service restart"),
        (1013, "try again later"),
        (1014, "bad gateway"),
    ];
    for number in 0..=u16::MAX {
        let code = CloseCode::new(number);
        let named = names.iter().find(|(of, _)| *of == number);
        assert_eq!(code.name(), named.map(|(_, name)| *name), "{number}");
        let shown = match named {
            Some((_, name)) => format!("{number} ({name})"),
            None => number.to_string(),
        };
        assert_eq!(format!("{code:?}"), shown);
        assert_eq!(code.to_string(), number.to_string());
        assert_eq!(u16::from(code), number);
    }
}

#[test]
fn a_code_is_its_number() {
    assert_eq!(u16::from(CloseCode::GOING_AWAY), 1001);
    assert!(CloseCode::GOING_AWAY == 1001 && CloseCode::GOING_AWAY != 1000);
}

#[test]
fn an_ordinary_end_has_1000_or_1001_or_no_code() {
    for number in 0..=u16::MAX {
        let is_normal = [1000, 1001, 1005].contains(&number);
        assert_eq!(CloseCode::new(number).is_normal(), is_normal, "{number}");
    }
}

#[test]
fn an_end_is_ordinary_by_who_began_it() {
    let end = |code, clean, initiator| {
        let mut end = info(code, "", initiator, CloseCause::ClosingHandshake);
        end.clean = clean;
        end.is_normal()
    };
    // Whatever code this end chose, it got what it wanted, unless the peer never answered.
    assert!(end(1000, true, Initiator::Local));
    assert!(end(4000, true, Initiator::Local));
    assert!(!end(1000, false, Initiator::Local));
    // A peer says by its code whether it is content; it need not wait for the answer.
    assert!(end(1001, true, Initiator::Remote));
    assert!(end(1005, false, Initiator::Remote));
    assert!(!end(1011, true, Initiator::Remote));
}

#[test]
fn an_end_says_who_closed_and_with_what() {
    let handshake = || CloseCause::ClosingHandshake;
    for (info, text) in [
        (
            info(1000, "", Initiator::Local, handshake()),
            "closed by this end, code 1000 (normal)",
        ),
        (
            info(4000, "a \"b\"\n", Initiator::Remote, handshake()),
            r#"closed by the peer, code 4000, reason "a \"b\"\n""#,
        ),
        (
            info(1005, "", Initiator::Remote, handshake()),
            "closed by the peer, without a code",
        ),
    ] {
        assert_eq!(info.to_string(), text);
    }
}

#[test]
fn an_abnormal_end_says_why() {
    let reset = || CloseCause::Transport("connection reset".into());
    let reserved = ProtocolError::ReservedBits;
    let failed = format!("failed: {reserved}, code 1006 (abnormal)");
    for (info, text) in [
        (
            info(1006, "", Initiator::Local, CloseCause::Protocol(reserved)),
            failed.as_str(),
        ),
        (
            info(1006, "", Initiator::Remote, reset()),
            "connection lost without a close frame: connection reset, code 1006 (abnormal)",
        ),
        (
            info(1011, "", Initiator::Remote, reset()),
            "closed by the peer, which did not take the answer: connection reset, code 1011 (internal error)",
        ),
        (
            info(
                1006,
                "",
                Initiator::Local,
                CloseCause::NotOpened("no such host".into()),
            ),
            "not open: no such host",
        ),
    ] {
        assert_eq!(info.to_string(), text);
    }
}

#[test]
fn every_cause_is_told_in_words_of_its_own() {
    let causes = [
        CloseCause::ClosingHandshake,
        CloseCause::Protocol(ProtocolError::Masked),
        CloseCause::Transport("connection reset".into()),
        CloseCause::CloseTimeout,
        CloseCause::KeepaliveTimeout,
        CloseCause::Overflow,
        CloseCause::NotOpened("no such host".into()),
    ];
    let parts = [
        "closing handshake",
        "masked",
        "connection reset",
        "did not finish the closing handshake in time",
        "did not answer a ping in time",
        "more came than",
        "no such host",
    ];
    for (cause, part) in causes.iter().zip(parts) {
        assert!(cause.to_string().contains(part), "{cause}");
    }
}

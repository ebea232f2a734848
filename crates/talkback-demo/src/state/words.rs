//! What is said to a person.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use talkback::{CloseCause, CloseCode, CloseInfo, ConnectError, Lost, LostCause, Message};

/// How many characters of a reason are shown.
const REASON_LENGTH: usize = 80;

/// What a colour means; each view has its own shades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Something is under way.
    Busy,
    /// All is well.
    Good,
    /// It is over, as it should be.
    Neutral,
    /// Something went wrong.
    Bad,
}

/// A countdown's seconds: it ends with 1.
pub(super) fn seconds(left: Duration) -> u64 {
    let begun = u64::from(left.subsec_nanos() > 0);
    (left.as_secs() + begun).max(1)
}

/// Why there is no connection, in the few words that stand in brackets: `connection refused`.
pub fn reason(lost: &Lost) -> String {
    let text = match (lost.refused(), lost.cause()) {
        (Some(refused), _) => format!("status {}", refused.status.as_u16()),
        (None, LostCause::Closed(info)) => closed(info),
        (None, LostCause::Connect(error)) => unconnected(error),
        (None, cause) => cause.to_string(),
    };
    cut(&escaped(&without_number(&text)), REASON_LENGTH)
}

fn closed(info: &CloseInfo) -> String {
    match (&info.cause, info.code) {
        (CloseCause::ClosingHandshake, CloseCode::NO_CODE) => "closed without a code".to_owned(),
        (CloseCause::ClosingHandshake, code) => format!("closed with code {}", code.number()),
        (cause, _) => cause.to_string(),
    }
}

fn unconnected(error: &ConnectError) -> String {
    match error {
        // What else its text says is advice.
        ConnectError::Browser { .. } => "no connection".to_owned(),
        ConnectError::Timeout { after, .. } => format!("no answer for {after:?}"),
        _ => match error
            .source()
            .and_then(|source| source.downcast_ref::<io::Error>())
        {
            Some(error) => in_a_sentence(&error.to_string()),
            None => error.to_string(),
        },
    }
}

/// The operating system's words begin large.
fn in_a_sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().into_iter().flat_map(char::to_lowercase);
    first.chain(rest).collect()
}

/// A text without the ` (os error 111)` that the standard library adds.
fn without_number(text: &str) -> String {
    if let Some((before, rest)) = text.split_once(" (os error ")
        && let Some((_, after)) = rest.split_once(')')
    {
        // Those of Windows are sentences.
        return format!("{}{after}", before.trim_end_matches('.'));
    }
    text.to_owned()
}

/// A text as a sentence, without the number of an error.
pub(super) fn sentence(text: &str) -> String {
    let plain = without_number(text);
    let mut rest = plain.chars();
    let first = rest.next().into_iter().flat_map(char::to_uppercase);
    let mut sentence: String = first.chain(rest).collect();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    escaped(&sentence)
}

/// The beginning of a message in words, and an ellipsis if there is more. The rest is not copied.
pub(super) fn beginning(message: &Message, length: usize) -> String {
    match message.as_text() {
        Some(text) => cut(text, length),
        None => cut(&message.to_string(), length),
    }
}

fn cut(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Text in one line: control characters are escaped.
pub(super) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_begins_large_and_ends() {
        let text = "closed by the peer, code 1001 (going away)";
        assert_eq!(
            sentence(text),
            "Closed by the peer, code 1001 (going away)."
        );
        let text = "refused (os error 111). Check the port";
        assert_eq!(sentence(text), "Refused. Check the port.");
        let text = "Access is denied. (os error 5)";
        assert_eq!(without_number(text), "Access is denied");
    }

    #[test]
    fn a_countdown_ends_with_1() {
        let shown = [3_000, 2_001, 2_000, 1_000, 1, 0]
            .map(Duration::from_millis)
            .map(seconds);
        assert_eq!(shown, [3, 3, 2, 1, 1, 1]);
    }

    #[test]
    fn a_failure_to_connect_is_said_in_a_few_words() {
        let url = || "ws://127.0.0.1:1/".to_owned();
        let error = io::Error::from_raw_os_error(111).into();
        let refused = unconnected(&ConnectError::Tcp { url: url(), error });
        #[cfg(target_os = "linux")]
        assert_eq!(without_number(&refused), "connection refused");
        assert!(!refused.contains("ws://"), "{refused}");
        let told = unconnected(&ConnectError::Browser { url: url() });
        assert_eq!(told, "no connection");
    }

    #[test]
    fn a_text_that_fits_is_not_cut() {
        assert_eq!(
            (cut("가나", 2), cut("가나", 1)),
            ("가나".into(), "가…".into())
        );
    }
}

//! What is said to a person.

use talkback::Message;

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

/// A text as a sentence, without the ` (os error 111)` that the standard library adds.
pub(super) fn sentence(text: &str) -> String {
    let mut plain = text.to_owned();
    if let Some((before, rest)) = text.split_once(" (os error ")
        && let Some((_, after)) = rest.split_once(')')
    {
        plain = format!("{before}{after}");
    }
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
    }

    #[test]
    fn a_text_that_fits_is_not_cut() {
        assert_eq!(
            (cut("가나", 2), cut("가나", 1)),
            ("가나".into(), "가…".into())
        );
    }
}

//! What a person sees of a message.

use std::fmt::Write as _;

use talkback::Message;

/// How many bytes of a binary message are shown.
const BYTES_SHOWN: usize = 32;

/// How many bytes of a text are escaped at a time.
const PART_SIZE: usize = 64 * 1024;

/// A message as one line, without its line end.
///
/// Text is shown as it is, except for control characters other than the tab: they are escaped, so
/// that a message stays one line and cannot take over a terminal. Of a binary message the size and
/// the first 32 bytes are shown.
///
/// ```
/// use talkback_terminal::show::line;
/// assert_eq!(line(&"안녕\n하세요".into()), r"안녕\n하세요");
/// assert_eq!(line(&vec![0xca, 0xfe].into()), "[binary, 2 bytes] ca fe");
/// ```
pub fn line(message: &Message) -> String {
    match message {
        Message::Text(text) => escaped(text),
        Message::Binary(bytes) => hex(message, bytes),
    }
}

/// [`line`], in parts of which none is much longer than 64 KiB.
pub(crate) fn parts(message: &Message) -> impl Iterator<Item = String> {
    let (mut text, mut binary) = match message {
        Message::Text(text) => (&**text, None),
        Message::Binary(bytes) => ("", Some(hex(message, bytes))),
    };
    std::iter::from_fn(move || {
        if text.is_empty() {
            return binary.take();
        }
        let mut size = PART_SIZE.min(text.len());
        while !text.is_char_boundary(size) {
            size -= 1;
        }
        let part;
        (part, text) = text.split_at(size);
        Some(escaped(part))
    })
}

/// Text without control characters, each of which is escaped.
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() && character != '\t' {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    shown
}

fn hex(message: &Message, bytes: &[u8]) -> String {
    let mut shown = message.to_string();
    for byte in bytes.iter().take(BYTES_SHOWN) {
        let _ = write!(shown, " {byte:02x}");
    }
    if bytes.len() > BYTES_SHOWN {
        shown.push_str(" …");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_line() {
        let long = "한\u{1b}a".repeat(100_000);
        for message in [
            Message::from(""),
            long.into(),
            vec![7; 100].into(),
            vec![].into(),
        ] {
            let parts: Vec<String> = parts(&message).collect();
            assert_eq!(parts.concat(), line(&message));
            // Each of a control character's bytes becomes six at most.
            assert!(parts.iter().all(|part| part.len() <= 6 * PART_SIZE));
        }
    }

    #[test]
    fn a_message_cannot_take_over_the_terminal() {
        let shown = line(&"\u{1b}]0;title\u{7}\u{9b}2J\r\nx\ty\\n".into());
        assert_eq!(shown, "\\u{1b}]0;title\\u{7}\\u{9b}2J\\r\\nx\ty\\n");
    }

    #[test]
    fn long_binary_is_cut() {
        let shown = line(&vec![7; 33].into());
        assert!(shown.starts_with("[binary, 33 bytes] 07 07"));
        assert!(shown.ends_with("07 …"));
        assert_eq!(shown.matches("07").count(), 32);
    }
}

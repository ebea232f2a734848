//! What a person sees of a message.

use std::fmt::Write as _;

use talkback::Message;

/// How many bytes of a binary message are shown.
const BYTES_SHOWN: usize = 32;

/// How many bytes of a text are escaped at a time.
const PART_SIZE: usize = 64 * 1024;

/// A message as one line, without its line end.
///
/// Text is shown as it is, except for control characters other than the tab, and for those that turn the
/// direction of writing: they are escaped, so that a message stays one line, cannot take over a terminal, and
/// reads as it is. A backslash is doubled, so that no two messages look alike. Of a binary message the size
/// and the first 32 bytes are shown.
///
/// ```
/// use talkback_terminal::show::line;
/// assert_eq!(line(&"안녕\n하세요".into()), r"안녕\n하세요");
/// assert_eq!(line(&r"C:\new".into()), r"C:\\new");
/// assert_eq!(line(&vec![0xca, 0xfe].into()), "[binary, 2 bytes] ca fe");
/// ```
pub fn line(message: &Message) -> String {
    match message {
        Message::Text(text) => escape(text, Backslash::Doubled),
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
        Some(escape(part, Backslash::Doubled))
    })
}

/// Text without control characters and those that turn the direction of writing, each of which is escaped.
pub fn escaped(text: &str) -> String {
    escape(text, Backslash::Kept)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Backslash {
    Kept,
    Doubled,
}

fn escape(text: &str, backslash: Backslash) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let is_shown = match character {
            '\t' => true,
            '\\' => backslash == Backslash::Kept,
            // They make a text look like another (Unicode, UAX #9 §2).
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => false,
            character => !character.is_control(),
        };
        match is_shown {
            true => shown.push(character),
            false => shown.extend(character.escape_default()),
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
        let long = "한\u{1b}a\\".repeat(100_000);
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
        assert_eq!(shown, "\\u{1b}]0;title\\u{7}\\u{9b}2J\\r\\nx\ty\\\\n");
        for turning in "\u{202a}\u{202e}\u{2066}\u{2069}".chars() {
            let shown = line(&format!("a{turning}b").into());
            assert_eq!(shown, format!("a{}b", turning.escape_default()));
        }
    }

    #[test]
    fn long_binary_is_cut() {
        let shown = line(&vec![7; 33].into());
        assert!(shown.starts_with("[binary, 33 bytes] 07 07"));
        assert!(shown.ends_with("07 …"));
        assert_eq!(shown.matches("07").count(), 32);
    }
}

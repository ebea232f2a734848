//! What a terminal writes when keys are pressed and text is pasted.

#![cfg_attr(
    not(unix),
    allow(dead_code, reason = "a console has events in place of bytes")
)]

/// What ends a paste, where the terminal was asked to mark it.
const PASTE_END: &[u8] = b"\x1b[201~";

/// How long a sequence may be. No key has one that is longer.
const SEQUENCE_MAX: usize = 32;

/// A key, or what several have brought at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// Typed characters, none of them a control character.
    Text(String),
    /// What was pasted, with its line ends as line feeds.
    Paste(String),
    Enter,
    Tab,
    Escape,
    Backspace,
    Delete,
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    Up,
    Down,
    /// Control and a small letter.
    Control(char),
    /// Alt and a character.
    Alt(char),
}

/// Makes keys of bytes, which may be cut anywhere.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    /// What is not yet a key.
    bytes: Vec<u8>,
    /// What has come of a paste that has not ended.
    paste: Option<Vec<u8>>,
    /// How much of a paste is held, in bytes, after which the rest is dropped.
    paste_max: usize,
    /// Whether the latest key was a carriage return, of which a line feed may be the rest.
    was_return: bool,
}

/// The first of some bytes.
enum Parsed {
    /// A key of so many bytes, or none that means anything.
    Key(usize, Option<Key>),
    PasteBegin(usize),
    /// More bytes tell.
    Incomplete,
}

impl Parser {
    /// One that holds little more than `paste_max` bytes of what is pasted.
    pub(crate) fn new(paste_max: usize) -> Self {
        Self {
            paste_max,
            ..Self::default()
        }
    }

    /// The keys that these bytes complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.bytes.extend_from_slice(bytes);
        let mut keys = Vec::new();
        let mut start = 0;
        self.was_return = false;
        while start < self.bytes.len() {
            if self.paste.is_some() {
                match self.take_paste(start) {
                    Some((key, size)) => {
                        keys.push(key);
                        start += size;
                        continue;
                    }
                    None => return keys,
                }
            }
            match parse(&self.bytes[start..]) {
                Parsed::Incomplete => break,
                Parsed::PasteBegin(size) => {
                    self.paste = Some(Vec::new());
                    start += size;
                }
                Parsed::Key(size, key) => {
                    let byte = self.bytes[start];
                    // A line end of two characters is one.
                    if !(byte == b'\n' && self.was_return) {
                        keys.extend(key);
                    }
                    self.was_return = byte == b'\r';
                    start += size;
                }
            }
        }
        self.bytes.drain(..start);
        keys
    }

    /// Whether time tells if it was the key Escape or the beginning of another.
    pub(crate) fn is_undecided(&self) -> bool {
        self.paste.is_none() && self.bytes.first() == Some(&0x1b)
    }

    /// Decides, as nothing has come for a while.
    pub(crate) fn decide(&mut self) -> Vec<Key> {
        self.bytes.clear();
        vec![Key::Escape]
    }

    /// Goes on with a paste, which has these bytes from `start` on; once it ends, what it was and how many of
    /// them it took.
    fn take_paste(&mut self, start: usize) -> Option<(Key, usize)> {
        let rest = &self.bytes[start..];
        let mut windows = rest.windows(PASTE_END.len());
        let end = windows.position(|window| window == PASTE_END);
        // The end may be there in part.
        let size = end.unwrap_or(rest.len().saturating_sub(PASTE_END.len() - 1));
        let paste = self.paste.get_or_insert_default();
        let room = self.paste_max.saturating_add(1) - paste.len();
        paste.extend_from_slice(&rest[..size.min(room)]);
        if end.is_none() {
            self.bytes.drain(..start + size);
            return None;
        }
        let text = self.paste.take().unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        Some((Key::Paste(text), size + PASTE_END.len()))
    }
}

fn parse(bytes: &[u8]) -> Parsed {
    let one = |key| Parsed::Key(1, key);
    match bytes[0] {
        b'\r' | b'\n' => one(Some(Key::Enter)),
        b'\t' => one(Some(Key::Tab)),
        0x08 | 0x7f => one(Some(Key::Backspace)),
        byte @ 0x01..=0x1a => one(Some(Key::Control(char::from(byte - 1 + b'a')))),
        0x1b => parse_escape(bytes),
        0x00..=0x1f => one(None),
        _ => parse_text(bytes),
    }
}

fn parse_text(bytes: &[u8]) -> Parsed {
    let is_control = |byte: &u8| *byte < 0x20 || *byte == 0x7f;
    let end = bytes.iter().position(is_control).unwrap_or(bytes.len());
    let bytes = &bytes[..end];
    let (valid, wrong) = match std::str::from_utf8(bytes) {
        Ok(_) => (bytes.len(), None),
        Err(error) => (error.valid_up_to(), Some(error.error_len())),
    };
    match wrong {
        _ if valid > 0 => {
            let text = String::from_utf8_lossy(&bytes[..valid]);
            let text = text.replace(char::is_control, "");
            Parsed::Key(valid, Some(Key::Text(text)))
        }
        Some(Some(size)) => Parsed::Key(size, Some(Key::Text("\u{fffd}".to_owned()))),
        _ => Parsed::Incomplete,
    }
}

fn parse_escape(bytes: &[u8]) -> Parsed {
    let Some(second) = bytes.get(1) else {
        return Parsed::Incomplete;
    };
    match second {
        0x1b => Parsed::Key(1, Some(Key::Escape)),
        b'[' => parse_csi(bytes),
        b'O' => match bytes.get(2) {
            Some(last) => Parsed::Key(3, arrow(*last, b"")),
            None => Parsed::Incomplete,
        },
        _ => match parse_text(&bytes[1..]) {
            Parsed::Key(_, Some(Key::Text(text))) => {
                let first = text.chars().next().unwrap_or('\u{fffd}');
                Parsed::Key(1 + first.len_utf8(), Some(Key::Alt(first)))
            }
            _ if second.is_ascii() => Parsed::Key(2, Some(Key::Alt(char::from(*second)))),
            _ => Parsed::Incomplete,
        },
    }
}

/// A control sequence (ECMA-48 §5.4): parameters, and a final byte.
fn parse_csi(bytes: &[u8]) -> Parsed {
    // The Linux console has function keys of its own.
    let begin = if bytes.get(2) == Some(&b'[') { 3 } else { 2 };
    let is_final = |byte: &u8| !(0x20..=0x3f).contains(byte);
    let Some(size) = bytes[begin.min(bytes.len())..].iter().position(is_final) else {
        return match bytes.len() > SEQUENCE_MAX {
            true => Parsed::Key(bytes.len(), None),
            false => Parsed::Incomplete,
        };
    };
    let end = begin + size;
    let parameters = &bytes[begin..end];
    let key = match (bytes[end], parameters) {
        _ if begin == 3 => None,
        (b'~', b"200") => return Parsed::PasteBegin(end + 1),
        (b'~', b"1" | b"7") => Some(Key::Home),
        (b'~', b"4" | b"8") => Some(Key::End),
        (b'~', b"3") => Some(Key::Delete),
        (last, parameters) => arrow(last, parameters),
    };
    Parsed::Key(end + 1, key)
}

fn arrow(last: u8, parameters: &[u8]) -> Option<Key> {
    // With Alt or Control.
    let by_words = matches!(parameters, b"1;3" | b"1;5");
    Some(match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' if by_words => Key::WordRight,
        b'D' if by_words => Key::WordLeft,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Key {
        Key::Text(text.to_owned())
    }

    /// The keys, with what is typed in one piece.
    fn joined(keys: impl IntoIterator<Item = Key>) -> Vec<Key> {
        let mut all = Vec::new();
        for key in keys {
            match (all.last_mut(), key) {
                (Some(Key::Text(before)), Key::Text(text)) => before.push_str(&text),
                (_, key) => all.push(key),
            }
        }
        all
    }

    #[test]
    fn keys_are_the_same_wherever_the_bytes_are_cut() {
        let bytes = "한a\x1b[D\x1b[1;5C\x1bb\x1b가\x1bOH\x1b[3~\t\x03\x7f\x1b[200~x\r\ny\rz\t한\x1b[201~\x1b[[A\x1b[<0;1M나\r";
        let expected = [
            text("한a"),
            Key::Left,
            Key::WordRight,
            Key::Alt('b'),
            Key::Alt('가'),
            Key::Home,
            Key::Delete,
            Key::Tab,
            Key::Control('c'),
            Key::Backspace,
            Key::Paste("x\ny\nz\t한".to_owned()),
            text("나"),
            Key::Enter,
        ];
        for cut in 0..=bytes.len() {
            let mut parser = Parser::new(100);
            let (before, after) = bytes.as_bytes().split_at(cut);
            let mut keys = parser.feed(before);
            keys.extend(parser.feed(after));
            assert_eq!(joined(keys), expected, "cut at {cut}");
        }
        let mut parser = Parser::new(100);
        let one_by_one = bytes.bytes().flat_map(|byte| parser.feed(&[byte]));
        assert_eq!(joined(one_by_one), expected);
    }

    #[test]
    fn a_line_end_of_two_characters_is_one() {
        let keys = Parser::new(9).feed(b"a\r\n\nb\r\r");
        let enter = || Key::Enter;
        let expected = [text("a"), enter(), enter(), text("b"), enter(), enter()];
        assert_eq!(keys, expected);
    }

    #[test]
    fn escape_is_a_key_if_nothing_follows() {
        let mut parser = Parser::new(9);
        assert_eq!(parser.feed(b"\x1b"), []);
        assert!(parser.is_undecided());
        assert_eq!(parser.decide(), [Key::Escape]);
        assert!(!parser.is_undecided());
        assert_eq!(parser.feed(b"\x1b\x1b["), [Key::Escape]);
    }

    #[test]
    fn what_is_not_utf8_is_replaced_and_what_has_no_end_is_not_held() {
        assert_eq!(joined(Parser::new(9).feed(b"a\xffb")), [text("a\u{fffd}b")]);
        let mut parser = Parser::new(9);
        assert_eq!(parser.feed(b"\x1b["), []);
        assert_eq!(parser.feed(&[b'1'; 100]), []);
        assert_eq!(parser.feed(b"a"), [text("a")]);
        let mut parser = Parser::new(9);
        parser.feed(b"\x1b[200~");
        for _ in 0..1000 {
            parser.feed(&[b'x'; 1000]);
        }
        assert!(parser.paste.as_ref().unwrap().len() == 10 && parser.bytes.len() < 10);
        let keys = parser.feed(b"\x1b[201~y");
        assert_eq!(keys, [Key::Paste("x".repeat(10)), text("y")]);
    }
}

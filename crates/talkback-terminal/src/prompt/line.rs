//! A line of text with a cursor in it, of which a row shows a part.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// The largest line that can be typed or pasted, in bytes.
pub(crate) const LINE_MAX: usize = 1 << 20;

/// The longest character that is shown as it is, in bytes: no script has one of that many marks.
const CHARACTER_MAX: usize = 64;

/// What stands for what cannot be shown.
const SUBSTITUTE: char = '␦';

/// A line in progress. Whatever is done to it takes no longer the longer it is, but for moving its bytes.
#[derive(Debug, Default)]
pub(crate) struct Line {
    text: String,
    /// Between two characters as a person sees them, in bytes.
    cursor: usize,
    /// What was cut last.
    cut: String,
}

/// Which way from the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Back,
    On,
}

/// How far from the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Far {
    Character,
    /// Letters and digits.
    Word,
    /// Anything but blanks.
    Blank,
    All,
}

impl Line {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What stands before the cursor.
    pub(crate) fn before(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// Another text, with the cursor behind it.
    pub(crate) fn set(&mut self, text: impl Into<String>) {
        self.text = text.into();
        self.cursor = self.text.len();
    }

    pub(crate) fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Inserts a text at the cursor; returns whether there is room for it.
    #[must_use]
    pub(crate) fn insert(&mut self, text: &str) -> bool {
        if self.text.len() + text.len() > LINE_MAX {
            return false;
        }
        self.text.insert_str(self.cursor, text);
        self.cursor += text.len();
        true
    }

    /// Inserts what was cut last.
    #[must_use]
    pub(crate) fn paste(&mut self) -> bool {
        let cut = std::mem::take(&mut self.cut);
        let has_room = self.insert(&cut);
        self.cut = cut;
        has_room
    }

    pub(crate) fn go(&mut self, way: Way, far: Far) {
        self.cursor = self.position(way, far);
    }

    /// Deletes from the cursor on; what is more than a character can be pasted.
    pub(crate) fn delete(&mut self, way: Way, far: Far) {
        let to = self.position(way, far);
        let range = to.min(self.cursor)..to.max(self.cursor);
        if far != Far::Character && !range.is_empty() {
            self.cut = self.text[range.clone()].to_owned();
        }
        self.cursor = range.start;
        self.text.drain(range);
    }

    /// Exchanges the characters before the cursor.
    pub(crate) fn exchange(&mut self) {
        if self.cursor == self.text.len() {
            self.go(Way::Back, Far::Character);
        }
        let start = self.position(Way::Back, Far::Character);
        let end = self.position(Way::On, Far::Character);
        if start < self.cursor && self.cursor < end {
            let (before, after) = (&self.text[start..self.cursor], &self.text[self.cursor..end]);
            let exchanged = format!("{after}{before}");
            self.text.replace_range(start..end, &exchanged);
        }
        self.cursor = end;
    }

    fn position(&self, way: Way, far: Far) -> usize {
        let (before, after) = self.text.split_at(self.cursor);
        let is_word: fn(char) -> bool = match far {
            Far::Word => char::is_alphanumeric,
            _ => |character| !character.is_whitespace(),
        };
        match (way, far) {
            (Way::Back, Far::Character) => {
                let mut graphemes = before.grapheme_indices(true);
                graphemes.next_back().map_or(0, |(index, _)| index)
            }
            (Way::On, Far::Character) => {
                let grapheme = after.graphemes(true).next();
                self.cursor + grapheme.map_or(0, str::len)
            }
            (Way::Back, Far::All) => 0,
            (Way::On, Far::All) => self.text.len(),
            (Way::Back, _) => {
                let words = before.trim_end_matches(|character| !is_word(character));
                words.trim_end_matches(is_word).len()
            }
            (Way::On, _) => {
                let words = after.trim_start_matches(|character| !is_word(character));
                self.text.len() - words.trim_start_matches(is_word).len()
            }
        }
    }

    /// The part that fits into `width` columns with the cursor in it, and the cursor's column there.
    pub(crate) fn window(&self, width: usize) -> (String, usize) {
        let (before, after) = self.text.split_at(self.cursor);
        let (mut start, mut cursor) = (before.len(), 0);
        for (index, grapheme) in before.grapheme_indices(true).rev() {
            let shown = shown(grapheme).width();
            if cursor + shown > width {
                break;
            }
            cursor += shown;
            start = index;
        }
        let mut window: String = before[start..].graphemes(true).map(shown).collect();
        let mut column = cursor;
        for grapheme in after.graphemes(true) {
            let shown = shown(grapheme);
            column += shown.width();
            if column > width {
                break;
            }
            window.push_str(&shown);
        }
        (window, cursor)
    }
}

/// A character as a person sees it, for a row: what would move the cursor or turn the direction of writing is
/// shown as something else.
pub(crate) fn shown(grapheme: &str) -> Cow<'_, str> {
    let mut characters = grapheme.chars();
    let shown = match characters.next() {
        Some('\n' | '\r') => '↵',
        Some('\t') => '⇥',
        Some('\u{7f}') => '␡',
        // The pictures of control characters stand in their order.
        Some(character @ '\0'..='\u{1f}') => {
            char::from_u32(0x2400 + u32::from(character)).unwrap_or(SUBSTITUTE)
        }
        Some('\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => SUBSTITUTE,
        _ if grapheme.len() > CHARACTER_MAX => SUBSTITUTE,
        _ => return grapheme.into(),
    };
    shown.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(before: &str, after: &str) -> Line {
        let mut line = Line::default();
        line.set(format!("{before}{after}"));
        line.cursor = before.len();
        line
    }

    #[test]
    fn what_is_longer_than_the_row_is_shown_around_the_cursor() {
        let window = |before, after, width| line(before, after).window(width);
        let expected = |text: &str, cursor| (text.to_owned(), cursor);
        assert_eq!(window("short", "", 10), expected("short", 5));
        assert_eq!(window("", "", 10), expected("", 0));
        assert_eq!(window("0123456789abc", "", 10), expected("3456789abc", 10));
        assert_eq!(window("", "0123456789abc", 10), expected("0123456789", 0));
        // A syllable takes two columns, and none is cut in half.
        assert_eq!(window("가나다라마바", "", 5), expected("마바", 4));
        assert_eq!(window("", "가나다라마바", 5), expected("가나", 0));
        assert_eq!(window("가나", "다", 0), expected("", 0));
        assert_eq!(window("{\n\t", "}\u{1b}\u{9b}", 9), expected("{↵⇥}␛␦", 3));
    }

    #[test]
    fn characters_are_syllables_however_they_are_written() {
        let decomposed = "\u{1112}\u{1161}\u{11ab}";
        let mut line = line(&format!("안{decomposed}"), "녕");
        assert_eq!(line.window(10), (format!("안{decomposed}녕"), 4));
        line.delete(Way::Back, Far::Character);
        assert_eq!(line.text(), "안녕");
        line.exchange();
        assert_eq!(line.text(), "녕안");
    }

    #[test]
    fn words_are_passed_and_deleted_and_come_back() {
        let mut line = line("a-b  안녕, ", "하세요 c");
        line.delete(Way::On, Far::Word);
        assert_eq!(line.text(), "a-b  안녕,  c");
        line.go(Way::Back, Far::Word);
        assert_eq!(line.before(), "a-b  ");
        line.delete(Way::Back, Far::Blank);
        assert_eq!(line.text(), "안녕,  c");
        line.go(Way::On, Far::All);
        assert!(line.paste());
        assert_eq!(line.take(), "안녕,  ca-b  ");
    }

    #[test]
    fn a_line_has_an_end() {
        let mut line = line("", "");
        assert!(line.insert(&"x".repeat(LINE_MAX)));
        assert!(!line.insert("x"));
        assert_eq!(line.text().len(), LINE_MAX);
    }
}

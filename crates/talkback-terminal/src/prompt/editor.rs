//! The line that a person types: keys in, a row of the terminal out.

use std::io::{self, Write};

use crossterm::cursor::{MoveToColumn, MoveUp};
use crossterm::queue;
use crossterm::style::Print;
use crossterm::terminal::{Clear, ClearType};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use super::history::History;
use super::keys::Key;
use super::line::{Far, LINE_MAX, Line, Way, shown};

/// How much of a line that was entered stays on the screen, in bytes.
const ENTERED_MAX: usize = 4096;

/// The line in progress, and those before it.
#[derive(Debug)]
pub(crate) struct Editor {
    /// What stands before the line.
    prompt: &'static str,
    /// What Tab completes.
    words: &'static [&'static str],
    line: Line,
    history: History,
    /// Which line of the history is shown; its length stands for the line in progress.
    position: usize,
    search: Option<Search>,
    /// In which column the cursor was drawn.
    column: usize,
}

/// A search for an earlier line.
#[derive(Debug)]
struct Search {
    text: String,
    /// Where it has found one.
    found: Option<usize>,
    /// The line before it.
    before: String,
}

/// What a key has brought about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    /// Enter.
    Line(String),
    /// Something to be told.
    Remark(String),
    /// Ctrl-D on an empty line.
    End,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-Z.
    Suspend,
    /// Ctrl-L.
    Clear,
}

impl Editor {
    pub(crate) fn new(
        prompt: &'static str,
        words: &'static [&'static str],
        history: History,
    ) -> Self {
        Self {
            prompt,
            words,
            line: Line::default(),
            position: history.len(),
            history,
            search: None,
            column: 0,
        }
    }

    /// Takes a key.
    pub(crate) fn handle(&mut self, key: Key) -> Option<Entered> {
        let key = match self.search.is_some() {
            true => self.handle_in_search(key)?,
            false => key,
        };
        match key {
            Key::Enter => return Some(Entered::Line(self.enter())),
            Key::Control('c') => return Some(Entered::Interrupt),
            Key::Control('z') => return Some(Entered::Suspend),
            Key::Control('l') => return Some(Entered::Clear),
            Key::Control('d') if self.line.text().is_empty() => return Some(Entered::End),
            Key::Tab => return self.complete(),
            Key::Text(text) => return self.insert(&text),
            // The end of the last line is not part of it, as that of a typed one is not.
            Key::Paste(text) => return self.insert(text.strip_suffix('\n').unwrap_or(&text)),
            Key::Alt('\r') => return self.insert("\n"),
            Key::Control('y') => {
                let has_room = self.line.paste();
                return too_long(has_room);
            }
            Key::Control('r') => self.begin_search(),
            Key::Up | Key::Control('p') => self.recall(self.position.checked_sub(1)),
            Key::Down | Key::Control('n') => self.recall(Some(self.position + 1)),
            key => self.edit(&key),
        }
        None
    }

    /// The keys of other editors of lines.
    fn edit(&mut self, key: &Key) {
        use Far::{All, Blank, Character, Word};
        use Way::{Back, On};
        let line = &mut self.line;
        match key {
            Key::Left | Key::Control('b') => line.go(Back, Character),
            Key::Right | Key::Control('f') => line.go(On, Character),
            Key::WordLeft | Key::Alt('b') => line.go(Back, Word),
            Key::WordRight | Key::Alt('f') => line.go(On, Word),
            Key::Home | Key::Control('a') => line.go(Back, All),
            Key::End | Key::Control('e') => line.go(On, All),
            Key::Backspace => line.delete(Back, Character),
            Key::Delete | Key::Control('d') => line.delete(On, Character),
            Key::Control('w') => line.delete(Back, Blank),
            Key::Alt('\u{7f}' | '\u{8}') => line.delete(Back, Word),
            Key::Alt('d') => line.delete(On, Word),
            Key::Control('u') => line.delete(Back, All),
            Key::Control('k') => line.delete(On, All),
            Key::Control('t') => line.exchange(),
            _ => {}
        }
    }

    fn insert(&mut self, text: &str) -> Option<Entered> {
        too_long(self.line.insert(text))
    }

    fn enter(&mut self) -> String {
        let line = self.line.take();
        self.history.push(&line);
        self.position = self.history.len();
        line
    }

    /// Shows a line of the history; the one behind the last is empty.
    fn recall(&mut self, position: Option<usize>) {
        let Some(position) = position.filter(|position| *position <= self.history.len()) else {
            return;
        };
        let line = self.history.line(position).unwrap_or_default().to_owned();
        self.line.set(line);
        self.position = position;
    }

    /// Completes a word at the beginning of the line, or lists what it may be. Elsewhere a Tab is a Tab.
    fn complete(&mut self) -> Option<Entered> {
        let typed = self.line.before();
        let is_alone = !typed.is_empty() && typed.len() == self.line.text().len();
        let words = self.words.iter().filter(|word| word.starts_with(typed));
        let words: Vec<&str> = words.copied().filter(|_| is_alone).collect();
        let Some((first, others)) = words.split_first() else {
            return self.insert("\t");
        };
        let is_common = |end: &usize| others.iter().all(|word| word.starts_with(&first[..*end]));
        let common = (0..=first.len()).rev().find(is_common).unwrap_or(0);
        if common > typed.len() {
            self.line.set(&first[..common]);
            return None;
        }
        let is_list = !others.is_empty();
        is_list.then(|| Entered::Remark(words.join(" ")))
    }

    fn begin_search(&mut self) {
        self.search = Some(Search {
            text: String::new(),
            found: None,
            before: self.line.take(),
        });
    }

    /// Takes a key while an earlier line is searched for; gives it back if it is one for the line.
    fn handle_in_search(&mut self, key: Key) -> Option<Key> {
        let mut search = self.search.take()?;
        let from = match key {
            Key::Control('g' | 'c') => {
                self.line.set(search.before);
                return None;
            }
            Key::Control('r') => search.found.unwrap_or(self.history.len()),
            Key::Text(text) => {
                let has_room = search.text.len() + text.len() <= ENTERED_MAX;
                search.text.push_str(if has_room { &text } else { "" });
                // What is found already may have this, too.
                search.found.map_or(self.history.len(), |found| found + 1)
            }
            Key::Backspace => {
                search.text.pop();
                self.history.len()
            }
            key => {
                if search.found.is_none() {
                    self.line.set(search.before);
                }
                return Some(key).filter(|key| *key != Key::Escape);
            }
        };
        let found = self.history.find_before(from, &search.text);
        if let Some(found) = found {
            search.found = Some(found);
            self.position = found;
            let line = self.history.line(found).unwrap_or_default().to_owned();
            self.line.set(line);
        }
        self.search = Some(search);
        None
    }

    /// Draws the prompt and as much of the line around the cursor as fits into one row of
    /// `columns`.
    pub(crate) fn draw(&mut self, out: &mut impl Write, columns: u16) -> io::Result<()> {
        self.erase(out, columns)?;
        let columns = usize::from(columns);
        let searching = self.search.as_ref().map(|search| {
            let text: String = search.text.graphemes(true).map(shown).collect();
            format!("search `{text}`: ")
        });
        let prompt = searching.as_deref().unwrap_or(self.prompt);
        // The last column stays free for the cursor behind the line.
        let prompt = match prompt.width() < columns {
            true => prompt,
            false => "",
        };
        let width = columns.saturating_sub(prompt.width() + 1);
        let (window, cursor) = self.line.window(width);
        self.column = prompt.width() + cursor;
        let column = u16::try_from(self.column).unwrap_or(u16::MAX);
        queue!(out, Print(prompt), Print(window), MoveToColumn(column))
    }

    /// Takes the row of the prompt away.
    ///
    /// A terminal that was made narrower since has made several rows of it: the cursor stands in one further
    /// down, as far as those that break lines anew are concerned, which are most.
    pub(crate) fn erase(&mut self, out: &mut impl Write, columns: u16) -> io::Result<()> {
        let above = self.column / usize::from(columns).max(1);
        if let Ok(above @ 1..) = u16::try_from(above) {
            queue!(out, MoveUp(above))?;
        }
        self.column = 0;
        queue!(out, MoveToColumn(0), Clear(ClearType::FromCursorDown))
    }

    /// The prompt with a line that was entered, to stay on the screen.
    pub(crate) fn entered(&self, line: &str) -> String {
        let mut text = self.prompt.to_owned();
        for grapheme in line.graphemes(true) {
            if text.len() > ENTERED_MAX {
                text.push_str(&format!(" … [{} bytes]", line.len()));
                break;
            }
            text.push_str(&shown(grapheme));
        }
        text
    }
}

fn too_long(has_room: bool) -> Option<Entered> {
    (!has_room).then(|| {
        Entered::Remark(format!(
            "not inserted: a line holds {LINE_MAX} bytes at most; send what is longer from a file or a pipe"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &[&str] = &["/ping", "/pong ", "/help"];

    fn editor() -> Editor {
        Editor::new("> ", WORDS, History::default())
    }

    fn type_in(editor: &mut Editor, text: &str) {
        assert_eq!(editor.handle(Key::Text(text.to_owned())), None);
    }

    fn press(editor: &mut Editor, keys: &[Key]) -> Option<Entered> {
        let keys = keys.iter().cloned();
        keys.map(|key| editor.handle(key)).last().flatten()
    }

    fn enter(editor: &mut Editor, line: &str) {
        type_in(editor, line);
        let entered = editor.handle(Key::Enter);
        assert_eq!(entered, Some(Entered::Line(line.to_owned())));
    }

    fn drawn(editor: &mut Editor, columns: u16) -> String {
        let mut out = Vec::new();
        editor.draw(&mut out, columns).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_come_back_from_the_history() {
        let mut editor = editor();
        enter(&mut editor, "first");
        enter(&mut editor, "second");
        press(&mut editor, &[Key::Up, Key::Up, Key::Up, Key::Down]);
        assert_eq!(editor.line.text(), "second");
        press(&mut editor, &[Key::Down, Key::Down]);
        assert_eq!(editor.line.text(), "");
    }

    #[test]
    fn lines_are_searched_for() {
        let search = || Key::Control('r');
        let mut editor = editor();
        for line in ["안녕 1", "other", "안녕 2"] {
            enter(&mut editor, line);
        }
        type_in(&mut editor, "draft");
        press(&mut editor, &[search()]);
        type_in(&mut editor, "안");
        type_in(&mut editor, "녕");
        assert_eq!(editor.line.text(), "안녕 2");
        let shown = drawn(&mut editor, 80);
        assert!(shown.contains("search `안녕`: 안녕 2"), "{shown:?}");
        press(&mut editor, &[search()]);
        assert_eq!(editor.line.text(), "안녕 1");
        press(&mut editor, &[Key::Control('g')]);
        assert_eq!(editor.line.text(), "draft");
        press(&mut editor, &[search(), Key::Text("oth".to_owned())]);
        let entered = press(&mut editor, &[Key::Enter]);
        assert_eq!(entered, Some(Entered::Line("other".to_owned())));
    }

    #[test]
    fn a_search_that_finds_nothing_leaves_the_draft() {
        for key in [Key::Escape, Key::Enter, Key::Control('d')] {
            let mut editor = editor();
            type_in(&mut editor, "draft");
            press(&mut editor, &[Key::Control('r')]);
            type_in(&mut editor, "x");
            let entered = press(&mut editor, std::slice::from_ref(&key));
            match key {
                Key::Enter => assert_eq!(entered, Some(Entered::Line("draft".to_owned()))),
                _ => assert_eq!((entered, editor.line.text()), (None, "draft")),
            }
        }
    }

    #[test]
    fn tab_completes_words_and_is_a_tab_elsewhere() {
        let mut editor = editor();
        type_in(&mut editor, "/p");
        let entered = press(&mut editor, &[Key::Tab]);
        assert_eq!(entered, Some(Entered::Remark("/ping /pong ".to_owned())));
        type_in(&mut editor, "o");
        assert_eq!(press(&mut editor, &[Key::Tab]), None);
        assert_eq!(editor.line.text(), "/pong ");
        press(&mut editor, &[Key::Tab, Key::Control('u'), Key::Tab]);
        type_in(&mut editor, "a");
        let entered = press(&mut editor, &[Key::Tab, Key::Enter]);
        assert_eq!(entered, Some(Entered::Line("\ta\t".to_owned())));
    }

    #[test]
    fn a_paste_is_one_line_until_enter() {
        let mut editor = editor();
        let paste = Key::Paste("{\n\t\"a\": 1\n}\n".to_owned());
        assert_eq!(editor.handle(paste), None);
        assert!(drawn(&mut editor, 80).contains("> {↵⇥\"a\": 1↵}"));
        let entered = press(&mut editor, &[Key::Enter]);
        let line = "{\n\t\"a\": 1\n}".to_owned();
        assert_eq!(entered, Some(Entered::Line(line)));
        let long = Key::Paste("x".repeat(LINE_MAX + 1));
        assert!(matches!(editor.handle(long), Some(Entered::Remark(_))));
        assert_eq!(editor.line.text(), "");
    }

    #[test]
    fn ctrl_d_ends_on_an_empty_line_only() {
        let control = |character| [Key::Control(character)];
        let mut editor = editor();
        type_in(&mut editor, "a");
        assert_eq!(press(&mut editor, &control('d')), None);
        press(&mut editor, &[Key::Backspace]);
        assert_eq!(press(&mut editor, &control('d')), Some(Entered::End));
        assert_eq!(press(&mut editor, &control('c')), Some(Entered::Interrupt));
        assert_eq!(press(&mut editor, &control('z')), Some(Entered::Suspend));
    }

    #[test]
    fn the_cursor_stands_behind_wide_characters() {
        let mut editor = editor();
        type_in(&mut editor, "안녕");
        let out = drawn(&mut editor, 80);
        // Columns are counted from 1 on the wire: two of the prompt, four of the syllables.
        assert!(out.ends_with("> 안녕\u{1b}[7G"), "{out:?}");
    }

    #[test]
    fn a_narrower_terminal_keeps_no_row_of_what_was_drawn() {
        let mut editor = editor();
        type_in(&mut editor, &"x".repeat(50));
        assert!(!drawn(&mut editor, 80).contains('A'));
        // The cursor was in column 52, which is in the third of 20.
        assert!(drawn(&mut editor, 20).starts_with("\u{1b}[2A\u{1b}[1G\u{1b}[J"));
        assert!(!drawn(&mut editor, 80).contains('A'));
    }

    #[test]
    fn what_was_entered_stays_as_far_as_it_is_short() {
        let editor = editor();
        assert_eq!(editor.entered("a\u{1b}c\nb"), "> a␛c↵b");
        let long = editor.entered(&"가".repeat(10_000));
        assert!(long.len() < 5000 && long.ends_with("가 … [30000 bytes]"));
    }
}

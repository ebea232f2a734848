//! The line that a person types: keys in, a row of the terminal out.

use std::io::{self, Write};

use crossterm::cursor::MoveToColumn;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::queue;
use crossterm::style::Print;
use crossterm::terminal::{Clear, ClearType};
use tui_input::backend::crossterm::to_input_request;
use tui_input::{Input, InputRequest};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// How many lines the up and down keys bring back.
const HISTORY_MAX: usize = 1000;

/// The line in progress, and those before it.
#[derive(Debug)]
pub(crate) struct Editor {
    /// What stands before the line.
    prompt: &'static str,
    input: Input,
    history: Vec<String>,
    /// Which line of the history is shown; its length stands for the line in progress.
    position: usize,
}

/// What a key has brought about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    /// Enter.
    Line(String),
    /// Ctrl-D on an empty line.
    End,
    /// Ctrl-C.
    Interrupt,
}

impl Editor {
    pub(crate) fn new(prompt: &'static str) -> Self {
        Self {
            prompt,
            input: Input::default(),
            history: Vec::new(),
            position: 0,
        }
    }

    /// Takes a key.
    pub(crate) fn handle(&mut self, event: &Event) -> Option<Entered> {
        let key = match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => key,
            _ => return None,
        };
        match (key.code, key.modifiers) {
            (KeyCode::Enter, _) => return Some(Entered::Line(self.enter())),
            (KeyCode::Char('c'), KeyModifiers::CONTROL) => return Some(Entered::Interrupt),
            (KeyCode::Char('d'), KeyModifiers::CONTROL) if self.input.value().is_empty() => {
                return Some(Entered::End);
            }
            (KeyCode::Char('d'), KeyModifiers::CONTROL) => {
                self.input.handle(InputRequest::DeleteNextChar);
            }
            (KeyCode::Up, _) => self.recall(self.position.checked_sub(1)),
            (KeyCode::Down, _) => self.recall(Some(self.position + 1)),
            _ => self.edit(event, key),
        }
        None
    }

    fn edit(&mut self, event: &Event, key: &KeyEvent) {
        let request = match (key.code, to_input_request(event)) {
            (KeyCode::Tab, None) => Some(InputRequest::InsertChar(' ')),
            (_, request) => request,
        };
        if let Some(request) = request {
            self.input.handle(request);
        }
    }

    fn enter(&mut self) -> String {
        let line = self.input.value_and_reset();
        if !line.is_empty() && self.history.last() != Some(&line) {
            self.history.push(line.clone());
        }
        if self.history.len() > HISTORY_MAX {
            self.history.remove(0);
        }
        self.position = self.history.len();
        line
    }

    /// Shows a line of the history; the one behind the last is empty.
    fn recall(&mut self, position: Option<usize>) {
        let Some(position) = position.filter(|position| *position <= self.history.len()) else {
            return;
        };
        let line = self.history.get(position).cloned().unwrap_or_default();
        self.input = Input::new(line);
        self.position = position;
    }

    /// Draws the prompt and as much of the line around the cursor as fits into one row of
    /// `columns`.
    pub(crate) fn draw(&self, out: &mut impl Write, columns: u16) -> io::Result<()> {
        // The last column stays free for the cursor behind the line.
        let width = usize::from(columns).saturating_sub(self.prompt.width() + 1);
        let (shown, cursor) = window(self.input.value(), self.input.visual_cursor(), width);
        let column = u16::try_from(self.prompt.width() + cursor).unwrap_or(columns);
        erase(out)?;
        queue!(out, Print(self.prompt), Print(shown), MoveToColumn(column))
    }

    /// The prompt with a line that was entered, to stay on the screen.
    pub(crate) fn entered(&self, line: &str) -> String {
        format!("{}{line}", self.prompt)
    }
}

/// Takes the row of the prompt away.
pub(crate) fn erase(out: &mut impl Write) -> io::Result<()> {
    queue!(out, MoveToColumn(0), Clear(ClearType::FromCursorDown))
}

/// The part of `line` that fits into `width` columns with the cursor in it, and the cursor's column
/// there.
fn window(line: &str, cursor: usize, width: usize) -> (&str, usize) {
    let mut column = 0;
    let (mut start, mut start_column) = (None, 0);
    let mut end = line.len();
    for (index, grapheme) in line.grapheme_indices(true) {
        // What stands to the left by more than the width would push the cursor out.
        if start.is_none() && cursor.saturating_sub(column) <= width {
            (start, start_column) = (Some(index), column);
        }
        column += grapheme.width();
        if start.is_some() && column - start_column > width {
            end = index;
            break;
        }
    }
    match start {
        Some(start) => (&line[start..end], cursor.saturating_sub(start_column)),
        None => ("", 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    fn type_in(editor: &mut Editor, text: &str) {
        for character in text.chars() {
            let event = key(KeyCode::Char(character), KeyModifiers::NONE);
            assert_eq!(editor.handle(&event), None);
        }
    }

    fn press(editor: &mut Editor, codes: &[KeyCode]) -> Option<Entered> {
        let mut entered = None;
        for code in codes {
            entered = editor.handle(&key(*code, KeyModifiers::NONE));
        }
        entered
    }

    fn control(editor: &mut Editor, character: char) -> Option<Entered> {
        editor.handle(&key(KeyCode::Char(character), KeyModifiers::CONTROL))
    }

    #[test]
    fn korean_is_edited_by_syllables() {
        use KeyCode::{Backspace, Enter, Left};
        let mut editor = Editor::new("> ");
        type_in(&mut editor, "안녕하세요");
        press(&mut editor, &[Backspace, Left]);
        type_in(&mut editor, "X");
        let entered = press(&mut editor, &[Enter]);
        assert_eq!(entered, Some(Entered::Line("안녕하X세".to_owned())));
    }

    #[test]
    fn words_of_korean_are_deleted() {
        let mut editor = Editor::new("> ");
        type_in(&mut editor, "안녕 하세요");
        for expected in ["안녕 ", "", ""] {
            control(&mut editor, 'w');
            assert_eq!(editor.input.value(), expected);
        }
    }

    #[test]
    fn lines_come_back_from_the_history() {
        use KeyCode::{Down, Enter, Up};
        let mut editor = Editor::new("> ");
        for line in ["first", "second"] {
            type_in(&mut editor, line);
            press(&mut editor, &[Enter]);
        }
        press(&mut editor, &[Up, Up, Up, Down]);
        assert_eq!(editor.input.value(), "second");
        press(&mut editor, &[Down, Down]);
        assert_eq!(editor.input.value(), "");
    }

    #[test]
    fn ctrl_d_ends_on_an_empty_line_only() {
        let mut editor = Editor::new("> ");
        type_in(&mut editor, "a");
        assert_eq!(control(&mut editor, 'd'), None);
        press(&mut editor, &[KeyCode::Backspace]);
        assert_eq!(control(&mut editor, 'd'), Some(Entered::End));
        assert_eq!(control(&mut editor, 'c'), Some(Entered::Interrupt));
    }

    #[test]
    fn a_line_longer_than_the_row_is_shown_around_the_cursor() {
        assert_eq!(window("short", 5, 10), ("short", 5));
        assert_eq!(window("", 0, 10), ("", 0));
        assert_eq!(window("0123456789abc", 13, 10), ("3456789abc", 10));
        assert_eq!(window("0123456789abc", 0, 10), ("0123456789", 0));
        // A syllable takes two columns, and none is cut in half.
        assert_eq!(window("가나다라마바", 12, 5), ("마바", 4));
        assert_eq!(window("가나다라마바", 0, 5), ("가나", 0));
        assert_eq!(window("가나", 4, 0), ("", 0));
    }

    #[test]
    fn the_cursor_stands_behind_wide_characters() {
        let mut editor = Editor::new("> ");
        type_in(&mut editor, "안녕");
        let mut out = Vec::new();
        editor.draw(&mut out, 80).unwrap();
        let out = String::from_utf8(out).unwrap();
        // Columns are counted from 1 on the wire: two of the prompt, four of the syllables.
        assert!(out.ends_with("> 안녕\u{1b}[7G"), "{out:?}");
    }
}

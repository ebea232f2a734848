//! What a person sees of a message that is JSON.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::de::IgnoredAny;
use talkback_terminal::show::escaped;

/// The longest text that is taken apart, in bytes; what is longer is one line.
const SIZE_MAX: usize = 64 << 10;

/// How many levels are indented; deeper ones stay in that column.
const LEVELS_MAX: usize = 16;

/// The colours of a terminal (ECMA-48 §8.3.117), and what ends them.
const NAME: &str = "\x1b[36m";
const TEXT: &str = "\x1b[32m";
const NUMBER: &str = "\x1b[33m";
const WORD: &str = "\x1b[35m";
const PLAIN: &str = "\x1b[0m";

/// Whether a text is an object or an array in JSON that is shown in several lines.
pub(crate) fn is_json(text: &str) -> bool {
    text.len() <= SIZE_MAX
        && text.trim_start().starts_with(['{', '['])
        && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Writes JSON with a line for each member.
///
/// The text is taken as it came, so that names keep their order and numbers their digits; what it must not do
/// to a terminal is escaped, which in JSON is in strings alone.
pub(crate) fn write(
    text: &str,
    is_coloured: bool,
    to: &mut dyn Write,
    end: &str,
) -> io::Result<()> {
    let mut rest = text.trim();
    let mut level = 0_usize;
    while let Some(first) = rest.chars().next() {
        let (token, after) = rest.split_at(token_size(rest));
        let after = after.trim_start();
        let is_closing = after.starts_with(['}', ']']);
        match first {
            '{' | '[' => {
                to.write_all(token.as_bytes())?;
                level += 1;
                if !is_closing {
                    begin_line(to, end, level)?;
                }
            }
            '}' | ']' => {
                level = level.saturating_sub(1);
                to.write_all(token.as_bytes())?;
            }
            ',' => {
                to.write_all(b",")?;
                begin_line(to, end, level)?;
            }
            ':' => to.write_all(b": ")?,
            first => {
                let colour = match first {
                    '"' if after.starts_with(':') => NAME,
                    '"' => TEXT,
                    '-' | '0'..='9' => NUMBER,
                    _ => WORD,
                };
                write_token(&safe(token), is_coloured.then_some(colour), to)?;
            }
        }
        if is_closing && !matches!(first, '{' | '[') {
            begin_line(to, end, level.saturating_sub(1))?;
        }
        rest = after;
    }
    Ok(())
}

fn begin_line(to: &mut dyn Write, end: &str, level: usize) -> io::Result<()> {
    let indent = "  ".repeat(level.min(LEVELS_MAX));
    write!(to, "{end}{indent}")
}

fn write_token(token: &str, colour: Option<&str>, to: &mut dyn Write) -> io::Result<()> {
    match colour {
        Some(colour) => write!(to, "{colour}{token}{PLAIN}"),
        None => to.write_all(token.as_bytes()),
    }
}

/// How many bytes the first token of valid JSON has.
fn token_size(text: &str) -> usize {
    let mut bytes = text.bytes().enumerate();
    match bytes.next() {
        Some((_, b'"')) => {
            let mut is_escaped = false;
            for (index, byte) in bytes {
                match byte {
                    _ if is_escaped => is_escaped = false,
                    b'\\' => is_escaped = true,
                    b'"' => return index + 1,
                    _ => {}
                }
            }
            text.len()
        }
        Some((_, b'{' | b'}' | b'[' | b']' | b',' | b':')) => 1,
        _ => {
            let is_end = |character: char| ",:]}".contains(character) || character.is_whitespace();
            text.find(is_end).unwrap_or(text.len())
        }
    }
}

/// A token in which what a terminal would heed is escaped as JSON does it.
pub(crate) fn safe(token: &str) -> Cow<'_, str> {
    if escaped(token) == token {
        return token.into();
    }
    let shown = |character: char| match escaped(character.encode_utf8(&mut [0; 4])) {
        same if same.chars().eq([character]) => same,
        _ => format!("\\u{:04x}", u32::from(character)),
    };
    token.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, is_coloured: bool) -> String {
        let mut to = Vec::new();
        write(text, is_coloured, &mut to, "\n").unwrap();
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn each_member_has_a_line_and_keeps_its_characters() {
        let text =
            r#" {"b":1e400,"a":[{},[ ],"\"}\\",true , null],"안":{"c":-12345678901234567890}} "#;
        let expected = r#"{
  "b": 1e400,
  "a": [
    {},
    [],
    "\"}\\",
    true,
    null
  ],
  "안": {
    "c": -12345678901234567890
  }
}"#;
        assert_eq!(written(text, false), expected);
    }

    #[test]
    fn colours_tell_names_texts_numbers_and_words_apart() {
        let expected = format!(
            "{{\n  {NAME}\"a\"{PLAIN}: [\n    {TEXT}\"b\"{PLAIN},\n    {NUMBER}1{PLAIN},\n    {WORD}null{PLAIN}\n  ]\n}}"
        );
        assert_eq!(written(r#"{"a":["b",1,null]}"#, true), expected);
    }

    #[test]
    fn a_terminal_heeds_nothing_of_it_and_it_stays_json() {
        let text = "[\"\u{9b}2J\u{7f}\u{202e}안\"]";
        assert!(is_json(text));
        assert_eq!(
            written(text, false),
            "[\n  \"\\u009b2J\\u007f\\u202e안\"\n]"
        );
    }

    #[test]
    fn only_objects_and_arrays_that_are_whole_and_short_are_taken_apart() {
        assert!(is_json(" [1]") && is_json("{}"));
        let long = format!("[{}1]", "1,".repeat(SIZE_MAX / 2));
        for text in [
            "",
            "1",
            "\"a\"",
            "{",
            "[1] 2",
            "{'a': 1}",
            &long,
            &"[".repeat(200),
        ] {
            assert!(!is_json(text), "{text:.20}");
        }
    }
}

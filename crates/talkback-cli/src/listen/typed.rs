//! What a person types at the prompt of `talkback listen`.

use talkback::Message;

use crate::args::Form;
use crate::input;

/// For one client, or for all, and of this size at most, or what is wrong with it.
pub(super) fn read(
    form: Form,
    line: &str,
    size_max: u64,
) -> Result<(Option<u64>, Message), String> {
    let (to, text) = addressed(line)?;
    let message = input::message(form, text.as_bytes().to_vec(), size_max);
    let message = message.map_err(|what| format!("not sent: the line {what}"))?;
    Ok((to, message))
}

fn addressed(line: &str) -> Result<(Option<u64>, &str), String> {
    let Some(command) = line.strip_prefix('/') else {
        return Ok((None, line));
    };
    if command.starts_with('/') {
        return Ok((None, command));
    }
    let one = || {
        let (number, text) = command.strip_prefix("to ")?.split_once(' ')?;
        let number = number.strip_prefix('#').unwrap_or(number);
        Some((Some(number.parse().ok()?), text))
    };
    one().ok_or_else(|| {
        "not sent: write /to N TEXT for one client, or // to begin a text with a slash".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_for_all_unless_it_names_one() {
        let read = |line| read(Form::Text, line, 8);
        let for_all = |text: &str| Ok((None, Message::from(text)));
        assert_eq!(read("hi /to 1"), for_all("hi /to 1"));
        assert_eq!(read("//to 1 x"), for_all("/to 1 x"));
        for text in ["/to 2 a  b", "/to #2 a  b"] {
            assert_eq!(read(text), Ok((Some(2), "a  b".into())));
        }
        for text in ["/", "/to", "/to 2", "/to x y", "/tell 2 x"] {
            assert!(read(text).unwrap_err().contains("/to N TEXT"), "{text}");
        }
    }

    #[test]
    fn a_line_is_read_as_those_of_a_pipe_are() {
        let read = |line| read(Form::Hex, line, 2);
        let bytes = || Message::from(vec![0xca, 0xfe]);
        assert_eq!(read("ca fe"), Ok((None, bytes())));
        assert_eq!(read("/to 2 cafe"), Ok((Some(2), bytes())));
        for (line, what) in [
            ("xy", "not hexadecimal"),
            ("010203", "longer than the limit"),
        ] {
            assert!(read(line).unwrap_err().contains(what), "{line}");
        }
    }
}

//! What is sent: the messages of `--send` and of standard input.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use talkback::Message;
use talkback_terminal::input::{Cut, Reading};

use crate::args::{Form, InputArgs};
use crate::exit::{self, Failure};

/// How many bytes of hexadecimal or Base64 there may be for each of a message, with the blanks between them, and
/// how many for its end.
const WRITTEN: (u64, u64) = (3, 4);

/// How standard input becomes messages, of this size at most.
pub(crate) fn reading(args: &InputArgs, size_max: u64) -> Reading {
    let form = args.form();
    let cut = match (form, args.frame) {
        (Form::Binary, None) => Cut::Whole,
        (Form::Binary, Some(size)) => Cut::Size(saturating(size)),
        (Form::Text | Form::Hex | Form::Base64, _) => Cut::At(args.separator().to_vec()),
    };
    let piece_max = match form {
        Form::Text | Form::Binary => size_max,
        Form::Hex | Form::Base64 => size_max.saturating_mul(WRITTEN.0).saturating_add(WRITTEN.1),
    };
    Reading::new(cut, move |bytes| message(form, bytes, size_max))
        .size_max(saturating(piece_max), too_large(size_max))
}

/// What is wrong with a message over the limit.
pub(crate) fn too_large(size_max: u64) -> String {
    format!(
        "is longer than the limit of {size_max} bytes: raise --max-message, or send less at once"
    )
}

/// No more than that is in memory.
fn saturating(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// The messages of `--send`, of this size at most.
pub(crate) fn first(args: &InputArgs, size_max: u64) -> Result<Vec<Message>, Failure> {
    let form = args.form();
    let messages = args.send.iter().map(|text| {
        let message = message(form, text.clone().into_bytes(), size_max);
        message.map_err(|what| Failure::new(exit::USAGE, format!("what --send gives {what}")))
    });
    messages.collect()
}

/// The message that a piece of input stands for, of this size at most, or what is wrong with it.
pub(crate) fn message(form: Form, bytes: Vec<u8>, size_max: u64) -> Result<Message, String> {
    let message = read(form, bytes)?;
    match message.len() as u64 > size_max {
        true => Err(too_large(size_max)),
        false => Ok(message),
    }
}

fn read(form: Form, bytes: Vec<u8>) -> Result<Message, String> {
    match form {
        Form::Text => {
            let text = String::from_utf8(bytes);
            text.map(Message::from).map_err(|_| {
                "is not UTF-8, as text has to be: convert it, or send it with --binary".to_owned()
            })
        }
        Form::Binary => Ok(bytes.into()),
        Form::Hex => hex::decode(without_spaces(bytes))
            .map(Message::from)
            .map_err(|_| {
                "is not hexadecimal: write two digits for each byte, such as cafe or ca fe"
                    .to_owned()
            }),
        Form::Base64 => STANDARD
            .decode(without_spaces(bytes))
            .map(Message::from)
            .map_err(|_| "is not Base64: write it as `base64 -w0` does, such as yv4=".to_owned()),
    }
}

fn without_spaces(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.retain(|byte| !byte.is_ascii_whitespace());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_has_its_messages_and_its_complaint() {
        let made = |form, text: &str| message(form, text.as_bytes().to_vec(), 6);
        let bytes = || Ok(Message::from(vec![0xca, 0xfe]));
        assert_eq!(made(Form::Text, "안녕"), Ok("안녕".into()));
        assert_eq!(made(Form::Hex, "CA fe\r"), bytes());
        assert_eq!(made(Form::Base64, "yv4="), bytes());
        assert_eq!(message(Form::Binary, vec![0xca, 0xfe], 6), bytes());
        for (form, bytes, word) in [
            (Form::Text, &b"\xff"[..], "UTF-8"),
            (Form::Hex, b"caf", "two digits"),
            (Form::Hex, b"xy", "hexadecimal"),
            (Form::Base64, b"yv4", "Base64"),
        ] {
            let what = message(form, bytes.to_vec(), 6).unwrap_err();
            assert!(what.starts_with("is not ") && what.contains(word), "{what}");
        }
    }

    #[test]
    fn a_message_is_held_to_the_limit_however_it_is_written() {
        for (form, right, large) in [
            (Form::Text, "가", "가1"),
            (Form::Binary, "123", "1234"),
            (Form::Hex, "01 02 03 ", "01020304"),
            (Form::Base64, "AQ\nID", "AQIDBA=="),
        ] {
            let made = |text: &str| message(form, text.as_bytes().to_vec(), 3);
            assert_eq!(made(right).unwrap().len(), 3, "{form:?}");
            assert_eq!(made(large), Err(too_large(3)), "{form:?}");
            let longest = 3 * WRITTEN.0 + WRITTEN.1;
            assert!(right.len() as u64 <= longest, "{form:?}");
        }
    }
}

//! What is printed of messages: in lines for a person, or as they came for a program.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use talkback::Message;
use talkback_terminal::output::{Output, Print};

use crate::args::{Form, InputArgs, OutputArgs};

/// How many bytes are encoded at a time; a multiple of three, as Base64 wants.
const PART_SIZE: usize = 48 * 1024;

/// How messages are printed.
#[derive(Clone, Debug)]
pub(crate) enum Style {
    /// In one line each, for a person.
    Line,
    /// As they came, or encoded, with this behind each.
    Raw(Form, Vec<u8>),
    /// In events, of which `events` makes lines.
    Json,
}

impl Style {
    pub(crate) fn of(output: &OutputArgs, input: &InputArgs) -> Self {
        if output.json {
            return Self::Json;
        }
        let form = input.form();
        let is_encoded = matches!(form, Form::Hex | Form::Base64);
        if output.escape || (Output::Stdout.is_terminal() && !is_encoded) {
            return Self::Line;
        }
        let separator = match form {
            Form::Binary => Vec::new(),
            Form::Text | Form::Hex | Form::Base64 => input.separator().to_vec(),
        };
        Self::Raw(form, separator)
    }
}

/// A message to be printed as it came, or encoded.
pub(crate) struct Raw {
    pub(crate) message: Message,
    pub(crate) form: Form,
    pub(crate) separator: Vec<u8>,
}

/// Shows the size: the message may be a secret.
impl std::fmt::Debug for Raw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Raw").field(&self.message).finish()
    }
}

impl Print for Raw {
    fn size(&self) -> usize {
        self.message.len()
    }

    fn print(&self, to: &mut dyn Write, end: &str) -> io::Result<()> {
        match (&self.message, self.form) {
            (Message::Binary(bytes), Form::Hex) => {
                let mut parts = bytes.chunks(PART_SIZE);
                parts.try_for_each(|part| to.write_all(hex::encode(part).as_bytes()))?;
            }
            (Message::Binary(bytes), Form::Base64) => {
                let mut parts = bytes.chunks(PART_SIZE);
                parts.try_for_each(|part| to.write_all(STANDARD.encode(part).as_bytes()))?;
            }
            (Message::Text(text), Form::Hex | Form::Base64) if Output::Stdout.is_terminal() => {
                return Message::from(text.clone()).print(to, end);
            }
            (message, _) => to.write_all(message.as_bytes())?,
        }
        match &*self.separator {
            b"\n" => to.write_all(end.as_bytes()),
            separator => to.write_all(separator),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(message: Message, form: Form, separator: &[u8]) -> Vec<u8> {
        let separator = separator.to_vec();
        let raw = Raw {
            message,
            form,
            separator,
        };
        let mut to = Vec::new();
        raw.print(&mut to, "\n").unwrap();
        to
    }

    #[test]
    fn what_is_encoded_in_parts_is_what_is_encoded_whole() {
        let bytes: Vec<u8> = (0..=255).cycle().take(3 * PART_SIZE + 1).collect();
        let printed = |form| printed(bytes.clone().into(), form, b"");
        assert_eq!(printed(Form::Hex), hex::encode(&bytes).into_bytes());
        assert_eq!(printed(Form::Base64), STANDARD.encode(&bytes).into_bytes());
        assert_eq!(printed(Form::Binary), bytes);
    }

    #[test]
    fn a_text_is_itself_and_the_separator() {
        assert_eq!(printed("a\nb\\".into(), Form::Text, b"\0"), b"a\nb\\\0");
        assert_eq!(printed("a".into(), Form::Hex, b"\n"), b"a\n");
    }
}

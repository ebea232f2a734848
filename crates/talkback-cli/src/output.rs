//! What is printed of messages: in lines for a person, or as they came for a program.

use std::io::{self, BufWriter, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use talkback::Message;
use talkback_terminal::output::{Output, Print};

use crate::args::{Color, Form, InputArgs, OutputArgs};
use crate::{events, pretty};

/// How many bytes are encoded at a time; a multiple of three, as Base64 wants.
const PART_SIZE: usize = 48 * 1024;

/// How messages are printed.
#[derive(Clone, Debug)]
pub(crate) enum Style {
    /// For a person.
    Line(Look),
    /// As they came, or encoded, with this behind each.
    Raw(Form, Vec<u8>),
    /// In events, of which `events` makes lines.
    Json,
}

/// What a person sees of messages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Look {
    /// Whether JSON has a line for each member.
    is_pretty: bool,
    is_coloured: bool,
    has_times: bool,
}

impl Look {
    fn of(output: &OutputArgs) -> Self {
        let is_terminal = Output::Stdout.is_terminal();
        Self {
            is_pretty: !output.escape,
            is_coloured: match output.color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => is_terminal && may_colour(),
            },
            has_times: output.times,
        }
    }
}

/// Whether the environment lets a program colour: <https://no-color.org>.
fn may_colour() -> bool {
    let is_set = |variable| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

impl Style {
    pub(crate) fn of(output: &OutputArgs, input: &InputArgs) -> Self {
        if output.json {
            return Self::Json;
        }
        let form = input.form();
        let is_encoded = matches!(form, Form::Hex | Form::Base64);
        let is_for_person = Output::Stdout.is_terminal() || output.color == Color::Always;
        if output.escape || (is_for_person && !is_encoded) {
            return Self::Line(Look::of(output));
        }
        let separator = match form {
            Form::Binary => Vec::new(),
            Form::Text | Form::Hex | Form::Base64 => input.separator().to_vec(),
        };
        Self::Raw(form, separator)
    }
}

/// A message to be shown to a person.
#[derive(Debug)]
pub(crate) struct Shown {
    message: Message,
    look: Look,
    /// When it came.
    time: Option<String>,
}

impl Shown {
    /// One that has come now.
    pub(crate) fn new(message: Message, look: Look) -> Self {
        Self {
            message,
            look,
            time: look.has_times.then(events::time_of_day),
        }
    }
}

impl Print for Shown {
    fn size(&self) -> usize {
        self.message.len()
    }

    fn print(&self, to: &mut dyn Write, end: &str) -> io::Result<()> {
        // A line would be written for each token otherwise.
        let mut to = BufWriter::new(to);
        if let Some(time) = &self.time {
            write!(to, "{time} ")?;
        }
        match &self.message {
            Message::Text(text) if self.look.is_pretty && pretty::is_json(text) => {
                pretty::write(text, self.look.is_coloured, &mut to, end)?;
                to.write_all(end.as_bytes())?;
            }
            message => message.print(&mut to, end)?,
        }
        to.flush()
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

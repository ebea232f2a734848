//! What a type says is wrong with a value.

use std::fmt::{self, Display};

use serde_core::de::{self, Expected, Unexpected};

use crate::error::codec::{CodecError, Segment};

/// An error of what is read, with the way to it from the inside out.
#[derive(Debug, Default)]
pub(super) struct Fault {
    what: String,
    way: Vec<Segment>,
    /// Line and column, counted from 1.
    pub(super) position: Option<(usize, usize)>,
    /// Whether it is no JSON at all, so that the names around it may be anything.
    is_syntax: bool,
}

impl Fault {
    pub(super) fn new(what: String) -> Self {
        Self {
            what,
            ..Self::default()
        }
    }

    /// What is wrong with the JSON itself.
    pub(super) fn syntax(what: String) -> Self {
        Self {
            is_syntax: true,
            ..Self::new(what)
        }
    }

    /// It was found in this part of what is around it.
    pub(super) fn within(mut self, segment: Segment) -> Self {
        if !self.is_syntax {
            self.way.push(segment);
        }
        self
    }

    pub(super) fn into_error(self) -> CodecError {
        CodecError::located(self.what, self.way.into_iter().rev(), self.position)
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Fault {}

/// What a type says of what it has read. Its names of fields and variants are the program's; what was found may
/// be a secret, and so may be the words of a type's own.
impl de::Error for Fault {
    fn custom<T: Display>(_: T) -> Self {
        Self::new("its type refuses what it says".to_owned())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = kind(&found.to_string());
        Self::new(format!("expected {expected}, found {found}"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = kind(&found.to_string());
        Self::new(format!(
            "expected {expected}, found {found} that is none of it"
        ))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, found {length} elements"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("expected {}", one_of(expected)))
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!(
            "a field that is not known, expected {}",
            one_of(expected)
        ))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("it is missing".to_owned()).within(Segment::Name(field.into()))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new("it is there twice".to_owned()).within(Segment::Name(field.into()))
    }
}

fn one_of(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        [name] => format!("`{name}`"),
        _ => format!("one of `{}`", names.join("`, `")),
    }
}

/// What was found, of which serde's words are followed by the value.
pub(super) fn kind(told: &str) -> &'static str {
    const KINDS: [(&str, &str); 8] = [
        ("boolean", "a boolean"),
        ("integer", "an integer"),
        ("floating point", "a number with a fraction"),
        ("string", "a string"),
        ("null", "null"),
        ("unit", "null"),
        ("sequence", "an array"),
        ("map", "an object"),
    ];
    let mut kinds = KINDS.iter();
    let found = kinds.find(|(word, _)| told.starts_with(word));
    found.map_or("something else", |(_, kind)| kind)
}

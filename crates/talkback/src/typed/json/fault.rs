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

    /// It is none of an enum's variants.
    pub(super) fn unlike(variants: &[&str], found: &str) -> Self {
        Self::new(format!("expected {}, found {found}", one_of(variants)))
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

    /// Whether it is no JSON, or JSON in a form that its reader is not told.
    pub(super) fn is_syntax(&self) -> bool {
        self.is_syntax
    }

    /// Whether a value of another kind stands there than an enum is, which serde_json takes for no value.
    pub(super) fn is_no_variant(&self) -> bool {
        self.is_syntax && self.what == "expected value"
    }

    /// Says it in other words.
    pub(super) fn told(mut self, told: impl FnOnce(&str) -> String) -> Self {
        self.what = told(&self.what);
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
        let found = match found {
            Unexpected::Signed(_) | Unexpected::Unsigned(_) => "an integer out of range".to_owned(),
            _ => format!("{} that is none of it", kind(&found.to_string())),
        };
        Self::new(format!("expected {expected}, found {found}"))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, found {length} elements"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::unlike(expected, "another name")
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
    /// From here on a number has no fraction any more: it was too large for an integer.
    const WHOLE_MIN: f64 = 9_007_199_254_740_992.0;
    const KINDS: [(&str, &str); 8] = [
        ("boolean", "a boolean"),
        ("integer", "an integer"),
        ("floating point", "a number with a fraction or an exponent"),
        ("string", "a string"),
        ("null", "null"),
        ("unit", "null"),
        ("sequence", "an array"),
        ("map", "an object"),
    ];
    let number = told.strip_prefix("floating point `");
    let number = number.and_then(|rest| rest.split('`').next()?.parse::<f64>().ok());
    if number.is_some_and(|number| number.abs() >= WHOLE_MIN) {
        return "a number out of range";
    }
    let mut kinds = KINDS.iter();
    let found = kinds.find(|(word, _)| told.starts_with(word));
    found.map_or("something else", |(_, kind)| kind)
}

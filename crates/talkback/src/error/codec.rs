//! What a codec has to say.

use std::error::Error;
use std::fmt::{self, Write as _};

/// A value has no form as a message, or a message is not the value that was expected.
///
/// Its text names the field that is wrong and where it is, and repeats nothing of the message: that may be a secret.
#[derive(Clone)]
pub struct CodecError(Box<Inner>);

#[derive(Clone)]
struct Inner {
    what: String,
    path: String,
    position: Option<(usize, usize)>,
}

/// A step of the way into a value.
#[derive(Clone, Debug)]
pub(crate) enum Segment {
    /// A field or a variant, by the name that the type has for it.
    Name(Box<str>),
    /// An element of an array, counted from 0.
    Index(usize),
    /// A value of a map, whose key is the peer's.
    Key,
}

impl CodecError {
    /// An error of a codec of the program's, in its words. They are shown, so they should not repeat the value.
    pub fn new(what: impl Into<String>) -> Self {
        Self::located(what.into(), [], None)
    }

    /// An error in a part of a value.
    pub(crate) fn located(
        what: String,
        way: impl IntoIterator<Item = Segment>,
        position: Option<(usize, usize)>,
    ) -> Self {
        let mut path = String::new();
        for segment in way {
            let dot = if path.is_empty() { "" } else { "." };
            // Writing to a string does not fail.
            let _ = match segment {
                Segment::Name(name) => write!(path, "{dot}{name}"),
                Segment::Index(index) => write!(path, "[{index}]"),
                Segment::Key => write!(path, "{dot}*"),
            };
        }
        Self(Box::new(Inner {
            what,
            path,
            position,
        }))
    }

    /// The way to the field that is wrong, as `orders[3].price`; empty if it is the value as a whole, or is not known.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// Where the message is wrong, if that is known: line and column, counted from 1, the column in bytes.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.0.position
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            what,
            path,
            position,
        } = &*self.0;
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        f.write_str(what)?;
        match position {
            Some((line, column)) => write!(f, " (line {line}, column {column})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodecError({self})")
    }
}

impl Error for CodecError {}

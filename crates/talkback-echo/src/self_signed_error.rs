//! Why no self-signed certificate is made.

use std::error::Error;
use std::fmt;

/// No self-signed certificate can be made, as for a name that is none.
#[derive(Clone, Debug)]
pub struct SelfSignedError(pub(crate) String);

impl fmt::Display for SelfSignedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = &self.0;
        write!(
            f,
            "no self-signed certificate can be made: {why}. Check the names that it is for"
        )
    }
}

impl Error for SelfSignedError {}

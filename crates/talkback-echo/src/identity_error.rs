//! Why a server cannot show a certificate.

use std::error::Error;
use std::fmt;

/// A server cannot show a certificate.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum IdentityError {
    /// The certificate chain cannot be read.
    Certificate(String),
    /// The private key cannot be read, or is another certificate's.
    Key(String),
    /// No certificate can be made, as for a name that is none.
    SelfSigned(String),
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(why) => write!(
                f,
                "the certificate cannot be used: {why}. Give certificates in PEM, which begins with -----BEGIN CERTIFICATE-----"
            ),
            Self::Key(why) => write!(
                f,
                "the private key cannot be used: {why}. Give the certificate's own in PEM, which begins with -----BEGIN PRIVATE KEY-----, not encrypted"
            ),
            Self::SelfSigned(why) => write!(
                f,
                "no self-signed certificate can be made: {why}. Check the names that it is for"
            ),
        }
    }
}

impl Error for IdentityError {}

//! The negotiation of permessage-deflate (RFC 7692 §5, §7.1).
//!
//! ```text
//! parameter                    in an offer                      in a response
//! server_no_context_takeover   asks the server                  binds the server
//! client_no_context_takeover   a hint                           binds the client
//! server_max_window_bits=N     asks the server                  binds the server
//! client_max_window_bits[=N]   allows the server to ask; hint   binds the client; only if offered
//! ```

use std::fmt::Write as _;

use super::deflate_error::DeflateError;
use super::grammar::{ExtensionOffer, count_work};
use crate::deflate::parameters::WindowBits;

/// The name of the extension (RFC 7692 §7).
pub(super) const NAME: &str = "permessage-deflate";

pub(super) const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
pub(super) const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
pub(super) const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
pub(super) const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// Adds a parameter to an element of the header.
pub(super) fn push(text: &mut String, name: &str, value: Option<WindowBits>) {
    let _ = write!(text, "; {name}");
    if let Some(bits) = value {
        let _ = write!(text, "={}", bits.get());
    }
}

/// The parameters of an offer or a response as they stand there, each once and with a value that
/// it may have.
#[derive(Default)]
pub(super) struct Params {
    pub(super) server_no_context_takeover: bool,
    pub(super) client_no_context_takeover: bool,
    /// From 8 to 15.
    pub(super) server_max_window_bits: Option<u8>,
    /// From 8 to 15, if there is a value.
    pub(super) client_max_window_bits: Option<Option<u8>>,
}

impl Params {
    /// # Errors
    /// A parameter that is unknown, stands twice or has a wrong value (§7).
    pub(super) fn read(extension: &ExtensionOffer) -> Result<Self, DeflateError> {
        let mut params = Self::default();
        for (name, value) in &extension.params {
            count_work(name.len() + value.as_ref().map_or(0, String::len));
            let value = value.as_deref();
            let is_repeated = match name.as_str() {
                SERVER_NO_CONTEXT_TAKEOVER => {
                    expect_no_value(SERVER_NO_CONTEXT_TAKEOVER, value)?;
                    std::mem::replace(&mut params.server_no_context_takeover, true)
                }
                CLIENT_NO_CONTEXT_TAKEOVER => {
                    expect_no_value(CLIENT_NO_CONTEXT_TAKEOVER, value)?;
                    std::mem::replace(&mut params.client_no_context_takeover, true)
                }
                SERVER_MAX_WINDOW_BITS => {
                    let bits = value.and_then(window_bits);
                    let bits = bits.ok_or(DeflateError::value(SERVER_MAX_WINDOW_BITS))?;
                    params.server_max_window_bits.replace(bits).is_some()
                }
                CLIENT_MAX_WINDOW_BITS => {
                    let bits = value.map(|value| {
                        window_bits(value).ok_or(DeflateError::value(CLIENT_MAX_WINDOW_BITS))
                    });
                    let bits = bits.transpose()?;
                    params.client_max_window_bits.replace(bits).is_some()
                }
                _ => return Err(DeflateError::UnknownParameter { name: name.clone() }),
            };
            if is_repeated {
                return Err(DeflateError::RepeatedParameter { name: name.clone() });
            }
        }
        Ok(params)
    }
}

/// "A decimal integer value without leading zeroes between 8 to 15, inclusive" (§7.1.2.1).
fn window_bits(value: &str) -> Option<u8> {
    match value.as_bytes() {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

fn expect_no_value(name: &'static str, value: Option<&str>) -> Result<(), DeflateError> {
    match value {
        None => Ok(()),
        Some(_) => Err(DeflateError::value(name)),
    }
}

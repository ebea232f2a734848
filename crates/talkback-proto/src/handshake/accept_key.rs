//! The proof that a server speaks WebSocket (RFC 6455 §1.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1_smol::Sha1;

/// The string that a server appends to the client's key (RFC 6455 §1.3).
const KEY_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Computes the `Sec-WebSocket-Accept` value for a `Sec-WebSocket-Key` (RFC 6455 §4.2.2).
///
/// `key` is the header's value without white space around it: 24 bytes of base64. The result is
/// the base64 of SHA-1 over the key and the protocol's fixed GUID: 28 bytes.
///
/// ```
/// # use talkback_proto::handshake as talkback;
/// use talkback::accept_key;
///
/// assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[must_use]
pub fn accept_key(key: &str) -> String {
    let mut digest = Sha1::from(key);
    digest.update(KEY_GUID);
    STANDARD.encode(digest.digest().bytes())
}

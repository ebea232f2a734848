//! The target `header`: decoding a frame header, and encoding it again (RFC 6455 §5.2).

use talkback_proto::{HEADER_SIZE_MAX, Header};

/// Holds that a header means the same however many of its bytes have come, and that what was
/// decoded is what would be encoded.
pub fn check(bytes: &[u8]) {
    let whole = Header::decode(bytes);
    for size in 0..bytes.len().min(HEADER_SIZE_MAX) {
        match Header::decode(&bytes[..size]) {
            Ok(None) => {}
            early => assert_eq!(early, whole, "the first {size} bytes decide"),
        }
    }
    match whole {
        Ok(Some((header, size))) => {
            assert!(size <= HEADER_SIZE_MAX);
            assert_eq!(header.encode().as_ref(), &bytes[..size]);
            assert!(header.payload_size >> 63 == 0);
            assert!(!header.opcode.is_control() || header.fin && header.payload_size <= 125);
        }
        Ok(None) => assert!(bytes.len() < HEADER_SIZE_MAX),
        Err(error) => assert_eq!(error.close_code().number(), 1002, "{error}"),
    }
}

//! What the fuzz targets hold: no panic, bounded memory, documented errors only, nothing delivered
//! after failing, and the same outcome however the bytes are cut.
//!
//! Each file of `fuzz_targets/` hands its input to one function here. An input begins with a few
//! bytes that choose the circumstances (limits, sizes of the reads, what the caller does); the rest
//! is what the peer sends.

pub mod deflate;
pub mod extensions;
pub mod header;
pub mod plan;
pub mod request;
pub mod response;
pub mod session;
pub mod stream_receive;
pub mod stream_send;

mod head;
mod outcome;
mod reader;
mod script;
mod sent;

/// Cuts bytes into pieces of these sizes, over and over.
fn cut<'a>(bytes: &'a [u8], sizes: &[usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = bytes;
    sizes.iter().cycle().map_while(move |size| {
        let (piece, behind) = rest.split_at_checked(*size).unwrap_or((rest, &[]));
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

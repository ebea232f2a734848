//! The protocol core, tested with bytes and virtual time.

mod bounds;
mod close_info;
mod closing;
mod conversions;
mod deflate_bounds;
mod deflate_properties;
mod deflate_receive;
mod deflate_send;
mod error_words;
mod fast_path;
mod frame_size;
mod framing;
mod half_close;
mod keepalive;
mod linger;
mod memory;
mod payload;
mod prepared;
mod progress;
mod properties;
mod secrets;
mod streams_properties;
mod streams_receive;
mod streams_send;
mod support;
mod wording;

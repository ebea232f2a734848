//! The answer of a server to the opening handshake, as a client reads it.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| talkback_fuzz::response::check(input));

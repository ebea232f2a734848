//! The opening handshake of a client, as a server reads it.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| talkback_fuzz::request::check(input));

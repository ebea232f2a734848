//! A DEFLATE stream, as the payload of a message.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| talkback_fuzz::deflate::check_stream(input));

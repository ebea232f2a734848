//! The header `Sec-WebSocket-Extensions`, from either end.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| talkback_fuzz::extensions::check(input));

//! A frame header.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| talkback_fuzz::header::check(input));

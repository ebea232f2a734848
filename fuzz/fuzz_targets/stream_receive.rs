//! Messages that are read piece by piece, and some of them abandoned.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| talkback_fuzz::stream_receive::check(input));

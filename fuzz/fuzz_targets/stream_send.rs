//! Messages of unknown length that are sent in fragments.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| talkback_fuzz::stream_send::check(input));

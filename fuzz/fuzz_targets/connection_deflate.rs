//! Either end of a connection with permessage-deflate.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| talkback_fuzz::deflate::check_connection(input));

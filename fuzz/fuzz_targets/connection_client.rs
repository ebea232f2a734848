//! The end of a client: what a server sends to it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use talkback_fuzz::session::{PLAIN, check};
use talkback_proto::Role;

fuzz_target!(|input: &[u8]| check(Role::Client, input, |connection| connection, PLAIN));

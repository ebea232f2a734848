//! The end of a server: what a client sends to it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use talkback_fuzz::session::{PLAIN, check};
use talkback_proto::Role;

fuzz_target!(|input: &[u8]| check(Role::Server, input, |connection| connection, PLAIN));

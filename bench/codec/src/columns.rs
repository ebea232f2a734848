//! The columns of the table: one file for each library, which uses it as its documentation does.
//!
//! A new kind of message is a new [`Kind`]; a column says by `has` whether it takes it.

mod engine;
mod fastwebsockets;
mod talkback;
mod tokio_websockets;
mod tungstenite;
mod yawc;

use crate::case::{Case, Direction, Kind};

pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) has: fn(&Case) -> bool,
    /// Takes `count` messages out of frames, and one before them, whose bytes are compared.
    decode: fn(&Case, count: usize),
    /// Makes `count` frames and returns how many bytes they were.
    encode: fn(&Case, count: usize) -> usize,
}

#[rustfmt::skip]
pub(crate) const COLUMNS: &[Column] = &[
    Column { name: "talkback-proto", has: all, decode: engine::decode, encode: engine::encode },
    Column { name: "talkback", has: all, decode: talkback::decode, encode: talkback::encode },
    Column { name: "tungstenite", has: plain, decode: tungstenite::decode, encode: tungstenite::encode },
    Column { name: "fastwebsockets", has: plain, decode: fastwebsockets::decode, encode: fastwebsockets::encode },
    Column { name: "tokio-websockets", has: plain, decode: tokio_websockets::decode, encode: tokio_websockets::encode },
    Column { name: "yawc", has: all, decode: yawc::decode, encode: yawc::encode },
];

/// Everything but compressed messages.
fn plain(case: &Case) -> bool {
    case.kind != Kind::Compressed
}

fn all(_: &Case) -> bool {
    true
}

impl Column {
    pub(crate) fn run(&self, case: &Case, count: usize) {
        match case.direction {
            Direction::Decode => (self.decode)(case, count),
            Direction::Encode => {
                let written = (self.encode)(case, count);
                let expected = count * case.frame_size();
                match case.kind {
                    Kind::Text | Kind::Binary => assert_eq!(written, expected),
                    // Nobody has to compress exactly as well.
                    Kind::Compressed => assert!((1..2 * expected).contains(&written)),
                }
            }
        }
    }
}

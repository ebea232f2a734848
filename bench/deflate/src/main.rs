//! Messages of the corpus through one compressor, to be counted.
//!
//! `deflate list` names the compressors, `deflate bytes NAME SIZE` prints what messages of that size come to and
//! what one connection holds behind them, `deflate run NAME SIZE COUNT` compresses so many of each kind,
//! and `deflate make SIZE COUNT` only makes them.

mod compressors;

use std::hint::black_box;

use corpus::Kind;

use crate::compressors::{Compressor, NAMES, compressor};

/// Of each kind, so many messages are measured.
const COUNT: usize = 100;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse().expect("a number");
    match args[..] {
        ["list"] => println!("{}", NAMES.join("\n")),
        ["bytes", name, size] => bytes(name, number(size)),
        ["run", name, size, count] => {
            each(number(size), number(count), &mut *compressor(name));
        }
        ["make", size, count] => {
            for kind in Kind::ALL {
                black_box(corpus::messages(kind, number(size), number(count)));
            }
        }
        _ => panic!("deflate list | bytes NAME SIZE | run NAME SIZE COUNT | make SIZE COUNT"),
    }
}

/// What all messages come to.
fn each(size: usize, count: usize, compressor: &mut dyn Compressor) -> usize {
    let sizes = Kind::ALL.map(|kind| {
        compressor.begin();
        let messages = corpus::messages(kind, size, count);
        let sizes = messages.iter().map(|message| compressor.compress(message));
        sizes.sum::<usize>()
    });
    sizes.iter().sum()
}

/// Prints what a message comes to on average, without and with compression, and what a connection holds.
fn bytes(name: &str, size: usize) {
    let messages = Kind::ALL.map(|kind| corpus::messages(kind, size, COUNT));
    let plain: usize = messages.iter().flatten().map(String::len).sum();
    let compressed = each(size, COUNT, &mut *compressor(name));
    // What the thread keeps for all connections, an earlier one has taken.
    let mut earlier = compressor(name);
    messages.iter().flatten().for_each(|message| {
        earlier.compress(message);
    });
    let (_held, heap) = talkback_testing::heap::measure(|| {
        let mut one = compressor(name);
        for message in &messages[0] {
            one.compress(message);
        }
        one
    });
    let count = COUNT * Kind::ALL.len();
    println!("{} {} {}", plain / count, compressed / count, heap.left);
}

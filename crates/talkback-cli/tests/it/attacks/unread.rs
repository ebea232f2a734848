//! A client whose output nobody reads, and what it holds meanwhile: V51.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::support::attack::by_hand::compressed_zeros;
use crate::support::attack::{
    Attacker, CONSTANT, FIN, KIB, MESSAGE_SIZE_MAX, TEXT, Usage, plain, until,
};

const RSV1: u8 = 0x40;

#[test]
fn v51_a_client_whose_output_nobody_reads() {
    holds_few_messages(|client| {
        client.stdin(Stdio::piped()).stdout(Stdio::piped());
    });
}

#[test]
fn v51_a_client_whose_terminal_nobody_reads() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let mut options = std::fs::File::options();
    let face = options.read(true).write(true);
    let face = face.open(name.to_str().unwrap()).unwrap();
    holds_few_messages(|client| {
        client.stdin(face.try_clone().unwrap());
        client.stdout(face.try_clone().unwrap());
    });
}

/// Sends what inflates to messages of the largest size to a client, of whose output nothing is read.
fn holds_few_messages(wire: impl Fn(&mut Command)) {
    let attacker = Attacker::listen();
    let mut command = Command::new(env!("CARGO_BIN_EXE_talkback"));
    command
        .args(["connect", &attacker.url])
        .env_remove("RUST_LOG");
    wire(command.stderr(Stdio::null()));
    let mut client = command.spawn().unwrap();
    let mut peer = attacker.open_compressed();
    let usage = Usage::of(client.id());
    let before = usage.peak();
    // Shown, each byte takes five.
    let zeros = compressed_zeros(MESSAGE_SIZE_MAX as usize - 5_000);
    peer.send(&plain(FIN | RSV1 | TEXT, &zeros).repeat(20));
    let is_stuck = || {
        let ticks = usage.ticks();
        sleep(Duration::from_millis(500));
        usage.ticks() == ticks && usage.peak() > before + MESSAGE_SIZE_MAX
    };
    until("it waits for its reader", is_stuck);
    let growth = usage.peak() - before;
    println!("memory grew by {} KiB", growth / KIB);
    // One message that is printed, one that waits, and one for which there is no capacity yet; and what the
    // last took while it grew.
    assert!(growth <= 4 * MESSAGE_SIZE_MAX + CONSTANT, "{growth}");
    client.kill().unwrap();
    client.wait().unwrap();
}

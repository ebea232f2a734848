//! What arrives, whatever happens to the connections.

use super::*;

use std::io;
use std::sync::{Arc, Mutex};

use talkback::{Fate, Message, QueueLimits, Receipt};

use crate::support::fault_proxy::Chance;

const RUNS: u64 = 300;

const MESSAGES: u64 = 60;

/// What each connection got, in the order in which they were accepted.
type Log = Arc<Mutex<Vec<Vec<u64>>>>;

/// How often each fate came.
#[derive(Debug, Default)]
struct Fates {
    written: u64,
    unknown: u64,
    dropped: u64,
    unsent: u64,
}

#[tokio::test(start_paused = true)]
async fn re69_each_message_arrives_at_most_once_and_its_fate_is_true() {
    let mut all = Fates::default();
    for seed in 0..RUNS {
        let run = timeout(24 * LONG, run(seed, &mut all)).await;
        assert!(run.is_ok(), "seed {seed}: it does not end");
    }
    println!("{RUNS} runs of {MESSAGES} messages: {all:?}");
    let Fates {
        written,
        unknown,
        dropped,
        unsent,
    } = all;
    // Each of them was put to the test.
    assert!(
        written > 3_000 && unknown > 300 && dropped > 300 && unsent > 100,
        "{all:?}"
    );
}

async fn run(seed: u64, all: &mut Fates) {
    let mut chance = Chance(seed);
    let server = ScriptedServer::new();
    let channel = channel(&server, &mut chance);
    let log = Log::default();
    let serving = serve(server, Chance(seed + RUNS), Arc::clone(&log));
    let serving = tokio::spawn(serving);
    let receipts = send(&channel, &mut chance).await;
    match chance.below(2) {
        0 => drop(channel.close().await),
        _ => drop(channel),
    }
    let mut fates = Vec::new();
    for (id, receipt) in receipts {
        fates.push((id, receipt.await));
    }
    // A peer that looks away does so for less.
    tokio::time::sleep(Duration::from_secs(60)).await;
    serving.abort();

    let log = log.lock().unwrap().concat();
    assert!(
        log.is_sorted_by(|one, next| one < next),
        "seed {seed}: twice, or out of order: {log:?}"
    );
    for id in &log {
        let (_, fate) = fates.iter().find(|(sent, _)| sent == id).unwrap();
        assert!(
            matches!(fate, Fate::Written { .. } | Fate::Unknown { .. }),
            "seed {seed}: {id} has arrived, and is {fate:?}"
        );
    }
    for (_, fate) in fates {
        match fate {
            Fate::Written { .. } => all.written += 1,
            Fate::Unknown { .. } => all.unknown += 1,
            Fate::Dropped => all.dropped += 1,
            Fate::Unsent => all.unsent += 1,
            fate => panic!("{fate:?}"),
        }
    }
}

fn channel(server: &ScriptedServer, chance: &mut Chance) -> WebSocketChannel {
    let limits = QueueLimits::default().messages_max(1 + chance.below(20) as usize);
    let mut reconnecting = connect(server).send_queue(limits).reconnect();
    if chance.below(2) == 0 {
        reconnecting = reconnecting.drop_oldest();
    }
    if chance.below(3) == 0 {
        reconnecting = reconnecting.age_max(Duration::from_secs(10));
    }
    reconnecting.channel()
}

/// Sends messages of all sizes, with pauses, and wants other connections meanwhile.
async fn send(channel: &WebSocketChannel, chance: &mut Chance) -> Vec<(u64, Receipt)> {
    let mut receipts = Vec::new();
    for id in 0..MESSAGES {
        let size = match chance.below(8) {
            0 => chance.below(300_000),
            1 => chance.below(20_000),
            _ => chance.below(200),
        };
        // One that finds no room is not sent.
        if let Ok(receipt) = channel.send_tracked(message(id, size as usize)) {
            receipts.push((id, receipt));
        }
        let pause = match chance.below(12) {
            0 => Duration::from_secs(chance.below(20)),
            1..6 => Duration::from_millis(chance.below(100)),
            _ => Duration::ZERO,
        };
        match chance.below(20) {
            0 => drop(channel.reconnect_now()),
            1 => drop(channel.pause()),
            2..6 => drop(channel.resume()),
            _ => {}
        }
        tokio::time::sleep(pause).await;
    }
    receipts
}

/// Refuses some, and serves the others badly.
async fn serve(mut server: ScriptedServer, mut chance: Chance, log: Log) {
    loop {
        let attempt = server.next_try().await;
        if chance.below(4) == 0 {
            attempt.fail(io::ErrorKind::ConnectionRefused);
            continue;
        }
        let Ok(peer) = attempt.accept().await else {
            continue;
        };
        log.lock().unwrap().push(Vec::new());
        let connection = log.lock().unwrap().len() - 1;
        let chance = Chance(chance.below(u64::MAX));
        tokio::spawn(receive(peer, chance, Arc::clone(&log), connection));
    }
}

async fn receive(mut peer: Peer, mut chance: Chance, log: Log, connection: usize) {
    if chance.below(3) == 0 {
        peer.cut_after(chance.below(200_000) as usize);
    }
    let turn = chance.below(20);
    let mut received = 0;
    while let Ok(Some(message)) = peer.recv().await {
        log.lock().unwrap()[connection].push(id_of(&message));
        received += 1;
        if received != turn {
            continue;
        }
        match chance.below(4) {
            0 => peer.cut(),
            1 => tokio::time::sleep(Duration::from_secs(chance.below(50))).await,
            2 => drop(peer.close_with(1001, "").await),
            _ => {}
        }
    }
}

/// It says at each place whose it is.
fn message(id: u64, size: usize) -> Message {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.resize(8 + size, id as u8);
    bytes.into()
}

fn id_of(message: &Message) -> u64 {
    let (id, rest) = message.as_bytes().split_at(8);
    let id = u64::from_be_bytes(id.try_into().unwrap());
    assert!(rest.iter().all(|byte| *byte == id as u8), "torn: {id}");
    id
}

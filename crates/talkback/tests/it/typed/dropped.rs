//! V52 for values: every future dropped at every poll gives the same values, each of them once.

use std::cell::Cell;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use talkback::{ChannelEvent, CloseInfo};
use talkback_proto::Opcode;
use tokio::time::sleep;

use super::*;
use crate::support::dropping::{Cut, Runner, run};
use crate::support::{Fin, Log, Script, masked, server, written};

/// Values, with two messages between that are none.
fn session() -> Vec<u8> {
    let long = serde_json::to_vec(&vec![7; 20_000]).unwrap();
    [
        masked(Fin::Last, Opcode::Text, b"[1]"),
        masked(Fin::Last, Opcode::Text, br#"[1, "two"]"#),
        masked(Fin::Last, Opcode::Text, &long),
        masked(Fin::Last, Opcode::Binary, b"\xff"),
        masked(Fin::Last, Opcode::Text, b"[]"),
        masked(Fin::Last, Opcode::Close, b"\x03\xe8"),
    ]
    .concat()
}

/// A socket to which that comes, and what happens on its transport.
fn socket() -> (WebSocket<Script>, Log) {
    server(Script::trickle(&session(), 3_000).write_max(2_000))
}

/// Sends each value back, and the size of what is none; how it ended, and how many polls it took.
fn echo(cut: Cut) -> (Vec<u8>, CloseInfo, usize) {
    let (socket, log) = socket();
    let mut socket = socket.json::<Vec<u64>, Vec<u64>>();
    let mut runner = Runner::new(cut);
    loop {
        let answer = match run!(runner, socket.recv()) {
            Ok(Some(value)) => value,
            Ok(None) => break,
            Err(RecvError::Message { message, .. }) => vec![message.len() as u64],
            Err(error) => panic!("{error}"),
        };
        // A dropped call has queued nothing, as it waited: so it is made again.
        run!(runner, socket.feed(&answer)).unwrap();
        run!(runner, socket.flush()).unwrap();
    }
    let info = run!(runner, socket.close());
    (written(&log), info, runner.polls)
}

#[tokio::test(start_paused = true)]
async fn ts11_a_typed_socket_loses_nothing() {
    let (bytes, info, polls) = echo(Cut::Never);
    assert!(polls > 50, "the script is meant to be slow: {polls} polls");
    for cut in (1..=polls).map(Cut::At).chain([Cut::Always]) {
        let (other, end, _) = echo(cut);
        assert!(other == bytes && end == info, "{cut:?}");
    }
}

/// Sends values whose futures are dropped; returns how many came to their end, and what left.
fn send(cut: Cut) -> (usize, Vec<Vec<u64>>, usize) {
    let (socket, log) = socket();
    // One that a server knows has the same methods, written a second time.
    #[cfg(feature = "server")]
    let place = talkback::server::Connections::new().admit(None).unwrap();
    #[cfg(feature = "server")]
    let socket = place.open(socket);
    let mut socket = socket.json::<Vec<u64>, Vec<u64>>();
    let mut runner = Runner::new(cut);
    let mut ended = 0;
    for number in 0..8 {
        let value = vec![number; 4_000 * usize::try_from(number % 3).unwrap() + 1];
        if let Some(sent) = runner.try_run(socket.send(&value)) {
            sent.unwrap();
            ended += 1;
        }
    }
    run!(runner, socket.flush()).unwrap();
    // What came meanwhile is behind it.
    assert!(run!(runner, socket.close()).clean);
    let bytes = written(&log);
    let mut client = WebSocket::from_upgraded(Script::new([]), Role::Client)
        .with_leftover(&bytes[..])
        .json::<(), Vec<u64>>();
    let mut values = Vec::new();
    while let Some(Ok(Some(value))) = Runner::new(Cut::Never).try_run(client.recv()) {
        values.push(value);
    }
    (ended, values, runner.polls)
}

#[tokio::test(start_paused = true)]
async fn ts11_a_dropped_send_has_queued_the_whole_value_or_nothing() {
    let (ended, whole, polls) = send(Cut::Never);
    assert_eq!((ended, whole.len()), (8, 8));
    for cut in (1..=polls).map(Cut::At).chain([Cut::Always]) {
        let (ended, values, _) = send(cut);
        let numbers: Vec<u64> = values.iter().map(|value| value[0]).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{cut:?}: {numbers:?}");
        assert!(values.len() >= ended, "{cut:?}: one is missing");
        assert!(values.iter().all(|value| whole.contains(value)), "{cut:?}");
    }
}

/// What comes of values that are more than the queues hold, through whole channels and halves; and how many polls it
/// took.
async fn channel(cut: Cut) -> (Vec<String>, usize) {
    let (client, server) = pair();
    let (client, mut server) = (client.json::<str, ()>(), server.json::<(), String>());
    let sender = client.sender();
    let polls = Cell::new(0);
    /// As `run!`, for what waits for other tasks.
    macro_rules! ends {
        ($future:expr) => {{
            let mut future = pin!($future);
            loop {
                if let Poll::Ready(output) = futures_util::poll!(&mut future) {
                    break Some(output);
                }
                polls.set(polls.get() + 1);
                let poll = polls.get();
                sleep(Duration::from_millis(4)).await;
                if matches!(cut, Cut::Always) || matches!(cut, Cut::At(at) if at == poll) {
                    break None;
                }
            }
        }};
    }
    let sending = async {
        while ends!(client.ready()).is_none() {}
        for letters in [["a", "b"], ["c", "d"], ["e", "f"]] {
            let [one, other] = letters.map(|letter| letter.repeat(400_000));
            while ends!(client.send(&one)).is_none() {}
            while ends!((*client).send("7")).is_none() {}
            while ends!(sender.send(&other)).is_none() {}
            while ends!((*sender).send("7")).is_none() {}
        }
        while ends!(sender.flush()).is_none() {}
        while ends!(client.flush()).is_none() {}
        while ends!(sender.close()).is_none() {}
        while ends!(client.close()).is_none() {}
    };
    let receiving = async {
        let mut seen = Vec::new();
        let mut see = |next: Option<Result<String, RecvError>>| {
            match next {
                Some(Ok(text)) => seen.push(format!("{} {}", &text[..1], text.len())),
                Some(Err(error)) => seen.push(error.to_string()),
                None => {}
            }
            seen.len()
        };
        // The other end fills the queues meanwhile.
        let while_it_fills = || sleep(Duration::from_millis(5));
        while see(ends!(server.recv()).map(|next| next.map(Option::unwrap))) < 6 {
            while_it_fills().await;
        }
        let (_, mut receiver) = server.split();
        let message = |event| match event {
            Some(ChannelEvent::Message(text)) => text,
            other => panic!("{other:?}"),
        };
        while see(ends!(receiver.recv_event()).map(|next| next.map(message))) < 12 {
            while_it_fills().await;
        }
        let end = loop {
            if let Some(end) = ends!(receiver.recv()) {
                break end;
            }
        };
        assert!(end.unwrap().is_none());
        seen
    };
    let ((), seen) = tokio::join!(sending, receiving);
    (seen, polls.get())
}

#[tokio::test(start_paused = true)]
async fn ts11_a_typed_channel_loses_nothing() {
    let (expected, polls) = channel(Cut::Never).await;
    assert_eq!(expected[0], "a 400000");
    assert_eq!(expected[10], "f 400000");
    let bad = "a message of 1 byte is not what was expected: expected a string, found an integer (line 1, column 1)";
    assert_eq!(expected[11], bad);
    assert!(polls > 5, "it is meant to wait: {polls} polls");
    for cut in (1..=polls).map(Cut::At).chain([Cut::Always]) {
        assert_eq!(channel(cut).await.0, expected, "{cut:?}");
    }
}

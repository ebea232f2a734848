//! L7: a channel that nobody reads hears of pings and of its end behind what is unread, in virtual time.

use std::ops::RangeInclusive;
use std::time::Duration;

use futures_util::FutureExt;
use talkback::{
    ChannelState, CloseCause, CloseCode, DeflateParameters, Error, Keepalive, Message, QueueLimits,
    Role, WebSocket, WebSocketChannel,
};
use talkback_proto::Opcode;
use talkback_testing::heap;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Fin, masked, plain};

const KIB: usize = 1024;

/// What is read ahead of a full queue, and what each message counts beside its payload.
const READ_AHEAD: usize = 64 * KIB;
const OVERHEAD: usize = 64;

/// The most that one read brings.
const READ_SIZE: usize = 64 * KIB;

/// A channel, and the other end of its transport.
fn channel(role: Role, buffer: usize) -> (WebSocketChannel, DuplexStream) {
    let (near, far) = duplex(buffer);
    (WebSocket::from_upgraded(near, role).into(), far)
}

/// A frame as the peer of an end of this role sends it.
fn frame(role: Role, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    match role {
        Role::Client => plain(Fin::Last, opcode, payload),
        Role::Server => masked(Fin::Last, opcode, payload),
    }
}

/// The numbers from 0, each a message.
fn numbers(role: Role, count: usize) -> Vec<u8> {
    let frames = (0..count).map(|n| frame(role, Opcode::Text, n.to_string().as_bytes()));
    frames.collect::<Vec<_>>().concat()
}

fn close_frame(role: Role, code: u16, reason: &str) -> Vec<u8> {
    let body = [&code.to_be_bytes(), reason.as_bytes()].concat();
    frame(role, Opcode::Close, &body)
}

/// Lets every task run until all of them wait.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

async fn expect_numbers(channel: &mut WebSocketChannel, range: std::ops::Range<usize>) {
    for number in range {
        let message = channel.recv().await.unwrap();
        assert_eq!(message, Some(number.to_string().into()));
    }
}

/// How many bytes the peer of a channel that nobody reads gets rid of.
async fn flood(far: &mut DuplexStream, frame: &[u8]) -> usize {
    let mut written = 0;
    let writing = async {
        loop {
            written += far.write(&frame[written % frame.len()..]).await.unwrap();
        }
    };
    assert!(timeout(Duration::from_secs(600), writing).await.is_err());
    written
}

#[tokio::test(start_paused = true)]
async fn l7_a_close_behind_unread_messages_is_heard_at_once() {
    for role in [Role::Client, Role::Server] {
        for count in [0, 1, 63, 64, 65, 200, 900] {
            for (code, reason) in [(1000, ""), (1008, "log in first")] {
                let (mut channel, mut far) = channel(role, 64 * KIB);
                far.write_all(&numbers(role, count)).await.unwrap();
                far.write_all(&close_frame(role, code, reason))
                    .await
                    .unwrap();
                settle().await;
                assert_ne!(channel.state(), ChannelState::Open, "{count} {code}");
                let late = channel.send("late").await.unwrap_err().to_string();
                assert!(late.contains(&code.to_string()), "{late}");
                assert!(late.contains(reason), "{late}");
                let late = channel.try_send("late").unwrap_err().to_string();
                assert!(late.contains(&code.to_string()), "{late}");
                // It takes our close frame, and ends TCP.
                far.read_u8().await.unwrap();
                drop(far);
                let info = timeout(Duration::from_secs(1), channel.closed()).await;
                let info = info.unwrap().unwrap();
                assert_eq!((info.code.number(), &*info.reason), (code, reason));
                assert!(info.clean);
                expect_numbers(&mut channel, 0..count).await;
                match code {
                    1000 => assert_eq!(channel.recv().await.unwrap(), None),
                    _ => drop(channel.recv().await.unwrap_err()),
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn l7_an_end_behind_unread_messages_is_heard_at_once() {
    for count in [63, 64, 65, 200, 900] {
        let (mut channel, mut far) = channel(Role::Client, 64 * KIB);
        far.write_all(&numbers(Role::Client, count)).await.unwrap();
        drop(far);
        let info = timeout(Duration::from_secs(1), channel.closed()).await;
        let info = info.unwrap().unwrap();
        assert_eq!(info.code, CloseCode::ABNORMAL);
        expect_numbers(&mut channel, 0..count).await;
        assert!(channel.recv().await.is_err());
        assert_eq!(channel.recv().await.unwrap(), None);
    }
}

/// What is read ahead of a queue where messages may be compressed is taken in small steps.
#[tokio::test(start_paused = true)]
async fn l7_what_is_read_ahead_is_the_same_with_compression() {
    let agreed = DeflateParameters::default();
    let (near, far) = duplex(64 * KIB);
    let end = |io, role| WebSocket::from_upgraded(io, role).with_deflate(Some(&agreed));
    let mut channel = WebSocketChannel::from(end(near, Role::Client));
    let mut server = end(far, Role::Server);
    let messages: Vec<Message> = (0..150)
        .map(|number| match number % 5 {
            0 => Message::from(""),
            1 => Message::from(number.to_string()),
            2 => Message::from(format!("{number} {}", "안녕 ".repeat(60))),
            3 => Message::from((0..number).collect::<Vec<u8>>()),
            _ => Message::from(vec![number; 1000]),
        })
        .collect();
    for message in &messages {
        server.send(message).await.unwrap();
        if message.is_empty() {
            server.ping("between").await.unwrap();
        }
    }
    server.close_with(1008, "all said").await.unwrap();
    let info = channel.closed().await.unwrap();
    assert_eq!((info.code.number(), &*info.reason), (1008, "all said"));
    for message in messages {
        assert_eq!(channel.recv().await.unwrap(), Some(message));
    }
    assert!(channel.recv().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn l7_a_ping_behind_unread_messages_is_answered() {
    for count in [64, 65, 200] {
        let (_channel, mut far) = channel(Role::Server, 64 * KIB);
        far.write_all(&numbers(Role::Server, count)).await.unwrap();
        let ping = frame(Role::Server, Opcode::Ping, b"alive?");
        far.write_all(&ping).await.unwrap();
        let mut pong = [0; 8];
        let reading = timeout(Duration::from_secs(1), far.read_exact(&mut pong));
        reading.await.unwrap().unwrap();
        assert_eq!(&pong, b"\x8a\x06alive?");
    }
}

/// The answer leaves at once, though the message behind the ping is too large to be read.
#[tokio::test(start_paused = true)]
async fn l7_a_ping_before_a_large_message_is_answered() {
    let (_channel, mut far) = channel(Role::Server, 64 * KIB);
    let ping = frame(Role::Server, Opcode::Ping, b"alive?");
    let large = frame(Role::Server, Opcode::Binary, &[0; 100 * KIB]);
    let bytes = [numbers(Role::Server, 64), ping, large[..KIB].to_vec()].concat();
    far.write_all(&bytes).await.unwrap();
    settle().await;
    let mut pong = [0; 8];
    let reading = far.read_exact(&mut pong).now_or_never();
    reading.unwrap().unwrap();
    assert_eq!(&pong, b"\x8a\x06alive?");
}

/// It could answer, but nobody would hear that.
#[tokio::test(start_paused = true)]
async fn l7_a_peer_that_has_to_wait_is_not_pinged() {
    let (near, mut far) = duplex(64 * KIB);
    let mut socket = WebSocket::from_upgraded(near, Role::Client);
    socket.set_keepalive(Keepalive::default());
    let channel = WebSocketChannel::from(socket);
    let count = 64 + READ_AHEAD.div_ceil(1 + OVERHEAD);
    let frame = frame(Role::Client, Opcode::Text, b"x");
    far.write_all(&frame.repeat(count)).await.unwrap();
    let pinged = timeout(Duration::from_secs(600), far.read_u8()).await;
    assert!(pinged.is_err());
    assert_eq!(channel.state(), ChannelState::Open);
}

#[tokio::test(start_paused = true)]
async fn l7_a_pong_behind_unread_messages_is_heard() {
    let (channel, mut far) = channel(Role::Client, 64 * KIB);
    far.write_all(&numbers(Role::Client, 100)).await.unwrap();
    settle().await;
    let peer = async {
        far.read_exact(&mut [0; 7]).await.unwrap();
        far.write_all(&frame(Role::Client, Opcode::Pong, b"p"))
            .await
            .unwrap();
        // The transport lives on.
        std::future::pending::<()>().await;
    };
    let pinging = timeout(Duration::from_secs(1), channel.ping("p"));
    tokio::select! {
        after = pinging => drop(after.unwrap().unwrap()),
        () = peer => {}
    }
}

#[tokio::test(start_paused = true)]
async fn l7_a_peer_that_vanishes_behind_unread_messages_is_given_up() {
    let (near, mut far) = duplex(64 * KIB);
    let mut socket = WebSocket::from_upgraded(near, Role::Client);
    socket.set_keepalive(Keepalive::default());
    let mut channel = WebSocketChannel::from(socket);
    far.write_all(&numbers(Role::Client, 200)).await.unwrap();
    let start = Instant::now();
    let info = timeout(Duration::from_secs(60), channel.closed()).await;
    assert_eq!(info.unwrap().unwrap().cause, CloseCause::KeepaliveTimeout);
    assert_eq!(start.elapsed().as_secs(), 40, "of virtual time");
    expect_numbers(&mut channel, 0..200).await;
    assert!(channel.recv().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn l7_a_program_that_only_sends_is_told() {
    let (client, server) = talkback::pair();
    for number in 0..500 {
        server.send(number.to_string()).await.unwrap();
    }
    let closing = server.close_with(1008, "enough").unwrap();
    let mut sent = 0;
    let refused = loop {
        match client.send("tick").await {
            Ok(()) => sent += 1,
            Err(error) => break error.to_string(),
        }
        settle().await;
        assert!(sent < 100, "{sent} messages after the peer's close frame");
    };
    assert!(refused.contains("1008"), "{refused}");
    assert!(refused.contains("enough"), "{refused}");
    assert!(closing.await.unwrap().clean);
    assert_eq!(client.state(), ChannelState::Closed);
}

/// The bytes that are read of a flood: the queue's, what is read ahead, the last of it perhaps in part,
/// and what is on its way.
fn held_back_at(frame_size: usize, payload_size: usize, in_queue: usize) -> RangeInclusive<usize> {
    let ahead = READ_AHEAD.div_ceil(payload_size + OVERHEAD);
    let read = (in_queue + ahead) * frame_size;
    read - frame_size..=read + READ_SIZE + KIB
}

#[tokio::test(start_paused = true)]
async fn l7_a_flood_is_held_back_at_the_queue_and_a_little_more() {
    for (size, in_queue) in [(0, 64), (1, 64), (1000, 64), (20_000, 53)] {
        let (channel, mut far) = channel(Role::Client, KIB);
        let frame = frame(Role::Client, Opcode::Binary, &vec![7; size]);
        let written = flood(&mut far, &frame).await;
        let expected = held_back_at(frame.len(), size, in_queue);
        assert!(expected.contains(&written), "{written} {expected:?}");
        assert_eq!(channel.state(), ChannelState::Open);
    }
}

#[tokio::test(start_paused = true)]
async fn l7_a_queue_of_one_reads_no_more_ahead() {
    let (near, mut far) = duplex(KIB);
    let socket = WebSocket::from_upgraded(near, Role::Client);
    let one = QueueLimits::default().messages_max(1);
    let _channel = WebSocketChannel::with_queues(socket, QueueLimits::default(), one);
    let frame = frame(Role::Client, Opcode::Binary, &[7; 1000]);
    let written = flood(&mut far, &frame).await;
    let expected = held_back_at(frame.len(), 1000, 1);
    assert!(expected.contains(&written), "{written} {expected:?}");
}

#[tokio::test(start_paused = true)]
async fn l7_a_large_message_behind_a_full_queue_stays_unread() {
    const SIZE: usize = 16 * KIB * KIB;
    for is_fragmented in [false, true] {
        let (mut channel, mut far) = channel(Role::Client, KIB);
        let bytes = match is_fragmented {
            false => plain(Fin::Last, Opcode::Binary, &vec![7; SIZE]),
            true => {
                let first = plain(Fin::More, Opcode::Binary, &[7; KIB]);
                let piece = plain(Fin::More, Opcode::Continuation, &[7; KIB]);
                let last = plain(Fin::Last, Opcode::Continuation, &[7; KIB]);
                [first, piece.repeat(SIZE / KIB - 2), last].concat()
            }
        };
        far.write_all(&numbers(Role::Client, 64)).await.unwrap();
        settle().await;
        let before = heap::in_use();
        let mut written = 0;
        let writing = async {
            while written < bytes.len() {
                written += far.write(&bytes[written..]).await.unwrap();
            }
        };
        assert!(timeout(Duration::from_secs(600), writing).await.is_err());
        let held = heap::in_use() - before;
        let most = READ_AHEAD + READ_SIZE + 4 * KIB;
        assert!(written <= most, "{written} bytes were read");
        // A buffer for the message is reserved in proportion to what has come of it.
        assert!(held <= 17 * READ_SIZE as isize, "{held} bytes are held");
        // With capacity in the queue it comes, whole.
        let writing = async { far.write_all(&bytes[written..]).await.unwrap() };
        let reading = async {
            expect_numbers(&mut channel, 0..64).await;
            let message = channel.recv().await.unwrap().unwrap();
            assert!(message.len() == SIZE && message.as_bytes().iter().all(|byte| *byte == 7));
        };
        tokio::join!(writing, reading);
    }
}

#[tokio::test(start_paused = true)]
async fn l7_a_message_that_unpacks_to_much_stays_packed_behind_a_full_queue() {
    const SIZE: usize = 10 * KIB * KIB;
    let agreed = DeflateParameters::default();
    let (near, far) = duplex(64 * KIB);
    let end = |io, role| WebSocket::from_upgraded(io, role).with_deflate(Some(&agreed));
    let mut channel = WebSocketChannel::from(end(near, Role::Client));
    let mut server = end(far, Role::Server);
    for number in 0..64 {
        server.send(number.to_string()).await.unwrap();
    }
    settle().await;
    let large = Message::from(vec![7; SIZE]);
    server.send(large.clone()).await.unwrap();
    let before = heap::in_use();
    settle().await;
    let held = heap::in_use() - before;
    assert!(held < 1024 * KIB as isize, "{held} bytes are held");
    expect_numbers(&mut channel, 0..64).await;
    assert!(channel.recv().await.unwrap() == Some(large));
}

/// More messages than are read ahead even of an end, each with its number.
const MANY: usize = 200_000;

/// A channel whose peer has sent `MANY` messages and ended the connection, with or without a close
/// frame.
async fn left_behind(close: &[u8]) -> WebSocketChannel {
    let bytes = [&numbers(Role::Client, MANY), close].concat();
    let (channel, mut far) = channel(Role::Client, bytes.len());
    far.write_all(&bytes).await.unwrap();
    drop(far);
    // It is looked for once in a second at least.
    sleep(Duration::from_secs(2)).await;
    channel
}

#[tokio::test(start_paused = true)]
async fn l7_an_end_behind_more_than_is_read_ahead_is_seen() {
    let mut channel = left_behind(b"").await;
    assert_eq!(channel.state(), ChannelState::Closing);
    let refused = channel.send("late").await.unwrap_err().to_string();
    assert!(
        refused.contains("the peer has ended the connection"),
        "{refused}"
    );
    let start = Instant::now();
    let info = timeout(Duration::from_secs(30), channel.closed()).await;
    let info = info.unwrap().unwrap();
    assert!(
        start.elapsed() <= Duration::from_secs(10),
        "of virtual time"
    );
    assert_eq!(info.code, CloseCode::ABNORMAL);
    assert!(info.to_string().contains("unread"), "{info}");
    // What was read is still there.
    let mut read = 0;
    while let Ok(Some(message)) = channel.recv().await {
        assert_eq!(message, read.to_string().into());
        read += 1;
    }
    assert!((100_000..MANY).contains(&read), "{read}");
}

#[tokio::test(start_paused = true)]
async fn l7_a_slow_reader_loses_nothing_after_the_end() {
    let close = close_frame(Role::Client, 1008, "all said");
    for close in [&b""[..], &close] {
        let mut channel = left_behind(close).await;
        // It takes a message now and then, for longer than the close timeout.
        for number in 0..20 {
            expect_numbers(&mut channel, number..number + 1).await;
            sleep(Duration::from_secs(9)).await;
        }
        expect_numbers(&mut channel, 20..MANY).await;
        let Err(Error::Closed(info)) = channel.recv().await else {
            panic!("the end is not a normal one");
        };
        let expected = match close {
            [] => (CloseCode::ABNORMAL, ""),
            _ => (CloseCode::POLICY_VIOLATION, "all said"),
        };
        assert_eq!((info.code, &*info.reason), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn l7_of_an_unread_channel_dropping_the_receiver_or_snapshots_lead_to_the_end() {
    let channel = left_behind(&close_frame(Role::Client, 1008, "all said")).await;
    let sender = channel.sender();
    let snapshots = channel.into_snapshots();
    settle().await;
    assert_eq!(
        snapshots.latest().close.unwrap().code,
        CloseCode::POLICY_VIOLATION
    );
    assert_eq!(sender.close_info().unwrap().reason, "all said");

    let channel = left_behind(&close_frame(Role::Client, 1008, "all said")).await;
    let (sender, receiver) = channel.split();
    drop(receiver);
    let info = timeout(Duration::from_secs(1), sender.closed()).await;
    assert_eq!(info.unwrap().unwrap().reason, "all said");
}

//! Behaving on a connection as its path asks for.

use std::collections::VecDeque;
use std::time::Duration;

use talkback::{Incoming, Message, SendError, WebSocket};
use tokio::time::{Instant, sleep, sleep_until};

use crate::behaviour::Behaviour;
use crate::large::{LARGE_SIZE, feed_large};
use crate::log::Told;
use crate::transport::Transport;

/// How many messages wait for their delay; meanwhile no more are read.
const DELAYED_MAX: usize = 64;

/// From how many bytes on they are too many, too; one message may have any size.
const DELAYED_SIZE_MAX: usize = 1 << 20;

/// How often a slow message goes on.
const SLOW_INTERVAL: Duration = Duration::from_millis(100);

/// What is left to do on a connection.
pub(crate) enum Left {
    /// To echo what comes.
    Echo,
    /// To end TCP.
    Cut,
}

/// Behaves until only the rest is left to do; what cannot be sent shows as the end of the connection
/// when the next message is waited for.
pub(crate) async fn behave<T: Transport>(
    socket: &mut WebSocket<T>,
    as_asked: Behaviour,
    told: Told,
) -> Left {
    match as_asked {
        Behaviour::Close(code, reason) => {
            let _ = socket.close_with(code, &reason).await;
        }
        Behaviour::Delay(delay) => echo_late(socket, delay, told).await,
        Behaviour::Drop(count) => {
            for _ in 0..count {
                let Some(message) = receive(socket, told).await else {
                    return Left::Echo;
                };
                send(socket, message, told).await;
            }
            return Left::Cut;
        }
        Behaviour::Slow(rate) => {
            while let Some(message) = receive(socket, told).await {
                told.sent(&message);
                let _ = send_slowly(socket, message, rate).await;
            }
        }
        Behaviour::Headers(json) => send(socket, json.into(), told).await,
        Behaviour::Stream { count, every } => {
            let mut numbers = 0..count;
            echo_beside(socket, every, told, || numbers.next().map(Beside::Number)).await;
        }
        Behaviour::Size(size) => send(socket, "x".repeat(size as usize).into(), told).await,
        Behaviour::Ping(every) => echo_beside(socket, every, told, || Some(Beside::Ping)).await,
    }
    Left::Echo
}

/// Sends back what comes, and tells of it.
pub(crate) async fn echo<T: Transport>(socket: &mut WebSocket<T>, told: Told) {
    while let Some(message) = receive(socket, told).await {
        send(socket, message, told).await;
    }
}

/// The next message, which is told; `None` at the end of the connection.
///
/// # Cancel safety
/// A dropped call loses no message.
async fn receive<T: Transport>(socket: &mut WebSocket<T>, told: Told) -> Option<Message> {
    // Not by `recv`: the loop of the mere echo has that inlined only as long as nobody else calls it.
    loop {
        if let Incoming::Message(message) = socket.recv_incoming().await.ok().flatten()? {
            told.received(&message);
            return Some(message);
        }
    }
}

/// Sends a message, and tells of it.
async fn send<T: Transport>(socket: &mut WebSocket<T>, message: Message, told: Told) {
    told.sent(&message);
    if socket.has_deflate() && message.len() >= LARGE_SIZE {
        feed_large(socket, Some(message)).await;
        let _ = socket.flush().await;
    } else {
        let _ = socket.send(message).await;
    }
}

/// Sends each message back a while after it came.
async fn echo_late<T: Transport>(socket: &mut WebSocket<T>, delay: Duration, told: Told) {
    let mut delayed = VecDeque::<(Instant, Message)>::new();
    let mut size = 0;
    loop {
        let due = delayed.front().map(|(due, _)| *due);
        tokio::select! {
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                if let Some((_, message)) = delayed.pop_front() {
                    size -= message.len();
                    send(socket, message, told).await;
                }
            }
            received = receive(socket, told), if delayed.len() < DELAYED_MAX && size < DELAYED_SIZE_MAX => {
                let Some(message) = received else {
                    return;
                };
                size += message.len();
                delayed.push_back((Instant::now() + delay, message));
            }
        }
    }
}

/// Sends a message in fragments, as slowly as so many bytes a second.
async fn send_slowly<T: Transport>(
    socket: &mut WebSocket<T>,
    message: Message,
    rate: u64,
) -> Result<(), SendError> {
    let kind = message.kind();
    let mut bytes = message.into_bytes();
    let piece_size = usize::try_from(rate / 10).unwrap_or(usize::MAX).max(1);
    let interval = SLOW_INTERVAL.max(Duration::from_secs(piece_size as u64) / rate as u32);
    let mut writer = socket.send_stream(kind)?;
    while !bytes.is_empty() {
        let piece = bytes.split_to(piece_size.min(bytes.len()));
        writer.write(piece).await?;
        writer.flush().await?;
        sleep(interval).await;
    }
    writer.finish().await
}

/// What is sent without being asked for.
enum Beside {
    Number(u64),
    Ping,
}

/// Echoes what comes, and sends something else every so often, as long as there is something.
async fn echo_beside<T: Transport>(
    socket: &mut WebSocket<T>,
    every: Duration,
    told: Told,
    mut next: impl FnMut() -> Option<Beside>,
) {
    let mut due = Instant::now();
    loop {
        tokio::select! {
            () = sleep_until(due) => {
                match next() {
                    Some(Beside::Number(number)) => send(socket, number.to_string().into(), told).await,
                    Some(Beside::Ping) => drop(socket.ping("").await),
                    None => return,
                }
                due += every;
            }
            received = receive(socket, told) => match received {
                Some(message) => send(socket, message, told).await,
                None => return,
            },
        }
        // One that could not be sent in time is not made up for.
        due = due.max(Instant::now());
    }
}

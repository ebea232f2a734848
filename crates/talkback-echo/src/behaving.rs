//! Behaving on a connection as its path asks for.

use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::io;
use std::mem::ManuallyDrop;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf as _;
use talkback::{Incoming, Message, MessageWriter, WebSocket};
use tokio::io::AsyncWrite as _;
use tokio::task::consume_budget;
use tokio::time::{Instant, sleep, sleep_until};

use crate::behaviour::Behaviour;
use crate::large::{LARGE_SIZE, feed_large};
use crate::log::Told;
use crate::transport::Transport;

/// How many messages wait to be sent back; meanwhile nothing more is read.
const WAITING_MAX: usize = 64;

/// From how many bytes on they are too many, too; one message may have any size.
const WAITING_SIZE_MAX: usize = 1 << 20;

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
    told: Told<'_>,
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
        Behaviour::Slow(rate) => echo_slowly(socket, rate, told).await,
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
pub(crate) async fn echo<T: Transport>(socket: &mut WebSocket<T>, told: Told<'_>) {
    while let Some(message) = receive(socket, told).await {
        send(socket, message, told).await;
    }
}

/// The next message, which is told; `None` at the end of the connection.
///
/// # Cancel safety
/// A dropped call loses no message.
async fn receive<T: Transport>(socket: &mut WebSocket<T>, told: Told<'_>) -> Option<Message> {
    // Not by `recv`: the loop of the mere echo has that inlined only as long as nobody else calls it.
    loop {
        if let Incoming::Message(message) = socket.recv_incoming().await.ok().flatten()? {
            told.received(&message);
            return Some(message);
        }
    }
}

/// Sends a message, and tells of it.
async fn send<T: Transport>(socket: &mut WebSocket<T>, message: Message, told: Told<'_>) {
    told.sent(&message);
    if socket.has_deflate() && message.len() >= LARGE_SIZE {
        feed_large(socket, Some(message)).await;
        let _ = socket.flush().await;
    } else {
        let _ = socket.send(message).await;
    }
}

/// Messages that wait to be sent back, each with when it came.
#[derive(Default)]
struct Waiting {
    messages: VecDeque<(Instant, Message)>,
    /// In bytes.
    size: usize,
}

impl Waiting {
    fn has_room(&self) -> bool {
        self.messages.len() < WAITING_MAX && self.size < WAITING_SIZE_MAX
    }

    fn push(&mut self, message: Message) {
        self.size += message.len();
        self.messages.push_back((Instant::now(), message));
    }

    fn pop(&mut self) -> Option<Message> {
        let (_, message) = self.messages.pop_front()?;
        self.size -= message.len();
        Some(message)
    }
}

/// Sends each message back a while after it came.
async fn echo_late<T: Transport>(socket: &mut WebSocket<T>, delay: Duration, told: Told<'_>) {
    let mut waiting = Waiting::default();
    loop {
        let due = waiting.messages.front().map(|(came, _)| *came + delay);
        tokio::select! {
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                if let Some(message) = waiting.pop() {
                    send(socket, message, told).await;
                }
            }
            received = receive(socket, told), if waiting.has_room() => {
                let Some(message) = received else {
                    return;
                };
                waiting.push(message);
            }
        }
    }
}

/// Sends each message back as slowly as so many bytes a second.
async fn echo_slowly<T: Transport>(socket: &mut WebSocket<T>, rate: u64, told: Told<'_>) {
    let mut waiting = Waiting::default();
    loop {
        let next = match waiting.pop() {
            Some(message) => Some(message),
            None => receive(socket, told).await,
        };
        let Some(message) = next else {
            return;
        };
        told.sent(&message);
        // What cannot be sent shows as the end of the connection when the next message is waited for.
        if send_slowly(socket, message, rate, &mut waiting, told)
            .await
            .is_err()
        {
            return;
        }
    }
}

/// Sends a message in fragments, as slowly as so many bytes a second; what comes meanwhile waits.
async fn send_slowly<T: Transport>(
    socket: &mut WebSocket<T>,
    message: Message,
    rate: u64,
    waiting: &mut Waiting,
    told: Told<'_>,
) -> io::Result<()> {
    let kind = message.kind();
    let mut bytes = message.into_bytes();
    let piece_size = usize::try_from(rate / 10).unwrap_or(usize::MAX).max(1);
    let interval = SLOW_INTERVAL.max(Duration::from_secs(piece_size as u64) / rate as u32);
    // It closes with 1011 if it is dropped before its end. A server that stops in the middle closes with a code
    // of its own, and what else ends here has ended the connection.
    let mut writer = ManuallyDrop::new(socket.send_stream(kind)?);
    while !bytes.is_empty() {
        let mut piece = bytes.split_to(piece_size.min(bytes.len()));
        reading(&mut writer, waiting, told, |writer, cx| {
            while !piece.is_empty() {
                let size = ready!(Pin::new(&mut *writer).poll_write(cx, &piece))?;
                piece.advance(size);
            }
            Pin::new(writer).poll_flush(cx)
        })
        .await?;
        let mut pause = pin!(sleep(interval));
        reading(&mut writer, waiting, told, |_, cx| {
            pause.as_mut().poll(cx).map(Ok)
        })
        .await?;
    }
    reading(&mut writer, waiting, told, |writer, cx| {
        Pin::new(writer).poll_shutdown(cx)
    })
    .await
}

/// Goes on with the message that goes out, and meanwhile reads what comes: pings are answered, and an end is
/// heeded.
async fn reading<T: Transport>(
    writer: &mut MessageWriter<'_, T>,
    waiting: &mut Waiting,
    told: Told<'_>,
    mut poll: impl FnMut(&mut MessageWriter<'_, T>, &mut Context<'_>) -> Poll<io::Result<()>>,
) -> io::Result<()> {
    poll_fn(|cx| {
        while waiting.has_room() {
            match pin!(writer.recv()).poll(cx) {
                Poll::Ready(Ok(Some(message))) => {
                    told.received(&message);
                    waiting.push(message);
                }
                Poll::Ready(Ok(None) | Err(_)) => {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
                }
                Poll::Pending => break,
            }
        }
        poll(writer, cx)
    })
    .await
}

/// How late one of those that come every so often may be for the next still to keep its time: a timer is late by
/// a millisecond or two, and what waited longer is not made up for.
const LATE_MAX: Duration = Duration::from_millis(5);

/// What is sent without being asked for.
enum Beside {
    Number(u64),
    Ping,
}

/// Echoes what comes, and sends something else every so often, as long as there is something.
async fn echo_beside<T: Transport>(
    socket: &mut WebSocket<T>,
    every: Duration,
    told: Told<'_>,
    mut next: impl FnMut() -> Option<Beside>,
) {
    let mut due = Instant::now();
    loop {
        tokio::select! {
            () = until(due) => {
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
        due = due.max(Instant::now() - LATE_MAX);
    }
}

/// Waits until then; if that has passed, without a timer, which is as coarse as a millisecond.
async fn until(due: Instant) {
    match due <= Instant::now() {
        true => consume_budget().await,
        false => sleep_until(due).await,
    }
}

#[cfg(test)]
mod tests {
    use talkback::Role;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_without_a_pause_takes_no_time_and_echoes_beside() {
        const COUNT: u64 = 1000;
        let (near, far) = tokio::io::duplex(1024);
        let mut client = WebSocket::from_upgraded(near, Role::Client);
        let mut server = WebSocket::from_upgraded(far, Role::Server);
        let stream = Behaviour::Stream {
            count: COUNT,
            every: Duration::ZERO,
        };
        // Between two milliseconds a timer would be seen.
        tokio::time::advance(Duration::from_micros(500)).await;
        let begin = Instant::now();
        let receiving = async {
            client.send("mine").await.unwrap();
            let mut texts = Vec::new();
            for _ in 0..=COUNT {
                texts.push(client.recv().await.unwrap().unwrap().to_string());
            }
            texts
        };
        let (texts, _) = tokio::join!(receiving, behave(&mut server, stream, Told::default()));
        assert_eq!(begin.elapsed(), Duration::ZERO);
        let beside = texts.iter().position(|text| text == "mine").unwrap();
        assert!(beside < COUNT as usize / 2, "{beside}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_whose_timer_is_late_makes_up_for_a_few_milliseconds() {
        for (late, at_least, at_most) in [(3, 85, 95), (1000, 150, 220)] {
            let (near, far) = tokio::io::duplex(1 << 16);
            let mut client = WebSocket::from_upgraded(near, Role::Client);
            let mut server = WebSocket::from_upgraded(far, Role::Server);
            let every = Duration::from_millis(1);
            let stream = Behaviour::Stream {
                count: 100_000,
                every,
            };
            let mut count = 0;
            let counting = async {
                while client.recv().await.unwrap().is_some() {
                    count += 1;
                }
            };
            let clock = async {
                for _ in 0..30 {
                    tokio::time::advance(late * every).await;
                    // A clock that stands by itself goes on as soon as there is nothing to do.
                    for _ in 0..100 {
                        tokio::task::yield_now().await;
                    }
                }
            };
            tokio::select! {
                () = clock => {}
                () = counting => panic!("it has ended"),
                _ = behave(&mut server, stream, Told::default()) => panic!("it has ended"),
            }
            assert!((at_least..=at_most).contains(&count), "{count}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_behind_a_slow_message_has_a_bound() {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let mut client = WebSocket::from_upgraded(near, Role::Client);
        let mut server = WebSocket::from_upgraded(far, Role::Server);
        let talking = async {
            client.send("slow").await.unwrap();
            for _ in 1..WAITING_MAX {
                client.feed("waits").await.unwrap();
            }
            client.ping("while there is room").await.unwrap();
            client.feed("waits").await.unwrap();
            client.ping("without").await.unwrap();
            let mut came = Vec::new();
            for _ in 0..3 {
                came.push(client.recv_incoming().await.unwrap().unwrap());
            }
            came
        };
        let came = tokio::select! {
            came = talking => came,
            () = echo_slowly(&mut server, 1, Told::default()) => panic!("it has ended"),
        };
        let expected = [
            Incoming::Pong("while there is room".into()),
            Incoming::Message("slow".into()),
            Incoming::Pong("without".into()),
        ];
        assert_eq!(came, expected);
    }
}

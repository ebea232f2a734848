//! Lines for messages: what a program in a terminal does with a WebSocket.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_sink::Sink;
use talkback::{Error, Message};

use crate::input::Lines;

/// What gives and takes messages: a [`WebSocket`](talkback::WebSocket) or a
/// [`WebSocketChannel`](talkback::WebSocketChannel).
pub trait Duplex:
    Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin
{
}

impl<T> Duplex for T where
    T: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin
{
}

/// The next thing that happens between the input and the server.
#[derive(Debug)]
pub enum Step {
    /// The input has a line, and the socket has room for it: send it without waiting.
    Line(String),
    /// The input has ended. It must not be handed in again.
    InputEnded,
    /// The input failed; [`Interrupted`](io::ErrorKind::Interrupted) means Ctrl-C.
    InputFailed(io::Error),
    /// The server sent a message.
    Message(Message),
    /// The connection has ended; the socket's `close_info()` tells how.
    Closed,
}

/// Waits for the next step, and writes what was fed before.
///
/// It reads from the server all the while, also when the server does not take what waits to be
/// written: two ends that only write would wait for each other for ever.
///
/// # Cancel safety
/// A dropped call loses neither a line nor a message.
pub async fn next(socket: &mut impl Duplex, mut input: Option<&mut Lines>) -> Step {
    poll_fn(|cx| {
        let Some(lines) = &mut input else {
            return poll_incoming(socket, cx);
        };
        // In turns: neither a server that never stops nor a pipe that never ends hides the other.
        if lines.take_turn() {
            let line = poll_line(socket, lines, cx);
            return if line.is_ready() {
                line
            } else {
                poll_incoming(socket, cx)
            };
        }
        let incoming = poll_incoming(socket, cx);
        if incoming.is_ready() {
            return incoming;
        }
        poll_line(socket, lines, cx)
    })
    .await
}

fn poll_incoming(socket: &mut impl Duplex, cx: &mut Context<'_>) -> Poll<Step> {
    Pin::new(socket).poll_next(cx).map(|item| match item {
        Some(Ok(message)) => Step::Message(message),
        Some(Err(_)) | None => Step::Closed,
    })
}

fn poll_line(socket: &mut impl Duplex, lines: &mut Lines, cx: &mut Context<'_>) -> Poll<Step> {
    match Pin::new(socket).poll_ready(cx) {
        Poll::Ready(Ok(())) => lines.poll_next(cx).map(|line| match line {
            Some(Ok(line)) => Step::Line(line),
            Some(Err(error)) => Step::InputFailed(error),
            None => Step::InputEnded,
        }),
        // What cannot be written shows at the next read as the end of the connection.
        Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that never stops.
    struct Flood;

    impl Stream for Flood {
        type Item = Result<Message, Error>;

        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Ready(Some(Ok("flood".into())))
        }
    }

    impl Sink<Message> for Flood {
        type Error = Error;

        fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
            Poll::Ready(Ok(()))
        }

        fn start_send(self: Pin<&mut Self>, _: Message) -> Result<(), Error> {
            Ok(())
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn lines_and_messages_take_turns() {
        let (sender, mut lines) = Lines::channel(3);
        for line in ["a", "b", "c"] {
            sender.send(Ok(line.to_owned())).await;
        }
        let mut steps = String::new();
        for _ in 0..6 {
            steps.push(match next(&mut Flood, Some(&mut lines)).await {
                Step::Line(_) => 'l',
                Step::Message(_) => 'm',
                step => panic!("{step:?}"),
            });
        }
        assert_eq!(steps, "lmlmlm");
    }
}

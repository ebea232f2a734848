//! Lines for messages: what a program in a terminal does with a WebSocket.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_sink::Sink;
use talkback::{Error, Message};

use crate::input::Lines;

/// What gives and takes messages: a [`WebSocket`](talkback::WebSocket), a
/// [`WebSocketChannel`](talkback::WebSocketChannel), or what has one of them.
pub trait Duplex {
    /// Waits for the next message; `None` once the connection has ended.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>>;

    /// Writes what was fed before, and waits for capacity for one more message. Once the connection has
    /// ended it waits for ever: the end is told where messages are.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

impl<T> Duplex for T
where
    T: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        Pin::new(self)
            .poll_next(cx)
            .map(|item| item.and_then(Result::ok))
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match Pin::new(self).poll_ready(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

/// The next thing that happens between the input and the server.
pub enum Step {
    /// The input has a line, and the socket has capacity for it: send it without waiting.
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

/// Shows the size of a line: it may be a secret.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "Line({} bytes)", line.len()),
            Self::InputEnded => f.write_str("InputEnded"),
            Self::InputFailed(error) => f.debug_tuple("InputFailed").field(error).finish(),
            Self::Message(message) => f.debug_tuple("Message").field(message).finish(),
            Self::Closed => f.write_str("Closed"),
        }
    }
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
        // Alternating: neither a server that never stops nor a pipe that never ends hides the other.
        if lines.goes_first() {
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
    let message = socket.poll_message(cx);
    message.map(|message| message.map_or(Step::Closed, Step::Message))
}

fn poll_line(socket: &mut impl Duplex, lines: &mut Lines, cx: &mut Context<'_>) -> Poll<Step> {
    let Poll::Ready(()) = socket.poll_ready(cx) else {
        return Poll::Pending;
    };
    lines.poll_next(cx).map(|line| match line {
        Some(Ok(line)) => Step::Line(line),
        Some(Err(error)) => Step::InputFailed(error),
        None => Step::InputEnded,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v12_l3_a_step_shows_no_line_and_no_message() {
        let steps = [Step::Line("s3cret".into()), Step::Message("s3cret".into())];
        assert_eq!(
            format!("{steps:?}"),
            "[Line(6 bytes), Message(Text(6 bytes))]"
        );
    }

    /// A server that never stops.
    struct Flood;

    impl Duplex for Flood {
        fn poll_message(&mut self, _: &mut Context<'_>) -> Poll<Option<Message>> {
            Poll::Ready(Some("flood".into()))
        }

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
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

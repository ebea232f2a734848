//! Lines for messages: what a program in a terminal does with a WebSocket.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;
use talkback::{Error, Message};

use crate::input::Lines;

/// What gives and takes messages: a [`WebSocket`](talkback::WebSocket), a
/// [`WebSocketChannel`](talkback::WebSocketChannel), or what has one of them.
pub trait Duplex {
    /// What comes from the server: messages, or more than these.
    type Incoming;

    /// Waits for what comes next; `None` once the connection has ended.
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::Incoming>>;

    /// Writes what was fed before, and waits for capacity for one more message. Once the connection has
    /// ended it waits for ever: the end is told where messages are.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Waits until what was fed is written, or cannot be any more. Whoever does not care is content with capacity.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_ready(cx)
    }
}

impl<T> Duplex for T
where
    T: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
    type Incoming = Message;

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
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

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(self).poll_flush(cx).map(drop)
    }
}

/// The next thing that happens between the input and the server.
pub enum Step<I = Message> {
    /// The input has a line, and the socket has capacity for it: send it without waiting.
    Line(Message),
    /// The input has ended, and all of it is written. It must not be handed in again.
    InputEnded,
    /// The input failed; [`Interrupted`](io::ErrorKind::Interrupted) means Ctrl-C.
    InputFailed(io::Error),
    /// Something came from the server.
    Incoming(I),
    /// The connection has ended; the socket's `close_info()` tells how.
    Closed,
}

/// Shows the size of a line, as of every message: it may be a secret.
impl<I: fmt::Debug> fmt::Debug for Step<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => f.debug_tuple("Line").field(line).finish(),
            Self::InputEnded => f.write_str("InputEnded"),
            Self::InputFailed(error) => f.debug_tuple("InputFailed").field(error).finish(),
            Self::Incoming(incoming) => f.debug_tuple("Incoming").field(incoming).finish(),
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
pub async fn next<D: Duplex>(socket: &mut D, mut input: Option<&mut Lines>) -> Step<D::Incoming> {
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

fn poll_incoming<D: Duplex>(socket: &mut D, cx: &mut Context<'_>) -> Poll<Step<D::Incoming>> {
    let incoming = socket.poll_incoming(cx);
    incoming.map(|incoming| incoming.map_or(Step::Closed, Step::Incoming))
}

fn poll_line<D: Duplex>(
    socket: &mut D,
    lines: &mut Lines,
    cx: &mut Context<'_>,
) -> Poll<Step<D::Incoming>> {
    // It does not wait for a server that takes nothing.
    if let Poll::Ready(error) = lines.poll_interrupt(cx) {
        return Poll::Ready(Step::InputFailed(error));
    }
    let is_ready = socket.poll_ready(cx).is_ready();
    // Only a line needs capacity: an end or an error is told also where there is nobody to take one.
    match ready!(lines.poll_waiting(cx)) {
        Some(Ok(())) if is_ready => match lines.take() {
            Some(line) => Poll::Ready(Step::Line(line)),
            None => Poll::Pending,
        },
        Some(Ok(())) => Poll::Pending,
        Some(Err(error)) => Poll::Ready(Step::InputFailed(error)),
        None => socket.poll_written(cx).map(|()| Step::InputEnded),
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn v12_l3_a_step_shows_no_line_and_no_message() {
        let steps = [
            Step::Line("s3cret".into()),
            Step::Incoming(Message::from("s3cret")),
        ];
        assert_eq!(
            format!("{steps:?}"),
            "[Line(Text(6 bytes)), Incoming(Text(6 bytes))]"
        );
    }

    /// A server that never stops.
    struct Flood;

    impl Duplex for Flood {
        type Incoming = Message;

        fn poll_incoming(&mut self, _: &mut Context<'_>) -> Poll<Option<Message>> {
            Poll::Ready(Some("flood".into()))
        }

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }

    /// A server that takes nothing, of which nothing is left to be written, and says nothing.
    struct Silence;

    impl Duplex for Silence {
        type Incoming = Message;

        fn poll_incoming(&mut self, _: &mut Context<'_>) -> Poll<Option<Message>> {
            Poll::Pending
        }

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }

        fn poll_written(&mut self, _: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }

    #[tokio::test]
    async fn an_interrupt_does_not_wait_for_a_server_that_takes_nothing() {
        let (sender, interrupt, mut lines) = Lines::interruptible();
        sender.send_all(&mut vec!["a".into()]).await;
        interrupt.send(io::ErrorKind::Interrupted.into()).unwrap();
        let step = next(&mut Silence, Some(&mut lines)).await;
        assert!(matches!(step, Step::InputFailed(_)), "{step:?}");
    }

    #[tokio::test]
    async fn a_line_waits_for_who_takes_it_and_an_end_or_an_error_does_not() {
        let (sender, mut lines) = Lines::channel(2);
        let poll = |lines: &mut Lines, is_taken| {
            let mut cx = Context::from_waker(Waker::noop());
            match is_taken {
                true => poll_line(&mut Flood, lines, &mut cx),
                false => poll_line(&mut Silence, lines, &mut cx),
            }
        };
        sender.send(Ok("a".into())).await;
        sender.send(Err(io::ErrorKind::InvalidData.into())).await;
        assert!(poll(&mut lines, false).is_pending() && lines.has_waiting());
        let line = poll(&mut lines, true);
        assert!(matches!(line, Poll::Ready(Step::Line(_))), "{line:?}");
        let failed = poll(&mut lines, false);
        assert!(
            matches!(failed, Poll::Ready(Step::InputFailed(_))),
            "{failed:?}"
        );
        drop(sender);
        let ended = poll(&mut lines, false);
        assert!(matches!(ended, Poll::Ready(Step::InputEnded)), "{ended:?}");
    }

    #[tokio::test]
    async fn lines_and_messages_take_turns() {
        let (sender, mut lines) = Lines::channel(3);
        for line in ["a", "b", "c"] {
            sender.send(Ok(line.into())).await;
        }
        let mut steps = String::new();
        for _ in 0..6 {
            steps.push(match next(&mut Flood, Some(&mut lines)).await {
                Step::Line(_) => 'l',
                Step::Incoming(_) => 'm',
                step => panic!("{step:?}"),
            });
        }
        assert_eq!(steps, "lmlmlm");
    }
}

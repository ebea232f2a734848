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
        let incoming = poll_incoming(socket, cx);
        if incoming.is_ready() {
            return incoming;
        }
        match &mut input {
            Some(lines) => poll_line(socket, lines, cx),
            None => Poll::Pending,
        }
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

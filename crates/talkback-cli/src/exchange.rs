//! Lines for messages: what a program in a terminal does with a WebSocket.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_sink::Sink;
use talkback::{Message, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::input::Lines;

/// The next thing that happens between the input and the server.
#[derive(Debug)]
pub enum Step {
    /// The input has a line, and the socket has room for it: `feed` it without waiting.
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
pub async fn next<T>(socket: &mut WebSocket<T>, mut input: Option<&mut Lines>) -> Step
where
    T: AsyncRead + AsyncWrite + Unpin,
{
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

fn poll_incoming<T>(socket: &mut WebSocket<T>, cx: &mut Context<'_>) -> Poll<Step>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    Pin::new(socket).poll_next(cx).map(|item| match item {
        Some(Ok(message)) => Step::Message(message),
        Some(Err(_)) | None => Step::Closed,
    })
}

fn poll_line<T>(socket: &mut WebSocket<T>, lines: &mut Lines, cx: &mut Context<'_>) -> Poll<Step>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
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

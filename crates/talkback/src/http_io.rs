//! Reading an HTTP head from a transport, and what may follow it.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{Response, StatusCode};
use talkback_proto::handshake::{HeadError, HeadLimits, HeadReader, RefusedBody};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::timer::{Timer, poll_timer, timer};
use crate::websocket::buffers;

/// How much of an answer has to leave within one timeout.
const PART_SIZE: usize = 64 * 1024;

/// How long the client may take to end the connection once it has all.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// How many reads of what the client still sends may follow each other before other tasks run: however
/// much it is, it does not put off the end.
const READS_MAX: usize = 16;

/// How many interim responses may come before the final one: far more than any server has to say.
const INTERIM_MAX: usize = 8;

/// A head that did not come.
pub(crate) enum ReadHeadError {
    /// What came is not a head within the limits.
    Head(HeadError),
    /// The transport ended or broke.
    Io(io::Error),
}

impl From<HeadError> for ReadHeadError {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}

impl From<io::Error> for ReadHeadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads the final response; returns it and what was read behind it.
///
/// A client "MUST be able to parse one or more 1xx responses received prior to a final response"
/// (RFC 9110 §15.2), and 101 is final here. Of more than a few, the next stands for the final one.
pub(crate) async fn read_response<T: AsyncRead + Unpin>(
    io: &mut T,
    limits: HeadLimits,
) -> Result<(Response<()>, BytesMut), ReadHeadError> {
    let mut leftover = BytesMut::new();
    let mut interim = 0;
    loop {
        let mut reader = HeadReader::new(limits);
        leftover = read_head(io, &mut reader, leftover).await?;
        let response = reader.response()?;
        let status = response.status();
        let is_final = !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS;
        if is_final || interim == INTERIM_MAX {
            return Ok((response, leftover));
        }
        interim += 1;
    }
}

/// Takes what was read already, and reads, until the head is complete; returns what was read behind
/// it.
async fn read_head<T: AsyncRead + Unpin>(
    io: &mut T,
    reader: &mut HeadReader,
    mut unread: BytesMut,
) -> Result<BytesMut, ReadHeadError> {
    poll_fn(|cx| poll_read_head(io, cx, reader, &mut unread)).await
}

/// The same, to be polled: `unread` is taken at the first poll.
pub(crate) fn poll_read_head<T: AsyncRead + Unpin>(
    io: &mut T,
    cx: &mut Context<'_>,
    reader: &mut HeadReader,
    unread: &mut BytesMut,
) -> Poll<Result<BytesMut, ReadHeadError>> {
    loop {
        let mut bytes = mem::take(unread);
        if bytes.is_empty() {
            bytes = ready!(poll_read(io, cx))?;
        }
        if bytes.is_empty() {
            let what = "the peer ended the connection";
            let ended = io::Error::new(io::ErrorKind::UnexpectedEof, what);
            return Poll::Ready(Err(ended.into()));
        }
        let handled = reader.handle(&bytes);
        if let Ok(Some(size)) = handled {
            bytes.advance(size);
            unread.extend_from_slice(&bytes);
        }
        buffers::give_back(bytes);
        if handled?.is_some() {
            return Poll::Ready(Ok(mem::take(unread)));
        }
    }
}

/// Reads the beginning of a refusal's body, as far as it is kept.
pub(crate) async fn read_body<T: AsyncRead + Unpin>(
    io: &mut T,
    leftover: &[u8],
    body: &mut RefusedBody,
) {
    let mut is_complete = body.handle(leftover);
    while !is_complete {
        let Ok(bytes) = read(io).await else {
            return;
        };
        is_complete = bytes.is_empty() || body.handle(&bytes);
        buffers::give_back(bytes);
    }
}

/// An HTTP answer that is the last of its connection, and the end of it, so that the client gets to
/// read the answer. A client that takes less than 64 KiB within `part_timeout` is left.
///
/// What the client still sends is read away: closing TCP over unread bytes resets it, and the
/// reset overtakes the answer.
pub(crate) struct LastWrite {
    part: Bytes,
    rest: [Bytes; 2],
    part_timeout: Duration,
    timer: Timer,
    is_written: bool,
    is_shut_down: bool,
}

impl LastWrite {
    /// The content is written as it is, and only a small one copied, behind the head.
    pub(crate) fn new(mut head: Vec<u8>, mut body: Bytes, part_timeout: Duration) -> Self {
        // What is small leaves in one write.
        if body.len() <= PART_SIZE {
            head.extend_from_slice(&mem::take(&mut body));
        }
        let mut write = Self {
            part: Bytes::new(),
            rest: [head.into(), body],
            part_timeout,
            timer: timer(part_timeout),
            is_written: false,
            is_shut_down: false,
        };
        write.part = write.next_part();
        write
    }

    /// Ready once all is written and the client has ended the connection, or one of them took too long.
    pub(crate) fn poll<T: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let outcome = match self.is_written {
                true => self.poll_end(io, cx),
                false => poll_write_all(io, cx, &mut self.part),
            };
            if outcome.is_pending() {
                ready!(poll_timer(&mut self.timer, cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            ready!(outcome)?;
            if self.is_written {
                return Poll::Ready(Ok(()));
            }
            self.part = self.next_part();
            self.is_written = self.part.is_empty();
            let timeout = match self.is_written {
                true => END_TIMEOUT,
                false => self.part_timeout,
            };
            self.timer = timer(timeout);
        }
    }

    fn next_part(&mut self) -> Bytes {
        let rest = self.rest.iter_mut().find(|piece| !piece.is_empty());
        rest.map_or_else(Bytes::new, |piece| {
            piece.split_to(piece.len().min(PART_SIZE))
        })
    }

    fn poll_end<T: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.is_shut_down {
            let outcome = Pin::new(&mut *io).poll_shutdown(cx);
            ready!(uninterrupted(outcome, cx))?;
            self.is_shut_down = true;
        }
        for _ in 0..READS_MAX {
            let rest = ready!(poll_read(io, cx))?;
            if rest.is_empty() {
                return Poll::Ready(Ok(()));
            }
            buffers::give_back(rest);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Writes all of `bytes`, and has the transport hold none of them back, as a TLS layer may.
pub(crate) async fn write_all<T: AsyncWrite + Unpin>(
    io: &mut T,
    mut bytes: &[u8],
) -> io::Result<()> {
    poll_fn(|cx| poll_write_all(io, cx, &mut bytes)).await
}

/// The same, to be polled: `bytes` is what is left.
pub(crate) fn poll_write_all<T: AsyncWrite + Unpin>(
    io: &mut T,
    cx: &mut Context<'_>,
    bytes: &mut impl Buf,
) -> Poll<io::Result<()>> {
    while bytes.has_remaining() {
        let outcome = Pin::new(&mut *io).poll_write(cx, bytes.chunk());
        let size = ready!(uninterrupted(outcome, cx))?;
        if size == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        bytes.advance(size);
    }
    let outcome = Pin::new(io).poll_flush(cx);
    uninterrupted(outcome, cx)
}

/// Reads once; an empty buffer means the end.
async fn read<T: AsyncRead + Unpin>(io: &mut T) -> io::Result<BytesMut> {
    poll_fn(|cx| poll_read(io, cx)).await
}

fn poll_read<T: AsyncRead + Unpin>(io: &mut T, cx: &mut Context<'_>) -> Poll<io::Result<BytesMut>> {
    let outcome = buffers::poll_read(io, cx);
    uninterrupted(outcome, cx)
}

/// Has the transport polled again if it was interrupted.
fn uninterrupted<T>(outcome: Poll<io::Result<T>>, cx: &Context<'_>) -> Poll<io::Result<T>> {
    match outcome {
        Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        outcome => outcome,
    }
}

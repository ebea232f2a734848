//! Reading an HTTP head from a transport, and what may follow it.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use http::{Response, StatusCode};
use talkback_proto::handshake::{HeadError, HeadLimits, HeadReader, RefusedBody};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::websocket::buffers;

/// How much of an answer has to leave within one timeout.
pub(crate) const PART_SIZE: usize = 64 * 1024;

/// How long the client may take to end the connection once it has all.
const END_TIMEOUT: Duration = Duration::from_secs(2);

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
pub(crate) async fn read_head<T: AsyncRead + Unpin>(
    io: &mut T,
    reader: &mut HeadReader,
    mut unread: BytesMut,
) -> Result<BytesMut, ReadHeadError> {
    loop {
        let mut bytes = mem::take(&mut unread);
        if bytes.is_empty() {
            bytes = read(io).await?;
        }
        if bytes.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        match reader.handle(&bytes) {
            Ok(Some(size)) => {
                bytes.advance(size);
                let leftover = BytesMut::from(&bytes[..]);
                buffers::give_back(bytes);
                return Ok(leftover);
            }
            Ok(None) => buffers::give_back(bytes),
            Err(error) => {
                buffers::give_back(bytes);
                return Err(ReadHeadError::Head(error));
            }
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

/// Writes an HTTP answer and ends the connection so that the client gets to read it. A client that
/// takes less than 64 KiB within `part_timeout` is left.
///
/// What the client still sends is read away: closing TCP over unread bytes resets it, and the
/// reset overtakes the answer.
pub(crate) async fn write_last<T: AsyncRead + AsyncWrite + Unpin>(
    io: &mut T,
    pieces: &[&[u8]],
    part_timeout: Duration,
) -> io::Result<()> {
    for part in pieces.iter().flat_map(|piece| piece.chunks(PART_SIZE)) {
        timeout(part_timeout, write_all(io, part)).await??;
    }
    timeout(END_TIMEOUT, end(io)).await?
}

async fn end<T: AsyncRead + AsyncWrite + Unpin>(io: &mut T) -> io::Result<()> {
    retried(|cx| Pin::new(&mut *io).poll_shutdown(cx)).await?;
    loop {
        let rest = read(io).await?;
        if rest.is_empty() {
            return Ok(());
        }
        buffers::give_back(rest);
    }
}

/// Writes all of `bytes`, and has the transport hold none of them back, as a TLS layer may.
pub(crate) async fn write_all<T: AsyncWrite + Unpin>(
    io: &mut T,
    mut bytes: &[u8],
) -> io::Result<()> {
    while !bytes.is_empty() {
        let write = |cx: &mut Context<'_>| Pin::new(&mut *io).poll_write(cx, bytes);
        let size = retried(write).await?;
        if size == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[size..];
    }
    retried(|cx| Pin::new(&mut *io).poll_flush(cx)).await
}

/// Reads once; an empty buffer means the end.
async fn read<T: AsyncRead + Unpin>(io: &mut T) -> io::Result<BytesMut> {
    retried(|cx| buffers::poll_read(io, cx)).await
}

/// Polls the transport again each time that it was interrupted.
async fn retried<T>(
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>,
) -> io::Result<T> {
    poll_fn(|cx| match poll(cx) {
        Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        outcome => outcome,
    })
    .await
}

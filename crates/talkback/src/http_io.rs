//! Reading an HTTP head from a transport, and what may follow it.

use std::future::poll_fn;
use std::io;

use bytes::{Buf, BytesMut};
use talkback_proto::handshake::{HeadError, HeadReader, RefusedBody};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::buffers;

/// A head that did not come.
pub(crate) enum ReadHeadError {
    /// What came is not a head within the limits.
    Head(HeadError),
    /// The transport ended or broke.
    Io(io::Error),
}

impl From<io::Error> for ReadHeadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads until the head is complete; returns what was read behind it.
pub(crate) async fn read_head<T: AsyncRead + Unpin>(
    io: &mut T,
    reader: &mut HeadReader,
) -> Result<BytesMut, ReadHeadError> {
    loop {
        let mut bytes = read(io).await?;
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

/// Writes an HTTP error and ends the connection so that the client gets to read it.
///
/// What the client still sends is read away: closing TCP over unread bytes resets it, and the
/// reset overtakes the answer.
pub(crate) async fn write_last<T: AsyncRead + AsyncWrite + Unpin>(
    io: &mut T,
    bytes: &[u8],
) -> io::Result<()> {
    io.write_all(bytes).await?;
    io.shutdown().await?;
    loop {
        let rest = read(io).await?;
        if rest.is_empty() {
            return Ok(());
        }
        buffers::give_back(rest);
    }
}

/// Reads once; an empty buffer means the end.
async fn read<T: AsyncRead + Unpin>(io: &mut T) -> io::Result<BytesMut> {
    poll_fn(|cx| buffers::poll_read(io, cx)).await
}

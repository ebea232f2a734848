//! The server's end of a connection, frame by frame.

use std::io;

use bytes::{Buf, BytesMut};
use talkback_proto::{Header, Opcode, ProtocolError, mask};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The largest payload of a frame in bytes that the server takes.
const PAYLOAD_SIZE_MAX: u64 = 64 * 1024 * 1024;

/// A frame from the client, unmasked.
pub(super) struct Frame {
    pub(super) fin: bool,
    pub(super) opcode: Opcode,
    pub(super) payload: Vec<u8>,
}

/// The server's end of an open connection. It obeys only the rules that the behaviours ask for.
pub(super) struct Peer<T> {
    io: T,
    /// What was read and not used yet.
    input: BytesMut,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Peer<T> {
    /// `leftover` is what was read behind the opening handshake.
    pub(super) fn new(io: T, leftover: BytesMut) -> Self {
        Self {
            io,
            input: leftover,
        }
    }

    pub(super) fn into_inner(self) -> T {
        self.io
    }

    /// The next frame of any kind; `None` once the client has ended the transport.
    pub(super) async fn read(&mut self) -> io::Result<Option<Frame>> {
        let header = loop {
            if let Some((header, size)) = Header::decode(&self.input).map_err(broken)? {
                self.input.advance(size);
                break header;
            }
            if self.io.read_buf(&mut self.input).await? == 0 {
                return Ok(None);
            }
        };
        // A server MUST close the connection upon receiving a frame that is not masked (§5.1).
        let key = header
            .mask
            .ok_or_else(|| broken(ProtocolError::NotMasked))?;
        if header.payload_size > PAYLOAD_SIZE_MAX {
            return Err(broken(ProtocolError::MessageTooBig {
                size: header.payload_size,
                size_max: PAYLOAD_SIZE_MAX,
            }));
        }
        let size = usize::try_from(header.payload_size).expect("it is at most 64 MiB");
        while self.input.len() < size {
            self.input.reserve(size - self.input.len());
            if self.io.read_buf(&mut self.input).await? == 0 {
                return Ok(None);
            }
        }
        let mut payload = self.input.split_to(size).to_vec();
        let _ = mask(&mut payload, key);
        Ok(Some(Frame {
            fin: header.fin,
            opcode: header.opcode,
            payload,
        }))
    }

    /// The next data frame; pings are answered, and so is a close frame, which ends the connection:
    /// then it is `None`.
    pub(super) async fn read_data(&mut self) -> io::Result<Option<Frame>> {
        while let Some(frame) = self.read().await? {
            match frame.opcode {
                Opcode::Ping => self.write(Opcode::Pong, &frame.payload).await?,
                Opcode::Pong => {}
                Opcode::Close => {
                    self.write(Opcode::Close, &frame.payload).await?;
                    self.end().await?;
                    return Ok(None);
                }
                _ => return Ok(Some(frame)),
            }
        }
        Ok(None)
    }

    /// Sends a frame of its own.
    pub(super) async fn write(&mut self, opcode: Opcode, payload: &[u8]) -> io::Result<()> {
        self.write_raw(&encode_frame(true, opcode, payload)).await
    }

    /// Sends a frame back as it came, so that a fragmented message stays fragmented.
    pub(super) async fn write_back(&mut self, frame: &Frame) -> io::Result<()> {
        let bytes = encode_frame(frame.fin, frame.opcode, &frame.payload);
        self.write_raw(&bytes).await
    }

    /// Sends any bytes.
    pub(super) async fn write_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.io.write_all(bytes).await?;
        self.io.flush().await
    }

    /// Reads away what the client still sends, until it ends its side.
    pub(super) async fn read_away(&mut self) -> io::Result<()> {
        read_away(&mut self.io).await
    }

    /// Ends the transport, so that the client gets to read everything before.
    pub(super) async fn end(&mut self) -> io::Result<()> {
        self.io.shutdown().await?;
        self.read_away().await
    }
}

/// A frame as a server sends it: not masked.
pub(super) fn encode_frame(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        fin,
        rsv1: false,
        opcode,
        mask: None,
        payload_size: payload.len() as u64,
    };
    [header.encode().as_ref(), payload].concat()
}

/// Reads until the client ends its side: closing TCP over unread bytes would reset it.
pub(super) async fn read_away<T: AsyncRead + Unpin>(io: &mut T) -> io::Result<()> {
    let mut bytes = BytesMut::new();
    while io.read_buf(&mut bytes).await? > 0 {
        bytes.clear();
    }
    Ok(())
}

fn broken(error: ProtocolError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

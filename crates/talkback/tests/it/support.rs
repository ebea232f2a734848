//! A scripted transport and frames written by hand; and, below, what other tests share.

pub(crate) mod answers;
#[cfg(feature = "tls")]
pub(crate) mod certificates;
#[cfg(feature = "tls")]
pub(crate) mod cut;
pub(crate) mod dropping;
pub(crate) mod echo;
pub(crate) mod fault_proxy;
pub(crate) mod fault_session;
#[cfg(target_os = "linux")]
pub(crate) mod full_queue;
pub(crate) mod local;
pub(crate) mod never_ends;
pub(crate) mod proxy;
pub(crate) mod site;
pub(crate) mod watched;

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use talkback::{Role, WebSocket};
use talkback_proto::{Header, Opcode, mask};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One thing that a scripted transport does when it is read.
#[derive(Clone, Debug)]
pub(crate) enum Read {
    /// Gives these bytes, as many a read as the buffer has capacity for; a read never goes beyond them.
    Bytes(Bytes),
    /// Is not ready this time, and wakes the reader at once.
    Pending,
    /// Fails with an error of this kind.
    Error(io::ErrorKind),
    /// Waits for ever.
    Silence,
}

/// What happened on a scripted transport, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    /// Bytes were read into memory at this range of addresses.
    Read(Range<usize>),
    /// Bytes were written.
    Written(Vec<u8>),
    /// The writing side was shut down.
    ShutDown,
    /// The transport was dropped.
    Dropped,
}

pub(crate) type Log = Arc<Mutex<Vec<Happened>>>;

/// A transport that follows a script; at its end the stream ends.
#[derive(Debug)]
pub(crate) struct Script {
    reads: VecDeque<Read>,
    /// How many bytes a write takes; every second write is not ready where it is not all.
    write_max: usize,
    is_write_due: bool,
    /// What every write fails with.
    write_error: Option<io::ErrorKind>,
    /// Whether every second write and flush is interrupted; whether the next one is.
    interrupts: bool,
    is_interrupting: bool,
    is_flush_interrupting: bool,
    pub(crate) log: Log,
}

impl Script {
    pub(crate) fn new(reads: impl IntoIterator<Item = Read>) -> Self {
        Self {
            reads: reads.into_iter().collect(),
            write_max: usize::MAX,
            is_write_due: true,
            write_error: None,
            interrupts: false,
            is_interrupting: true,
            is_flush_interrupting: true,
            log: Log::default(),
        }
    }

    /// The bytes in pieces of `size`, each read preceded by one that is not ready.
    pub(crate) fn trickle(bytes: &[u8], size: usize) -> Self {
        let pieces = bytes.chunks(size);
        Self::new(pieces.flat_map(|p| [Read::Pending, Read::Bytes(Bytes::copy_from_slice(p))]))
    }

    pub(crate) fn write_max(mut self, size: usize) -> Self {
        self.write_max = size;
        self
    }

    pub(crate) fn write_error(mut self, kind: io::ErrorKind) -> Self {
        self.write_error = Some(kind);
        self
    }

    pub(crate) fn interrupts_writes(mut self) -> Self {
        self.interrupts = true;
        self
    }

    fn note(&self, happened: Happened) {
        self.log.lock().unwrap().push(happened);
    }
}

/// All bytes that were written.
pub(crate) fn written(log: &Log) -> Vec<u8> {
    let log = log.lock().unwrap();
    let parts = log.iter().filter_map(|happened| match happened {
        Happened::Written(bytes) => Some(bytes.as_slice()),
        _ => None,
    });
    parts.collect::<Vec<_>>().concat()
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.reads.pop_front() {
            None => Poll::Ready(Ok(())),
            Some(Read::Error(kind)) => Poll::Ready(Err(kind.into())),
            Some(Read::Silence) => {
                self.reads.push_front(Read::Silence);
                Poll::Pending
            }
            Some(Read::Pending) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Read::Bytes(mut bytes)) => {
                let size = bytes.len().min(buf.remaining());
                buf.put_slice(&bytes.split_to(size));
                let end = buf.filled().as_ptr_range().end as usize;
                self.note(Happened::Read(end - size..end));
                if bytes.has_remaining() {
                    self.reads.push_front(Read::Bytes(bytes));
                }
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(kind) = self.write_error {
            return Poll::Ready(Err(kind.into()));
        }
        if self.interrupts && std::mem::replace(&mut self.is_interrupting, false) {
            return Poll::Ready(Err(io::ErrorKind::Interrupted.into()));
        }
        self.is_interrupting = true;
        let is_due = self.is_write_due;
        if self.write_max != usize::MAX {
            self.is_write_due = !is_due;
        }
        if !is_due {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let size = bytes.len().min(self.write_max);
        self.note(Happened::Written(bytes[..size].to_vec()));
        Poll::Ready(Ok(size))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.interrupts && std::mem::replace(&mut self.is_flush_interrupting, false) {
            return Poll::Ready(Err(io::ErrorKind::Interrupted.into()));
        }
        self.is_flush_interrupting = true;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.note(Happened::ShutDown);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.note(Happened::Dropped);
    }
}

/// A server's end of a connection over a script, and the log of what happens on it.
pub(crate) fn server(script: Script) -> (WebSocket<Script>, Log) {
    end(script, Role::Server)
}

/// One end of a connection over a script, and the log of what happens on it.
pub(crate) fn end(script: Script, role: Role) -> (WebSocket<Script>, Log) {
    let log = Arc::clone(&script.log);
    let socket = WebSocket::from_upgraded(script, role);
    (socket, log)
}

/// Whether a frame is the last of its message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fin {
    Last,
    More,
}

/// A frame as a client sends it: masked.
pub(crate) fn masked(fin: Fin, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = header(fin, opcode, payload.len(), Some(key));
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    let _ = mask(&mut bytes[start..], key);
    bytes
}

/// A frame as a server sends it: plain.
pub(crate) fn plain(fin: Fin, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(fin, opcode, payload.len(), None);
    bytes.extend_from_slice(payload);
    bytes
}

fn header(fin: Fin, opcode: Opcode, size: usize, mask: Option<[u8; 4]>) -> Vec<u8> {
    let fin = fin == Fin::Last;
    let header = Header {
        fin,
        rsv1: false,
        opcode,
        mask,
        payload_size: size as u64,
    };
    header.encode().as_ref().to_vec()
}

//! Bytes on their way between two ends in memory, and how that ends.

use std::io::{self, IoSlice};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;
use tokio::sync::Notify;

/// How many bytes are on the way in each direction before a writer waits.
const CAPACITY: usize = 64 * 1024;

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Client,
    Server,
}

impl End {
    fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What both ends share.
#[derive(Default)]
pub(super) struct Pipe {
    flows: Mutex<Flows>,
    /// Tells of an end that is dropped, and of a cut.
    gone: Notify,
}

#[derive(Default)]
struct Flows {
    to_client: Flow,
    to_server: Flow,
}

/// One direction.
#[derive(Default)]
struct Flow {
    bytes: BytesMut,
    /// What comes behind the bytes.
    last: Option<Last>,
    /// How many bytes it still takes until the connection is cut.
    left: Option<usize>,
    /// Whether the end is dropped that it leads to.
    is_unread: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// How a direction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// Its writer has shut it down.
    Fin,
    /// The connection was cut.
    Reset,
}

/// A waker is foreign code, and is called, and dropped, once the lock is released.
impl Pipe {
    pub(super) fn poll_read(
        &self,
        end: End,
        cx: &Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut flows = self.lock();
        let flow = flows.to(end);
        if flow.bytes.is_empty() {
            match flow.last {
                Some(Last::Fin) => return Poll::Ready(Ok(())),
                Some(Last::Reset) => return Poll::Ready(Err(reset())),
                None => {}
            }
            let before = flow.reader.replace(cx.waker().clone());
            drop(flows);
            drop(before);
            return Poll::Pending;
        }
        let size = flow.bytes.len().min(buf.remaining());
        buf.put_slice(&flow.bytes[..size]);
        flow.bytes.advance(size);
        let writer = flow.writer.take();
        drop(flows);
        wake([writer]);
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_write(
        &self,
        end: End,
        cx: &Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut flows = self.lock();
        let flow = flows.to(end.other());
        flow.check_write()?;
        let room = CAPACITY.saturating_sub(flow.bytes.len());
        let room = room.min(flow.left.unwrap_or(usize::MAX));
        if room == 0 {
            let before = flow.writer.replace(cx.waker().clone());
            drop(flows);
            drop(before);
            return Poll::Pending;
        }
        let mut size = 0;
        for slice in slices {
            let part = &slice[..slice.len().min(room - size)];
            flow.bytes.extend_from_slice(part);
            size += part.len();
        }
        flow.left = flow.left.map(|left| left - size);
        let (is_cut, reader) = (flow.left == Some(0), flow.reader.take());
        drop(flows);
        wake([reader]);
        if is_cut {
            self.cut();
        }
        Poll::Ready(Ok(size))
    }

    /// Sends bytes from an end, however many they are.
    pub(super) fn push(&self, end: End, bytes: &[u8]) {
        let mut flows = self.lock();
        let flow = flows.to(end.other());
        if flow.check_write().is_err() {
            return;
        }
        flow.bytes.extend_from_slice(bytes);
        let reader = flow.reader.take();
        drop(flows);
        wake([reader]);
    }

    /// Ends the direction that leads away from an end.
    pub(super) fn shut_down(&self, end: End) {
        let mut flows = self.lock();
        let flow = flows.to(end.other());
        flow.last.get_or_insert(Last::Fin);
        let reader = flow.reader.take();
        drop(flows);
        wake([reader]);
    }

    /// An end is dropped.
    pub(super) fn drop_end(&self, end: End) {
        self.shut_down(end);
        let mut flows = self.lock();
        let flow = flows.to(end);
        flow.is_unread = true;
        flow.bytes = BytesMut::new();
        let writer = flow.writer.take();
        drop(flows);
        wake([writer]);
        self.gone.notify_waiters();
    }

    /// Resets the connection: what is on the way still arrives, and behind it the reset.
    pub(super) fn cut(&self) {
        let mut flows = self.lock();
        let wakers = [End::Client, End::Server].map(|end| {
            let flow = flows.to(end);
            flow.last = Some(Last::Reset);
            [flow.reader.take(), flow.writer.take()]
        });
        drop(flows);
        wake(wakers.into_iter().flatten());
        self.gone.notify_waiters();
    }

    /// Cuts the connection once so many bytes more have left the other end.
    pub(super) fn cut_after(&self, end: End, bytes: usize) {
        match bytes {
            0 => self.cut(),
            _ => self.lock().to(end).left = Some(bytes),
        }
    }

    /// Whether the other end is dropped, or the connection cut.
    pub(super) fn is_gone(&self, end: End) -> bool {
        let mut flows = self.lock();
        let flow = flows.to(end.other());
        flow.is_unread || flow.last == Some(Last::Reset)
    }

    /// Waits until it is.
    pub(super) async fn gone(&self, end: End) {
        loop {
            // Made first: it is told of whatever happens from now on.
            let gone = self.gone.notified();
            if self.is_gone(end) {
                return;
            }
            gone.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Flows> {
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flows {
    /// The direction that leads to an end.
    fn to(&mut self, end: End) -> &mut Flow {
        match end {
            End::Client => &mut self.to_client,
            End::Server => &mut self.to_server,
        }
    }
}

impl Flow {
    /// Whether anything can be written.
    fn check_write(&self) -> io::Result<()> {
        match self.last {
            Some(Last::Reset) => Err(reset()),
            Some(Last::Fin) => Err(io::ErrorKind::BrokenPipe.into()),
            None if self.is_unread => Err(io::ErrorKind::BrokenPipe.into()),
            None => Ok(()),
        }
    }
}

fn reset() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

fn wake(wakers: impl IntoIterator<Item = Option<Waker>>) {
    wakers.into_iter().flatten().for_each(Waker::wake);
}

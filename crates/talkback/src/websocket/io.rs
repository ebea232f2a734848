//! A socket and its transport: writing, reading, waiting, and letting go.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::Response;
use talkback_proto::{
    CloseCode, CloseFrame, CloseInfo, Compression, Delivery, Incoming, Message, Output, Prepared,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::error::Error;
use crate::socket::{Backlog, Lost, PeerClose, Received, SendProgress, Socket};
use crate::timer::{self, Timer, timer_at};
use crate::websocket::buffers;
use crate::websocket::opening::Head;
use crate::websocket::wakers::Half;
use crate::websocket::{Core, WebSocket, now};

pub(super) const ENDED: &str = "the peer ended the connection";

/// What polling the transport has brought.
pub(super) enum Progress {
    /// Bytes to be taken: in the input, or in the message in progress.
    Input,
    /// The connection has ended.
    End,
}

impl<T: AsyncRead + AsyncWrite + Unpin> WebSocket<T> {
    #[inline]
    pub(crate) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>, Error>> {
        self.core.connection.set_delivery(Delivery::Whole);
        loop {
            if let Some(message) = self.next_message() {
                return Poll::Ready(Ok(Some(message)));
            }
            match ready!(self.poll_more(cx)) {
                Some(Incoming::Message(message)) => return Poll::Ready(Ok(Some(message))),
                Some(_) => {}
                None if self.core.input.is_empty()
                    && self.core.connection.close_info().is_some() =>
                {
                    return Poll::Ready(self.report_end().map_or(Ok(None), Err));
                }
                None => {}
            }
        }
    }

    /// What else is buffered; if nothing is, `None` once more was read or the connection has ended.
    #[inline(never)]
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        if let Some(incoming) = self.next_buffered() {
            return Poll::Ready(Some(incoming));
        }
        self.poll_transport(cx, Half::Receiver).map(|_| None)
    }

    pub(super) fn poll_recv_incoming(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Incoming>, Error>> {
        self.core.connection.set_delivery(Delivery::Whole);
        loop {
            match ready!(self.poll_incoming(cx, Half::Receiver)) {
                // The rest of a message that was begun as a stream, and given up.
                Some(Incoming::Piece(_)) => {}
                None => return Poll::Ready(self.report_end().map_or(Ok(None), Err)),
                incoming => return Poll::Ready(Ok(incoming)),
            }
        }
    }

    /// The one error of an abnormal end, the first time only.
    pub(super) fn report_end(&mut self) -> Option<Error> {
        let info = self.core.connection.close_info()?;
        let is_first = !std::mem::replace(&mut self.is_end_reported, true);
        (is_first && !info.is_normal()).then(|| Error::Closed(info.clone()))
    }

    /// How the connection ended, if its reader was told.
    pub(crate) fn reported_end(&self) -> Option<&CloseInfo> {
        let info = self.core.connection.close_info();
        info.filter(|_| self.is_end_reported)
    }

    pub(super) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<CloseInfo> {
        loop {
            // After a local close nothing is given out, so this only drives.
            if ready!(self.poll_incoming(cx, Half::Sender)).is_none() {
                return Poll::Ready(self.end());
            }
        }
    }

    /// How the connection ended, which it has.
    pub(super) fn end(&self) -> CloseInfo {
        let info = self.core.connection.close_info();
        info.expect("the connection has ended").clone()
    }

    pub(super) fn poll_send_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        ready!(self.poll_capacity(cx));
        let is_open = self.core.connection.is_open();
        Poll::Ready(is_open.then_some(()).ok_or(Lost))
    }

    /// Waits for capacity for a message, or until none can be sent any more: that shows when one is queued.
    #[inline]
    pub(super) fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let connection = &self.core.connection;
        let is_full = connection.buffered() > connection.limits().write_buffer_limit();
        if is_full && connection.is_open() {
            let _ = ready!(self.poll_flush_output(cx));
        }
        Poll::Ready(())
    }

    /// The next thing that the peer sent; `None` once the connection has ended.
    ///
    /// What is buffered is given out before anything is written, so that a caller that feeds
    /// answers gathers them; and everything is written before more is read, so that a ping is
    /// answered before the frame behind it is waited for.
    pub(super) fn poll_incoming(
        &mut self,
        cx: &mut Context<'_>,
        half: Half,
    ) -> Poll<Option<Incoming>> {
        loop {
            if let Some(incoming) = self.next_buffered() {
                return Poll::Ready(Some(incoming));
            }
            match ready!(self.poll_transport(cx, half)) {
                Progress::Input => {}
                Progress::End => return Poll::Ready(None),
            }
        }
    }

    /// The next message out of what was read, if it lies there in one frame. A loop that asks for it before it polls the
    /// stream has all registers for messages: what that returns has space for an error, too.
    #[doc(hidden)]
    #[inline(always)]
    pub fn next_message(&mut self) -> Option<Message> {
        let Core {
            connection, input, ..
        } = &mut *self.core;
        if input.is_empty() {
            return None;
        }
        let (bytes, used) = input.parts();
        let message = connection.receive_message(bytes, used, now)?;
        if input.is_used_up() {
            self.release_used_input();
        }
        Some(message)
    }

    /// The next thing out of what was read, without touching the transport.
    pub(super) fn next_buffered(&mut self) -> Option<Incoming> {
        if self.core.input.is_empty() && !self.core.connection.has_more() {
            return None;
        }
        let incoming = self.core.connection.receive(self.core.input.bytes(), now);
        if self.core.input.is_empty() {
            self.release_used_input();
        }
        incoming
    }

    #[inline(never)]
    fn release_used_input(&mut self) {
        buffers::give_back(self.core.input.take());
    }

    /// Writes everything that is queued. While the transport takes nothing, the timeouts go on.
    pub(super) fn poll_flush_output(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        let waker = self.lend(Half::Sender, cx);
        let outcome = match &waker {
            Some(waker) => self.poll_output(&mut Context::from_waker(waker)),
            None => self.poll_output(cx),
        };
        self.wakers.take_back(waker);
        outcome
    }

    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        loop {
            if let Poll::Ready(outcome) = self.poll_write(cx) {
                // Who only sends never waits for what comes. A close frame leaves behind what was written.
                if outcome.is_ok() && self.obeys(Half::Sender, cx) {
                    continue;
                }
                return Poll::Ready(outcome);
            }
            if self.poll_timer(cx).is_pending() && !self.obeys(Half::Sender, cx) {
                buffers::park(self.core.input.bytes());
                return Poll::Pending;
            }
            if self.core.connection.close_info().is_some() {
                self.release();
            }
        }
    }

    /// Writes, reads and waits, until something was read or the connection has ended.
    pub(super) fn poll_transport(&mut self, cx: &mut Context<'_>, half: Half) -> Poll<Progress> {
        let waker = self.lend(half, cx);
        let progress = match &waker {
            Some(waker) => self.poll_progress(&mut Context::from_waker(waker)),
            None => self.poll_progress(cx),
        };
        self.wakers.take_back(waker);
        progress
    }

    fn poll_progress(&mut self, cx: &mut Context<'_>) -> Poll<Progress> {
        loop {
            if self.core.connection.has_close_deadline() {
                // However much the peer sends, it does not put off the end.
                let _ = self.poll_timer(cx);
            }
            let is_written = !self.has_output() || self.poll_write(cx).is_ready();
            if is_written && self.core.connection.wants_shutdown() {
                self.poll_shutdown(cx);
            }
            if self.core.connection.close_info().is_some() {
                self.release();
                return Poll::Ready(Progress::End);
            }
            if !self.core.input.is_empty() {
                // It was read to see whether the peer is alive.
                return Poll::Ready(Progress::Input);
            }
            if self.core.connection.wants_read() && self.poll_read(cx).is_ready() {
                if self.core.input.is_empty() && !self.core.connection.has_more() {
                    continue;
                }
                return Poll::Ready(Progress::Input);
            }
            // Only now, with nothing left to read, may silence be taken for death.
            if self.poll_timer(cx).is_pending() && !self.obeys(Half::Receiver, cx) {
                return Poll::Pending;
            }
        }
    }

    /// Reads once: into the message in progress if that is large, else into a pooled buffer.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(io) = &mut self.io else {
            return Poll::Ready(());
        };
        self.core.connection.resume_keepalive(now);
        let outcome = match self.core.connection.space() {
            Some(mut space) => ready!(pin!(io.read_buf(&mut space)).poll(cx)),
            None => ready!(buffers::poll_read(io, cx)).map(|buffer| {
                let size = buffer.len();
                self.core.input = buffer.into();
                size
            }),
        };
        match outcome {
            Ok(0) => self.core.connection.handle_end(ENDED),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Err(error) => self.core.connection.handle_end(&error.to_string()),
        }
        Poll::Ready(())
    }

    /// Whether there is something to write, or to flush.
    #[inline]
    pub(super) fn has_output(&mut self) -> bool {
        self.needs_flush || self.core.connection.output().has_remaining()
    }

    /// Writes all that is queued, in as few writes as the transport allows.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        if self.core.write_error().is_some() {
            return Poll::Ready(Err(Lost));
        }
        let Some(io) = &mut self.io else {
            return Poll::Ready(self.ended());
        };
        loop {
            let output = self.core.connection.output();
            if !output.has_remaining() {
                break;
            }
            let Poll::Ready(written) = poll_write_once(io, cx, output) else {
                self.core.connection.handle_write_pending(now);
                return Poll::Pending;
            };
            match written {
                Ok(0) => return Poll::Ready(self.fail_write(io::ErrorKind::WriteZero.into())),
                Ok(_) => {
                    self.needs_flush = true;
                    if self.core.connection.is_open() {
                        self.core.connection.handle_written(now);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Err(error) => return Poll::Ready(self.fail_write(error)),
            }
        }
        if self.needs_flush {
            match ready!(Pin::new(io).poll_flush(cx)) {
                Ok(()) => {
                    self.needs_flush = false;
                    // A peer that this end has closed has its time from when all has left the
                    // transport's own buffer, such as that of TLS.
                    if !self.core.connection.is_open() {
                        self.core.connection.handle_written(now);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Err(error) => {
                    self.needs_flush = false;
                    return Poll::Ready(self.fail_write(error));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn fail_write(&mut self, error: io::Error) -> Result<(), Lost> {
        self.core
            .connection
            .handle_write_error(&error.to_string(), now());
        let rare = self.core.rare.get_or_insert_default();
        rare.write_error = Some(Arc::new(error));
        // The other half has a new deadline to wait for.
        self.wakers.wake();
        Err(Lost)
    }

    /// What an ended connection says to one who wants to write what is queued.
    fn ended(&self) -> Result<(), Lost> {
        match self.core.connection.is_output_lost() {
            true => Err(Lost),
            false => Ok(()),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) {
        let Some(io) = &mut self.io else {
            return;
        };
        // A transport that cannot be shut down is shut already.
        if Pin::new(io).poll_shutdown(cx).is_ready() {
            self.core.connection.handle_shutdown();
        }
    }

    /// Tells the connection the time when it wants to know it; ready if that may have changed
    /// something.
    ///
    /// Deadlines mostly move back, with every message that comes: the timer is left as it is until
    /// it fires, and set anew then. Nor is it polled again for the task that it wakes already.
    pub(super) fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.core.connection.poll_timeout() else {
            return Poll::Pending;
        };
        match &mut self.core.timer {
            Some(timer) => {
                let deadline = deadline.into();
                if timer.is_elapsed() || deadline < timer.deadline() {
                    timer.as_mut().reset(deadline);
                } else if self.wakers.is_sole(cx) {
                    return Poll::Pending;
                }
            }
            timer => *timer = Some(timer_at(deadline)),
        }
        if let Some(timer) = &mut self.core.timer {
            ready!(timer::poll_timer(timer, cx));
        }
        let now = now();
        if self.core.connection.is_peer_given_up(now) && self.has_life(cx) {
            self.core.connection.handle_unread(now);
        }
        self.core.connection.handle_timeout(now);
        Poll::Ready(())
    }

    /// Has the next timer be one of the runtime that polls then; that of the one before may have ended.
    pub(crate) fn forget_timer(&mut self) {
        self.core.timer = None;
    }

    /// Frees the transport and everything else that an ended connection has no use for, and wakes
    /// the other half, which may wait for the end. An end that is only seen again wakes nobody.
    pub(super) fn release(&mut self) {
        if self.io.take().is_some() {
            #[cfg(feature = "server")]
            self.count_end();
            self.wakers.wake();
        }
        self.core.timer = None;
        buffers::give_back(self.core.input.take());
    }
}

/// What a driver needs of it.
impl<T: AsyncRead + AsyncWrite + Unpin + 'static> Socket for WebSocket<T> {
    fn subprotocol(&self) -> Option<Box<str>> {
        WebSocket::subprotocol(self).map(Into::into)
    }

    fn take_response(&mut self) -> Option<Box<Response<()>>> {
        // A request would not be seen again.
        match self.core.opening.as_mut()?.head.take()? {
            Head::Response(response) => Some(response),
            _ => None,
        }
    }

    fn send_capacity(&self) -> usize {
        let size_max = self.core.connection.limits().write_buffer_limit();
        size_max
            .saturating_add(1)
            .saturating_sub(self.core.connection.buffered())
    }

    #[inline(always)]
    fn start_send(&mut self, message: Message, compression: Compression) -> Result<(), Lost> {
        let sent = self.core.connection.send_with(message, compression);
        sent.map_err(|_| Lost)
    }

    fn start_send_prepared(&mut self, prepared: &Prepared) -> Result<(), Lost> {
        self.core.connection.send(prepared).map_err(|_| Lost)
    }

    fn start_ping(&mut self, payload: Bytes) {
        // If the peer has closed, the end will be reported.
        let _ = self.core.connection.ping(payload);
    }

    fn ask_peer(&mut self, within: Duration) {
        self.core.connection.ask_peer(within, now());
    }

    fn is_in_message(&self) -> bool {
        let connection = &self.core.connection;
        connection.keepalive().is_some() && connection.is_in_message()
    }

    fn start_close(&mut self, frame: Option<CloseFrame>) {
        // A handler that was dropped, since its connection is cut, has nothing to say of the end.
        #[cfg(feature = "server")]
        let frame = frame.or_else(|| self.ordered_frame());
        self.core.connection.close(frame, now());
    }

    #[cfg(feature = "server")]
    fn start_half_close(&mut self, frame: CloseFrame) {
        self.core.connection.half_close(Some(frame), now());
    }

    fn start_close_timeout(&mut self) {
        self.core.connection.start_close_timeout(now());
    }

    fn continue_close_timeout(&mut self, timer: Timer) {
        let deadline = timer.deadline().into_std();
        self.core.connection.set_close_deadline(deadline);
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        self.poll_flush_output(cx)
    }

    fn can_send(&self) -> bool {
        self.core.connection.is_open() && !self.is_refusing()
    }

    fn peer_close(&self) -> Option<PeerClose> {
        match self.core.connection.received_close() {
            Some((code, reason)) => Some((code, reason.into())),
            None => self
                .is_refusing()
                .then(|| (CloseCode::ABNORMAL, Box::default())),
        }
    }

    fn send_progress(&self) -> SendProgress {
        let buffered = self.core.connection.buffered();
        // The last message is not written while its end may stand in a buffer of the transport's own.
        let is_kept = self.needs_flush && buffered == 0;
        SendProgress {
            end: self.core.connection.bytes_queued(),
            written: self.core.connection.bytes_written() - u64::from(is_kept),
            buffered,
        }
    }

    fn can_hold_back(&self) -> bool {
        self.core.connection.is_receiving()
    }

    #[inline(always)]
    fn next_received(&mut self) -> Option<Message> {
        self.core.connection.set_delivery(Delivery::Whole);
        self.next_message()
    }

    // Where a connection is pumped; what is read away of one that was given up is a second place.
    #[inline(always)]
    fn poll_received(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, CloseInfo>> {
        self.core.connection.set_delivery(Delivery::Whole);
        loop {
            match self.poll_incoming(cx, Half::Receiver) {
                Poll::Ready(Some(Incoming::Message(message))) => {
                    return Poll::Ready(Ok(Received::Message(message)));
                }
                Poll::Ready(Some(Incoming::Pong(payload))) => {
                    return Poll::Ready(Ok(Received::Pong(payload)));
                }
                Poll::Ready(Some(_)) => {}
                Poll::Ready(None) => return Poll::Ready(Err(self.end())),
                Poll::Pending if self.core.connection.is_open() || self.has_output() => {
                    return self.poll_close_order();
                }
                Poll::Pending => match self.core.connection.final_close_info() {
                    Some(info) => return Poll::Ready(Err(info)),
                    None => return Poll::Pending,
                },
            }
        }
    }

    fn poll_released(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_closed(cx).map(drop)
    }

    fn poll_ahead(
        &mut self,
        cx: &mut Context<'_>,
        backlog: Backlog,
    ) -> Poll<Result<Received, CloseInfo>> {
        match self.poll_read_ahead(cx, backlog) {
            Poll::Pending => self.poll_close_order(),
            received => received,
        }
    }

    fn latency(&self) -> Option<Duration> {
        self.core.connection.latency()
    }
}

/// Writes once, and advances `output` by what was taken.
fn poll_write_once<T: AsyncWrite + Unpin>(
    io: &mut T,
    cx: &mut Context<'_>,
    output: &mut Output,
) -> Poll<io::Result<usize>> {
    let chunk = output.chunk();
    if chunk.len() < output.remaining() {
        return pin!(io.write_buf(output)).poll(cx);
    }
    let size = ready!(Pin::new(io).poll_write(cx, chunk))?;
    output.advance(size);
    Poll::Ready(Ok(size))
}

//! Reading ahead of a channel's full queue, within a bound, so that the end of the connection behind
//! unread messages is found.

use std::task::{Context, Poll, ready};

use talkback_proto::{CloseInfo, Delivery, Incoming};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::socket::{Backlog, Received, Socket as _};
use crate::timer::now;
use crate::websocket::unread::{READ_AHEAD, Unread};
use crate::websocket::wakers::Half;
use crate::websocket::{Rare, WebSocket, buffers, peer_end};

/// How many bytes are taken at once where messages may be compressed: out of so few come 66 KB at most.
const STEP_SIZE: usize = 64;

const LEFT_UNREAD: &str = "the peer ended the connection, and messages were left unread";

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> WebSocket<T> {
    /// Whether nothing can be sent any more, as the peer has ended the connection.
    #[inline]
    pub(super) fn is_refusing(&self) -> bool {
        let unread = self.core.unread();
        unread.is_some_and(Unread::is_refusing)
    }

    /// The next thing that came, or the end, as far as a full queue is read ahead of.
    pub(super) fn poll_read_ahead(
        &mut self,
        cx: &mut Context<'_>,
        backlog: Backlog,
    ) -> Poll<Result<Received, CloseInfo>> {
        self.core.connection.set_delivery(Delivery::Whole);
        loop {
            if !self.core.connection.is_receiving() {
                return self.poll_received(cx);
            }
            if self.is_held_back(backlog) {
                ready!(self.poll_held_back(cx, backlog));
                continue;
            }
            if let Some(Rare {
                unread: Some(unread),
                ..
            }) = self.core.rare.as_deref_mut()
            {
                unread.note_reading();
            }
            match self.next_step() {
                Some(Incoming::Message(message)) => {
                    return Poll::Ready(Ok(Received::Message(message)));
                }
                Some(Incoming::Pong(payload)) => return Poll::Ready(Ok(Received::Pong(payload))),
                Some(_) => {}
                None if self.is_held_back(backlog) || !self.core.connection.is_receiving() => {}
                // What it brings is taken next.
                None => _ = ready!(self.poll_transport(cx, Half::Receiver)),
            }
        }
    }

    /// Whether nothing more is read for now. The message in progress counts with what is known of it,
    /// so that a large one is not gathered.
    fn is_held_back(&self, backlog: Backlog) -> bool {
        let read_ahead = self.core.unread();
        let read_ahead = read_ahead.map_or(READ_AHEAD, Unread::read_ahead);
        let unfinished = self.core.connection.unfinished_size();
        (backlog.ahead as u64).saturating_add(unfinished) >= read_ahead as u64
    }

    /// The next thing out of what was read, as far as one step leads.
    fn next_step(&mut self) -> Option<Incoming> {
        let input = self.core.input.bytes();
        if !self.core.connection.has_deflate() || input.len() <= STEP_SIZE {
            return self.next_buffered();
        }
        let rest = input.split_off(STEP_SIZE);
        let incoming = self.core.connection.receive(input, now);
        input.unsplit(rest);
        incoming
    }

    /// Reads nothing. Ready once that has changed: the peer is known to have ended the connection, or
    /// it is over.
    #[cold]
    fn poll_held_back(&mut self, cx: &mut Context<'_>, backlog: Backlog) -> Poll<()> {
        // The peer cannot be asked for a sign of life.
        self.core.connection.pause_keepalive();
        if self.has_output() {
            // What was read ahead may have been a ping. If it cannot be written, the end tells.
            let _ = self.poll_flush_output(cx);
        }
        buffers::park(self.core.input.bytes());
        if self.poll_timer(cx).is_ready() || self.obeys(Half::Receiver, cx) {
            return Poll::Ready(());
        }
        let io = &mut self.io;
        let core = &mut *self.core;
        let rare = core.rare.get_or_insert_default();
        let unread = rare.unread.get_or_insert_with(|| {
            if let (Some(io), Some(keepalive)) = (io.as_ref(), core.connection.keepalive()) {
                peer_end::probe(io, keepalive);
            }
            Unread::new()
        });
        if unread.is_looking() {
            return unread.poll_look(cx, |cx| {
                io.as_mut().is_some_and(|io| peer_end::is_seen(io, cx))
            });
        }
        let close_timeout = core.connection.limits().time_to_close();
        ready!(unread.poll_refusing(cx, backlog.messages, close_timeout));
        core.connection.handle_end(LEFT_UNREAD);
        Poll::Ready(())
    }
}

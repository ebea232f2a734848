//! A socket that is served among others, and is told from outside when to end.

use std::task::{Context, Poll, Waker};

use talkback_proto::CloseInfo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::socket::Received;
use crate::websocket::WebSocket;
use crate::websocket::wakers::Half;

impl<T> WebSocket<T> {
    /// Notes the task that polls this half, as [`Wakers::lend`](super::wakers::Wakers) does, for whoever has an order, too.
    #[inline]
    pub(super) fn lend(&mut self, half: Half, cx: &Context<'_>) -> Option<Waker> {
        if self.wakers.is_sole(cx) {
            return None;
        }
        self.lend_shared(half, cx)
    }

    #[inline(never)]
    fn lend_shared(&mut self, half: Half, cx: &Context<'_>) -> Option<Waker> {
        #[cfg(feature = "server")]
        let was_shared = self.wakers.is_shared();
        let lent = self.wakers.lend(half, cx);
        #[cfg(feature = "server")]
        if !was_shared {
            self.register();
        }
        lent
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> WebSocket<T> {
    /// Nothing has come; perhaps somebody wants a channel's connection closed.
    #[inline]
    pub(super) fn poll_close_order(&mut self) -> Poll<Result<Received, CloseInfo>> {
        #[cfg(feature = "server")]
        if let Some(frame) = self.close_order() {
            return Poll::Ready(Ok(Received::Close(frame)));
        }
        Poll::Pending
    }
}

#[cfg(not(feature = "server"))]
impl<T> WebSocket<T> {
    /// Nobody has orders.
    #[inline(always)]
    pub(super) fn obeys(&mut self, _: Half, _: &mut Context<'_>) -> bool {
        false
    }
}

#[cfg(feature = "server")]
mod orders {
    use std::future::poll_fn;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use talkback_proto::{CloseCause, CloseCode, CloseFrame, Initiator};
    use tokio::io::{AsyncRead, AsyncWrite};

    use crate::channel::sync::Arc;
    use crate::panicking;
    use crate::server::orders::Order;
    use crate::server::registry::{Held, Node, Outcome};
    use crate::timer::{now, poll_once};
    use crate::websocket::WebSocket;
    use crate::websocket::wakers::Half;

    const CUT: &str = "the server has cut the connection";

    impl<T> WebSocket<T> {
        /// Gives it a place among the served connections, which is given back when it is dropped.
        pub(crate) fn with_place(mut self, held: Held) -> Self {
            self.core.place = Some(held);
            self.forget_peer();
            self.register();
            self
        }

        /// What others see of it, if it has a place.
        pub(crate) fn node(&self) -> Option<&Arc<Node>> {
            self.core.place.as_ref().map(Held::node)
        }

        /// Leaves it to the channel over it to close.
        pub(crate) fn set_pumped(&mut self) {
            self.is_pumped = true;
        }

        /// Leaves whom an order is to wake.
        pub(super) fn register(&self) {
            if let (Some(place), Some(waker)) = (&self.core.place, self.wakers.waker()) {
                place.node().orders().register(waker);
            }
        }

        /// Tells how it has ended, or that it is dropped.
        pub(in crate::websocket) fn count_end(&self) {
            let Some(place) = &self.core.place else {
                return;
            };
            let connection = &self.core.connection;
            let outcome = match connection.close_info() {
                Some(info) if info.initiator == Initiator::Remote => Outcome::ByPeer,
                Some(info) => match info.cause {
                    CloseCause::CloseTimeout | CloseCause::KeepaliveTimeout => Outcome::Cut,
                    _ => Outcome::Closed,
                },
                // Its handler does not wait for the peer's close frame.
                None if !connection.is_open() && connection.buffered() == 0 => Outcome::Closed,
                None => Outcome::Cut,
            };
            let code = connection.close_info().map(|info| info.code);
            place
                .node()
                .count(outcome, code.unwrap_or(CloseCode::ABNORMAL));
        }
    }

    impl<T: AsyncRead + AsyncWrite + Unpin> WebSocket<T> {
        /// The close frame that a channel over it is to send behind what it has queued: for where a poll of its pump is
        /// about to wait.
        #[inline]
        pub(in crate::websocket) fn close_order(&mut self) -> Option<Box<CloseFrame>> {
            let orders = self.core.place.as_ref()?.node().orders();
            if !orders.are_waiting() || !self.core.connection.is_open() {
                return None;
            }
            self.take_close_order()
        }

        #[cold]
        fn take_close_order(&mut self) -> Option<Box<CloseFrame>> {
            let orders = self.core.place.as_ref()?.node().orders();
            let is_close = |order: &Order| matches!(order, Order::Close(_));
            match orders.take_if(self.wakers.waker(), is_close)? {
                Order::Close(frame) => Some(Box::new((*frame).clone())),
                Order::Cut(_) => None,
            }
        }

        /// The close frame that it has been ordered to send, for where it closes without a word of its own.
        pub(in crate::websocket) fn ordered_frame(&self) -> Option<CloseFrame> {
            let orders = self.core.place.as_ref()?.node().orders();
            orders.frame().map(|frame| (*frame).clone())
        }

        /// Whether it is dropped while it was ordered to close, and neither cut nor dropped by a panic.
        pub(crate) fn is_closing_by_order(&self) -> bool {
            let is_ordered = || self.node().is_some_and(|node| node.orders().is_to_close());
            self.io.is_some() && is_ordered() && !panicking::is_panicking()
        }

        /// Closes as it was ordered to, for a handler that is gone: nobody has what still comes.
        pub(crate) async fn close_by_order(&mut self) {
            self.forget_timer();
            let frame = self.ordered_frame();
            self.core.connection.close(frame, now());
            poll_fn(|cx| self.poll_closed(cx)).await;
        }

        /// It is dropped with its connection: what is queued is written, as far as the transport takes it at once, and
        /// behind it a close frame where something panics, or where it was ordered to end. Without that nobody knows whether
        /// its handler has returned or was given up.
        pub(crate) fn leave(&mut self) {
            let is_open = self.io.is_some() && self.core.connection.is_open();
            let frame = || panicking::close_frame().or_else(|| self.ordered_frame());
            let frame = is_open.then(frame).flatten();
            if frame.is_some() || self.has_output() {
                // It may be the transport that has panicked; a second panic would end the program.
                let _ = catch_unwind(AssertUnwindSafe(|| self.write_last(frame)));
            }
        }

        fn write_last(&mut self, frame: Option<CloseFrame>) {
            let code = frame.as_ref().map(CloseFrame::code);
            if frame.is_some() {
                self.core.connection.close(frame, now());
            }
            let written = poll_once(|cx| {
                let written = self.poll_write(cx);
                if code.is_some()
                    && let Some(io) = &mut self.io
                {
                    let _ = Pin::new(io).poll_shutdown(cx);
                }
                written
            });
            if let (Some(code), Some(place)) = (code, &self.core.place) {
                // Who was ordered to close, and did not, is cut, whatever its peer was told.
                let is_written = matches!(written, Poll::Ready(Ok(())));
                let is_closed = panicking::is_panicking() && is_written;
                let (outcome, code) = match is_closed {
                    true => (Outcome::Closed, code),
                    false => (Outcome::Cut, CloseCode::ABNORMAL),
                };
                place.node().count(outcome, code);
            }
        }

        /// Whether there was an order, which has begun to be carried out: for where a poll is about to wait, or where a
        /// handler that may only send has done so.
        #[inline]
        pub(in crate::websocket) fn obeys(&mut self, half: Half, cx: &mut Context<'_>) -> bool {
            match &self.core.place {
                Some(place) if place.node().orders().are_waiting() => self.obey(half, cx),
                _ => false,
            }
        }

        #[cold]
        fn obey(&mut self, half: Half, cx: &mut Context<'_>) -> bool {
            let Some(place) = &self.core.place else {
                return false;
            };
            let orders = place.node().orders();
            let may_close =
                !self.is_pumped && (half == Half::Receiver || !orders.is_after_notice());
            let is_mine = |order: &Order| may_close || matches!(order, Order::Cut(_));
            let Some(order) = orders.take_if(self.wakers.waker(), is_mine) else {
                return false;
            };
            let connection = &mut self.core.connection;
            match order {
                Order::Close(frame) => {
                    if connection.is_open() {
                        connection.half_close(Some((*frame).clone()), now());
                    }
                }
                Order::Cut(frame) => {
                    if connection.is_open()
                        && let Some(frame) = frame
                    {
                        connection.close(Some((*frame).clone()), now());
                    }
                    // As far as the transport takes it at once.
                    let _ = self.poll_write(cx);
                    if let Some(io) = &mut self.io {
                        let _ = Pin::new(io).poll_shutdown(cx);
                    }
                    if let Some(place) = &self.core.place {
                        place.node().count(Outcome::Cut, CloseCode::ABNORMAL);
                    }
                    self.core.connection.handle_end(CUT);
                    self.release();
                }
            }
            true
        }
    }
}

//! A socket that is served among others, and is told from outside when to end.

use std::task::{Context, Waker};

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

#[cfg(not(feature = "server"))]
impl<T> WebSocket<T> {
    /// Nobody has orders.
    #[inline(always)]
    pub(super) fn obeys(&mut self, _: &mut Context<'_>) -> bool {
        false
    }
}

#[cfg(feature = "server")]
mod orders {
    use std::pin::Pin;
    use std::task::Context;

    use talkback_proto::{CloseCause, Initiator};
    use tokio::io::{AsyncRead, AsyncWrite};

    use crate::channel::sync::Arc;
    use crate::server::orders::Order;
    use crate::server::registry::{Held, Node, Outcome};
    use crate::timer::now;
    use crate::websocket::WebSocket;

    const CUT: &str = "the server has cut the connection";

    impl<T> WebSocket<T> {
        /// Gives it a place among the served connections, which is given back when it is dropped.
        pub(crate) fn with_place(mut self, held: Held) -> Self {
            self.core.place = Some(held);
            self.register();
            self
        }

        /// What others see of it, if it has a place.
        pub(crate) fn node(&self) -> Option<&Arc<Node>> {
            self.core.place.as_ref().map(Held::node)
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
            place.node().count(outcome);
        }
    }

    impl<T: AsyncRead + AsyncWrite + Unpin> WebSocket<T> {
        /// Whether there was an order, which has begun to be carried out: for where a poll is about to wait.
        #[inline]
        pub(in crate::websocket) fn obeys(&mut self, cx: &mut Context<'_>) -> bool {
            match &self.core.place {
                Some(place) if place.node().orders().are_waiting() => self.obey(cx),
                _ => false,
            }
        }

        #[cold]
        fn obey(&mut self, cx: &mut Context<'_>) -> bool {
            let place = self.core.place.as_ref();
            let Some(order) = place.and_then(|place| place.node().orders().take()) else {
                return false;
            };
            self.register();
            let connection = &mut self.core.connection;
            match order {
                Order::Close(frame) => {
                    if connection.is_open() {
                        connection.close(Some((*frame).clone()), now());
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
                        place.node().count(Outcome::Cut);
                    }
                    self.core.connection.handle_end(CUT);
                    self.release();
                }
            }
            true
        }
    }
}

//! Serving a connection: what its peer sends comes out, and its topics go in.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use talkback::{CloseCode, Error, SendError, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use crate::server::event::TopicEvent;
use crate::server::mailbox::News;
use crate::server::slow::Slow;
use crate::server::subscriber::{Staleness, Subscriber};
use crate::server::subscription::{BATCH_MAX, Batch, Read, Subscription, Told};

/// A socket is fed what fits in so many bytes, or one publication that is larger.
const BUFFERED_MAX: usize = 16 * 1024;
/// The most that a server's frame has beside its payload (RFC 6455 §5.2).
const HEADER_SIZE_MAX: usize = 10;
/// How often a connection is fed, and takes it all, before others have their turn.
const ROUNDS_MAX: usize = 16;

const TOO_SLOW: &str = "too slow";

/// What came of feeding.
enum Fed {
    /// There is no more.
    All,
    /// The socket has enough.
    Enough,
    /// It closes.
    Closing,
    Told(TopicEvent),
    TooSlow,
}

impl Subscriber {
    /// Serves a connection until there is something to tell: feeds it what is published, as far as it takes it, and receives what its
    /// peer sends.
    ///
    /// What the caller has fed before goes first. At most 16 KiB wait in the socket, or one publication that is larger: what else there is
    /// waits in the topics, until this subscriber is [too far behind](Slow). Pings are answered before further publications.
    ///
    /// # Errors
    /// As [`WebSocket::recv`]: the connection ended otherwise than in order.
    ///
    /// # Cancel safety
    /// A dropped call loses nothing, and nothing comes twice.
    ///
    /// # Panics
    /// In a tokio runtime without time, or outside of one, once the peer takes nothing.
    pub fn pump<T: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut WebSocket<T>,
    ) -> impl Future<Output = Result<TopicEvent, Error>> {
        poll_fn(|cx| self.poll_pump(socket, cx))
    }

    fn poll_pump<T: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut WebSocket<T>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<TopicEvent, Error>> {
        if self.is_blocked
            && self.too_slow().is_none()
            && let Poll::Ready(event) = poll_recv(socket, cx)
        {
            return Poll::Ready(event);
        }
        for _ in 0..ROUNDS_MAX {
            if self.too_slow().is_some() {
                return poll_close(socket, cx);
            }
            let fed = self.feed(socket, cx);
            match fed {
                Fed::All | Fed::Enough | Fed::Closing => {}
                Fed::Told(event) => return Poll::Ready(Ok(event)),
                Fed::TooSlow => continue,
            }
            // It writes all that was fed, at once, and then reads.
            if let Poll::Ready(event) = poll_recv(socket, cx) {
                return Poll::Ready(event);
            }
            self.is_blocked = socket.buffered_amount() > 0;
            let is_fed_later = self.is_blocked && self.slow == Slow::Latest;
            if is_fed_later || matches!(fed, Fed::Closing) {
                // The socket wakes it.
                return Poll::Pending;
            }
            self.mailbox.rest(cx.waker());
            if !self.mailbox.has_news() {
                return Poll::Pending;
            }
            if self.is_blocked && !self.is_too_slow_while_blocked(cx) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Feeds the socket from its topics, until it has enough.
    fn feed<T: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut WebSocket<T>,
        cx: &mut Context<'_>,
    ) -> Fed {
        let news = self.mailbox.take_news();
        if news == News::NONE {
            return Fed::All;
        }
        let fed = self.feed_of(news, socket, cx);
        if !matches!(fed, Fed::All) {
            // There may be more.
            self.mailbox.post(news);
        }
        fed
    }

    /// Feeds the socket from the topics with news, in turn.
    fn feed_of<T: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        news: News,
        socket: &mut WebSocket<T>,
        cx: &mut Context<'_>,
    ) -> Fed {
        let now = Instant::now();
        let mut idle = 0;
        while idle < self.subscriptions.len() {
            let index = self.take_turn();
            if !self.subscriptions[index].has_news(news) {
                idle += 1;
                continue;
            }
            idle = 0;
            let room = match socket.buffered_amount() {
                0 => usize::MAX,
                buffered => BUFFERED_MAX.saturating_sub(buffered + HEADER_SIZE_MAX),
            };
            let mut batch = Batch::new();
            match self.read(index, now, BATCH_MAX, room, &mut batch) {
                Read::Skipped(_) | Read::Missed(_) if room > 0 => {}
                Read::Skipped(_) | Read::Missed(_) | Read::NoRoom => {
                    // Others that are smaller do not come before it for ever.
                    self.turn_to(index);
                    return Fed::Enough;
                }
                Read::TooFar => return Fed::TooSlow,
            }
            if let Some(told) = self.subscriptions[index].take_told() {
                self.drop_those_over();
                return Fed::Told(match told {
                    Told::Gap(gap) => TopicEvent::Gap(gap),
                    Told::Reset(reset) => TopicEvent::Reset(reset),
                });
            }
            let before = self.delivered();
            self.hold_news(news);
            match self.feed_batch(index, &mut batch, now, socket, cx) {
                Poll::Ready(Ok(())) => self.drop_those_over(),
                Poll::Ready(Err(_)) => return Fed::Closing,
                Poll::Pending => {
                    if self.delivered() == before {
                        self.turn_to(index);
                    }
                    return Fed::Enough;
                }
            }
        }
        match self.take_staleness(news) {
            Some(Staleness::Stale) => Fed::Told(TopicEvent::Stale),
            Some(Staleness::Live) => Fed::Told(TopicEvent::Live),
            None => Fed::All,
        }
    }

    /// It waits if the socket has enough.
    fn feed_batch<T: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        index: usize,
        batch: &mut Batch,
        now: Instant,
        socket: &mut WebSocket<T>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        for entry in batch.take() {
            if !self.is_own(entry.except) {
                let fed = entry.with(self.form.as_ref(), |prepared| {
                    let buffered = socket.buffered_amount();
                    let size = HEADER_SIZE_MAX + prepared.message().len();
                    if buffered > 0 && buffered + size > BUFFERED_MAX {
                        return Poll::Pending;
                    }
                    let feeding = socket.feed_with(prepared, entry.compression);
                    pin!(feeding).poll(cx)
                });
                ready!(fed)?;
                self.count(now.saturating_duration_since(entry.at));
            }
            self.subscriptions[index].advance();
        }
        Poll::Ready(Ok(()))
    }

    /// Whether it has become too far behind: by what is kept, or by time, for which it is woken.
    fn is_too_slow_while_blocked(&mut self, cx: &mut Context<'_>) -> bool {
        let mut is_due =
            self.slow == Slow::Close && self.subscriptions.iter().any(Subscription::has_lost);
        loop {
            if is_due && !self.look_for_lag() {
                return true;
            }
            let Some(timer) = self.timer() else {
                let lag_max = self.allowed_lag();
                let deadlines = self.subscriptions.iter();
                let deadlines = deadlines.filter_map(|it| it.deadline(lag_max));
                let Some(deadline) = deadlines.min() else {
                    return false;
                };
                *self.timer() = Some(Box::pin(sleep_until(deadline)));
                continue;
            };
            if timer.as_mut().poll(cx).is_pending() {
                return false;
            }
            *self.timer() = None;
            is_due = true;
        }
    }

    /// Looks at each topic without reading; `false` if it was too slow, and has ended.
    fn look_for_lag(&mut self) -> bool {
        let now = Instant::now();
        let mut indices = 0..self.subscriptions.len();
        indices.all(|index| {
            let read = self.read(index, now, 0, usize::MAX, &mut Batch::new());
            read != Read::TooFar
        })
    }
}

/// What the peer has sent. All that is queued is written before it waits.
fn poll_recv<T: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocket<T>,
    cx: &mut Context<'_>,
) -> Poll<Result<TopicEvent, Error>> {
    let received = ready!(pin!(socket.recv()).poll(cx));
    Poll::Ready(received.map(|message| match message {
        Some(message) => TopicEvent::Message(message),
        None => TopicEvent::Closed(socket.close_info().expect("it has ended").clone()),
    }))
}

fn poll_close<T: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocket<T>,
    cx: &mut Context<'_>,
) -> Poll<Result<TopicEvent, Error>> {
    let closing = socket.close_with(CloseCode::TRY_AGAIN_LATER, TOO_SLOW);
    let info = ready!(pin!(closing).poll(cx)).expect("it may be sent");
    Poll::Ready(Ok(TopicEvent::Closed(info)))
}

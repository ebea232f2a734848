//! The task behind a channel's handles, on every platform: it opens a connection and passes messages
//! both ways until its end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use talkback_proto::CloseInfo;

use crate::channel::outbox::Outgoing;
use crate::driver::port::{Port, Takes, Unopened, Wanted};
use crate::error::Error;
use crate::socket::{Lost, Received, Socket};
#[cfg(not(browser))]
use crate::timer;
use crate::timer::{Timer, timer};

/// The poll budget: how many messages are passed on before other tasks may run.
const POLL_BUDGET: usize = 128;

/// Opens a connection and pumps it until its end.
///
/// While it opens, messages are queued. If the channel is closed meanwhile with nothing queued, it
/// gives up at once; with messages queued it goes on for the close timeout.
pub(crate) async fn drive<S, F>(opening: F, port: Port, close_timeout: Duration)
where
    S: Socket,
    F: Future<Output = Result<S, Error>>,
{
    // Made when the channel is closed before it is open.
    let mut close_timer = None;
    let opened = {
        let mut opening = pin!(opening);
        poll_fn(|cx| {
            if let Poll::Ready(opened) = opening.as_mut().poll(cx) {
                return Poll::Ready(Some(opened));
            }
            poll_given_up(&port, close_timeout, &mut close_timer, cx).map(|()| None)
        })
        .await
    };
    match opened {
        None => port.not_opened(None),
        Some(Err(error)) => port.not_opened(Some(error)),
        Some(Ok(mut socket)) => {
            if let Some(timer) = close_timer {
                socket.continue_close_timeout(timer);
            }
            let response = socket.take_response();
            port.opened(socket.subprotocol(), response);
            pump(socket, port).await;
        }
    }
}

/// Pumps a connection of which the channel knows that it is open, until its end.
///
/// The channel ends as soon as it is certain how. What is left to be done, as when a client waits for the
/// server to end TCP (RFC 6455 §7.1.1), is done without it.
pub(crate) async fn pump<S: Socket>(mut socket: S, port: Port) {
    let mut pump = Pump {
        socket: &mut socket,
        port: &port,
    };
    let info = poll_fn(|cx| pump.poll(cx)).await;
    port.ended(info, socket.send_progress());
    drop(port);
    poll_fn(|cx| socket.poll_released(cx)).await;
}

/// Whether a channel that is not open yet is to be given up.
fn poll_given_up(
    port: &Port,
    close_timeout: Duration,
    close_timer: &mut Option<Timer>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    match port.poll_unopened(cx) {
        Unopened::Wanted => Poll::Pending,
        Unopened::GivenUp => Poll::Ready(()),
        Unopened::Closing => {
            let timer = close_timer.get_or_insert_with(|| timer(close_timeout));
            timer.as_mut().poll(cx)
        }
    }
}

/// An open connection and the channel that it is pumped for.
struct Pump<'a, S> {
    socket: &'a mut S,
    port: &'a Port,
}

impl<S: Socket> Pump<'_, S> {
    /// Passes messages both ways, until the end.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<CloseInfo> {
        for _ in 0..POLL_BUDGET {
            self.hand_over(cx);
            let flushed = self.socket.poll_flush(cx);
            if let Poll::Ready(Err(Lost)) = flushed {
                self.port.lose_in_flight();
            }
            let wanted = self.report();
            let goes_on = flushed.is_ready() && self.socket.can_send() && wanted.send;
            let received = match wanted.backlog {
                // Backpressure: the peer has to wait.
                Some(backlog) if self.socket.can_hold_back() => self.socket.poll_ahead(cx, backlog),
                _ => self.socket.poll_received(cx),
            };
            match received {
                Poll::Ready(Ok(Received::Message(message))) => self.port.deliver(message),
                #[cfg(not(browser))]
                Poll::Ready(Ok(Received::Pong(payload))) => {
                    self.port.answer_ping(&payload, timer::now());
                }
                Poll::Ready(Err(info)) => return Poll::Ready(info),
                Poll::Pending if goes_on => {}
                Poll::Pending => {
                    if let Some(latency) = self.socket.latency() {
                        self.port.set_latency(latency);
                    }
                    // Asking for a message may have written, or found that the peer has closed, or
                    // given it up.
                    self.report();
                    return Poll::Pending;
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Hands to the socket what the channel wants sent, as far as it has capacity.
    fn hand_over(&mut self, cx: &Context<'_>) {
        let wanted = self.port.poll_wanted(cx);
        if wanted.close {
            // What is queued leaves first, but a peer that does not read gets no more time for it.
            self.socket.start_close_timeout();
        }
        // It measures the way there and back, and not the queue.
        #[cfg(not(browser))]
        while wanted.ping
            && self.socket.has_send_capacity()
            && let Some(payload) = self.port.take_ping()
        {
            self.socket.start_ping(payload);
        }
        let mut has_taken = false;
        while wanted.send
            && self.socket.has_send_capacity()
            && let Some(outgoing) = self.port.take()
        {
            has_taken = true;
            match outgoing {
                Outgoing::Message(message, compression) => {
                    // If the peer has closed, the end will be reported.
                    if self.socket.start_send(message, compression).is_err() {
                        self.port.lose_in_flight();
                    }
                }
                Outgoing::Close(frame) => self.socket.start_close(frame),
            }
        }
        if has_taken {
            // Here the messages end: what the socket has to say itself comes behind them.
            self.report();
        }
    }

    /// Tells the channel how far its messages have got.
    fn report(&self) -> Wanted {
        let takes = match self.socket.can_send() {
            true => Takes::Messages,
            false => Takes::Nothing(self.socket.peer_close()),
        };
        self.port.report(self.socket.send_progress(), takes)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::task::Waker;

    use talkback_proto::{CloseCause, CloseCode, CloseFrame, Compression, Initiator, Message};

    use super::*;
    use crate::channel::lifecycle::ChannelState;
    use crate::channel::state::Shared;
    use crate::channel::sync::Arc;
    use crate::error::why::Why;
    use crate::socket::{Backlog, SendProgress};

    /// A socket without backpressure, as a browser's: it gives up a peer whose messages nobody reads.
    #[derive(Default)]
    struct Flooded {
        has_given_up: bool,
        sent: Vec<Message>,
    }

    impl Socket for Flooded {
        fn subprotocol(&self) -> Option<Box<str>> {
            Some("flood".into())
        }

        fn has_send_capacity(&self) -> bool {
            self.sent.is_empty()
        }

        fn start_send(&mut self, message: Message, _: Compression) -> Result<(), Lost> {
            self.sent.push(message);
            Ok(())
        }

        fn start_ping(&mut self, _: bytes::Bytes) {}

        fn start_close(&mut self, _: Option<CloseFrame>) {}

        fn start_close_timeout(&mut self) {}

        fn continue_close_timeout(&mut self, _: Timer) {}

        fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Lost>> {
            Poll::Pending
        }

        fn can_send(&self) -> bool {
            !self.has_given_up
        }

        fn send_progress(&self) -> SendProgress {
            SendProgress {
                end: self.sent.len() as u64,
                written: 0,
                buffered: self.sent.len(),
            }
        }

        fn can_hold_back(&self) -> bool {
            true
        }

        fn poll_received(&mut self, _: &mut Context<'_>) -> Poll<Result<Received, CloseInfo>> {
            Poll::Ready(Ok(Received::Message("more".into())))
        }

        fn poll_ahead(
            &mut self,
            _: &mut Context<'_>,
            _: Backlog,
        ) -> Poll<Result<Received, CloseInfo>> {
            if self.has_given_up {
                let cause = CloseCause::Overflow;
                return Poll::Ready(Err(CloseInfo::abnormal(
                    CloseCode::ABNORMAL,
                    Initiator::Local,
                    cause,
                )));
            }
            self.has_given_up = true;
            Poll::Pending
        }
    }

    #[test]
    fn a_peer_that_is_given_up_closes_the_channel_before_it_ends() {
        let shared = Shared::with_defaults();
        for text in ["taken", "queued"] {
            shared.lock().outbox.push(text.into(), Compression::Auto);
        }
        let port = Port::new(Arc::clone(&shared));
        let opening = std::future::ready(Ok(Flooded::default()));
        let mut driving = pin!(drive(opening, port, Duration::ZERO));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(driving.as_mut().poll(&mut cx).is_pending());
        {
            let state = shared.lock();
            assert_eq!(state.channel_state(), ChannelState::Closing);
            assert_eq!(state.lifecycle.subprotocol(), Some("flood"));
            // What was queued is lost, and does not count as written.
            assert!(!state.outbox.has_messages());
            assert_eq!((state.outbox.queued(), state.outbox.written()), (2, 0));
        }
        assert!(driving.as_mut().poll(&mut cx).is_ready());
        let state = shared.lock();
        assert_eq!(state.channel_state(), ChannelState::Closed);
        assert!(matches!(state.why(), Why::Ended(..)));
        // What was taken is not written either, and whoever waits for the end learns it.
        let outcome = state.outcome().expect("it has ended");
        assert!(outcome.is_err_and(|error| error.to_string().starts_with("2 messages")));
    }

    #[test]
    fn a_driver_that_is_dropped_ends_its_channel() {
        let shared = Shared::with_defaults();
        let port = Port::new(Arc::clone(&shared));
        drop(drive::<Flooded, _>(
            std::future::pending(),
            port,
            Duration::ZERO,
        ));
        let state = shared.lock();
        let info = state.lifecycle.close_info().expect("it has ended");
        assert_eq!(
            (info.code, info.initiator),
            (CloseCode::ABNORMAL, Initiator::Local)
        );
        assert!(matches!(state.why(), Why::Ended(..)));
    }
}

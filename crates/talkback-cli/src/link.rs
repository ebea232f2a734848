//! The connection of a session: one, or one after another.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_sink::Sink as _;
use talkback::bytes::Bytes;
use talkback::{
    ChannelEvent, ChannelState, CloseCode, CloseInfo, Error, Lost, Message, Opened, Receiver,
    Sender, Transport, WebSocket, WebSocketChannel,
};
use talkback_terminal::exchange::Duplex;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

/// What comes from the server, and what becomes of the connection.
#[derive(Debug)]
pub(crate) enum Incoming {
    Message(Message),
    Ping(Bytes),
    /// How long it took to come, if it was asked for, and by whom.
    Pong(Option<(Duration, Asked)>),
    /// The connection was lost, and another is tried for.
    Lost(Lost),
    Opened(Opened),
}

/// What a ping was sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Its time had come.
    InTurn,
    /// A person asked for it.
    ByPerson,
}

/// A connection, or one that another follows.
pub(crate) enum Link {
    Once(Box<Once>),
    Staying(Staying),
}

/// A connection that no other follows.
#[derive(Debug)]
pub(crate) struct Once {
    socket: WebSocket<Transport>,
    /// How many pings were sent.
    pings: u64,
    /// What the latest ping of each kind carried, and when it was sent.
    asked: [(u64, Instant); 2],
    /// Whether it had not ended before it was closed.
    is_closed_here: bool,
}

impl Once {
    fn note_close(&mut self) {
        self.is_closed_here |= self.socket.close_info().is_none();
    }
}

/// A channel that stays connected.
pub(crate) struct Staying {
    sender: Sender,
    /// What comes next. It is kept while something else is waited for, as the channel forgets who has gone; none
    /// once nobody wants more.
    next: Option<Next>,
    /// How long pings took to be answered, and where that is told.
    pongs: mpsc::Receiver<(Duration, Asked)>,
    ponged: mpsc::Sender<(Duration, Asked)>,
}

/// With the receiver that waits for it; none at the end.
type Next = Pin<Box<dyn Future<Output = (Receiver, Option<ChannelEvent>)> + Send>>;

fn next(mut receiver: Receiver) -> Next {
    Box::pin(async move {
        loop {
            // How it ended is asked for elsewhere.
            let event = receiver.recv_event().await.ok().flatten();
            let is_lost = matches!(event, Some(ChannelEvent::Lost(_)));
            if !is_lost || is_retried(&receiver).await {
                return (receiver, event);
            }
        }
    })
}

impl Staying {
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        if let Poll::Ready(Some(pong)) = self.pongs.poll_recv(cx) {
            return Poll::Ready(Some(Incoming::Pong(Some(pong))));
        }
        loop {
            let Some(waiting) = &mut self.next else {
                return Poll::Ready(None);
            };
            let (receiver, event) = ready!(waiting.as_mut().poll(cx));
            self.next = Some(next(receiver));
            return Poll::Ready(match event {
                Some(ChannelEvent::Message(message)) => Some(Incoming::Message(message)),
                Some(ChannelEvent::Lost(lost)) => Some(Incoming::Lost(lost)),
                Some(ChannelEvent::Opened(opened)) => Some(Incoming::Opened(opened)),
                Some(_) => continue,
                None => None,
            });
        }
    }
}

impl Link {
    pub(crate) fn once(socket: WebSocket<Transport>) -> Self {
        Self::Once(Box::new(Once {
            socket,
            pings: 0,
            asked: [(0, Instant::now()); 2],
            is_closed_here: false,
        }))
    }

    /// A channel that stays connected, which is pinged at this interval if at all.
    pub(crate) fn staying(channel: WebSocketChannel, ping_interval: Option<Duration>) -> Self {
        let (sender, receiver) = channel.split();
        let (ponged, pongs) = mpsc::channel(1);
        if let Some(interval) = ping_interval {
            tokio::spawn(ping(sender.clone(), interval, ponged.clone()));
        }
        Self::Staying(Staying {
            sender,
            next: Some(next(receiver)),
            pongs,
            ponged,
        })
    }

    /// Takes a message to be sent, whether there is capacity for it or not.
    pub(crate) fn feed(&mut self, message: Message) {
        // What cannot be sent shows at the next step as the end of the connection.
        let _ = match self {
            Self::Once(once) => Pin::new(&mut once.socket).start_send(message),
            Self::Staying(staying) => Pin::new(&mut staying.sender).start_send(message),
        };
    }

    /// Pings; not while what waits to be written is too much. Returns whether it did. There is to be a connection: a
    /// ping that waits for one takes as long as that does.
    pub(crate) async fn ping(&mut self, asked: Asked) -> bool {
        match self {
            Self::Once(once) => {
                let ready = poll_fn(|cx| Pin::new(&mut once.socket).poll_ready(cx));
                if timeout(Duration::ZERO, ready).await.is_err() {
                    return false;
                }
                once.pings += 1;
                once.asked[asked as usize] = (once.pings, Instant::now());
                let ping = once.socket.ping(once.pings.to_string());
                let _ = timeout(Duration::ZERO, ping).await;
            }
            Self::Staying(staying) => {
                let (sender, ponged) = (staying.sender.clone(), staying.ponged.clone());
                tokio::spawn(async move {
                    // One that is lost with its connection has no pong.
                    if let Ok(latency) = sender.ping(Bytes::new()).await {
                        let _ = ponged.send((latency, asked)).await;
                    }
                });
            }
        }
        true
    }

    /// How many bytes wait to be written, which are none once it has ended.
    pub(crate) fn buffered_amount(&self) -> usize {
        match self {
            Self::Once(once) if once.socket.close_info().is_some() => 0,
            Self::Once(once) => once.socket.buffered_amount(),
            Self::Staying(staying) => staying.sender.buffered_amount(),
        }
    }

    /// How many bytes were never written when it was closed; what a channel left is told by its error.
    pub(crate) fn unsent(&self) -> usize {
        match self {
            Self::Once(once) if once.is_closed_here => once.socket.buffered_amount(),
            Self::Once(_) | Self::Staying(_) => 0,
        }
    }

    /// Whether there is a connection.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Once(once) => once.socket.close_info().is_none(),
            Self::Staying(staying) => staying.sender.state() == ChannelState::Open,
        }
    }

    /// How the connection ended, or the last one, once it has.
    pub(crate) fn close_info(&self) -> Option<CloseInfo> {
        match self {
            Self::Once(once) => once.socket.close_info().cloned(),
            Self::Staying(staying) => staying.sender.close_info(),
        }
    }

    pub(crate) async fn close(&mut self) -> Result<CloseInfo, Error> {
        match self {
            Self::Once(once) => {
                once.note_close();
                Ok(once.socket.close().await)
            }
            Self::Staying(staying) => {
                staying.next = None;
                staying.sender.close().await
            }
        }
    }

    /// Closes with a code that may be sent, and a reason that is not too long.
    pub(crate) async fn close_with(
        &mut self,
        code: CloseCode,
        reason: &str,
    ) -> Result<CloseInfo, Error> {
        match self {
            Self::Once(once) => {
                once.note_close();
                // The first poll queues the close frame.
                let closing = once.socket.close_with(code, reason);
                let _ = timeout(Duration::ZERO, closing).await;
                Ok(once.socket.close().await)
            }
            Self::Staying(staying) => {
                staying.next = None;
                match staying.sender.close_with(code, reason) {
                    Ok(closing) => closing.await,
                    Err(_) => staying.sender.close().await,
                }
            }
        }
    }
}

/// Whether a try follows the loss that was told last.
async fn is_retried(receiver: &Receiver) -> bool {
    loop {
        let link = receiver.link();
        match link.state() {
            ChannelState::Closed => return false,
            // What decides it is woken already, and runs before this does again.
            ChannelState::Retrying if link.next_try_in().is_none() => yield_now().await,
            _ => return true,
        }
    }
}

/// Pings until the channel has ended.
async fn ping(sender: Sender, interval: Duration, ponged: mpsc::Sender<(Duration, Asked)>) {
    loop {
        sleep(interval).await;
        match sender.state() {
            ChannelState::Open => {}
            ChannelState::Closed => return,
            _ => continue,
        }
        // One that was lost with its connection has no pong; after that another comes.
        if let Ok(latency) = sender.ping(Bytes::new()).await
            && ponged.send((latency, Asked::InTurn)).await.is_err()
        {
            return;
        }
    }
}

/// A link with a person at it, whose commands do not wait for a server that takes nothing.
pub(crate) struct Attended<'a> {
    pub(crate) link: &'a mut Link,
    /// Whether there is one.
    pub(crate) is_prompt: bool,
}

impl Duplex for Attended<'_> {
    type Incoming = Incoming;

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        self.link.poll_incoming(cx)
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let ready = self.link.poll_ready(cx);
        match self.is_prompt {
            true => Poll::Ready(()),
            false => ready,
        }
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.is_prompt {
            // Closing writes it.
            true => Poll::Ready(()),
            false => self.link.poll_written(cx),
        }
    }
}

impl Duplex for Link {
    type Incoming = Incoming;

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        let once = match self {
            Self::Once(once) => once,
            Self::Staying(staying) => return staying.poll_incoming(cx),
        };
        let incoming = ready!(pin!(once.socket.recv_incoming()).poll(cx));
        Poll::Ready(match incoming {
            Ok(Some(talkback::Incoming::Message(message))) => Some(Incoming::Message(message)),
            Ok(Some(talkback::Incoming::Ping(payload))) => Some(Incoming::Ping(payload)),
            Ok(Some(talkback::Incoming::Pong(payload))) => {
                let answered = [Asked::InTurn, Asked::ByPerson]
                    .into_iter()
                    .find_map(|asked| {
                        let (number, since) = once.asked[asked as usize];
                        (payload == number.to_string()).then(|| (since.elapsed(), asked))
                    });
                Some(Incoming::Pong(answered))
            }
            Ok(Some(_) | None) | Err(_) => None,
        })
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let ready = match self {
            Self::Once(once) => Pin::new(&mut once.socket).poll_ready(cx),
            Self::Staying(staying) => Pin::new(&mut staying.sender).poll_ready(cx),
        };
        match ready {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let flushed = match self {
            Self::Once(once) => Pin::new(&mut once.socket).poll_flush(cx),
            Self::Staying(staying) => Pin::new(&mut staying.sender).poll_flush(cx),
        };
        flushed.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const OUTAGE: Duration = Duration::from_secs(3);

    /// A channel whose first connection is lost at once, and whose second takes its time to open.
    fn lost_once() -> WebSocketChannel {
        let tries = Arc::new(AtomicU32::new(0));
        let connecting = talkback::connect("ws://server.example/").connector(move |_| {
            let is_first = tries.fetch_add(1, Ordering::Relaxed) == 0;
            async move {
                if !is_first {
                    sleep(OUTAGE).await;
                }
                let (near, far) = tokio::io::duplex(4096);
                tokio::spawn(async move {
                    let mut socket = talkback::accept(far).await.unwrap();
                    // It answers pings, until the end.
                    while !is_first && matches!(socket.recv().await, Ok(Some(_))) {}
                });
                Ok(near)
            }
        });
        connecting.reconnect().channel()
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_without_a_connection_is_no_latency() {
        let channel = lost_once();
        channel.ready().await.unwrap();
        let mut link = Link::staying(channel, Some(Duration::from_millis(100)));
        let latency = loop {
            match poll_fn(|cx| link.poll_incoming(cx)).await {
                Some(Incoming::Pong(Some((latency, Asked::InTurn)))) => break latency,
                incoming => assert!(incoming.is_some()),
            }
        };
        assert!(latency < Duration::from_millis(100), "{latency:?}");
    }

    #[tokio::test]
    async fn a_pong_says_who_asked_for_it() {
        let connecting = talkback::connect("ws://server.example/").connector(|_| async {
            let (near, far) = tokio::io::duplex(4096);
            tokio::spawn(async move { talkback::accept(far).await.unwrap().recv().await });
            Ok(near)
        });
        let mut link = Link::once(connecting.await.unwrap());
        for expected in [Asked::ByPerson, Asked::InTurn, Asked::ByPerson] {
            link.ping(expected).await;
            match poll_fn(|cx| link.poll_incoming(cx)).await {
                Some(Incoming::Pong(Some((_, asked)))) => assert_eq!(asked, expected),
                incoming => panic!("{incoming:?}"),
            }
        }
    }
}

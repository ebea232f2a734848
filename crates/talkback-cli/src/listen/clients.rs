//! The clients of `talkback listen` that are connected.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_sink::Sink as _;
use talkback::{
    CloseCode, CloseInfo, Message, Prepared, Receiver, Sender, TrySendErrorKind, WebSocketChannel,
};
use talkback_terminal::exchange::Duplex;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// 3008 of IANA's registry: "Timeout".
const IDLE_CODE: CloseCode = CloseCode::new(3008);

/// What comes from clients, and what becomes of them.
#[derive(Debug)]
pub(super) enum Incoming {
    Opened(Opened, WebSocketChannel),
    Message(u64, Message),
    Closed(u64, CloseInfo),
    /// One that is none, and why.
    Refused(String),
}

/// What is known of a new client.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) number: u64,
    pub(super) peer: SocketAddr,
    /// Its own address, if the peer is a proxy that tells it.
    pub(super) client: Option<IpAddr>,
    /// Without the query.
    pub(super) path: String,
    pub(super) subprotocol: Option<String>,
    /// In lines, without secrets.
    pub(super) request: Vec<String>,
}

/// Those that are connected.
pub(super) struct Clients {
    /// By their numbers.
    open: BTreeMap<u64, Client>,
    /// Who was heard last.
    heard: u64,
    /// Who comes.
    coming: mpsc::Receiver<Incoming>,
    /// Whether who comes was polled before what is said the last time.
    came_first: bool,
    /// Whether input waits while there is nobody.
    waits: bool,
    /// After which time without a message a client is let go.
    idle_timeout: Option<Duration>,
}

struct Client {
    sender: Sender,
    /// What it says next. It is asked for when there is somebody to take it, as it may be large.
    next: Next,
}

/// With the receiver that waits for it; none at the end.
type Next = Pin<Box<dyn Future<Output = (Receiver, Option<Message>)> + Send>>;

fn next(mut receiver: Receiver, sender: Sender, idle_timeout: Option<Duration>) -> Next {
    Box::pin(async move {
        let received = match idle_timeout {
            None => receiver.recv().await,
            Some(time) => match timeout(time, receiver.recv()).await {
                Ok(received) => received,
                Err(_) => {
                    let _ = sender.close_with(IDLE_CODE, "no message came in time");
                    receiver.recv().await
                }
            },
        };
        // How it ended is asked for elsewhere.
        (receiver, received.ok().flatten())
    })
}

impl Clients {
    pub(super) fn new(
        coming: mpsc::Receiver<Incoming>,
        waits: bool,
        idle_timeout: Option<Duration>,
    ) -> Self {
        Self {
            open: BTreeMap::new(),
            heard: 0,
            coming,
            came_first: false,
            waits,
            idle_timeout,
        }
    }

    pub(super) fn add(&mut self, number: u64, channel: WebSocketChannel) {
        let (sender, receiver) = channel.split();
        let next = next(receiver, sender.clone(), self.idle_timeout);
        self.open.insert(number, Client { sender, next });
    }

    pub(super) fn remove(&mut self, number: u64) {
        self.open.remove(&number);
    }

    /// Takes a message to be sent to all, or to one, for which there is capacity. Returns whether there was
    /// anybody to take it.
    pub(super) async fn feed(&self, to: Option<u64>, message: &Message) -> bool {
        let (mut is_taken, message) = (false, Prepared::new(message.clone()));
        let chosen = |number: &u64| to.is_none_or(|to| to == *number);
        for (_, client) in self.open.iter().filter(|(number, _)| chosen(number)) {
            // What cannot be sent shows as the end of that connection.
            let _ = client.sender.feed(&message).await;
            is_taken = true;
        }
        is_taken
    }

    /// Sends what one client said to all others. For who does not read nobody waits: it is closed, with 1013.
    pub(super) fn relay(&self, from: u64, message: &Message) {
        let message = Prepared::new(message.clone());
        for (_, client) in self.open.iter().filter(|(number, _)| **number != from) {
            if let Err(error) = client.sender.try_send(&message)
                && error.kind() == TrySendErrorKind::Full
            {
                let _ = client
                    .sender
                    .close_with(CloseCode::TRY_AGAIN_LATER, "too slow");
            }
        }
    }

    /// Begins to close every connection.
    pub(super) fn close(&self, code: CloseCode) {
        for client in self.open.values() {
            // How it ends is told when it has.
            let _ = client.sender.close_with(code, "");
        }
    }

    /// The next message of those that are connected, or the end of one; `None` once there are none.
    ///
    /// # Cancel safety
    /// A dropped call loses nothing.
    pub(super) async fn next(&mut self) -> Option<Incoming> {
        poll_fn(|cx| self.poll_said(cx)).await
    }

    fn poll_said(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        if self.open.is_empty() {
            return Poll::Ready(None);
        }
        // Behind the one that was heard last, so that none hides the others.
        let heard = self.heard;
        for some in [(Excluded(heard), Unbounded), (Unbounded, Included(heard))] {
            for (number, client) in self.open.range_mut(some) {
                while let Poll::Ready((receiver, message)) = client.next.as_mut().poll(cx) {
                    let info = receiver.close_info();
                    client.next = next(receiver, client.sender.clone(), self.idle_timeout);
                    self.heard = *number;
                    let incoming = match (message, info) {
                        (Some(message), _) => Incoming::Message(*number, message),
                        (None, Some(info)) => Incoming::Closed(*number, info),
                        // What waits anew is to be polled, or nothing wakes this.
                        (None, None) => continue,
                    };
                    return Poll::Ready(Some(incoming));
                }
            }
        }
        Poll::Pending
    }
}

impl Duplex for Clients {
    type Incoming = Incoming;

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        // Alternating: neither of them hides the other.
        self.came_first = !self.came_first;
        if self.came_first
            && let Poll::Ready(incoming) = self.coming.poll_recv(cx)
        {
            return Poll::Ready(incoming);
        }
        if let Poll::Ready(Some(incoming)) = self.poll_said(cx) {
            return Poll::Ready(Some(incoming));
        }
        self.coming.poll_recv(cx)
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.waits && self.open.is_empty() {
            return Poll::Pending;
        }
        for client in self.open.values_mut() {
            // One that has ended holds up nobody.
            let _ = ready!(Pin::new(&mut client.sender).poll_ready(cx));
        }
        Poll::Ready(())
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for client in self.open.values_mut() {
            let _ = ready!(Pin::new(&mut client.sender).poll_flush(cx));
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::task::yield_now;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_whose_message_was_none_is_heard_all_the_same() {
        let (channel, client) = talkback::pair();
        let (_sender, coming) = mpsc::channel(1);
        let mut clients = Clients::new(coming, true, None);
        let (sender, receiver) = channel.split();
        let next = Box::pin(async { (receiver, None) });
        clients.open.insert(1, Client { sender, next });
        let hearing = tokio::spawn(async move { clients.next().await });
        yield_now().await;
        client.send("a").await.unwrap();
        let heard = timeout(Duration::from_secs(60), hearing).await;
        let heard = heard.expect("it is woken").unwrap();
        assert!(matches!(heard, Some(Incoming::Message(1, _))), "{heard:?}");
    }
}

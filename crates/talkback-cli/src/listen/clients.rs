//! The clients of `talkback listen` that are connected.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink as _;
use talkback::{CloseCode, CloseInfo, Message, Sender};
use talkback_terminal::exchange::Duplex;
use tokio::sync::mpsc;

/// What comes from clients, and what becomes of them.
#[derive(Debug)]
pub(super) enum Incoming {
    Opened(Opened, Sender),
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
    /// Without the query.
    pub(super) path: String,
    pub(super) subprotocol: Option<String>,
    /// In lines, without secrets.
    pub(super) request: Vec<String>,
}

/// Those that are connected, by their numbers.
#[derive(Debug)]
pub(super) struct Clients {
    open: BTreeMap<u64, Sender>,
    events: mpsc::Receiver<Incoming>,
    /// Whether input waits while there is nobody.
    waits: bool,
}

impl Clients {
    pub(super) fn new(events: mpsc::Receiver<Incoming>, waits: bool) -> Self {
        Self {
            open: BTreeMap::new(),
            events,
            waits,
        }
    }

    pub(super) fn add(&mut self, number: u64, sender: Sender) {
        self.open.insert(number, sender);
    }

    pub(super) fn remove(&mut self, number: u64) {
        self.open.remove(&number);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes a message to be sent to all, or to one, for which there is capacity. Returns whether there was
    /// anybody to take it.
    pub(super) async fn feed(&self, to: Option<u64>, message: &Message) -> bool {
        let mut is_taken = false;
        let chosen = |number: &u64| to.is_none_or(|to| to == *number);
        for (_, sender) in self.open.iter().filter(|(number, _)| chosen(number)) {
            // What cannot be sent shows as the end of that connection.
            let _ = sender.feed(message.clone()).await;
            is_taken = true;
        }
        is_taken
    }

    /// Begins to close every connection.
    pub(super) fn close(&self, code: CloseCode) {
        for sender in self.open.values() {
            // How it ends is told when it has.
            let _ = sender.close_with(code, "");
        }
    }

    /// The next thing that comes, or that becomes of a client.
    ///
    /// # Cancel safety
    /// A dropped call loses nothing.
    pub(super) async fn next(&mut self) -> Option<Incoming> {
        self.events.recv().await
    }
}

impl Duplex for Clients {
    type Incoming = Incoming;

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        self.events.poll_recv(cx)
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.waits && self.open.is_empty() {
            return Poll::Pending;
        }
        for sender in self.open.values_mut() {
            // One that has ended holds up nobody.
            let _ = ready!(Pin::new(sender).poll_ready(cx));
        }
        Poll::Ready(())
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for sender in self.open.values_mut() {
            let _ = ready!(Pin::new(sender).poll_flush(cx));
        }
        Poll::Ready(())
    }
}

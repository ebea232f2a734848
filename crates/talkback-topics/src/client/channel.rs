//! The channel of a client of topics.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;
use talkback::{ChannelEvent, Message, Outgoing, Sender, WebSocketChannel};

use crate::client::book::Book;
use crate::client::error::{Error, ErrorKind};
use crate::client::event::Event;
use crate::position::Position;
use crate::start::Start;
use crate::subprotocol::SUBPROTOCOL;

/// Topics of a server, over a connection that is made again when it is lost: by [`subscribe`](crate::subscribe).
///
/// [`recv`](Self::recv) gives what is published, each publication once, in the order of its topic. After a loss it asks the server for
/// what came meanwhile; if the server does not have all of that any more, an [`Event::Reset`] says so. All that is asked for and
/// answered passes through `recv`: a program that publishes alone calls it, too. As a [`Stream`] it gives the same, and goes on behind an
/// error as `recv` does.
///
/// Dropping it closes.
pub struct TopicChannel {
    channel: WebSocketChannel,
    /// The channel's own, with a place of its own among those who wait for room in the queue.
    sender: Sender,
    book: Book,
    /// Whether the server broke the subprotocol: nothing more is heard of it.
    is_broken: bool,
}

impl TopicChannel {
    pub(crate) fn new(channel: WebSocketChannel, book: Book) -> Self {
        Self {
            sender: channel.sender(),
            channel,
            book,
            is_broken: false,
        }
    }

    /// Waits for what comes next; `None` after a normal close.
    ///
    /// While the connection is lost, it waits for the next one: what [`channel`](Self::channel) has tells how that goes.
    ///
    /// # Errors
    /// What the server refuses, of which the [kind](Error::kind) says which it is: the next call goes on with everything else. Or the
    /// end, once, for which then comes `None`: a connection that ended for good, or a server that broke the subprotocol.
    ///
    /// # Cancel safety
    /// A dropped call loses nothing.
    pub async fn recv(&mut self) -> Result<Option<Event>, Error> {
        let next = poll_fn(|cx| Pin::new(&mut *self).poll_next(cx));
        next.await.transpose()
    }

    /// What there is to tell of it. A server that breaks the subprotocol is heard no more.
    fn handle(&mut self, received: ChannelEvent) -> Result<Option<Event>, Error> {
        let handled = self.handle_one(received);
        if let Err(error) = &handled
            && error.kind() == ErrorKind::Protocol
        {
            self.is_broken = true;
            self.channel.close();
        }
        handled
    }

    fn handle_one(&mut self, received: ChannelEvent) -> Result<Option<Event>, Error> {
        match received {
            ChannelEvent::Message(message) => return self.book.handle(&message),
            ChannelEvent::Opened(opened) => match opened.subprotocol() {
                Some(SUBPROTOCOL) => self.book.opened(),
                _ => return Err(Error::new(ErrorKind::Protocol, "it does not speak it")),
            },
            ChannelEvent::Lost(_) => self.book.lost(),
            _ => {}
        }
        Ok(None)
    }

    /// Subscribes to a topic; `false` if it is subscribed to it. [`Event::Subscribed`] says when the subscription stands.
    pub fn subscribe(&mut self, topic: &str, start: impl Into<Start>) -> bool {
        self.book.subscribe(topic.into(), start.into())
    }

    /// Ends the subscription to a topic, of which nothing comes any more; `false` if there is none.
    pub fn unsubscribe(&mut self, topic: &str) -> bool {
        self.book.unsubscribe(topic)
    }

    /// Publishes a message, and returns the number of the publication, counted from 1: with it, [`Event::Published`] says that it stands
    /// in its topic, or an error why not.
    ///
    /// It leaves with the next [`recv`](Self::recv), once there is a connection. What is not answered when a connection is lost is
    /// published again on the next one, by an id for which the server drops a second: those of the last 2 minutes, and of
    /// the last 1,024 publications to a topic that had one. So a publication stands there once, unless the connection was lost for
    /// longer than that.
    ///
    /// # Errors
    /// 1,024 of this client's publications, or 1 MiB of them, wait for an answer: [`ErrorKind::Full`].
    pub fn publish<'a>(
        &mut self,
        topic: &str,
        message: impl Into<Outgoing<'a>>,
    ) -> Result<u64, Error> {
        let message: Message = message.into().into_message();
        self.book.publish(topic, &message)
    }

    /// How far it has come in a topic, to begin [after](Start::After) that another time; `None` before the subscription stands.
    pub fn position(&self, topic: &str) -> Option<Position> {
        self.book.position(topic)
    }

    /// The channel below: its [state](WebSocketChannel::state), its [link](WebSocketChannel::link), and its
    /// [end](WebSocketChannel::close).
    pub fn channel(&self) -> &WebSocketChannel {
        &self.channel
    }
}

impl Stream for TopicChannel {
    type Item = Result<Event, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let it = self.get_mut();
        while !it.is_broken {
            // What is to be sent goes while it waits for what comes.
            feed(&mut it.sender, &mut it.book, cx);
            let Some(received) = ready!(it.channel.poll_recv_event(cx))? else {
                break;
            };
            if let Some(event) = it.handle(received).transpose() {
                return Poll::Ready(Some(event));
            }
        }
        Poll::Ready(None)
    }
}

/// Hands the channel what is to be sent, as far as there is room in its queue.
fn feed(sender: &mut Sender, book: &mut Book, cx: &mut Context<'_>) {
    while let Some(request) = book.outgoing.front() {
        match Pin::new(&mut *sender).poll_ready(cx) {
            Poll::Pending => return,
            Poll::Ready(Ok(())) => {
                // That it cannot be sent is told by what is received.
                let _ = Pin::new(&mut *sender).start_send(request.clone());
                book.outgoing.pop_front();
            }
            Poll::Ready(Err(_)) => book.outgoing.clear(),
        }
    }
}

impl fmt::Debug for TopicChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicChannel")
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

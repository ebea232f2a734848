//! Serving a client that speaks the subprotocol.

mod answer;
mod refusal;
mod request;
mod under_way;

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use talkback::{CloseCode, CloseInfo, Error, Message, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::server::event::TopicEvent;
use crate::server::session::refusal::Refusal;
use crate::server::session::request::{Fault, Request};
use crate::server::session::under_way::{Publishing, Subscribing};
use crate::server::slow::Slow;
use crate::server::subscriber::Subscriber;
use crate::server::topic::Topic;
use crate::server::topics::Topics;
use crate::start::Start;

/// How many topics a socket may be subscribed to.
const TOPICS_MAX: usize = 128;
/// How many publications of a socket may be under way: beyond that, nothing is read of it.
const PUBLISHING_MAX: usize = 64;

/// Serves a WebSocket whose client speaks the subprotocol [`talkback.topics.v1`](crate::SUBPROTOCOL): many topics over one
/// connection, with positions.
///
/// Each message is an object of JSON in a text message. What the client says has a `>`, what it is told a `<`:
///
/// ```text
/// > {"do":"subscribe","topic":"prices","after":"1q8zk7c2m4v0p-118"}     or "last":10, or neither: from now on
/// < {"topic":"prices","at":"1q8zk7c2m4v0p-118","subscribed":true,"recovered":true}
/// < {"topic":"prices","at":"1q8zk7c2m4v0p-119","data":{"x":1}}
/// > {"do":"publish","topic":"prices","data":{"x":2},"id":"a1"}          or "text":"…", or "base64":"…"
/// < {"published":"a1","at":"1q8zk7c2m4v0p-120"}
/// < {"topic":"prices","gap":{"after":"1q8zk7c2m4v0p-120","before":"1q8zk7c2m4v0p-140"}}
/// > {"do":"unsubscribe","topic":"prices"}
/// < {"topic":"prices","subscribed":false}
/// < {"error":"the name of a topic is 300 bytes long: 255 are the most","topic":"…"}
/// ```
///
/// - **Payloads.** A text that is JSON comes as `data`, without the white space around it; another text as `text`; what is
///   binary as `base64`, with padding. The text is written once, for all sessions that get it.
/// - **`subscribed`** has the position that the subscription begins behind. With `after`, `"recovered":false` says that what
///   followed is not all kept any more, and the client fetches its state anew. One that is asked for again before it stands is answered
///   once, as it was asked for last. Behind `"subscribed":false` nothing more comes.
/// - **`publish`** is answered if it has an `id`, of 1 to 255 bytes, by which it may be said again after a loss of the connection; one
///   without is answered only by an error. The publisher gets its own publication as all others do, in the order that is the same for
///   all: by the position in the answer it knows which that is.
/// - **A backplane** that cannot be reached makes a subscription wait that needs it: it is answered later. Clients of topics that get nothing
///   meanwhile are told `{"stale":true}`, and then `{"live":true}`; of a topic that begins anew,
///   `{"topic":"prices","at":"…","reset":true}`. A publication fails at once, or within 2 s.
/// - **Errors** close nothing, and have the topic and the id of the request. A text that is no JSON closes with 1007, a
///   binary message with 1003.
///
/// What is not understood beside these names is passed over.
///
/// A session is made for each connection. It is for a [`WebSocket`], and so for a `ServerConnection`, whose handshake has agreed on
/// [`SUBPROTOCOL`](crate::SUBPROTOCOL):
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use talkback_topics::{SUBPROTOCOL, Session, Topics};
///
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let url = format!("ws://{}/", listener.local_addr()?);
/// let topics = Topics::new();
/// # let everyone = topics.clone();
/// tokio::spawn(async move {
///     while let Ok((stream, _)) = listener.accept().await {
///         let mut session = Session::new(&topics).may_publish(|topic| topic.starts_with("chat."));
///         tokio::spawn(async move {
///             let mut socket = talkback::accept(stream).subprotocols([SUBPROTOCOL]).await.ok()?;
///             session.serve(&mut socket).await.ok()
///         });
///     }
/// });
///
/// let mut client = talkback::connect(url).subprotocol(SUBPROTOCOL).await?;
/// client.send(r#"{"do":"subscribe","topic":"prices"}"#).await?;
/// client.send(r#"{"do":"publish","topic":"prices","text":"0"}"#).await?;
/// let begun = client.recv().await?.unwrap();
/// assert!(begun.as_text().unwrap().ends_with(r#""subscribed":true,"recovered":false}"#));
/// let refused = client.recv().await?.unwrap();
/// assert!(refused.as_text().unwrap().starts_with(r#"{"error":"it is not allowed to publish"#));
/// # everyone.topic("prices")?.publish("100.3").await?;
/// # let price = client.recv().await?.unwrap();
/// # assert!(price.as_text().unwrap().ends_with(r#","data":100.3}"#));
/// # Ok(())
/// # }
/// ```
///
/// # What is bounded
/// A client that asks and does not read is not read either, once 64 KiB of answers wait for it, or 64 of its publications are
/// under way. What it is subscribed to waits in the topics, and [`Slow`] says for how long.
pub struct Session {
    topics: Topics,
    subscriber: Subscriber,
    may_subscribe: Option<Box<May>>,
    may_publish: Option<Box<May>>,
    topics_max: usize,
    subscribed: Vec<Topic>,
    /// Those that were left, of which something is still to be sent.
    leaving: Vec<Topic>,
    subscribing: Vec<Subscribing>,
    publishing: Vec<Publishing>,
    /// What it is to be told before anything else.
    answers: VecDeque<String>,
}

/// Whether a client may do something with a topic.
type May = dyn Fn(&str) -> bool + Send + Sync;

impl Session {
    /// A session with these topics, whose client may do anything with all of them.
    #[must_use]
    pub fn new(topics: &Topics) -> Self {
        Self {
            topics: topics.clone(),
            subscriber: Subscriber::new().form(answer::form()),
            may_subscribe: None,
            may_publish: None,
            topics_max: TOPICS_MAX,
            subscribed: Vec::new(),
            leaving: Vec::new(),
            subscribing: Vec::new(),
            publishing: Vec::new(),
            answers: VecDeque::new(),
        }
    }

    /// Asks this whether the client may subscribe to the topic of a name.
    #[must_use]
    pub fn may_subscribe(mut self, may: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.may_subscribe = Some(Box::new(may));
        self
    }

    /// Asks this whether the client may publish to the topic of a name.
    #[must_use]
    pub fn may_publish(mut self, may: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.may_publish = Some(Box::new(may));
        self
    }

    /// Sets how many topics the client may be subscribed to at a time: 128 by default.
    #[must_use]
    pub fn topics_max(mut self, topics: usize) -> Self {
        self.topics_max = topics;
        self
    }

    /// Sets what becomes of a client that reads too slowly, as [`Subscriber::slow`] does.
    #[must_use]
    pub fn slow(mut self, slow: Slow) -> Self {
        self.subscriber = self.subscriber.slow(slow);
        self
    }

    /// Sets how long a publication may have waited for it, as [`Subscriber::lag_max`] does.
    #[must_use]
    pub fn lag_max(mut self, lag_max: Duration) -> Self {
        self.subscriber = self.subscriber.lag_max(lag_max);
        self
    }

    /// Serves the connection until its end: how it closed in order, be it by its client, by a drain, or as this session says.
    ///
    /// # Errors
    /// As [`WebSocket::recv`]: the connection ended otherwise than in order.
    ///
    /// # Cancel safety
    /// A dropped call loses nothing: another one with the same socket goes on where it stood.
    ///
    /// # Panics
    /// As [`Subscriber::pump`]; and if `may_subscribe` or `may_publish` does.
    pub async fn serve<T: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut WebSocket<T>,
    ) -> Result<CloseInfo, Error> {
        loop {
            while let Some(answer) = self.answers.front() {
                // That it cannot be sent is told by what is received.
                let _ = socket.feed(answer.as_str()).await;
                self.answers.pop_front();
            }
            let answer = match poll_fn(|cx| self.poll_event(socket, cx)).await? {
                None => continue,
                Some(TopicEvent::Message(message)) => match self.handle(&message) {
                    Ok(()) => continue,
                    Err((code, reason)) => {
                        let closed = socket.close_with(code, reason).await;
                        return Ok(closed.expect("it may be sent"));
                    }
                },
                Some(TopicEvent::Gap(gap)) => answer::gap(&gap),
                Some(TopicEvent::Reset(reset)) => answer::reset(&reset),
                Some(TopicEvent::Stale) => answer::stale(),
                Some(TopicEvent::Live) => answer::live(),
                Some(TopicEvent::Closed(info)) => return Ok(info),
            };
            self.answers.push_back(answer);
        }
    }

    /// What comes of the connection; or `None`: there is something to tell.
    fn poll_event<T: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut WebSocket<T>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<TopicEvent>, Error>> {
        self.poll_under_way(cx);
        if !self.answers.is_empty() {
            return Poll::Ready(Ok(None));
        }
        if self.publishing.len() >= PUBLISHING_MAX {
            return Poll::Pending;
        }
        if let Poll::Ready(event) = pin!(self.subscriber.pump(socket)).poll(cx) {
            return Poll::Ready(event.map(Some));
        }
        match self.take_left() {
            Some(topic) => {
                self.answers.push_back(answer::unsubscribed(topic.name()));
                Poll::Ready(Ok(None))
            }
            None => Poll::Pending,
        }
    }

    /// Notes the answers of what has come about. The first poll publishes, so that it is done in order.
    fn poll_under_way(&mut self, cx: &mut Context<'_>) {
        let Self {
            subscriber,
            answers,
            subscribed,
            leaving,
            ..
        } = self;
        self.publishing.retain_mut(|it| match it.poll(cx) {
            Poll::Pending => true,
            Poll::Ready(answer) => {
                answers.extend(answer);
                false
            }
        });
        self.subscribing.retain_mut(|it| {
            let Poll::Ready(begun) = it.poll(cx) else {
                return true;
            };
            let name = it.topic.name();
            let (subscription, begun) = match begun {
                Ok(begun) => begun,
                Err(error) => {
                    let refusal = Refusal::of(error).topic(name.to_owned());
                    answers.push_back(answer::error(&refusal));
                    return false;
                }
            };
            // What is still to come of the subscription before comes behind this, and before the first of the new one.
            if let Some(index) = leaving.iter().position(|it| it.name() == name) {
                leaving.remove(index);
                answers.push_back(answer::unsubscribed(name));
            }
            answers.push_back(answer::subscribed(name, &begun));
            subscriber.take(subscription);
            subscribed.push(it.topic.clone());
            false
        });
    }

    /// Begins what the client asks for; or says what to close with.
    fn handle(&mut self, request: &Message) -> Result<(), (CloseCode, &'static str)> {
        let Some(text) = request.as_text() else {
            return Err((CloseCode::UNSUPPORTED_DATA, "requests are text"));
        };
        let request = match Request::parse(text) {
            Ok(request) => request,
            Err(Fault::NoJson) => {
                return Err((CloseCode::INVALID_PAYLOAD, "requests are JSON"));
            }
            Err(Fault::Refused(refusal)) => {
                self.answers.push_back(answer::error(&refusal));
                return Ok(());
            }
        };
        let handled = match request {
            Request::Subscribe { topic, start } => self.subscribe(&topic, start),
            Request::Unsubscribe { topic } => {
                self.unsubscribe(&topic);
                Ok(())
            }
            Request::Publish { topic, message, id } => self.publish(&topic, message, id),
        };
        if let Err(refusal) = handled {
            self.answers.push_back(answer::error(&refusal));
        }
        Ok(())
    }

    /// It is answered once the subscription stands.
    fn subscribe(&mut self, name: &str, start: Start) -> Result<(), Refusal> {
        let refused = |error: &str| Refusal::new(error).topic(name.to_owned());
        let may = self.may_subscribe.as_deref();
        if may.is_some_and(|may| !may(name)) {
            return Err(refused("it is not allowed to subscribe to this topic"));
        }
        if self.subscribed.iter().any(|it| it.name() == name) {
            let text = "it is subscribed to this topic: unsubscribe first to begin elsewhere in it";
            return Err(refused(text));
        }
        // A client that comes back may have asked for it on this connection already.
        self.subscribing.retain(|it| it.topic.name() != name);
        // Those that it has left before it asked for this have their answer, unless it is slow to read.
        while let Some(left) = self.take_left() {
            self.answers.push_back(answer::unsubscribed(left.name()));
        }
        let max = self.topics_max;
        if self.subscribed.len() + self.subscribing.len() + self.leaving.len() >= max {
            let text = "topics, which are the most: unsubscribe from one";
            return Err(refused(&format!("this connection has {max} {text}")));
        }
        let topic = self.topics.topic(name);
        let topic = topic.map_err(|error| refused(&error.to_string()))?;
        let mailbox = self.subscriber.mailbox();
        self.subscribing
            .push(Subscribing::new(topic, mailbox, start));
        Ok(())
    }

    /// It is answered behind the last publication of the topic, or at once if there is nothing to leave.
    fn unsubscribe(&mut self, name: &str) {
        self.subscribing.retain(|it| it.topic.name() != name);
        if let Some(index) = self.subscribed.iter().position(|it| it.name() == name) {
            let topic = self.subscribed.swap_remove(index);
            self.subscriber.unsubscribe(&topic);
            self.leaving.push(topic);
        } else if !self.leaving.iter().any(|it| it.name() == name) {
            self.answers.push_back(answer::unsubscribed(name));
        }
    }

    /// One that was left, and of which all was sent.
    fn take_left(&mut self) -> Option<Topic> {
        let is_over = |topic: &Topic| !self.subscriber.has(topic);
        let index = self.leaving.iter().position(is_over)?;
        Some(self.leaving.swap_remove(index))
    }

    /// It is answered once it is published.
    fn publish(&mut self, name: &str, message: Message, id: Option<String>) -> Result<(), Refusal> {
        let refused = |error: String| Refusal::new(error).topic(name.to_owned());
        let may = self.may_publish.as_deref();
        if may.is_some_and(|may| !may(name)) {
            return Err(refused("it is not allowed to publish to this topic".into()).id(id));
        }
        let topic = match self.topics.topic(name) {
            Ok(topic) => topic,
            Err(error) => return Err(refused(error.to_string()).id(id)),
        };
        self.publishing.push(Publishing::new(topic, message, id));
        Ok(())
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("topics", &self.subscribed.len())
            .field("topics_max", &self.topics_max)
            .field("publishing", &self.publishing.len())
            .finish_non_exhaustive()
    }
}

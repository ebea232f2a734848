//! What a client has asked for and is not answered yet.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use talkback::Message;
use tokio::time::sleep;

use crate::server::error::{SubscribeError, SubscribeErrorKind};
use crate::server::mailbox::Mailbox;
use crate::server::publish;
use crate::server::session::answer;
use crate::server::session::refusal::Refusal;
use crate::server::subscriber::begin;
use crate::server::subscription::Subscription;
use crate::server::topic::Topic;
use crate::start::{Begun, Start};

/// How long to wait until a backplane is asked again for what it could not do.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A subscription that begins, mostly at the first poll.
pub(crate) struct Subscribing {
    pub(crate) topic: Topic,
    beginning: Pin<Box<dyn Future<Output = BegunOrNot> + Send>>,
}

type BegunOrNot = Result<(Subscription, Begun), SubscribeError>;

impl Subscribing {
    pub(crate) fn new(topic: Topic, mailbox: Arc<Mailbox>, start: Start) -> Self {
        let state = Arc::clone(&topic.state);
        let beginning = Box::pin(async move {
            loop {
                match begin(&state, &mailbox, start).await {
                    Err(error) if error.kind() == SubscribeErrorKind::Unavailable => {
                        sleep(AGAIN_AFTER).await;
                    }
                    begun => return begun,
                }
            }
        });
        Self { topic, beginning }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<BegunOrNot> {
        self.beginning.as_mut().poll(cx)
    }
}

/// A publication that is not in its topic yet, or not known to be.
pub(crate) struct Publishing {
    topic: Topic,
    id: Option<String>,
    publishing: Pin<Box<publish::Publishing>>,
}

impl Publishing {
    pub(crate) fn new(topic: Topic, message: Message, id: Option<String>) -> Self {
        let mut publish = topic.publish(message);
        if let Some(id) = &id {
            publish = publish.id(id.as_str());
        }
        Self {
            topic,
            id,
            publishing: Box::pin(publish.into_future()),
        }
    }

    /// What its client is told of it.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        let published = ready!(self.publishing.as_mut().poll(cx));
        Poll::Ready(match (published, self.id.take()) {
            (Ok(published), Some(id)) => Some(answer::published(&id, published.position())),
            (Ok(_), None) => None,
            (Err(error), id) => {
                let refusal = Refusal::of(error).topic(self.topic.name().to_owned());
                Some(answer::error(&refusal.id(id)))
            }
        })
    }
}

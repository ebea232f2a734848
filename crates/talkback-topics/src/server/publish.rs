//! Publishing to a topic.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use talkback::{Compression, Outgoing, Prepared};

use crate::position::Position;
use crate::server::backplane::Carried;
use crate::server::error::{ID_SIZE_MAX, PublishError, PublishErrorKind};
use crate::server::fan_out;
use crate::server::state::{New, TopicState};

/// A message that is to be published, by [`Topic::publish`](crate::Topic::publish): when it is awaited.
#[must_use = "it is published when it is awaited"]
pub struct Publish {
    topic: Arc<TopicState>,
    new: New,
}

impl Publish {
    pub(crate) fn new(topic: &Arc<TopicState>, message: Outgoing<'_>) -> Self {
        let prepared = match message.prepared() {
            Some(prepared) => prepared.clone(),
            None => Prepared::new(message.into_message()),
        };
        Self {
            topic: Arc::clone(topic),
            new: New {
                prepared,
                compression: Compression::Auto,
                except: None,
                id: None,
            },
        }
    }

    /// Gives it an id of 1 to 255 bytes, so that it may be published again by whoever does not know whether it was.
    ///
    /// Where the topic knows the id, of the last 2 minutes and the last 1,024 publications with one, nothing is published, and
    /// [`Published`] has the first one's position.
    pub fn id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.new.id = Some(id.into());
        self
    }

    /// Leaves out one connection, mostly the one that it came from: the subscribers for which that number was given to
    /// [`for_connection`](crate::Subscriber::for_connection).
    pub fn except(mut self, connection: u64) -> Self {
        self.new.except = Some(connection);
        self
    }

    /// Says whether it may be compressed, as [`WebSocket::send_with`](talkback::WebSocket::send_with) does.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.new.compression = compression;
        self
    }
}

/// Awaiting it publishes.
///
/// In memory it does not wait. Over a [backplane](crate::Backplane) it waits until that has it: 2 s at most once it is on its way, of
/// which there are 1,024 at a time. Subscribers get it once it has come back, which may be a little later.
///
/// # Errors
/// An id that is none; and over a backplane, that it cannot be reached, has not answered, or does not take so large a message:
/// [`PublishErrorKind`] says of each whether it was published. To try again with the same [id](Publish::id) is always safe.
///
/// # Cancel safety
/// In memory it is published at the first poll, or not at all. Over a backplane a dropped call may have published, or may yet: to call
/// again with the same id is safe.
impl IntoFuture for Publish {
    type Output = Result<Published, PublishError>;
    type IntoFuture = Publishing;

    fn into_future(self) -> Publishing {
        Publishing(match self.topic.uplink {
            None => How::Here(Some(self)),
            Some(_) => How::Over(Box::pin(self.over())),
        })
    }
}

/// Shows the size of the message, and nothing of it.
impl fmt::Debug for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publish")
            .field("topic", &self.topic.name)
            .field("message", &self.new.prepared)
            .finish_non_exhaustive()
    }
}

/// A message that is being published: the future of [`Publish`].
#[must_use = "futures do nothing unless polled"]
pub struct Publishing(How);

enum How {
    Here(Option<Publish>),
    Over(Pin<Box<dyn Future<Output = Result<Published, PublishError>> + Send>>),
}

impl fmt::Debug for Publishing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publishing").finish_non_exhaustive()
    }
}

impl Publish {
    fn check(&self) -> Result<(), PublishError> {
        match &self.new.id {
            Some(id) if !(1..=ID_SIZE_MAX).contains(&id.len()) => {
                Err(PublishError::new(PublishErrorKind::Id))
            }
            _ => Ok(()),
        }
    }

    fn here(self) -> Result<Published, PublishError> {
        self.check()?;
        let Self { topic, new } = self;
        let appended = topic.append(new);
        if appended.is_to_be_told {
            fan_out::tell(&topic);
        }
        Ok(Published {
            position: appended.position,
            subscribers: appended.subscribers,
            is_duplicate: appended.is_duplicate,
        })
    }

    /// It comes into the log once it has come back.
    async fn over(self) -> Result<Published, PublishError> {
        self.check()?;
        let Self { topic, new } = self;
        let plane = &topic.uplink().plane;
        let carried = Carried {
            message: new.prepared.message().clone(),
            compression: new.compression,
            id: new.id,
            except: new.except.map(|connection| (plane.number, connection)),
        };
        let placed = plane.publish(Arc::clone(&topic.name), carried).await?;
        Ok(Published {
            position: placed.position,
            subscribers: topic.log().subscribers,
            is_duplicate: placed.is_duplicate,
        })
    }
}

impl Future for Publishing {
    type Output = Result<Published, PublishError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            How::Here(publish) => {
                let publish = publish.take();
                Poll::Ready(
                    publish
                        .expect("a future is not polled after its end")
                        .here(),
                )
            }
            How::Over(publishing) => publishing.as_mut().poll(cx),
        }
    }
}

/// What was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    position: Position,
    subscribers: usize,
    is_duplicate: bool,
}

impl Published {
    /// Where it stands in its topic.
    pub fn position(&self) -> Position {
        self.position
    }

    /// How many were subscribed at that moment, in this process. What becomes of each is its own matter: whoever publishes does not
    /// wait for it.
    pub fn subscribers(&self) -> usize {
        self.subscribers
    }

    /// Whether it was published before, by its id.
    pub fn is_duplicate(&self) -> bool {
        self.is_duplicate
    }
}

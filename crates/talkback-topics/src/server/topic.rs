//! The handle of a topic.

use std::fmt;
use std::sync::Arc;

use talkback::Outgoing;

use crate::server::publish::Publish;
use crate::server::state::TopicState;

/// A topic, by [`Topics::topic`](crate::Topics::topic): what is published to it gets to all who are subscribed to it, and the last of it
/// is kept.
///
/// It is a handle: clones are of the same topic, and cost little. Whoever has one publishes without looking for the name.
#[derive(Clone)]
pub struct Topic {
    pub(crate) state: Arc<TopicState>,
}

impl Topic {
    pub(crate) fn new(state: Arc<TopicState>) -> Self {
        Self { state }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// How many are subscribed to it, in this process.
    pub fn subscribers(&self) -> usize {
        self.state.log().subscribers
    }

    /// Publishes a message, when it is awaited; [`Publish`] has the options. It may come from any thread.
    ///
    /// It waits for no subscriber, however many there are and however slow they read. All of them get the publications of a topic in
    /// the same order.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let topics = talkback_topics::Topics::new();
    /// let prices = topics.topic("prices")?;
    /// prices.publish("100.2").await?;
    /// let published = prices.publish("100.3").id("quote-17").await?;
    /// let again = prices.publish("100.3").id("quote-17").await?;
    /// assert!(again.is_duplicate());
    /// assert_eq!(again.position(), published.position());
    /// # Ok(())
    /// # }
    /// ```
    pub fn publish<'a>(&self, message: impl Into<Outgoing<'a>>) -> Publish {
        Publish::new(&self.state, message.into())
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

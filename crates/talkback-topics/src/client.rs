//! Topics of a server that speaks the subprotocol [`talkback.topics.v1`](crate::SUBPROTOCOL), natively and in a browser:
//! [`subscribe`].
//!
//! The server is a [`Session`](https://docs.rs/talkback-topics/latest/talkback_topics/struct.Session.html) of this crate, or `talkback hub`.

mod answer;
mod book;
mod channel;
mod error;
mod event;
mod request;

use std::fmt;

use talkback::{Connect, Reconnecting};

pub use self::channel::TopicChannel;
pub use self::error::{Error, ErrorKind};
pub use self::event::{Begun, Delivery, Event, Gap, Published};

use self::book::Book;
use crate::start::Start;
use crate::subprotocol::{KEY_PREFIX, SUBPROTOCOL};

/// Subscribes to a topic of the server at this URL: `ws://host:port/path?query`, or `wss://` where the program has talkback
/// beside this crate, with its default features or another one that has TLS.
///
/// The result is a builder, of which [`channel`](Subscribe::channel) makes a [`TopicChannel`].
///
/// ```no_run
/// use talkback_topics::client::{Error, Event};
///
/// # async fn fetch_prices() {}
/// # async fn example() -> Result<(), Error> {
/// let mut prices = talkback_topics::subscribe("wss://hub.example/", "prices").channel();
/// while let Some(event) = prices.recv().await? {
///     match event {
///         Event::Subscribed(_) | Event::Reset(_) | Event::Gap(_) => fetch_prices().await,
///         Event::Delivery(delivery) => println!("{}", delivery.message()),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub fn subscribe(url: impl Into<String>, topic: impl Into<String>) -> Subscribe {
    Subscribe {
        connect: talkback::connect(url).subprotocol(SUBPROTOCOL),
        reconnecting: None,
        topics: vec![(topic.into(), Start::Now)],
    }
}

/// Topics that are to be subscribed to: [`channel`](Self::channel) connects.
#[must_use = "nothing is connected until this is made a channel by `channel()`"]
pub struct Subscribe {
    connect: Connect,
    reconnecting: Option<Box<dyn FnOnce(Reconnecting) -> Reconnecting + Send>>,
    topics: Vec<(String, Start)>,
}

impl Subscribe {
    /// Sets where in the topic that was named last the subscription begins: from now on, by default.
    ///
    /// ```no_run
    /// use talkback_topics::{Position, Start, subscribe};
    ///
    /// # fn example(stored: Option<Position>) {
    /// let news = subscribe("wss://hub.example/", "news").start(Start::Last(10)).channel();
    /// // What the program has from the last time, or from now on.
    /// let prices = subscribe("wss://hub.example/", "prices").start(stored).channel();
    /// # }
    /// ```
    pub fn start(mut self, start: impl Into<Start>) -> Self {
        let last = self.topics.last_mut();
        last.expect("there is one from the beginning").1 = start.into();
        self
    }

    /// Names one more topic, over the same connection.
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topics.push((topic.into(), Start::Now));
        self
    }

    /// Shows the server a key: natively by `Authorization: Bearer`, in a browser, where a page can send no header, as the subprotocol
    /// `talkback.key.` with the key behind it, which has to be a token for that: letters, digits, `.`, `-` and `_`.
    pub fn key(mut self, key: impl AsRef<str>) -> Self {
        let key = key.as_ref();
        self.connect = match cfg!(all(target_family = "wasm", target_os = "unknown")) {
            true => self.connect.subprotocol(format!("{KEY_PREFIX}{key}")),
            false => {
                let bearer = format!("Bearer {key}");
                self.connect.set_header("Authorization", bearer)
            }
        };
        self
    }

    /// Sets options of the connection: roots of TLS, a proxy, limits, queues.
    ///
    /// ```no_run
    /// # fn example(roots: Vec<u8>) {
    /// let prices = talkback_topics::subscribe("wss://hub.example/", "prices")
    ///     .connect(|connect| connect.tls_roots(roots))
    ///     .channel();
    /// # }
    /// ```
    pub fn connect(mut self, options: impl FnOnce(Connect) -> Connect) -> Self {
        self.connect = options(self.connect);
        self
    }

    /// Sets how it stays connected: the waits between tries, hooks, a limit.
    ///
    /// ```no_run
    /// let prices = talkback_topics::subscribe("wss://hub.example/", "prices")
    ///     .reconnecting(|reconnecting| reconnecting.tries_max(10))
    ///     .channel();
    /// ```
    pub fn reconnecting(
        mut self,
        options: impl FnOnce(Reconnecting) -> Reconnecting + Send + 'static,
    ) -> Self {
        self.reconnecting = Some(Box::new(options));
        self
    }

    /// Opens the channel, which exists at once and connects in the background, again and again, as
    /// [`Connect::reconnect`] does.
    ///
    /// # Panics
    /// In a tokio runtime without I/O or time, as tokio's own calls do.
    #[track_caller]
    pub fn channel(self) -> TopicChannel {
        let mut book = Book::new(random());
        for (topic, start) in self.topics {
            book.subscribe(topic.into(), start);
        }
        let mut reconnecting = self.connect.reconnect();
        if let Some(options) = self.reconnecting {
            reconnecting = options(reconnecting);
        }
        TopicChannel::new(reconnecting.channel(), book)
    }
}

/// Shows nothing of what it connects with: it may be a secret.
impl fmt::Debug for Subscribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribe")
            .field("topics", &self.topics)
            .finish_non_exhaustive()
    }
}

/// The keys of a hash table are drawn at random.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};

    RandomState::new().hash_one(())
}

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
fn random() -> u64 {
    // 53 bits of it are random.
    (js_sys::Math::random() * 2_f64.powi(53)) as u64
}

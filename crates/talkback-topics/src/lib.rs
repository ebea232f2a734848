//! Topics for servers: what is published to one goes to all who are subscribed to it, and the last of it is kept for those who
//! are slow and those who come back.
//!
//! [`Topics`] has them by name, a [`Topic`] is published to, and a [`Subscriber`] reads any number of them for a connection of
//! [`talkback`]: its [`pump`](Subscriber::pump) serves a [`WebSocket`](talkback::WebSocket), and so a `ServerConnection`; its
//! [`next`](Subscriber::next) gives the same by hand, for a [`WebSocketChannel`](talkback::WebSocketChannel), events over HTTP or
//! anything else.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use talkback_topics::{Next, Start, Subscriber, Topics};
//!
//! let topics = Topics::new();
//! let prices = topics.topic("prices")?;
//! let first = prices.publish("100.1").await?;
//! prices.publish("100.2").await?;
//!
//! let mut subscriber = Subscriber::new();
//! let begun = subscriber.subscribe(&prices, Start::After(first.position())).await?;
//! assert!(begun.is_recovered());
//! prices.publish("100.3").await?;
//! for price in ["100.2", "100.3"] {
//!     let Next::Delivery(delivery) = subscriber.next().await? else {
//!         panic!("it is not slow");
//!     };
//!     assert_eq!(delivery.message().message().as_text(), Some(price));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//! Each subscriber gets each topic's publications in one order, the same for all, without a hole that it is not told of. Nobody waits for
//! a slow one: it gets what it lacks out of the topic while that is kept, and then what [`Slow`] says. A publication goes to a
//! connection at most once; a client that holds a [`Position`] and comes back with it gets exactly what follows, or is told that it
//! cannot ([`Begun::is_recovered`]). There is no order between topics.
//!
//! What a topic keeps is bounded ([`Keep`]), and lies in this process alone.
//!
//! # In several processes
//! [`Topics::over`] a [`Backplane`] shares topics between the processes of a service: there is one order for all, and a position of one process
//! is good in all. Publishing and subscribing may wait, and fail, then: [`PublishErrorKind`] and [`SubscribeErrorKind`] say how. What does not
//! come is fetched. What is lost is told as a [`Gap`]; a topic that was lost, or whose store has fallen back to an earlier state, as a
//! [`Reset`]. A subscriber hears of an outage of 5 s ([`TopicEvent::Stale`]), and of its end ([`TopicEvent::Live`]).
//!
//! # Features
//! | feature | |
//! | --- | --- |
//! | `server` (default) | the topics themselves; native only |
//! | `json` | `Session`: serves clients that speak the subprotocol `talkback.topics.v1` |
//! | `client` | [`subscribe`]: topics of such a server, in a browser too |
//! | `redis` | `Redis`, the engine over Redis and Valkey; native only |
//! | `metrics` | what topics count |
//! | `tracing` | a backplane that is lost or reached again, and what it has lost: of each one line a second at most |
//!
//! With the feature `metrics` it tells the program's recorder. No label has a topic or a message in it.
//!
//! | name | |
//! | --- | --- |
//! | `talkback_topics` | how many topics are known |
//! | `talkback_topics_subscribers` | how many subscriptions there are |
//! | `talkback_topics_published_total` | publications, without duplicates |
//! | `talkback_topics_delivered_total` | publications that a subscriber got |
//! | `talkback_topics_skipped_total{policy}` | those that it missed, by `skip` or `latest` |
//! | `talkback_topics_slow_closed_total` | subscribers that ended as they were too slow |
//! | `talkback_topics_lag_seconds` | from a publication to its delivery |
//! | `talkback_topics_log_bytes` | what all topics keep |
//! | `talkback_topics_trimmed_total` | publications that were dropped as all topics together kept too much |
//! | `talkback_topics_recoveries_total{outcome}` | positions that were asked for: from the `ring` or the `store`, `too_old`, or of another `epoch` |
//! | `talkback_backplane_up` | backplanes that are reached |
//! | `talkback_backplane_publish_total{outcome}` | what was published over one: `ok`, `unavailable`, `uncertain`, `refused` |
//! | `talkback_backplane_gaps_total{outcome}` | times that something did not come: `healed`, or `told` |

#![cfg_attr(docsrs, feature(doc_cfg))]
// What is not there leads to the documentation that has it.
#![cfg_attr(
    not(feature = "client"),
    doc = "",
    doc = " [`subscribe`]: https://docs.rs/talkback-topics/latest/talkback_topics/fn.subscribe.html"
)]

#[cfg(feature = "client")]
pub mod client;
mod position;
#[cfg(server)]
mod server;
mod start;
#[cfg(any(feature = "client", all(server, feature = "json")))]
mod subprotocol;

#[cfg(feature = "client")]
pub use self::client::subscribe;
pub use self::position::{Position, PositionError};
#[cfg(server)]
pub use self::server::*;
#[cfg(server)]
pub use self::start::Begun;
pub use self::start::Start;
#[cfg(any(feature = "client", all(server, feature = "json")))]
pub use self::subprotocol::{SUBPROTOCOL, key};

/// The example of README.md is compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

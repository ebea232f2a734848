//! The topics themselves: what is published, kept, read and shared.

mod arriving;
mod backplane;
mod entry;
mod error;
mod event;
mod fan_out;
mod form;
mod hub;
mod ids;
mod incoming;
mod joining;
mod keep;
mod link;
mod log;
mod mailbox;
mod metrics;
mod plane;
mod publish;
mod pump;
#[cfg(feature = "redis")]
mod redis;
mod roster;
#[cfg(feature = "json")]
mod session;
mod shared;
mod slow;
mod state;
mod subscriber;
mod subscription;
mod subscriptions;
mod sync;
mod tending;
mod topic;
mod topics;
mod trace;

pub use self::backplane::{
    Backplane, Carried, Inbox, Page, Placed, PublishFailure, Reply, Stored, Unavailable,
};
pub use self::error::{
    PublishError, PublishErrorKind, SubscribeError, SubscribeErrorKind, TooSlow, TopicNameError,
};
pub use self::event::{Delivery, Gap, Next, Reset, TopicEvent};
pub use self::form::{Form, Publication};
pub use self::keep::Keep;
pub use self::publish::{Publish, Published, Publishing};
#[cfg(feature = "redis")]
pub use self::redis::{Redis, RedisConnect, RedisError};
#[cfg(feature = "json")]
pub use self::session::Session;
pub use self::slow::Slow;
pub use self::subscriber::Subscriber;
pub use self::topic::Topic;
pub use self::topics::Topics;

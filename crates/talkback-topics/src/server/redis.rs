//! Topics over Redis.

mod address;
mod connection;
mod fault;
mod lines;
mod link;
mod names;
mod packed;
mod script;
mod tls;

use std::error::Error;
use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ::redis::RedisError as Failed;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::position::Position;
use crate::server::backplane::{
    Backplane, Carried, Inbox, Page, Placed, PublishFailure, Reply, Unavailable,
};
use crate::server::keep::Keep;
use crate::server::log::random;
use crate::server::redis::address::Address;
use crate::server::redis::fault::{Fault, said};
use crate::server::redis::lines::{Lines, Setup};
use crate::server::redis::link::Link;
use crate::server::redis::names::Names;
use crate::server::redis::script::{Failure, Scripts};
use crate::server::sync::{Mutex, lock};

/// What names begin with by default.
const PREFIX: &str = "tb";
/// How many bytes a publication may have: Redis takes strings of 512 MiB, of which some is what we add.
const SIZE_MAX: usize = 512 * 1024 * 1024 - 1024;
/// How long the store may take to answer. One that does not answer at all is noticed by the link as well, but later.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// How many topics are asked for at once.
const BATCH: usize = 512;

/// A [`Backplane`] over Redis 6 or later, or Valkey: a single one, or one whose name leads to the primary of the moment.
///
/// For each topic the store has a hash of where it stands, a stream of its last publications and a channel, below a prefix, and for two
/// minutes a key for each publication's id. All of them are written at once by one script, so that what is published has
/// one order and no holes. It takes two connections, which come back by themselves, each time at the address that the name has then.
///
/// A user of Redis's ACLs needs `~tb:* &tb:* +@connection +@scripting +@pubsub +@hash +@stream +@string +@keyspace`.
pub struct Redis {
    link: Arc<Link>,
    task: Mutex<Option<AbortHandle>>,
}

impl Redis {
    /// Connects to a Redis: `redis://host`, `redis://:password@host` (the password of all, behind a colon), with TLS
    /// `rediss://user:password@host:6379/0`, or `unix:///run/redis.sock?db=0&user=…&pass=…`.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), talkback_topics::RedisError> {
    /// use talkback_topics::{Redis, Topics};
    ///
    /// let topics = Topics::over(Redis::connect("redis://localhost").await?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "it does nothing unless it is awaited"]
    pub fn connect(url: &str) -> RedisConnect {
        RedisConnect {
            url: url.to_owned(),
            prefix: PREFIX.to_owned(),
            keep: Keep::default(),
            roots: None,
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = format_args!("{}", self.link.setup.address).to_string();
        f.debug_struct("Redis")
            .field("address", &address)
            .finish_non_exhaustive()
    }
}

/// The connections are closed.
impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
    }
}

/// A connection to Redis that is about to be made: by [`Redis::connect`], to be awaited on a runtime of tokio.
///
/// # Errors
/// [`RedisError`] if what was given is wrong, as Redis or TLS says. A Redis that is not there at the moment is no error: it is tried
/// again for ever, and the [`Backplane`] is down until then.
///
/// # Cancel safety
/// Dropped, nothing is left of it.
pub struct RedisConnect {
    url: String,
    prefix: String,
    keep: Keep,
    roots: Option<Vec<u8>>,
}

impl RedisConnect {
    /// Sets what all names in the store begin with: `tb` by default. Services that share a store have one each. It has no braces.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// Sets how many publications of a topic the store keeps, and for how long after the last one; what it says of bytes is of a hub's
    /// own memory. If hubs have different ones, the store keeps what the one wants that has published last.
    #[must_use]
    pub fn keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// Sets the roots, in PEM, of which one has to vouch for the store's certificate; by default those are that the platform trusts.
    #[must_use]
    pub fn tls_roots(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots = Some(pem.into());
        self
    }

    async fn open(self) -> Result<Redis, RedisError> {
        if self.prefix.contains(['{', '}']) {
            return Err(RedisError::Prefix);
        }
        let address = Address::parse(&self.url).map_err(RedisError::Url)?;
        let roots = self.roots.as_deref();
        let tls = address.has_tls().then(|| tls::config(roots)).transpose();
        let setup = Setup {
            names: Names::new(&self.prefix, address.login.db()),
            tls: tls.map_err(RedisError::Roots)?,
            address,
            scripts: Scripts::new(self.keep.messages, self.keep.idle),
            hub: random(),
        };
        // Nothing is attached yet, of which something could come.
        let why = match Lines::open(&setup, Arc::new(|_, _| {})).await {
            Ok(_) => None,
            Err(Fault::Away(why)) => Some(why),
            Err(Fault::Refusal(why)) => {
                let why = format!("Redis at {}: {why}", setup.address);
                return Err(RedisError::Refused(why));
            }
        };
        Ok(Redis {
            link: Link::new(setup, why),
            task: Mutex::default(),
        })
    }
}

impl IntoFuture for RedisConnect {
    type Output = Result<Redis, RedisError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open())
    }
}

/// Shows nothing of the URL, which may have a password.
impl fmt::Debug for RedisConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConnect")
            .field("prefix", &self.prefix)
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}

/// Redis is not to be had as it was asked for. No password is in it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedisError {
    /// The URL is wrong, for this reason.
    Url(String),
    /// The prefix has braces.
    Prefix,
    /// The roots that a certificate is held against are wrong, for this reason.
    Roots(String),
    /// It is there, and refuses, or its certificate is wrong, for this reason.
    Refused(String),
}

impl fmt::Display for RedisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(why) => write!(f, "the URL of Redis is wrong: {why}"),
            Self::Prefix => f.write_str("the prefix of names in Redis must not have braces"),
            Self::Roots(why) => write!(f, "the TLS roots for Redis are wrong: {why}"),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

/// As [`Display`](fmt::Display): it is what a `main` prints that returns it.
impl fmt::Debug for RedisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for RedisError {}

impl Backplane for Redis {
    fn start(&self, inbox: Inbox) {
        let task = tokio::spawn(Arc::clone(&self.link).run(inbox));
        let before = lock(&self.task).replace(task.abort_handle());
        if let Some(before) = before {
            before.abort();
        }
    }

    fn attach(&self, topics: Vec<Arc<str>>) -> Reply<'_, Vec<Position>> {
        // At once, so that it comes before a call that is made later.
        let attaching = self.link.attach(&topics);
        Box::pin(answered(async move {
            let mut commands = attaching?.confirmed().await?;
            self.stand(&mut commands, &topics).await
        }))
    }

    fn detach(&self, topics: Vec<Arc<str>>) {
        self.link.detach(&topics);
    }

    fn publish(&self, topic: Arc<str>, carried: Carried) -> Reply<'_, Placed, PublishFailure> {
        Box::pin(async move {
            if carried.message.len() > SIZE_MAX {
                return Err(PublishFailure::TooLarge(SIZE_MAX));
            }
            let session = self.link.session().map_err(PublishFailure::Unavailable)?;
            let (mut commands, setup) = (session.commands, &self.link.setup);
            let publish = setup
                .scripts
                .publish(&mut commands, &setup.names, &topic, &carried);
            publish.await.map_err(|failure| match failure {
                Failure::NotDone(error) => PublishFailure::Unavailable(self.unavailable(&error)),
                Failure::Unknown(error) => PublishFailure::Uncertain(self.unavailable(&error)),
            })
        })
    }

    fn read(&self, topic: Arc<str>, after: Position, limit: usize) -> Reply<'_, Page> {
        Box::pin(answered(async move {
            let (mut commands, setup) = (self.link.session()?.commands, &self.link.setup);
            let read = setup
                .scripts
                .read(&mut commands, &setup.names, &topic, after, limit);
            read.await.map_err(|error| self.unavailable(&error))
        }))
    }

    fn heads(&self, topics: Vec<Arc<str>>) -> Reply<'_, Vec<Position>> {
        Box::pin(answered(async move {
            let mut commands = self.link.session()?.commands;
            self.stand(&mut commands, &topics).await
        }))
    }

    fn renew(&self, topic: Arc<str>, epoch: u64) -> Reply<'_, Position> {
        Box::pin(answered(async move {
            let (mut commands, setup) = (self.link.session()?.commands, &self.link.setup);
            let topics = [topic];
            let heads = setup
                .scripts
                .heads(&mut commands, &setup.names, &topics, Some(epoch));
            let heads = heads.await.map_err(|error| self.unavailable(&error))?;
            Ok(heads[0])
        }))
    }
}

impl Redis {
    /// Where topics stand, with as many asked for at once as is fair to others.
    async fn stand(
        &self,
        commands: &mut ::redis::aio::MultiplexedConnection,
        topics: &[Arc<str>],
    ) -> Result<Vec<Position>, Unavailable> {
        let setup = &self.link.setup;
        let mut positions = Vec::with_capacity(topics.len());
        for batch in topics.chunks(BATCH) {
            let heads = setup.scripts.heads(commands, &setup.names, batch, None);
            positions.extend(heads.await.map_err(|error| self.unavailable(&error))?);
        }
        Ok(positions)
    }

    fn unavailable(&self, error: &Failed) -> Unavailable {
        let fault = Fault::Away(said(error)).without(self.link.setup.address.secret());
        Unavailable::new(format!(
            "Redis at {}: {}",
            self.link.setup.address,
            fault.into_text()
        ))
    }
}

/// Waits for an answer, but not for ever.
async fn answered<T>(
    answer: impl Future<Output = Result<T, Unavailable>>,
) -> Result<T, Unavailable> {
    let answer = timeout(ANSWER_LIMIT, answer).await;
    answer.unwrap_or_else(|_| Err(Unavailable::new("Redis takes too long to answer")))
}

//! What all clients of a hub share.

use talkback::http::Request;
use talkback::{OriginPolicy, Refusal};
use talkback_topics::{Slow, Topic, Topics};

use super::keys::{Keys, Rights};
use super::refused::bad;
use crate::host;

pub(super) struct Hub {
    pub(super) topics: Topics,
    pub(super) keys: Keys,
    pub(super) hosts: Vec<String>,
    pub(super) origins: OriginPolicy,
    pub(super) slow: Slow,
    /// The largest message, in bytes.
    pub(super) size_max: u64,
    /// What it counts, in Prometheus' text.
    pub(super) metrics: Box<dyn Fn() -> String + Send + Sync>,
    pub(super) kill: Kill,
}

/// Whether a client may end the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kill {
    Off,
    Allowed,
}

impl Hub {
    /// Holds a request to what is so of any: it names this machine, and comes from no page that may not come. What it may do then.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<Rights, Refusal> {
        host::check(request, &self.hosts)?;
        self.origins.check_request(request)?;
        Ok(self.keys.rights(request.headers()))
    }

    /// The topic of this name.
    ///
    /// # Errors
    /// 400 if it is none.
    pub(super) fn topic(&self, name: &str) -> Result<Topic, Refusal> {
        let topic = self.topics.topic(name);
        topic.map_err(|error| bad(error.to_string()))
    }
}

//! What is answered to a request that cannot be met.

use std::fmt;

/// An error that a client is told.
pub(crate) struct Refusal {
    pub(crate) error: String,
    pub(crate) topic: Option<String>,
    pub(crate) id: Option<String>,
}

impl Refusal {
    pub(crate) fn new(error: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            topic: None,
            id: None,
        }
    }

    pub(crate) fn of(error: impl fmt::Display) -> Self {
        Self::new(error.to_string())
    }

    pub(crate) fn topic(mut self, topic: impl Into<Option<String>>) -> Self {
        self.topic = topic.into();
        self
    }

    pub(crate) fn id(mut self, id: Option<String>) -> Self {
        self.id = id;
        self
    }
}

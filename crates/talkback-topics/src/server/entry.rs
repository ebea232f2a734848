//! A publication as a topic keeps it.

use std::sync::Arc;

use talkback::{Compression, Prepared};
use tokio::time::Instant;

use crate::position::Position;
use crate::server::form::{Form, Made, Publication};

/// A publication, shared by the topic and those that read it at the moment.
pub(crate) struct Entry {
    pub(crate) topic: Arc<str>,
    pub(crate) position: Position,
    /// The mark of the one before it.
    pub(crate) previous: Option<u16>,
    /// When it was published.
    pub(crate) at: Instant,
    pub(crate) prepared: Prepared,
    pub(crate) compression: Compression,
    /// The connection that does not get it.
    pub(crate) except: Option<u64>,
    pub(crate) made: Made,
}

impl Entry {
    /// The bytes of its payload.
    pub(crate) fn size(&self) -> usize {
        self.prepared.message().len()
    }

    /// What it takes of memory, about.
    pub(crate) fn cost(&self) -> usize {
        self.size() + size_of::<Self>()
    }

    /// What a subscriber gets that has this form.
    pub(crate) fn with<T>(&self, form: Option<&Form>, then: impl FnOnce(&Prepared) -> T) -> T {
        match form {
            None => then(&self.prepared),
            Some(form) => self.made.with(form, &self.publication(), then),
        }
    }

    fn publication(&self) -> Publication<'_> {
        Publication {
            topic: &self.topic,
            position: self.position,
            message: self.prepared.message(),
        }
    }
}

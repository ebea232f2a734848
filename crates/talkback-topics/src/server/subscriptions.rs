//! What a subscriber is subscribed to.

use std::mem;
use std::ops::{Deref, DerefMut};
use std::slice;

use crate::server::subscription::Subscription;

/// A subscriber's subscriptions, in the order in which they began. Most subscribers have one, which lies in place.
pub(crate) enum Subscriptions {
    One(Subscription),
    Many(Vec<Subscription>),
}

impl Subscriptions {
    pub(crate) fn push(&mut self, subscription: Subscription) {
        *self = match mem::take(self) {
            Self::One(first) => Self::Many(vec![first, subscription]),
            Self::Many(many) if many.is_empty() => Self::One(subscription),
            Self::Many(mut many) => {
                many.push(subscription);
                Self::Many(many)
            }
        };
    }

    pub(crate) fn remove(&mut self, index: usize) -> Subscription {
        match mem::take(self) {
            Self::One(only) => only,
            Self::Many(mut many) => {
                let removed = many.remove(index);
                *self = Self::Many(many);
                removed
            }
        }
    }
}

impl Default for Subscriptions {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Deref for Subscriptions {
    type Target = [Subscription];

    fn deref(&self) -> &[Subscription] {
        match self {
            Self::One(only) => slice::from_ref(only),
            Self::Many(many) => many,
        }
    }
}

impl DerefMut for Subscriptions {
    fn deref_mut(&mut self) -> &mut [Subscription] {
        match self {
            Self::One(only) => slice::from_mut(only),
            Self::Many(many) => many,
        }
    }
}

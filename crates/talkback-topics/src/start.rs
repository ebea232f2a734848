//! Where a subscription begins.

use crate::position::Position;

/// Where in a topic a subscription begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// With what is published from now on.
    #[default]
    Now,
    /// With so many of the last publications, as far as they are kept, and what follows.
    Last(usize),
    /// With what follows a position, if all of it is kept; else from now on.
    After(Position),
}

/// `None` is [`Start::Now`].
impl From<Option<Position>> for Start {
    fn from(after: Option<Position>) -> Self {
        after.map_or(Self::Now, Self::After)
    }
}

/// How a subscription has begun.
#[cfg(server)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    pub(crate) position: Position,
    pub(crate) is_recovered: bool,
    pub(crate) waiting: u64,
}

#[cfg(server)]
impl Begun {
    /// What the subscription begins behind.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Whether what comes continues what a client has: it begins after the position that was asked for, without a hole.
    ///
    /// If not, it begins now, and the client is to be given its state anew. With [`Start::Now`] and [`Start::Last`], by which no
    /// position is asked for, it is not.
    pub fn is_recovered(&self) -> bool {
        self.is_recovered
    }

    /// How many publications come of what was published before.
    pub fn waiting(&self) -> u64 {
        self.waiting
    }
}

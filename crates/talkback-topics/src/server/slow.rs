//! What becomes of those who read too slowly.

/// What becomes of a subscriber that is too far behind: what it has to get next is not kept any more, or has waited longer than
/// [`lag_max`](crate::Subscriber::lag_max).
///
/// Nobody waits for it, and it holds no memory: what it has not got lies in the topic alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Slow {
    /// It ends: [`pump`](crate::Subscriber::pump) closes the connection with 1013, "too slow", and
    /// [`next`](crate::Subscriber::next) fails with [`TooSlow`](crate::TooSlow). The client comes back with its position.
    #[default]
    Close,
    /// It misses what is not kept, or, if that has waited too long, all that was published so far; and is told of it by a
    /// [`Gap`](crate::Gap), before what follows.
    Skip,
    /// It only ever gets a topic's newest publication, and is told of nothing: for values of which an older one is of no use.
    ///
    /// What the system has taken for a connection is older. On a server's sockets, `TCP_NOTSENT_LOWAT` of 16 KiB keeps that
    /// small.
    Latest,
}

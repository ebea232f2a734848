//! What became of a message.

/// What became of a message; see [`send_tracked`](crate::WebSocketChannel::send_tracked).
///
/// A WebSocket has no acknowledgement: that the peer has read a message is known only from what it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fate {
    /// It was written as a whole on this connection: to the operating system, or to the browser's network.
    Written {
        /// The number of the connection, counted from 1.
        connection: u64,
    },
    /// This connection had it, and was lost: the peer may have got it, or not. It is not sent again.
    Unknown {
        /// The number of the connection, counted from 1.
        connection: u64,
    },
    /// It was taken out of the queue, as there was no room or it was too old.
    Dropped,
    /// The channel has ended before it was handed to a connection.
    Unsent,
}

//! The rows: what is sent, and over how many connections.

/// What a message is made of.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Content {
    Binary,
    Ascii,
    Korean,
}

#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// Each connection sends its next message, or burst of messages, once the last was echoed.
    Echo(Content),
    /// The same with permessage-deflate.
    Compressed,
    /// One connection sends its next message once the server has sent the last to all.
    Broadcast,
    /// The same with permessage-deflate: it is sent as it is, and comes compressed.
    BroadcastCompressed,
    /// One connection publishes to topics, of which each has subscribed to some.
    Many,
    /// Connect, open, reset.
    Handshake,
    /// Connections that nothing passes over, and what they hold.
    Idle,
    /// An open loop: messages that are due at a fixed rate.
    Latency,
}

pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) connections: usize,
    /// How many messages leave in one write; the next one follows once all of them were echoed.
    pub(crate) frames: usize,
    /// The payload of each, in bytes.
    pub(crate) size: usize,
}

const fn row(
    name: &'static str,
    connections: usize,
    frames: usize,
    size: usize,
    shape: Shape,
) -> Row {
    Row {
        name,
        shape,
        connections,
        frames,
        size,
    }
}

const BINARY: Shape = Shape::Echo(Content::Binary);
const ASCII: Shape = Shape::Echo(Content::Ascii);

pub(crate) const ROWS: &[Row] = &[
    row("64x100", 100, 1, 64, BINARY),
    row("64-text", 100, 1, 64, ASCII),
    row("1kx500", 500, 1, 1 << 10, BINARY),
    row("16kx200", 200, 1, 16 << 10, BINARY),
    row("16k-korean", 200, 1, 16 << 10, Shape::Echo(Content::Korean)),
    row("1mx10", 10, 1, 1 << 20, BINARY),
    row("burst", 32, 64, 20, BINARY),
    row("burst-text", 32, 64, 20, ASCII),
    row("compressed-1k", 100, 1, 1 << 10, Shape::Compressed),
    row("compressed-16k", 100, 1, 16 << 10, Shape::Compressed),
    row("broadcast-64", 10_000, 1, 64, Shape::Broadcast),
    row("broadcast-1k", 10_000, 1, 1 << 10, Shape::Broadcast),
    row("broadcast-16k", 10_000, 1, 16 << 10, Shape::Broadcast),
    row("broadcast-burst", 10_000, 16, 64, Shape::Broadcast),
    row("broadcast-many", 10_000, 10_000, 64, Shape::Many),
    row(
        "broadcast-compressed-1k",
        10_000,
        1,
        1 << 10,
        Shape::BroadcastCompressed,
    ),
    row("handshake", 16, 1, 0, Shape::Handshake),
    row("idle", 4000, 1, 64, Shape::Idle),
    row("latency", 100, 1, 64, Shape::Latency),
];

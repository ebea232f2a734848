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

const fn echo(
    name: &'static str,
    connections: usize,
    frames: usize,
    size: usize,
    content: Content,
) -> Row {
    Row {
        name,
        shape: Shape::Echo(content),
        connections,
        frames,
        size,
    }
}

pub(crate) const ROWS: &[Row] = &[
    echo("64x100", 100, 1, 64, Content::Binary),
    echo("64-text", 100, 1, 64, Content::Ascii),
    echo("1kx500", 500, 1, 1 << 10, Content::Binary),
    echo("16kx200", 200, 1, 16 << 10, Content::Binary),
    echo("16k-korean", 200, 1, 16 << 10, Content::Korean),
    echo("1mx10", 10, 1, 1 << 20, Content::Binary),
    echo("burst", 32, 64, 20, Content::Binary),
    echo("burst-text", 32, 64, 20, Content::Ascii),
];

//! The compressors: ours at each level, as a server's connection uses them, and those of others.

use bytes::Buf;
use flate2::{Compress, FlushCompress};
use talkback_proto::{CompressionLevel, Connection, DeflateParameters, DeflateTuning, Limits};

/// What compresses one message after another.
pub(crate) trait Compressor {
    /// Begins a new connection.
    fn begin(&mut self);
    /// How many bytes the message takes.
    fn compress(&mut self, message: &str) -> usize;
}

/// `alone` has no context takeover.
pub(crate) const NAMES: [&str; 21] = [
    "alone-1",
    "alone-2",
    "alone-3",
    "alone-4",
    "alone-5",
    "alone-6",
    "alone-7",
    "alone-8",
    "alone-9",
    "alone-libdeflate",
    "takeover-1",
    "takeover-2",
    "takeover-3",
    "takeover-4",
    "takeover-5",
    "takeover-6",
    "takeover-7",
    "takeover-8",
    "takeover-9",
    "takeover-yawc-fast",
    "takeover-yawc-default",
];

pub(crate) fn compressor(name: &str) -> Box<dyn Compressor> {
    match name {
        "alone-libdeflate" => Box::new(Libdeflate::new()),
        "takeover-yawc-fast" => Box::new(Flate2::new(1)),
        "takeover-yawc-default" => Box::new(Flate2::new(6)),
        _ => {
            let (takeover, level) = name.split_once('-').expect("a name of the list");
            Box::new(Ours::new(
                takeover == "alone",
                level.parse().expect("a level"),
            ))
        }
    }
}

/// A server's connection.
struct Ours {
    parameters: DeflateParameters,
    connection: Connection,
}

impl Ours {
    fn new(is_alone: bool, level: u8) -> Self {
        let level = CompressionLevel::new(level).expect("from 1 to 9");
        let parameters = DeflateParameters::default()
            .server_no_context_takeover(is_alone)
            .tuning(DeflateTuning::default().level(level).threshold(0));
        Self {
            connection: connection(&parameters),
            parameters,
        }
    }
}

fn connection(parameters: &DeflateParameters) -> Connection {
    Connection::server(Limits::default()).with_deflate(parameters)
}

impl Compressor for Ours {
    fn begin(&mut self) {
        self.connection = connection(&self.parameters);
    }

    fn compress(&mut self, message: &str) -> usize {
        self.connection.send(message).expect("it is open");
        let output = self.connection.output();
        let size = output.remaining();
        output.advance(size);
        size
    }
}

struct Libdeflate {
    compressor: libdeflater::Compressor,
    buffer: Vec<u8>,
}

impl Libdeflate {
    fn new() -> Self {
        let level = libdeflater::CompressionLvl::default();
        Self {
            compressor: libdeflater::Compressor::new(level),
            buffer: vec![0; 64 * 1024],
        }
    }
}

impl Compressor for Libdeflate {
    fn begin(&mut self) {}

    fn compress(&mut self, message: &str) -> usize {
        let size = self
            .compressor
            .deflate_compress(message.as_bytes(), &mut self.buffer);
        // With an empty block behind the last one (RFC 7692 §7.2.3.4), and a header.
        let size = size.expect("it has room") + 1;
        size + if size < 126 { 2 } else { 4 }
    }
}

/// In the same steps as yawc: a partial flush, and then a sync flush.
struct Flate2 {
    level: u32,
    compress: Compress,
    buffer: Vec<u8>,
}

impl Flate2 {
    fn new(level: u32) -> Self {
        Self {
            level,
            compress: Compress::new(flate2::Compression::new(level), false),
            buffer: Vec::with_capacity(64 * 1024),
        }
    }
}

impl Compressor for Flate2 {
    fn begin(&mut self) {
        self.compress = Compress::new(flate2::Compression::new(self.level), false);
    }

    fn compress(&mut self, message: &str) -> usize {
        self.buffer.clear();
        for (part, flush) in [
            (message.as_bytes(), FlushCompress::Partial),
            (&[], FlushCompress::Sync),
        ] {
            let step = self.compress.compress_vec(part, &mut self.buffer, flush);
            step.expect("it has room");
        }
        let size = self.buffer.len() - 4;
        size + if size < 126 { 2 } else { 4 }
    }
}

//! permessage-deflate: messages that were compressed before the clock starts, and echoes that nobody can foresee.

use anyhow::{Context, Result, bail};
use corpus::Kind;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

use crate::check::Check;
use crate::connection::connect;
use crate::echoes::{Connection, measure};
use crate::frames::{TEXT, header, push_masked};
use crate::options::Options;
use crate::report::Report;

const RSV1: u8 = 0x40;
/// What ends a flush, and is not sent (RFC 7692, §7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

pub(crate) fn run(options: &Options) -> Result<String> {
    let offer = options.offer.as_deref().unwrap_or("permessage-deflate");
    let streams = (0..options.connections).map(|_| connect(options.address, Some(offer)));
    let (streams, mut extensions): (Vec<_>, Vec<_>) =
        streams.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    let extension = compressing(extensions.swap_remove(0))?;
    let messages = messages(options.row.size);
    let (writes, sent) = compress(&messages, !extension.contains("client_no_context_takeover"));
    // All start at the first, as nothing before it is needed to inflate it.
    let start = |stream| Connection::new(stream, messages.len() - 1);
    let connections = streams.into_iter().map(start).collect();
    let mut check = Inflating::new(messages, options.connections, &extension);
    let frames: Vec<&[u8]> = writes.iter().map(Vec::as_slice).collect();
    let spent = measure(options, &frames, connections, &mut check)?;
    let mut report = Report::new(options);
    report.add("extension", format_args!("{extension:?}"));
    report.add("bytes_in_each", sent / writes.len());
    report.add("bytes_out_each", check.bytes_each());
    report.add_spent(options, &spent);
    Ok(report.end())
}

/// What was agreed on, if that is compression.
pub(crate) fn compressing(extension: String) -> Result<String> {
    if !extension.starts_with("permessage-deflate") {
        bail!("the server does not compress");
    }
    Ok(extension)
}

/// Feeds of JSON, one after the other, as a connection carries one at a time.
pub(crate) fn messages(size: usize) -> Vec<Vec<u8>> {
    let feed = |&kind: &Kind| corpus::messages(kind, size, 16);
    Kind::JSON
        .iter()
        .flat_map(feed)
        .map(String::into_bytes)
        .collect()
}

/// The frame of each message, and how long their payloads are together.
fn compress(messages: &[Vec<u8>], has_takeover: bool) -> (Vec<Vec<u8>>, usize) {
    let (mut compress, mut sent) = (Compress::new(Compression::default(), false), 0);
    let frame = |message: &Vec<u8>| {
        let mut payload = Vec::with_capacity(message.len() + 64);
        // In memory, and there is room: it cannot fail.
        let _ = compress.compress_vec(message, &mut payload, FlushCompress::Sync);
        payload.truncate(payload.len() - TAIL.len());
        if !has_takeover {
            compress.reset();
        }
        sent += payload.len();
        let mut frame = Vec::new();
        push_masked(&mut frame, RSV1 | TEXT, &payload);
        frame
    };
    (messages.iter().map(frame).collect(), sent)
}

struct Peer {
    /// The beginning of a frame, the rest of which has not come.
    begun: Vec<u8>,
    inflate: Decompress,
}

impl Peer {
    fn new() -> Self {
        Self {
            begun: Vec::new(),
            inflate: Decompress::new(false),
        }
    }
}

pub(crate) struct Inflating {
    messages: Vec<Vec<u8>>,
    has_takeover: bool,
    /// The last payload of each message that was inflated and found right: without takeover, a server that compresses
    /// it again makes the same of it, and comparing costs less.
    known: Vec<Vec<u8>>,
    peers: Vec<Peer>,
    inflated: Vec<u8>,
    echoes: usize,
    bytes: usize,
}

impl Check for Inflating {
    fn take<'a>(
        &mut self,
        connection: usize,
        round: usize,
        came: &'a [u8],
    ) -> Result<(&'a [u8], bool)> {
        let begun = std::mem::take(&mut self.peers[connection].begun);
        let before = begun.len();
        let mut joined = begun;
        let bytes = if before == 0 {
            came
        } else {
            joined.extend_from_slice(came);
            &joined
        };
        let Some((first, payload)) =
            header(bytes).filter(|(_, payload)| payload.end <= bytes.len())
        else {
            self.peers[connection].begun = bytes.to_vec();
            return Ok((&[], false));
        };
        let rest = &came[payload.end - before..];
        // Pings and pongs.
        if matches!(first, 0x89 | 0x8a) {
            return Ok((rest, false));
        }
        self.echoes += 1;
        self.bytes += payload.len();
        self.verify(connection, round, first, &bytes[payload])?;
        Ok((rest, true))
    }
}

impl Inflating {
    /// For so many connections that have agreed on this extension.
    pub(crate) fn new(messages: Vec<Vec<u8>>, connections: usize, extension: &str) -> Self {
        Self {
            has_takeover: !extension.contains("server_no_context_takeover"),
            known: vec![Vec::new(); messages.len()],
            messages,
            peers: (0..connections).map(|_| Peer::new()).collect(),
            inflated: Vec::new(),
            echoes: 0,
            bytes: 0,
        }
    }

    /// How many bytes a payload has had.
    pub(crate) fn bytes_each(&self) -> usize {
        self.bytes / self.echoes.max(1)
    }

    fn verify(&mut self, connection: usize, round: usize, first: u8, payload: &[u8]) -> Result<()> {
        let message = &self.messages[round];
        let is_right = match first {
            0x81 => payload == message,
            0xc1 if !self.has_takeover && payload == self.known[round] => true,
            0xc1 => {
                let inflate = &mut self.peers[connection].inflate;
                self.inflated.clear();
                // A byte more, lest it stop before what ends the message.
                self.inflated.reserve(message.len() + 1);
                for piece in [payload, &TAIL] {
                    inflate
                        .decompress_vec(piece, &mut self.inflated, FlushDecompress::Sync)
                        .context("inflating")?;
                }
                if !self.has_takeover {
                    inflate.reset(false);
                    self.known[round] = payload.to_vec();
                }
                self.inflated == *message
            }
            _ => bail!("a frame that begins with {first:02x}"),
        };
        if !is_right {
            bail!("the echo of message {round} differs");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether echoes that were compressed with or without takeover are taken as such.
    fn take(is_sent_with: bool, is_agreed: bool, damage: impl Fn(&mut Vec<u8>)) -> Result<()> {
        let messages = messages(1 << 10);
        let mut compress = Compress::new(Compression::default(), false);
        let extension = match is_agreed {
            true => "",
            false => "server_no_context_takeover",
        };
        let mut check = Inflating::new(messages, 1, extension);
        // Twice, as the second time it is only compared.
        for round in (0..check.messages.len()).chain(0..check.messages.len()) {
            let mut frame = echo(&mut compress, &check.messages[round]);
            if !is_sent_with {
                compress.reset();
            }
            damage(&mut frame);
            let (begin, end) = frame.split_at(3);
            assert_eq!(check.take(0, round, begin)?, (&[][..], false));
            assert_eq!(check.take(0, round, end)?, (&[][..], true));
        }
        Ok(())
    }

    /// A server's frame.
    fn echo(compress: &mut Compress, message: &[u8]) -> Vec<u8> {
        let mut payload = Vec::with_capacity(message.len() + 64);
        compress
            .compress_vec(message, &mut payload, FlushCompress::Sync)
            .unwrap();
        payload.truncate(payload.len() - TAIL.len());
        let len = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [&[0xc1, 126, len[0], len[1]], &payload[..]].concat()
    }

    #[test]
    fn echoes_are_inflated_as_agreed() {
        take(true, true, |_| ()).unwrap();
        take(false, true, |_| ()).unwrap();
        take(false, false, |_| ()).unwrap();
        take(true, false, |_| ()).unwrap_err();
    }

    #[test]
    fn another_payload_is_an_error() {
        take(false, false, |frame| frame[40] ^= 1).unwrap_err();
    }
}

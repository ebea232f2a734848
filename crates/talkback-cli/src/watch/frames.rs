//! Frames out of the bytes of a connection (RFC 6455 §5.2), as lines.

use std::fmt::Write as _;

use talkback_terminal::show::escaped;

/// How much of a payload is shown, in bytes.
const SHOWN: usize = 60;

/// The longest header: two bytes, a length of eight, a masking key of four.
const HEADER_SIZE_MAX: usize = 14;

/// What has come of a frame.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: Vec<u8>,
    /// How many bytes of the payload are still to come, once the header is complete.
    left: Option<u64>,
    /// The beginning of the payload.
    shown: Vec<u8>,
}

impl Frames {
    /// Takes bytes; returns a line for each frame that is complete by now.
    pub(super) fn handle(&mut self, mut bytes: &[u8], mark: char) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let Some(left) = self.left else {
                let Some((byte, rest)) = bytes.split_first() else {
                    return lines;
                };
                self.header.push(*byte);
                bytes = rest;
                self.left = payload_size(&self.header);
                // An empty one is complete by now.
                if self.left == Some(0) {
                    lines.push(self.finish(mark));
                }
                continue;
            };
            if bytes.is_empty() {
                return lines;
            }
            let size = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let (payload, rest) = bytes.split_at(size);
            let space = SHOWN - self.shown.len();
            self.shown.extend_from_slice(&payload[..size.min(space)]);
            bytes = rest;
            self.left = Some(left - size as u64);
            if self.left == Some(0) {
                lines.push(self.finish(mark));
            }
        }
    }

    /// The frame's line; the next one begins.
    fn finish(&mut self, mark: char) -> String {
        let Self { header, shown, .. } = std::mem::take(self);
        let mut shown = shown;
        let size = payload_size(&header).unwrap_or(0);
        if header[1] & 0x80 != 0 {
            let key = &header[header.len() - 4..];
            let keys = key.iter().cycle();
            shown
                .iter_mut()
                .zip(keys)
                .for_each(|(byte, key)| *byte ^= key);
        }
        let opcode = header[0] & 0x0f;
        let mut line = format!("{mark} {}", name_of(opcode));
        if header[0] & 0x40 != 0 {
            line.push_str(", compressed");
        }
        if header[0] & 0x80 == 0 {
            line.push_str(", not the last");
        }
        let _ = write!(line, ", {size} bytes");
        if let Some(payload) = payload(header[0], &shown) {
            let cut = match size > shown.len() as u64 {
                true => " …",
                false => "",
            };
            let _ = write!(line, ": {payload}{cut}");
        }
        line
    }
}

/// The payload's size, once the header is complete.
fn payload_size(header: &[u8]) -> Option<u64> {
    let masked = header.get(1)? & 0x80 != 0;
    let short = header[1] & 0x7f;
    let extended = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let size = 2 + extended + if masked { 4 } else { 0 };
    debug_assert!(size <= HEADER_SIZE_MAX);
    if header.len() < size {
        return None;
    }
    let number = header[2..2 + extended].iter();
    Some(match extended {
        0 => u64::from(short),
        _ => number.fold(0, |number, byte| number << 8 | u64::from(*byte)),
    })
}

fn name_of(opcode: u8) -> String {
    match opcode {
        0 => "continuation",
        1 => "text",
        2 => "binary",
        8 => "close",
        9 => "ping",
        10 => "pong",
        opcode => return format!("opcode {opcode}"),
    }
    .to_owned()
}

/// What is shown of a payload: text as text, others in hexadecimal; of a close frame the code and the reason.
fn payload(first: u8, bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() {
        return None;
    }
    let is_compressed = first & 0x40 != 0;
    Some(match first & 0x0f {
        1 if !is_compressed => escaped(&String::from_utf8_lossy(bytes)),
        8 if bytes.len() >= 2 => {
            let code = u16::from_be_bytes([bytes[0], bytes[1]]);
            let reason = String::from_utf8_lossy(&bytes[2..]);
            escaped(format!("{code} {reason}").trim_end())
        }
        _ => hex::encode(bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_frame_has_its_line_however_it_is_cut() {
        let long = [&[0x02, 126, 1, 0][..], &[7; 256]].concat();
        let masked = [0x81, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2];
        let bytes = [
            &b"\x81\x05Hello"[..],
            &masked,
            &long,
            b"\x80\x00",
            b"\xc1\x02\xf2\x00",
            b"\x89\x00",
            b"\x88\x05\x0f\xa0bye",
        ]
        .concat();
        let sevens = "07".repeat(SHOWN);
        let expected = [
            "< text, 5 bytes: Hello",
            "< text, 2 bytes: hi",
            &format!("< binary, not the last, 256 bytes: {sevens} …"),
            "< continuation, 0 bytes",
            "< text, compressed, 2 bytes: f200",
            "< ping, 0 bytes",
            "< close, 5 bytes: 4000 bye",
        ];
        assert_eq!(Frames::default().handle(&bytes, '<'), expected);
        let mut frames = Frames::default();
        let each = bytes.iter().flat_map(|byte| frames.handle(&[*byte], '<'));
        assert_eq!(each.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_length_of_eight_bytes_is_read() {
        let mut frames = Frames::default();
        let bytes = [&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0][..], &[0; 65_536]].concat();
        let lines = frames.handle(&bytes, '>');
        assert!(
            lines[0].starts_with("> binary, 65536 bytes: 0000"),
            "{lines:?}"
        );
    }
}

//! The target `stream_send`: messages of unknown length, sent in fragments of every kind.

use std::time::Instant;

use bytes::Buf;
use talkback_proto::{
    CloseCause, CloseCode, CloseFrame, Compression, Connection, DeflateParameters, DeflateTuning,
    Fin, Incoming, Limits, Message, MessageKind, Role, SendError,
};
use talkback_testing::heap;
use talkback_testing::reference::Reference;
use talkback_testing::wire::{
    self, BINARY, CLOSE, CONTINUATION, FIN, Frame, PING, PONG, RSV1, TEXT,
};

use crate::deflate;
use crate::outcome::Seen;
use crate::plan::{Action, Path, Plan, Writes};
use crate::reader::{self, Keeping, Reader};
use crate::script::{self, Call};
use crate::session::Session;

/// Where this bit of the first byte stands, no compression was negotiated.
const PLAIN: u8 = 0x10;

/// A compressor at its largest and the thread's buffers, in bytes.
const BASE: usize = 700 * 1024;
/// The output, what was drained of it, a gathered fragment and a compressed one; the buffers of
/// some grow to twice what they had.
const RATIO: usize = 8;

type Outcome = Result<(), SendError>;

/// Sends by the calls that the input says, and holds that each call ends as the rules have it, and
/// that the bytes are frames by the rules, which a receiver makes the same messages of, whole or in
/// pieces. The first byte says what was negotiated, the second what is worth compressing, the next
/// two how the receiver reads.
pub fn check(input: &[u8]) {
    let [negotiated, tuning, first, second, rest @ ..] = input else {
        return;
    };
    let (role, parameters) = deflate::negotiated(*negotiated);
    let tuning = DeflateTuning::default().threshold(usize::from(tuning & 0x7F));
    let parameters = parameters.tuning(tuning);
    let parameters = (negotiated & PLAIN == 0).then_some(parameters);
    let calls = script::read(rest);
    let expected = Expected::of(&calls);

    let (outcomes, wire) = play(role, parameters.as_ref(), &calls);
    assert_eq!(outcomes, expected.outcomes, "{calls:?}");
    let frames = wire::parse(&wire);
    check_frames(role, parameters.as_ref(), &frames, &expected);
    let sizes = [*first, *second, *first].map(|byte| usize::from(byte) * 32 + 1);
    receive(role, parameters.as_ref(), &wire, sizes, &expected);
    check_heap(role, parameters.as_ref(), &calls);
}

/// What the calls must come to.
#[derive(Debug, Default)]
struct Expected {
    outcomes: Vec<Outcome>,
    incoming: Vec<Incoming>,
    /// The message in fragments that has not ended.
    unfinished: Option<(MessageKind, Vec<u8>)>,
    is_closed: bool,
}

impl Expected {
    fn of(calls: &[Call]) -> Self {
        let mut expected = Self::default();
        for call in calls {
            let outcome = expected.call(call);
            expected.outcomes.push(outcome);
        }
        expected
    }

    fn call(&mut self, call: &Call) -> Outcome {
        match call {
            Call::Write(_) => return Ok(()),
            Call::Close => {
                self.is_closed = true;
                return Ok(());
            }
            _ if self.is_closed => return Err(SendError::Closed),
            _ => {}
        }
        match call {
            Call::Begin(..) | Call::SendText(_) if self.unfinished.is_some() => {
                return Err(SendError::MessageUnfinished);
            }
            Call::Begin(kind, _) => self.unfinished = Some((*kind, Vec::new())),
            Call::SendText(text) => self.incoming.push(Incoming::Message((*text).into())),
            Call::Gather(piece) => self.add(piece, Fin::More)?,
            Call::Fragment(piece, fin) => self.add(piece, *fin)?,
            Call::Ping(payload) | Call::Pong(payload) if payload.len() > 125 => {
                return Err(SendError::ControlTooLong(payload.len()));
            }
            Call::Ping(payload) => self.incoming.push(Incoming::Ping(payload.clone().into())),
            Call::Pong(payload) => self.incoming.push(Incoming::Pong(payload.clone().into())),
            Call::Write(_) | Call::Close => {}
        }
        Ok(())
    }

    fn add(&mut self, piece: &[u8], fin: Fin) -> Outcome {
        let (kind, mut bytes) = self.unfinished.take().ok_or(SendError::NoMessage)?;
        let size = bytes.len();
        bytes.extend_from_slice(piece);
        if kind == MessageKind::Text
            && let Err(error) = std::str::from_utf8(&bytes)
            && (error.error_len().is_some() || fin == Fin::Last)
        {
            // The message is as it was.
            bytes.truncate(size);
            self.unfinished = Some((kind, bytes));
            return Err(SendError::InvalidUtf8);
        }
        match fin {
            Fin::More => self.unfinished = Some((kind, bytes)),
            Fin::Last => self.incoming.push(Incoming::Message(message(kind, bytes))),
        }
        Ok(())
    }
}

fn message(kind: MessageKind, bytes: Vec<u8>) -> Message {
    match kind {
        MessageKind::Text => String::from_utf8(bytes).expect("it was validated").into(),
        MessageKind::Binary => bytes.into(),
    }
}

fn end(role: Role, parameters: Option<&DeflateParameters>) -> Connection {
    let connection = match role {
        Role::Client => Connection::client(Limits::default(), || wire::KEY),
        Role::Server => Connection::server(Limits::default()),
    };
    match parameters {
        Some(parameters) => connection.with_deflate(parameters),
        None => connection,
    }
}

/// How each call ended, and all that was written.
fn play(
    role: Role,
    parameters: Option<&DeflateParameters>,
    calls: &[Call],
) -> (Vec<Outcome>, Vec<u8>) {
    let (mut connection, now) = (end(role, parameters), Instant::now());
    let (mut outcomes, mut wire) = (Vec::new(), Vec::new());
    for call in calls {
        let outcome = match call.clone() {
            Call::Begin(kind, compression) => connection.begin_message(kind, compression),
            Call::Gather(piece) => connection.gather(&piece),
            Call::Fragment(piece, fin) => connection.send_fragment(piece, fin),
            Call::SendText(text) => connection.send_with(text, Compression::Auto),
            Call::Ping(payload) => connection.ping(payload),
            Call::Pong(payload) => connection.pong(payload),
            Call::Close => {
                let frame = CloseFrame::new(CloseCode::NORMAL, "").expect("it may be sent");
                connection.close(Some(frame), now);
                Ok(())
            }
            Call::Write(size) => {
                write(&mut connection, size, &mut wire);
                Ok(())
            }
        };
        outcomes.push(outcome);
    }
    write(&mut connection, usize::MAX, &mut wire);
    (outcomes, wire)
}

fn write(connection: &mut Connection, size: usize, wire: &mut Vec<u8>) {
    let size = size.min(connection.output().remaining());
    wire.extend_from_slice(&connection.output().copy_to_bytes(size));
}

/// Holds the frames against RFC 6455 §5 and RFC 7692 §6.1, and their payloads, by another inflate,
/// against what was to be sent.
fn check_frames(
    role: Role,
    parameters: Option<&DeflateParameters>,
    frames: &[Frame],
    expected: &Expected,
) {
    let mut payloads = Payloads::new(role, parameters);
    let (mut open, mut incoming): (Option<(u8, Vec<u8>)>, Vec<Incoming>) = (None, Vec::new());
    for (at, frame) in frames.iter().enumerate() {
        assert_eq!(frame.key.is_some(), role == Role::Client, "§5.1");
        let payload = &frame.payload;
        match frame.first & 0x0F {
            PING | PONG | CLOSE => {
                assert!(frame.first & 0xF0 == FIN && payload.len() <= 125, "§5.5");
                match frame.first & 0x0F {
                    PING => incoming.push(Incoming::Ping(payload.clone().into())),
                    PONG => incoming.push(Incoming::Pong(payload.clone().into())),
                    _ => assert!(at == frames.len() - 1 && expected.is_closed, "§5.5.1"),
                }
                continue;
            }
            CONTINUATION => assert!(open.is_some() && frame.first & 0x70 == 0, "§5.4"),
            _ => assert!(open.is_none(), "§5.4"),
        }
        let (first, mut bytes) = open.take().unwrap_or((frame.first, Vec::new()));
        bytes.extend_from_slice(payload);
        if frame.first & FIN != 0 {
            incoming.push(Incoming::Message(payloads.message(first, &bytes)));
        } else {
            assert!(!payload.is_empty(), "an empty fragment only ends a message");
            open = Some((first, bytes));
        }
    }
    assert_eq!(incoming, expected.incoming);
    assert!(open.is_none() || expected.is_closed || expected.unfinished.is_some());
}

/// Reads payloads as another implementation would.
struct Payloads {
    inflate: Reference,
    is_negotiated: bool,
    is_context_kept: bool,
    distance_max: usize,
}

impl Payloads {
    fn new(role: Role, parameters: Option<&DeflateParameters>) -> Self {
        let deflate = parameters.copied().unwrap_or_default();
        Self {
            inflate: Reference::default(),
            is_negotiated: parameters.is_some(),
            is_context_kept: deflate.has_context_takeover(role),
            distance_max: 1 << deflate.window_bits(role).get(),
        }
    }

    fn message(&mut self, first: u8, payload: &[u8]) -> Message {
        let bytes = if first & RSV1 == 0 {
            payload.to_vec()
        } else {
            assert!(self.is_negotiated, "RFC 7692 §6");
            let bytes = self.inflate.message(payload);
            assert!(self.inflate.distance_max <= self.distance_max, "§7.1.2");
            if !self.is_context_kept {
                self.inflate.reset();
            }
            bytes
        };
        match first & 0x3F {
            TEXT => message(MessageKind::Text, bytes),
            BINARY => message(MessageKind::Binary, bytes),
            other => panic!("a message begins with the opcode {other:#x}"),
        }
    }
}

/// Holds that the peer gets the same messages whole and in pieces, in reads of any size.
fn receive(
    role: Role,
    parameters: Option<&DeflateParameters>,
    wire: &[u8],
    sizes: [usize; 3],
    expected: &Expected,
) {
    let peer = match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    };
    let plan = Plan {
        role: peer,
        limits: Limits::default(),
        writes: Writes::AtOnce,
        path: Path::Message,
        sizes,
        action: Action::Nothing,
        action_at: 0,
        wire: wire.to_vec(),
    };
    let session = || {
        Session::new(
            &plan,
            plan.path,
            end(peer, parameters),
            Some(Seen::default()),
        )
    };
    let reader = Reader::new(reader::Plan::all_pieces(), Keeping::Messages, usize::MAX);
    for session in [session(), session().read_by(reader)] {
        let outcome = session.play(&plan, &plan.sizes);
        assert_eq!(outcome.seen.incoming, expected.incoming);
        match outcome.info.cause {
            CloseCause::ClosingHandshake => assert!(expected.is_closed && outcome.info.clean),
            CloseCause::Transport(_) => assert!(!expected.is_closed),
            cause => panic!("what was sent broke a rule: {cause:?}"),
        }
    }
}

fn check_heap(role: Role, parameters: Option<&DeflateParameters>, calls: &[Call]) {
    let size: usize = calls.iter().map(payload_size).sum();
    let (_, heap) = heap::measure(|| play(role, parameters, calls));
    let bound = BASE + RATIO * size;
    assert!(heap.peak <= bound as isize, "{heap:?}, over {bound}");
}

fn payload_size(call: &Call) -> usize {
    match call {
        Call::Gather(bytes) | Call::Fragment(bytes, _) | Call::Ping(bytes) | Call::Pong(bytes) => {
            bytes.len()
        }
        Call::SendText(text) => text.len(),
        Call::Begin(..) | Call::Close | Call::Write(_) => 0,
    }
}

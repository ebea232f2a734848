//! Replays what a peer sends, cut in every way and through both receive paths.

pub(crate) mod deflate;
pub(crate) mod driver;
pub(crate) mod wire;

use std::time::Instant;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use talkback_proto::{
    CloseCause, CloseCode, CloseInfo, Connection, Incoming, Initiator, Limits, Message,
    ProtocolError, READ_SIZE, Role,
};

pub(crate) const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// What the transport says when it ends.
pub(crate) const END: &str = "the peer went away";

/// Up to this size a vector is cut at every byte; a longer one at its ends and at samples.
const CUT_SIZE_MAX: usize = 4 * 1024;

/// All that can be seen of a connection that was handed some bytes and then the transport's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) incoming: Vec<Incoming>,
    pub(crate) output: Vec<u8>,
    pub(crate) wants_read: bool,
    pub(crate) wants_shutdown: bool,
    pub(crate) info: CloseInfo,
}

impl Outcome {
    /// The frames of the output.
    pub(crate) fn frames(&self) -> Vec<wire::Frame> {
        wire::parse(&self.output)
    }

    /// The payloads of the frames of the output.
    pub(crate) fn payloads(&self) -> Vec<(u8, Vec<u8>)> {
        let frames = self.frames().into_iter();
        frames.map(|frame| (frame.first, frame.payload)).collect()
    }
}

/// Which way arriving bytes take.
#[derive(Clone, Copy, Debug)]
enum Path {
    /// Always through the read buffer.
    Buffer,
    /// Into the message itself where the connection offers space.
    Space,
}

/// When the output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drain {
    AtOnce,
    AtEnd,
}

/// A connection whose masking keys count from 1.
pub(crate) fn connection(role: Role, limits: &Limits) -> Connection {
    match role {
        Role::Client => {
            let mut count = 0u32;
            let keys = move || {
                count += 1;
                count.to_be_bytes()
            };
            Connection::client(limits.clone(), keys)
        }
        Role::Server => Connection::server(limits.clone()),
    }
}

/// Takes all of the output.
pub(crate) fn drain(connection: &mut Connection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while connection.output().has_remaining() {
        let size = connection.output().remaining();
        bytes.extend_from_slice(&connection.output().copy_to_bytes(size));
    }
    bytes
}

/// Hands `bytes` in through the read buffer and drops what they bring.
pub(crate) fn receive(connection: &mut Connection, bytes: &[u8], now: Instant) -> Vec<Incoming> {
    let mut input = BytesMut::from(bytes);
    std::iter::from_fn(|| connection.receive(&mut input, || now)).collect()
}

struct Run {
    path: Path,
    drain: Drain,
    now: Instant,
    connection: Connection,
    incoming: Vec<Incoming>,
    output: Vec<u8>,
}

impl Run {
    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let size = match self.path {
                Path::Space => self.feed_space(bytes),
                Path::Buffer => None,
            };
            let size = size.unwrap_or_else(|| self.feed_buffer(bytes));
            bytes = &bytes[size..];
        }
    }

    /// What a read into the message itself takes, if there is space.
    fn feed_space(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut space = self.connection.space()?;
        let size = space.remaining_mut().min(bytes.len());
        assert!(size > 0, "space takes at least one byte");
        space.put_slice(&bytes[..size]);
        self.take_all(&mut BytesMut::new());
        Some(size)
    }

    /// What one read into the read buffer takes.
    fn feed_buffer(&mut self, bytes: &[u8]) -> usize {
        let size = match self.path {
            Path::Space => bytes.len().min(READ_SIZE),
            Path::Buffer => bytes.len(),
        };
        self.take_all(&mut BytesMut::from(&bytes[..size]));
        size
    }

    /// Takes all that comes of what was read.
    fn take_all(&mut self, input: &mut BytesMut) {
        loop {
            let incoming = self.connection.receive(input, || self.now);
            let is_used_up = incoming.is_none();
            self.take(incoming);
            if is_used_up {
                assert!(input.is_empty() && !self.connection.has_more());
                return;
            }
        }
    }

    fn take(&mut self, incoming: Option<Incoming>) {
        self.incoming.extend(incoming);
        if self.drain == Drain::AtOnce {
            self.output.extend(drain(&mut self.connection));
        }
    }

    fn end(mut self) -> Outcome {
        self.output.extend(drain(&mut self.connection));
        let wants_read = self.connection.wants_read();
        let wants_shutdown = self.connection.wants_shutdown();
        if wants_shutdown {
            self.connection.handle_shutdown();
        }
        self.connection.handle_end(END);
        assert!(drain(&mut self.connection).is_empty());
        let info = self.connection.close_info().expect("it has ended").clone();
        Outcome {
            incoming: self.incoming,
            output: self.output,
            wants_read,
            wants_shutdown,
            info,
        }
    }
}

/// Hands `bytes` to a fresh connection in every way there is; all must come to the same.
///
/// Whole, cut in two at every byte, in steps of 1 byte and more; through the read buffer and
/// through the connection's space. The outcome is that of a driver that writes at once; one that
/// writes at the end must receive the same.
pub(crate) fn replay(role: Role, limits: &Limits, bytes: &[u8]) -> Outcome {
    replay_after(role, limits, bytes, |_| {})
}

/// As [`replay`], with something done to the connection before the bytes come.
pub(crate) fn replay_after(
    role: Role,
    limits: &Limits,
    bytes: &[u8],
    prepare: impl Fn(&mut Connection),
) -> Outcome {
    let make = || {
        let mut connection = connection(role, limits);
        prepare(&mut connection);
        connection
    };
    replay_on(make, bytes)
}

/// As [`replay`], on connections that the caller makes.
pub(crate) fn replay_on(make: impl Fn() -> Connection, bytes: &[u8]) -> Outcome {
    let role = make().role();
    let run = |path, drain, pieces: &[&[u8]]| {
        let mut run = Run {
            path,
            drain,
            now: Instant::now(),
            connection: make(),
            incoming: Vec::new(),
            output: Vec::new(),
        };
        for piece in pieces {
            run.feed(piece);
        }
        run.end()
    };
    let eager = run(Path::Buffer, Drain::AtOnce, &[bytes]);
    let lazy = run(Path::Buffer, Drain::AtEnd, &[bytes]);
    assert_eq!(
        (&eager.incoming, &eager.info),
        (&lazy.incoming, &lazy.info),
        "{role:?}: when the output is written changes nothing that comes"
    );
    for path in [Path::Buffer, Path::Space] {
        for (drain, whole) in [(Drain::AtOnce, &eager), (Drain::AtEnd, &lazy)] {
            for pieces in ways_to_cut(bytes) {
                let sizes = || pieces.iter().map(|p| p.len()).take(4).collect::<Vec<_>>();
                assert!(
                    run(path, drain, &pieces) == *whole,
                    "{role:?}, {path:?}, {drain:?}, pieces of {:?}…: {:?}, not {whole:?}",
                    sizes(),
                    run(path, drain, &pieces),
                );
            }
        }
    }
    eager
}

fn ways_to_cut(bytes: &[u8]) -> Vec<Vec<&[u8]>> {
    let size = bytes.len();
    let mut ways = vec![vec![bytes]];
    for step in [1, 2, 3, 7, 4096] {
        ways.push(bytes.chunks(step).collect());
    }
    let is_cut = |at: &usize| {
        let near = |place: usize| at.abs_diff(place) < 8;
        let at_sample = at.is_multiple_of(size / 8 + 1);
        size <= CUT_SIZE_MAX || near(0) || near(size) || near(READ_SIZE) || at_sample
    };
    ways.extend((0..=size).filter(is_cut).map(|at| {
        let (front, back) = bytes.split_at(at);
        vec![front, back]
    }));
    ways
}

/// Replays `bytes` and holds that they bring nothing and fail the connection with `error`.
pub(crate) fn assert_fails(role: Role, bytes: &[u8], error: ProtocolError) {
    assert_fails_after(role, &Limits::default(), bytes, &[], error);
}

/// As [`assert_fails`], with what comes in before.
pub(crate) fn assert_fails_after(
    role: Role,
    limits: &Limits,
    bytes: &[u8],
    incoming: &[Incoming],
    error: ProtocolError,
) {
    assert_fails_on(|| connection(role, limits), bytes, incoming, error);
}

/// As [`assert_fails_after`], on connections that the caller makes.
pub(crate) fn assert_fails_on(
    make: impl Fn() -> Connection,
    bytes: &[u8],
    incoming: &[Incoming],
    error: ProtocolError,
) {
    let role = make().role();
    let outcome = replay_on(make, bytes);
    assert_eq!(outcome.incoming, incoming, "{role:?} {bytes:x?}");
    let close = wire::close_body(error.close_code().number(), "");
    assert_eq!(
        outcome.payloads(),
        [(wire::FIN | wire::CLOSE, close)],
        "{role:?} {bytes:x?}"
    );
    let cause = CloseCause::Protocol(error);
    let info = CloseInfo::abnormal(CloseCode::ABNORMAL, Initiator::Local, cause);
    assert_eq!(outcome.info, info, "{role:?} {bytes:x?}");
    // The close frame is written and what still comes is read away (§7.1.7).
    assert!(outcome.wants_read && outcome.wants_shutdown);
}

/// Replays `bytes` and holds that they bring `incoming` and leave the connection open.
pub(crate) fn assert_brings(role: Role, bytes: &[u8], incoming: &[Incoming]) -> Outcome {
    assert_brings_on(|| connection(role, &Limits::default()), bytes, incoming)
}

/// As [`assert_brings`], on connections that the caller makes.
pub(crate) fn assert_brings_on(
    make: impl Fn() -> Connection,
    bytes: &[u8],
    incoming: &[Incoming],
) -> Outcome {
    let role = make().role();
    let outcome = replay_on(make, bytes);
    assert_eq!(outcome.incoming, incoming, "{role:?}");
    assert!(outcome.wants_read && !outcome.wants_shutdown, "{role:?}");
    let cause = CloseCause::Transport(END.into());
    let info = CloseInfo::abnormal(CloseCode::ABNORMAL, Initiator::Remote, cause);
    assert_eq!(outcome.info, info, "{role:?}");
    outcome
}

pub(crate) fn text(text: &str) -> Incoming {
    Incoming::Message(Message::from(text))
}

pub(crate) fn binary(bytes: &[u8]) -> Incoming {
    Incoming::Message(Message::from(bytes))
}

pub(crate) fn ping(payload: &[u8]) -> Incoming {
    Incoming::Ping(Bytes::copy_from_slice(payload))
}

pub(crate) fn pong(payload: &[u8]) -> Incoming {
    Incoming::Pong(Bytes::copy_from_slice(payload))
}

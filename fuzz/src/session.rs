//! The targets of an open connection: a `Connection`, driven as a transport would.

use std::time::Instant;

use bytes::{Buf, BufMut, BytesMut};
use talkback_proto::{
    CloseCause, CloseCode, CloseFrame, Connection, Incoming, Message, READ_SIZE, Role,
};
use talkback_testing::{heap, wire};

use crate::outcome::{Outcome, SENT, Seen};
use crate::plan::{Action, Path, Plan, Writes, peer_key};
use crate::reader::Reader;
use crate::{cut, sent};

/// What a connection and its driver may take at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Besides payload, in bytes.
    pub base: usize,
    /// For a message in progress, so many times what has arrived of it.
    pub ratio: usize,
}

/// A message's buffer is reserved at most 16 times what has arrived.
pub const PLAIN: Cost = Cost {
    base: 8 * 1024,
    ratio: 16,
};

/// Plays what the input says to an end in `role`, whole and in pieces; `prepare` sets it up.
pub fn check(role: Role, input: &[u8], prepare: impl Fn(Connection) -> Connection, cost: Cost) {
    if let Some(plan) = Plan::read(role, input) {
        check_plan(&plan, prepare, cost);
    }
}

/// As [`check`], with a plan that is read already.
pub fn check_plan(plan: &Plan, prepare: impl Fn(Connection) -> Connection, cost: Cost) {
    let session = |path, seen| Session::new(plan, path, prepare(connection(plan)), seen);
    let whole = session(Path::Buffer, Some(Seen::default())).play(plan, &[usize::MAX]);
    let cut = session(plan.path, Some(Seen::default())).play(plan, &plan.sizes);
    assert_eq!(cut, whole, "reads of {:?}", plan.sizes);
    if plan.action == Action::HalfClose {
        let open = Plan {
            action: Action::Nothing,
            ..plan.clone()
        };
        let open = session(Path::Buffer, Some(Seen::default())).play(&open, &[usize::MAX]);
        assert_eq!(
            whole.seen.incoming, open.seen.incoming,
            "it changes nothing that comes"
        );
    }
    let (_, heap) = heap::measure(|| session(plan.path, None).play(plan, &plan.sizes));
    let bound = heap_bound(plan, cost);
    assert!(heap.peak <= bound as isize, "{heap:?}, over {bound}");
    sent::check(plan, &whole);
    check_texts(&whole.seen.incoming);
}

/// The read in hand and the message in progress, which is at most twice the largest message, as a
/// buffer grows to twice what it had.
fn heap_bound(plan: &Plan, cost: Cost) -> usize {
    let arrived = plan.wire.len();
    let message_size_max = usize::try_from(plan.limits.message_size_limit()).unwrap_or(usize::MAX);
    let message = (cost.ratio * arrived).min(message_size_max.saturating_mul(2));
    2 * arrived + message + cost.base
}

/// What came as text is text by the standard library too (RFC 6455 §8.1).
fn check_texts(incoming: &[Incoming]) {
    for item in incoming {
        if let Incoming::Message(Message::Text(text)) = item {
            std::str::from_utf8(text.as_bytes()).expect("what is given out as text is UTF-8");
        }
    }
}

pub(crate) fn connection(plan: &Plan) -> Connection {
    match plan.role {
        Role::Client => Connection::client(plan.limits.clone(), || wire::KEY),
        Role::Server => Connection::server(plan.limits.clone()),
    }
}

pub(crate) struct Session {
    path: Path,
    writes: Writes,
    now: Instant,
    connection: Connection,
    /// The read buffer.
    input: BytesMut,
    /// How much was sent.
    output_size: usize,
    /// Whether the caller has closed; data is discarded then, unless it was a half-close, but pings are still given out.
    has_closed: bool,
    /// `None` where only memory counts.
    seen: Option<Seen>,
    /// Who reads messages in pieces, if they are.
    reader: Option<Reader>,
}

impl Session {
    pub(crate) fn new(plan: &Plan, path: Path, connection: Connection, seen: Option<Seen>) -> Self {
        Self {
            path,
            writes: plan.writes,
            now: Instant::now(),
            connection,
            input: BytesMut::new(),
            output_size: 0,
            has_closed: false,
            seen,
            reader: None,
        }
    }

    /// Lets `reader` have the messages, in pieces.
    pub(crate) fn read_by(mut self, reader: Reader) -> Self {
        reader.begin(&mut self.connection);
        self.reader = Some(reader);
        self
    }

    pub(crate) fn play(mut self, plan: &Plan, sizes: &[usize]) -> Outcome {
        self.play_to_end(plan, sizes);
        self.end(plan.role)
    }

    /// As [`play`](Self::play), for a session with a reader, which is returned.
    pub(crate) fn play_and_return(mut self, plan: &Plan, sizes: &[usize]) -> (Outcome, Reader) {
        self.play_to_end(plan, sizes);
        let reader = self.reader.take().expect("the session has a reader");
        (self.end(plan.role), reader)
    }

    fn play_to_end(&mut self, plan: &Plan, sizes: &[usize]) {
        let (before, behind) = plan.wire.split_at(plan.action_at);
        cut(before, sizes).for_each(|piece| self.feed(piece));
        self.act(plan.action);
        if let Some(reader) = &mut self.reader {
            reader.change(&mut self.connection);
        }
        cut(behind, sizes).for_each(|piece| self.feed(piece));
        self.drain();
    }

    fn act(&mut self, action: Action) {
        let bye = || CloseFrame::new(CloseCode::NORMAL, "done").expect("it may be sent");
        match action {
            Action::Nothing => {}
            Action::Close => self.connection.close(None, self.now),
            Action::CloseWithReason => self.connection.close(Some(bye()), self.now),
            Action::HalfClose => self.connection.half_close(Some(bye()), self.now),
            Action::Send => {
                let is_open = self.connection.is_open();
                assert_eq!(self.connection.send(SENT).is_ok(), is_open);
            }
            Action::Ping => {
                let is_open = self.connection.is_open();
                assert_eq!(self.connection.ping(SENT).is_ok(), is_open);
            }
        }
        self.has_closed = action.is_close();
    }

    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = match self.path {
                Path::Message => self.feed_space(bytes),
                Path::Buffer => None,
            };
            let taken = taken.unwrap_or_else(|| self.feed_buffer(bytes));
            bytes = &bytes[taken..];
        }
    }

    /// One read into the message itself, if there is space.
    fn feed_space(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut space = self.connection.space()?;
        let size = space.remaining_mut().min(bytes.len());
        assert!(size > 0, "space takes at least one byte");
        space.put_slice(&bytes[..size]);
        self.take_all();
        Some(size)
    }

    /// One read into the read buffer.
    fn feed_buffer(&mut self, bytes: &[u8]) -> usize {
        let size = match self.path {
            Path::Message => bytes.len().min(READ_SIZE),
            Path::Buffer => bytes.len(),
        };
        self.input.extend_from_slice(&bytes[..size]);
        self.take_all();
        size
    }

    /// Takes all that comes of what was read.
    fn take_all(&mut self) {
        loop {
            let was_over = self.is_over();
            let now = self.now;
            let incoming = self.connection.receive(&mut self.input, || now);
            assert!(!was_over || incoming.is_none(), "something came afterwards");
            let is_used_up = incoming.is_none();
            self.take(incoming);
            if is_used_up {
                assert!(self.input.is_empty() && !self.connection.has_more());
                return;
            }
        }
    }

    fn take(&mut self, mut incoming: Option<Incoming>) {
        if let Some(reader) = &mut self.reader {
            incoming = incoming.and_then(|item| reader.take(item, &mut self.connection));
        }
        if let Some(seen) = &mut self.seen {
            seen.incoming.extend(incoming);
        }
        if self.writes == Writes::AtOnce {
            self.drain();
        }
    }

    /// Whether the connection has failed or the peer has closed, as far as it can be seen.
    fn is_over(&self) -> bool {
        self.connection.wants_shutdown() || !self.has_closed && !self.connection.is_open()
    }

    fn drain(&mut self) {
        while self.connection.output().has_remaining() {
            let size = self.connection.output().remaining();
            let bytes = self.connection.output().copy_to_bytes(size);
            self.output_size += size;
            if let Some(seen) = &mut self.seen {
                seen.output.extend_from_slice(&bytes);
            }
            self.connection.handle_written(|| self.now);
        }
    }

    /// Ends the transport, after more has come to a connection that is over.
    fn end(mut self, role: Role) -> Outcome {
        if self.is_over() {
            let output_size = self.output_size;
            let key = peer_key(role);
            let more = [
                wire::frame(wire::FIN | wire::TEXT, key, b"late"),
                wire::frame(wire::FIN | wire::PING, key, b"late"),
                wire::frame(
                    wire::FIN | wire::CLOSE,
                    key,
                    &wire::close_body(1000, "late"),
                ),
            ];
            self.feed(&more.concat());
            self.drain();
            assert_eq!(self.output_size, output_size, "something was sent");
        }
        let wants_read = self.connection.wants_read();
        let wants_shutdown = self.connection.wants_shutdown();
        if wants_shutdown {
            self.connection.handle_shutdown();
        }
        self.connection.handle_end("the peer went away");
        let info = self.connection.close_info().expect("it has ended").clone();
        assert!(!self.connection.is_open() && !self.connection.output().has_remaining());
        if let CloseCause::Protocol(error) = &info.cause {
            assert!(!error.to_string().is_empty() && !info.clean);
        }
        assert!(!info.to_string().is_empty());
        Outcome {
            seen: self.seen.unwrap_or_default(),
            wants_read,
            wants_shutdown,
            info,
        }
    }
}

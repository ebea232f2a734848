//! A caller that reads messages as streams, and abandons some of them.

use talkback_proto::{Connection, Delivery, Incoming, Message, MessageKind, Piece};

/// The most bytes of a piece that is decompressed.
const INFLATED_PIECE_SIZE_MAX: usize = 16 * 1024;

/// What the caller does with a message that comes in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// It reads the message to its end.
    Read,
    /// It reads the message to its end, and wants the next one whole.
    ReadThenWhole,
    /// It reads a few pieces, discards the rest, and goes on with pieces.
    Abandon,
    /// It reads a few pieces, and wants the next message whole.
    AbandonThenWhole,
}

/// How the messages of a session are read; made of two bytes of the input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Two bits for each of four messages, over and over.
    habits: u8,
    /// How the session begins, what changes in the middle, and how many pieces are read of what is
    /// abandoned.
    circumstances: u8,
}

impl Plan {
    pub(crate) fn new(habits: u8, circumstances: u8) -> Self {
        Self {
            habits,
            circumstances,
        }
    }

    /// Reads every message in pieces, to its end.
    pub(crate) fn all_pieces() -> Self {
        Self::new(0, 0)
    }

    fn begins_whole(self) -> bool {
        self.circumstances & 1 != 0
    }

    fn change(self) -> Option<Delivery> {
        match self.circumstances >> 1 & 3 {
            1 => Some(Delivery::Pieces),
            2 => Some(Delivery::Whole),
            _ => None,
        }
    }

    fn pieces_max(self) -> usize {
        1 + usize::from(self.circumstances >> 4)
    }

    fn habit(self, message: usize) -> Habit {
        match self.habits >> (2 * (message % 4)) & 3 {
            0 => Habit::Read,
            1 => Habit::ReadThenWhole,
            2 => Habit::Abandon,
            _ => Habit::AbandonThenWhole,
        }
    }
}

/// Whether the bytes of the pieces are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeping {
    Messages,
    Nothing,
}

/// The pieces of a message that has not ended.
#[derive(Debug)]
struct Open {
    kind: MessageKind,
    bytes: Vec<u8>,
    pieces: usize,
}

/// Joins pieces to messages by a [`Plan`].
#[derive(Debug)]
pub(crate) struct Reader {
    plan: Plan,
    keeping: Keeping,
    /// The largest piece that may come.
    piece_size_max: usize,
    open: Option<Open>,
    /// How many messages ended or were abandoned.
    count: usize,
    /// Which of them were abandoned.
    pub(crate) abandoned: Vec<usize>,
}

impl Reader {
    /// A reader of a connection whose reads are at most `read_size_max` bytes.
    pub(crate) fn new(plan: Plan, keeping: Keeping, read_size_max: usize) -> Self {
        Self {
            plan,
            keeping,
            piece_size_max: read_size_max.max(INFLATED_PIECE_SIZE_MAX),
            open: None,
            count: 0,
            abandoned: Vec::new(),
        }
    }

    pub(crate) fn begin(&self, connection: &mut Connection) {
        if !self.plan.begins_whole() {
            connection.set_delivery(Delivery::Pieces);
        }
    }

    /// What the plan changes in the middle of the session, wherever a message may be.
    pub(crate) fn change(&mut self, connection: &mut Connection) {
        let Some(delivery) = self.plan.change() else {
            return;
        };
        connection.set_delivery(delivery);
        if delivery == Delivery::Whole && self.open.take().is_some() {
            self.end_abandoned();
        }
    }

    /// Takes what came; a piece that ends its message is given back as the message.
    pub(crate) fn take(
        &mut self,
        incoming: Incoming,
        connection: &mut Connection,
    ) -> Option<Incoming> {
        match incoming {
            Incoming::Piece(piece) => self.take_piece(piece, connection).map(Incoming::Message),
            Incoming::Message(message) => {
                assert!(self.open.is_none(), "a whole message inside of another");
                self.count += 1;
                connection.set_delivery(Delivery::Pieces);
                Some(Incoming::Message(message))
            }
            other => Some(other),
        }
    }

    fn take_piece(&mut self, piece: Piece, connection: &mut Connection) -> Option<Message> {
        assert_eq!(piece.first, self.open.is_none(), "{piece:?}");
        assert!(piece.last || !piece.bytes.is_empty(), "{piece:?}");
        // What was to be given out whole so far comes at once.
        let has_waited = piece.first && self.plan.change() == Some(Delivery::Pieces);
        assert!(has_waited || piece.bytes.len() <= self.piece_size_max);
        let mut open = self.open.take().unwrap_or(Open {
            kind: piece.kind,
            bytes: Vec::new(),
            pieces: 0,
        });
        assert_eq!(open.kind, piece.kind);
        open.pieces += 1;
        if self.keeping == Keeping::Messages {
            open.bytes.extend_from_slice(&piece.bytes);
            check_text_so_far(&open);
        }
        let habit = self.plan.habit(self.count);
        if piece.last {
            self.count += 1;
            if habit == Habit::ReadThenWhole {
                connection.set_delivery(Delivery::Whole);
            }
            return Some(message(open));
        }
        let is_enough = open.pieces >= self.plan.pieces_max();
        match habit {
            Habit::Abandon if is_enough => connection.discard_message(),
            Habit::AbandonThenWhole if is_enough => connection.set_delivery(Delivery::Whole),
            _ => {
                self.open = Some(open);
                return None;
            }
        }
        self.end_abandoned();
        None
    }

    fn end_abandoned(&mut self) {
        self.abandoned.push(self.count);
        self.count += 1;
    }
}

/// What was given out of a text is the beginning of some text (RFC 6455 §8.1).
fn check_text_so_far(open: &Open) {
    if open.kind == MessageKind::Text
        && let Err(error) = std::str::from_utf8(&open.bytes)
    {
        assert_eq!(
            error.error_len(),
            None,
            "what is given out as text is UTF-8"
        );
    }
}

fn message(open: Open) -> Message {
    match open.kind {
        MessageKind::Text => String::from_utf8(open.bytes)
            .expect("what is given out as text is UTF-8")
            .into(),
        MessageKind::Binary => open.bytes.into(),
    }
}

//! What waits to go out, and how far each message has got.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, OnceLock};

use talkback_proto::{CloseFrame, Message};

use crate::channel::buffers::Messages;
use crate::channel::queue::{Queue, QueueLimits, SENT_MAX};
use crate::channel::to_send::ToSend;
use crate::reconnect::fate::Fate;
use crate::socket::SendProgress;

/// How many bytes the header of a frame has at most (RFC 6455 §5.2).
const HEADER_SIZE_MAX: usize = 14;

/// What a driver hands to its socket next.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pub(crate) messages: Messages,
    /// The closing handshake behind them.
    pub(crate) close: Option<StartClose>,
}

impl Outgoing {
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.close.is_none()
    }
}

/// The way of sent messages: queue, socket, written; and the close frame behind them.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: Queue,
    close: CloseRequest,
    /// How many messages have left the queue.
    taken: u64,
    /// How many of them, the last ones, no progress was reported of yet.
    unreported: u64,
    /// Those before, if the socket still holds some.
    in_flight: Option<Box<InFlight>>,
    /// The bytes that the socket holds.
    socket_bytes: usize,
}

/// How far a message has got that did not wait.
#[cfg(not(browser))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Written,
    /// The socket has it, or what did not fit of it.
    Unwritten,
    /// The socket has not taken it.
    Lost,
}

/// What was taken and is not written yet.
#[derive(Debug, Default)]
struct InFlight {
    /// A batch for each time that messages were taken.
    batches: VecDeque<Batch>,
    /// How many messages were written before the first that is lost: nothing behind that counts as written.
    lost: Option<u64>,
    /// The messages whose fates somebody wants to know, in order, also of those that are queued.
    tracked: VecDeque<Tracked>,
}

/// A message, and where its fate goes.
#[derive(Debug)]
struct Tracked {
    /// How many messages were queued before it.
    index: u64,
    fate: Arc<OnceLock<Fate>>,
}

/// How the closing handshake begins.
#[derive(Debug)]
pub(crate) enum StartClose {
    /// What comes from now on is discarded.
    Close(Option<CloseFrame>),
    /// What comes before the peer's close frame is given out.
    #[cfg(all(feature = "server", not(browser)))]
    HalfClose(Box<CloseFrame>),
}

impl StartClose {
    /// What is known once the socket has it.
    fn taken(&self) -> CloseRequest {
        match self {
            Self::Close(_) => CloseRequest::Taken,
            #[cfg(all(feature = "server", not(browser)))]
            Self::HalfClose(_) => CloseRequest::HalfTaken,
        }
    }
}

/// Whether this end closes.
#[derive(Debug, Default)]
enum CloseRequest {
    #[default]
    None,
    /// The close frame goes behind what is queued.
    Queued(StartClose),
    /// The socket has it.
    Taken,
    /// The socket has it, and receives on.
    #[cfg(all(feature = "server", not(browser)))]
    HalfTaken,
}

/// Messages that went to the socket together.
#[derive(Debug)]
struct Batch {
    /// How many messages went before them.
    first: u64,
    count: u64,
    /// Where in the bytes that the socket writes they end.
    end: u64,
}

impl Outbox {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self {
            queue: Queue::new(limits.messages_default(SENT_MAX)),
            ..Self::default()
        }
    }

    /// Whether there is capacity for one more message.
    pub(crate) fn has_capacity(&self) -> bool {
        self.queue.has_capacity()
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, message: ToSend) {
        match message {
            ToSend::Message(message, compression) => self.queue.push(message, compression),
            ToSend::Prepared(prepared) => self.queue.push_prepared(prepared),
        }
    }

    /// Asks for the closing handshake, behind what is queued.
    pub(crate) fn request_close(&mut self, frame: Option<CloseFrame>) {
        self.close = CloseRequest::Queued(StartClose::Close(frame));
    }

    /// Asks for it as [`request_close`](Self::request_close), for a program that did not want it, and is given what
    /// still comes.
    #[cfg(all(feature = "server", not(browser)))]
    pub(crate) fn request_half_close(&mut self, frame: Box<CloseFrame>) {
        self.close = CloseRequest::Queued(StartClose::HalfClose(frame));
    }

    /// The program closes, too: whether that has changed anything.
    #[cfg(all(feature = "server", not(browser)))]
    pub(crate) fn complete_half_close(&mut self) -> bool {
        self.close = match mem::take(&mut self.close) {
            CloseRequest::Queued(StartClose::HalfClose(frame)) => {
                CloseRequest::Queued(StartClose::Close(Some(*frame)))
            }
            CloseRequest::HalfTaken => CloseRequest::Taken,
            other => {
                self.close = other;
                return false;
            }
        };
        true
    }

    /// Whether what comes is discarded, as the program has closed.
    pub(crate) fn is_discarding(&self) -> bool {
        match self.close {
            CloseRequest::None => false,
            CloseRequest::Queued(StartClose::Close(_)) | CloseRequest::Taken => true,
            #[cfg(all(feature = "server", not(browser)))]
            CloseRequest::Queued(StartClose::HalfClose(_)) | CloseRequest::HalfTaken => false,
        }
    }

    /// Whether this end closes, though the close frame may still wait.
    pub(crate) fn is_close_requested(&self) -> bool {
        !matches!(self.close, CloseRequest::None)
    }

    pub(crate) fn has_messages(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Takes what the socket is to send next, as far as it has capacity in bytes; whether messages were.
    #[inline(always)]
    pub(crate) fn take(&mut self, mut capacity: usize, outgoing: &mut Outgoing) -> bool {
        let (queued, bytes) = (self.queue.len(), self.queue.bytes());
        if queued > 0 {
            self.queue
                .pop_into(&mut outgoing.messages, &mut capacity, HEADER_SIZE_MAX);
        }
        let taken = queued - self.queue.len();
        if taken > 0 {
            self.unreported += taken as u64;
            self.taken += taken as u64;
            self.socket_bytes += bytes - self.queue.bytes();
        }
        if capacity > 0
            && self.queue.is_empty()
            && let CloseRequest::Queued(close) = &self.close
        {
            let taken = close.taken();
            if let CloseRequest::Queued(close) = mem::replace(&mut self.close, taken) {
                outgoing.close = Some(close);
            }
        }
        taken > 0
    }

    /// Counts a message that went to the socket without waiting here.
    #[cfg(not(browser))]
    pub(crate) fn note_sent(&mut self, size: usize, progress: Progress) {
        if progress == Progress::Lost {
            self.lose_in_flight();
        }
        self.taken += 1;
        if progress == Progress::Unwritten {
            self.unreported += 1;
            self.socket_bytes += size;
        }
    }

    /// Learns how far the socket has got with what was taken.
    pub(crate) fn report(&mut self, progress: SendProgress) {
        self.socket_bytes = progress.buffered;
        if let Some(in_flight) = &mut self.in_flight {
            let batches = &mut in_flight.batches;
            while let Some(batch) = batches.front()
                && batch.end <= progress.written
            {
                batches.pop_front();
            }
            if in_flight.is_empty() {
                self.in_flight = None;
            }
        }
        // Mostly all is written by now.
        let first = self.taken - self.unreported;
        let count = mem::take(&mut self.unreported);
        if count > 0 && progress.end > progress.written {
            let end = progress.end;
            let batches = &mut self.in_flight.get_or_insert_default().batches;
            batches.push_back(Batch { first, count, end });
        }
    }

    /// What was taken and not written is lost, and what comes behind it cannot count as written.
    pub(crate) fn lose_in_flight(&mut self) {
        let written = self.written();
        self.in_flight.get_or_insert_default().lost = Some(written);
    }

    /// The connection is lost, and with it what it held; how many messages that were. What is queued is for
    /// the next one.
    pub(crate) fn lose_connection(&mut self) -> u64 {
        let mut unknown = self.unreported;
        if let Some(in_flight) = &mut self.in_flight {
            // Between these, some may have been dropped from the queue.
            let batches = in_flight.batches.drain(..);
            unknown += batches.map(|batch| batch.count).sum::<u64>();
            let lost = in_flight.lost.take();
            unknown = unknown.max(lost.map_or(0, |written| self.taken - written));
            if in_flight.is_empty() {
                self.in_flight = None;
            }
        }
        self.unreported = 0;
        self.socket_bytes = 0;
        unknown
    }

    /// Takes the oldest message out of the queue, which is not to be sent any more. Of all that was taken the
    /// progress was reported.
    pub(crate) fn drop_oldest(&mut self) -> Option<Message> {
        let message = self.queue.pop_any()?.into_message();
        if let Some(in_flight) = &mut self.in_flight {
            let tracked = &mut in_flight.tracked;
            if let Ok(at) = tracked.binary_search_by_key(&self.taken, |one| one.index)
                && let Some(dropped) = tracked.remove(at)
            {
                let _ = dropped.fate.set(Fate::Dropped);
            }
            if in_flight.is_empty() {
                self.in_flight = None;
            }
        }
        self.taken += 1;
        Some(message)
    }

    /// Has the fate told of the message that was pushed last.
    pub(crate) fn track(&mut self) -> Arc<OnceLock<Fate>> {
        let fate = Arc::<OnceLock<Fate>>::default();
        let tracked = Tracked {
            index: self.queued() - 1,
            fate: Arc::clone(&fate),
        };
        let in_flight = self.in_flight.get_or_insert_default();
        in_flight.tracked.push_back(tracked);
        fate
    }

    /// Tells this fate of all messages before this one whose fates are not known.
    fn settle(&mut self, until: u64, fate: Fate) {
        let Some(in_flight) = &mut self.in_flight else {
            return;
        };
        while let Some(tracked) = in_flight.tracked.front()
            && tracked.index < until
        {
            let _ = tracked.fate.set(fate);
            in_flight.tracked.pop_front();
        }
        if in_flight.is_empty() {
            self.in_flight = None;
        }
    }

    /// Tells the fates of what this connection has written.
    pub(crate) fn settle_written(&mut self, connection: u64) {
        if self.in_flight.is_some() {
            self.settle(self.written(), Fate::Written { connection });
        }
    }

    /// Tells the fates of what was taken by this connection, which has ended.
    pub(crate) fn settle_taken(&mut self, connection: u64) {
        self.settle_written(connection);
        self.settle(self.taken, Fate::Unknown { connection });
    }

    /// Takes out what is queued, to be dropped outside of the lock, as its memory may belong to foreign
    /// code; it counts as sent, and as lost.
    pub(crate) fn discard_queue(&mut self) -> Queue {
        if self.has_messages() {
            self.lose_in_flight();
            self.taken += self.queue.len() as u64;
            self.settle(self.taken, Fate::Unsent);
        }
        self.queue.take()
    }

    /// The socket is gone, and with it what it held. What is queued is returned, as by
    /// [`discard_queue`](Self::discard_queue).
    pub(crate) fn end(&mut self) -> Queue {
        self.socket_bytes = 0;
        self.discard_queue()
    }

    /// How many messages were ever queued.
    pub(crate) fn queued(&self) -> u64 {
        self.taken + self.queue.len() as u64
    }

    /// How many of them are written, counted from the first.
    pub(crate) fn written(&self) -> u64 {
        let written = self.in_flight.as_ref().and_then(|in_flight| {
            let first = in_flight.batches.front().map(|batch| batch.first);
            in_flight.lost.or(first)
        });
        written.unwrap_or(self.taken - self.unreported)
    }

    /// How many messages are queued.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// The bytes of payload that are queued, and what the socket holds.
    pub(crate) fn buffered_bytes(&self) -> usize {
        self.queue.bytes() + self.socket_bytes
    }
}

impl InFlight {
    fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.lost.is_none() && self.tracked.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use talkback_proto::Compression;

    use super::*;

    fn outbox(messages: usize) -> Outbox {
        let mut outbox = Outbox::default();
        for _ in 0..messages {
            outbox.push(ToSend::Message("x".into(), Compression::Auto));
        }
        outbox
    }

    /// Takes so many messages.
    fn take(outbox: &mut Outbox, messages: usize) {
        for _ in 0..messages {
            // One byte of capacity is enough for one message of any size.
            assert!(outbox.take(1, &mut Outgoing::default()));
        }
    }

    fn progress(end: u64, written: u64) -> SendProgress {
        SendProgress {
            end,
            written,
            buffered: (end - written) as usize,
        }
    }

    #[test]
    fn a_message_is_written_when_the_socket_is_past_the_end_of_its_batch() {
        let mut outbox = outbox(3);
        take(&mut outbox, 2);
        outbox.report(progress(20, 0));
        take(&mut outbox, 1);
        outbox.report(progress(30, 19));
        assert_eq!((outbox.queued(), outbox.written()), (3, 0));
        outbox.report(progress(30, 20));
        assert_eq!(outbox.written(), 2);
        outbox.report(progress(30, 30));
        assert_eq!((outbox.written(), outbox.buffered_bytes()), (3, 0));
    }

    #[test]
    fn what_did_not_wait_is_counted_as_what_did() {
        let mut outbox = outbox(0);
        outbox.note_sent(7, Progress::Written);
        assert_eq!((outbox.queued(), outbox.written()), (1, 1));
        outbox.note_sent(7, Progress::Unwritten);
        assert_eq!((outbox.queued(), outbox.written()), (2, 1));
        assert_eq!(outbox.buffered_bytes(), 7);
        outbox.report(progress(20, 15));
        assert_eq!((outbox.queued(), outbox.written()), (2, 1));
        outbox.report(progress(20, 20));
        assert_eq!((outbox.written(), outbox.buffered_bytes()), (2, 0));
        outbox.note_sent(7, Progress::Lost);
        assert_eq!((outbox.queued(), outbox.written()), (3, 2));
    }

    #[test]
    fn nothing_counts_as_written_behind_what_is_lost() {
        let mut outbox = outbox(4);
        take(&mut outbox, 1);
        outbox.report(progress(10, 10));
        take(&mut outbox, 1);
        outbox.lose_in_flight();
        take(&mut outbox, 1);
        outbox.report(progress(30, 30));
        outbox.discard_queue();
        assert_eq!((outbox.queued(), outbox.written()), (4, 1));
    }

    #[test]
    fn the_close_frame_goes_last_and_once() {
        let mut outbox = outbox(1);
        outbox.request_close(None);
        let mut outgoing = Outgoing::default();
        // With a byte's capacity it does not go with the message.
        assert!(outbox.take(1, &mut outgoing));
        assert!(outgoing.messages.iter().count() == 1 && outgoing.close.is_none());
        assert!(!outbox.take(0, &mut outgoing) && outgoing.close.is_none());
        assert!(
            !outbox.take(1, &mut outgoing)
                && matches!(outgoing.close, Some(StartClose::Close(None)))
        );
        let mut again = Outgoing::default();
        assert!(!outbox.take(1, &mut again) && again.is_empty());
        assert!(outbox.is_close_requested());
    }
}

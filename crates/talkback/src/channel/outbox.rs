//! What waits to go out, and how far each message has got.

use std::collections::VecDeque;

use talkback_proto::{CloseFrame, Compression, Message};

use crate::channel::queue::{Queue, QueueLimits, SENT_MAX};
use crate::socket::SendProgress;

/// What a driver hands to its socket next.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// A message.
    Message(Message, Compression),
    /// The closing handshake, with this close frame.
    Close(Option<CloseFrame>),
}

/// The way of sent messages: queue, socket, written; and the close frame behind them.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: Queue,
    close: CloseRequest,
    /// How many messages have left the queue.
    taken: u64,
    /// Those among them that the socket still holds, a batch for each time that some were taken.
    in_flight: VecDeque<Batch>,
    /// The bytes that the socket holds.
    socket_bytes: usize,
}

/// Whether this end closes.
#[derive(Debug, Default)]
enum CloseRequest {
    #[default]
    None,
    /// The close frame goes behind what is queued.
    Queued(Option<CloseFrame>),
    /// The socket has it.
    Taken,
}

/// Messages that went to the socket together.
#[derive(Debug)]
struct Batch {
    /// How many messages went before them.
    first: u64,
    end: BatchEnd,
}

/// Where in the bytes that the socket writes a batch ends.
#[derive(Debug)]
enum BatchEnd {
    /// It still grows.
    Open,
    /// At this offset.
    Offset(u64),
    /// Nowhere: it is lost, and nothing behind it counts as written.
    Lost,
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

    pub(crate) fn push(&mut self, message: Message, compression: Compression) {
        self.queue.push(message, compression);
    }

    /// Asks for the closing handshake, behind what is queued.
    pub(crate) fn request_close(&mut self, frame: Option<CloseFrame>) {
        self.close = CloseRequest::Queued(frame);
    }

    /// Whether this end closes, though the close frame may still wait.
    pub(crate) fn is_close_requested(&self) -> bool {
        !matches!(self.close, CloseRequest::None)
    }

    pub(crate) fn has_messages(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether there is something to take.
    pub(crate) fn has_outgoing(&self) -> bool {
        self.has_messages() || matches!(self.close, CloseRequest::Queued(_))
    }

    /// Takes what the socket is to send next.
    pub(crate) fn take(&mut self) -> Option<Outgoing> {
        let Some((message, compression)) = self.queue.pop() else {
            return self.take_close().map(Outgoing::Close);
        };
        if !matches!(
            self.in_flight.back(),
            Some(Batch {
                end: BatchEnd::Open | BatchEnd::Lost,
                ..
            })
        ) {
            self.in_flight.push_back(Batch {
                first: self.taken,
                end: BatchEnd::Open,
            });
        }
        self.taken += 1;
        self.socket_bytes += message.len();
        Some(Outgoing::Message(message, compression))
    }

    fn take_close(&mut self) -> Option<Option<CloseFrame>> {
        match std::mem::replace(&mut self.close, CloseRequest::Taken) {
            CloseRequest::Queued(frame) => Some(frame),
            before => {
                self.close = before;
                None
            }
        }
    }

    /// Learns how far the socket has got with what was taken.
    pub(crate) fn report(&mut self, progress: SendProgress) {
        self.socket_bytes = progress.buffered;
        if let Some(batch) = self.in_flight.back_mut()
            && matches!(batch.end, BatchEnd::Open)
        {
            batch.end = BatchEnd::Offset(progress.end);
        }
        while let Some(Batch {
            end: BatchEnd::Offset(end),
            ..
        }) = self.in_flight.front()
            && *end <= progress.written
        {
            self.in_flight.pop_front();
        }
    }

    /// What was taken and not written is lost, and what comes behind it cannot count as written.
    pub(crate) fn lose_in_flight(&mut self) {
        let batch = Batch {
            first: self.written(),
            end: BatchEnd::Lost,
        };
        self.in_flight.clear();
        self.in_flight.push_back(batch);
    }

    /// Takes out what is queued, to be dropped outside of the lock, as its memory may belong to foreign
    /// code; it counts as sent, and as lost.
    pub(crate) fn discard_queue(&mut self) -> Queue {
        if self.has_messages() {
            self.lose_in_flight();
            self.taken += self.queue.len() as u64;
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
        self.in_flight
            .front()
            .map_or(self.taken, |batch| batch.first)
    }

    /// The bytes of payload that are queued, and what the socket holds.
    pub(crate) fn buffered_bytes(&self) -> usize {
        self.queue.bytes() + self.socket_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(messages: usize) -> Outbox {
        let mut outbox = Outbox::default();
        for _ in 0..messages {
            outbox.push("x".into(), Compression::Auto);
        }
        outbox
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
        outbox.take();
        outbox.take();
        outbox.report(progress(20, 0));
        outbox.take();
        outbox.report(progress(30, 19));
        assert_eq!((outbox.queued(), outbox.written()), (3, 0));
        outbox.report(progress(30, 20));
        assert_eq!(outbox.written(), 2);
        outbox.report(progress(30, 30));
        assert_eq!((outbox.written(), outbox.buffered_bytes()), (3, 0));
    }

    #[test]
    fn nothing_counts_as_written_behind_what_is_lost() {
        let mut outbox = outbox(4);
        outbox.take();
        outbox.report(progress(10, 10));
        outbox.take();
        outbox.lose_in_flight();
        outbox.take();
        outbox.report(progress(30, 30));
        outbox.discard_queue();
        assert_eq!((outbox.queued(), outbox.written()), (4, 1));
    }

    #[test]
    fn the_close_frame_goes_last_and_once() {
        let mut outbox = outbox(1);
        outbox.request_close(None);
        assert!(matches!(outbox.take(), Some(Outgoing::Message(..))));
        assert!(matches!(outbox.take(), Some(Outgoing::Close(None))));
        assert!(outbox.take().is_none());
        assert!(outbox.is_close_requested() && !outbox.has_outgoing());
    }
}

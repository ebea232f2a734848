//! Messages on their way, in buffers out of a pool for each thread: an idle channel owns none.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;

use talkback_proto::{Compression, Message, Prepared};

use crate::channel::to_send::ToSend;

/// How many buffers a thread's pool has at most: for a message to each of ten thousand channels.
const POOL_BUFFERS: usize = 16 * 1024;

/// For how many messages behind their first one those have space together: for a burst on one channel, and for
/// a few messages on each of some hundreds.
const POOL_MESSAGES: usize = 2048;

/// A message, and what the caller said about compressing it; of one that was prepared, `None`.
type Entry = (Message, Option<Compression>);

/// Messages in order. Without any it has no buffer: that goes back to the thread which pops the last one.
#[derive(Default)]
pub(crate) struct Messages(Option<Box<Buffer>>);

/// A message that waits alone, as it mostly does, is where it is looked for first.
#[derive(Default)]
struct Buffer {
    first: Option<Entry>,
    /// Those behind it.
    rest: VecDeque<Entry>,
    /// What was prepared of them, apart: so the others pay nothing for it. The first needs no space of its own.
    first_prepared: Option<Prepared>,
    prepared: VecDeque<Prepared>,
}

impl Buffer {
    fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.first.iter().chain(&self.rest)
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.first.is_none() && self.rest.is_empty()
    }

    fn has_prepared(&self) -> bool {
        self.first_prepared.is_some() || !self.prepared.is_empty()
    }

    fn clear(&mut self) {
        self.first = None;
        self.rest.clear();
        self.first_prepared = None;
        self.prepared.clear();
    }
}

/// Empty buffers.
#[derive(Default)]
struct Pool {
    #[expect(
        clippy::vec_box,
        reason = "they move to where a pointer has space, and back"
    )]
    buffers: Vec<Box<Buffer>>,
    /// For how many messages behind their first one they have space together.
    messages: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

impl Messages {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Message> {
        let entries = self.0.iter().flat_map(|buffer| buffer.iter());
        entries.map(|(message, _)| message)
    }

    /// The one that was pushed last.
    pub(crate) fn newest(&self) -> Option<&Message> {
        let buffer = self.0.as_ref()?;
        let newest = buffer.rest.back().or(buffer.first.as_ref());
        newest.map(|(message, _)| message)
    }

    /// The size of a message's payload in bytes; 0 if there are not so many.
    pub(crate) fn size_of_nth(&self, index: usize) -> usize {
        let entry = self.0.as_ref().and_then(|buffer| match &buffer.first {
            Some(first) if index == 0 => Some(first),
            first => buffer.rest.get(index - usize::from(first.is_some())),
        });
        entry.map_or(0, |(message, _)| message.len())
    }

    #[inline]
    pub(crate) fn push(&mut self, message: Message, compression: Compression) {
        self.push_entry((message, Some(compression)));
    }

    #[inline(never)]
    pub(crate) fn push_prepared(&mut self, prepared: Prepared) {
        let buffer = self.push_entry((prepared.message().clone(), None));
        if buffer.has_prepared() {
            buffer.prepared.push_back(prepared);
        } else {
            buffer.first_prepared = Some(prepared);
        }
    }

    #[inline(always)]
    fn push_entry(&mut self, entry: Entry) -> &mut Buffer {
        let buffer = self.0.get_or_insert_with(take);
        if buffer.is_empty() {
            buffer.first = Some(entry);
        } else {
            buffer.rest.push_back(entry);
        }
        buffer
    }

    /// Moves all of these behind those that are here.
    pub(crate) fn append(&mut self, other: &mut Self) {
        match (&mut self.0, &mut other.0) {
            (Some(buffer), Some(others)) => {
                buffer.rest.extend(others.first.take());
                buffer.rest.append(&mut others.rest);
                buffer.prepared.extend(others.first_prepared.take());
                buffer.prepared.append(&mut others.prepared);
                other.clear();
            }
            _ => std::mem::swap(self, other),
        }
    }

    /// Whether any of these was prepared.
    #[inline]
    pub(crate) fn has_prepared(&self) -> bool {
        let buffer = self.0.as_ref();
        buffer.is_some_and(|buffer| buffer.has_prepared())
    }

    /// Takes the first one out, where none [was prepared](Self::has_prepared).
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<(Message, Compression)> {
        debug_assert!(!self.has_prepared());
        let (message, compression) = self.pop_entry()?;
        Some((message, compression.unwrap_or_default()))
    }

    /// Takes the first one out, prepared or not.
    pub(crate) fn pop_any(&mut self) -> Option<ToSend> {
        let buffer = self.0.as_mut()?;
        let first = buffer.first.as_ref().or(buffer.rest.front());
        let prepared = match first {
            Some((_, None)) => {
                let first = buffer.first_prepared.take();
                first.or_else(|| buffer.prepared.pop_front())
            }
            _ => None,
        };
        let (message, compression) = self.pop_entry()?;
        Some(match prepared {
            Some(prepared) => ToSend::Prepared(prepared),
            None => ToSend::Message(message, compression.unwrap_or_default()),
        })
    }

    #[inline]
    fn pop_entry(&mut self) -> Option<Entry> {
        let buffer = self.0.as_mut()?;
        let entry = buffer.first.take().or_else(|| buffer.rest.pop_front());
        if buffer.rest.is_empty()
            && let Some(buffer) = self.0.take()
        {
            give_back(buffer);
        }
        entry
    }

    /// Drops what is here.
    #[inline]
    pub(crate) fn clear(&mut self) {
        if let Some(mut buffer) = self.0.take() {
            buffer.clear();
            give_back(buffer);
        }
    }
}

/// Shows no message: one may be a secret.
impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

fn take() -> Box<Buffer> {
    let pooled = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        let buffer = pool.buffers.pop()?;
        pool.messages -= buffer.rest.capacity();
        Some(buffer)
    });
    pooled.ok().flatten().unwrap_or_default()
}

fn give_back(buffer: Box<Buffer>) {
    // A thread that is ending has no pool any more.
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        let messages = pool.messages + buffer.rest.capacity();
        if messages <= POOL_MESSAGES && pool.buffers.len() < POOL_BUFFERS {
            pool.messages = messages;
            pool.buffers.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(messages: &mut Messages, count: usize) {
        for _ in 0..count {
            messages.push("x".into(), Compression::Auto);
        }
    }

    fn pooled() -> usize {
        POOL.with(|pool| pool.borrow().messages)
    }

    #[test]
    fn an_empty_queue_has_no_buffer_and_a_busy_one_has_always_the_same() {
        let mut messages = Messages::default();
        for _ in 0..3 {
            push(&mut messages, 5);
            while messages.pop().is_some() {}
            assert!(messages.is_empty() && messages.0.is_none());
            assert_eq!(POOL.with(|pool| pool.borrow().buffers.len()), 1);
            assert!((4..16).contains(&pooled()));
        }
        push(&mut messages, 1);
        assert_eq!(pooled(), 0, "it is taken from the pool");
    }

    #[test]
    fn a_thread_keeps_no_more_than_its_pool_has_space_for() {
        let mut large = Messages::default();
        push(&mut large, POOL_MESSAGES + 2);
        large.clear();
        assert_eq!(pooled(), 0);
        let mut many: Vec<_> = (0..=POOL_BUFFERS).map(|_| Messages::default()).collect();
        many.iter_mut().for_each(|messages| push(messages, 1));
        many.iter_mut().for_each(Messages::clear);
        assert_eq!(POOL.with(|pool| pool.borrow().buffers.len()), POOL_BUFFERS);
    }

    #[test]
    fn what_is_prepared_for_ten_thousand_channels_needs_a_buffer_of_the_pool_on_each_and_no_more() {
        let prepared = Prepared::new("to all");
        for _ in 0..2 {
            let mut channels: Vec<_> = (0..10_000).map(|_| Messages::default()).collect();
            for messages in &mut channels {
                messages.push_prepared(prepared.clone());
                let buffer = messages.0.as_ref().unwrap();
                assert_eq!(buffer.prepared.capacity() + buffer.rest.capacity(), 0);
            }
            for messages in &mut channels {
                assert!(matches!(messages.pop_any(), Some(ToSend::Prepared(_))));
            }
            let kept = POOL.with(|pool| pool.borrow().buffers.len());
            assert_eq!((kept, pooled()), (10_000, 0));
        }
    }

    #[test]
    fn what_is_appended_comes_behind_what_is_there() {
        let mut messages = Messages::default();
        for texts in [["a", "b"], ["c", "d"]] {
            let mut others = Messages::default();
            for text in texts {
                others.push(text.into(), Compression::Auto);
            }
            messages.append(&mut others);
            assert!(others.is_empty());
        }
        assert_eq!(messages.newest(), Some(&"d".into()));
        messages.push("longer".into(), Compression::Auto);
        assert_eq!(
            [0, 3, 4, 5].map(|nth| messages.size_of_nth(nth)),
            [1, 1, 6, 0]
        );
        let (first, _) = messages.pop().unwrap();
        assert_eq!(first, "a".into());
        assert_eq!([2, 3, 4].map(|nth| messages.size_of_nth(nth)), [1, 6, 0]);
        let all: Vec<_> = messages.iter().map(Message::to_string).collect();
        assert_eq!(all, ["b", "c", "d", "longer"]);
    }
}

//! A connection whose transport a test scripts, and polls by hand.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

use talkback::{Error, Message, Role, WebSocket};
use talkback_topics::{Next, Start, Subscriber, Topic, TopicEvent, Topics};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is on both sides of a transport.
#[derive(Default)]
pub(crate) struct Wire {
    /// How many bytes it takes yet.
    pub(crate) room: usize,
    pub(crate) written: Vec<u8>,
    pub(crate) writes: usize,
    pub(crate) to_read: VecDeque<u8>,
    /// Who waits for room, and for bytes.
    writer: Option<Waker>,
    reader: Option<Waker>,
}

impl Wire {
    /// The frames that were written, each with its first byte.
    pub(crate) fn take_frames(&mut self) -> Vec<(u8, Vec<u8>)> {
        let (mut frames, mut at) = (Vec::new(), 0);
        while let Some(frame) = frame(&self.written[at..]) {
            at += frame.2;
            frames.push((frame.0, frame.1.to_vec()));
        }
        self.written.drain(..at);
        frames
    }

    pub(crate) fn take_texts(&mut self) -> Vec<String> {
        let frames = self.take_frames();
        let texts = frames.into_iter().map(|(first, payload)| {
            assert_eq!(first, 0x81, "it is text");
            String::from_utf8(payload).unwrap()
        });
        texts.collect()
    }
}

/// The first byte of a frame that is not masked, its payload, and how long it is.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (begin, size) = match *bytes.get(1)? {
        126 => (
            4,
            u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()).into(),
        ),
        127 => (
            10,
            u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap()) as usize,
        ),
        size => (2, size.into()),
    };
    Some((bytes[0], bytes.get(begin..begin + size)?, begin + size))
}

/// The server's end.
pub(crate) struct Transport(Arc<Mutex<Wire>>);

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut wire = self.0.lock().unwrap();
        if wire.to_read.is_empty() {
            wire.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let size = wire.to_read.len().min(buf.remaining());
        let bytes: Vec<u8> = wire.to_read.drain(..size).collect();
        buf.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut wire = self.0.lock().unwrap();
        if wire.room == 0 {
            wire.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        wire.writes += 1;
        let mut size = 0;
        for slice in slices {
            let part = &slice[..slice.len().min(wire.room)];
            wire.written.extend_from_slice(part);
            wire.room -= part.len();
            size += part.len();
        }
        Poll::Ready(Ok(size))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// How often a task was woken.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wakes {
    pub(crate) fn take(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

/// A subscriber with its connection, and the task that has both.
pub(crate) struct Served {
    pub(crate) subscriber: Subscriber,
    pub(crate) socket: WebSocket<Transport>,
    wire: Arc<Mutex<Wire>>,
    pub(crate) wakes: Arc<Wakes>,
}

impl Served {
    /// One whose transport takes everything.
    pub(crate) fn new(subscriber: Subscriber) -> Self {
        let wire = Arc::new(Mutex::new(Wire {
            room: usize::MAX,
            ..Wire::default()
        }));
        let transport = Transport(Arc::clone(&wire));
        Self {
            subscriber,
            socket: WebSocket::from_upgraded(transport, Role::Server),
            wire,
            wakes: Arc::default(),
        }
    }

    /// One that is subscribed to a topic from now on.
    pub(crate) fn to(topic: &Topic, subscriber: Subscriber) -> Self {
        let mut served = Self::new(subscriber);
        now(served.subscriber.subscribe(topic, Start::Now)).unwrap();
        served
    }

    pub(crate) fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock().unwrap()
    }

    /// Has the transport take so many bytes more; wakes who waits for that.
    pub(crate) fn give_room(&self, room: usize) {
        let mut wire = self.wire();
        wire.room = room;
        let writer = wire.writer.take();
        drop(wire);
        writer.into_iter().for_each(Waker::wake);
    }

    /// The peer sends a frame, masked with zeros.
    pub(crate) fn peer_sends(&self, first: u8, payload: &[u8]) {
        assert!(payload.len() < 126);
        let mut wire = self.wire();
        wire.to_read
            .extend([first, 0x80 | payload.len() as u8, 0, 0, 0, 0]);
        wire.to_read.extend(payload);
        let reader = wire.reader.take();
        drop(wire);
        reader.into_iter().for_each(Waker::wake);
    }

    /// Makes a `pump`, polls it once, and drops it.
    pub(crate) fn pump(&mut self) -> Option<Result<TopicEvent, Error>> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        let pumping = pin!(self.subscriber.pump(&mut self.socket));
        match pumping.poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(event) => Some(event),
            Poll::Pending => None,
        }
    }

    /// Pumps, which has nothing to tell.
    pub(crate) fn run(&mut self) {
        let event = self.pump();
        assert!(event.is_none(), "{event:?}");
    }

    /// Pumps until it waits; what was written.
    pub(crate) fn texts(&mut self) -> Vec<String> {
        self.wakes.take();
        self.run();
        // It lets others have their turn.
        while self.wakes.take() > 0 {
            self.run();
        }
        self.wire().take_texts()
    }
}

/// What a future gives that does not wait.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    poll_once(future).expect("it does not wait")
}

pub(crate) fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

pub(crate) fn topic() -> Topic {
    Topics::new().topic("prices").unwrap()
}

/// Publishes numbers.
pub(crate) fn publish(topic: &Topic, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        now(topic.publish(number.to_string()).into_future()).unwrap();
    }
}

pub(crate) fn texts(numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    numbers
        .into_iter()
        .map(|number| number.to_string())
        .collect()
}

pub(crate) fn text(message: &Message) -> &str {
    message.as_text().expect("it is text")
}

/// What a subscriber has to read, without a gap.
pub(crate) fn read(subscriber: &mut Subscriber) -> Vec<String> {
    let mut read = Vec::new();
    while let Some(next) = poll_once(subscriber.next()) {
        match next.unwrap() {
            Next::Delivery(delivery) => read.push(text(delivery.message().message()).to_owned()),
            next => panic!("{next:?}"),
        }
    }
    read
}

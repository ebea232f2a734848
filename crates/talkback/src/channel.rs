//! The handle that an app holds.

#[cfg(not(browser))]
mod blocking;
mod handle;
pub(crate) mod inbox;
pub(crate) mod lifecycle;
pub(crate) mod outbox;
mod queue;
pub(crate) mod receiver;
pub(crate) mod sender;
pub(crate) mod snapshot;
pub(crate) mod state;
pub(crate) mod sync;
mod wait_list;
pub(crate) mod waiting;
mod watchers;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use futures_sink::Sink;
#[cfg(not(browser))]
use talkback_proto::Compression;
use talkback_proto::{CloseCode, CloseInfo, Message};

use crate::channel::handle::Handle;
use crate::channel::lifecycle::ChannelState;
use crate::channel::receiver::Receiver;
use crate::channel::sender::Sender;
use crate::channel::snapshot::Snapshots;
use crate::channel::state::{Shared, WaitKey};
use crate::channel::sync::Arc;
use crate::channel::wait_list::WaitFor;
use crate::channel::waiting::{Closing, Ready, poll_send_capacity, poll_written};
use crate::error::{Error, TrySendError};

/// A channel to a WebSocket server: messages come as a stream, and go into a sink.
///
/// It exists before its connection does: what is sent before is queued. It works from any thread;
/// no method blocks, and none needs a runtime. A driver in the background answers pings and the
/// closing handshake while the program is busy.
///
/// **The queues** hold 64 messages or 1 MiB each, and always at least one message. When the one of
/// sent messages is full, [`try_send`](Self::try_send) says so and [`send`](Self::send) waits. When
/// the one of received messages is full the driver stops reading, so that the peer has to wait; then
/// pings are not answered and the keepalive timeout is suspended. A program that only ever shows
/// the latest message takes [`into_snapshots`](Self::into_snapshots), which never fills.
///
/// **The end.** A normal close (1000, 1001, no code, or one that this end began) ends the stream.
/// Any other end is one `Err`, then the end. [`close_info`](Self::close_info) tells more.
///
/// **Dropping it** closes: what is queued leaves, then an empty close frame, in the background and
/// within the close timeout. Its [`Sender`]s get [`TrySendError::Closed`]. A program that is about to
/// end awaits [`close`](Self::close) instead, for nothing runs in the background after `main`.
///
/// The recipe, in a program without a runtime:
///
/// ```
/// # let (address, listening) = std::sync::mpsc::channel();
/// # std::thread::spawn(move || {
/// #     let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// #     runtime.block_on(async {
/// #         let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
/// #         address.send(listener.local_addr().unwrap()).unwrap();
/// #         let (stream, _) = listener.accept().await.unwrap();
/// #         let mut socket = talkback::accept(stream).await.unwrap();
/// #         while let Ok(Some(message)) = socket.recv().await {
/// #             socket.send(message).await.unwrap();
/// #         }
/// #     });
/// # });
/// # let url = format!("ws://{}/", listening.recv()?);
/// use talkback::WebSocketChannel;
///
/// let mut channel = WebSocketChannel::connect(url); // at once; it connects in the background
/// channel.try_send("Hello!")?; // queued until it is open
/// let answer = channel.blocking_recv()?; // or, in a window, `into_snapshots` and draw
/// assert_eq!(answer.unwrap().as_text(), Some("Hello!"));
/// channel.close().wait()?; // what is queued leaves first
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct WebSocketChannel {
    /// `None` once the channel was split or turned into something else.
    halves: Option<(Sender, Receiver)>,
    /// The sink's place among those who wait.
    sink_key: WaitKey,
    /// How many messages the sink's flush waits for.
    sink_flush: Option<u64>,
}

impl WebSocketChannel {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let handle = Handle::new(Arc::clone(shared));
        let sender = Sender::new(handle.clone());
        let receiver = Receiver::new(handle);
        let sink_key = WaitKey::new(Arc::clone(shared));
        Self {
            halves: Some((sender, receiver)),
            sink_key,
            sink_flush: None,
        }
    }

    fn halves(&self) -> &(Sender, Receiver) {
        self.halves
            .as_ref()
            .expect("the halves are taken only when the channel is")
    }

    fn sending(&self) -> &Sender {
        &self.halves().0
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.sending().handle
    }

    /// Waits until the channel is open.
    ///
    /// Any number of callers, before and after, get the same outcome.
    ///
    /// # Errors
    /// Why the connection could not be made: [`Error::Connect`], or [`Error::Closed`] if it was
    /// closed before it was open.
    pub fn ready(&self) -> Ready {
        Ready::new(Arc::clone(self.shared()))
    }

    /// Queues a message, at once or not at all.
    ///
    /// # Errors
    /// A full queue, or a channel that is closing or closed; either hands the message back.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.sending().try_send(message)
    }

    /// Queues a message, and waits while the queue is full.
    ///
    /// # Errors
    /// A channel that is closing or closed; it hands the message back.
    ///
    /// # Cancel safety
    /// A dropped call has queued the whole message or nothing.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.sending().send(message).await
    }

    /// Queues a message as [`send`](Self::send) does, and says whether it may be compressed; see
    /// [`Compression::Skip`].
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// As [`send`](Self::send).
    #[cfg(not(browser))]
    pub async fn send_with(
        &self,
        message: impl Into<Message>,
        compression: Compression,
    ) -> Result<(), TrySendError> {
        self.sending().send_with(message, compression).await
    }

    /// Waits until everything that was queued before the call is written.
    ///
    /// # Errors
    /// A channel that ended before that.
    ///
    /// # Cancel safety
    /// A dropped call loses nothing.
    pub async fn flush(&self) -> Result<(), Error> {
        self.sending().flush().await
    }

    /// Waits for the next message; `None` after a normal close.
    ///
    /// # Errors
    /// The one error of a channel that ended otherwise, once; then `None`.
    ///
    /// # Cancel safety
    /// A dropped call loses nothing.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.poll_recv(cx)).await.transpose()
    }

    /// Blocks this thread until the next message, as [`recv`](Self::recv) waits for it: for programs
    /// without a runtime. In an `async fn` it would hold up every other task of the thread, and on
    /// a runtime of one thread its own driver.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    #[cfg(not(browser))]
    pub fn blocking_recv(&mut self) -> Result<Option<Message>, Error> {
        blocking::wait(self.recv())
    }

    fn poll_recv(&self, cx: &Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        self.halves().1.poll_recv(cx)
    }

    /// Begins to close with an empty close frame, after what is queued.
    ///
    /// Awaiting the end is optional. It comes within the close timeout, whatever the peer does.
    /// Calling it again changes nothing.
    pub fn close(&self) -> Closing {
        self.sending().close()
    }

    /// Begins to close with a code and a reason of at most 123 bytes of UTF-8; else as
    /// [`close`](Self::close).
    ///
    /// # Errors
    /// A code or a reason that may not be sent, as [`CloseFrame::new`](crate::CloseFrame::new) says, comes out of the future;
    /// nothing is closed then.
    pub fn close_with(&self, code: CloseCode, reason: &str) -> Closing {
        self.sending().close_with(code, reason)
    }

    /// Waits until the channel has ended, by whoever's doing.
    pub fn closed(&self) -> Closing {
        self.sending().closed()
    }

    /// A handle that sends and closes from another task or thread.
    pub fn sender(&self) -> Sender {
        self.sending().clone()
    }

    /// The halves, for different tasks. Dropping the last of them closes the channel; dropping only
    /// the [`Receiver`] discards what comes.
    pub fn split(mut self) -> (Sender, Receiver) {
        self.halves
            .take()
            .expect("the halves are taken only when the channel is")
    }

    /// Watches the channel beside [`recv`](Self::recv), from the newest unread message on. It does
    /// not keep the channel open.
    pub fn subscribe(&self) -> Snapshots {
        Snapshots::new(Arc::clone(self.shared()))
    }

    /// Turns the channel into its snapshots: only the newest message is kept, so that the peer
    /// never waits. Take a [`sender`](Self::sender) first to send. Dropping it closes, if no
    /// sender is left.
    pub fn into_snapshots(mut self) -> Snapshots {
        let (_, receiver) = self
            .halves
            .take()
            .expect("the halves are taken only when the channel is");
        Snapshots::of(receiver)
    }

    /// The subprotocol that both ends agreed on, once the channel is open.
    pub fn protocol(&self) -> Option<String> {
        self.shared().lock().lifecycle.protocol().map(str::to_owned)
    }

    /// How far the channel has come.
    pub fn state(&self) -> ChannelState {
        self.sending().state()
    }

    /// How the channel ended, once it has; after a local close too.
    pub fn close_info(&self) -> Option<CloseInfo> {
        self.sending().close_info()
    }

    /// How many bytes wait to be written.
    pub fn buffered_amount(&self) -> usize {
        self.sending().buffered_amount()
    }

    /// How long the last ping took to be answered, if the keepalive has sent one.
    pub fn latency(&self) -> Option<Duration> {
        self.shared().lock().lifecycle.latency()
    }
}

/// Shows no message: one may be a secret.
impl fmt::Debug for WebSocketChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((sender, _)) = &self.halves else {
            return f.write_str("WebSocketChannel");
        };
        f.debug_struct("WebSocketChannel")
            .field("state", &sender.state())
            .field("protocol", &self.protocol())
            .field("close_info", &sender.close_info())
            .finish_non_exhaustive()
    }
}

impl Drop for WebSocketChannel {
    fn drop(&mut self) {
        if self.halves.is_some() {
            self.shared().lock().close(None);
        }
    }
}

impl Stream for WebSocketChannel {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_recv(cx)
    }
}

impl Sink<Message> for WebSocketChannel {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let channel = self.get_mut();
        let shared = Arc::clone(channel.shared());
        poll_send_capacity(&shared, &mut channel.sink_key, cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        // A flush that was given up must not speak for what comes after it.
        self.sink_flush = None;
        self.sending().push(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let channel = self.get_mut();
        let shared = Arc::clone(channel.shared());
        ready!(poll_written(
            &shared,
            &mut channel.sink_flush,
            &mut channel.sink_key,
            cx
        ))?;
        channel.sink_flush = None;
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let channel = self.get_mut();
        let shared = Arc::clone(channel.shared());
        let mut state = shared.lock();
        state.close(None);
        if state.lifecycle.is_ended() {
            return Poll::Ready(Ok(()));
        }
        state.wait(&mut channel.sink_key, WaitFor::Change, cx);
        Poll::Pending
    }
}

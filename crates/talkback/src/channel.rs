//! The handle that an app holds.

#[cfg(not(browser))]
mod blocking;
pub(crate) mod buffers;
#[cfg(not(browser))]
pub(crate) mod driving;
mod flushing;
pub(crate) mod handle;
pub(crate) mod inbox;
pub(crate) mod lifecycle;
pub(crate) mod link;
pub(crate) mod marks;
mod methods;
pub(crate) mod outbox;
mod pinging;
#[cfg(not(browser))]
mod pings;
#[cfg(not(browser))]
pub(crate) mod polling;
#[cfg(not(browser))]
pub(crate) mod pump_slot;
pub(crate) mod queue;
pub(crate) mod receiver;
pub(crate) mod recv;
pub(crate) mod sender;
mod sending;
pub(crate) mod snapshot;
pub(crate) mod state;
pub(crate) mod sync;
pub(crate) mod to_send;
mod wait_list;
pub(crate) mod waiting;
pub(crate) mod waiting_messages;
mod wakes;
mod watchers;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_sink::Sink;
use talkback_proto::Message;

use crate::channel::handle::Handle;
use crate::channel::methods::{common_methods, receiving_methods, sending_methods};
use crate::channel::receiver::Receiver;
use crate::channel::sender::Sender;
use crate::channel::snapshot::Snapshots;
use crate::channel::state::Shared;
use crate::channel::sync::Arc;
use crate::error::Error;
use crate::panicking;

/// A channel to a WebSocket server: messages come as a stream, and go into a sink.
///
/// It exists before its connection does: what is sent before is queued. It works from any thread;
/// no method blocks, and none needs a runtime. A driver in the background answers pings and the
/// closing handshake while the program is busy.
///
/// **The queues** hold 1,024 messages to be sent and 64 received ones, or 1 MiB each, or what
/// [`QueueLimits`](crate::QueueLimits) say, and always at least one message. When the one of sent messages
/// is full, [`try_send`](Self::try_send) says so and [`send`](Self::send) waits. When the one of received
/// messages is full, the driver reads 64 KiB ahead of it, and then makes the peer wait. A program that only
/// ever shows the latest message takes [`into_snapshots`](Self::into_snapshots), which never fills.
///
/// **As a sink:** where `futures_util::SinkExt` is in scope, `send(message)` on a `&mut WebSocketChannel` is the
/// sink's, which waits until the message is written; `(*channel).send(message)` is the channel's own. A channel that
/// [reconnects](crate::Connect::reconnect) tells of a loss with messages in flight as one error of the sink, and the sink
/// goes on; `forward` and `send_all` end with it.
///
/// **To send one message to many**, make a [`Prepared`](crate::Prepared) of it, and call
/// [`try_send`](Self::try_send) with `&prepared` on each one's [`sender`](Self::sender): it is encoded and compressed
/// once, and `try_send` never waits, so that a slow peer holds up nobody. One whose queue is full is too slow: close it, or let it miss the message.
///
/// **The end.** A normal close (1000, 1001, no code, or one that this end began) ends the stream.
/// Any other end is one `Err`, then the end. Either comes behind the messages that had come into the queue.
/// After [`close`](Self::close) nothing more comes into it: receive what you wait for, then close.
/// [`close_info`](Self::close_info) tells more.
///
/// **Unread messages** hide what comes behind them, once they are more than the queue and the 64 KiB ahead
/// of it, where each counts as its payload and 64 bytes: pings are not answered, the keepalive is
/// suspended, and a close frame is not seen, so that the channel stays open. Then
/// - an end of TCP is seen within a second after it has come, and up to 8 MiB are read for a close frame
///   before it. If none is among them, nothing can be sent any more, and what came can be read; if the
///   program takes no message for the close timeout (10 s), the channel ends with 1006;
/// - a host that is gone is found by the kernel's keepalive, which has the channel's times;
/// - where the peer has sent more than the kernel of this end takes, its end comes when its own kernel
///   gives up, on Linux after about six minutes;
/// - over a transport of the program's own, and over TLS below hyper, none of this is seen.
///
/// A program that does not want the messages drops the [`Receiver`], or takes
/// [`into_snapshots`](Self::into_snapshots): then nothing is hidden. In a browser the end always comes by
/// itself.
///
/// **Dropping it** closes: what is queued leaves, then an empty close frame, in the background and
/// within the close timeout. Its [`Sender`]s can send no more. A program that is about to end awaits
/// [`close`](Self::close) instead, for nothing runs in the background after `main`.
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
///
/// # Runtimes
/// A channel may be used anywhere, whatever drives it.
///
/// What is made in a tokio runtime is driven there, and ends with it; the end says so. A runtime of one
/// thread drives it only while a `block_on` of it runs. Outside of tokio, in other executors, and where
/// a runtime of one thread was only entered, one thread in the background drives all channels. A runtime
/// needs I/O and time (`enable_all`): without, making a channel panics at once, as tokio's own calls do.
///
/// The program's own `recv` and `send` read and write by themselves, where they run on the channel's runtime, or
/// outside of all with the thread in the background: a message costs one task's turn. The driver does it
/// whenever the program does not, so that nothing depends on being polled.
///
/// The calls that block are for plain threads, `spawn_blocking` and `block_in_place`: `blocking_recv`,
/// `blocking_send`, and `wait` of [`ready`](Self::ready), [`close`](Self::close),
/// [`closed`](Self::closed) and [`send_tracked`](Self::send_tracked). On a thread that runs tasks of tokio, which is also what `block_on` does with a
/// runtime of one thread, they panic at once, as the driver might wait for this very thread: await there.
///
/// Other executors have to let their tasks be woken from that thread, as monoio does with its feature `sync`.
/// In a tokio runtime a host's name is looked up on one of its threads for blocking calls: where calls in
/// `spawn_blocking` hold them all, a channel that is opened by a name waits for one.
///
/// After a `fork` outside of a runtime, the channels that the child makes work. Those of its parent have no
/// driver in it: drop them, which does nothing there. A call that blocks ends them, in the child alone,
/// unless another thread was just using them at the fork; then it waits for ever, as awaiting one does.
///
/// Where the signal SIGPIPE has its default action, as in a program of C or in a command that has turned it
/// on again, a large message to a peer that has gone ends the program: have the signal ignored.
pub struct WebSocketChannel {
    /// `None` once the channel was split or turned into something else.
    halves: Option<(Sender, Receiver)>,
}

impl WebSocketChannel {
    common_methods!();
    sending_methods!();
    receiving_methods!();

    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let handle = || Handle::new(Arc::clone(shared));
        let halves = (Sender::new(handle()), Receiver::new(handle()));
        Self {
            halves: Some(halves),
        }
    }

    fn halves(&self) -> &(Sender, Receiver) {
        self.halves
            .as_ref()
            .expect("the halves are taken only when the channel is")
    }

    fn take_halves(&mut self) -> (Sender, Receiver) {
        self.halves
            .take()
            .expect("the halves are taken only when the channel is")
    }

    fn handle(&self) -> &Handle {
        self.halves().0.handle()
    }

    /// The half that is the channel's sink.
    fn sink(self: Pin<&mut Self>) -> Pin<&mut Sender> {
        let halves = self.get_mut().halves.as_mut();
        let (sender, _) = halves.expect("the halves are taken only when the channel is");
        Pin::new(sender)
    }

    /// A handle that sends and closes from another task or thread.
    pub fn sender(&self) -> Sender {
        self.halves().0.clone()
    }

    /// The halves, for different tasks: each can do what the channel can, but for sending or receiving.
    /// Dropping the last of them closes the channel; dropping only the [`Receiver`] discards what comes.
    pub fn split(mut self) -> (Sender, Receiver) {
        self.take_halves()
    }

    /// Watches the channel beside [`recv`](Self::recv), from the newest unread message on. It does
    /// not keep the channel open.
    pub fn snapshots(&self) -> Snapshots {
        Snapshots::new(Arc::clone(self.handle()))
    }

    /// Turns the channel into its snapshots: only the newest message is kept, so that the peer
    /// never waits. Take a [`sender`](Self::sender) first to send. Dropping it closes, if no
    /// sender is left.
    pub fn into_snapshots(mut self) -> Snapshots {
        let (_, receiver) = self.take_halves();
        Snapshots::of(receiver)
    }
}

/// Shows no message and no subprotocol: one may be a secret.
impl fmt::Debug for WebSocketChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((sender, _)) = &self.halves else {
            return f.write_str("WebSocketChannel");
        };
        f.debug_struct("WebSocketChannel")
            .field("state", &sender.state())
            .field("has_subprotocol", &self.subprotocol().is_some())
            .field("close_info", &sender.close_info())
            .finish_non_exhaustive()
    }
}

impl Drop for WebSocketChannel {
    fn drop(&mut self) {
        if self.halves.is_some()
            && let Some(mut state) = self.handle().lock_to_leave()
        {
            state.close(panicking::close_frame());
        }
    }
}

impl Stream for WebSocketChannel {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.handle().poll_recv(cx).map(Result::transpose)
    }
}

impl Sink<Message> for WebSocketChannel {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.sink().poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.sink().start_send(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.sink().poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.sink().poll_close(cx)
    }
}

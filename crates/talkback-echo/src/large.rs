//! Messages that would hold up others while they are compressed.

use std::future::{Future, poll_fn};
use std::num::NonZero;
use std::pin::pin;
use std::sync::LazyLock;
use std::thread::available_parallelism;

use talkback::{Message, WebSocket};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::task::block_in_place;

use crate::transport::Transport;

/// From this size in bytes on, to compress a message takes some milliseconds and more.
pub(crate) const LARGE_SIZE: usize = 64 * 1024;

/// Which connections may compress a large message: no more than there are processors.
static COMPRESSING: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, NonZero::get)));

/// Compresses and queues a message, which may take a second, while others are served: a client that
/// sends 130 KB may choose 16 MiB that are dear to compress. What cannot be sent shows as the end of the
/// connection when the next message is waited for.
pub(crate) async fn feed_large<T: Transport>(socket: &mut WebSocket<T>, unsent: Option<Message>) {
    let Some(message) = unsent else {
        return;
    };
    // While the peer holds back what is queued, nothing is compressed, and nobody is held up.
    if socket.flush().await.is_err() {
        return;
    }
    let _permit = COMPRESSING.acquire().await;
    let mut feeding = pin!(socket.feed(message));
    let _ = poll_fn(|cx| match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => feeding.as_mut().poll(cx),
        // Another thread takes over the tasks of this one.
        _ => block_in_place(|| feeding.as_mut().poll(cx)),
    })
    .await;
}

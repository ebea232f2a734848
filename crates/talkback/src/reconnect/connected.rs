//! A connection that was just made, in the hands of the program's hook.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use talkback_proto::{CloseInfo, Compression, Message, Outgoing};

use crate::error::Error;
use crate::error::send::{SendError, Unsent};
use crate::error::why::Why;
use crate::socket::{Received, Socket};

/// A connection that was just made, before anything that is queued; see
/// [`Reconnecting::on_connected`](crate::Reconnecting::on_connected).
///
/// It lives as long as the hook runs: afterwards each of its calls is an error.
pub struct Connected {
    place: Arc<dyn Lent>,
    subprotocol: Option<Box<str>>,
}

impl Connected {
    /// Sends a message, and waits until it is written.
    ///
    /// # Errors
    /// A connection that is closing or closed, and one whose hook has returned.
    ///
    /// # Cancel safety
    /// A dropped call has sent the whole message or nothing.
    pub async fn send<'a>(&mut self, message: impl Into<Outgoing<'a>>) -> Result<(), SendError> {
        let mut message = Some(message.into().into_message());
        poll_fn(|cx| self.place.poll_send(&mut message, cx)).await
    }

    /// Waits for the next message; `None` after a normal close. What is not taken here is the channel's.
    ///
    /// # Errors
    /// A connection that ended otherwise, and one whose hook has returned.
    ///
    /// # Cancel safety
    /// A dropped call loses nothing.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.place.poll_recv(cx)).await
    }

    /// The subprotocol that both ends agreed on (RFC 6455 §1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }
}

/// Shows no subprotocol: it may be a secret.
impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected").finish_non_exhaustive()
    }
}

/// Where a socket lies while the hook has it.
pub(crate) struct Place<S>(Mutex<Option<Kept<S>>>);

struct Kept<S> {
    socket: S,
    /// How it ended, if it has.
    info: Option<CloseInfo>,
}

impl<S: Socket> Place<S> {
    pub(crate) fn new(socket: S) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some(Kept { socket, info: None }))))
    }

    /// Takes the socket back from the hook, and how it ended, if it has.
    pub(crate) fn take(&self) -> Option<(S, Option<CloseInfo>)> {
        self.lock().take().map(|kept| (kept.socket, kept.info))
    }

    /// The place may have been left by a transport that panicked: what is in it goes on.
    fn lock(&self) -> MutexGuard<'_, Option<Kept<S>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(not(browser))]
impl Connected {
    pub(crate) fn new<S: Socket + Send + 'static>(place: &Arc<Place<S>>) -> Self {
        let subprotocol = place.subprotocol();
        let place = Arc::clone(place) as Arc<dyn Lent>;
        Self { place, subprotocol }
    }
}

#[cfg(browser)]
impl Connected {
    pub(crate) fn new<S: Socket + 'static>(place: &Arc<Place<S>>) -> Self {
        let subprotocol = place.subprotocol();
        let place = Arc::clone(place) as Arc<dyn Lent>;
        Self { place, subprotocol }
    }
}

impl<S: Socket> Place<S> {
    fn subprotocol(&self) -> Option<Box<str>> {
        self.lock().as_ref()?.socket.subprotocol()
    }
}

/// What a hook may do with a socket, whatever it is.
#[cfg(not(browser))]
trait Lent: Send + Sync + Calls {}
#[cfg(not(browser))]
impl<S: Socket + Send> Lent for Place<S> {}
#[cfg(browser)]
trait Lent: Calls {}
#[cfg(browser)]
impl<S: Socket> Lent for Place<S> {}

trait Calls {
    fn poll_send(
        &self,
        message: &mut Option<Message>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>>;

    fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>>;
}

impl<S: Socket> Calls for Place<S> {
    fn poll_send(
        &self,
        message: &mut Option<Message>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        let mut place = self.lock();
        let refused = |message: Option<Message>, why| {
            let what = message.map_or(Unsent::Queued(1), Unsent::Message);
            Poll::Ready(Err(SendError::new(what, why)))
        };
        let Some(kept) = &mut *place else {
            return refused(message.take(), Why::HookReturned);
        };
        if let Some(info) = &kept.info {
            return refused(message.take(), Why::Ended(info.clone(), None));
        }
        let socket = &mut kept.socket;
        if let Some(taken) = message.take() {
            if !socket.can_send() {
                return refused(Some(taken), why(socket));
            }
            if socket.start_send(taken, Compression::Auto).is_err() {
                return refused(None, why(socket));
            }
        }
        match ready!(socket.poll_flush(cx)) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(_) => refused(None, why(socket)),
        }
    }

    fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        let mut place = self.lock();
        let Some(kept) = &mut *place else {
            let error = SendError::new(Unsent::Next, Why::HookReturned);
            return Poll::Ready(Err(error.into()));
        };
        let info = match &kept.info {
            Some(info) => info.clone(),
            None => loop {
                match ready!(kept.socket.poll_received(cx)) {
                    Ok(Received::Message(message)) => return Poll::Ready(Ok(Some(message))),
                    #[cfg(not(browser))]
                    Ok(_) => {}
                    Err(info) => break kept.info.insert(info).clone(),
                }
            },
        };
        Poll::Ready(match info.is_normal() {
            true => Ok(None),
            false => Err(Error::Closed(info)),
        })
    }
}

/// Why a socket takes no messages.
fn why<S: Socket>(socket: &S) -> Why {
    match socket.peer_close() {
        Some((code, reason)) => Why::PeerCloses(code, reason),
        None => Why::Closing,
    }
}

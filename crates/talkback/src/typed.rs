//! Values of the program's own in place of messages.

pub(crate) mod channel;
pub(crate) mod codec;
pub(crate) mod endpoint;
pub(crate) mod json;
#[cfg(not(browser))]
mod socket;

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;
use talkback_proto::Message;

use crate::error::Error;
use crate::error::codec::CodecError;
use crate::error::recv::RecvError;
use crate::error::send::{SendError, Unsent};
use crate::error::why::Why;
use crate::typed::codec::Codec;
use crate::typed::json::Json;

/// A channel, a half of one, or a socket that sends `Out` and receives `In`.
///
/// It is a view: the channel below is the same one, and whatever has no form of its own here, such as `ready`,
/// `close` and `link`, is the channel's. It is made by [`json`](crate::WebSocketChannel::json), by an
/// [`Endpoint`](crate::Endpoint), or with another [`Codec`] by [`new`](Self::new). It is a [`Stream`] and a [`Sink`]
/// where `T` is one.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use talkback::RecvError;
///
/// #[derive(Serialize, Deserialize, PartialEq, Debug)]
/// struct Quote {
///     symbol: String,
///     price: u32,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (client, server) = talkback::pair();
/// let mut client = client.json::<(), Quote>();
/// let server = server.json::<Quote, ()>();
/// let quote = Quote { symbol: "TLKB".into(), price: 42 };
/// server.send(&quote).await?;
/// assert_eq!(client.recv().await?, Some(quote));
///
/// (*server).send(r#"{"symbol": "TLKB", "price": "dear"}"#).await?; // the channel's own `send`
/// let Err(RecvError::Message { error, .. }) = client.recv().await else {
///     panic!("a price that is no number");
/// };
/// assert_eq!(error.path(), "price");
/// assert_eq!(error.to_string(), "price: expected u32, found a string (line 1, column 34)");
/// # Ok(())
/// # }
/// ```
///
/// **A message that is not what was expected** is one [`RecvError::Message`], which hands it back. Nothing else
/// happens: the connection stays open, and the next `recv` gives what is behind it. A program that does not want to go
/// on with such a peer closes, natively with 1007 ([`CloseCode::INVALID_PAYLOAD`](crate::CloseCode::INVALID_PAYLOAD)), in a page with
/// a code from 3000 on. A loop that ends by `?` drops the channel, which closes without a code.
///
/// **Several kinds of messages** are the variants of an enum. With `#[serde(tag = "type", content = "data")]`, or without
/// either, an error names the field within the variant; see [`Json`].
pub struct Typed<T, Out: ?Sized, In, C = Json> {
    pub(crate) inner: T,
    pub(crate) codec: C,
    types: PhantomData<fn(&Out) -> In>,
}

impl<T, Out: ?Sized, In, C: Codec<Out, In>> Typed<T, Out, In, C> {
    /// A view of a channel, a half of one, or a socket.
    pub fn new(inner: T, codec: C) -> Self {
        Self {
            inner,
            codec,
            types: PhantomData,
        }
    }

    /// What it is a view of.
    pub fn into_inner(self) -> T {
        self.inner
    }

    /// A message for a value, or why there is none, as an error of a send.
    pub(crate) fn encode(&self, value: &Out) -> Result<Message, SendError> {
        let encoded = self.codec.encode(value);
        encoded.map_err(|error| SendError::new(Unsent::Value, Why::NotEncoded(error)))
    }

    /// The value of a message that came.
    pub(crate) fn decode(&self, message: Message) -> Result<In, RecvError> {
        let decoded = self.codec.decode(&message);
        decoded.map_err(|error: CodecError| RecvError::Message { error, message })
    }

    /// What came, or the end.
    pub(crate) fn decode_next(
        &self,
        next: Result<Option<Message>, Error>,
    ) -> Result<Option<In>, RecvError> {
        next?.map(|message| self.decode(message)).transpose()
    }
}

impl<T, Out: ?Sized, In, C> Deref for Typed<T, Out, In, C> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T, Out: ?Sized, In, C> DerefMut for Typed<T, Out, In, C> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: fmt::Debug, Out: ?Sized, In, C> fmt::Debug for Typed<T, Out, In, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Typed").field(&self.inner).finish()
    }
}

/// The fields are never pinned.
impl<T: Unpin, Out: ?Sized, In, C> Unpin for Typed<T, Out, In, C> {}

impl<T, Out: ?Sized, In, C> Stream for Typed<T, Out, In, C>
where
    T: Stream<Item = Result<Message, Error>> + Unpin,
    C: Codec<Out, In>,
{
    type Item = Result<In, RecvError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let typed = self.get_mut();
        let next = ready!(Pin::new(&mut typed.inner).poll_next(cx)).transpose();
        Poll::Ready(typed.decode_next(next).transpose())
    }
}

impl<T, Out, In, C> Sink<Out> for Typed<T, Out, In, C>
where
    T: Sink<Message, Error = Error> + Unpin,
    C: Codec<Out, In>,
{
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.get_mut().inner).poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, value: Out) -> Result<(), Error> {
        let message = self.encode(&value)?;
        Pin::new(&mut self.get_mut().inner).start_send(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.get_mut().inner).poll_close(cx)
    }
}
